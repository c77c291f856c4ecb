use super::*;
use silta_adapter::fidelity::LossRule;
use silta_adapter::record::{Attainment, Coded, Credits, Grade, GradeScale, Identifier, State, Text};

fn coded(scheme: &'static str, value: &str) -> Coded {
    Coded::new(scheme, value)
}

fn record(kind: RecordKind, id: &str, institution: &str, body: Body) -> Record {
    let key =
        RecordKey { tenant: "t".into(), source: "s".into(), kind, institution: institution.into(), id: id.into() };
    Record::current(key, "L1", body)
}

fn learner(change: impl FnOnce(&mut Learner)) -> Record {
    let mut body = Learner::default();
    change(&mut body);
    record(RecordKind::Learner, "L1", "", Body::Learner(Box::new(body)))
}

fn attainment(change: impl FnOnce(&mut Attainment)) -> Record {
    let scale = GradeScale {
        code: coded(crate::names::NATIONAL_SCALE, "Hyvaksytty"),
        title: Default::default(),
        grades: Default::default(),
    };
    let mut body = Attainment {
        code: Some("".into()),
        completed_on: "2025-05-14".parse().ok(),
        credits: Some(Credits { ects: "5".parse().ok(), credit_weeks: None }),
        grade: Some(Grade { scale, value: "HYV".into() }),
        awarding_body: Some(coded(crate::names::ORGANISATION, "10122")),
        category: Some(coded(crate::names::CATEGORY, "2")),
        ..Attainment::default()
    };
    change(&mut body);
    record(RecordKind::Attainment, "A1", "10122", Body::Attainment(Box::new(body)))
}

/// What became of one item.
type Outcome = Result<Vec<Loss>, Vec<Problem>>;

/// Writes items one by one; what became of each, and the document.
fn write(form: Option<&str>, items: &[&Record]) -> (Vec<Outcome>, String) {
    let mut out = Vec::new();
    let mut writer = Box::new(Writer::new(&mut out, form).expect("a form"));
    let outcome = |written| match written {
        Ok(losses) => Ok(losses),
        Err(NotWritten::Refused(Refusal(problems))) => Err(problems),
        Err(NotWritten::Io(e)) => panic!("{e}"),
    };
    let outcomes = items.iter().map(|item| outcome(writer.write(std::slice::from_ref(*item)))).collect();
    writer.finish().expect("written");
    (outcomes, String::from_utf8(out).expect("text"))
}

/// Codes and paths of the reasons a record is refused for.
fn refusals(record: &Record) -> Vec<(String, String)> {
    let (mut outcomes, _) = write(None, &[record]);
    let problems = outcomes.remove(0).expect_err("refused");
    problems.into_iter().map(|p| (p.code.to_string(), p.path.unwrap_or_default())).collect()
}

fn one(code: &str, path: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), path.to_owned())]
}

/// A change to an attainment, and the code and path of the refusal it brings.
type Refused = (fn(&mut Attainment), &'static str, &'static str);

#[test]
fn what_virta_cannot_hold_is_refused_with_its_path() {
    let cases: [Refused; 9] = [
        (|a| a.completed_on = None, "missing_field", "/body/completed_on"),
        (|a| a.credits = None, "missing_field", "/body/credits"),
        (
            |a| a.credits = Some(Credits { ects: None, credit_weeks: "3".parse().ok() }),
            "missing_field",
            "/body/credits/ects",
        ),
        (|a| a.grade = None, "missing_field", "/body/grade"),
        (|a| a.category = Some(coded("other", "2")), "foreign_code", "/body/category"),
        (|a| a.completed_on = "1899-12-31".parse().ok(), "bad_date", "/body/completed_on"),
        (|a| a.title = vec![Text::new("fi", "x".repeat(201))].into(), "too_long", "/body/title/0/value"),
        (|a| a.title = vec![Text::new("fi", "\u{1}")].into(), "illegal_character", "/body/title/0/value"),
        (|a| a.awarding_body = Some(coded(crate::names::ORGANISATION, "02630")), "unmappable_key", "/institution"),
    ];
    for (change, code, path) in cases {
        assert_eq!(refusals(&attainment(change)), one(code, path));
    }
    let mut withdrawn = attainment(|_| {});
    withdrawn.head.state = State::Deleted;
    assert_eq!(refusals(&withdrawn), one("tombstone", ""));
    let hetu = Identifier { scheme: Learner::HETU.into(), value: "010190-9011".into() };
    assert_eq!(refusals(&learner(|l| l.identifiers.push(hetu))), one("bad_hetu", "/body/identifiers"));
}

#[test]
fn what_is_left_out_is_declared() {
    let (mut outcomes, _) = write(
        None,
        &[&attainment(|a| {
            a.code = None;
            a.study_right = Some("".into());
            a.language = Some(coded("iso639", "fi"));
            a.competences = vec![coded(crate::names::COMPETENCE, "br"), coded("esco", "x")].into();
            a.links = vec!["https://a.example/".to_owned()].into();
            a.extensions.0.insert("a/b".into(), 1.into());
        })],
    );
    let losses = outcomes.remove(0).expect("written");
    let paths: Vec<&str> = losses.iter().map(|loss| loss.path.as_str()).collect();
    let expected = [
        "/body/extensions/a~1b",
        "/body/links",
        "/body/code",
        "/body/study_right",
        "/body/language",
        "/body/competences/1",
    ];
    assert_eq!(paths, expected);
    let rule = |loss: &Loss| LOSSES.iter().find(|rule: &&LossRule| rule.id == loss.rule);
    assert!(losses.iter().all(|loss| rule(loss).is_some_and(|rule| rule.covers(loss.key.kind, &loss.path))));
}

#[test]
fn the_first_record_decides_the_form() {
    let (outcomes, list) = write(None, &[&attainment(|_| {}), &learner(|_| {})]);
    assert!(list.contains("<Opintosuoritukset xmlns=") && !list.contains("Opiskelija "), "{list}");
    assert_eq!(outcomes[1].as_ref().map_err(|problems| problems[0].code.as_str()), Err("other_kind"));
    let (outcomes, all) = write(None, &[&learner(|_| {}), &attainment(|_| {}), &learner(|_| {})]);
    assert!(all.contains("<Opiskelija avain=\"L1\">\n<Opintosuoritukset>"), "{all}");
    assert_eq!(outcomes[1], Ok(vec![]));
    assert_eq!(outcomes[2].as_ref().map_err(|problems| problems[0].code.as_str()), Err("out_of_order"));
    assert!(Writer::new(&mut Vec::new(), Some("elmo")).is_err());
}

#[test]
fn a_row_without_its_learner_adds_her() {
    let (mut outcomes, document) = write(Some("Virta"), &[&attainment(|_| {})]);
    let losses = outcomes.remove(0).expect("written");
    assert!(matches!(&losses[..], [Loss { change: Change::Added(_), .. }]), "{losses:?}");
    assert!(document.contains("<Opiskelija avain=\"L1\">"), "{document}");
}

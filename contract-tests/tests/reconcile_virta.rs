//! What reconciliation finds in the hard cases of VIRTA: real documents where they show the case, made ones where none
//! does. Each case says what was accepted, what the store answers, and which findings that is.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

use contract_tests::shared_dir;
use silta::ledger::FindingKind::{self, Differs, Duplicate, Missing, OrphanPart, Rekeyed, Unexpected};
use silta::ledger::{DebtState, Holding, LearnerId, RecordId, Wanted};
use silta::reconcile::compare::{Expected, Finding, Terms, compare};
use silta::reconcile::item::{Item, single};
use silta_adapter::adapter::{Decode, DecodeContext, Decoded, Limits};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::{Body, Record, RecordKind};
use silta_virta::Virta;
use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

static MAPPINGS: LazyLock<Mappings> = LazyLock::new(|| Mappings::builtin().expect("mappings"));

fn decode(document: &str) -> Vec<Record> {
    let ctx = DecodeContext { tenant: "t".into(), source: "sis".into(), limits: Limits::default() };
    let mut records: Vec<Record> = Vec::new();
    let read = Virta.decode(&mut document.as_bytes(), &ctx, &mut |decoded| {
        if let Decoded::Record(record, _) = decoded {
            records.push(*record);
        }
        Ok(())
    });
    read.expect("readable");
    records
}

/// A number that stands for a learner.
fn learner_id(record: &Record) -> LearnerId {
    let mut id = [0; 16];
    record.head.learner.bytes().enumerate().for_each(|(at, byte)| id[at % 16] ^= byte.rotate_left(at as u32 / 16));
    LearnerId(id)
}

/// Everything was accepted long ago, each key once, as a ledger keeps it.
fn accepted(records: &[Record]) -> Vec<Expected> {
    let mut keys = HashSet::new();
    let once = records.iter().filter(|record| keys.insert(&record.head.key));
    let expected = |(at, record): (usize, &Record)| Expected {
        holding: Holding {
            debt: at as i64,
            item: RecordId((at as u128).to_be_bytes()),
            learner: learner_id(record),
            rank: 0,
            kind: record.head.key.kind,
            state: DebtState::Confirmed,
            generation: 1,
            wanted: Some(Wanted::Present),
            wanted_content: None,
            sent_content: None,
            confirmed_content: None,
            sent_at: Some(0),
        },
        key: record.head.key.clone(),
        sent: Item::of(vec![record.clone()]),
        confirmed: None,
        lost: None,
    };
    once.enumerate().map(expected).collect()
}

/// What is found, with its paths, and apart from it how many findings follow from another.
struct Found {
    own: Vec<Finding>,
    implied: usize,
    origins: usize,
}

impl Found {
    fn kinds(&self) -> Vec<(FindingKind, usize)> {
        let mut kinds: BTreeMap<FindingKind, usize> = BTreeMap::new();
        self.own.iter().for_each(|one| *kinds.entry(one.kind).or_default() += 1);
        kinds.into_iter().collect()
    }

    fn ids(&self) -> Vec<&str> {
        self.own.iter().map(|one| one.key.id.as_str()).collect()
    }

    fn paths(&self) -> Vec<&str> {
        self.own.iter().flat_map(|one| &one.evidence.fields).map(|field| field.path.as_str()).collect()
    }

    /// The only finding: its kind, and a path that differs if any does.
    fn only(&self) -> Option<(FindingKind, Option<&str>)> {
        match self.own.as_slice() {
            [one] => Some((one.kind, self.paths().first().copied())),
            _ => None,
        }
    }
}

fn found_in(sent: &[Record], there: &[Record], complete: bool) -> Found {
    let terms =
        Terms { now: 1_000, settle: 1, complete, institutions: &MAPPINGS.institutions, withheld: &[], person: &[] };
    let comparison = compare(&accepted(sent), &single(there), terms);
    let (implied, own): (Vec<_>, Vec<_>) = comparison.findings.into_iter().partition(|one| one.implied_by.is_some());
    Found { own, implied: implied.len(), origins: comparison.origins }
}

fn found(sent: &[Record], there: &[Record]) -> Found {
    found_in(sent, there, true)
}

/// A real document's text; without the material the tests prove nothing.
fn real(name: &str) -> Option<String> {
    let path = shared_dir("cases")?.join("virta/koski/opintotiedot").join(name);
    Some(std::fs::read_to_string(path).expect("a document"))
}

/// The records of a real document, which agree with themselves.
fn real_records(name: &str) -> Option<Vec<Record>> {
    let records = decode(&real(name)?);
    let same = found(&records, &records);
    let odd: Vec<_> = same.own.iter().filter(|one| one.kind != OrphanPart).map(|one| (one.kind, &one.key.id)).collect();
    assert!(!records.is_empty() && odd.is_empty(), "{name}: {odd:?}");
    Some(records)
}

fn without(records: &[Record], lost: impl Fn(&Record) -> bool) -> Vec<Record> {
    records.iter().filter(|record| !lost(record)).cloned().collect()
}

/// An attainment with what is said otherwise than usual, as `name=value` of attributes and elements.
fn row(key: &str, parts: &[&str], more: &str) -> String {
    let parts: String = parts.iter().map(|p| format!("<Sisaltyvyys sisaltyvaOpintosuoritusAvain=\"{p}\"/>")).collect();
    format!(
        "<Opintosuoritus avain=\"{key}\" opiskelijaAvain=\"S1\" koulutusmoduulitunniste=\"KOODI\">\
         <SuoritusPvm>2020-05-14</SuoritusPvm><Laajuus><Opintopiste>5</Opintopiste></Laajuus>\
         <Arvosana><Viisiportainen>4</Viisiportainen></Arvosana><Myontaja>10122</Myontaja>{more}<Laji>2</Laji>\
         <Nimi kieli=\"fi\">Opinto {key}</Nimi>{parts}</Opintosuoritus>"
    )
}

/// A document of one learner with these attainments, and study rights before them.
fn document(rights: &str, rows: &[String]) -> String {
    let rights =
        if rights.is_empty() { String::new() } else { format!("<Opiskeluoikeudet>{rights}</Opiskeluoikeudet>") };
    format!(
        "<Virta xmlns=\"urn:mace:funet.fi:virta/2015/09/01\"><Opiskelija avain=\"S1\">\
         <KansallinenOppijanumero>1.2.246.562.24.90000000001</KansallinenOppijanumero>{rights}\
         <Opintosuoritukset>{}</Opintosuoritukset></Opiskelija></Virta>",
        rows.concat()
    )
}

fn rows(rows: &[String]) -> Vec<Record> {
    decode(&document("", rows))
}

fn right(end: &str, states: &[(&str, &str, &str)], more: &str) -> String {
    let state = |(start, end, code): &(&str, &str, &str)| {
        format!("<Tila><AlkuPvm>{start}</AlkuPvm><LoppuPvm>{end}</LoppuPvm><Koodi>{code}</Koodi></Tila>")
    };
    format!(
        "<Opiskeluoikeus avain=\"R1\" opiskelijaAvain=\"S1\"><AlkuPvm>2019-08-01</AlkuPvm>{end}{}<Tyyppi>2</Tyyppi>\
         <Myontaja>10122</Myontaja>{more}</Opiskeluoikeus>",
        states.iter().map(state).collect::<String>()
    )
}

#[test]
fn case_1_one_study_right_key_at_two_institutions() {
    let Some(sent) = real_records("130505A831H.xml") else { return };
    let lost = |r: &Record| r.head.key.id == "6969696" && r.head.key.institution == "02629";
    let found = found(&sent, &without(&sent, lost));
    assert_eq!((found.kinds(), found.own[0].key.institution.as_str()), (vec![(Missing, 1)], "02629"));
}

#[test]
fn case_2_one_attainment_key_at_two_institutions_for_different_courses() {
    let other = row("A", &[], "").replace("10122", "10089").replace("2020-05-14", "2020-07-01");
    let sent = rows(&[row("A", &[], ""), other]);
    assert_eq!(found(&sent, &sent).kinds(), []);
    let found = found(&sent, &without(&sent, |r| r.head.key.institution == "10089"));
    assert_eq!((found.kinds(), found.own[0].key.institution.as_str()), (vec![(Missing, 1)], "10089"));
}

#[test]
fn case_3_a_merged_institution_loaded_under_both_names() {
    let Some(sent) = real_records("260308-361W.xml") else { return };
    let twice = |r: &&Record| {
        r.head.key.institution == "02470"
            && sent.iter().any(|o| o.head.key.institution == "10126" && o.head.key.id == r.head.key.id)
    };
    let copies = sent.iter().filter(twice).count();
    let of = |kind: RecordKind| sent.iter().filter(twice).filter(|r| r.head.key.kind == kind).count();
    assert_eq!((of(RecordKind::StudyRight), of(RecordKind::Attainment)), (2, 28));
    let today = without(&sent, |r| r.head.key.institution == "02470");
    let found_twice = found(&today, &sent);
    assert_eq!(found_twice.kinds(), [(Duplicate, copies)], "we sent them once, the store holds them twice");
    // A register that knows them by the earlier name alone, and a store that knows them by today's.
    let plain = |institution: &str| {
        let mut records = without(&sent, |r| r.head.key.institution != institution);
        for record in &mut records {
            if let Some(Body::Attainment(body)) = &mut record.body {
                body.organisations = Vec::new().into();
            }
        }
        without(&records, |r| r.head.key.kind != RecordKind::Attainment)
    };
    assert_eq!(found(&plain("02470"), &plain("10126")).kinds(), [], "one institution under two names");
}

#[test]
fn case_4_the_earlier_grantor_is_told_by_its_role() {
    let Some(sent) = real_records("080795-884U.xml") else { return };
    let mut there = sent.clone();
    let changed = there.iter_mut().find_map(|record| match &mut record.body {
        Some(Body::Attainment(body)) if body.organisations.iter().any(|o| o.role.value == "5") => {
            body.organisations = Vec::new().into();
            Some(record.head.key.id.clone())
        }
        _ => None,
    });
    let found = found(&sent, &there);
    assert_eq!((found.kinds(), found.ids()), (vec![(Differs, 1)], vec![changed.expect("a role 5").as_str()]));
    assert!(found.paths()[0].starts_with("/body/organisations"));
}

#[test]
fn case_5_one_person_in_many_blocks() {
    let Some(sent) = real_records("260308-361W.xml") else { return };
    let lost = |r: &Record| r.head.learner == "129999";
    let gone = accepted(&sent).iter().filter(|item| item.sent.as_ref().is_some_and(|item| lost(&item.root))).count();
    let found = found(&sent, &without(&sent, lost));
    assert_eq!((found.kinds(), found.implied), (vec![(Missing, 1)], gone - 1), "the block, and the rest follows");
    assert_eq!(found.own[0].key.kind, RecordKind::Learner);
}

#[test]
fn case_6_an_answer_under_a_linked_number() {
    let sent = rows(&[row("A", &[], "")]);
    let there = decode(&document("", &[row("A", &[], "")]).replace("90000000001", "90000000999"));
    let found = found(&sent, &there);
    assert_eq!(found.own[0].key.kind, RecordKind::Learner, "the number differs, the learning does not");
    assert!(found.kinds() == [(Differs, 1)] && found.paths().iter().all(|p| p.starts_with("/body/identifiers")));
}

#[test]
fn case_7_an_answer_with_more_in_it_and_in_another_order() {
    let Some(sent) = real_records("270191-4208.xml") else { return };
    let mut there: Vec<Record> = sent.iter().rev().cloned().collect();
    assert_eq!(found(&sent, &there).kinds(), [], "order means nothing");
    let more = there.iter_mut().find_map(|record| match &mut record.body {
        Some(Body::Attainment(body)) => {
            body.title.0.push(silta_adapter::record::Text::new("en", "More"));
            Some(())
        }
        _ => None,
    });
    more.expect("an attainment");
    assert_eq!(found(&sent, &there).only(), Some((Differs, Some("/body/title/-"))));
}

#[test]
fn case_8_who_cannot_be_asked_about_lacks_nothing() {
    let sent = rows(&[row("A", &[], "")]);
    let hetu = |code: &str| {
        let number = "<KansallinenOppijanumero>1.2.246.562.24.90000000001</KansallinenOppijanumero>";
        decode(&document("", &[row("A", &[], "")]).replace(number, &format!("<Henkilotunnus>{code}</Henkilotunnus>")))
    };
    assert_eq!(found_in(&hetu("111101A"), &[], false).kinds(), [], "half a code identifies nobody");
    assert_eq!(found_in(&sent, &[], true).kinds(), [(Missing, 1)]);
}

#[test]
fn case_9_no_study_right_and_an_empty_one_are_the_same() {
    let empty = row("A", &[], "").replacen(" koulutus", " opiskeluoikeusAvain=\"\" koulutus", 1);
    assert_eq!(found(&rows(&[row("A", &[], "")]), &rows(&[empty])).kinds(), []);
}

#[test]
fn case_10_a_deep_tree_loses_a_leaf() {
    let tree = [row("D", &["M"], ""), row("M", &["C"], ""), row("C", &["E"], ""), row("E", &[], "")];
    let sent = rows(&tree);
    let found = found(&sent, &without(&sent, |r| r.head.key.id == "E"));
    assert_eq!((found.kinds(), found.ids(), found.implied), (vec![(Missing, 1)], vec!["E"], 1));
}

#[test]
fn case_11_a_part_of_two_wholes_is_lost_once() {
    let sent = rows(&[row("BSC", &["C"], ""), row("MSC", &["C"], ""), row("C", &[], "")]);
    let found = found(&sent, &without(&sent, |r| r.head.key.id == "C"));
    assert_eq!((found.kinds(), found.implied), (vec![(Missing, 1)], 2));
}

#[test]
fn case_12_a_part_belongs_to_another_study_right_than_its_whole() {
    let Some(sent) = real_records("200990-228R.xml") else { return };
    let mut there = sent.clone();
    let moved = there.iter_mut().find_map(|record| match &mut record.body {
        Some(Body::Attainment(body)) if body.study_right.is_some() => {
            body.study_right = Some("another".into());
            Some(())
        }
        _ => None,
    });
    moved.expect("an attainment of a study right");
    assert_eq!(found(&sent, &there).only(), Some((Differs, Some("/body/study_right"))));
}

#[test]
fn case_13_parts_that_nobody_sent() {
    let Some(sent) = real_records("010280-123A.xml") else { return };
    let found = found(&sent, &sent);
    assert_eq!(
        (found.kinds(), found.implied),
        (vec![(OrphanPart, 1)], 0),
        "told about the whole, and it is nobody's loss"
    );
}

#[test]
fn case_14_a_degree_without_parts_or_credits_is_lost() {
    let Some(sent) = real_records("270680-459P.xml") else { return };
    let degree = |r: &Record| match &r.body {
        Some(Body::Attainment(body)) => body.category.as_ref().is_some_and(|c| c.value == "1"),
        _ => false,
    };
    let degrees = sent.iter().filter(|r| degree(r)).count();
    assert!(degrees > 0);
    assert_eq!(found(&sent, &without(&sent, degree)).kinds(), [(Missing, degrees)]);
}

#[test]
fn case_15_credits_of_a_part_within_its_whole() {
    let whole = |ects: &str| {
        let counted = format!("Avain=\"C\"><Opintopiste>{ects}</Opintopiste></Sisaltyvyys>");
        rows(&[row("W", &["C"], "").replace("Avain=\"C\"/>", &counted), row("C", &[], "")])
    };
    assert_eq!(found(&whole("4.0"), &whole("4")).kinds(), []);
    let found = found(&whole("4"), &whole("5"));
    assert!(found.kinds() == [(Differs, 1)] && found.paths().iter().all(|p| p.starts_with("/body/parts")));
    if let Some(sent) = real("090992-3237.xml") {
        assert!(!decode(&sent).is_empty());
    }
}

#[test]
fn case_16_partial_attainments_that_a_store_does_not_count() {
    let partial = row("P", &[], "").replace("<Laji>2", "<Laji>3");
    let sent = rows(&[row("W", &["P"], ""), partial]);
    let found = found(&sent, &without(&sent, |r| r.head.key.id == "P"));
    // A connection's rule about category 3 makes it no error; see the reconciler's own tests.
    assert_eq!((found.kinds(), found.implied), (vec![(Missing, 1)], 1));
}

#[test]
fn case_17_a_scale_of_the_institution_with_and_without_its_grades() {
    let scale = |grades: &str| {
        let other = format!("<Muu><Asteikko avain=\"11\">{grades}</Asteikko><Koodi>44</Koodi></Muu>");
        rows(&[row("A", &[], "").replace("<Viisiportainen>4</Viisiportainen>", &other)])
    };
    let listed =
        "<Nimi>Oma</Nimi><AsteikkoArvosana avain=\"44\"><Koodi>HYV</Koodi><Nimi>hyv.</Nimi></AsteikkoArvosana>";
    assert_eq!(found(&scale(listed), &scale("")).kinds(), [], "the grade is its key on the scale");
    let Some(sent) = real_records("251029-7230.xml") else { return };
    assert_eq!(found(&sent, &sent).kinds(), []);
}

#[test]
fn case_18_credit_weeks_alone() {
    let Some(sent) = real("251029-7230.xml") else { return };
    let start = sent.find("Opintoviikko>").expect("credit weeks") + "Opintoviikko>".len();
    let end = start + sent[start..].find('<').expect("an end");
    let there = format!("{}77{}", &sent[..start], &sent[end..]);
    let found = found(&decode(&sent), &decode(&there));
    assert_eq!(found.only(), Some((Differs, Some("/body/credits/credit_weeks"))));
}

#[test]
fn case_19_a_code_that_is_no_course_and_two_rows_alike_but_for_their_names() {
    let named = |key: &str, name: &str| row(key, &[], "").replace(&format!("Opinto {key}"), name);
    let sent = rows(&[named("A", "Kirjanpito"), named("B", "Verotus")]);
    let there = rows(&[named("X", "Kirjanpito"), named("Y", "Verotus")]);
    assert_eq!(found(&sent, &there).kinds(), [(Rekeyed, 2)], "the name tells them apart");
    let alike =
        [rows(&[named("A", "Kurssi"), named("B", "Kurssi")]), rows(&[named("X", "Kurssi"), named("Y", "Kurssi")])];
    assert_eq!(found(&alike[0], &alike[1]).kinds(), [(Missing, 2), (Unexpected, 2)], "nothing is guessed");
}

#[test]
fn case_20_names_without_language_in_several_and_with_spaces() {
    let named = |names: &str| rows(&[row("A", &[], "").replace("<Nimi kieli=\"fi\">Opinto A</Nimi>", names)]);
    let sent = named("<Nimi kieli=\"fi\">Opinto </Nimi><Nimi kieli=\"sv\">Opinto</Nimi>");
    let there = named("<Nimi kieli=\"sv\">Opinto</Nimi><Nimi kieli=\"fi\">Opinto</Nimi>");
    assert_eq!(found(&sent, &there).kinds(), []);
    assert_eq!(found(&sent, &named("<Nimi>Opinto</Nimi>")).kinds(), [(Differs, 1)], "which language it is counts");
}

#[test]
fn case_21_what_has_no_name_is_not_recognised_under_another_key() {
    let unnamed = |key: &str| {
        let name = format!("<Nimi kieli=\"fi\">Opinto {key}</Nimi>");
        rows(&[row(key, &[], "").replace(&name, "<Kieli>20</Kieli>")])
    };
    assert_eq!(found(&unnamed("A"), &unnamed("A")).kinds(), []);
    assert_eq!(found(&unnamed("A"), &unnamed("B")).kinds(), [(Missing, 1), (Unexpected, 1)]);
}

#[test]
fn case_22_recognised_credit_and_its_origin_are_no_duplicates() {
    let Some(abroad) = real_records("090992-3237.xml") else { return };
    assert_eq!(found(&abroad, &abroad).kinds(), []);
    let source = "<Organisaatio><Rooli>3</Rooli><Koodi>10065</Koodi></Organisaatio>";
    let sent = rows(&[row("HOME", &[], source).replace("Opinto HOME", "Merioikeus")]);
    let host = row("HOST", &[], "").replace("10122", "10065").replace("Opinto HOST", "Merioikeus");
    let there: Vec<Record> = sent.iter().chain(rows(std::slice::from_ref(&host)).iter().skip(1)).cloned().collect();
    let linked = found(&sent, &there);
    assert_eq!((linked.kinds(), linked.origins), (vec![], 1), "it is the host's own record");
    let stranger = host.replace("2020-05-14", "2020-05-15");
    let there: Vec<Record> = sent.iter().chain(rows(&[stranger]).iter().skip(1)).cloned().collect();
    assert_eq!(found(&sent, &there).kinds(), [(Unexpected, 1)], "another day is another attainment");
}

#[test]
fn case_23_an_end_that_means_never_and_states_in_any_order() {
    let (first, second) = (("2019-08-01", "2019-12-31", "1"), ("2020-01-01", "2112-12-21", "4"));
    let sent = decode(&document(&right("<LoppuPvm>2112-12-21</LoppuPvm>", &[first, second], ""), &[row("A", &[], "")]));
    let there = decode(&document(&right("", &[second, first], ""), &[row("A", &[], "")]));
    assert_eq!(found(&sent, &there).kinds(), []);
    let ended =
        decode(&document(&right("<LoppuPvm>2022-07-31</LoppuPvm>", &[first, second], ""), &[row("A", &[], "")]));
    assert_eq!(found(&sent, &ended).only().map(|(kind, _)| kind), Some(Differs));
}

#[test]
fn case_24_a_study_right_granted_abroad_without_a_phase() {
    let abroad = right("", &[("2019-08-01", "2020-07-31", "1")], "").replace("10122", "UK");
    let sent = decode(&document(&abroad, &[row("A", &[], "")]));
    assert_eq!(found(&sent, &sent).kinds(), []);
    let found = found(&sent, &without(&sent, |r| r.head.key.kind == RecordKind::StudyRight));
    assert_eq!((found.kinds(), found.own[0].key.institution.as_str()), (vec![(Missing, 1)], "UK"));
}

#[test]
fn case_25_registrations_without_a_key_of_their_own() {
    let registration = |start: &str, right: &str| {
        format!(
            "<LukukausiIlmoittautuminen opiskelijaAvain=\"S1\"{right}><Tila>1</Tila><Myontaja>10122</Myontaja>\
             <IlmoittautumisPvm>2020-01-01</IlmoittautumisPvm><AlkuPvm>{start}</AlkuPvm></LukukausiIlmoittautuminen>"
        )
    };
    let registered = |registrations: &[String]| {
        let list = format!("<LukukausiIlmoittautumiset>{}</LukukausiIlmoittautumiset>", registrations.concat());
        decode(&document("", &[row("A", &[], "")]).replace("<Opintosuoritukset>", &(list + "<Opintosuoritukset>")))
    };
    let (spring, autumn) = (registration("2020-01-01", ""), registration("2020-08-01", " opiskeluoikeusAvain=\"X\""));
    let sent = registered(&[spring.clone(), autumn.clone()]);
    assert_eq!(found(&sent, &registered(&[autumn, spring.clone()])).kinds(), []);
    let found = found(&sent, &registered(&[spring]));
    assert_eq!((found.kinds(), found.own[0].key.kind), (vec![(Missing, 1)], RecordKind::Enrolment));
}

#[test]
fn case_26_keys_of_any_characters() {
    let Some(sent) = real_records("270680-459P.xml") else { return };
    let odd = |r: &Record| r.head.key.kind == RecordKind::Attainment && r.head.key.id.contains('¤');
    let one = sent.iter().find(|r| odd(r)).expect("a key with an odd character").head.key.clone();
    let found = found(&sent, &without(&sent, |r| r.head.key == one));
    assert_eq!((found.kinds(), found.ids()), (vec![(Missing, 1)], vec![one.id.as_str()]));
}

#[test]
fn case_27_a_relation_to_a_study_right_that_is_not_told() {
    let related = |to: &str| {
        let relation = format!("<Liittyvyys liittyvaOpiskeluoikeusAvain=\"{to}\"/>");
        decode(&document(&right("", &[("2019-08-01", "2020-07-31", "6")], &relation), &[row("A", &[], "")]))
    };
    assert_eq!(found(&related("ELSEWHERE"), &related("ELSEWHERE")).kinds(), []);
    assert_eq!(found(&related("ELSEWHERE"), &related("OTHER")).only().map(|(kind, _)| kind), Some(Differs));
}

#[test]
fn case_28_the_same_module_attained_again_years_later() {
    let module = |key: &str, day: &str| {
        row(key, &[], "").replace("2020-05-14", day).replace(&format!("Opinto {key}"), "Moduuli")
    };
    let sent = rows(&[module("3651088", "2009-05-14"), module("3683921", "2017-05-14")]);
    assert_eq!(found(&sent, &sent).kinds(), [], "two attainments, not one twice");
    let there = rows(&[module("3651088", "2009-05-14"), module("NEW", "2017-05-14")]);
    let found = found(&sent, &there);
    assert_eq!((found.kinds(), found.ids()), (vec![(Rekeyed, 1)], vec!["3683921"]), "the day tells which");
    if let Some(cases) = shared_dir("cases") {
        let path = cases.join("virta/csc_examples/Virta_5_opiskelijan_esim.xml");
        let real = decode(&std::fs::read_to_string(path).expect("a document"));
        assert_eq!(found_in(&real, &real, true).own.iter().filter(|f| f.kind != OrphanPart).count(), 0);
    }
}

#[test]
fn case_29_a_key_that_stands_under_another_person() {
    let sent = rows(&[row("A", &[], "")]);
    let mut there = sent.clone();
    there[1].head.learner = "S2".into();
    assert_eq!(found(&sent, &there).only(), Some((Differs, Some("/learner"))));
}

#[test]
fn case_30_parts_in_a_circle() {
    let circle = [row("A", &["B"], ""), row("B", &["A"], ""), row("SELF", &["SELF"], "")];
    let sent = rows(&circle);
    assert_eq!(found(&sent, &sent).kinds(), []);
    let found = found(&sent, &without(&sent, |r| r.head.key.id == "A"));
    assert_eq!((found.kinds(), found.implied), (vec![(Missing, 1)], 1));
}

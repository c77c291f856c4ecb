//! Every kind of finding, and what is none.

use super::*;
use crate::ledger::{DebtState, LearnerId, RecordId};
use crate::reconcile::item::single;
use silta_adapter::mapping::Mappings;
use silta_adapter::record::{Attainment, Coded, Credits, Learner, Part, Text};

const SETTLE: Micros = 100;
const NOW: Micros = 1_000;

fn mappings() -> Mappings {
    let mut mappings = Mappings::default();
    let text = "[[institution]]\ncode = 'old'\nname.fi = 'V'\ncountry = 'FI'\nsuccessor = 'new'\n\
                [[institution]]\ncode = 'new'\nname.fi = 'U'\ncountry = 'FI'\n";
    mappings.read("institutions.toml", text).expect("institutions");
    mappings
}

fn course(institution: &str, id: &str, ects: &str, parts: &[&str]) -> Record {
    let key = RecordKey {
        tenant: "t".into(),
        source: "sis".into(),
        kind: RecordKind::Attainment,
        institution: institution.into(),
        id: id.into(),
    };
    let body = Attainment {
        title: vec![Text::new("fi", format!("Kurssi {}", id.trim_start_matches("new-")))].into(),
        completed_on: "2026-05-12".parse().ok(),
        credits: Some(Credits { ects: ects.parse().ok(), credit_weeks: None }),
        awarding_body: Some(Coded::new("virta:organisaatio", institution)),
        parts: parts.iter().map(|p| Part { id: (*p).into(), ects: None }).collect(),
        ..Attainment::default()
    };
    Record::current(key, "L1", Body::Attainment(Box::new(body)))
}

fn learner(name: Option<&str>) -> Record {
    let key = RecordKey {
        tenant: "t".into(),
        source: "sis".into(),
        kind: RecordKind::Learner,
        institution: "".into(),
        id: "L1".into(),
    };
    Record::current(
        key,
        "L1",
        Body::Learner(Box::new(Learner { family_name: name.map(Into::into), ..Learner::default() })),
    )
}

fn alone(record: &Record) -> Item {
    Item { root: record.clone(), others: Vec::new() }
}

fn expected(n: u8, key: &Record, sent: Option<Record>) -> Expected {
    Expected {
        holding: Holding {
            debt: n.into(),
            item: RecordId([n; 16]),
            learner: LearnerId([1; 16]),
            rank: 3,
            kind: key.head.key.kind,
            state: DebtState::Confirmed,
            generation: 1,
            wanted: Some(if sent.is_some() { Wanted::Present } else { Wanted::Absent }),
            wanted_content: None,
            sent_content: None,
            confirmed_content: None,
            sent_at: Some(0),
        },
        key: key.head.key.clone(),
        sent: sent.as_ref().map(alone),
        confirmed: None,
        lost: None,
    }
}

fn there(record: &Record) -> Expected {
    expected(1, record, Some(record.clone()))
}

/// The kinds found, with the paths that differ.
fn kinds(expected: &[Expected], found: &[Record], complete: bool) -> Vec<(FindingKind, Vec<String>)> {
    let mappings = mappings();
    let terms = Terms {
        now: NOW,
        settle: SETTLE,
        complete,
        institutions: &mappings.institutions,
        withheld: &[(RecordKind::Learner, "/body/family_name")],
        person: &[],
    };
    let comparison = compare(expected, &single(found), terms);
    let paths = |f: &Finding| f.evidence.fields.iter().map(|d| d.path.clone()).collect();
    comparison.findings.iter().map(|f| (f.kind, paths(f))).collect()
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn what_is_as_it_should_be_is_no_finding() {
    let record = course("new", "A", "5", &[]);
    assert_eq!(kinds(&[there(&record)], &[course("new", "A", "5.000", &[])], true), []);
    assert_eq!(kinds(&[expected(1, &record, None)], &[], true), [], "taken back and gone");
    assert_eq!(kinds(&[there(&course("old", "A", "5", &[]))], &[record], true), [], "a merged institution");
    assert_eq!(kinds(&[there(&learner(Some("Malli")))], &[learner(None)], true), [], "the name is withheld");
}

#[test]
fn each_difference_has_its_kind() {
    use FindingKind::{Differs, Duplicate, Missing, Rekeyed, Stale, Unexpected};
    let (a, changed) = (course("new", "A", "5", &[]), course("new", "A", "3", &[]));
    assert_eq!(kinds(&[there(&a)], &[], true), [(Missing, none())]);
    assert_eq!(kinds(&[there(&a)], &[], false), [], "absence counts only if the answer is everything");
    assert_eq!(
        kinds(&[there(&a)], std::slice::from_ref(&changed), false),
        [(Differs, vec!["/body/credits/ects".into()])]
    );
    let before = Expected { confirmed: Some(alone(&changed)), ..there(&a) };
    assert_eq!(kinds(&[before], std::slice::from_ref(&changed), true), [(Stale, vec!["/body/credits/ects".into()])]);
    assert_eq!(
        kinds(&[there(&a)], &[a.clone(), changed], true),
        [(Duplicate, vec!["/body/credits/ects".into()])],
        "what the repetition says otherwise"
    );
    assert_eq!(kinds(&[expected(1, &a, None)], std::slice::from_ref(&a), true), [(Unexpected, none())]);
    assert_eq!(kinds(&[], std::slice::from_ref(&a), true), [(Unexpected, none())], "never ours");
    assert_eq!(kinds(&[there(&a)], &[course("new", "new-A", "5", &[])], true), [(Rekeyed, none())]);
}

#[test]
fn several_learners_are_one_person_and_each_misses_her_own() {
    let (a, b) = (course("new", "A", "5", &[]), course("new", "B", "3", &[]));
    let second = |mut item: Expected| {
        item.holding.learner = LearnerId([2; 16]);
        item
    };
    let under = |name: &str, record: &Record| {
        let mut record = record.clone();
        record.head.learner = name.into();
        record
    };
    let mut two = under("L2", &learner(None));
    two.head.key.id = "L2".into();
    let items = [there(&learner(None)), there(&a), second(there(&two)), second(expected(4, &b, Some(under("L2", &b))))];
    let mappings = mappings();
    let names: [SmolStr; 2] = ["L1".into(), "L2".into()];
    let terms = |person| Terms {
        now: NOW,
        settle: SETTLE,
        complete: true,
        institutions: &mappings.institutions,
        withheld: &[],
        person,
    };
    let moved = [learner(None), two.clone(), under("L2", &a), b.clone()];
    let compared = compare(&items, &single(&moved), terms(&names));
    assert_eq!((compared.findings.len(), compared.agreed.len()), (0, 4), "{compared:?}");
    let apart = compare(&items, &single(&moved), terms(&names[..1]));
    let kinds: Vec<_> = apart.findings.iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [FindingKind::Differs, FindingKind::Differs], "to others it matters whose it is");
    let gone = compare(&items, &[], terms(&names));
    let implied: Vec<_> = gone.findings.iter().map(|f| f.implied_by).collect();
    assert_eq!(implied, [None, Some(0), None, Some(2)]);
}

#[test]
fn an_item_is_compared_with_all_it_is_composed_of() {
    let (a, part) = (course("new", "A", "5", &["P"]), course("new", "P", "2", &[]));
    let (taina, testi) = (learner(Some("Malli")), learner(None));
    let ours = Expected {
        sent: Some(Item { root: a.clone(), others: vec![taina.clone(), part.clone()] }),
        ..expected(1, &a, None)
    };
    // The part and the learner are no items, and nothing is missed of them.
    let items = [ours, expected(2, &part, None), expected(3, &taina, None)];
    let mappings = mappings();
    let terms = Terms {
        now: NOW,
        settle: SETTLE,
        complete: true,
        institutions: &mappings.institutions,
        withheld: &[(RecordKind::Learner, "/body/family_name")],
        person: &[],
    };
    let compared = |others: Vec<&Record>| compare(&items, &[Found { root: &a, others }], terms);
    let there = compared(vec![&part, &testi]);
    assert_eq!(
        (there.findings.len(), there.agreed.as_slice()),
        (0, [0, 1, 2].as_slice()),
        "in any order, names withheld"
    );
    let kinds = |comparison: Comparison| {
        let paths = |f: &Finding| f.evidence.fields.iter().map(|d| d.path.clone()).collect::<Vec<_>>();
        comparison.findings.iter().map(|f| (f.expected, f.kind, paths(f))).collect::<Vec<_>>()
    };
    let changed = course("new", "P", "3", &[]);
    let path = "/with/attainment:new:P/body/credits/ects".to_owned();
    assert_eq!(kinds(compared(vec![&changed, &testi])), [(Some(0), FindingKind::Differs, vec![path])]);
    let path = "/with/attainment:new:P".to_owned();
    assert_eq!(kinds(compared(vec![&testi])), [(Some(0), FindingKind::Differs, vec![path])]);
    let strange = course("new", "X", "3", &[]);
    let path = "/with/attainment:new:X".to_owned();
    assert_eq!(kinds(compared(vec![&part, &testi, &strange])), [(Some(0), FindingKind::Differs, vec![path])]);
    let alone = [Found { root: &a, others: vec![&part, &testi] }, Found::alone(&part)];
    assert_eq!(
        kinds(compare(&items, &alone, terms)),
        [(Some(1), FindingKind::Unexpected, none())],
        "a part that stands alone"
    );
}

#[test]
fn an_ambiguous_new_key_is_not_guessed() {
    let a = course("new", "A", "5", &[]);
    let twin = Record { head: course("new", "new-new-A", "5", &[]).head, ..course("new", "new-A", "5", &[]) };
    let mut found = kinds(&[there(&a)], &[course("new", "new-A", "5", &[]), twin], true);
    found.sort_by_key(|(kind, _)| *kind);
    assert_eq!(
        found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
        [FindingKind::Missing, FindingKind::Unexpected, FindingKind::Unexpected]
    );
}

#[test]
fn what_is_under_way_is_settling() {
    let a = course("new", "A", "5", &[]);
    let mut recent = there(&a);
    recent.holding.sent_at = Some(NOW - SETTLE + 1);
    let mut owed = there(&a);
    owed.holding.state = DebtState::Owed;
    for item in [recent, owed] {
        assert_eq!(kinds(std::slice::from_ref(&item), &[], true), [(FindingKind::Settling, none())]);
        let other = kinds(&[item], &[course("new", "A", "4", &[])], true);
        assert_eq!(other[0].0, FindingKind::Settling);
    }
}

#[test]
fn what_follows_from_another_finding_is_attached_to_it() {
    let (whole, part) = (course("new", "W", "5", &["P"]), course("new", "P", "5", &[]));
    let items =
        [there(&learner(None)), expected(2, &whole, Some(whole.clone())), expected(3, &part, Some(part.clone()))];
    let mappings = mappings();
    let terms = Terms {
        now: NOW,
        settle: SETTLE,
        complete: true,
        institutions: &mappings.institutions,
        withheld: &[],
        person: &[],
    };
    let orphan = compare(&items, &single(&[learner(None), whole]), terms);
    let kinds: Vec<_> = orphan.findings.iter().map(|f| (f.kind, f.implied_by)).collect();
    assert_eq!(kinds, [(FindingKind::OrphanPart, Some(2)), (FindingKind::Missing, None)]);
    let gone = compare(&items, &[], terms);
    let kinds: Vec<_> = gone.findings.iter().map(|f| (f.kind, f.implied_by)).collect();
    assert_eq!(kinds, [(FindingKind::Missing, None), (FindingKind::Missing, Some(0)), (FindingKind::Missing, Some(0))]);
}

#[test]
fn what_a_register_sent_under_both_names_of_an_institution_is_two_items() {
    let (old, new) = (course("old", "A", "5", &[]), course("new", "A", "5", &[]));
    let both = [there(&old), expected(2, &new, Some(new.clone()))];
    assert_eq!(kinds(&both, &[new.clone(), old.clone()], true), []);
    assert_eq!(kinds(&both, std::slice::from_ref(&new), true), [(FindingKind::Missing, none())]);
    assert_eq!(kinds(&[there(&new)], &[old, new.clone()], true)[0].0, FindingKind::Duplicate, "sent once, there twice");
}

#[test]
fn a_lost_answer_is_settled_by_what_is_there_once_it_had_time_to_show() {
    let (a, other) = (course("02469", "A", "5", &[]), course("02469", "A", "4", &[]));
    let mappings = mappings();
    let terms = |complete| Terms {
        now: NOW,
        settle: SETTLE,
        complete,
        institutions: &mappings.institutions,
        withheld: &[],
        person: &[],
    };
    let lost = |wanted: Option<&Record>, tried| Expected {
        lost: Some(Lost { wanted: wanted.map(alone), tried: Some(tried) }),
        ..expected(1, &a, None)
    };
    let settled = |item: &Expected, found: &[Record], complete| {
        let comparison = compare(std::slice::from_ref(item), &single(found), terms(complete));
        let settling = comparison.findings.iter().filter(|one| one.kind == FindingKind::Settling).count();
        assert_eq!(comparison.findings.len(), settling, "it is no difference");
        assert_eq!(comparison.arrived.len() + settling, 1);
        comparison.arrived.first().map(|(_, arrived)| *arrived)
    };
    let (early, late) = (NOW, NOW - SETTLE);
    let there = [a.clone()];
    assert_eq!(settled(&lost(Some(&a), early), &there, true), Some(true), "it is there");
    assert_eq!(settled(&lost(Some(&a), early), &[], true), None, "it may come yet");
    assert_eq!(settled(&lost(Some(&a), late), &[], true), Some(false));
    assert_eq!(settled(&lost(Some(&a), late), &[], false), None, "the answer is not everything");
    assert_eq!(settled(&lost(Some(&other), late), &there, true), Some(false), "an older version is there");
    assert_eq!(settled(&lost(None, early), &[], true), Some(true), "it is taken back");
    assert_eq!(settled(&lost(None, early), &there, true), None);
    assert_eq!(settled(&lost(None, late), &there, true), Some(false));
}

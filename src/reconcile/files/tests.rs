//! Two documents of a few lines, and what is told of them.

use super::*;
use crate::registry;
use proptest::prelude::*;
use silta_adapter::adapter::{DecodeContext, Limits};
use silta_adapter::mapping::Mappings;
use std::collections::BTreeMap;
use std::sync::LazyLock;

fn kept(document: &str) -> Result<Kept, NotKept> {
    let registry = registry::adapters();
    let decoder = registry.get("record").and_then(|adapter| adapter.decoder()).expect("a decoder");
    let ctx = DecodeContext { tenant: "".into(), source: "".into(), limits: Limits::default() };
    Kept::read(decoder, &mut document.as_bytes(), &ctx)
}

fn compared(expected: &str, found: &str, repeats: bool) -> Vec<Finding> {
    static MAPPINGS: LazyLock<Mappings> = LazyLock::new(|| registry::mappings(None).expect("mappings"));
    let mut told = Vec::new();
    let mut tell = |finding| {
        told.push(finding);
        Ok(())
    };
    let (expected, found) = (kept(expected).expect("reads"), kept(found).expect("reads"));
    compare(&expected, &found, repeats, &MAPPINGS.institutions, &mut tell).expect("compares");
    told.sort_by(|a, b| (a.kind, &a.key).cmp(&(b.kind, &b.key)));
    told
}

/// Kinds and ids, with the paths that differ.
fn told(expected: &str, found: &str) -> Vec<(FindingKind, String, Vec<String>)> {
    let paths = |f: &Finding| f.fields.iter().map(|field| field.path.clone()).collect();
    compared(expected, found, false).iter().map(|f| (f.kind, f.key.id.to_string(), paths(f))).collect()
}

fn course(institution: &str, id: &str, title: &str, ects: &str) -> String {
    let record = json!({
        "kind": "attainment", "tenant": "t", "source": "sis", "institution": institution, "id": id, "learner": "L1",
        "body": {"title": [{"lang": "fi", "value": title}], "completed_on": "2026-05-12", "credits": {"ects": ects}},
    });
    record.to_string() + "\n"
}

fn no() -> Vec<String> {
    Vec::new()
}

#[test]
fn what_means_the_same_in_any_order_is_no_difference() {
    let learner = r#"{"kind":"learner","id":"L1","learner":"L1","body":{}}"#.to_owned() + "\n";
    let expected = course("10122", "A", "Kurssi", "5") + &course("10122", "B", "Kurssi", "5") + &learner;
    let found = learner + &course("10122", "B", " Kurssi ", "5.0") + &course("10122", "A", "Kurssi", "5.000");
    assert_eq!(told(&expected, &found), []);
    assert_eq!(told("", ""), []);
}

#[test]
fn each_difference_has_its_kind() {
    use FindingKind::{Differs, Missing, Unexpected};
    let a = course("10122", "A", "Kurssi A", "5");
    let (b, c) = (course("10122", "B", "Kurssi B", "5"), course("10122", "C", "Kurssi C", "5"));
    let found = course("10122", "A", "Kurssi A", "4") + &c;
    let id = str::to_owned;
    assert_eq!(
        told(&(a.clone() + &b), &found),
        [
            (Missing, id("B"), no()),
            (Unexpected, id("C"), no()),
            (Differs, id("A"), vec!["/body/credits/ects".to_owned()])
        ]
    );
    let differs = &compared(&a, &course("10122", "A", "Kurssi A", "4"), false)[0];
    assert_eq!(
        serde_json::to_value(differs).expect("JSON"),
        json!({
            "kind": "differs",
            "key": {"tenant": "t", "source": "sis", "kind": "attainment", "institution": "10122", "id": "A"},
            "fields": [{"path": "/body/credits/ects", "expected": "5", "found": "4"}],
        })
    );
    let gone = a.replace(r#""learner":"L1""#, r#""learner":"L1","state":"deleted""#);
    assert_eq!(told(&a, &gone), [(Differs, id("A"), vec!["/state".to_owned()])]);
}

#[test]
fn a_key_that_is_there_twice_is_told_where_and_how_often() {
    let (a, other) = (course("10122", "A", "Kurssi", "5"), course("10122", "A", "Kurssi", "4"));
    let twice = a.clone() + &a;
    let one = |f: &Finding| (f.kind, f.side, f.times, f.fields.len());
    let all = |expected: &str, found: &str| compared(expected, found, false).iter().map(one).collect::<Vec<_>>();
    use FindingKind::{Differs, Duplicate, Missing};
    use Side::{Expected, Found};
    assert_eq!(all(&a, &twice), [(Duplicate, Some(Found), Some(2), 0)]);
    assert_eq!(all(&twice, &a), [(Duplicate, Some(Expected), Some(2), 0)]);
    assert_eq!(all(&twice, &twice), [(Duplicate, Some(Expected), Some(2), 0), (Duplicate, Some(Found), Some(2), 0)]);
    assert_eq!(all(&a, &(other.clone() + &a)), [(Duplicate, Some(Found), Some(2), 1)], "what the repetition says");
    assert_eq!(
        all(&a, &(other.clone() + &other)),
        [(Differs, None, None, 1), (Duplicate, Some(Found), Some(2), 0)],
        "the difference is told once"
    );
    assert_eq!(all(&twice, ""), [(Missing, None, None, 0), (Duplicate, Some(Expected), Some(2), 0)]);
    assert_eq!(compared(&a, &twice, true), [], "a format that repeats what it shares");
    assert_eq!(compared(&a, &(a.clone() + &other), true).len(), 1, "but not with other content");
}

#[test]
fn the_same_learning_under_another_key_is_rekeyed_if_only_one_can_be_meant() {
    use FindingKind::{Missing, Rekeyed, Unexpected};
    // 02470 became part of 10126.
    let (old, new) = (course("02470", "A", "Kurssi", "5"), course("10126", "N", "Kurssi", "5"));
    let rekeyed = &compared(&old, &new, false)[..];
    assert_eq!(rekeyed.iter().map(|f| f.kind).collect::<Vec<_>>(), [Rekeyed]);
    assert_eq!(rekeyed[0].other.as_ref().map(|k| (k.institution.as_str(), k.id.as_str())), Some(("10126", "N")));
    let paths: Vec<_> = rekeyed[0].fields.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["/id", "/institution"]);
    let kinds = |expected: &str, found: &str| told(expected, found).iter().map(|f| f.0).collect::<Vec<_>>();
    let twin = course("10126", "M", "Kurssi", "5");
    assert_eq!(kinds(&old, &(new.clone() + &twin)), [Missing, Unexpected, Unexpected], "two could be meant");
    assert_eq!(kinds(&old, &course("10126", "N", "Kurssi", "4")), [Missing, Unexpected], "other credits");
    let someone_else = new.replace("\"L1\"", "\"L2\"");
    assert_eq!(kinds(&old, &someone_else), [Missing, Unexpected], "whose it is counts");
}

#[test]
fn what_was_taken_back_is_not_there() {
    let a = course("10122", "A", "Kurssi", "5");
    let gone = |state: &str, credits: &str| {
        course("10122", "A", "Kurssi", credits)
            .replace(r#""learner":"L1""#, &format!(r#""learner":"L1","state":"{state}""#))
    };
    let state = |expected: &str, found: &str| told(expected, found).into_iter().map(|f| (f.0, f.2)).collect::<Vec<_>>();
    use FindingKind::Differs;
    assert_eq!(state(&gone("deleted", "5"), ""), []);
    assert_eq!(state("", &gone("deleted", "5")), []);
    assert_eq!(state(&gone("deleted", "5"), &gone("deleted", "4")), []);
    assert_eq!(state(&gone("deleted", "4"), &a), [(Differs, vec!["/state".to_owned()])]);
}

#[test]
fn of_what_is_said_again_the_last_counts_and_of_what_is_not_taken_nothing_is_known() {
    let (a, b) = (course("10122", "A", "Kurssi", "5"), course("10122", "A", "Kurssi", "4"));
    let registry = registry::adapters();
    let decoder = registry.get("record").and_then(|adapter| adapter.decoder()).expect("a decoder");
    let ctx = DecodeContext { tenant: "".into(), source: "".into(), limits: Limits::default() };
    let mut keeping = Keeping::new().expect("files");
    for page in [&a, &b] {
        keeping.read(decoder, &mut page.as_bytes(), &ctx).expect("a page");
    }
    let newest = keeping.newest().expect("kept");
    assert_eq!((newest.records, newest.kinds.len()), (2, 1));
    let mappings = registry::mappings(None).expect("mappings");
    let mut told = 0;
    compare(&newest, &kept(&b).expect("reads"), true, &mappings.institutions, &mut |_| {
        told += 1;
        Ok(())
    })
    .expect("compares");
    assert_eq!(told, 0);
}

#[test]
fn from_half_a_document_nothing_follows() {
    let a = course("10122", "A", "Kurssi", "5");
    let lost = |document: &str| kept(document).map(|_| ()).expect_err("not taken").to_string();
    assert!(lost(&(a.clone() + &a[..a.len() / 2])).contains("line 2"));
    assert!(lost(&(a.clone() + "{}\n")).contains("line 2"));
    assert!(lost("no JSON").contains("line 1"));
    let again = a.clone() + &course("10122", "A", "Kurssi", "4");
    assert_eq!(kept(&again).expect("a key that is there twice is no loss").problems.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Whatever two documents hold, what is told is what a plain comparison of two maps says.
    #[test]
    fn it_is_the_comparison_of_two_maps(
        expected in proptest::collection::vec((0u8..30, 0u8..3), 0..40),
        found in proptest::collection::vec((0u8..30, 0u8..3), 0..40),
    ) {
        let document = |rows: &[(u8, u8)]| -> String {
            // Names as unlike as keys, so that none is taken for another.
            rows.iter().map(|(id, ects)| course("10122", &id.to_string(), &id.to_string(), &ects.to_string())).collect()
        };
        let held = |rows: &[(u8, u8)]| {
            let mut held: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
            rows.iter().for_each(|(id, ects)| held.entry(*id).or_default().push(*ects));
            held
        };
        let (ours, theirs) = (held(&expected), held(&found));
        let mut plain: BTreeMap<&str, usize> = BTreeMap::new();
        for id in 0..30 {
            let (ours, theirs) = (ours.get(&id), theirs.get(&id));
            let kind = match (ours, theirs) {
                (Some(_), None) => Some("missing"),
                (None, Some(_)) => Some("unexpected"),
                (Some(ours), Some(theirs)) if !ours.iter().any(|one| theirs.contains(one)) => Some("differs"),
                _ => None,
            };
            let repeated = [ours, theirs].into_iter().flatten().filter(|held| held.len() > 1).map(|_| "duplicate");
            kind.into_iter().chain(repeated).for_each(|kind| *plain.entry(kind).or_default() += 1);
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for finding in compared(&document(&expected), &document(&found), false) {
            *counts.entry(finding.kind.name()).or_default() += 1;
        }
        prop_assert_eq!(counts, plain);
    }
}

//! The conformance kit on the record format: it refuses nothing and loses nothing.

use silta_adapter::conformance::{
    Hostile, Outcome, Vocabulary, assert_bounded, assert_law, assert_robust, check_reading,
};
use silta_adapter::mapping::Mappings;
use silta_record::SiltaRecord;

const LINES: &[u8] = br#"{"kind":"learner","id":"L1","learner":"L1","body":{"family_name":"Esimerkki"}}
{"kind":"attainment","id":"A1","learner":"L1","body":{"title":[{"lang":"fi","value":"\u00e4 \\ \"x\""}],"credits":{"ects":"2.50"},"parts":[{"id":"A2"}]}}
{"kind":"attainment","id":"A2","learner":"L1","state":"misregistered"}
"#;

const ARRAY: &[u8] = br#"[
  {"kind": "activity", "id": "B1", "learner": "L1", "body": {"title": [{"value": "] } \" ,"}]}},
  {"kind": "activity", "id": "B2", "learner": "L1", "body": {"extensions": {"x": {"y": [1, null]}}}}
]"#;

const PRETTY: &[u8] = b"{\n  \"kind\": \"activity\",\n  \"id\": \"B1\",\n  \"learner\": \"L1\",\n  \"body\": {}\n}\n";

#[test]
fn every_record_is_held_exactly() {
    let vocabulary = Vocabulary { tombstones: 0.2, tangles: 0.3, ..Vocabulary::default() };
    let outcome = assert_law(&SiltaRecord, &Mappings::default(), &vocabulary, 128, 0.0);
    assert!(outcome.items > 500, "{outcome:?}");
    assert_eq!((outcome.refused, outcome.losses), (0, 0));
}

#[test]
fn what_was_read_is_written_back_in_its_form() {
    for (document, items) in [(LINES, 3), (ARRAY, 2), (PRETTY, 1)] {
        let outcome = check_reading(&SiltaRecord, &Mappings::default(), document).expect("L5 holds");
        assert_eq!(outcome, Outcome { items, refused: 0, losses: 0 });
    }
}

#[test]
fn bad_bytes_do_no_harm() {
    assert_robust(&SiltaRecord, &[LINES, ARRAY, PRETTY]);
}

fn activity(title: &str) -> String {
    format!(r#"{{"kind":"activity","id":"B","learner":"L","body":{{"title":[{{"value":"{title}"}}]}}}}"#)
}

#[test]
fn bounds_are_kept_in_lines_and_in_documents() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(nested(2) == "[[]]");
    assert_bounded(
        &SiltaRecord,
        &Hostile {
            document: LINES,
            deep: |depth| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).into(),
            long: |bytes| activity(&"x".repeat(bytes)).into(),
        },
    );
    assert_bounded(
        &SiltaRecord,
        &Hostile {
            document: ARRAY,
            deep: |depth| format!("[5,{}{}]", "[".repeat(depth), "]".repeat(depth)).into(),
            long: |bytes| format!("[{}]", activity(&"x".repeat(bytes))).into(),
        },
    );
    assert_bounded(
        &SiltaRecord,
        &Hostile {
            document: PRETTY,
            deep: |depth| "{\n\"x\":".repeat(depth).into(),
            long: |bytes| format!("{{\n{}", &activity(&"x".repeat(bytes))[1..]).into(),
        },
    );
}

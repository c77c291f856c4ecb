//! Sisu's documents, as given.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

use contract_tests::shared_dir;
use silta_adapter::adapter::{Adapter, DecodeContext, Decoded, Limits, Reading};
use silta_adapter::conformance::{assert_robust, check_reading};
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::Problem;
use silta_adapter::record::{Body, Record, State};
use silta_sisu::Sisu;

fn read(document: &[u8]) -> (Vec<Record>, Vec<Problem>, Reading) {
    let ctx = DecodeContext { tenant: "10088".into(), source: "sisu".into(), limits: Limits::default() };
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let mut sink = |found| {
        match found {
            Decoded::Record(record, _) => records.push(*record),
            Decoded::Problem(problem) => problems.push(problem),
        }
        Ok(())
    };
    let reading = Sisu.decoder().expect("decodes").decode(&mut &document[..], &ctx, &mut sink).expect("reads");
    (records, problems, reading)
}

fn case(name: &str) -> Option<Vec<u8>> {
    Some(std::fs::read(shared_dir("cases")?.join("sis/sisu").join(name)).expect("a case"))
}

#[test]
fn an_export_page_says_what_stands_and_what_was_taken_back() {
    let Some(page) = case("self-export-page.json") else { return };
    let (records, problems, reading) = read(&page);
    assert!(problems.is_empty(), "{problems:?}");
    assert!(reading.unread.is_empty(), "{:?}", reading.unread);
    let states: Vec<_> =
        records.iter().map(|r| (r.head.key.id.as_str(), r.head.state, r.head.source_revision.unwrap_or(0))).collect();
    assert_eq!(
        states,
        [
            ("hy-opinto-900011", State::Current, 4_100_201),
            ("hy-opinto-900013", State::Misregistered, 4_100_205),
            ("hy-opinto-900014", State::Current, 4_100_206),
            ("hy-opinto-900015", State::Current, 4_100_207),
            ("hy-opinto-900016", State::Deleted, 4_100_209),
            ("hy-opinto-900012", State::Current, 4_100_210),
        ]
    );
    let body = |id: &str| match records.iter().find(|r| r.head.key.id == id).and_then(|r| r.body.as_ref()) {
        Some(Body::Attainment(a)) => a,
        _ => panic!("{id} is an attainment"),
    };
    let improved = body("hy-opinto-900012");
    assert_eq!(improved.grade.as_ref().expect("a grade").value, "5");
    assert_eq!(improved.parts[0].id, "hy-opinto-900011");
    let recognised = body("hy-opinto-900014");
    assert_eq!(recognised.recognised_on.expect("a day").to_string(), "2026-05-10");
    let shares: Vec<String> =
        recognised.organisations.iter().filter_map(|o| o.share).map(|share| share.to_string()).collect();
    assert_eq!(shares, ["0.333333", "0.333333", "0.333334"], "exact");
    assert_eq!(body("hy-opinto-900015").classifications[0].value, "FAILED");
}

#[test]
fn what_was_read_is_written_back() {
    let Some(page) = case("self-export-page.json") else { return };
    // Days to come are refused at the instant of the kit; a year earlier they have come.
    let page = String::from_utf8(page).expect("text").replace("2026-", "2024-");
    let outcome = check_reading(&Sisu, &Mappings::default(), page.as_bytes()).expect("L5 holds");
    assert_eq!((outcome.items, outcome.refused, outcome.losses), (4, 0, 0));
}

#[test]
fn an_empty_page_and_a_draft_hold_no_records_in_force() {
    let (Some(empty), Some(draft)) = (case("self-export-empty.json"), case("swagger-example-2021.json")) else {
        return;
    };
    let (records, problems, _) = read(&empty);
    assert!(records.is_empty() && problems.is_empty());
    let (records, problems, _) = read(&draft);
    assert_eq!((records.len(), records[0].head.state, records[0].body.is_some()), (1, State::Invalidated, false));
    assert!(problems.is_empty(), "{problems:?}");
    assert_robust(&Sisu, &[&draft]);
}

//! Checking our own credentials, within bounds.
#![expect(clippy::expect_used, reason = "a test ends with what broke it")]

use serde_json::{Value, json};
use silta_adapter::adapter::{Adapter, DecodeContext, Decoded, Encode, EncodeContext, Limits, Unreadable};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::Record;
use silta_adapter::validate::Report;
use silta_elm::Elm;
use std::sync::LazyLock;

static MAPPINGS: LazyLock<Mappings> = LazyLock::new(|| Mappings::builtin().expect("the built-in mappings read"));

/// A credential of our own, about a course with a grade.
fn credential() -> String {
    let line = json!({"kind": "attainment", "tenant": "t", "source": "s", "institution": "10122", "id": "A1", "learner": "L1",
        "body": {"title": [{"lang": "en", "value": "TITLE"}], "credits": {"ects": "5"}, "completed_on": "2025-05-14",
            "awarding_body": {"scheme": "virta:organisaatio", "value": "10122"},
            "grade": {"scale": {"code": {"scheme": "virta:arvosana", "value": "Viisiportainen"}}, "value": "4"}}});
    let record: Record = serde_json::from_value(line).expect("a record");
    let ctx = EncodeContext { mappings: &MAPPINGS, generation: 1, instant: jiff::Timestamp::UNIX_EPOCH };
    String::from_utf8(Elm.encode(&[record], ctx).expect("encodes").document).expect("UTF-8")
}

fn check(document: &[u8], profile: &str, limits: &Limits) -> Result<Vec<Report>, Unreadable> {
    let mut reports = Vec::new();
    let validator = Elm.validator().expect("validates");
    validator.validate(&mut &*document, profile, limits, &MAPPINGS, &mut |report, _| reports.push(report))?;
    Ok(reports)
}

#[test]
fn what_we_write_conforms_before_it_is_sealed() {
    let limits = Limits::default();
    let line = credential();
    let two = format!("{line}{line}");
    let reports = check(two.as_bytes(), "edc-upload", &limits).expect("readable");
    assert!(reports.len() == 2 && reports.iter().all(|r| r.conforms && r.official == Some(true)), "{reports:#?}");
    let sealed = json!({"payload": line, "signatures": [{}]}).to_string();
    let wrapped = format!("{{\"credential\":{},\"deliveryDetails\":{{}}}}", line.trim());
    for (document, at) in [(sealed, "/payload/"), (wrapped, "/credential/")] {
        let report = &check(document.as_bytes(), "edc", &limits).expect("readable")[0];
        let rules: Vec<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(rules, ["EuropeanDigitalCredential.issuer.node", "DisplayParameter.individualDisplay.min"]);
        assert!(report.findings.iter().all(|finding| finding.path.starts_with(at)), "{:#?}", report.findings);
    }
    assert!(check(line.as_bytes(), "edc-9", &limits).is_err(), "no such profile");
}

#[test]
fn size_and_depth_are_bounded() {
    let line = credential();
    let limits = Limits { record_bytes: line.len() + 2_000_000, ..Limits::default() };
    let long = |bytes: usize| line.replacen("TITLE", &"x".repeat(bytes), 1);
    assert!(check(long(1_300_000).as_bytes(), "edc", &limits).is_ok());
    let refused = |document: String| check(document.as_bytes(), "edc", &limits).expect_err("refused").to_string();
    assert!(refused(long(2_100_000)).contains("too_large"));
    let deep = line.replacen("\"TITLE\"", &["[".repeat(100), "]".repeat(100)].concat(), 1);
    assert!(refused(deep.clone()).contains("too_deep"));
    assert!(refused(json!({"payload": deep, "signatures": []}).to_string()).contains("too_deep"));
    // The same bounds where a credential becomes records.
    let decoded = |document: String| {
        let ctx = DecodeContext { tenant: "t".into(), source: "s".into(), limits };
        let mut records = 0;
        let mut sink = |found: Decoded| {
            records += usize::from(matches!(found, Decoded::Record(..)));
            Ok(())
        };
        let read = Elm.decoder().expect("decodes").decode(&mut document.as_bytes(), &ctx, &mut sink);
        read.map(|_| records).map_err(|e| e.to_string())
    };
    assert_eq!(decoded(long(1_300_000)), Ok(1));
    assert!(decoded(long(2_100_000)).is_err_and(|e| e.contains("too_large")));
    assert!(decoded(deep).is_err_and(|e| e.contains("too_deep")));
    // Nothing is read past the bound, however much there is.
    let endless = std::io::Read::chain(&b"{\"a\":"[..], std::io::repeat(b'['));
    let validator = Elm.validator().expect("validates");
    let read = validator.validate(&mut std::io::BufReader::new(endless), "edc", &limits, &MAPPINGS, &mut |_, _| {});
    assert!(read.is_err_and(|e| e.to_string().contains("too_deep")));
    let endless = std::io::Read::chain(&b"{\"a\":\""[..], std::io::repeat(b'x'));
    let read = validator.validate(&mut std::io::BufReader::new(endless), "edc", &limits, &MAPPINGS, &mut |_, _| {});
    assert!(read.is_err_and(|e| e.to_string().contains("too_large")));
}

#[test]
fn no_change_of_one_value_does_harm() {
    let document: Value = serde_json::from_str(&credential()).expect("JSON");
    let mut paths = vec![String::new()];
    let mut at = 0;
    while let Some(path) = paths.get(at).cloned() {
        at += 1;
        match document.pointer(&path) {
            Some(Value::Object(map)) => paths.extend(map.keys().map(|key| format!("{path}/{key}"))),
            Some(Value::Array(list)) => paths.extend((0..list.len()).map(|nth| format!("{path}/{nth}"))),
            _ => {}
        }
    }
    assert!(paths.len() > 100);
    let odd = [
        json!(null),
        json!([]),
        json!([[1]]),
        json!({}),
        json!("x"),
        json!(1.5),
        json!(true),
        json!({"id": 7, "type": {}}),
    ];
    for (nth, path) in paths.iter().enumerate().skip(1) {
        for value in odd.iter().skip(nth % 4).step_by(4) {
            let mut changed = document.clone();
            *changed.pointer_mut(path).expect("a place") = value.clone();
            let reports = check(changed.to_string().as_bytes(), "edc-upload", &Limits::default()).expect("readable");
            assert_eq!(reports.len(), 1);
        }
    }
}

//! The fidelity law, bad bytes and bounds.
#![expect(clippy::expect_used, reason = "a test ends with what broke it")]

use silta_adapter::adapter::{Encode, EncodeContext};
use silta_adapter::conformance::{Hostile, Vocabulary, assert_bounded, assert_law, assert_robust};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::{Body, Coded, Record, RecordKind};
use silta_elm::Elm;

const SNB: &str = "http://data.europa.eu/snb/";

fn vocabulary() -> Vocabulary {
    let list = |path: &str| format!("{SNB}{path}/25831c2");
    let value = |path: &str, code: &str| format!("{SNB}{path}/{code}");
    let mut vocabulary = Vocabulary {
        kinds: vec![RecordKind::Learner, RecordKind::Attainment, RecordKind::Activity],
        ..Vocabulary::default()
    };
    for (pattern, path, code) in [
        ("/attainment/achievement_type", "learning-opportunity", "74a4a268e8"),
        ("/attainment/eqf_level", "eqf", "6"),
        ("/attainment/nqf_levels/*", "qdr", "c_2d1fde14"),
        ("/attainment/learning_setting", "learning-setting", "6fd4685715"),
        ("/attainment/fields_of_study/*/field", "isced-f", "0613"),
        ("/attainment/assessments/*/assessment_type", "assessment", "6e6cb2cc78"),
        ("/attainment/assessments/*/supervision", "supervision-verification", "70be69aaf9"),
        ("/attainment/assessments/*/mode", "learning-assessment", "920fbb3cbe"),
        ("/attainment/quality_assurance/*/accreditation_type", "accreditation", "bb4618238e"),
        ("/*/modes/*", "learning-assessment", "920fbb3cbe"),
        ("/activity/activity_type", "learning-activity", "efff75e10a"),
    ] {
        vocabulary = vocabulary.codes(pattern, &list(path), &[&value(path, code)]);
    }
    vocabulary
        .codes("/*/language", "virta:kieli", &["fi", "sv", "en", "20"])
        .codes("/learner/citizenships/*", "virta:maa", &["246", "752", "999"])
        .codes("/attainment/quality_assurance/*/agent_country", "virta:maa", &["246", "752"])
        .sometimes("/attainment/quality_assurance/*/*", 0.8)
        .codes("/attainment/category", "virta:opintosuorituslaji", &["1", "2", "3", "4"])
        .codes(
            "/attainment/learning_outcomes/*/skills/*",
            "http://data.europa.eu/esco/concept-scheme/skills",
            &["http://data.europa.eu/esco/skill/1"],
        )
        .always("/*/title")
        .adjust(|record: &mut Record| {
            let known = Some(Coded::new("virta:organisaatio", "10122"));
            match &mut record.body {
                Some(Body::Attainment(a)) => a.awarding_body = known,
                Some(Body::Activity(a)) => a.awarding_body = known,
                _ => {}
            }
        })
}

#[test]
fn the_law_holds() {
    let mappings = Mappings::builtin().expect("the built-in mappings read");
    let outcome = assert_law(&Elm, &mappings, &vocabulary(), 128, 0.3);
    println!("{outcome:?}");
    assert!(outcome.losses > outcome.items, "{outcome:?}");
}

/// A credential of our own, with a text in it to replace.
fn credential() -> String {
    let line = r#"{"kind":"attainment","tenant":"tenant","source":"register","institution":"10122","id":"A1","learner":"L1",
        "body":{"title":[{"lang":"en","value":"TITLE"}],"credits":{"ects":"5"},"awarding_body":{"scheme":"virta:organisaatio","value":"10122"}}}"#;
    let record: Record = serde_json::from_str(line).expect("a record");
    let mappings = Mappings::builtin().expect("the built-in mappings read");
    let ctx = EncodeContext { mappings: &mappings, generation: 1, instant: jiff::Timestamp::UNIX_EPOCH };
    let document = Elm.encode(&[record], ctx).expect("encodes").document;
    String::from_utf8(document).expect("UTF-8")
}

#[test]
fn bad_bytes_do_no_harm() {
    let line = credential();
    assert_robust(&Elm, &[line.as_bytes(), format!("[{line},{line}]").as_bytes()]);
}

#[test]
fn bounds_are_kept() {
    assert_bounded(
        &Elm,
        &Hostile {
            document: credential().as_bytes(),
            deep: |depth| [vec![b'['; depth], vec![b']'; depth]].concat(),
            long: |bytes| credential().replacen("TITLE", &"x".repeat(bytes), 1).into_bytes(),
        },
    );
}

//! The fidelity law, bad bytes and bounds, in both versions.
#![expect(clippy::expect_used, reason = "a test ends with what broke it")]

use serde_json::json;
use silta_adapter::conformance::{
    Hostile, Outcome, Vocabulary, assert_bounded, assert_law, assert_robust, check_reading,
};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::{Body, Record, RecordKind};
use silta_ooapi::OpenEducation;

fn mappings() -> Mappings {
    Mappings::builtin().expect("the built-in mappings read")
}

fn vocabulary() -> Vocabulary {
    Vocabulary {
        kinds: vec![RecordKind::Learner, RecordKind::Attainment],
        oddity: 0.2,
        tombstones: 0.1,
        ..Vocabulary::default()
    }
    .always("/learner/given_names")
    .always("/learner/family_name")
    .sometimes("/learner/email", 0.9)
    .codes("/attainment/category", "virta:opintosuorituslaji", &["1", "2"])
    .codes("/attainment/category", "sisu:attainment-type", &["CourseUnitAttainment"])
    .always("/attainment/title")
    .always("/attainment/completed_on")
    .always("/attainment/credits")
    .always("/attainment/credits/ects")
    .never("/attainment/recognised_on")
    .codes("/attainment/grade/scale/code", "virta:arvosana", &["Viisiportainen"])
    .codes("/attainment/grade/scale/code", "own:scale", &["1=2", "x"])
    .values("/attainment/grade/value", [json!("1"), json!("5")])
    .codes("/attainment/language", "virta:kieli", &["fi", "sv", "98"])
    .codes("/attainment/awarding_body", "virta:organisaatio", &["01901", "10088"])
    .codes("/attainment/awarding_body", "own:organisation", &["a"])
    .adjust(|record: &mut Record| {
        if let Some(Body::Attainment(body)) = &mut record.body {
            body.organisations.retain(|one| one.role.value != "3");
        }
    })
}

#[test]
fn the_law_holds_in_version_6() {
    let outcome = assert_law(&OpenEducation::V6, &mappings(), &vocabulary(), 96, 0.4);
    assert!(outcome.items - outcome.refused > 100 && outcome.losses > 500, "{outcome:?}");
}

#[test]
fn the_law_holds_in_version_5() {
    let outcome = assert_law(&OpenEducation::V5, &mappings(), &vocabulary(), 96, 0.5);
    assert!(outcome.items - outcome.refused > 100 && outcome.losses > 500, "{outcome:?}");
}

/// What a partner might send, with more than the standard demands, and less.
const SIX: &str = r#"{"associationId":"11111111-1111-4111-8111-111111111111","role":"student","state":"finished","remoteState":"associated",
 "person":{"personId":"22222222-2222-4222-8222-222222222222","primaryCode":{"codeType":"esi","code":"urn:schac:personalUniqueCode:int:esi:nl:1"},
  "givenName":"Testi","surname":"Esimerkki","activeEnrolment":false,"affiliations":["student","guest"],"gender":null},
 "startDateTime":"2026-02-01T08:00:00+01:00",
 "courseOffering":{"courseOfferingId":"33333333-3333-4333-8333-333333333333","primaryCode":{"codeType":"offering_code","code":"BIO-1"},
  "name":[{"language":"en-GB","value":"TITLE"}],"teachingLanguages":["en","nl"],"resultValueType":"grade_0_10",
  "course":{"courseId":"44444444-4444-4444-8444-444444444444","name":[{"language":"en","value":"Biology"},{"language":"nl","value":"Biologie"}]},
  "organisation":{"organisationId":"55555555-5555-4555-8555-555555555555","organisationType":"root","primaryCode":{"codeType":"schac_home","code":"uni.example"},
   "name":[{"language":"en","value":"A university"}],"addresses":[{"city":"Utrecht"}]}},
 "result":{"state":"completed","pass":"passed","final":true,"score":"8.5","comment":"well done","resultDateTime":"2026-05-12T09:30:00+03:00",
  "studyLoad":{"studyLoadUnit":"ects","value":2.5},"assessorId":"66666666-6666-4666-8666-666666666666"}}
{"associationId":"11111111-1111-4111-8111-111111111112","role":"student","state":"cancelled","personId":"22222222-2222-4222-8222-222222222222",
 "courseOfferingId":"33333333-3333-4333-8333-333333333333"}"#;

const FIVE: &str = r#"{"associationId":"11111111-1111-4111-8111-111111111111","associationType":"courseOfferingAssociation","role":"student","state":"associated","person":"22222222-2222-4222-8222-222222222222",
 "consumers":[{"consumerKey":"else","x":1}],
 "offering":{"offeringId":"33333333-3333-4333-8333-333333333333","offeringType":"course","name":[{"value":"TITLE"}],"teachingLanguage":"eng","startDate":"2026-02-01","endDate":"2026-06-01",
  "organization":"55555555-5555-4555-8555-555555555555"},
 "result":{"state":"completed","score":"9","resultDate":"2020-09-28","ext":{"resultValueType":"1-10"},"studyLoad":{"studyLoadUnit":"ects","value":15}}}"#;

#[test]
fn what_a_partner_sent_is_written_back() {
    let outcome = check_reading(&OpenEducation::V6, &mappings(), SIX.as_bytes()).expect("L5");
    assert_eq!(outcome, Outcome { items: 2, refused: 0, losses: 0 });
    let outcome = check_reading(&OpenEducation::V5, &mappings(), FIVE.as_bytes()).expect("L5");
    assert_eq!(outcome, Outcome { items: 1, refused: 0, losses: 0 });
}

#[test]
fn bad_bytes_do_no_harm() {
    assert_robust(&OpenEducation::V6, &[SIX.as_bytes(), FIVE.as_bytes(), format!("[{FIVE}]").as_bytes()]);
}

#[test]
fn bounds_are_kept() {
    assert_bounded(
        &OpenEducation::V6,
        &Hostile {
            document: FIVE.as_bytes(),
            deep: |depth| [br#"{"items":"#.to_vec(), vec![b'['; depth], vec![b']'; depth], b"}".to_vec()].concat(),
            long: |bytes| FIVE.replacen("TITLE", &"x".repeat(bytes), 1).into_bytes(),
        },
    );
}

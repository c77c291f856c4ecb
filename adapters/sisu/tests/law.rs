//! The conformance kit on imports and exports.

use serde_json::{Value, json};
use silta_adapter::conformance::{
    Hostile, Outcome, Vocabulary, assert_bounded, assert_law, assert_robust, check_reading,
};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::RecordKind;
use silta_sisu::Sisu;
use silta_sisu::names::{ATTAINMENT_TYPE, GRADE_SCALE, INSTITUTION, ORGANISATION, ROLE, STATE, TYPES};

/// A page with two versions, a module of groups, recognised credit, what was taken back and what is unknown.
const PAGE: &[u8] = br#"{"entities":[
{"type":"CourseUnitAttainment","id":"xy-1","documentState":"ACTIVE","metadata":{"revision":1,"modificationOrdinal":7},
 "personId":"xy-p1","courseUnitId":"xy-cu1","assessmentItemAttainmentIds":["xy-0"],"attainmentDate":"2024-05-12",
 "registrationDate":"2024-05-13","attainmentLanguageUrn":"urn:code:language:en","state":"ATTAINED","primary":true,
 "misregistration":false,"credits":2.50,"gradeScaleId":"sis-0-5","gradeId":3,
 "acceptorPersons":[{"personId":"xy-p9","roleUrn":"urn:code:attainment-acceptor-type:approved-by"}],
 "organisations":[{"organisationId":"xy-o1","roleUrn":"urn:code:organisation-role:responsible-organisation","share":0.1},
  {"organisationId":"xy-o2","roleUrn":"urn:code:organisation-role:responsible-organisation","share":0.9}]},
{"type":"CustomModuleAttainment","id":"xy-2","documentState":"ACTIVE","metadata":{"modificationOrdinal":8},
 "personId":"xy-p1","name":{"fi":"Kokonaisuus","en":"Module"},"code":"M-1","attainmentDate":"2024-05-12",
 "registrationDate":"2024-05-12","attainmentLanguageUrn":"urn:code:language:fi","state":"SUBSTITUTED","primary":true,
 "credits":25,"gradeScaleId":"sis-hyv-hyl","gradeId":1,"gradeAverage":{"value":4.333333,"method":"X"},
 "creditTransferInfo":{"internationalInstitutionUrn":"urn:code:international:7","organisation":"Elsewhere","creditTransferDate":"2024-05-01"},
 "nodes":[{"name":{"fi":"Ryhm\u00e4"},"nodes":[{"attainmentId":"xy-1"}]},{"attainmentId":"silta-YQ"}],
 "acceptorPersons":[{"text":{"fi":"Kokous"}}],
 "organisations":[{"organisationId":"xy-o1","roleUrn":"urn:code:organisation-role:responsible-organisation","share":1.0}]},
{"type":"CourseUnitAttainment","id":"xy-3","documentState":"DELETED","personId":"xy-p1","metadata":{"modificationOrdinal":9}},
{"type":"CourseUnitAttainment","id":"xy-4","documentState":"DRAFT","personId":"xy-p1","metadata":{"modificationOrdinal":9}}
],"hasMore":true,"greatestOrdinal":9}"#;

#[test]
fn an_import_holds_what_its_records_say_but_for_declared_losses() {
    let mappings = Mappings::builtin().expect("mappings");
    let outcome = assert_law(&Sisu, &mappings, &vocabulary(), 128, 0.45);
    assert!(outcome.items - outcome.refused > 100 && outcome.losses > 500, "{outcome:?}");
}

#[test]
fn what_was_read_is_written_back_in_its_form() {
    let outcome = check_reading(&Sisu, &Mappings::default(), PAGE).expect("L5 holds");
    assert_eq!(outcome, Outcome { items: 2, refused: 0, losses: 0 });
    let page: Value = serde_json::from_slice(PAGE).expect("JSON");
    let import = serde_json::to_vec(&page["entities"].as_array().expect("entities")[..2]).expect("JSON");
    let outcome = check_reading(&Sisu, &Mappings::default(), &import).expect("L5 holds");
    assert_eq!(outcome, Outcome { items: 2, refused: 0, losses: 0 });
}

#[test]
fn bad_bytes_do_no_harm() {
    assert_robust(&Sisu, &[PAGE]);
}

#[test]
fn bounds_are_kept() {
    assert_bounded(
        &Sisu,
        &Hostile {
            document: PAGE,
            deep: |depth| format!("[{}{}]", "[".repeat(depth), "]".repeat(depth)).into(),
            long: |bytes| format!(r#"[{{"id":"a","type":"x","personId":"p","n":"{}"}}]"#, "x".repeat(bytes)).into(),
        },
    );
}

/// What Sisu's rules allow, so that most records fit.
fn vocabulary() -> Vocabulary {
    const RESPONSIBLE: &str = "urn:code:organisation-role";
    let organisation = |role: Value, scheme: &str, value: &str, share: &str| json!({"role": role, "organisation": {"scheme": scheme, "value": value}, "share": share});
    let responsible = || json!({"scheme": RESPONSIBLE, "value": "responsible-organisation"});
    let source = json!({"scheme": ROLE, "value": "credit-transfer-source"});
    let accepted = json!([{"personId": "xy-p9"}]);
    Vocabulary { kinds: vec![RecordKind::Attainment], institutions: vec!["10088".into()], tenant: "10088".into(), oddity: 0.1, ..Vocabulary::default() }
        .codes("/attainment/category", ATTAINMENT_TYPE, &TYPES)
        .codes("/attainment/category", "virta:opintosuorituslaji", &["2"])
        .always("/attainment/category")
        .codes("/attainment/awarding_body", INSTITUTION, &["10088"])
        .codes("/attainment/awarding_body", "virta:organisaatio", &["10088"])
        .always("/attainment/credits")
        .always("/attainment/credits/ects")
        .always("/attainment/completed_on")
        .always("/attainment/registered_on")
        .values("/attainment/completed_on", [json!("2024-05-14"), json!("2004-02-29"), json!("2020-01-01+03:00")])
        .always("/attainment/grade")
        .codes("/attainment/grade/scale/code", GRADE_SCALE, &["sis-0-5", "sis-hyl-hyv", "own-1"])
        .codes("/attainment/grade/scale/code", "virta:arvosana", &["Viisiportainen"])
        .values("/attainment/grade/value", [json!("0"), json!("1"), json!("5")])
        .always("/attainment/language")
        .codes("/attainment/language", "urn:code:language", &["fi", "en"])
        .codes("/attainment/language", "virta:kieli", &["sv"])
        .always("/attainment/title")
        .always("/attainment/code")
        .values("/attainment/code", [json!("TKT10001-1234567"), json!("A")])
        .codes("/attainment/education", "urn:code:education-classification", &["671201"])
        .codes("/attainment/classifications/*", STATE, &["ATTAINED", "SUBSTITUTED", "FAILED", "INCLUDED"])
        .codes("/attainment/classifications/*", "virta:opintosuoritusluokittelu", &["1"])
        .sometimes("/attainment/classifications", 0.2)
        .sometimes("/attainment/recognised_on", 0.3)
        .always("/attainment/organisations")
        .values(
            "/attainment/organisations",
            [
                json!([organisation(responsible(), ORGANISATION, "xy-o1", "1.0")]),
                json!([
                    organisation(responsible(), ORGANISATION, "xy-o1", "0.7"),
                    organisation(responsible(), INSTITUTION, "10076", "0.2"),
                    organisation(responsible(), ORGANISATION, "xy-o3", "0.1"),
                    organisation(json!({"scheme": "virta:rooli", "value": "1"}), ORGANISATION, "xy-o3", "0.1"),
                ]),
                json!([
                    organisation(responsible(), ORGANISATION, "xy-o1", "1"),
                    organisation(source, INSTITUTION, "10076", "1"),
                    organisation(json!({"scheme": "virta:rooli", "value": "3"}), "virta:organisaatio", "10089", "1"),
                    organisation(json!({"scheme": "virta:rooli", "value": "3"}), "urn:code:abroad", "7", "1"),
                ]),
                json!([organisation(responsible(), ORGANISATION, "xy-o4", "1.000")]),
                json!([organisation(responsible(), ORGANISATION, "xy-o5", "1")]),
                json!([organisation(responsible(), ORGANISATION, "xy-o1", "0.9")]),
            ],
        )
        .always("/attainment/extensions")
        .values(
            "/attainment/extensions",
            [
                json!({"sisu": {"acceptorPersons": accepted, "primary": false, "courseUnitId": "xy-cu1"}}),
                json!({"sisu": {"acceptorPersons": accepted, "gradeAverage": {"value": 4.3, "more": null}, "n": 1e300},
                    "virta": {"x": 1}, "sisu.document": {"revision": 3}}),
                json!({"sisu": {"acceptorPersons": accepted, "credits": 4, "rdiCredits": 0.5, "nodes": [{"attainmentId": "xy-1"}],
                    "creditTransferInfo": {"organisation": "Elsewhere"}}}),
                json!({"sisu": {"acceptorPersons": accepted, "courseUnitId": "xy-cu2"}}),
                json!({"sisu": {"acceptorPersons": accepted, "assessmentItemAttainmentIds": ["xy-7"]}}),
                json!({"sisu": {"primary": true}}),
            ],
        )
        .adjust(|record| {
            record.head.learner = "xy-p1".into();
            record.head.key.institution = "10088".into();
        })
}

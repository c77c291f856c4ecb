//! The conformance kit on VIRTA documents.

use serde_json::json;
use silta_adapter::conformance::{
    Hostile, Outcome, Vocabulary, assert_bounded, assert_law, assert_robust, check_reading,
};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::{Body, Coded, RecordKind};
use silta_virta::{Virta, enrolment_id, names::*};

macro_rules! fixture {
    ($file:literal) => {
        include_bytes!(concat!("../../../fixtures/demo/", $file))
    };
}

/// Documents of our own, with the number of records each holds.
const DOCUMENTS: [(&[u8], usize); 5] = [
    (fixture!("02469.xml"), 12),
    (fixture!("02473.xml"), 6),
    (fixture!("10126.xml"), 6),
    (fixture!("corrections/02469.xml"), 1),
    (fixture!("corrections/10126.xml"), 1),
];

/// An answer of the reading service, with prefixes, references, a comment and what no record holds.
const ANSWER: &[u8] = br#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/><s:Body>
<v:OpintosuorituksetResponse xmlns:v="urn:mace:funet.fi:virta/2015/09/01"><v:Opintosuoritukset><!-- one -->
<v:Opintosuoritus avain="A&#228;" opiskelijaAvain="L" koulutusmoduulitunniste="M" valiaikainen="1">
<v:SuoritusPvm>2025-01-01</v:SuoritusPvm><v:Laajuus><v:Opintopiste>5</v:Opintopiste></v:Laajuus>
<v:Arvosana><v:Muu><v:Asteikko avain="S"><v:AsteikkoArvosana avain="1"><v:Koodi>HYV</v:Koodi></v:AsteikkoArvosana>
</v:Asteikko><v:Koodi>1</v:Koodi></v:Muu></v:Arvosana><v:Myontaja>10122</v:Myontaja><v:Laji>2</v:Laji>
<v:Nimi kieli="fi"><![CDATA[R&D]]> &amp; \xc3\xa4</v:Nimi><v:Outo/></v:Opintosuoritus>
</v:Opintosuoritukset></v:OpintosuorituksetResponse></s:Body></s:Envelope>"#;

#[test]
fn a_document_holds_what_its_records_say_but_for_declared_losses() {
    let outcome = assert_law(&Virta, &Mappings::default(), &vocabulary(), 128, 0.25);
    assert!(outcome.items > 500 && outcome.losses > 1000, "{outcome:?}");
}

#[test]
fn what_was_read_is_written_back_in_its_form() {
    for (document, items) in DOCUMENTS {
        let outcome = check_reading(&Virta, &Mappings::default(), document).expect("L5 holds");
        assert_eq!(outcome, Outcome { items, refused: 0, losses: 0 });
    }
}

#[test]
fn bad_bytes_do_no_harm() {
    assert_robust(&Virta, &[DOCUMENTS[2].0, DOCUMENTS[3].0, ANSWER]);
}

#[test]
fn bounds_are_kept() {
    assert_bounded(
        &Virta,
        &Hostile {
            document: DOCUMENTS[2].0,
            deep: |depth| format!("<Virta>{}{}</Virta>", "<a>".repeat(depth), "</a>".repeat(depth)).into(),
            long: |bytes| {
                let name = "x".repeat(bytes);
                format!("<Virta><Opiskelija avain=\"L\"><Sukunimi>{name}</Sukunimi></Opiskelija></Virta>").into()
            },
        },
    );
}

/// What VIRTA's schema and code lists allow, so that most records fit.
fn vocabulary() -> Vocabulary {
    let id = |s: &str, v: &str| json!({"scheme": s, "value": v});
    Vocabulary {
        kinds: vec![
            RecordKind::Learner,
            RecordKind::StudyRight,
            RecordKind::Enrolment,
            RecordKind::MobilityPeriod,
            RecordKind::Attainment,
        ],
        oddity: 0.3,
        ..Vocabulary::default()
    }
    .values(
        "/learner/identifiers/*",
        [
            id("fi:hetu", "010190-900P"),
            id("fi:hetu", "111101A"),
            id("fi:oppijanumero", "1.2.246.562.24.90000000001"),
            id("esi", "x:y"),
        ],
    )
    .codes("/learner/gender", GENDER, &["1", "2"])
    .codes("/learner/citizenships/*", COUNTRY, &["246", "752"])
    .codes("/learner/first_language", LANGUAGE, &["fi"])
    .codes("/learner/municipality", MUNICIPALITY, &["091"])
    .codes("/*/awarding_body", ORGANISATION, &["10122", "02630"])
    .always("/*/awarding_body")
    .codes("/*/organisations/*/role", ROLE, &["3"])
    .codes("/*/organisations/*/organisation", ORGANISATION, &["UK"])
    .always("/study_right/start")
    .always("/study_right/states")
    .always("/study_right/right_type")
    .always("/study_right/states/*/start")
    .always("/study_right/primary_periods/*/start")
    .always("/study_right/fees/*/start")
    .values("/study_right/fees/*/amount", [json!("12000"), json!("")])
    .codes("/study_right/states/*/state", RIGHT_STATE, &["1"])
    .codes("/study_right/right_type", RIGHT_TYPE, &["1"])
    .always("/study_right/phases/*/start")
    .always("/study_right/phases/*/municipality")
    .codes("/study_right/phases/*/education", EDUCATION, &["671201"])
    .codes("/study_right/phases/*/municipality", MUNICIPALITY, &["091"])
    .codes("/study_right/phases/*/language", LANGUAGE, &["fi"])
    .codes("/study_right/phases/*/funding", FUNDING, &["1"])
    .codes("/study_right/phases/*/competences/*", COMPETENCE, &["br"])
    .codes("/study_right/phases/*/classifications/*", RIGHT_CLASS, &["1"])
    .codes("/study_right/field_of_study", "virta:koulutusala/ohjausala", &["5"])
    .codes("/study_right/specialisation", SPECIALISATION, &["1"])
    .always("/study_right/transfer/on")
    .always("/study_right/transfer/terms_used")
    .codes("/study_right/transfer/terms_used/*/state", ENROLMENT_STATE, &["1"])
    .always("/*/credits/ects")
    .always("/attainment/credits")
    .always("/attainment/research/*/ects")
    .codes("/enrolment/state", ENROLMENT_STATE, &["1"])
    .always("/enrolment/state")
    .always("/enrolment/registered_on")
    .always("/enrolment/start")
    .codes("/enrolment/fee/paid", FEE_STATE, &["1"])
    .always("/enrolment/fee/paid")
    .values("/enrolment/fee/amount", [json!("5000")])
    .values("/enrolment/fee/scholarship", [json!("100")])
    .always("/mobility_period/start")
    .always("/mobility_period/end")
    .codes("/mobility_period/direction", DIRECTION, &["1"])
    .always("/mobility_period/direction")
    .codes("/mobility_period/country", COUNTRY, &["246"])
    .always("/mobility_period/country")
    .codes("/mobility_period/mobility_type", MOBILITY_TYPE, &["1"])
    .codes("/mobility_period/programme", MOBILITY_PROGRAMME, &["1"])
    .codes("/mobility_period/right_type", RIGHT_TYPE, &["1"])
    .codes("/mobility_period/classifications/*", MOBILITY_CLASS, &["a"])
    .always("/attainment/completed_on")
    .always("/attainment/grade")
    .always("/attainment/category")
    .codes("/attainment/category", CATEGORY, &["1", "2"])
    .codes("/attainment/grade/scale/code", NATIONAL_SCALE, &["Viisiportainen", "Hyvaksytty"])
    .codes("/attainment/grade/scale/code", OWN_SCALE, &["scale-1", ""])
    .codes("/attainment/language", LANGUAGE, &["fi"])
    .codes("/attainment/education", EDUCATION, &["671201"])
    .codes("/attainment/fields_of_study/*/field", "virta:koulutusala/ohjausala", &["5"])
    .codes("/attainment/competences/*", COMPETENCE, &["br"])
    .codes("/attainment/classifications/*", ATTAINMENT_CLASS, &["1"])
    .values(
        "/attainment/extensions",
        [
            json!({"virta": {"hankkeistettu": true, "opetusharjoittelu_tyyppi": "1"}, "virta.document": {"block": 2}}),
            json!({"virta": {"hankkeistettu": false, "more": 1}}),
            json!({"virta": [1], "a/b": 3}),
            json!({"virta": {"more": null}}),
            json!({"virta.document": {"under": "other"}}),
        ],
    )
    .values("/enrolment/extensions", [json!({"virta": {"yths_maksu": true}})])
    .values(
        "/learner/extensions",
        [json!({"virta": {"hetu": "x"}}), json!({"virta.document": {"block": 2}}), json!({"other": {}})],
    )
    .values("/study_right/extensions", [json!({"virta": {"jotpaasianumero": "J1"}})])
    .adjust(|record| {
        let code = |c: &Option<Coded>| c.as_ref().map(|c| c.value.clone()).unwrap_or_default();
        let learner = record.head.learner.clone();
        let key = &mut record.head.key;
        match record.body.as_ref() {
            Some(Body::Learner(_)) => {
                key.institution = "".into();
                key.id = learner;
            }
            Some(Body::StudyRight(b)) => key.institution = code(&b.awarding_body),
            Some(Body::Attainment(b)) => key.institution = code(&b.awarding_body),
            Some(Body::MobilityPeriod(b)) => key.institution = code(&b.awarding_body),
            Some(Body::Enrolment(b)) => {
                key.institution = code(&b.awarding_body);
                key.id = enrolment_id(&learner, b.study_right.as_deref().filter(|r| !r.is_empty()), b.start);
            }
            _ => {}
        }
    })
}

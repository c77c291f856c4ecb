//! The fidelity law, bad bytes and bounds.
#![expect(clippy::expect_used, reason = "a test ends with what broke it")]

use serde_json::json;
use silta_adapter::conformance::{Hostile, Vocabulary, assert_bounded, assert_law, assert_robust, check_reading};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::{Body, Coded, Identifier, Learner, Record, RecordKind};
use silta_koski::Koski;

fn mappings() -> Mappings {
    Mappings::builtin().expect("the built-in mappings read")
}

fn vocabulary() -> Vocabulary {
    let scale = "koski:arviointiasteikko";
    Vocabulary {
        kinds: vec![RecordKind::Learner, RecordKind::Attainment],
        source: "peppi".into(),
        tombstones: 0.1,
        oddity: 0.2,
        ..Vocabulary::default()
    }
    .always("/learner/*")
    .always("/attainment/national_code")
    .values("/attainment/national_code", ["1000", "1001", "1031"].map(|code| json!(code)))
    .codes("/attainment/grade/scale/code", scale, &["arviointiasteikkovst"])
    .values("/attainment/grade/value", [json!("Hyväksytty")])
    .always("/attainment/completed_on")
    .adjust(|record: &mut Record| {
        let badge = match &mut record.body {
            Some(Body::Attainment(badge)) => badge,
            Some(Body::Learner(learner)) => {
                let oid = Identifier { scheme: Learner::PERSON_OID.into(), value: "1.2.246.562.98.90000000019".into() };
                return learner.identifiers.push(oid);
            }
            _ => return,
        };
        badge.category = Some(Coded::new("koski:suorituksentyyppi", "vstosaamismerkki"));
        // Each badge of a learner is another school's, or it would be the same badge twice.
        let number = record.head.key.id.bytes().map(u32::from).sum::<u32>();
        let school = format!("1.2.246.562.10.9000{number:07}");
        badge.awarding_body = Some(Coded::new("fi:organisaatio-oid", school.clone()));
        badge.completed_on = Some("2026-05-12".parse().expect("a day"));
        badge.assessed_on = badge.assessed_on.and(badge.completed_on);
        badge.issued_on = badge.issued_on.and(badge.completed_on);
        let signatory = json!([{ "nimi": "Olli Opettaja", "titteli": { "fi": "opettaja" } }]);
        badge.extensions.set(
            "koski",
            &json!({ "opiskeluoikeus": { "suoritukset": [{ "vahvistus": { "myöntäjäHenkilöt": signatory } }] } }),
        );
    })
}

#[test]
fn the_law_holds() {
    let outcome = assert_law(&Koski, &mappings(), &vocabulary(), 64, 0.3);
    println!("{outcome:?}");
    assert!(outcome.losses > outcome.items, "{outcome:?}");
}

/// A request of our own making: a badge, and another study right beside it.
const DOCUMENT: &str = r#"{"henkilö":{"hetu":"010190-901R","etunimet":"Testi Taina","kutsumanimi":"Taina","sukunimi":"Esimerkki","oid":"1.2.246.562.98.90000000019"},
 "opiskeluoikeudet":[{"oid":"1.2.246.562.15.57187463310","versionumero":3,"lähdejärjestelmänId":{"id":"02469/A1/L1","lähdejärjestelmä":{"koodiarvo":"peppi","koodistoUri":"lahdejarjestelma"}},
  "oppilaitos":{"oid":"1.2.246.562.10.31915273374","nimi":{"fi":"Opisto"}},"tyyppi":{"koodiarvo":"vapaansivistystyonkoulutus","koodistoUri":"opiskeluoikeudentyyppi","nimi":{"fi":"Vapaan sivistystyön koulutus"}},
  "tila":{"opiskeluoikeusjaksot":[{"alku":"2026-05-12","tila":{"koodiarvo":"hyvaksytystisuoritettu","koodistoUri":"koskiopiskeluoikeudentila","koodistoVersio":1}}]},
  "suoritukset":[{"tyyppi":{"koodiarvo":"vstosaamismerkki","koodistoUri":"suorituksentyyppi"},"koulutusmoduuli":{"tunniste":{"koodiarvo":"1001","koodistoUri":"osaamismerkit","nimi":{"fi":"Oma osaamispolku"}}},
   "toimipiste":{"oid":"1.2.246.562.10.31915273374"},"arviointi":[{"arvosana":{"koodiarvo":"Hyväksytty","koodistoUri":"arviointiasteikkovst"},"päivä":"2026-05-12","hyväksytty":true}],
   "vahvistus":{"päivä":"2026-05-12","myöntäjäOrganisaatio":{"oid":"1.2.246.562.10.31915273374"},"myöntäjäHenkilöt":[{"nimi":"Olli Opettaja","titteli":{"fi":"opettaja"},"organisaatio":{"oid":"1.2.246.562.10.31915273374"}}]}}]},
  {"lähdejärjestelmänId":{"id":"x-1","lähdejärjestelmä":{"koodiarvo":"primus","koodistoUri":"lahdejarjestelma"}},"oppilaitos":{"oid":"1.2.246.562.10.31915273374"},
   "tyyppi":{"koodiarvo":"lukiokoulutus","koodistoUri":"opiskeluoikeudentyyppi"},"alkamispäivä":"2020-08-01","suoritukset":[{"tunniste":"TITLE"}]}]}"#;

#[test]
fn what_is_read_is_written_again() {
    let outcome = check_reading(&Koski, &mappings(), DOCUMENT.as_bytes()).expect("L5");
    assert_eq!((outcome.items, outcome.refused, outcome.losses), (2, 0, 0));
}

#[test]
fn bad_bytes_do_no_harm() {
    assert_robust(&Koski, &[DOCUMENT.as_bytes(), format!("[{DOCUMENT},{DOCUMENT}]").as_bytes()]);
}

#[test]
fn bounds_are_kept() {
    assert_bounded(
        &Koski,
        &Hostile {
            document: DOCUMENT.as_bytes(),
            deep: |depth| {
                [
                    r#"{"henkilö":{},"opiskeluoikeudet":"#.as_bytes().to_vec(),
                    vec![b'['; depth],
                    vec![b']'; depth],
                    b"}".to_vec(),
                ]
                .concat()
            },
            long: |bytes| DOCUMENT.replacen("TITLE", &"x".repeat(bytes), 1).into_bytes(),
        },
    );
}

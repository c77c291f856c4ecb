//! Records as credentials and back.
#![expect(clippy::expect_used, reason = "a test ends with what broke it")]

use serde_json::{Value, json};
use silta_adapter::adapter::{Adapter, DecodeContext, Decoded, Encode, EncodeContext, Encoded, Limits, Refusal};
use silta_adapter::canonical;
use silta_adapter::fidelity::apply;
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::Problem;
use silta_adapter::record::Record;
use silta_elm::Elm;
use std::sync::LazyLock;

static MAPPINGS: LazyLock<Mappings> = LazyLock::new(|| Mappings::builtin().expect("the built-in mappings read"));

fn ctx(generation: u64) -> EncodeContext<'static> {
    let instant = "2026-11-21T10:00:00Z".parse().expect("an instant");
    EncodeContext { mappings: &MAPPINGS, generation, instant }
}

fn record(kind: &str, id: &str, body: Value) -> Record {
    let line = json!({"kind": kind, "tenant": "uni", "source": "sis", "institution": "10122", "id": id,
        "learner": "L1", "body": body});
    serde_json::from_value(line).expect("a record")
}

fn course(id: &str, body: Value) -> Record {
    let mut whole = json!({"title": [{"lang": "en", "value": format!("Course {id}")}],
        "awarding_body": {"scheme": "virta:organisaatio", "value": "10122"},
        "category": {"scheme": "virta:opintosuorituslaji", "value": "2"}, "credits": {"ects": "5"}});
    for (name, value) in body.as_object().expect("an object") {
        whole[name] = value.clone();
    }
    record("attainment", id, whole)
}

fn parts(ids: &[&str]) -> Value {
    json!({"parts": ids.iter().map(|id| json!({"id": id, "ects": "5"})).collect::<Vec<_>>()})
}

fn encode(item: &[Record]) -> Result<Encoded, Refusal> {
    Elm.encode(item, ctx(1))
}

fn decode(document: &[u8]) -> (Vec<Record>, Vec<Problem>, Vec<String>) {
    let ctx = DecodeContext { tenant: "uni".into(), source: "sis".into(), limits: Limits::default() };
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let mut sink = |found: Decoded| {
        match found {
            Decoded::Record(record, _) => records.push(*record),
            Decoded::Problem(problem) => problems.push(problem),
        }
        Ok(())
    };
    let reading = Elm.decoder().expect("decodes").decode(&mut &*document, &ctx, &mut sink).expect("well formed");
    (records, problems, reading.unread)
}

fn forms(records: &[Record]) -> Vec<Vec<u8>> {
    let mut forms: Vec<Vec<u8>> = records.iter().map(canonical::record_text).collect();
    forms.sort();
    forms
}

/// L1, L2's table and L3 for one item; its losses as `rule path`.
fn lawful(item: &[Record]) -> Vec<String> {
    let Encoded { document, losses } = encode(item).expect("encodes");
    let (read, problems, unread) = decode(&document);
    assert_eq!((problems, unread), (vec![], Vec::<String>::new()));
    assert_eq!(forms(&read), forms(&apply(&losses, item).expect("losses apply")), "L1");
    for loss in &losses {
        let rule = Elm.descriptor().losses.iter().find(|rule| rule.id == loss.rule).expect("a declared rule");
        assert!(rule.covers(loss.key.kind, &loss.path), "L2: {} does not cover {}", rule.id, loss.path);
    }
    let mut projection = read.clone();
    projection.sort_by_key(|r| r.head.key != item[0].head.key);
    let again = encode(&projection).expect("encodes again");
    assert_eq!(again.losses, vec![], "L3");
    assert_eq!(forms(&decode(&again.document).0), forms(&read), "L3");
    let mut losses: Vec<String> = losses.iter().map(|loss| format!("{} {}", loss.rule, loss.path)).collect();
    losses.sort();
    losses
}

fn learner() -> Record {
    record(
        "learner",
        "L1",
        json!({"given_names": "Testi Taru", "family_name": "Esimerkki", "date_of_birth": "1999-10-02",
        "identifiers": [{"scheme": "fi:hetu", "value": "021099-900C"}, {"scheme": "fi:oppijanumero", "value": "1.2.246.562.24.90000000001"}],
        "citizenships": [{"scheme": "virta:maa", "value": "246"}], "email": "taru@example.org",
        "gender": {"scheme": "virta:sukupuoli", "value": "2"}}),
    )
}

fn rich() -> Value {
    json!({
        "study_right": "SR-3", "code": "CS.210", "national_code": "N1",
        "achievement_type": {"scheme": "http://data.europa.eu/snb/learning-opportunity/25831c2",
            "value": "http://data.europa.eu/snb/learning-opportunity/74a4a268e8"},
        "description": [{"value": "Lists, trees and graphs"}],
        "completed_on": "2025-05-14+03:00", "assessed_on": "2025-05-20", "registered_on": "2025-05-21",
        "issued_on": "2025-06-01", "started_on": "2025-01-10", "expires_on": "2030-12-31",
        "credits": {"ects": "5.0", "credit_weeks": "3"}, "workload": "PT135H",
        "grade": {"scale": {"code": {"scheme": "virta:muu", "value": "S1"}, "title": [{"lang": "fi", "value": "Asteikko"}],
            "grades": [{"key": "k5", "code": "5"}]}, "value": "k5"},
        "country": {"scheme": "virta:maa", "value": "246"}, "language": {"scheme": "virta:kieli", "value": "en"},
        "education": {"scheme": "virta:koulutuskoodi", "value": "612101"},
        "fields_of_study": [{"field": {"scheme": "isced-f-2013", "value": "0613"}, "share": "0.5"},
            {"field": {"scheme": "virta:ohjausala", "value": "7"}}],
        "thesis": false, "competences": [{"scheme": "virta:patevyys", "value": "ab"}],
        "classifications": [{"scheme": "virta:luokittelu", "value": "1"}, {"scheme": "virta:luokittelu", "value": "3"}],
        "additional_info": [{"lang": "fi", "value": "Lisätieto"}, {"lang": "fi", "value": "Toinen"}, {"lang": "??", "value": "?"}],
        "links": ["https://example.org/course", "not a link"],
        "learning_outcomes": [{"title": [{"lang": "en", "value": "Chooses data structures"}],
            "skills": [{"scheme": "http://data.europa.eu/esco/concept-scheme/skills", "value": "http://data.europa.eu/esco/skill/11111111-2222-3333-4444-555555555555"}]},
            {"description": [{"value": "untitled"}]}],
        "learning_outcome_summary": [{"lang": "en", "value": "Data structures"}],
        "eqf_level": {"scheme": "eqf", "value": "6"},
        "nqf_levels": [{"scheme": "http://data.europa.eu/snb/qdr/25831c2", "value": "http://data.europa.eu/snb/qdr/c_2d1fde14"}],
        "cycle": {"scheme": "qf-ehea", "value": "1"}, "mastery": {"scheme": "silta:mastery", "value": "applied"},
        "assessments": [
            {"assessment_type": {"scheme": "http://data.europa.eu/snb/assessment/25831c2", "value": "http://data.europa.eu/snb/assessment/6e6cb2cc78"},
             "supervision": {"scheme": "http://data.europa.eu/snb/supervision-verification/25831c2", "value": "http://data.europa.eu/snb/supervision-verification/70be69aaf9"}},
            {"title": [{"lang": "en", "value": "Portfolio"}],
             "supervision": {"scheme": "http://data.europa.eu/snb/supervision-verification/25831c2", "value": "http://data.europa.eu/snb/supervision-verification/c598449d64"}}],
        "modes": [{"scheme": "http://data.europa.eu/snb/learning-assessment/25831c2", "value": "http://data.europa.eu/snb/learning-assessment/920fbb3cbe"}],
        "learning_setting": {"scheme": "http://data.europa.eu/snb/learning-setting/25831c2", "value": "http://data.europa.eu/snb/learning-setting/6fd4685715"},
        "quality_assurance": audits(),
        "entry_requirements": [{"lang": "en", "value": "Programming"}],
        "stackability": {"partial": true, "note": [{"value": "A degree"}]},
        "extensions": {"virta": {"x": 1}, "virta.document": {"order": 3}}
    })
}

/// Quality assurance that is carried, but for its link, and one that cannot be.
fn audits() -> Value {
    json!([{"title": [{"value": "Audit"}]}, {"title": [{"lang": "en", "value": "Audit of quality"}],
            "accreditation_type": {"scheme": "http://data.europa.eu/snb/accreditation/25831c2", "value": "http://data.europa.eu/snb/accreditation/bb4618238e"},
            "agent": [{"lang": "en", "value": "Evaluation Centre"}], "agent_country": {"scheme": "virta:maa", "value": "246"}, "link": "not a link"}])
}

#[test]
fn a_degree_with_parts_is_one_credential() {
    let degree = course(
        "D",
        json!({"category": {"scheme": "virta:opintosuorituslaji", "value": "1"},
        "title": [{"lang": "fi", "value": "Luonnontieteiden kandidaatti"}, {"lang": "en", "value": "Bachelor of Science"}],
        "completed_on": "2025-06-01", "parts": [{"id": "M", "ects": "10"}, {"id": "T"}]}),
    );
    let module = course("M", json!({"parts": [{"id": "C", "ects": "5"}]}));
    let part = course(
        "C",
        json!({"grade": {"scale": {"code": {"scheme": "virta:arvosana", "value": "Viisiportainen"}}, "value": "4"},
        "completed_on": "2024-12-12", "language": {"scheme": "virta:kieli", "value": "fi"}}),
    );
    let item = [degree, learner(), module, part, course("T", json!({"title": [], "code": "THESIS-1", "thesis": true}))];
    let expected = [
        "gender /body/gender",
        "mapped_code /body/citizenships/0",
        "mapped_code /body/language",
        "title_from_code /body/title",
    ];
    assert_eq!(lawful(&item), expected);
    let document: Value = serde_json::from_slice(&encode(&item).expect("encodes").document).expect("one JSON object");
    insta::assert_json_snapshot!("degree", document);
}

#[test]
fn what_a_model_can_hold_it_holds() {
    let item = [course("C", rich()), learner()];
    insta::assert_json_snapshot!("losses", lawful(&item));
    let document: Value = serde_json::from_slice(&encode(&item).expect("encodes").document).expect("one JSON object");
    let claim = &document["credentialSubject"]["hasClaim"];
    assert_eq!(claim["specifiedBy"]["type"], "Qualification");
    assert_eq!(claim["specifiedBy"]["creditPoint"]["point"], "5.0");
    assert_eq!(claim["provenBy"]["grade"]["noteLiteral"]["und"], "5", "the code, not the key");
    assert_eq!(document["validUntil"], "2030-12-31T00:00:00Z");
    assert_eq!(document["credentialSubject"]["nationalID"]["notation"], "021099-900C");
}

#[test]
fn an_activity_is_a_claim_without_credits() {
    let activity = record(
        "activity",
        "A",
        json!({"title": [{"lang": "fi", "value": "Oppimispiiri"}], "start": "2025-01-01",
        "end": "2025-05-31", "workload": "PT20H", "awarding_body": {"scheme": "virta:organisaatio", "value": "02472"},
        "activity_type": {"scheme": "http://data.europa.eu/snb/learning-activity/25831c2", "value": "http://data.europa.eu/snb/learning-activity/efff75e10a"},
        "language": {"scheme": "virta:kieli", "value": "20"}}),
    );
    assert_eq!(lawful(std::slice::from_ref(&activity)), ["unmapped_code /body/language"]);
    let document: Value =
        serde_json::from_slice(&encode(&[activity]).expect("encodes").document).expect("one JSON object");
    insta::assert_json_snapshot!("activity", document);
}

#[test]
fn a_shared_part_counts_once_and_a_cycle_is_cut() {
    let shared = [
        course("D", parts(&["M", "N"])),
        course("M", parts(&["C"])),
        course("N", parts(&["C"])),
        course("C", json!({})),
    ];
    assert_eq!(lawful(&shared), ["repeated_part /body/parts/0/ects"]);
    let text = String::from_utf8(encode(&shared).expect("encodes").document).expect("UTF-8");
    assert_eq!(text.matches("\"creditPoint\":").count(), 4, "each record's own credits once");

    let circle = [course("B", parts(&["A"])), course("A", parts(&["B"]))];
    let (plans, problems) = Elm.items(&circle);
    assert_eq!((plans.len(), plans[0].root.id.as_str(), plans[0].members.as_slice()), (1, "A", [1, 0].as_slice()));
    assert_eq!(problems.iter().map(|p| p.code.as_str()).collect::<Vec<_>>(), ["part_cycle"]);
    assert_eq!(lawful(&[circle[1].clone(), circle[0].clone()]), ["part_cycle /body/parts/0"]);

    let below = [&[course("D", parts(&["B"]))], &circle[..]].concat();
    let (plans, problems) = Elm.items(&below);
    assert_eq!((plans.len(), problems.len()), (1, 1));
    assert_eq!(problems[0].key.as_ref().map(|key| key.id.as_str()), Some("A"), "named by its smallest key");
    assert_eq!(lawful(&below), ["part_cycle /body/parts/0"]);
}

#[test]
fn roots_are_what_is_part_of_nothing() {
    let partial = |id: &str, body: Value| {
        let mut record = course(id, body);
        if let Some(silta_adapter::record::Body::Attainment(a)) = &mut record.body {
            a.category = Some(silta_adapter::record::Coded::new("virta:opintosuorituslaji", "3"));
        }
        record
    };
    let records = [
        course("C", json!({})),
        learner(),
        course("D", parts(&["C", "P", "gone"])),
        partial("P", json!({})),
        course("E", parts(&["C"])),
        partial("Q", parts(&["F"])),
        course("F", json!({})),
        course("Z", parts(&["Y"])),
        course("Y", parts(&["Z", "X"])),
        course("X", json!({})),
    ];
    let (plans, problems) = Elm.items(&records);
    let roots: Vec<(&str, &[usize])> =
        plans.iter().map(|plan| (plan.root.id.as_str(), plan.members.as_slice())).collect();
    assert_eq!(roots, [("D", &[2, 1, 0, 3][..]), ("E", &[4, 1, 0]), ("F", &[6, 1]), ("Y", &[8, 1, 7, 9])]);
    let mut codes: Vec<&str> = problems.iter().map(|p| p.code.as_str()).collect();
    codes.sort();
    assert_eq!(codes, ["dangling_part", "part_cycle", "partial_without_whole"]);
    let item: Vec<Record> = plans[0].members.iter().map(|at| records[*at].clone()).collect();
    let losses = lawful(&item);
    for expected in
        ["dangling_part /body/parts/2", "partial_counted /body/parts/1/ects", "partial_credits /body/credits/ects"]
    {
        assert!(losses.iter().any(|loss| loss == expected), "{expected} in {losses:?}");
    }
}

#[test]
fn parts_nest_no_deeper_than_readers_allow() {
    let chain: Vec<Record> = (0..200).map(|n| course(&format!("{n}"), parts(&[&format!("{}", n + 1)]))).collect();
    let losses = lawful(&chain);
    assert_eq!(losses.iter().filter(|loss| loss.starts_with("part_too_deep")).count(), 1);
    assert_eq!(losses.iter().filter(|loss| loss.starts_with("not_in_item")).count(), 200 - 17);
}

#[test]
fn what_cannot_be_a_credential_is_refused_by_name() {
    let body = |scheme: &str, value: &str| json!({"awarding_body": {"scheme": scheme, "value": value}});
    for (item, code) in [
        (vec![course("C", body("virta:organisaatio", "99999"))], "unknown_awarding_body"),
        (vec![course("D", parts(&["C"])), course("C", body("other", "10122"))], "unknown_awarding_body"),
        (vec![course("C", json!({"title": []}))], "no_title"),
        (vec![learner()], "not_a_claim"),
        (vec![], "no_root"),
    ] {
        let Refusal(problems) = encode(&item).expect_err(code);
        assert_eq!(problems[0].code, code);
    }
    let Refusal(problems) = encode(&[course("C", body("virta:organisaatio", "99999"))]).expect_err("unknown");
    assert!(problems[0].message.contains("99999"), "{}", problems[0].message);
}

#[test]
fn ids_derive_from_item_and_generation_and_say_nothing_else() {
    let item = [course("C", rich()), learner()];
    let (once, again) = (encode(&item).expect("encodes").document, encode(&item).expect("encodes").document);
    assert_eq!(once, again);
    let later = Elm.encode(&item, ctx(2)).expect("encodes").document;
    assert_ne!(once, later);
    assert_eq!(forms(&decode(&once).0), forms(&decode(&later).0), "L4");
}

#[test]
fn what_is_no_credential_is_refused_with_its_place() {
    let credential = String::from_utf8(encode(&[course("C", json!({}))]).expect("encodes").document).expect("UTF-8");
    for (from, to, code) in [
        ("http://data.europa.eu/snb/model/context/edc-ap", "https://example.org/context", "wrong_context"),
        (",\"EuropeanDigitalCredential\"", "", "wrong_type"),
        ("urn:epass:address:1\",\"type\":\"Address\"", "urn:epass:org:1\",\"type\":\"Address\"", "id_conflict"),
        ("\"type\":\"LearningAchievement\"", "\"type\":\"LearningEntitlement\"", "unknown_claim"),
        ("\"credentialSubject\"", "\"subject\"", "no_subject"),
    ] {
        assert!(credential.contains(from), "{from}");
        let (records, problems, _) = decode(credential.replacen(from, to, 1).as_bytes());
        assert_eq!((records.len(), problems[0].code.as_str()), (0, code));
        assert!(problems[0].path.is_some() && problems[0].line == Some(1), "{code}");
    }
    let (records, problems, unread) = decode(credential.replace("creditPoint\":", "creditPoints\":").as_bytes());
    let misspelt = "/credentialSubject/hasClaim/specifiedBy/creditPoints";
    assert_eq!((records.len(), unread), (1, vec![misspelt.to_owned()]));
    assert_eq!((problems[0].code.as_str(), problems[0].path.as_deref()), ("unknown_term", Some(misspelt)));
}

#[test]
fn what_a_record_has_no_field_for_is_kept_and_written_again() {
    let extension = json!({
        "claim": {"entitlesTo": {"type": "LearningEntitlement", "title": {"en": "Practice"}},
            "identifier": [{"type": "Identifier", "notation": "7", "schemeName": "Certificate"}]},
        "awardingProcess": {"awardingBody": [{"type": "Organisation", "legalName": {"en": "The other university"}}]},
        "awardingBody": {"logo": {"type": "MediaObject", "content": "aW1hZ2U="}},
        "specification": {"maximumDuration": "P1M", "type": "Qualification"},
        "activity": {"title": {"en": "Course"}, "directedBy": {"type": "Organisation", "logo": {"type": "MediaObject", "content": "aW1hZ2U="}}},
    });
    let grade = json!({"scale": {"code": {"scheme": "virta:arvosana", "value": "Viisiportainen"}}, "value": "4"});
    let mut abroad = course(
        "A",
        json!({"grade": grade, "extensions": {"elm": extension}, "country": {"scheme": "virta:maa", "value": "752"},
        "awarding_body": {"scheme": "http://example.org/ids", "value": "U1", "label": [{"lang": "sv", "value": "Universitetet"}]}}),
    );
    assert_eq!(lawful(std::slice::from_ref(&abroad)), ["mapped_code /body/country"]);
    let text = String::from_utf8(encode(std::slice::from_ref(&abroad)).expect("encodes").document).expect("UTF-8");
    assert_eq!(text.matches("aW1hZ2U=").count(), 1, "an image is stored once");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let claim = &document["credentialSubject"]["hasClaim"];
    assert_eq!(claim["awardedBy"]["awardingBody"].as_array().map(Vec::len), Some(2), "a joint award");
    assert_eq!(claim["specifiedBy"]["type"], "Qualification");

    let Some(silta_adapter::record::Body::Attainment(a)) = &mut abroad.body else { panic!("an attainment") };
    a.extensions.set("elm", &json!({"claim": {"misspelt": 1}}));
    assert_eq!(lawful(&[abroad]), ["extensions /body/extensions/elm", "mapped_code /body/country"]);
}

#[test]
fn wrapped_sealed_listed_and_lined_up_credentials_are_read() {
    let line = String::from_utf8(encode(&[course("C", json!({}))]).expect("encodes").document).expect("UTF-8");
    let credential: Value = serde_json::from_str(&line).expect("JSON");
    let sealed = json!({"payload": line, "signatures": [{"protected": "e30", "signature": "x"}]});
    for (document, expected) in [
        (format!("{line}{line}"), 2),
        (json!([credential, credential]).to_string(), 2),
        (json!({"credential": credential, "deliveryDetails": {}}).to_string(), 1),
        (sealed.to_string(), 1),
    ] {
        assert_eq!(decode(document.as_bytes()).0.len(), expected);
    }
    assert_eq!(decode(sealed.to_string().as_bytes()).1[0].code, "unverified_seal");
}

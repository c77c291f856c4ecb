//! The built-in rules for credentials against the Commission's shapes, on real cases and on mutants of them.
#![expect(clippy::expect_used, reason = "a test ends with what broke it")]

use contract_tests::shacl::{self, Question};
use contract_tests::{files, shared_dir};
use serde_json::{Map, Value, json};
use silta_adapter::adapter::Limits;
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::Fixer;
use silta_adapter::validate::{Origin, Report};
use silta_elm::check::{Edition, check};
use std::path::Path;
use std::sync::LazyLock;

static MAPPINGS: LazyLock<Mappings> = LazyLock::new(|| Mappings::builtin().expect("the built-in mappings read"));

fn report(document: &Value, edition: Edition) -> Report {
    let document = document.as_object().expect("an object").clone();
    check(document, edition, &Limits::default(), &MAPPINGS).expect("readable")
}

/// The credential in a document, however it is held, with the contexts it is judged by.
fn credential(document: &Value) -> Value {
    let payload = document.get("payload").and_then(Value::as_str);
    let credential = match (payload, document.get("credential")) {
        (Some(payload), _) => serde_json::from_str(payload).expect("a payload"),
        (None, Some(Value::Object(wrapped))) if document.get("@context").is_none() => wrapped.clone(),
        _ => document.as_object().expect("an object").clone(),
    };
    let contexts = json!(["https://www.w3.org/2018/credentials/v1", "http://data.europa.eu/snb/model/context/edc-ap"]);
    with(&credential, "@context", contexts)
}

fn cases(folder: &Path) -> Vec<(String, Value)> {
    let mut files = files(folder, ".jsonld");
    files.extend(self::files(folder, ".json"));
    let name = |file: &Path| file.strip_prefix(folder).expect("a case").display().to_string();
    let read = |file: &Path| serde_json::from_slice(&std::fs::read(file).expect("a case")).expect("JSON");
    files.iter().map(|file| (name(file), read(file))).collect()
}

const EDITIONS: [(Edition, &str); 3] =
    [(Edition::Published31, "3.1"), (Edition::Published32, "3.2"), (Edition::Upload, "upload")];

/// Asserts that what we say the official shapes say is what they say, about every document.
fn assert_agreement(documents: &[(String, Value)], editions: &[(Edition, &str)]) {
    let mut questions = Vec::new();
    let mut ours = Vec::new();
    for (name, document) in documents {
        for (edition, label) in editions {
            let report = report(document, *edition);
            // Where contexts or types are wrong the shapes have no target, and SHACL has nothing to say.
            let Some(official) = report.official else { continue };
            let shapes = report.schema.to_string();
            questions.push(Question { edition: (*label).into(), shapes, credential: credential(document) });
            ours.push((format!("{name} by {label}"), official, report));
        }
    }
    assert!(ours.len() >= documents.len(), "hardly anything was judged");
    let Some(theirs) = shacl::verdicts(&questions) else { return };
    let differ = ours.iter().zip(&theirs).filter(|((_, ours, _), theirs)| theirs["conforms"] != *ours);
    let differ: Vec<String> =
        differ.map(|((name, _, report), theirs)| format!("{name}: {theirs}\n  ours: {:#?}", report.findings)).collect();
    assert!(differ.is_empty(), "{} of {} verdicts differ:\n{}", differ.len(), ours.len(), differ.join("\n"));
    let valid = ours.iter().filter(|(_, official, _)| *official).count();
    eprintln!("{} verdicts agree, {valid} of them that it conforms", ours.len());
}

#[test]
fn every_case_gets_the_official_verdict() {
    let Some(folder) = shared_dir("cases/elm") else { return };
    let judged: Vec<_> =
        cases(&folder).into_iter().filter(|(_, case)| report(case, Edition::Upload).official.is_some()).collect();
    assert!(judged.len() > 30, "{}", judged.len());
    assert_agreement(&judged, &EDITIONS);
}

/// Where the members of a document stand: its JSON pointers with what they point at.
fn places(value: &Value, path: String, found: &mut Vec<(String, Value)>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(nth, value)| (nth.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        let path = format!("{path}/{name}");
        found.push((path.clone(), child.clone()));
        places(child, path, found);
    }
}

/// One change to what stands at a place; `None` if it is no change there.
type Change = fn(&Value) -> Option<Value>;

/// Changes to values, by name.
const CHANGES: [(&str, Change); 13] = [
    ("emptied", |_| Some(json!([]))),
    ("made a text", |v| (!v.is_string()).then(|| json!("text"))),
    ("made a number", |v| (!v.is_number() && !is_language_map(v)).then(|| json!(7))),
    ("made an empty node", |v| v.is_string().then(|| json!({"type": "Note"}))),
    ("made a bad literal", |v| {
        v.as_str().filter(|t| t.contains('T') || t.starts_with('P')).map(|t| json!(format!("{t}x")))
    }),
    ("made a day", |v| v.as_str().filter(|t| t.ends_with('Z')).and_then(|t| t.get(..10)).map(|t| json!(t))),
    ("said twice", |v| v.as_object().filter(|m| m.contains_key("id")).map(|m| json!([v, other(m)]))),
    ("a second text", |v| is_language_map(v).then(|| json!({"en": ["one", "two"]}))),
    ("an unnamed language", |v| is_language_map(v).then(|| json!({"und": "text"}))),
    ("without its id", |v| without(v, "id")),
    ("without its type", |v| without(v, "type")),
    ("without its scheme", |v| without(v, "inScheme")),
    ("of another type", |v| v.as_object().filter(|m| m.contains_key("type")).map(|m| with(m, "type", json!("Note")))),
];

fn is_language_map(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.keys().all(|key| key.len() == 2))
}

fn with(map: &Map<String, Value>, name: &str, value: Value) -> Value {
    let mut map = map.clone();
    map.insert(name.into(), value);
    map.into()
}

fn other(map: &Map<String, Value>) -> Value {
    with(map, "id", json!("urn:epass:other:1"))
}

fn without(value: &Value, name: &str) -> Option<Value> {
    let mut map = value.as_object()?.clone();
    map.remove(name).map(|_| map.into())
}

/// Mutants of a credential, one change each: every member of every kind of node left out once, and each change at
/// places spread over the document.
fn mutants(name: &str, base: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    places(base, String::new(), &mut found);
    found.retain(|(path, _)| !path.starts_with("/@context") && path != "/type" && !path.starts_with("/type/"));
    let mut mutants = Vec::new();
    let mut mutate = |path: &str, how: &str, value: Option<Value>| {
        let mut mutant = base.clone();
        let (parent, member) = path.rsplit_once('/').expect("a pointer");
        match (mutant.pointer_mut(parent).expect("a parent"), value) {
            (Value::Object(map), Some(value)) => drop(map.insert(member.into(), value)),
            (Value::Object(map), None) => drop(map.remove(member)),
            (Value::Array(list), Some(value)) => list[member.parse::<usize>().expect("an index")] = value,
            (Value::Array(list), None) => drop(list.remove(member.parse().expect("an index"))),
            _ => return,
        }
        mutants.push((format!("{name}{path} {how}"), mutant));
    };
    let member =
        |path: &str| path.rsplit('/').find(|step| step.parse::<usize>().is_err()).unwrap_or_default().to_owned();
    let mut left_out = std::collections::BTreeSet::new();
    for (path, _) in &found {
        let (parent, last) = path.rsplit_once('/').expect("a pointer");
        if left_out.insert((member(parent), last.to_owned())) && left_out.len() % 5 == 0 {
            mutate(path, "left out", None);
        }
    }
    for (nth, (how, change)) in CHANGES.iter().enumerate() {
        let changed: Vec<(&String, Value)> = found.iter().filter_map(|(path, v)| Some((path, change(v)?))).collect();
        for at in 0..3 {
            if let Some((path, value)) = changed.get((at * changed.len() / 3 + nth * 3) % changed.len().max(1)) {
                mutate(path, how, Some(value.clone()));
            }
        }
    }
    mutants
}

#[test]
fn mutants_get_the_official_verdict() {
    let Some(folder) = shared_dir("cases/elm") else { return };
    let base =
        |name: &str| credential(&serde_json::from_slice(&std::fs::read(folder.join(name)).expect(name)).expect("JSON"));
    for (name, edition) in [
        ("mutations/00-base-images-stripped.jsonld", EDITIONS[0]),
        ("Sample-CertOfPart-unsigned-uploadable.json", EDITIONS[2]),
    ] {
        let mutants = mutants(name, &base(name));
        assert!(mutants.len() >= 50, "{}", mutants.len());
        assert_agreement(&mutants, &[edition]);
    }
}

#[test]
fn what_the_shapes_pass_over_is_told() {
    let Some(folder) = shared_dir("cases/elm") else { return };
    let base: Value = serde_json::from_slice(
        &std::fs::read(folder.join("mutations/00-base-images-stripped.jsonld")).expect("a case"),
    )
    .expect("JSON");
    let claim = "/credentialSubject/hasClaim";
    let spec = format!("{claim}/specifiedBy");
    let changed = |path: &str, change: &dyn Fn(&mut Map<String, Value>)| {
        let mut document = base.clone();
        change(document.pointer_mut(path).and_then(Value::as_object_mut).expect(path));
        document
    };
    let untouched = report(&base, Edition::Published31);
    assert!(untouched.conforms, "{:#?}", untouched.findings);
    for (document, rule, path) in [
        (
            changed(&spec, &|m| drop(m.insert("learningOutcomes".into(), json!({})))),
            "unknown_term",
            format!("{spec}/learningOutcomes"),
        ),
        (
            changed(claim, &|m| drop(m.insert("type".into(), json!(["LearningAchievement", "Micro"])))),
            "unknown_type",
            format!("{claim}/type"),
        ),
        (
            changed("", &|m| drop(m.insert("@context".into(), json!(["https://www.w3.org/2018/credentials/v1"])))),
            "wrong_context",
            "/@context".into(),
        ),
        (changed("", &|m| drop(m.remove("@context"))), "wrong_context", "/@context".into()),
        (changed("", &|m| drop(m.insert("type".into(), json!("VerifiableCredential")))), "wrong_type", "/type".into()),
        (
            changed(&format!("{spec}/eqfLevel"), &|m| {
                drop(m.insert("id".into(), json!("http://data.europa.eu/snb/eqf/99")))
            }),
            "unlisted_code",
            format!("{spec}/eqfLevel"),
        ),
        (
            changed("/credentialSubject", &|m| drop(m.insert("dateOfBirth".into(), json!("1999-10-02")))),
            "lexical_form",
            "/credentialSubject/dateOfBirth".into(),
        ),
        (
            changed(claim, &|m| drop(m.insert("awardedBy".into(), json!("the university")))),
            "not_a_node",
            format!("{claim}/awardedBy"),
        ),
    ] {
        let report = report(&document, Edition::Published31);
        let found = report.findings.iter().find(|f| f.rule == rule);
        assert_eq!(
            found.map(|f| (f.path.as_str(), f.origin)),
            Some((path.as_str(), Origin::Reading)),
            "{rule}: {:#?}",
            report.findings
        );
        assert!(!report.conforms, "{rule}");
    }
}

#[test]
fn valid_cases_conform_and_traps_do_not() {
    let Some(folder) = shared_dir("cases/elm") else { return };
    let conforms = |name: &str, edition| {
        let case: Value = serde_json::from_slice(&std::fs::read(folder.join(name)).expect(name)).expect("JSON");
        report(&case, edition)
    };
    for name in [
        "Sample-CertOfPart-signed.jsonld",
        "Sample-MC-Annex1-signed.jsonld",
        "elm-support-2025/AA-Annex1-MC-signed.jsonld",
        "elm-support-2025/Sample-CertOfPart-signed.jsonld",
        "elm-support-2025/Sample-TranscriptOfRecords-signed.jsonld",
        "mutations/16-issued-no-timezone.jsonld",
        "mutations/18-credit-point-number-json.jsonld",
        "mutations/22-no-email.jsonld",
        "mutations/30-dateModified-on-org.jsonld",
        "mutations/36-two-claims.jsonld",
        "mutations/40-awardingBody-ref-by-id-only.jsonld",
        "mutations/42-annex1-M6-to-M11-removed.jsonld",
    ] {
        for edition in Edition::ALL {
            let report = conforms(name, edition);
            let errors: Vec<_> = report.findings.iter().filter(|finding| finding.is_error()).collect();
            assert!(report.conforms, "{name} by {edition}: {errors:#?}");
        }
    }
    for name in [
        "Sample-MC-Annex1-unsigned.jsonld",
        "Sample-CertOfPart-unsigned-uploadable.json",
        "elm-support-2025/Sample-TranscriptOfRecords-unsigned.json",
    ] {
        let sealing = conforms(name, Edition::Published31);
        let upload = conforms(name, Edition::Upload);
        assert!(upload.conforms && !sealing.conforms, "{name}: {:#?}", upload.findings);
        let mut errors = sealing.findings.iter().filter(|finding| finding.is_error());
        assert!(errors.all(|finding| finding.fixer == Fixer::Operator), "{:#?}", sealing.findings);
    }
    for name in [
        "ec-issuer-tests/acc.json",
        "ec-issuer-tests/cred2_1context.jsonld",
        "ec-issuer-tests/credNoType.jsonld",
        "mutations/34-context-only-edc.jsonld",
    ] {
        let report = conforms(name, Edition::Published31);
        assert_eq!((report.conforms, report.official), (false, None), "{name}");
    }
    let theirs = conforms("ec-issuer-tests/credential_shouldValidate.jsonld", Edition::Upload);
    assert_eq!(theirs.official, Some(true), "{:#?}", theirs.findings);
    assert!(!theirs.conforms && theirs.findings.iter().any(|f| f.rule == "id_conflict"), "SHACL does not see it");
    let unnamed = conforms("ec-issuer-tests/cred_noLegalName_shouldFail.jsonld", Edition::Published31);
    for rule in ["EuropeanDigitalCredential.credentialSchema.min", "EuropeanDigitalCredential.displayParameter.min"] {
        assert!(unnamed.findings.iter().any(|finding| finding.rule == rule), "{:#?}", unnamed.findings);
    }
    let iota = conforms("credential-sample.jsonld", Edition::Upload);
    assert!(
        iota.findings.iter().any(|f| f.rule == "unknown_term" && f.path.contains('\u{399}')),
        "{:#?}",
        iota.findings
    );
}

#[test]
fn the_tables_are_the_facts_of_the_official_files() {
    for (table, ours) in [
        ("terms", include_str!("../../adapters/elm/src/check/terms.txt")),
        ("shapes", include_str!("../../adapters/elm/src/check/shapes.txt")),
    ] {
        let Some(theirs) = shacl::script("elm_rules.py", &[table], String::new()) else { return };
        assert!(ours == theirs, "{table}.txt is not what contract-tests/elm_rules.py prints");
    }
}

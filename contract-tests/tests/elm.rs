//! The ELM adapter against the Commission's shapes and samples.
#![expect(clippy::expect_used, reason = "a test ends with what broke it")]

use contract_tests::pki::Pki;
use contract_tests::shacl::{self, Question};
use contract_tests::{files, shared_dir};
use jiff::Timestamp;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use silta_adapter::adapter::{Decode, DecodeContext, Decoded, Encode, EncodeContext, Limits, Reading, Unreadable};
use silta_adapter::conformance::{Vocabulary, any_learner, check_law, check_reading};
use silta_adapter::mapping::Mappings;
use silta_adapter::micro_credential::{Part, Standing, assess, wholes};
use silta_adapter::problem::{Problem, Severity};
use silta_adapter::record::{Body, Coded, LearnerKey, Record, RecordKey, RecordKind};
use silta_adapter::seal::Seal;
use silta_elm::{Elm, check};
use silta_page::Pages;
use silta_seal::key::Companions;
use silta_seal::{Bounds, Certificate, Key, Sealer, Trust, Verdict, Verifier};
use silta_virta::Virta;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// Learners generated for the shapes to judge.
const GENERATED: usize = 40;

static MAPPINGS: LazyLock<Mappings> = LazyLock::new(|| Mappings::builtin().expect("the built-in mappings read"));

fn decode(adapter: &dyn Decode, document: &[u8]) -> Result<(Vec<Record>, Vec<Problem>, Reading), Unreadable> {
    let ctx = DecodeContext { tenant: "uni".into(), source: "sis".into(), limits: Limits::default() };
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let mut sink = |found: Decoded| {
        match found {
            Decoded::Record(record, _) => records.push(*record),
            Decoded::Problem(problem) => problems.push(problem),
        }
        Ok(())
    };
    let reading = adapter.decode(&mut &*document, &ctx, &mut sink)?;
    Ok((records, problems, reading))
}

fn sample(cases: &Path, name: &str) -> Vec<u8> {
    std::fs::read(cases.join(name)).expect(name)
}

/// The keys of an item that was refused, and why.
type Refused = (Vec<RecordKey>, Vec<Problem>);

/// The credentials of all items of one learner's records, one per line, and the items refused.
fn credentials(records: &[Record]) -> (Vec<u8>, Vec<Refused>) {
    let instant = "2026-11-21T10:00:00Z".parse().expect("an instant");
    let ctx = EncodeContext { mappings: &MAPPINGS, generation: 1, instant };
    let (mut documents, mut refused) = (Vec::new(), Vec::new());
    for plan in Elm.items(records).0 {
        let item: Vec<Record> = plan.members.iter().map(|at| records[*at].clone()).collect();
        match Elm.encode(&item, ctx) {
            Ok(encoded) => documents.extend(encoded.document),
            Err(refusal) => refused.push((item.into_iter().map(|r| r.head.key).collect(), refusal.0)),
        }
    }
    (documents, refused)
}

/// The verdicts of the upload shapes on credentials, one per line; `None` if the tools are missing.
fn verdicts(ndjson: &[u8]) -> Option<Vec<Value>> {
    let lines = ndjson.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    let question = |line| Question {
        edition: "upload".into(),
        shapes: "generic-full".into(),
        credential: serde_json::from_slice(line).expect("a credential"),
    };
    shacl::verdicts(&lines.map(question).collect::<Vec<_>>())
}

/// Asserts that every credential conforms, and that each really was looked at.
fn assert_conform(ndjson: &[u8]) {
    let documents: Vec<Vec<u8>> = ndjson.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    assert!(!documents.is_empty());
    let Some(verdicts) = verdicts(ndjson) else { return };
    let failed: Vec<String> = verdicts
        .iter()
        .zip(&documents)
        .filter(|(verdict, _)| verdict["conforms"] != true || verdict["targets"] != 1)
        .map(|(verdict, document)| format!("{verdict}\n{}", String::from_utf8_lossy(document)))
        .collect();
    assert!(failed.is_empty(), "{} of {} do not conform:\n{}", failed.len(), documents.len(), failed.join("\n"));
    eprintln!("{} credentials conform", documents.len());
}

fn record(kind: &str, id: &str, body: Value) -> Record {
    let line = json!({"kind": kind, "tenant": "uni", "source": "sis", "institution": "10122", "id": id,
        "learner": "L1", "body": body});
    serde_json::from_value(line).expect("a record")
}

fn body(mut more: Value) -> Value {
    more["awarding_body"] = json!({"scheme": "virta:organisaatio", "value": "10122"});
    more
}

fn concept(list: &str, value: &str) -> Value {
    json!({"scheme": format!("http://data.europa.eu/snb/{list}/25831c2"), "value": format!("http://data.europa.eu/snb/{list}/{value}")})
}

/// A learner with everything the format can hold of records of every kind.
fn synthetic() -> Vec<Record> {
    let fi = |text: &str| json!([{"lang": "fi", "value": text}, {"lang": "en", "value": "in English"}, {"value": "without a language"}]);
    vec![
        record(
            "learner",
            "L1",
            json!({"given_names": "Testi Taru", "family_name": "Esimerkki", "full_name": "Testi Taru Esimerkki",
            "date_of_birth": "1999-10-02", "email": "taru@example.org",
            "identifiers": [{"scheme": "fi:hetu", "value": "021099-900C"}, {"scheme": "fi:oppijanumero", "value": "1.2.246.562.24.90000000001"}],
            "citizenships": [{"scheme": "virta:maa", "value": "246"}, {"scheme": "virta:maa", "value": "752"}]}),
        ),
        record(
            "attainment",
            "D",
            body(json!({"title": fi("Kandidaatti"), "category": {"scheme": "virta:opintosuorituslaji", "value": "1"},
            "completed_on": "2025-06-01", "issued_on": "2025-06-02", "expires_on": "2035-01-01", "credits": {"ects": "180"},
            "parts": [{"id": "M", "ects": "10"}, {"id": "N"}, {"id": "gone"}]})),
        ),
        record(
            "attainment",
            "M",
            body(json!({"title": fi("Moduuli"), "credits": {"ects": "10.0"}, "parts": [{"id": "C", "ects": "5"}]})),
        ),
        record("attainment", "N", body(json!({"code": "N-1", "parts": [{"id": "C"}, {"id": "P"}]}))),
        record(
            "attainment",
            "C",
            body(json!({"title": fi("Kurssi"), "credits": {"ects": "5.5", "credit_weeks": "3"},
            "grade": {"scale": {"code": {"scheme": "virta:arvosana", "value": "Viisiportainen"}}, "value": "4"}, "assessed_on": "2024-12-20"})),
        ),
        record(
            "attainment",
            "P",
            body(json!({"title": fi("Osasuoritus"), "credits": {"ects": "5"},
            "category": {"scheme": "virta:opintosuorituslaji", "value": "3"}})),
        ),
        record(
            "attainment",
            "MC",
            body(json!({"title": fi("Pieni osaamiskokonaisuus"), "description": fi("Kuvaus"), "code": "MC-1",
            "study_right": "SR", "national_code": "N", "achievement_type": concept("learning-opportunity", "74a4a268e8"),
            "started_on": "2025-01-01", "completed_on": "2025-05-01", "credits": {"ects": "5"}, "workload": "PT135H",
            "grade": {"scale": {"code": {"scheme": "virta:muu", "value": "S"}, "title": fi("Asteikko"), "grades": [{"key": "k", "code": "HYV"}]}, "value": "k"},
            "language": {"scheme": "virta:kieli", "value": "en"}, "education": {"scheme": "virta:koulutuskoodi", "value": "612101"},
            "fields_of_study": [{"field": concept("isced-f", "0613")}], "thesis": true, "additional_info": fi("Lisätieto"),
            "links": ["https://example.org/mc"], "learning_outcome_summary": fi("Tiivistelmä"), "entry_requirements": fi("Edeltävät"),
            "learning_outcomes": [{"title": fi("Osaa"), "description": fi("Tarkemmin"), "reusability": concept("skill-reuse-level", "transversal"),
                "skills": [{"scheme": "http://data.europa.eu/esco/concept-scheme/skills", "value": "http://data.europa.eu/esco/skill/1"},
                    {"scheme": "https://example.org/skills", "value": "https://example.org/skills/1"}]}],
            "eqf_level": {"scheme": "eqf", "value": "6"}, "nqf_levels": [concept("qdr", "c_2d1fde14")], "cycle": {"scheme": "qf-ehea", "value": "1"},
            "assessments": [{"assessment_type": concept("assessment", "6e6cb2cc78"), "mode": concept("learning-assessment", "920fbb3cbe"),
                "supervision": concept("supervision-verification", "70be69aaf9")}, {"assessment_type": concept("assessment", "4f03b91c0e")}],
            "quality_assurance": [{"accreditation_type": concept("accreditation", "bb4618238e"), "title": fi("Auditointi"),
                "agent": fi("Arviointikeskus"), "agent_country": {"scheme": "virta:maa", "value": "246"}, "link": "https://example.org/qa"}],
            "modes": [concept("learning-assessment", "e92d221e4d")], "learning_setting": concept("learning-setting", "6fd4685715"),
            "stackability": {"partial": true}})),
        ),
        record(
            "activity",
            "A",
            body(
                json!({"title": fi("Oppimispiiri"), "description": fi("Kuvaus"), "start": "2025-01-01", "end": "2025-05-31",
            "workload": "PT20H", "activity_type": concept("learning-activity", "efff75e10a"), "modes": [concept("learning-assessment", "920fbb3cbe")],
            "language": {"scheme": "virta:kieli", "value": "fi"}}),
            ),
        ),
    ]
}

#[test]
fn records_of_every_kind_conform_to_the_upload_shapes() {
    let (documents, refused) = credentials(&synthetic());
    assert_eq!((refused.len(), documents.iter().filter(|b| **b == b'\n').count()), (0, 3));
    assert_conform(&documents);
}

#[test]
fn the_validator_sees_what_is_wrong() {
    let (documents, _) = credentials(&synthetic());
    let text = String::from_utf8(documents).expect("UTF-8");
    let credential = text.lines().next().expect("a credential");
    let broken = [("awardedBy", "awardedBye"), ("validFrom", "validSince"), ("countryCode", "country")];
    let broken: String = broken
        .iter()
        .map(|(from, to)| credential.replace(&format!("\"{from}\""), &format!("\"{to}\"")) + "\n")
        .collect();
    let Some(verdicts) = verdicts(broken.as_bytes()) else { return };
    assert!(verdicts.iter().all(|verdict| verdict["conforms"] == false), "{verdicts:?}");
}

#[test]
fn whatever_records_say_conforms_to_the_upload_shapes() {
    let vocabulary = Vocabulary {
        kinds: vec![RecordKind::Learner, RecordKind::Attainment, RecordKind::Activity],
        ..Vocabulary::default()
    }
    .codes("/*/language", "virta:kieli", &["fi", "sv", "20"])
    .codes("/learner/citizenships/*", "virta:maa", &["246", "999"])
    .codes(
        "/attainment/quality_assurance/*/accreditation_type",
        "http://data.europa.eu/snb/accreditation/25831c2",
        &["http://data.europa.eu/snb/accreditation/bb4618238e"],
    )
    .codes("/attainment/quality_assurance/*/agent_country", "virta:maa", &["246", "752"])
    .sometimes("/attainment/quality_assurance/*/*", 0.8)
    .always("/*/title")
    .adjust(|record: &mut Record| {
        let known = Some(Coded::new("virta:organisaatio", "10122"));
        match &mut record.body {
            Some(Body::Attainment(a)) => a.awarding_body = known,
            Some(Body::Activity(a)) => a.awarding_body = known,
            _ => {}
        }
    });
    let mut runner = TestRunner::deterministic();
    let learners = any_learner(&vocabulary);
    let documents = (0..GENERATED).flat_map(|_| {
        let records = learners.new_tree(&mut runner).expect("generates").current();
        credentials(&records).0
    });
    assert_conform(&documents.collect::<Vec<u8>>());
}

/// The records of all readable documents of the national store, by document and learner.
fn virta_learners(cases: &Path) -> BTreeMap<(PathBuf, LearnerKey), Vec<Record>> {
    let mut learners: BTreeMap<_, Vec<Record>> = BTreeMap::new();
    for file in files(cases, ".xml") {
        let document = std::fs::read(&file).expect("a readable file");
        for record in decode(&Virta, &document).map(|(records, ..)| records).unwrap_or_default() {
            learners.entry((file.clone(), record.learner_key())).or_default().push(record);
        }
    }
    learners
}

#[test]
fn what_the_national_store_holds_conforms_to_the_upload_shapes() {
    let Some(cases) = shared_dir("cases/virta") else { return };
    let (mut documents, mut unknown, mut attainments) = (Vec::new(), BTreeSet::new(), 0);
    for ((file, _), records) in virta_learners(&cases) {
        if let Err(broken) = check_law(&Elm, &MAPPINGS, &records) {
            panic!("{}: {broken}", file.display());
        }
        let (written, refused) = credentials(&records);
        for problem in refused.iter().flat_map(|(_, problems)| problems) {
            assert_eq!(problem.code, "unknown_awarding_body", "{}: {problem}", file.display());
            let key = problem.key.as_ref().expect("a refusal names its record");
            let code = records.iter().find(|r| r.head.key == *key).and_then(awarding_body).expect("an awarding body");
            assert!(problem.message.contains(code.value.as_str()), "{problem}");
            unknown.insert(code.value.clone());
        }
        attainments += all_kept(&records, &written, &refused);
        documents.extend(written);
    }
    eprintln!("{attainments} attainments in credentials");
    // XX is VIRTA's own code for none of the institutions it knows.
    assert_eq!(unknown.iter().collect::<Vec<_>>(), ["XX"]);
    assert_conform(&documents);
}

/// Sealers with test certificates, one for each kind of key that is usual.
fn sealers(pki: &Pki) -> Vec<Sealer> {
    let kinds = [
        ("rsa", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
        ("p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
    ];
    let sealer = |(name, kind): (&str, &str)| {
        pki.certify(name, kind, "seal");
        let certificates = Certificate::from_file(&pki.read(&format!("{name}.pem"))).expect("a certificate");
        let with = Companions { certificates, algorithm: None };
        let key = Key::from_pem(&pki.read(&format!("{name}.key")), None, with).expect("a key");
        Sealer::new(key, Arc::new(MAPPINGS.clone())).with_images(Arc::new(Pages))
    };
    kinds.into_iter().map(sealer).collect()
}

#[tokio::test]
async fn what_the_national_store_holds_conforms_to_the_published_shapes_once_sealed() {
    let Some(cases) = shared_dir("cases/virta") else { return };
    let Some(pki) = Pki::new() else { return };
    let sealers = sealers(&pki);
    let mut trust = Trust::default();
    trust.anchor(Certificate::from_file(&pki.read("root.pem")).expect("a certificate").remove(0));
    // Certificates made just now are not valid before.
    let made = std::fs::metadata(pki.path("p256.pem")).and_then(|m| m.modified()).expect("a time");
    let now = Timestamp::try_from(made).expect("a time");
    let (mut questions, mut images, mut sealing) = (Vec::new(), 0, sealers.iter().cycle());
    for records in virta_learners(&cases).values() {
        for document in credentials(records).0.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let sealed = sealing.next().expect("a sealer").seal(document, now).await.expect("sealed");
            let verifier = Verifier { trust: &trust, mappings: &MAPPINGS, lists: &[], bounds: Bounds::default() };
            let report = verifier.verify(&sealed, now);
            assert_eq!(report.verdict(), Verdict::Trusted, "{report:#?}");
            let sealed: Value = serde_json::from_slice(&sealed).expect("JSON");
            let credential: Value = serde_json::from_str(sealed["payload"].as_str().expect("text")).expect("JSON");
            for edition in [check::Edition::Published31, check::Edition::Published32] {
                let document = sealed.as_object().expect("an object").clone();
                let found = check::check(document, edition, &Limits::default(), &MAPPINGS).expect("readable");
                assert!(found.conforms, "{:#?}", found.findings);
            }
            let pages = credential["displayParameter"]["individualDisplay"].as_array().expect("pages");
            images += pages.iter().map(|page| page["displayDetail"].as_array().map_or(0, Vec::len)).sum::<usize>();
            // The shapes are slow to ask: of edition 3.2, on which ours agree with them, about one in ten.
            let editions: &[&str] = if questions.len() % 11 == 0 { &["3.1", "3.2"] } else { &["3.1"] };
            questions.extend(editions.iter().map(|edition| Question {
                edition: (*edition).into(),
                shapes: "generic-full".into(),
                credential: credential.clone(),
            }));
        }
    }
    eprintln!("{images} pages drawn, {} verdicts asked for", questions.len());
    assert!(!questions.is_empty());
    let Some(verdicts) = shacl::verdicts(&questions) else { return };
    let failed: Vec<_> = verdicts.iter().filter(|v| v["conforms"] != true || v["targets"] != 1).collect();
    assert!(failed.is_empty(), "{} of {} do not conform: {:?}", failed.len(), verdicts.len(), failed.first());
}

fn awarding_body(record: &Record) -> Option<&Coded> {
    match &record.body {
        Some(Body::Attainment(a)) => a.awarding_body.as_ref(),
        _ => None,
    }
}

/// Asserts that every attainment is in a credential, in a refused item, or a partial one of nothing; how many are in
/// credentials.
fn all_kept(records: &[Record], written: &[u8], refused: &[Refused]) -> usize {
    let attainment = |key: &&RecordKey| key.kind == RecordKind::Attainment;
    let keys = |records: &[Record]| -> BTreeSet<RecordKey> {
        records.iter().map(|r| &r.head.key).filter(attainment).cloned().collect()
    };
    let (read, problems, _) = decode(&Elm, written).expect("our own credentials are readable");
    assert_eq!(problems, []);
    let alone = Elm.items(records).1.into_iter().filter(|p| p.code == "partial_without_whole").filter_map(|p| p.key);
    let mut kept = keys(&read);
    let written = kept.len();
    kept.extend(alone.chain(refused.iter().flat_map(|(keys, _)| keys.clone())));
    let missing: Vec<_> = keys(records).difference(&kept).cloned().collect();
    assert!(missing.is_empty(), "{missing:?} are in no credential");
    written
}

#[test]
fn every_mapped_value_is_in_the_official_list() {
    let Some(vocabularies) = shared_dir("schemas/elm/vocab") else { return };
    for (list, file) in [
        ("accreditation", "europass-accreditation-types"),
        ("assessment", "europass-learning-assessment-types"),
        ("country", "country"),
        ("education-credit", "credit-points"),
        ("eqf", "eqf"),
        ("isced-f", "isced-f"),
        ("language", "language"),
        ("learning-activity", "europass-learning-activity-types"),
        ("learning-opportunity", "europass-learning-opportunity-types"),
        ("learning-setting", "europass-learning-setting-types"),
        ("mode", "europass-modes"),
        ("nqf", "nqf"),
        ("skill-reuse-level", "skill-reuse-levels"),
    ] {
        let official = std::fs::read_to_string(vocabularies.join(file).with_extension("csv")).expect(file);
        let official: BTreeSet<&str> = official.lines().filter_map(|line| line.split(',').next()).collect();
        let mut codes = MAPPINGS.list(list).iter().peekable();
        assert!(codes.peek().is_some(), "{list} is empty");
        for code in codes {
            assert!(official.contains(code.value.as_str()), "{} is not in {file}", code.value);
        }
    }
}

/// Samples, and how many learners, attainments and activities each claims.
const SAMPLES: [(&str, [usize; 3]); 15] = [
    ("Sample-CertOfPart-signed.jsonld", [1, 0, 1]),
    ("Sample-CertOfPart-unsigned-uploadable.json", [1, 0, 1]),
    ("Sample-CertOfPart-unsigned.jsonld", [1, 0, 1]),
    ("Sample-MC-Annex1-signed.jsonld", [1, 1, 0]),
    ("Sample-MC-Annex1-unsigned-uploadable.json", [1, 1, 0]),
    ("Sample-MC-Annex1-unsigned.jsonld", [1, 1, 0]),
    ("credential-sample.jsonld", [1, 1, 0]),
    ("elm-support-2025/AA-Annex1-MC-signed.jsonld", [1, 1, 0]),
    ("elm-support-2025/AA-Annex1-MC-unsigned.json", [1, 1, 0]),
    ("elm-support-2025/Sample-CertOfPart-signed.jsonld", [1, 0, 1]),
    ("elm-support-2025/Sample-TranscriptOfRecords-signed.jsonld", [1, 11, 0]),
    ("elm-support-2025/Sample-TranscriptOfRecords-unsigned.json", [1, 11, 0]),
    ("mutations/36-two-claims.jsonld", [1, 1, 1]),
    ("payloads/2025-AA-Annex1-MC-signed.payload.jsonld", [1, 1, 0]),
    ("payloads/Sample-MC-Annex1-signed.payload.jsonld", [1, 1, 0]),
];

#[test]
fn official_samples_are_read() {
    let Some(cases) = shared_dir("cases/elm") else { return };
    for (name, expected) in SAMPLES {
        let (records, problems, reading) = decode(&Elm, &sample(&cases, name)).expect(name);
        let count = |test: fn(&Body) -> bool| records.iter().filter(|r| r.body.as_ref().is_some_and(test)).count();
        let counts = [
            count(|b| matches!(b, Body::Learner(_))),
            count(|b| matches!(b, Body::Attainment(_))),
            count(|b| matches!(b, Body::Activity(_))),
        ];
        assert_eq!(counts, expected, "{name}: {problems:?}");
        let errors: Vec<&str> =
            problems.iter().filter(|p| p.severity == Severity::Error).map(|p| p.code.as_str()).collect();
        // Of one sample a key is spelt with a Greek letter.
        let misspelt: &[&str] = if name == "credential-sample.jsonld" { &["unknown_term"] } else { &[] };
        assert_eq!(errors, misspelt, "{name}: {problems:?}");
        let known = |path: &String| path.starts_with("/credentialSubject/hasClaim/title");
        assert!(!reading.unread.is_empty() && !reading.unread.iter().any(known), "{name}: {:?}", reading.unread);
    }
}

#[test]
fn official_samples_are_written_back_whole_and_conform() {
    let Some(cases) = shared_dir("cases/elm") else { return };
    for (name, [learners, attainments, activities]) in SAMPLES {
        let document = sample(&cases, name);
        let outcome = check_reading(&Elm, &MAPPINGS, &document).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(outcome.refused, 0, "{name}");
        let (records, ..) = decode(&Elm, &document).expect(name);
        assert_eq!(records.len(), learners + attainments + activities);
        let (written, refused) = credentials(&records);
        assert!(refused.is_empty(), "{name}: {refused:?}");
        for line in written.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let credential = serde_json::from_slice(line).expect("an object");
            let report = check::check(credential, check::Edition::Upload, &Limits::default(), &MAPPINGS).expect(name);
            let errors: Vec<_> = report.findings.iter().filter(|finding| finding.is_error()).collect();
            assert!(report.conforms, "{name}: {errors:#?}");
        }
        assert!(written.len() <= document.len(), "{name}: {} bytes became {}", document.len(), written.len());
    }
}

#[test]
fn the_annex_1_samples_lack_quality_assurance() {
    let Some(cases) = shared_dir("cases/elm") else { return };
    for (name, lacking) in [
        ("elm-support-2025/AA-Annex1-MC-signed.jsonld", &["M11"][..]),
        // Its type of assessment is of a list of its own.
        ("Sample-MC-Annex1-signed.jsonld", &["M9", "M11"]),
    ] {
        let (records, ..) = decode(&Elm, &sample(&cases, name)).expect(name);
        let learner = records.iter().find_map(|record| match &record.body {
            Some(Body::Learner(learner)) => Some(&**learner),
            _ => None,
        });
        let judged = wholes(&records).find_map(|record| assess(record, learner, &MAPPINGS)).expect("an attainment");
        let found: Vec<&str> = judged
            .elements
            .iter()
            .filter(|element| element.part == Part::Mandatory && element.standing != Standing::Present)
            .map(|element| element.id)
            .collect();
        assert_eq!((found.as_slice(), judged.complete), (lacking, false), "{name}");
    }
}

#[test]
fn an_image_is_stored_once_and_a_long_transcript_is_small() {
    let Some(cases) = shared_dir("cases/elm") else { return };
    let (records, ..) =
        decode(&Elm, &sample(&cases, "elm-support-2025/Sample-TranscriptOfRecords-signed.jsonld")).expect("readable");
    let text = String::from_utf8(credentials(&records).0).expect("UTF-8");
    let mut images: Vec<&str> =
        text.split("\"content\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let all = images.len();
    images.sort_unstable();
    images.dedup();
    assert!(all > 0 && all == images.len(), "{all} images, {} different ones", images.len());

    let parts: Vec<Value> = (0..30).map(|n| json!({"id": format!("C{n}"), "ects": "5"})).collect();
    let mut records = vec![
        synthetic().remove(0),
        record(
            "attainment",
            "D",
            body(json!({"title": [{"lang": "fi", "value": "Opintosuoritusote"}], "parts": parts})),
        ),
    ];
    let course = record(
        "attainment",
        "C",
        body(
            json!({"title": [{"lang": "fi", "value": "Tietorakenteet"}, {"lang": "en", "value": "Data structures"}], "code": "CS.210",
            "credits": {"ects": "5"}, "completed_on": "2025-05-14", "language": {"scheme": "virta:kieli", "value": "fi"},
            "grade": {"scale": {"code": {"scheme": "virta:arvosana", "value": "Viisiportainen"}}, "value": "4"},
            "modes": [concept("learning-assessment", "e92d221e4d")], "fields_of_study": [{"field": concept("isced-f", "0613")}],
            "learning_outcome_summary": [{"lang": "en", "value": "Chooses data structures that fit the problem."}]}),
        ),
    );
    records.extend((0..30).map(|n| {
        let mut course = course.clone();
        course.head.key.id = format!("C{n}").into();
        course
    }));
    let (document, refused) = credentials(&records);
    assert!(refused.is_empty() && document.len() < 150_000, "{} bytes", document.len());
    eprintln!("a transcript with 30 parts has {} bytes", document.len());
}

#[test]
fn what_is_no_credential_is_refused_for_the_reason() {
    let Some(cases) = shared_dir("cases/elm") else { return };
    for (name, code) in [
        ("ec-issuer-tests/acc.json", "wrong_context"),
        ("ec-issuer-tests/cred2_1context.jsonld", "wrong_context"),
        ("ec-issuer-tests/credNoType.jsonld", "wrong_context"),
        ("ec-issuer-tests/cred_noLegalName_shouldFail.jsonld", "wrong_context"),
        ("ec-issuer-tests/credential-signed.jsonld", "wrong_context"),
        ("mutations/34-context-only-edc.jsonld", "wrong_context"),
        ("mutations/20-same-id-two-orgs.jsonld", "id_conflict"),
    ] {
        let (records, problems, _) = decode(&Elm, &sample(&cases, name)).expect(name);
        assert_eq!((records.len(), problems[0].code.as_str()), (0, code), "{name}");
    }
}

//! Every pair of formats: each case document of one format goes into every other that carries what it says, and what is
//! lost on the way is what that format declares, and nothing else.
#![expect(clippy::expect_used, reason = "a test ends with what broke it")]

use contract_tests::{files, shared_dir};
use silta::registry;
use silta_adapter::adapter::{Adapter, DecodeContext, Decoded, Grouping, Limits};
use silta_adapter::conformance::{Outcome, check_law};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::{Record, RecordKey, RecordKind};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Learners of one document that are tried: the law is checked for each item of theirs.
const LEARNERS: usize = 12;

/// A spreadsheet's rows, and what they say.
const MAPPING: &str = r#"
[input]
format = "csv"
[[record]]
kind = "learner"
id = "Number"
institution = { value = "10088" }
[record.body]
family_name = "Family"
given_names = "Given"
email = "Mail"
identifiers."fi:oppijanumero" = "Oid"
[[record]]
kind = "attainment"
id = "Completion"
learner = "Number"
institution = { value = "10088" }
[record.body]
title.en = "Course"
code = "Code"
credits.ects = "Credits"
completed_on = "Day"
"#;
const ROWS: &str = "Number;Family;Given;Mail;Oid;Completion;Course;Code;Credits;Day\n\
    1;Esimerkki;Testi;nobody@a.example;1.2.246.562.98.90000000019;c1;Biology;BIO-1;2,5;2026-05-12\n\
    1;Esimerkki;Testi;nobody@a.example;1.2.246.562.98.90000000019;c2;Chemistry;CHE-1;5;2026-05-13\n";

const PARTNER: &str = r#"{"personId":"22222222-2222-4222-8222-222222222222","primaryCode":{"codeType":"student_number","code":"1"},"givenName":"Testi","surname":"Esimerkki","activeEnrolment":true,"otherCodes":[{"codeType":"esi","code":"urn:schac:personalUniqueCode:int:esi:nl:1"}]}
{"associationId":"11111111-1111-4111-8111-111111111111","role":"student","state":"finished","personId":"22222222-2222-4222-8222-222222222222","courseOffering":{"courseOfferingId":"33333333-3333-4333-8333-333333333333","primaryCode":{"codeType":"offering_code","code":"BIO-1"},"name":[{"language":"en-GB","value":"Biology"}],"teachingLanguages":["en"]},"result":{"state":"completed","pass":"passed","final":true,"score":"4","resultDateTime":"2026-05-12T09:30:00+03:00","studyLoad":{"studyLoadUnit":"ects","value":5},"ext":{"resultValueType":"x-fi_0_5"}}}
"#;

const REGISTER: &str = r#"{"persons":[{"id":"hy-hlo-1","documentState":"ACTIVE","firstNames":"Testi","lastName":"Esimerkki","oppijanumero":"1.2.246.562.98.90000000019"}],
"courseUnits":[{"id":"hy-CU-1","code":"CU-1","name":{"en":"Data structures"}}],
"attainments":[{"type":"CourseUnitAttainment","id":"hy-a-1","documentState":"ACTIVE","personId":"hy-hlo-1","courseUnitId":"hy-CU-1","attainmentDate":"2026-05-12","registrationDate":"2026-05-13",
 "attainmentLanguageUrn":"urn:code:language:en","state":"ATTAINED","primary":true,"misregistration":false,"credits":2.5,"gradeScaleId":"sis-0-5","gradeId":3,"acceptorPersons":[{"personId":"hy-hlo-9"}],
 "organisations":[{"organisationId":"hy-org-1","share":1.0,"roleUrn":"urn:code:organisation-role:responsible-organisation"}]}]}"#;

fn mappings() -> Mappings {
    Mappings::builtin().expect("mappings")
}

fn formats(dir: &Path) -> Vec<Arc<dyn Adapter>> {
    let file = dir.join("sheet.mapping.toml");
    std::fs::write(&file, MAPPING).expect("written");
    let mut formats: Vec<_> = registry::adapters().iter().cloned().collect();
    formats.push(registry::mapping_file(&file, &mappings()).expect("a mapping"));
    formats
}

/// The case documents of each format: those of the project, and the shared ones.
fn documents() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut documents = vec![
        ("sheet", "rows".to_owned(), ROWS.as_bytes().to_vec()),
        ("ooapi", "partner".to_owned(), PARTNER.as_bytes().to_vec()),
        ("sisu", "register".to_owned(), REGISTER.as_bytes().to_vec()),
    ];
    let fixtures = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/demo"));
    let mut folders = vec![("virta", fixtures.clone(), ".xml"), ("record", fixtures, ".ndjson")];
    for (format, folder, ending) in [
        ("virta", "cases/virta", ".xml"),
        ("elm", "cases/elm", ".json"),
        ("elm", "cases/elm", ".jsonld"),
        ("koski", "cases/sis/koski", ".json"),
        ("sisu", "cases/sis/sisu", ".json"),
        ("ooapi", "cases/sis/ooapi", ".json"),
    ] {
        folders.extend(shared_dir(folder).map(|folder| (format, folder, ending)));
    }
    for (format, folder, ending) in folders {
        for file in files(&folder, ending) {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            documents.push((format, name, std::fs::read(&file).expect("a case")));
        }
    }
    documents
}

/// The records of each learner of a document, each once; nothing if it is not one of the format.
fn learners(adapter: &dyn Adapter, document: &[u8]) -> Vec<Vec<Record>> {
    let ctx = DecodeContext { tenant: "10088".into(), source: "peppi".into(), limits: Limits::default() };
    let mut by_learner: BTreeMap<_, BTreeMap<RecordKey, Record>> = BTreeMap::new();
    let mut found_records = Vec::new();
    let decoder = adapter.decoder().expect("reads");
    let read = decoder.decode(&mut &*document, &ctx, &mut |found| {
        if let Decoded::Record(record, _) = found {
            found_records.push(*record);
        }
        Ok(())
    });
    if read.is_err() {
        return Vec::new();
    }
    // A document of several institutions may have a learner of each under the same local id.
    let mut institutions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for head in found_records.iter().map(|record| &record.head).filter(|head| head.key.kind == RecordKind::Learner) {
        institutions.entry(head.learner.clone()).or_default().insert(head.key.institution.clone());
    }
    for record in found_records {
        let several = institutions.get(&record.head.learner).is_some_and(|known| known.len() > 1);
        let institution = several.then(|| record.head.key.institution.clone());
        let group = (record.head.learner.clone(), institution);
        by_learner.entry(group).or_default().insert(record.head.key.clone(), record);
    }
    let sorted = |records: BTreeMap<RecordKey, Record>| {
        let mut records: Vec<Record> = records.into_values().collect();
        records.sort_by_key(|record| record.head.key.kind);
        records
    };
    by_learner.into_values().take(LEARNERS).map(sorted).collect()
}

/// The law for the records of a learner in another format. What is left out is told by `silta convert`; here it has to be
/// of a kind the format does not carry, or left out by a format that composes what it can.
fn check(to: &dyn Adapter, mappings: &Mappings, records: &[Record]) -> Result<(Outcome, usize), String> {
    let outcome = check_law(to, mappings, records)?;
    let (plans, _) = to.encoder().expect("writes").items(records);
    let placed: BTreeSet<usize> = plans.iter().flat_map(|plan| plan.members.iter().copied()).collect();
    let left: Vec<&Record> =
        records.iter().enumerate().filter(|(at, _)| !placed.contains(at)).map(|(_, r)| r).collect();
    let composes = to.descriptor().grouping == Grouping::Learner;
    match left.iter().find(|record| !composes && !record.head.state.is_tombstone()) {
        Some(record) => Err(format!("a {} is left out and nothing is said", record.head.key.kind)),
        None => Ok((outcome, left.len())),
    }
}

#[test]
fn every_pair_of_formats_loses_what_it_declares_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let (formats, mappings) = (formats(dir.path()), mappings());
    let mut table: BTreeMap<(&str, &str), (Outcome, usize)> = BTreeMap::new();
    let mut broken = Vec::new();
    for (format, name, document) in documents() {
        let from = formats.iter().find(|adapter| adapter.descriptor().name == format).expect("a format");
        for records in learners(&**from, &document) {
            for to in formats.iter().filter(|adapter| adapter.encoder().is_some()) {
                match check(&**to, &mappings, &records) {
                    Ok((outcome, left)) => {
                        let row = table.entry((format, to.descriptor().name)).or_default();
                        row.0 += outcome;
                        row.1 += left;
                    }
                    Err(how) => broken.push(format!("{format} {name} to {}: {how}", to.descriptor().name)),
                }
            }
        }
    }
    for ((from, to), (outcome, left)) in &table {
        println!("{from:>8} to {to:<8} {outcome:?}, {left} left out");
    }
    broken.truncate(20);
    assert!(broken.is_empty(), "{broken:#?}");
    let held = |from, to| table.get(&(from, to)).map_or(0, |(outcome, _)| outcome.items - outcome.refused);
    let own = [
        ("sheet", "ooapi"),
        ("sheet", "record"),
        ("ooapi", "virta"),
        ("ooapi", "ooapi-v5"),
        ("sisu", "virta"),
        ("sisu", "elm"),
        ("sisu", "ooapi"),
    ];
    let shared = [
        ("virta", "elm"),
        ("virta", "ooapi"),
        ("virta", "record"),
        ("elm", "record"),
        ("elm", "ooapi"),
        ("koski", "koski"),
    ];
    let shared = shared_dir("cases").map(|_| shared).into_iter().flatten();
    for (from, to) in own.into_iter().chain(shared) {
        assert!(held(from, to) > 0, "nothing of {from} is held by {to}: {table:?}");
    }
}

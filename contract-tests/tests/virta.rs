//! VIRTA against its schema and real documents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests end the test")]

use contract_tests::tree::Element;
use contract_tests::{files, shared_dir};
use silta_adapter::adapter::{
    Decode, DecodeContext, Decoded, DocumentWriter, Encode, EncodeContext, Limits, Reading, Unreadable,
};
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::{Fixer, Problem};
use silta_adapter::record::{Record, RecordKind};
use silta_virta::Virta;
use silta_virta::decode::SoapFault;
use silta_virta::names::NAMESPACE;
use std::path::Path;
use std::process::Command;

const ROOTS: [&str; 6] =
    ["Virta", "Opiskelijat", "Opiskeluoikeudet", "LukukausiIlmoittautumiset", "Opintosuoritukset", "Liikkuvuusjaksot"];
const ROWS: [(&str, &str); 4] = [
    ("Opiskeluoikeus", "Opiskeluoikeudet"),
    ("LukukausiIlmoittautuminen", "LukukausiIlmoittautumiset"),
    ("Opintosuoritus", "Opintosuoritukset"),
    ("Liikkuvuusjakso", "Liikkuvuusjaksot"),
];
const NUMBERS: [&str; 4] = ["Opintopiste", "Opintoviikko", "Osuus", "LaskennallinenArvo"];
const BOOLEANS: [&str; 4] = ["YlioppilaskuntaJasen", "YTHSMaksu", "Opinnaytetyo", "Hankkeistettu"];
const OPTIONAL: [&str; 4] = [
    "opiskeluoikeusAvain",
    "valtakunnallinenKoulutusmoduulitunniste",
    "lahdeOpiskeluoikeusAvain",
    "KansallinenOppijanumero",
];

struct Read {
    records: Vec<Record>,
    problems: Vec<Problem>,
    reading: Reading,
}

fn decode(bytes: &[u8]) -> Result<Read, Unreadable> {
    let ctx = DecodeContext { tenant: "t".into(), source: "s".into(), limits: Limits::default() };
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let probed = Virta.probe(&mut &*bytes, &ctx.limits);
    let reading = Virta.decode(&mut &*bytes, &ctx, &mut |decoded| {
        match decoded {
            Decoded::Record(record, _) => records.push(*record),
            Decoded::Problem(problem) => problems.push(problem),
        }
        Ok(())
    });
    assert_eq!(probed.is_ok(), reading.is_ok(), "probing and decoding disagree");
    Ok(Read { records, problems, reading: reading? })
}

/// Writes every record as an item of its own; nothing may be lost or refused.
fn encode(records: &[Record], form: Option<&str>) -> String {
    let mappings = Mappings::default();
    let ctx = EncodeContext { mappings: &mappings, generation: 1, instant: "2026-11-21T00:00:00Z".parse().unwrap() };
    let mut out = Vec::new();
    let mut writer: Box<dyn DocumentWriter> = Virta.document(&mut out, form, ctx).unwrap();
    for record in records {
        let losses = writer.write(std::slice::from_ref(record)).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(losses, [], "nothing that VIRTA said is lost");
    }
    writer.finish().unwrap();
    String::from_utf8(out).unwrap()
}

fn is_valid(document: &str, schemas: &Path, root: &str) -> Result<(), String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), document).unwrap();
    let schema = schemas.join(format!("{root}.xsd"));
    let output = Command::new("xmllint").args(["--noout", "--schema"]).arg(schema).arg(file.path()).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The data of a document lifted out of its envelope and into the namespace; a single row into its list.
fn payload(root: &Element) -> Option<Element> {
    if let Some(data) = root.find(&ROOTS) {
        return Some(data.clone());
    }
    let (_, list) = ROWS.iter().find(|(row, _)| *row == root.name)?;
    Some(Element { name: (*list).to_owned(), attributes: vec![], text: String::new(), children: vec![root.clone()] })
}

fn as_data(element: Element) -> Element {
    element.as_data(&NUMBERS, &BOOLEANS, &OPTIONAL)
}

#[test]
fn every_document_is_read_and_every_valid_one_comes_back() {
    let (Some(cases), Some(schemas)) = (shared_dir("cases/virta"), shared_dir("schemas/virta/csc_current")) else {
        return;
    };
    let (mut read, mut valid) = (0, 0);
    for file in files(&cases, ".xml") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if ["test-fault.xml", "elmo_my_elmo.xml"].contains(&name.as_str()) {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        let document = decode(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let tree = Element::read(std::str::from_utf8(&bytes).unwrap()).unwrap();
        let attainments = document.records.iter().filter(|r| r.head.key.kind == RecordKind::Attainment).count();
        assert_eq!(attainments, tree.count("Opintosuoritus"), "{name}: every attainment is a record");
        read += 1;

        let Some(data) = payload(&tree) else { continue };
        if is_valid(&data.write(NAMESPACE), &schemas, &data.name).is_err() {
            continue;
        }
        valid += 1;
        assert_eq!(document.reading.unread, [""; 0], "{name}: everything valid is read");
        assert_eq!(document.reading.form.as_deref(), Some(data.name.as_str()), "{name}");
        let lines: Vec<String> = document.records.iter().map(|r| serde_json::to_string(r).unwrap()).collect();
        let records: Vec<Record> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(records, document.records, "{name}: records survive their JSON");
        let back = encode(&records, document.reading.form.as_deref());
        is_valid(&back, &schemas, &data.name).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(as_data(Element::read(&back).unwrap()), as_data(data), "{name}: equal as data");
    }
    eprintln!("{read} documents read, {valid} of them valid");
    assert!(read >= 40 && valid >= 30, "{read} documents read, {valid} of them valid");
}

#[test]
fn faults_and_empty_answers() {
    let Some(cases) = shared_dir("cases/virta/hakurekisteri") else { return };
    let fault = decode(&std::fs::read(cases.join("test-fault.xml")).unwrap()).err().expect("a fault");
    let Unreadable::Malformed(problem) = fault else { panic!("a fault is a problem: {fault}") };
    assert_eq!(SoapFault::of(&problem), Some(SoapFault { code: "Client", validation: true }));
    assert_eq!(problem.fixer, Fixer::Sender);
    assert!(!problem.to_string().contains("140173"), "the identity code is not echoed: {problem}");

    let empty = decode(&std::fs::read(cases.join("test-empty-response.xml")).unwrap()).unwrap();
    assert_eq!((empty.records.len(), empty.problems.len(), empty.reading.form), (0, 0, None));
}

#[test]
fn documents_of_another_format_are_refused() {
    let Some(cases) = shared_dir("cases/virta/fi-ncp") else { return };
    let Err(Unreadable::Malformed(problem)) = decode(&std::fs::read(cases.join("elmo_my_elmo.xml")).unwrap()) else {
        panic!("ELMO is not VIRTA")
    };
    assert_eq!(problem.code, "unknown_root");
}

#[test]
fn hard_cases_are_named() {
    let Some(cases) = shared_dir("cases/virta/koski/opintotiedot") else { return };
    let codes = |file: &str| {
        let document = decode(&std::fs::read(cases.join(file)).unwrap()).unwrap();
        document.problems.iter().map(|p| p.code.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(codes("010280-123A.xml"), ["dangling_part"; 2]);
    assert_eq!(codes("260308-361W.xml"), [""; 0], "the same learner in two blocks, saying the same, is no problem");
    assert!(codes("251029-7230.xml").iter().all(|code| code == "missing_element"), "credit weeks alone");
}

const RULES: usize = 8;

/// The rule that adds an attribute which no schema declares.
const UNDECLARED: usize = 7;

/// Another document from a document, by a rule of that number. `None` if there is nothing of it to change.
fn mutated(root: &Element, rule: usize) -> Option<Element> {
    let mut root = root.clone();
    let done = change_at(&mut root, &mut (rule / RULES), rule % RULES)?;
    done.then_some(root)
}

/// Changes the element at a place of a walk; whether there was anything to change. `None` if the walk ends before it.
fn change_at(element: &mut Element, left: &mut usize, rule: usize) -> Option<bool> {
    if *left == 0 {
        return Some(change(element, rule));
    }
    *left -= 1;
    element.children.iter_mut().find_map(|child| change_at(child, left, rule))
}

fn change(element: &mut Element, rule: usize) -> bool {
    let Element { attributes, text, children, .. } = element;
    let has_text = !text.trim().is_empty();
    match rule {
        0 if !children.is_empty() => drop(children.remove(0)),
        1 if !children.is_empty() => children.extend(children.last().cloned()),
        2 if children.len() > 1 && children[0] != children[1] => children.swap(0, 1),
        3 if has_text => *text = "ei mikään".into(),
        4 if has_text => text.clear(),
        5 if has_text => *text = format!("9{}", text.trim()),
        6 if !attributes.is_empty() => drop(attributes.remove(0)),
        UNDECLARED => attributes.push(("outo".into(), "x".into())),
        _ => return false,
    }
    true
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it took is told, and nothing depends on it")]
fn the_schema_checked_before_a_load_agrees_with_the_reference_validator() {
    let (Some(cases), Some(schemas)) = (shared_dir("cases/virta"), shared_dir("schemas/virta/csc_current")) else {
        return;
    };
    let settings = serde_json::json!({"directory": "out", "schema": schemas});
    let schema = silta_virta::settings::connect(&settings, std::sync::Arc::new(Virta)).unwrap().schema.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut documents: Vec<(String, String, Option<usize>)> = Vec::new();
    for file in files(&cases, ".xml") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(tree) = Element::read(&std::fs::read_to_string(&file).unwrap()) else { continue };
        let Some(data) = payload(&tree) else { continue };
        documents.push((name.clone(), data.write(NAMESPACE), None));
        // The same few of many, whatever order they are in.
        for rule in (0..40 * RULES).filter(|rule| (rule * 7 + name.len()) % 5 == 0) {
            if let Some(mutant) = mutated(&data, rule) {
                documents.push((format!("{name} {rule}"), mutant.write(NAMESPACE), Some(rule % RULES)));
            }
        }
    }
    let mut paths = Vec::new();
    for (at, (_, document, _)) in documents.iter().enumerate() {
        let path = dir.path().join(format!("{at}.xml"));
        std::fs::write(&path, document).unwrap();
        paths.push(path);
    }
    let mut valid = vec![false; documents.len()];
    for chunk in paths.chunks(500) {
        let checked = Command::new("xmllint")
            .args(["--noout", "--schema"])
            .arg(schemas.join("Virta.xsd"))
            .args(chunk)
            .output()
            .unwrap();
        for line in String::from_utf8_lossy(&checked.stderr).lines().filter_map(|line| line.strip_suffix(" validates"))
        {
            let at: usize = Path::new(line).file_stem().unwrap().to_string_lossy().parse().unwrap();
            valid[at] = true;
        }
    }
    let started = std::time::Instant::now();
    let ours: Vec<Vec<Problem>> = documents.iter().map(|(_, text, _)| schema.conform(text.as_bytes())).collect();
    let each = started.elapsed() / u32::try_from(documents.len()).unwrap();
    let differ: Vec<_> = documents
        .iter()
        .zip(&ours)
        .zip(&valid)
        .filter(|((_, ours), valid)| ours.is_empty() != **valid)
        // It does not notice every attribute that the schema does not declare. None is ever written.
        .filter(|(((_, _, rule), ours), _)| !(*rule == Some(UNDECLARED) && ours.is_empty()))
        .map(|(((name, ..), ours), valid)| format!("{name}: valid {valid}, {ours:?}"))
        .collect();
    let bytes: usize = documents.iter().map(|(_, text, _)| text.len()).sum();
    let broken = valid.iter().filter(|valid| !**valid).count();
    eprintln!(
        "{} documents, {broken} of them not valid; {each:?} each of {} bytes on average",
        documents.len(),
        bytes / documents.len()
    );
    assert!(differ.is_empty(), "{} differ: {:#?}", differ.len(), &differ[..differ.len().min(20)]);
    assert!(broken > 500 && documents.len() - broken > 100, "{broken} of {}", documents.len());
}

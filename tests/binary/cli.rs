//! Commands without a gateway: what they read and write, and how they end.

use crate::process::{CANARIES, done, fed, run, silta};
use crate::site::{Site, TENANT, attainment, fixture, learner};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};

const FORMATS: [&str; 3] = ["record", "virta", "elm"];

fn convert(from: &str, to: &str, input: &[u8]) -> crate::process::Done {
    fed(&["convert", "--from", from, "--to", to, "--tenant", TENANT, "-"], input)
}

/// Lines as JSON, sorted.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        text.lines().map(|l| serde_json::from_str::<Value>(l).expect("a JSON line").to_string()).collect();
    lines.sort();
    lines
}

#[test]
fn every_format_becomes_every_other() {
    for (file, format) in
        [("02469.xml", "virta"), ("02473.xml", "virta"), ("10126.xml", "virta"), ("02472.ndjson", "record")]
    {
        let document = std::fs::read(fixture(file)).expect("a fixture");
        for first in FORMATS {
            let one = convert(format, first, &document);
            assert!(!one.out.is_empty() && [0, 3].contains(&one.code), "{file} to {first}: {one:?}");
            for second in FORMATS {
                let two = convert(first, second, one.out.as_bytes());
                assert!(!two.out.is_empty() && [0, 3].contains(&two.code), "{file} to {first} to {second}: {two:?}");
                fed(&["check", "--from", second], two.out.as_bytes()).expect(0);
            }
        }
    }
}

#[test]
fn virta_through_our_own_format_is_the_same_document() {
    for file in ["02469.xml", "02473.xml", "10126.xml"] {
        let records = run(&["convert", "--from", "virta", "--to", "record", &fixture(file)]).expect(0).out;
        let document = convert("record", "virta", records.as_bytes()).expect(0).out;
        let again = fed(&["convert", "--from", "virta", "--to", "record"], document.as_bytes()).expect(0).out;
        assert!(lines(&records).len() > 3);
        assert_eq!(lines(&records), lines(&again), "{file}");
    }
}

/// Documents that are not well-formed, or refused before anything is read of them.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let whole = std::fs::read_to_string(fixture("02469.xml")).expect("a fixture");
    let [code, name, _] = CANARIES;
    let whole = whole.replacen("<Opiskeluoikeudet>", &format!("<!-- {code} {name} --><Opiskeluoikeudet>"), 1);
    let root = "<Virta xmlns=\"urn:mace:funet.fi:virta/2015/09/01\">";
    let entity = format!("<!DOCTYPE Virta [\n<!ENTITY hetu \"{code}\">\n]>\n{root}");
    let mut latin = whole.clone().into_bytes();
    latin.splice(600..600, b"\xe4".iter().copied());
    vec![
        ("truncated", whole[..whole.len() * 2 / 3].into()),
        ("two roots", format!("{whole}\n{root}</Virta>").into()),
        ("text after the root", format!("{whole}\n{code}").into()),
        ("crossed tags", whole.replacen("</Opiskelija>", &format!("</{name}>"), 1).into()),
        ("an entity", whole.replacen(root, &entity, 1).into()),
        ("an unknown entity", whole.replacen("</Opiskelija>", "&hetu;</Opiskelija>", 1).into()),
        ("a document type", whole.replacen(root, &format!("<!DOCTYPE Virta>\n{root}"), 1).into()),
        ("another encoding than it says", latin),
        ("an encoding nobody knows", whole.replacen("UTF-8", "EBCDIC", 1).into()),
        ("nested too deeply", format!("{root}{}", "<a>".repeat(100_000)).into()),
        ("nothing", Vec::new()),
        ("no XML at all", format!("{code};{name}\n").into()),
    ]
}

#[test]
fn a_malformed_document_leaves_nothing_on_standard_output_and_is_told_by_line() {
    let dir = tempfile::tempdir().expect("a directory");
    for (what, document) in malformed() {
        let file = dir.path().join("document.xml");
        std::fs::write(&file, &document).expect("written");
        for to in FORMATS {
            let from_file = run(&["convert", "--from", "virta", "--to", to, file.to_str().expect("a path")]);
            let from_pipe = convert("virta", to, &document);
            for done in [from_file, from_pipe] {
                assert_eq!((done.code, done.out.as_str()), (1, ""), "{what} to {to}: {}", done.err);
                let place = if what == "an encoding nobody knows" { "the declared encoding" } else { "line " };
                assert!(done.err.contains(place), "{what} to {to}: {}", done.err);
                assert_eq!(done.err.lines().count(), 1, "{what} to {to}: {}", done.err);
            }
        }
        let checked = fed(&["check", "--from", "virta"], &document);
        assert_eq!(checked.code, 1, "{what}: {checked:?}");
    }
}

#[test]
fn a_bad_line_is_told_and_the_rest_is_kept() {
    let [code, name, _] = CANARIES;
    for (what, bad) in [
        ("no JSON", format!("{{\"kind\":\"{name}")),
        ("another kind", format!("{{\"kind\":\"{name}\",\"id\":\"{code}\"}}")),
        (
            "a wrong type",
            attainment("B").replace("\"completed_on\":\"2026-05-12\"", &format!("\"completed_on\":\"{code}\"")),
        ),
        ("an unknown field", attainment("B").replace("\"code\":\"C\"", &format!("\"{name}\":\"{code}\""))),
        ("a huge number", attainment("B").replace("\"ects\":\"5\"", &format!("\"ects\":\"{}\"", "9".repeat(400)))),
    ] {
        let document = format!("{}{}\n{}", learner(), bad.trim(), attainment("A"));
        let done = convert("record", "record", document.as_bytes()).expect(3);
        assert_eq!(done.out.lines().count(), 2, "{what}: {}", done.out);
        assert!(done.out.contains("\"id\":\"A\""), "{what}");
        assert!(done.err.contains("line 2"), "{what}: {}", done.err);
        assert_eq!(fed(&["check", "--from", "record"], document.as_bytes()).code, 1, "{what}");
    }
}

#[test]
fn an_unknown_code_in_a_well_formed_document_costs_no_other_record() {
    let document = std::fs::read_to_string(fixture("02469.xml")).expect("a fixture");
    let all = convert("virta", "record", document.as_bytes()).expect(0).out;
    let odd = document.replacen("<Laji>2</Laji>", "<Laji>9</Laji>", 1);
    assert_ne!(odd, document);
    let done = convert("virta", "record", odd.as_bytes());
    assert!([0, 3].contains(&done.code), "{done:?}");
    assert!(done.out.lines().count() + 1 >= all.lines().count(), "{}", done.err);
}

#[test]
fn credentials_are_checked_against_profiles() {
    let credential = convert("record", "elm", format!("{}{}", learner(), attainment("A")).as_bytes()).out;
    assert_eq!(credential.lines().count(), 1);
    let upload = fed(&["check", "--profile", "edc-upload", "--json"], credential.as_bytes()).expect(0);
    let reports: serde_json::Value = serde_json::from_str(&upload.out).expect("JSON");
    assert_eq!((&reports[0]["conforms"], &reports[0]["official"]), (&true.into(), &true.into()));
    let published = fed(&["check", "--profile", "edc"], credential.as_bytes()).expect(1);
    assert!(published.out.contains("/displayParameter/individualDisplay"), "{}", published.out);
    let misspelt = credential.replacen("\"specifiedBy\"", "\"specifiedBye\"", 1);
    let told = fed(&["check", "--profile", "edc-upload"], misspelt.as_bytes()).expect(1);
    assert!(told.out.contains("/credentialSubject/hasClaim/specifiedBye"), "{}", told.out);
    fed(&["check", "--profile", "edc"], b"").expect(1);
    fed(&["check", "--profile", "edc"], b"{").expect(1);
    fed(&["check", "--profile", "edc", "--max-size", "100"], credential.as_bytes()).expect(1);
    fed(&["check", "--profile", "edition"], credential.as_bytes()).expect(2);
}

#[test]
fn micro_credentials_and_stacks_are_shown_for_any_format() {
    let whole = attainment("W").replacen(
        "\"code\":\"C\"",
        "\"code\":\"W\",\"parts\":[{\"id\":\"A\",\"ects\":\"2\"},{\"id\":\"gone\"}]",
        1,
    );
    let document = format!("{}{whole}{}", learner(), attainment("A"));
    let judged = fed(&["check", "--profile", "micro-credential", "--json"], document.as_bytes()).expect(1);
    let judged: serde_json::Value = serde_json::from_str(&judged.out).expect("JSON");
    assert_eq!((judged.as_array().map(Vec::len), judged[0]["elements"].as_array().map(Vec::len)), (Some(1), Some(22)));
    let credential = convert("record", "elm", document.as_bytes()).out;
    let table = fed(&["check", "--profile", "micro-credential", "--from", "elm"], credential.as_bytes()).expect(1);
    assert!(table.out.contains("quality assurance"), "{}", table.out);
    let stack = fed(&["stack", "--json", "--from", "record"], document.as_bytes()).expect(3);
    let stack: serde_json::Value = serde_json::from_str(&stack.out).expect("JSON");
    assert_eq!((&stack[0]["total"], &stack[0]["wholes"][0]["remaining"]), (&"5".into(), &"3".into()));
    fed(&["stack", "--from", "paper"], b"").expect(2);
    fed(&["stack"], b"neither").expect(2);
}

#[test]
fn a_complete_micro_credential_is_complete_as_a_credential_too() {
    let concept = |list: &str, value: &str| json!({"scheme": format!("http://data.europa.eu/snb/{list}/25831c2"), "value": format!("http://data.europa.eu/snb/{list}/{value}")});
    let record = |kind: &str, id: &str, body: Value| json!({"kind": kind, "tenant": TENANT, "source": "s", "institution": "10122", "id": id, "learner": "L1", "body": body});
    let body = json!({"title": [{"lang": "en", "value": "Data"}], "awarding_body": {"scheme": "virta:organisaatio", "value": "10122"},
        "achievement_type": concept("learning-opportunity", "74a4a268e8"), "issued_on": "2025-06-01", "credits": {"ects": "5"},
        "learning_outcomes": [{"title": [{"lang": "en", "value": "Knows"}]}], "eqf_level": concept("eqf", "6"),
        "modes": [concept("learning-assessment", "920fbb3cbe")],
        "assessments": [{"assessment_type": concept("assessment", "6e6cb2cc78")}],
        "grade": {"scale": {"code": {"scheme": "virta:arvosana", "value": "Viisiportainen"}}, "value": "4"},
        "quality_assurance": [{"accreditation_type": concept("accreditation", "bb4618238e"),
            "title": [{"lang": "en", "value": "Audit"}], "agent": [{"lang": "en", "value": "Karvi"}],
            "agent_country": {"scheme": "iso-3166-1-alpha-2", "value": "FI"}}]});
    let learner = json!({"given_names": "Testi", "family_name": "Esimerkki", "date_of_birth": "1999-10-02"});
    let document = format!("{}\n{}\n", record("learner", "L1", learner), record("attainment", "M", body));
    let told = fed(&["check", "--profile", "micro-credential", "--from", "record"], document.as_bytes()).expect(0);
    assert!(told.out.contains("complete as a micro-credential") && !told.out.contains("not complete"), "{}", told.out);
    let credential = convert("record", "elm", document.as_bytes()).out;
    fed(&["check", "--profile", "micro-credential", "--from", "elm"], credential.as_bytes()).expect(0);
    fed(&["check", "--profile", "edc-upload"], credential.as_bytes()).expect(0);
}

#[test]
fn wrong_usage_is_told_apart_from_what_cannot_be_done() {
    for args in [
        &[][..],
        &["bogus"],
        &["convert", "--from", "virta"],
        &["convert", "--from", "paper", "--to", "virta"],
        &["convert", "--from", "virta", "--to", "paper"],
        &["check", "--from", "paper"],
        &["check", "--from", "virta", "--colour", "red"],
        &["schema", "settings", "paper"],
        &["adapters", "--markdown", "paper"],
        &["token", "create", "x", "--role", "king"],
        &["token", "create", "x", "--role", "reader", "--kinds", "paper"],
        &["push", "--from", "a paper", "--tenant", "1"],
    ] {
        let done = run(args).expect(2);
        assert!(done.out.is_empty() && !done.err.is_empty(), "{args:?}: {done:?}");
    }
    for args in [
        &["convert", "--from", "virta", "--to", "record", "/nowhere.xml"][..],
        &["convert", "--from", "virta", "--to", "record", "/"],
        &["check", "--from", "virta", "/nowhere.xml"],
        &["serve", "--config", "/nowhere.toml"],
        &["doctor", "--config", "/nowhere.toml"],
        &["status", "--url", "http://127.0.0.1:1"],
        &["status", "--ready", "--url", "http://127.0.0.1:1"],
    ] {
        run(args).expect(1);
    }
    for args in [&["--help"][..], &["--version"], &["convert", "--help"]] {
        assert!(!run(args).expect(0).out.is_empty());
    }
}

#[test]
fn who_stops_reading_ends_the_command_quietly() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("many.ndjson");
    let many: String = (0..2000).map(|n| attainment(&format!("A{n}"))).collect();
    std::fs::write(&file, learner() + &many).expect("written");
    let file = file.to_str().expect("a path");
    for args in [
        &["convert", "--from", "record", "--to", "record", file][..],
        &["convert", "--from", "record", "--to", "virta", file],
        &["schema", "record"],
        &["openapi"],
    ] {
        let mut child = silta(args).spawn().expect("it starts");
        let mut out = BufReader::with_capacity(16, child.stdout.take().expect("an output"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        drop(out);
        let mut err = String::new();
        child.stderr.take().expect("standard error").read_to_string(&mut err).expect("text");
        let code = child.wait().expect("it ends").code();
        // What fits into the pipe was written before anybody stopped reading.
        assert!(code == Some(0) || code == Some(1), "{args:?}: {code:?}");
        assert_eq!(err, "", "{args:?}");
    }
}

#[test]
fn the_report_holds_every_loss() {
    let dir = tempfile::tempdir().expect("a directory");
    let report = dir.path().join("losses.ndjson");
    let path = report.to_str().expect("a path");
    run(&["convert", "--from", "virta", "--to", "elm", "--report", path, &fixture("02469.xml")]).expect(0);
    let losses = std::fs::read_to_string(&report).expect("a report");
    assert!(!losses.is_empty());
    for loss in losses.lines() {
        let loss: Value = serde_json::from_str(loss).expect("a JSON line");
        assert!(["key", "path", "change", "rule"].iter().all(|field| loss.get(field).is_some()), "{loss}");
    }
    run(&["convert", "--from", "virta", "--to", "record", "--report", path, &fixture("02469.xml")]).expect(0);
    assert_eq!(std::fs::read_to_string(&report).expect("a report"), "", "our own format holds everything");
}

#[test]
fn a_check_counts_what_it_read() {
    let done = run(&["check", "--from", "virta", &fixture("02469.xml")]).expect(0);
    assert!(done.out.contains("attainment: "), "{}", done.out);
    let lights = done.out.lines().filter(|line| line.contains(" learner_without_identity_code: ")).count();
    assert_eq!(lights, 1, "what VIRTA's keeper counts is counted: {}", done.out);
    assert!(!done.err.contains("error["), "{}", done.err);
    run(&["check", "--from", "record", &fixture("02472.ndjson")]).expect(0);
}

#[test]
fn what_is_published_can_be_read() {
    let json = |args: &[&str]| serde_json::from_str::<Value>(&run(args).expect(0).out).expect("JSON");
    assert!(json(&["schema", "record"])["$schema"].is_string());
    for adapter in ["virta", "record"] {
        assert!(json(&["schema", "settings", adapter])["properties"].is_object());
    }
    assert_eq!(json(&["openapi"])["openapi"], "3.1.0");
    let list = run(&["adapters"]).expect(0).out;
    for format in FORMATS {
        assert!(list.contains(&format!("{format}: ")));
        let page = run(&["adapters", "--markdown", format]).expect(0).out;
        assert!(page.starts_with(&format!("# {format}\n")) && page.ends_with('\n') && !page.ends_with("\n\n"));
    }
}

#[test]
fn a_store_is_made_brought_up_to_date_and_looked_after() {
    let site = Site::bare();
    site.configure("");
    let config = site.config();
    let create = ["token", "create", "first", "--role", "admin", "--config", &config];
    let early = run(&create).expect(1);
    assert!(early.err.contains("silta migrate"), "{}", early.err);
    let sick = run(&["doctor", "--config", &config]).expect(1).out;
    assert!(sick.contains("FAIL  store") && sick.contains("silta migrate"), "{sick}");
    assert!(!std::path::Path::new(&site.path("silta.db")).exists(), "looking makes nothing");

    assert!(run(&["migrate", "--config", &config]).expect(0).out.starts_with("taken: "));
    assert_eq!(run(&["migrate", "--config", &config]).expect(0).out, "nothing to do\n");
    let well = run(&["doctor", "--config", &config]).expect(0).out;
    assert!(well.contains("ok    store") && !well.contains("FAIL"), "{well}");

    site.configure(&format!(
        "[[connection]]\nname = 'virta'\ntenant = '{TENANT}'\nadapter = 'virta'\n[connection.settings]\ndirectory = 'x'\n"
    ));
    let bare = run(&["doctor", "--config", &config]).expect(0).out;
    assert!(bare.contains("note  connection virta: what is sent is not checked against the official XSD"), "{bare}");
    site.configure("");

    let token = run(&create).expect(0).out;
    assert!(token.trim().len() > 20);
    let again = run(&create).expect(1);
    assert!(again.err.contains("was made before"), "{}", again.err);
    let list = run(&["token", "list", "--config", &config]).expect(0).out;
    assert!(list.contains("first") && list.contains("valid") && !list.contains(token.trim()), "{list}");
    run(&["token", "revoke", "first", "--config", &config]).expect(0);
    run(&["token", "revoke", "second", "--config", &config]).expect(1);
    assert!(run(&["token", "list", "--config", &config]).expect(0).out.contains("revoked"));
}

#[test]
fn a_broken_configuration_is_told_by_what_is_wrong_with_it() {
    let site = Site::new();
    let config = site.config();
    let connection = format!("[[connection]]\nname = 'c'\ntenant = '{TENANT}'\nadapter = ");
    for (more, told) in [
        ("[server]\nport = 1\n".to_owned(), "duplicate key"),
        ("[[connection]]\nname = 'c'\ntenant = '1'\nadapter = 'virta'\n".to_owned(), "tenant 1, which is not listed"),
        (format!("{connection}'paper'\n"), "paper"),
        (format!("{connection}'virta'\n"), "directory"),
        (
            format!("{connection}'record'\n[connection.settings]\nurl = 'x'\ntoken = 'Pulu'\n"),
            "url is not a web address",
        ),
        (format!("{connection}'record'\n[connection.settings]\nurl = 'http://x'\ntokens = 'Pulu'\n"), "unknown field"),
    ] {
        site.configure(&more);
        let done = run(&["doctor", "--config", &config]).expect(1);
        let all = done.out + &done.err;
        assert!(all.contains(told) && !all.contains("Pulu"), "{told}: {all}");
        assert_eq!(run(&["serve", "--config", &config]).code, 1, "and it is not served with");
    }
    site.configure("");
    std::fs::remove_file(site.path("silta.key")).expect("removed");
    let done = run(&["doctor", "--config", &config]).expect(1);
    assert!(done.out.contains("FAIL  key file"), "{}", done.out);
    assert_eq!(run(&["serve", "--config", &config]).code, 1, "a store is never opened with a new key");
    assert!(!std::path::Path::new(&site.path("silta.key")).exists());
}

#[test]
fn the_configuration_that_comes_with_the_program_is_one() {
    let site = Site::bare();
    let mut doctor = silta(&["doctor", "--config", concat!(env!("CARGO_MANIFEST_DIR"), "/config/silta.toml")]);
    doctor.current_dir(&site.dir);
    let told = done(doctor, Vec::new()).expect(1).out;
    assert!(told.contains("ok    configuration") && told.contains("FAIL  store"), "{told}");
}

//! `silta reconcile` on two documents: findings as lines, and how it ends.

use crate::process::{Done, Process, fed, run};
use crate::site::{Site, TENANT, attainment, fixture, learner};
use serde_json::Value;
use std::io::{BufWriter, Write};

fn reconcile(expected: &str, found: &str, format: &str) -> Done {
    run(&["reconcile", "--expected", expected, "--found", found, "--format", format])
}

/// Kinds and ids of findings, sorted.
fn found(done: &Done) -> Vec<(String, String)> {
    let mut found: Vec<_> = done
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a JSON line"))
        .map(|f| {
            assert!(f["fields"].is_array(), "{f}");
            (f["kind"].as_str().expect("a kind").to_owned(), f["key"]["id"].as_str().expect("an id").to_owned())
        })
        .collect();
    found.sort();
    found
}

fn finding(kind: &str, id: &str) -> (String, String) {
    (kind.to_owned(), id.to_owned())
}

#[test]
fn differences_between_two_files_are_told_and_counted_by_the_exit_code() {
    let site = Site::new();
    let whole = learner() + &attainment("A") + &attainment("B");
    let expected = site.file("expected.ndjson", &whole);
    let other_order = site.file("order.ndjson", &(attainment("B") + &learner() + &attainment("A")));
    let same = reconcile(&expected, &other_order, "record").expect(0);
    assert_eq!((same.out.as_str(), same.err.as_str()), ("", ""));
    let changed = attainment("B").replace("\"ects\":\"5\"", "\"ects\":\"4\"");
    let other = site.file("found.ndjson", &(learner() + &changed + &attainment("C").replace("Kurssi", "Muu")));
    let differs = run(&["reconcile", "--expected", &expected, "--found", &other]).expect(3);
    assert_eq!(found(&differs), [finding("differs", "B"), finding("missing", "A"), finding("unexpected", "C")]);
    let by_input = fed(&["reconcile", "--expected", &expected, "--found", "-"], whole.as_bytes()).expect(0);
    assert_eq!(by_input.out, "");
}

#[test]
fn every_format_that_is_read_can_be_compared() {
    let site = Site::new();
    let document = std::fs::read_to_string(fixture("02469.xml")).expect("a fixture");
    let altered = site.file("altered.xml", &document.replacen("<Viisiportainen>4<", "<Viisiportainen>1<", 1));
    assert_eq!(reconcile(&fixture("02469.xml"), &fixture("02469.xml"), "virta").expect(0).out, "");
    let differs = reconcile(&fixture("02469.xml"), &altered, "virta").expect(3);
    assert_eq!(found(&differs).iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["differs"]);
    let elm = |file: &str| {
        let made = run(&["convert", "--from", "virta", "--to", "elm", "--tenant", TENANT, file]);
        assert!([0, 3].contains(&made.code), "{}", made.err);
        made.out
    };
    let (first, second) = (site.file("a.json", &elm(&fixture("02469.xml"))), site.file("b.json", &elm(&altered)));
    assert_eq!(reconcile(&first, &first, "elm").expect(0).out, "", "what credentials share is no repetition");
    assert!(found(&reconcile(&first, &second, "elm").expect(3)).iter().any(|(kind, _)| kind == "differs"));
}

#[test]
fn nothing_is_concluded_from_what_cannot_be_read_to_its_end() {
    let site = Site::new();
    let whole = learner() + &attainment("A") + &attainment("B");
    let expected = site.file("expected.ndjson", &whole);
    let xml = std::fs::read_to_string(fixture("02469.xml")).expect("a fixture");
    let broken = [
        ("record", site.file("cut.ndjson", &whole[..whole.len() - 20]), "line 3"),
        ("record", site.file("odd.ndjson", &(learner() + "{\"kind\":\"badge\"}\n" + &attainment("A"))), "line 2"),
        ("virta", site.file("cut.xml", &xml[..xml.len() / 2]), "line "),
        ("elm", expected.clone(), "line "),
        ("record", site.path("nowhere"), "cannot be read"),
    ];
    for (format, file, told) in broken {
        let whole = if format == "virta" { fixture("02469.xml") } else { expected.clone() };
        for (expected, found) in [(&whole, &file), (&file, &whole)] {
            let done = reconcile(expected, found, format).expect(1);
            assert_eq!(done.out, "", "{format}");
            assert!(done.err.contains(told), "{format}: {}", done.err);
        }
    }
    for wrong in
        [&["--expected", &expected][..], &["--found", &expected], &["virta", "--expected", "a", "--found", "b"]]
    {
        run(&[&["reconcile"], wrong].concat()).expect(2);
    }
    run(&["reconcile"]).expect(2);
    reconcile(&expected, &expected, "no-such-format").expect(2);
    reconcile("-", "-", "record").expect(2);
}

/// Memory does not grow with the documents beyond what their decoder keeps of keys.
#[test]
fn large_documents_are_compared_in_little_memory() {
    const RECORDS: usize = 4_000;
    let site = Site::new();
    let write = |name: &str, title: &str| {
        let path = site.path(name);
        let mut file = BufWriter::new(std::fs::File::create(&path).expect("a file"));
        let title = title.repeat(2_000);
        for n in 0..RECORDS {
            let line = attainment(&format!("A{n}")).replace("Kurssi", &format!("{title} {n}"));
            file.write_all(line.as_bytes()).expect("written");
        }
        path
    };
    let (expected, other) = (write("expected.ndjson", "Kurssi"), write("found.ndjson", "Opinto"));
    let mut process = Process::start(&["reconcile", "--expected", &expected, "--found", &other]);
    // Both documents are read when the first line comes; then the process waits until the rest is taken.
    assert!(process.out.wait_for("differs").contains("/body/title"));
    let (peak, documents) = (process.peak_memory(), 2 * RECORDS as u64 * 12_000);
    assert!(peak < documents * 3 / 4, "{peak} bytes for {documents}");
    assert_eq!(process.end(), 3);
}

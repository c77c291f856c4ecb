//! `silta demo`, played to the end, interrupted and killed.

use crate::process::{Process, run, until};
use std::net::TcpStream;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;

const END: &str = "Everything is consistent: what every institution awarded is in the store";

fn demo(dir: &Path, more: &[&str]) -> Process {
    let dir = dir.to_str().expect("a path");
    Process::start(&[&["demo", "--listen", "127.0.0.1:0", "--patience-secs", "60", "--dir", dir], more].concat())
}

/// What the store holds, as records.
fn holdings(dir: &Path) -> Vec<String> {
    let mut held = Vec::new();
    for entry in std::fs::read_dir(dir.join("store/store")).expect("the store's directory") {
        let file = entry.expect("an entry").path();
        let tenant = file.file_name().and_then(|n| n.to_str()).and_then(|n| n.split('.').next()).expect("a name");
        let file = file.to_str().expect("a path");
        let records = run(&["convert", "--from", "virta", "--to", "record", "--tenant", tenant, file]).expect(0).out;
        held.extend(records.lines().map(str::to_owned));
    }
    held.sort();
    held
}

/// What the store holds after a demo that nothing disturbed.
fn undisturbed() -> &'static [String] {
    static HELD: OnceLock<Vec<String>> = OnceLock::new();
    HELD.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut demo = demo(dir.path(), &["--once"]);
        assert_eq!(demo.end(), 0, "{}\n{}", demo.out.rest(), demo.err.rest());
        holdings(dir.path())
    })
}

#[test]
fn a_demo_in_a_fresh_directory_ends_consistent_and_tells_what_happened() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut demo = demo(dir.path(), &["--once"]);
    for told in [
        "Gateway and console: http://127.0.0.1:",
        "1. Four institutions push their records.",
        "02469: 12 new",
        "told the sender: ",
        "held at virta-",
        "2. Corrections arrive.",
        "a grade is corrected",
        "it would remove 3 of the 6 items",
        "3. The store misbehaves",
        "found at virta-",
        "4. The store is well again",
        END,
    ] {
        demo.out.wait_for(told);
    }
    assert_eq!(demo.end(), 0);
    assert_eq!(demo.err.rest(), "");
    let held = holdings(dir.path()).join("\n");
    assert!(!held.contains("muutettu"), "silent changes are repaired");
    assert!(!held.contains("S¤77"), "what was taken back is gone");
    assert!(held.contains(r#""id":"L-3""#), "what was missing came");
}

#[test]
fn a_demo_killed_at_any_point_goes_on_and_ends_as_if_nothing_had_happened() {
    let points = [
        "Gateway and console",
        "02469: 12 new",
        "held at",
        "10126: 1 new",
        "3. The store misbehaves",
        "found at",
        "4. The store is well again",
        END,
    ];
    let killed = |point: &str| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut first = demo(dir.path(), &[]);
        first.out.wait_for(point);
        drop(first);
        let mut second = demo(dir.path(), &["--once"]);
        let code = second.end();
        let told = second.out.rest();
        assert_eq!(code, 0, "killed after {point:?}: {told}\n{}", second.err.rest());
        assert!(told.contains(END), "killed after {point:?}: {told}");
        assert_eq!(holdings(dir.path()), undisturbed(), "killed after {point:?}");
    };
    thread::scope(|scope| points.iter().for_each(|point| drop(scope.spawn(move || killed(point)))));
}

#[test]
fn an_interrupted_demo_ends_cleanly_and_leaves_no_process() {
    let ended_at = |point: &str| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut demo = demo(dir.path(), &[]);
        let gateway = demo.out.wait_for("Gateway and console");
        let store = demo.out.wait_for("Simulated national store");
        demo.out.wait_for(point);
        demo.signal_group("INT");
        assert_eq!(demo.end(), 0, "{}", demo.err.rest());
        for line in [gateway, store] {
            let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
            until("nobody listens any more", || TcpStream::connect(address).is_err().then_some(()));
        }
    };
    thread::scope(|scope| {
        for point in ["1. Four institutions", "Look around at"] {
            scope.spawn(move || ended_at(point));
        }
    });
}

#[test]
fn a_directory_has_one_demo_at_a_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut first = demo(dir.path(), &["--once"]);
    first.out.wait_for("Gateway and console");
    let store = dir.path().join("store");
    let dir_name = store.to_str().expect("a path");
    let mut second =
        Process::start(&["sandbox", "virta", "--listen", "127.0.0.1:0", "--dir", dir_name, "--wait-secs", "0"]);
    assert_eq!(second.end(), 1);
    assert!(second.err.rest().contains("another sandbox runs on"));
    assert_eq!(first.end(), 0, "the first one is not disturbed");
}

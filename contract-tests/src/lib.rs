//! Shared helpers of the contract tests.

pub mod browser;
pub mod pki;
pub mod shacl;
pub mod tree;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder of the shared material (`schemas`, `cases` …), from `$SILTA_SHARED` or beside the workspace.
///
/// Where it is missing this says so and returns `None`; the caller skips. Under `CI=true` it is a failure.
///
/// # Panics
/// Under `CI=true`, if the folder is missing.
#[must_use]
pub fn shared_dir(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SILTA_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")), PathBuf::from);
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no {folder} in $SILTA_SHARED: required under CI");
    eprintln!("\n*** SKIPPED: there is no {folder} in $SILTA_SHARED; these tests prove nothing here ***\n");
    None
}

/// True if a command is installed.
///
/// Where it is missing this says so; the caller skips. Under `CI=true` it is a failure.
///
/// # Panics
/// Under `CI=true`, if the command is missing.
#[must_use]
pub fn has(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(command).is_file());
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "no {command}: required under CI");
    if !found {
        eprintln!("\n*** SKIPPED: there is no {command}; these tests prove nothing here ***\n");
    }
    found
}

/// A Python that has `requirements.txt`: `$SILTA_PYTHON`, or that of `.venv`.
///
/// Where it is missing this says so and returns `None`; the caller skips. Under `CI=true` it is a failure.
///
/// # Panics
/// Under `CI=true`, if there is none.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.venv/bin/python"));
    let path = std::env::var_os("SILTA_PYTHON").map_or_else(default, PathBuf::from);
    if path.is_file() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no python in $SILTA_PYTHON: required under CI");
    eprintln!("\n*** SKIPPED: there is no python in $SILTA_PYTHON; nobody else is asked ***\n");
    None
}

/// What a script of this crate prints, given a folder of the shared material; `None` if that or the tools are missing.
///
/// # Panics
/// If it fails.
#[must_use]
#[expect(clippy::expect_used, reason = "a test ends with what broke it")]
pub fn script(folder: &str, name: &str, arguments: &[&str], input: String) -> Option<String> {
    let (schemas, python) = (shared_dir(folder)?, python()?);
    let mut child = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .arg(schemas)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("python ends");
    writer.join().expect("no panic").ok();
    assert!(output.status.success(), "{name} failed");
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

/// All files under a folder whose name ends so, sorted.
#[must_use]
pub fn files(folder: &std::path::Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(suffix) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

//! How values are written in columns, the same in every database.

use crate::{Wanted, rank};
use silta_adapter::canonical::Digest;
use silta_adapter::problem::Severity;
use silta_adapter::record::RecordKind;

/// The number of a kind: its place in the order of sending.
pub fn kind_number(kind: RecordKind) -> i64 {
    i64::from(rank(kind))
}

/// The kind with this number.
pub fn kind_from_number(number: i64) -> Option<RecordKind> {
    RecordKind::ALL.get(usize::try_from(number).ok()?).copied()
}

/// A digest: two bytes of form, 32 of hash.
pub fn digest_bytes(digest: &Digest) -> Vec<u8> {
    [&digest.form.to_be_bytes()[..], &digest.hash].concat()
}

/// The digest these bytes are.
pub fn digest_from_bytes(bytes: &[u8]) -> Option<Digest> {
    let [a, b, hash @ ..] = <[u8; 34]>::try_from(bytes).ok()?;
    Some(Digest { form: u16::from_be_bytes([a, b]), hash })
}

/// The name of a severity.
pub fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// The severity with this name.
pub fn severity_from_name(name: &str) -> Option<Severity> {
    [Severity::Warning, Severity::Error].into_iter().find(|s| severity_name(*s) == name)
}

/// The name of what is wanted.
pub fn wanted_name(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Present => "present",
        Wanted::Absent => "absent",
    }
}

/// What is wanted, by its name.
pub fn wanted_from_name(name: &str) -> Option<Wanted> {
    [Wanted::Present, Wanted::Absent].into_iter().find(|w| wanted_name(*w) == name)
}

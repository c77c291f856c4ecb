//! What a decoder has to say: problems of the record being read, paths that were not read.

use silta_adapter::problem::{Problem, Severity};
use std::collections::BTreeSet;

/// Paths that are listed in full; beyond that a document is of another format altogether.
const MAX_UNREAD: usize = 1_000;

/// What is noted while a document is read.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Names of the elements being read.
    path: Vec<&'static str>,
    /// Problems of the record being read, waiting for its key.
    pub(super) waiting: Vec<Problem>,
    /// Problems that one record may still have.
    room: usize,
    /// Problems there was no room for.
    pub(super) beyond: usize,
    /// Paths that were not read.
    pub(super) unread: BTreeSet<String>,
}

impl Notes {
    /// Nothing noted yet, and room for so many problems of one record.
    pub(super) fn new(room: usize) -> Self {
        Self { room, ..Self::default() }
    }

    pub(super) fn enter(&mut self, name: &'static str) {
        self.path.push(name);
    }

    pub(super) fn leave(&mut self) {
        self.path.pop();
    }

    /// How deep the path is, and back to it after a record was given up.
    pub(super) fn depth(&self) -> usize {
        self.path.len()
    }

    pub(super) fn leave_to(&mut self, depth: usize) {
        self.path.truncate(depth);
    }

    fn at(&self, name: &str) -> String {
        let mut path = self.path.join("/");
        if !path.is_empty() && !name.is_empty() {
            path.push('/');
        }
        path + name
    }

    fn note(&mut self, code: &'static str, severity: Severity, message: &str, name: &str, line: u64) {
        if self.waiting.len() >= self.room {
            self.beyond += 1;
            return;
        }
        let problem = match severity {
            Severity::Error => Problem::error(code, message),
            Severity::Warning => Problem::warning(code, message),
        };
        self.waiting.push(problem.at(self.at(name)).on_line(line));
    }

    /// An element, attribute or text that has no place.
    pub(super) fn unknown(&mut self, name: &str, line: u64) {
        let path = self.at(name);
        if self.unread.len() < MAX_UNREAD {
            self.unread.insert(path);
        }
        self.note("unknown_element", Severity::Warning, "it has no place here and was not read", name, line);
    }

    /// A part that must stand and does not.
    pub(super) fn missing(&mut self, name: &str, line: u64, needed: bool) {
        let (severity, message) = match needed {
            true => (Severity::Error, "it is missing, and what it is part of was not taken without it"),
            false => (Severity::Warning, "it must be there and is missing"),
        };
        self.note("missing_element", severity, message, name, line);
    }

    /// A single part that stands again.
    pub(super) fn repeated(&mut self, name: &str, line: u64) {
        self.note(
            "repeated_element",
            Severity::Error,
            "it stands more than once; only the first was taken",
            name,
            line,
        );
    }

    /// A value that cannot be read.
    pub(super) fn bad_value(&mut self, name: &str, line: u64) {
        self.note(
            "bad_value",
            Severity::Error,
            "the value is not of the form it must have and was not taken",
            name,
            line,
        );
    }

    /// An element without the value it is there for.
    pub(super) fn empty(&mut self, name: &str, line: u64) {
        self.note("empty_element", Severity::Warning, "it is empty and was taken as absent", name, line);
    }
}

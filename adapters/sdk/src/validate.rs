//! Checking documents against the official rules of their format.

use crate::adapter::{Limits, Unreadable};
use crate::mapping::Mappings;
use crate::problem::{Fixer, Problem, Severity};
use serde::Serialize;
use smol_str::SmolStr;
use std::io::BufRead;

/// Where a finding comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A rule of the official schema is broken.
    Schema,
    /// Something the official schema does not look at.
    Reading,
}

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The rule: for official schemas a name made of its place (`Organisation.legalName.min`), else a word.
    pub rule: SmolStr,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether it keeps the document from conforming.
    pub severity: Severity,
    /// Who can fix it.
    pub fixer: Fixer,
    /// Where: JSON pointer or element path; in what is enclosed from its envelope on.
    pub path: String,
    /// What is wrong, in plain words, without personal data.
    pub message: String,
}

impl Finding {
    /// True if it keeps the document from conforming.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl From<Finding> for Problem {
    fn from(finding: Finding) -> Self {
        let Finding { rule, severity, fixer, path, message, .. } = finding;
        Self { code: rule, ..Self::new("", severity, fixer, message).at(path) }
    }
}

/// Checks documents that are to be sent against a schema that the operator named.
pub trait Conform: Send + Sync {
    /// What tells this schema from another: the same text for the same content.
    fn version(&self) -> &str;

    /// What in a document is not as the schema has it; nothing if it conforms. Messages hold no values of the document.
    fn conform(&self, document: &[u8]) -> Vec<Problem>;
}

/// What was found in one document.
///
/// What the official schema says and what reading finds are kept apart: official schemas are silent about much that
/// makes a document worthless. It conforms only if neither found an error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The profile it was checked against.
    pub profile: &'static str,
    /// The official schema that applied, as the document asks for it.
    pub schema: SmolStr,
    /// The verdict of the official schema alone; absent where it has none, because it finds nothing it is about.
    pub official: Option<bool>,
    /// True if there is no finding that is an error.
    pub conforms: bool,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Takes the report on each document, with the line it starts on.
pub type Reports<'a> = dyn FnMut(Report, u64) + 'a;

/// Checks documents of a format against official profiles.
pub trait Validate: Send + Sync {
    /// The profiles it knows, by the names asked for on a command line.
    fn profiles(&self) -> &'static [&'static str];

    /// Checks every document of the input against a profile of [`Validate::profiles`].
    ///
    /// # Errors
    /// If the input cannot be read or breaks a bound.
    fn validate(
        &self,
        input: &mut dyn BufRead,
        profile: &str,
        limits: &Limits,
        mappings: &Mappings,
        each: &mut Reports<'_>,
    ) -> Result<(), Unreadable>;
}

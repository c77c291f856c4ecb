//! Checking credentials: the Commission's shapes, and what they pass over in silence.
//!
//! A [`Report`] keeps two things apart. *What the official shapes say* ([`Report::official`]) is the verdict of SHACL
//! on the same credential, rule for rule. *What reading finds* is stricter: SHACL does not look at what the contexts do
//! not know, at membership in a code list, or at a document that is no credential at all.
//!
//! | module | what it does |
//! |---|---|
//! | `tables` | terms and rules of the three editions, as data |
//! | `graph` | a credential as its contexts make it, and what is lost on the way |
//! | `shapes` | the rules on that graph |
//! | `reading` | envelope, code lists, and what else SHACL does not look at |
//! | `lexical` | forms of dates, durations and numbers |

mod graph;
mod lexical;
pub(crate) mod reading;
mod shapes;
mod tables;

use graph::Graph;
use serde_json::{Map, Value};
use silta_adapter::adapter::{Limits, Unreadable};
use silta_adapter::json;
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::validate::{Finding, Origin, Report, Reports};
use smol_str::SmolStr;
use std::fmt;
use std::io::BufRead;

/// More findings than this of one kind are not told.
const MOST_FINDINGS: usize = 500;

/// An edition of the Commission's contexts and shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// The application profile 1.1.0 of June 2023, which credentials are published by.
    Published31,
    /// The long-term edition 1.2.0 of September 2023.
    Published32,
    /// What the Commission's issuer takes before it seals.
    Upload,
}

impl Edition {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Published31, Self::Published32, Self::Upload];

    /// The name of the profile that asks for it.
    pub fn profile(self) -> &'static str {
        match self {
            Self::Published31 => "edc",
            Self::Published32 => "edc-3.2",
            Self::Upload => "edc-upload",
        }
    }

    /// The edition a profile asks for.
    pub fn of_profile(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|edition| edition.profile() == name)
    }

    fn label(self) -> &'static str {
        match self {
            Self::Published31 => "3.1",
            Self::Published32 => "3.2",
            Self::Upload => "upload",
        }
    }

    fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|edition| edition.label() == label)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upload => "the upload form",
            edition => edition.label(),
        })
    }
}

fn reading(rule: &'static str, severity: Severity, path: String, message: impl Into<String>) -> Finding {
    let (rule, message) = (SmolStr::new_static(rule), message.into());
    Finding { rule, origin: Origin::Reading, severity, fixer: Fixer::Sender, path, message }
}

/// Checks every credential of the input, bare, wrapped for upload, or sealed (the seal itself is not looked at), and
/// calls `each` with what was found and the line the credential starts on.
///
/// # Errors
/// If the input is not JSON or breaks a bound.
pub fn documents(
    input: &mut dyn BufRead,
    edition: Edition,
    limits: &Limits,
    mappings: &Mappings,
    each: &mut Reports<'_>,
) -> Result<(), Unreadable> {
    json::values(input, limits, |bytes, line| {
        let document = json::object(bytes, line)?;
        each(check(document, edition, limits, mappings).map_err(Unreadable::Malformed)?, line);
        Ok(())
    })
}

/// Checks one credential, bare, wrapped for upload, or sealed.
///
/// # Errors
/// If it is sealed and its payload is not JSON or breaks a bound.
pub fn check(
    document: Map<String, Value>,
    edition: Edition,
    limits: &Limits,
    mappings: &Mappings,
) -> Result<Report, Box<Problem>> {
    let document = reading::enclosed(document, limits)?;
    Ok(credential(&document.credential, edition, document.at, mappings))
}

fn credential(value: &Map<String, Value>, edition: Edition, prefix: &'static str, mappings: &Mappings) -> Report {
    let (schema, mut findings) = reading::envelope(value, prefix, mappings);
    let mut official = None;
    if !findings.iter().any(Finding::is_error) {
        let mut graph = Graph::of(value, edition, prefix);
        if let Some(profiles) = tables::TABLES.profile(&schema) {
            let broken = shapes::check(&graph, edition, profiles);
            official = Some(graph.readable && broken.is_empty());
            findings.extend(broken);
        }
        findings.append(&mut graph.findings);
        findings.extend(shapes::borne(&graph));
        findings.extend(reading::code_lists(&graph, mappings));
    }
    let conforms = !findings.iter().any(Finding::is_error);
    Report { profile: edition.profile(), schema, official, conforms, findings }
}

/// True if some edition has a property of this name for what is in a credential.
pub(crate) fn is_term(name: &str) -> bool {
    tables::TABLES.knows(name, false)
}

/// What reading finds in a credential, without the shapes: unknown terms and types, nodes that share an id and differ.
pub(crate) fn lost(value: &Map<String, Value>) -> Vec<Finding> {
    Graph::of(value, Edition::Published32, "").findings
}

//! What went wrong, where, and who can fix it.

use crate::record::RecordKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::fmt;

/// Who can fix a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fixer {
    /// Whoever sent the record: its content has to change.
    Sender,
    /// The gateway's operator: a decision or a hand is needed.
    Operator,
    /// Whoever configures the gateway: a setting, a mapping or an access right is missing or wrong.
    Configuration,
    /// The destination or source system: it failed or has to change.
    OtherSide,
}

impl Fixer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sender, Self::Operator, Self::Configuration, Self::OtherSide];

    /// The name used in JSON and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Operator => "operator",
            Self::Configuration => "configuration",
            Self::OtherSide => "other_side",
        }
    }

    /// The one with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fixer| fixer.name() == name)
    }
}

impl fmt::Display for Fixer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherSide => "other side",
            other => other.name(),
        })
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something was odd; nothing was lost.
    Warning,
    /// A record, or a part of one, was not taken.
    Error,
}

/// One problem with a document or a record. Its texts never hold personal identity codes or names; the record key is
/// the sender's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Stable code (`duplicate_key`).
    pub code: SmolStr,
    /// How bad it is.
    pub severity: Severity,
    /// Who can fix it.
    pub fixer: Fixer,
    /// What is wrong, in lower case, without personal data.
    pub message: String,
    /// The record it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<RecordKey>,
    /// Where in the document: an element path or JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Where in the document: line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Where the other record involved stands: line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related_line: Option<u64>,
}

impl Problem {
    /// A problem without a place.
    pub fn new(code: &'static str, severity: Severity, fixer: Fixer, message: impl Into<String>) -> Self {
        Self {
            code: SmolStr::new_static(code),
            severity,
            fixer,
            message: message.into(),
            key: None,
            path: None,
            line: None,
            related_line: None,
        }
    }

    /// An error the sender can fix.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, Fixer::Sender, message)
    }

    /// A warning to the sender.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, Fixer::Sender, message)
    }

    /// The same problem, about a record.
    pub fn about(mut self, key: &RecordKey) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// The same problem, at a path.
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The same problem, on a line.
    pub fn on_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// The same problem, with the line of the other record involved.
    pub fn and_line(mut self, line: u64) -> Self {
        self.related_line = Some(line);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}[{}]", self.code)?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        if let Some(path) = &self.path {
            write!(f, " at {path}")?;
        }
        if let Some(key) = &self.key {
            write!(f, " ({} {})", key.kind, key.id)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(line) = self.related_line {
            write!(f, " (the other is on line {line})")?;
        }
        write!(f, "; to be fixed by: {}", self.fixer)
    }
}

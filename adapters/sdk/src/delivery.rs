//! What a destination answered, and the table that says what the answer means.

use crate::problem::Fixer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::time::Duration;

/// What became of one send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The destination has it.
    Accepted,
    /// The destination took it and will process it later; reading back tells.
    AcceptedPending,
    /// The destination is healthy and asks for a slower pace.
    RetryAfter,
    /// It failed in a way that passes; sending again is safe.
    Transient,
    /// The answer was lost: it may or may not have arrived.
    Uncertain,
    /// The destination will not take this content.
    Refused,
    /// The destination will never take it again (consent withdrawn).
    Barred,
    /// Our credentials were not accepted.
    Auth,
    /// Our settings are wrong (no such address, no such tenant there).
    Misconfigured,
}

impl Verdict {
    /// True if the debt stays and is tried again by itself.
    pub fn retries(self) -> bool {
        matches!(self, Self::RetryAfter | Self::Transient)
    }

    /// The name used in JSON and the verdict tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::AcceptedPending => "accepted_pending",
            Self::RetryAfter => "retry_after",
            Self::Transient => "transient",
            Self::Uncertain => "uncertain",
            Self::Refused => "refused",
            Self::Barred => "barred",
            Self::Auth => "auth",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// The verdict with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Accepted,
            Self::AcceptedPending,
            Self::RetryAfter,
            Self::Transient,
            Self::Uncertain,
            Self::Refused,
            Self::Barred,
            Self::Auth,
            Self::Misconfigured,
        ]
        .into_iter()
        .find(|verdict| verdict.name() == name)
    }
}

/// A verdict with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// What became of it.
    pub verdict: Verdict,
    /// Who can fix it, where someone has to.
    pub fixer: Option<Fixer>,
    /// Why, in words an operator understands; never the destination's own text, which may hold personal data.
    pub reason: String,
    /// The cause it was judged by (`http:503`, `timeout`, `connect`).
    pub cause: SmolStr,
    /// How long the destination asked us to wait.
    pub retry_after: Option<Duration>,
}

/// A table of causes and what each means: data with a reason per row (`mappings/verdicts-*.toml`).
///
/// Rows are tried from the top; a cause matches exactly or by a trailing `*`. The last row must match everything, so
/// that no cause goes unclassified.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictTable {
    /// The rows.
    #[serde(rename = "row")]
    rows: Vec<VerdictRow>,
}

/// One row of a verdict table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictRow {
    /// The cause, exact or with a trailing `*`.
    pub cause: String,
    /// What it means.
    pub verdict: Verdict,
    /// Who can fix it.
    pub fixer: Option<Fixer>,
    /// Why.
    pub reason: String,
}

/// A verdict table is not one.
#[derive(Debug, thiserror::Error)]
pub enum BadVerdictTable {
    /// It is not TOML of the right shape.
    #[error("not a verdict table: {0}")]
    Shape(#[from] toml::de::Error),
    /// The last row does not match everything.
    #[error("the last row must match every cause (`*`)")]
    NotExhaustive,
}

impl VerdictTable {
    /// Reads a table.
    ///
    /// # Errors
    /// If it is not TOML of the right shape, or its last row does not match every cause.
    pub fn from_toml(text: &str) -> Result<Self, BadVerdictTable> {
        let table: Self = toml::from_str(text)?;
        match table.rows.last() {
            Some(row) if row.cause == "*" => Ok(table),
            _ => Err(BadVerdictTable::NotExhaustive),
        }
    }

    /// The rows.
    pub fn rows(&self) -> &[VerdictRow] {
        &self.rows
    }

    /// What a cause means.
    pub fn judge(&self, cause: &str, retry_after: Option<Duration>) -> Judgement {
        let row = self.rows.iter().find(|row| match row.cause.strip_suffix('*') {
            Some(prefix) => cause.starts_with(prefix),
            None => row.cause == cause,
        });
        Judgement {
            verdict: row.map_or(Verdict::Uncertain, |row| row.verdict),
            fixer: row.and_then(|row| row.fixer),
            reason: row.map_or_else(|| "unclassified cause".to_owned(), |row| row.reason.clone()),
            cause: cause.into(),
            retry_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = r#"
        [[row]]
        cause = "http:503"
        verdict = "transient"
        reason = "overloaded"
        [[row]]
        cause = "http:5*"
        verdict = "uncertain"
        fixer = "other_side"
        reason = "failed"
    "#;

    #[test]
    fn the_first_row_that_matches_judges() {
        let table = format!("{ROWS}\n[[row]]\ncause = \"*\"\nverdict = \"refused\"\nreason = \"else\"");
        let table = VerdictTable::from_toml(&table).expect("a table");
        let judged = |cause| {
            let judgement = table.judge(cause, None);
            (judgement.verdict, judgement.fixer, judgement.reason)
        };
        assert_eq!(judged("http:503"), (Verdict::Transient, None, "overloaded".to_owned()));
        assert_eq!(judged("http:500"), (Verdict::Uncertain, Some(Fixer::OtherSide), "failed".to_owned()));
        assert_eq!(judged("connect"), (Verdict::Refused, None, "else".to_owned()));
    }

    #[test]
    fn a_table_that_leaves_a_cause_open_is_refused() {
        assert!(matches!(VerdictTable::from_toml(ROWS), Err(BadVerdictTable::NotExhaustive)));
        assert!(matches!(VerdictTable::from_toml("row = []"), Err(BadVerdictTable::NotExhaustive)));
        assert!(matches!(VerdictTable::from_toml("row = 1"), Err(BadVerdictTable::Shape(_))));
    }
}

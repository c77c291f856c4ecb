//! What the store's keeper counts against a sender: its "traffic lights", told before a load is sent.
//!
//! What there is to say is data (`mappings/checks-virta.toml`); `rules` holds what each check looks for.

mod rules;

use rules::RULES;
use serde::Deserialize;
use silta_adapter::SmolStr;
use silta_adapter::check::CheckContext;
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::record::{Coded, Record};
use std::sync::LazyLock;

/// The table of checks.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    degrees: Vec<SmolStr>,
    degree_rights: Vec<SmolStr>,
    going_on: Vec<SmolStr>,
    applied_sciences: Vec<SmolStr>,
    check: Vec<Row>,
}

/// What to tell about a check.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    code: SmolStr,
    path: String,
    fixer: Fixer,
    message: String,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| read().unwrap_or_default());

fn read() -> Result<Table, toml::de::Error> {
    toml::from_str(include_str!("../../../../mappings/checks-virta.toml"))
}

/// Everything the checks find in one learner's records.
pub(crate) fn check(learner: &[&Record], ctx: CheckContext<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let learner: Vec<&Record> = learner.iter().copied().filter(|r| !r.head.state.is_tombstone()).collect();
    for row in &TABLE.check {
        let Some((_, finds)) = RULES.iter().find(|(code, _)| *code == row.code) else { continue };
        problems.extend(finds(&learner, &TABLE, ctx).into_iter().map(|record| Problem {
            code: row.code.clone(),
            path: Some(row.path.clone()).filter(|path| !path.is_empty()),
            ..Problem::new("", Severity::Warning, row.fixer, row.message.clone()).about(&record.head.key)
        }));
    }
    problems
}

/// True if a code is one of a list.
fn is_in(list: &[SmolStr], code: Option<&Coded>) -> bool {
    code.is_some_and(|code| list.contains(&code.value))
}

#[cfg(test)]
mod tests;

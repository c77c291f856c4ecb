//! What becomes of a finding: repaired, left to a person, or no error at all. Pure: a function of the finding and the
//! connection's configuration.

use super::compare::{Expected, Finding};
use super::item::{Item, within_record};
use crate::config::{Connection, DifferenceRule, RepairPolicy, Rule, Ruling};
use crate::delivery::rules;
use crate::ledger::FindingKind;
use silta_adapter::record::{Body, Record};

/// What a connection's configuration says of a finding, and why: the first rule that matches decides, else the
/// connection's `repair`.
pub(super) fn ruling<'a>(finding: &Finding, expected: &[Expected], connection: &'a Connection) -> (Ruling, &'a str) {
    let ours = finding.expected.and_then(|at| expected[at].sent.as_ref());
    let record = ours.or(finding.found.as_ref()).map(|item: &Item| &item.root);
    match connection.difference.iter().find(|rule| matches(finding, record, rule)) {
        Some(rule) => (rule.then, &rule.because),
        None if connection.repair == RepairPolicy::Hold => (Ruling::Hold, ""),
        None => (Ruling::Repair, ""),
    }
}

fn matches(finding: &Finding, record: Option<&Record>, rule: &DifferenceRule) -> bool {
    let fields = &finding.evidence.fields;
    let covered = |path: &str| rule.field.iter().any(|field| within(within_record(path), field));
    (rule.finding.is_empty() || rule.finding.contains(&finding.kind))
        && finding.kind != FindingKind::Settling
        && (rule.field.is_empty() || (!fields.is_empty() && fields.iter().all(|one| covered(&one.path))))
        && record.is_some_and(|record| of_record(record, rule))
}

/// True if a path is a field or lies in it.
fn within(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn of_record(record: &Record, rule: &DifferenceRule) -> bool {
    let grade = match &record.body {
        Some(Body::Attainment(attainment)) => attainment.grade.as_ref().map(|grade| &grade.value),
        _ => None,
    };
    let routing = Rule {
        kind: rule.kind.clone(),
        institution: rule.institution.clone(),
        category: rule.category.clone(),
        classification: rule.classification.clone(),
        ..Rule::default()
    };
    rules::matches(record, &routing) && (rule.grade.is_empty() || grade.is_some_and(|g| rule.grade.contains(g)))
}

//! Which records a connection carries. Pure: a function of the record and the rules.

use crate::config::{Connection, Rule};
use schemars::JsonSchema;
use serde::Serialize;
use silta_adapter::adapter::Descriptor;
use silta_adapter::record::{Body, Record};
use smol_str::SmolStr;

/// Whether a connection carries a record, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Route {
    /// Whether it does.
    pub send: bool,
    /// Why, in words an operator understands.
    pub why: String,
}

/// Whether a connection carries a record: it must be of the connection's tenant and of a kind the adapter carries;
/// then the first rule that matches decides, and a record that no rule matches is sent.
pub fn route(record: &Record, connection: &Connection, adapter: &Descriptor) -> Route {
    let key = &record.head.key;
    if key.tenant != connection.tenant {
        return Route { send: false, why: format!("the connection carries records of {} only", connection.tenant) };
    }
    if !adapter.kinds.contains(&key.kind) {
        return Route { send: false, why: format!("{} does not carry the kind {}", adapter.name, key.kind) };
    }
    if connection.pull_every_secs > 0 && key.source == *connection.source() {
        return Route { send: false, why: "it comes from there".into() };
    }
    match connection.rule.iter().enumerate().find(|(_, rule)| matches(record, rule)) {
        Some((at, rule)) => {
            let because = if rule.because.is_empty() { String::new() } else { format!(": {}", rule.because) };
            Route { send: rule.send, why: format!("rule {}{because}", at + 1) }
        }
        None => Route { send: true, why: "no rule matches; records are sent by default".into() },
    }
}

/// True if a connection carries a record: it stands, and its rules send it.
pub fn carries(record: &Record, connection: &Connection, adapter: &Descriptor) -> bool {
    !record.head.state.is_tombstone() && route(record, connection, adapter).send
}

/// True if a record matches every predicate that a rule gives.
pub(crate) fn matches(record: &Record, rule: &Rule) -> bool {
    let attainment = match &record.body {
        Some(Body::Attainment(a)) => Some(a),
        _ => None,
    };
    let category = attainment.and_then(|a| a.category.as_ref()).map(|c| &c.value);
    let classified =
        |values: &[SmolStr]| attainment.is_some_and(|a| a.classifications.iter().any(|c| values.contains(&c.value)));
    let any = |list: &[SmolStr], value: &SmolStr| list.is_empty() || list.contains(value);
    (rule.kind.is_empty() || rule.kind.contains(&record.head.key.kind))
        && (rule.state.is_empty() || rule.state.contains(&record.head.state))
        && any(&rule.institution, &record.head.key.institution)
        && (rule.category.is_empty() || category.is_some_and(|c| rule.category.contains(c)))
        && (rule.classification.is_empty() || classified(&rule.classification))
        && !classified(&rule.not_classification)
}

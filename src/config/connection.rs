//! One configured use of an adapter: whose records, where to, which of them, at what pace.

use crate::ledger::FindingKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::record::{RecordKind, State};
use smol_str::SmolStr;

/// One configured use of an adapter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Its name: letters, digits, `-` and `_`.
    pub name: SmolStr,
    /// Whose records it carries.
    pub tenant: SmolStr,
    /// Name of the adapter.
    pub adapter: SmolStr,
    /// The adapter's own settings.
    #[serde(default)]
    pub settings: toml::Table,
    /// Requests per second; 0 for no limit.
    #[serde(default)]
    pub rate_per_sec: u32,
    /// Lanes worked on at once.
    #[serde(default = "one")]
    pub concurrency: u32,
    /// Shortest time between two loads that replace everything, in seconds.
    #[serde(default)]
    pub min_interval_secs: u64,
    /// Largest share of the items of the last load that a load may remove without an operator, 0–1.
    #[serde(default = "five_percent")]
    pub shrink_share: f64,
    /// How often its feeds are pulled, in seconds; 0 for never.
    #[serde(default)]
    pub pull_every_secs: u64,
    /// The register that pulled records come from, as part of their keys; the connection's name if empty.
    #[serde(default)]
    pub pull_source: SmolStr,
    /// How often it is reconciled, in seconds; the general setting if absent, 0 for never.
    #[serde(default)]
    pub reconcile_every_secs: Option<u64>,
    /// How long after a delivery a difference is not yet an error, in seconds; the general setting if absent.
    #[serde(default)]
    pub settle_secs: Option<u64>,
    /// What becomes of findings.
    #[serde(default)]
    pub repair: RepairPolicy,
    /// Most repairs one reconciliation may raise.
    #[serde(default = "many")]
    pub max_repairs: u64,
    /// Largest share of the items compared that may differ for any of them to be repaired without a person, 0–1.
    #[serde(default = "ten_percent")]
    pub max_repair_share: f64,
    /// Least share of what should be there that an inventory must hold to be believed, 0–1; it may hold no more than
    /// what should be there divided by it. 0 believes every inventory.
    #[serde(default = "half")]
    pub plausible_share: f64,
    /// Which findings are repaired, wait for a person or are no errors: the first rule that matches decides; `repair` if
    /// none does.
    #[serde(default)]
    pub difference: Vec<DifferenceRule>,
    /// True if a version that says what an older one said waits for an operator.
    #[serde(default)]
    pub hold_reverted: bool,
    /// Address that is told of alerts; none if empty.
    #[serde(default)]
    pub alert_webhook: String,
    /// Name of the seal that documents are sealed with before they are sent; none if absent.
    #[serde(default)]
    pub seal: Option<SmolStr>,
    /// True if a sealed credential names its place in a status list that the gateway serves, so that anybody can see
    /// that it was revoked. The shapes of edition 3.2 allow this, those of 3.1 do not.
    #[serde(default)]
    pub revocable: bool,
    /// Which records it carries: the first rule that matches decides; all if none does.
    #[serde(default)]
    pub rule: Vec<Rule>,
}

impl Connection {
    /// The register that pulled records come from.
    pub fn source(&self) -> &SmolStr {
        if self.pull_source.is_empty() { &self.name } else { &self.pull_source }
    }
}

fn one() -> u32 {
    1
}
fn five_percent() -> f64 {
    0.05
}
fn ten_percent() -> f64 {
    0.1
}
fn half() -> f64 {
    0.5
}
fn many() -> u64 {
    1000
}

/// What becomes of findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RepairPolicy {
    /// Repairs are raised as debts.
    #[default]
    Auto,
    /// Findings wait for an operator.
    Hold,
}

/// What becomes of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ruling {
    /// It becomes a debt again.
    Repair,
    /// It waits for a person.
    Hold,
    /// It is a legitimate difference.
    Ignore,
}

/// A routing rule: a record matches if every predicate that is given matches.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Kinds of record.
    pub kind: Vec<RecordKind>,
    /// States.
    pub state: Vec<State>,
    /// Institutions as sent.
    pub institution: Vec<SmolStr>,
    /// Categories of attainment (VIRTA `Laji`), by value.
    pub category: Vec<SmolStr>,
    /// Classifications of attainments, of which one must be there, by value.
    pub classification: Vec<SmolStr>,
    /// Classifications of attainments, of which none may be there, by value.
    pub not_classification: Vec<SmolStr>,
    /// Whether records that match are sent.
    #[serde(default = "yes")]
    pub send: bool,
    /// Why, for people.
    pub because: String,
}

fn yes() -> bool {
    true
}

/// What becomes of some findings: one matches if every predicate that is given matches.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferenceRule {
    /// Kinds of finding.
    #[serde(default)]
    pub finding: Vec<FindingKind>,
    /// Fields (JSON pointers): nothing outside of them differs.
    #[serde(default)]
    pub field: Vec<String>,
    /// Kinds of record.
    #[serde(default)]
    pub kind: Vec<RecordKind>,
    /// Institutions as sent.
    #[serde(default)]
    pub institution: Vec<SmolStr>,
    /// Categories of attainment (VIRTA `Laji`), by value.
    #[serde(default)]
    pub category: Vec<SmolStr>,
    /// Classifications of attainments, of which one must be there, by value.
    #[serde(default)]
    pub classification: Vec<SmolStr>,
    /// Grades of attainments, by value.
    #[serde(default)]
    pub grade: Vec<SmolStr>,
    /// What becomes of findings that match.
    pub then: Ruling,
    /// Why, for people.
    #[serde(default)]
    pub because: String,
}

//! One configured use of an adapter: whose records, where to, which of them, at what pace.

use serde::Deserialize;
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
    /// True if a version that says what an older one said waits for an operator.
    #[serde(default)]
    pub hold_reverted: bool,
    /// Address that is told of alerts; none if empty.
    #[serde(default)]
    pub alert_webhook: String,
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

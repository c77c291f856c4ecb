//! The configuration: one TOML file, one struct per topic, unknown keys are errors.
//!
//! `config/silta.toml` shows every key with its meaning, unit and default.

mod connection;
mod seal;

pub use connection::{Connection, DifferenceRule, RepairPolicy, Rule, Ruling};
pub use seal::Seal;

use secrecy::SecretString;
use serde::Deserialize;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The gateway's own HTTP server.
    pub server: Server,
    /// Where the ledger lives.
    pub store: Store,
    /// The secret of sealed contents and pseudonyms.
    pub vault: Vault,
    /// Logs and traces.
    pub telemetry: Telemetry,
    /// Bounds on what is pushed.
    pub intake: Intake,
    /// Code lists and crosswalks.
    pub mappings: Mappings,
    /// Pace and patience of deliveries.
    pub delivery: Delivery,
    /// Pace of reconciliations.
    pub reconcile: Reconcile,
    /// When operators are told.
    pub alerts: Alerts,
    /// How long what is over is kept.
    pub retention: Retention,
    /// What credentials are sealed with, by name.
    pub seal: BTreeMap<SmolStr, Seal>,
    /// Who may send records.
    pub tenant: Vec<Tenant>,
    /// Where records go.
    pub connection: Vec<Connection>,
}

/// The configuration is not usable.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// The file cannot be read.
    #[error("the configuration {file} cannot be read: {reason}")]
    File {
        /// Which file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The text is not a configuration. Its lines are not shown: they may hold secrets.
    #[error("the configuration is not valid, line {line}: {reason}")]
    Shape {
        /// Line, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// Parts contradict each other.
    #[error("the configuration is not valid: {0}")]
    Meaning(String),
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// If the file cannot be read, holds an unknown key or a wrong value, or contradicts itself.
    pub fn read(file: &Path) -> Result<Self, BadConfig> {
        let text = std::fs::read_to_string(file)
            .map_err(|e| BadConfig::File { file: file.display().to_string(), reason: e.to_string() })?;
        Self::from_toml(&text)
    }

    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// If it holds an unknown key or a wrong value, or contradicts itself.
    pub fn from_toml(text: &str) -> Result<Self, BadConfig> {
        let config: Self = toml::from_str(text).map_err(|e| BadConfig::Shape {
            line: e.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1)),
            reason: e.message().to_owned(),
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), BadConfig> {
        let twice = |mut names: Vec<&SmolStr>, what: &str| {
            names.sort();
            match names.windows(2).find(|pair| pair[0] == pair[1]) {
                Some(pair) => Err(BadConfig::Meaning(format!("the {what} {} is there twice", pair[0]))),
                None => Ok(()),
            }
        };
        twice(self.tenant.iter().map(|t| &t.code).collect(), "tenant")?;
        twice(self.connection.iter().map(|c| &c.name).collect(), "connection")?;
        for connection in &self.connection {
            if self.tenant(&connection.tenant).is_none() {
                return Err(BadConfig::Meaning(format!(
                    "connection {} is for tenant {}, which is not listed",
                    connection.name, connection.tenant
                )));
            }
            if !connection.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
                return Err(BadConfig::Meaning(format!(
                    "connection {}: a name is made of letters, digits, - and _",
                    connection.name
                )));
            }
            self.check_seal(connection)?;
        }
        let public = &self.server.public_url;
        if !public.is_empty()
            && (!public.starts_with("http://") && !public.starts_with("https://") || public.ends_with('/'))
        {
            return Err(BadConfig::Meaning(
                "server.public_url is an http or https address without / at its end".into(),
            ));
        }
        Ok(())
    }

    fn check_seal(&self, connection: &Connection) -> Result<(), BadConfig> {
        let bad = |reason: String| Err(BadConfig::Meaning(format!("connection {}: {reason}", connection.name)));
        match &connection.seal {
            Some(seal) if !self.seal.contains_key(seal) => bad(format!("there is no seal {seal}")),
            None if connection.revocable => bad("only what is sealed can be revoked".into()),
            Some(_) if connection.revocable && self.server.public_url.is_empty() => {
                bad("a status list needs server.public_url, where others find it".into())
            }
            _ => Ok(()),
        }
    }

    /// The tenant of this code.
    pub fn tenant(&self, code: &str) -> Option<&Tenant> {
        self.tenant.iter().find(|t| t.code == code)
    }

    /// Of which attainments of a tenant the sender is told what they lack as micro-credentials.
    pub fn micro_credentials(&self, tenant: &str) -> MicroCredentials {
        self.tenant(tenant).and_then(|tenant| tenant.micro_credentials).unwrap_or(self.intake.micro_credentials)
    }
}

/// The gateway's own HTTP server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address to listen on.
    pub listen: String,
    /// Largest body of a push, in bytes.
    pub max_body_bytes: u64,
    /// Longest time for one request, in seconds.
    pub request_timeout_secs: u64,
    /// Where others find the gateway (`https://silta.example`): the beginning of links to credentials and of the
    /// addresses of status lists. Without it there are none.
    pub public_url: String,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            max_body_bytes: 1 << 30,
            request_timeout_secs: 600,
            public_url: String::new(),
        }
    }
}

/// Where the ledger lives.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// `sqlite:<file>`, or `postgres://user@host/database`.
    pub url: String,
    /// A file that holds the URL instead: for one with a password in it.
    pub url_file: Option<PathBuf>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may have a password.
        f.write_str("Store(…)")
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { url: "sqlite:silta.db".into(), url_file: None }
    }
}

impl Store {
    /// Which store this is.
    ///
    /// # Errors
    /// If the URL names none of the databases, or cannot be read from its file.
    pub fn place(&self) -> Result<Place, BadConfig> {
        match &self.url_file {
            None => Place::of(&self.url),
            Some(_) if self.url != Self::default().url => {
                Err(BadConfig::Meaning("store: give either url or url_file, not both".into()))
            }
            Some(file) => {
                let url = std::fs::read_to_string(file)
                    .map_err(|e| BadConfig::Meaning(format!("store.url_file cannot be read: {}", e.kind())))?;
                Place::of(url.trim())
            }
        }
    }
}

/// A store, by the database it is in.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file.
    Sqlite(PathBuf),
    /// A database of a server, by its URL.
    Postgres(SecretString),
}

impl Place {
    /// The store of a URL.
    ///
    /// # Errors
    /// If it names none of the databases. The error does not repeat it: it may have a password.
    pub fn of(url: &str) -> Result<Self, BadConfig> {
        match url.split_once(':') {
            Some(("sqlite", file)) if !file.is_empty() => Ok(Self::Sqlite(file.trim_start_matches("//").into())),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(url.into())),
            _ => Err(BadConfig::Meaning("a store's URL is sqlite:FILE or postgres://USER@HOST/DATABASE".into())),
        }
    }
}

/// The secret of sealed contents and pseudonyms.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vault {
    /// File of 64 hexadecimal digits; made at the first start.
    pub key_file: PathBuf,
}

impl Default for Vault {
    fn default() -> Self {
        Self { key_file: "silta.key".into() }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Logs and traces.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// Level, or a filter such as `info,silta=debug`.
    pub log: String,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// OTLP/HTTP endpoint for traces; none if empty.
    pub otlp_endpoint: String,
    /// Name under which traces are sent.
    pub service_name: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            log: "info".into(),
            log_format: LogFormat::Json,
            otlp_endpoint: String::new(),
            service_name: "silta".into(),
        }
    }
}

/// Bounds on what is pushed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Intake {
    /// Records kept in one transaction.
    pub batch: usize,
    /// Largest single record, in bytes.
    pub max_record_bytes: usize,
    /// Deepest nesting.
    pub max_depth: usize,
    /// Largest share of a tenant's records that a complete push may remove without confirmation, 0–1.
    pub shrink_share: f64,
    /// What becomes of a learner one of whose identifiers has a wrong check digit.
    pub check_digits: CheckDigits,
    /// Of which attainments the sender is told what they lack as micro-credentials, where the tenant does not say.
    pub micro_credentials: MicroCredentials,
}

/// Of which attainments the sender is told what they lack as micro-credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MicroCredentials {
    /// Of those whose type says that they are micro-credentials.
    #[default]
    Declared,
    /// Of all.
    All,
    /// Of none.
    None,
}

/// What becomes of a learner one of whose identifiers has a wrong check digit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckDigits {
    /// It is taken, with a warning: outside of production invented numbers are normal.
    #[default]
    Warn,
    /// It is refused.
    Refuse,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            batch: 500,
            max_record_bytes: 4 << 20,
            max_depth: 64,
            shrink_share: 0.05,
            check_digits: CheckDigits::default(),
            micro_credentials: MicroCredentials::default(),
        }
    }
}

/// Code lists and crosswalks.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mappings {
    /// Directory whose `*.toml` files replace the built-in ones of the same name.
    pub directory: Option<PathBuf>,
}

/// Pace and patience of deliveries.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// Length of a lease, in seconds; must outlast a destination's request timeout.
    pub lease_secs: u64,
    /// Debts claimed at once.
    pub batch: u32,
    /// Wait after the first failure, in seconds.
    pub first_backoff_secs: u64,
    /// Longest wait, in seconds.
    pub max_backoff_secs: u64,
    /// Longest `Retry-After` that is honoured, in seconds.
    pub max_retry_after_secs: u64,
    /// Failures in a row that open the breaker.
    pub breaker_failures: i64,
    /// How long the breaker stays open, in seconds.
    pub breaker_cooldown_secs: u64,
    /// How often queues are looked at when nothing wakes them, in seconds.
    pub poll_secs: u64,
    /// How often destinations that report are asked for a new report, in seconds.
    pub reports_secs: u64,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            lease_secs: 120,
            batch: 50,
            first_backoff_secs: 1,
            max_backoff_secs: 3600,
            max_retry_after_secs: 36_000,
            breaker_failures: 5,
            breaker_cooldown_secs: 60,
            poll_secs: 5,
            reports_secs: 900,
        }
    }
}

/// Pace of reconciliations.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reconcile {
    /// How often a connection is reconciled, in seconds, unless it says otherwise; 0 for never.
    pub every_secs: u64,
    /// How long after a delivery a difference is not yet an error, in seconds.
    pub settle_secs: u64,
}

impl Default for Reconcile {
    fn default() -> Self {
        Self { every_secs: 86_400, settle_secs: 86_400 }
    }
}

/// When operators are told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// Age of the oldest debt that raises an alert, in seconds.
    pub oldest_debt_secs: u64,
}

impl Default for Alerts {
    fn default() -> Self {
        Self { oldest_debt_secs: 86_400 }
    }
}

/// How long what is over is kept, in days; 0 for ever.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Attempts for debts that are not open.
    pub attempts_days: u32,
    /// Closed findings, and reconciliations of which none is left.
    pub findings_days: u32,
    /// Closed loads with their manifests.
    pub loads_days: u32,
    /// Closed problems of senders.
    pub problems_days: u32,
    /// The audit trail.
    pub audit_days: u32,
    /// Arrivals that changed nothing.
    pub arrivals_days: u32,
    /// Superseded versions, with their places in the change feed.
    pub versions_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            attempts_days: 90,
            findings_days: 400,
            loads_days: 400,
            problems_days: 400,
            audit_days: 0,
            arrivals_days: 400,
            versions_days: 0,
        }
    }
}

/// Who may send records.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Code of the institution (Finland: *oppilaitosnumero*).
    pub code: SmolStr,
    /// Its name, for people.
    #[serde(default)]
    pub name: String,
    /// Of which of its attainments it is told what they lack as micro-credentials, if not as [`Intake`] says.
    #[serde(default)]
    pub micro_credentials: Option<MicroCredentials>,
}

/// Seconds as a duration.
pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const SHOWN: &str = include_str!("../../config/silta.toml");

    /// The file with its examples in force: lines that start with `#` and no space.
    fn with_examples() -> String {
        let example = |line: &'static str| match line.strip_prefix('#') {
            Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest,
            _ => line,
        };
        SHOWN.lines().map(example).collect::<Vec<_>>().join("\n")
    }

    /// The keys that may follow a section's heading: those the complaint about a wrong one lists.
    fn keys(heading: &str) -> BTreeSet<String> {
        let error = toml::from_str::<Config>(&format!("{heading}\n'?' = 1")).expect_err("a wrong key").to_string();
        let expected = error.split_once("expected").expect("a list of keys").1;
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_file_shows_the_defaults() {
        assert_eq!(Config::from_toml(SHOWN).expect("reads"), Config::default());
        let shown = Config::from_toml(&with_examples()).expect("reads with its examples").connection.swap_remove(0);
        let bare = format!("name = '{}'\ntenant = '{}'\nadapter = '{}'", shown.name, shown.tenant, shown.adapter);
        let bare: Connection = toml::from_str(&bare).expect("reads");
        assert_eq!((bare.reconcile_every_secs, bare.settle_secs), (None, None));
        let Reconcile { every_secs, settle_secs } = Reconcile::default();
        let Connection { settings, rule, difference, seal, .. } = shown.clone();
        let (reconcile_every_secs, settle_secs) = (Some(every_secs), Some(settle_secs));
        assert_eq!(shown, Connection { settings, rule, difference, seal, reconcile_every_secs, settle_secs, ..bare });
    }

    #[test]
    fn the_file_shows_every_key() {
        let shown: toml::Table = with_examples().parse().expect("TOML");
        let first = |list: &toml::Value| list[0].as_table().expect("a table").clone();
        let (tenant, connection) = (first(&shown["tenant"]), first(&shown["connection"]));
        let (rule, difference) = (first(&connection["rule"]), first(&connection["difference"]));
        let seal = shown["seal"]["main"].as_table().expect("a table").clone();
        let lists = [
            ("[seal.main]", seal),
            ("[[tenant]]", tenant),
            ("[[connection]]", connection),
            ("[[connection]]\n[[connection.rule]]", rule),
            ("[[connection]]\n[[connection.difference]]", difference),
        ];
        let mut sections: Vec<(String, toml::Table)> = lists.map(|(heading, t)| (heading.to_owned(), t)).to_vec();
        let one = shown.iter().filter(|(name, _)| *name != "seal");
        sections.extend(one.filter_map(|(name, t)| Some((format!("[{name}]"), t.as_table()?.clone()))));
        sections.push((String::new(), shown));
        for (heading, table) in sections {
            assert_eq!(table.keys().cloned().collect::<BTreeSet<_>>(), keys(&heading), "{heading}");
        }
    }

    #[test]
    fn the_file_shows_every_setting_of_the_adapters() {
        let config = Config::from_toml(&with_examples()).expect("reads");
        let registry = crate::registry::adapters();
        for connection in config.connection {
            let adapter = registry.get(&connection.adapter).expect("an adapter").descriptor();
            let schema = serde_json::to_value(adapter.settings.expect("settings")()).expect("JSON");
            let known = |at: &serde_json::Value| -> BTreeSet<String> {
                at["properties"].as_object().expect("properties").keys().cloned().collect()
            };
            let mut sections = vec![(known(&schema), connection.settings.clone())];
            if let Some(toml::Value::Table(soap)) = connection.settings.get("soap") {
                sections.push((known(&schema["$defs"]["SoapSettings"]), soap.clone()));
            }
            for (known, there) in sections {
                assert!(there.keys().all(|key| known.contains(key)), "{}: {there:?}", connection.name);
                // What excludes another key is shown in a comment.
                let missing = |key: &&String| !there.contains_key(*key) && !SHOWN.contains(&format!(": {key} = "));
                assert_eq!(known.iter().find(missing), None, "{}", connection.name);
            }
        }
    }

    #[test]
    fn unknown_keys_and_contradictions_are_errors() {
        for (text, needle) in [
            ("[server]\nlisten = 'x'\nport = 1\n", "unknown field `port`"),
            ("[[connection]]\nname='a'\ntenant='1'\nadapter='virta'\n", "tenant 1, which is not listed"),
            ("[[tenant]]\ncode='1'\n[[tenant]]\ncode='1'\n", "the tenant 1 is there twice"),
            ("[[tenant]]\ncode='1'\n[[connection]]\nname='a/b'\ntenant='1'\nadapter='virta'\n", "a name is made of"),
        ] {
            let error = Config::from_toml(text).expect_err(text).to_string();
            assert!(error.contains(needle), "{error}");
        }
    }
}

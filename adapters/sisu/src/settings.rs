//! The settings of a connection, and opening one.

use crate::client::Client;
use crate::export::Export;
use crate::import::{Import, Recent};
use crate::readback::Readback;
use schemars::{JsonSchema, Schema};
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use silta_adapter::adapter::{BadSettings, Connected};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Settings of a connection to a Sisu. Export and import have users of their own; one of the two must be there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its address, `http` or `https`.
    pub url: String,
    /// Who reads its feeds.
    pub export: Option<User>,
    /// Who imports.
    pub import: Option<User>,
    /// The feeds that are read: `persons`, `study-rights`, `term-registrations`, `mobility-periods`, `attainments`. A user
    /// may read only what was granted.
    #[serde(default = "all_feeds")]
    pub feeds: Vec<String>,
    /// Entities per page, 1–5000.
    #[serde(default = "page_size")]
    #[schemars(range(min = 1, max = 5000))]
    pub page_size: u32,
    /// False to do without names of course units, modules and organisations, which take a request each.
    #[serde(default = "yes")]
    pub names: bool,
    /// Seconds after an import in which what is read may not show it: until then a lost answer stays open.
    #[serde(default = "lag_secs")]
    pub lag_secs: u64,
    /// Seconds one request may take.
    #[serde(default = "timeout_secs")]
    #[schemars(range(min = 1))]
    pub timeout_secs: u64,
    /// Bytes one answer may have.
    #[serde(default = "max_answer_bytes")]
    pub max_answer_bytes: usize,
}

/// A user of Sisu's interfaces (HTTP Basic).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its password. Better kept in a file.
    #[serde(default, deserialize_with = "secret")]
    #[schemars(with = "Option<String>")]
    pub password: Option<SecretString>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
}

fn all_feeds() -> Vec<String> {
    crate::export::FEEDS.iter().map(|feed| feed.name.to_owned()).collect()
}
fn page_size() -> u32 {
    1000
}
fn yes() -> bool {
    true
}
fn lag_secs() -> u64 {
    7200
}
fn timeout_secs() -> u64 {
    60
}
fn max_answer_bytes() -> usize {
    64 << 20
}

fn secret<'de, D: Deserializer<'de>>(d: D) -> Result<Option<SecretString>, D::Error> {
    // The usual message would repeat the value.
    let text = Option::<String>::deserialize(d).map_err(|_| D::Error::custom("password must be text"))?;
    Ok(text.map(SecretString::from))
}

impl User {
    /// The password, from wherever it is kept.
    fn secret(&self) -> Result<SecretString, BadSettings> {
        match (&self.password, &self.password_file) {
            (Some(password), None) => Ok(password.clone()),
            (None, Some(file)) => std::fs::read_to_string(file)
                .map(|text| SecretString::from(text.trim_end_matches(['\r', '\n'])))
                .map_err(|e| BadSettings(format!("password_file cannot be read: {}", e.kind()))),
            _ => Err(BadSettings("a user needs either password or password_file".into())),
        }
    }
}

/// The JSON Schema of [`Settings`].
pub fn schema() -> Schema {
    schemars::schema_for!(Settings)
}

/// Opens a connection: what the export user may read is pulled and read back, what the import user may is delivered.
pub(crate) fn connect(settings: &serde_json::Value) -> Result<Connected, BadSettings> {
    let settings = Settings::deserialize(settings).map_err(|e| BadSettings(e.to_string()))?;
    let client = |user: &User| -> Result<Arc<Client>, BadSettings> {
        let limit = Duration::from_secs(settings.timeout_secs.max(1));
        Client::open(&settings.url, &user.name, user.secret()?, limit, settings.max_answer_bytes).map(Arc::new)
    };
    if !(1..=5000).contains(&settings.page_size) {
        return Err(BadSettings("page_size must be between 1 and 5000".into()));
    }
    let mut connected = Connected::default();
    let recent = Arc::new(Recent::new(Duration::from_secs(settings.lag_secs)));
    if let Some(user) = &settings.import {
        connected.deliver = Some(Arc::new(Import::open(client(user)?, recent.clone())?));
    }
    if let Some(user) = &settings.export {
        let export = Export::open(client(user)?, &settings.feeds, settings.page_size, settings.names)?;
        let export = Arc::new(export);
        if settings.import.is_some() {
            connected.inventory = Some(Arc::new(Readback::new(export.clone(), recent)));
        }
        connected.pull = Some(export);
    }
    match connected.pull.is_none() && connected.deliver.is_none() {
        true => Err(BadSettings("give export, import, or both".into())),
        false => Ok(connected),
    }
}

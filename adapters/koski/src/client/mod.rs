//! Koski over HTTP: sending badges, taking them back, and reading what is held.

mod changes;
mod deliver;
mod http;
mod inventory;

use http::Http;
use jiff::SignedDuration;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use silta_adapter::adapter::{BadSettings, Connected};
use std::path::PathBuf;
use std::sync::Arc;

/// Settings of a connection to Koski.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The service's address (`https://koski.example/koski`).
    url: String,
    /// The service user that was agreed with its keeper.
    user: String,
    /// The user's password. Better kept in a file.
    #[serde(default, deserialize_with = "secret")]
    #[schemars(with = "Option<String>")]
    password: Option<SecretString>,
    /// A file that holds the password instead.
    password_file: Option<PathBuf>,
    /// Who calls: the organisation's OID and the system's name (`1.2.246.562.10.XXXXXXXXXXX.silta`).
    caller_id: String,
    /// Longest time one call may take, in seconds.
    #[serde(default = "Settings::timeout_secs")]
    #[schemars(range(min = 1, max = 3600))]
    timeout_secs: u64,
    /// Bytes one answer may have.
    #[serde(default = "Settings::max_answer_bytes")]
    max_answer_bytes: usize,
    /// Seconds of what was read before that a query for changes reads again.
    #[serde(default = "Settings::overlap_secs")]
    overlap_secs: u64,
}

impl Settings {
    fn timeout_secs() -> u64 {
        60
    }

    fn max_answer_bytes() -> usize {
        64 << 20
    }

    fn overlap_secs() -> u64 {
        3600
    }

    /// The JSON Schema of the settings.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn secret(&self) -> Result<SecretString, BadSettings> {
        let password = match (&self.password, &self.password_file) {
            (Some(password), None) => password.clone(),
            (None, Some(file)) => std::fs::read_to_string(file)
                .map(|text| SecretString::from(text.trim_end_matches(['\r', '\n'])))
                .map_err(|e| BadSettings(format!("password_file cannot be read: {}", e.kind())))?,
            _ => return Err(BadSettings("one of password and password_file must be given".into())),
        };
        Ok(password)
    }
}

fn secret<'de, D: Deserializer<'de>>(d: D) -> Result<Option<SecretString>, D::Error> {
    use serde::de::Error as _;
    // The usual message would repeat the value.
    let text = Option::<String>::deserialize(d).map_err(|_| D::Error::custom("password must be text"))?;
    Ok(text.map(SecretString::from))
}

/// Opens a connection.
pub(crate) fn connect(settings: &serde_json::Value) -> Result<Connected, BadSettings> {
    let settings = Settings::deserialize(settings).map_err(|e| BadSettings(e.to_string()))?;
    let overlap = i64::try_from(settings.overlap_secs).map_err(|_| BadSettings("overlap_secs is too long".into()))?;
    let http = Arc::new(Http::new(&settings)?);
    Ok(Connected {
        deliver: Some(Arc::new(deliver::Sender(http.clone()))),
        inventory: Some(Arc::new(inventory::Reader(http.clone()))),
        pull: Some(Arc::new(changes::Changes { http, overlap: SignedDuration::from_secs(overlap) })),
        ..Connected::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_checked_and_secrets_never_repeated() {
        let whole = json!({ "url": "https://koski.example/koski", "user": "u", "password": "s3cret",
            "caller_id": "1.2.246.562.10.90000000001.silta" });
        connect(&whole).expect("opens");
        for (name, value, reason) in [
            ("url", json!("ftp://koski.example"), "http or https"),
            ("url", json!("https://u:s3cret@koski.example"), "without credentials"),
            ("url", json!("koski"), "not a web address"),
            ("password", json!(["s3cret"]), "password must be text"),
            ("password_file", json!("/nowhere/at/all"), "one of password and password_file"),
            ("caller_id", json!("a\nb"), "caller_id"),
            ("timeout_secs", json!(0), "between 1 and 3600"),
            ("colour", json!(1), "unknown field `colour`"),
        ] {
            let mut settings = whole.clone();
            settings[name] = value;
            let refusal = connect(&settings).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(refusal.contains(reason) && !refusal.contains("s3cret"), "{name}: {refusal}");
        }
    }
}

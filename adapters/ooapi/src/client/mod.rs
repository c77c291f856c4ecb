//! A partner's interface as a destination.

mod deliver;
mod http;
mod inventory;

use crate::dialect::Dialect;
use http::Http;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use silta_adapter::adapter::{BadSettings, Connected, Inventory};
use std::path::PathBuf;
use std::sync::Arc;

/// Settings of a connection to a partner.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address of the partner's interface (`https://partner.example/ooapi`).
    url: String,
    /// A token that may write there.
    #[serde(default, deserialize_with = "secret")]
    #[schemars(with = "Option<String>")]
    token: Option<SecretString>,
    /// A file that holds the token instead.
    token_file: Option<PathBuf>,
    /// False if the partner does not let us read what we wrote. Nothing sent is ever confirmed then.
    #[serde(default = "Settings::read_back")]
    read_back: bool,
    /// Longest time one call may take, in seconds.
    #[serde(default = "Settings::timeout_secs")]
    #[schemars(range(min = 1, max = 3600))]
    timeout_secs: u64,
    /// Bytes one answer may have.
    #[serde(default = "Settings::max_answer_bytes")]
    max_answer_bytes: usize,
}

impl Settings {
    fn read_back() -> bool {
        true
    }

    fn timeout_secs() -> u64 {
        30
    }

    fn max_answer_bytes() -> usize {
        16 << 20
    }

    /// The JSON Schema of the settings.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn secret(&self) -> Result<SecretString, BadSettings> {
        match (&self.token, &self.token_file) {
            (Some(token), None) => Ok(token.clone()),
            (None, Some(file)) => std::fs::read_to_string(file)
                .map(|text| SecretString::from(text.trim()))
                .map_err(|e| BadSettings(format!("token_file cannot be read: {}", e.kind()))),
            _ => Err(BadSettings("one of token and token_file must be given".into())),
        }
    }
}

fn secret<'de, D: Deserializer<'de>>(d: D) -> Result<Option<SecretString>, D::Error> {
    use serde::de::Error as _;
    // The usual message would repeat the value.
    let text = Option::<String>::deserialize(d).map_err(|_| D::Error::custom("token must be text"))?;
    Ok(text.map(SecretString::from))
}

/// Opens a connection.
pub(crate) fn connect(dialect: &'static Dialect, settings: &serde_json::Value) -> Result<Connected, BadSettings> {
    let settings = Settings::deserialize(settings).map_err(|e| BadSettings(e.to_string()))?;
    let http = Arc::new(Http::new(&settings)?);
    let reader = || -> Arc<dyn Inventory> { Arc::new(inventory::Reader { http: http.clone(), dialect }) };
    Ok(Connected {
        inventory: settings.read_back.then(reader),
        deliver: Some(Arc::new(deliver::Sender { http: http.clone(), dialect })),
        ..Connected::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::V6;
    use serde_json::json;

    #[test]
    fn settings_are_checked_and_secrets_never_repeated() {
        let whole = json!({ "url": "https://partner.example/ooapi", "token": "s3cret" });
        assert!(connect(&V6, &whole).is_ok_and(|connected| connected.inventory.is_some()));
        for (name, value, reason) in [
            ("url", json!("ftp://partner.example"), "http or https"),
            ("url", json!("https://u:s3cret@partner.example"), "without credentials"),
            ("url", json!("partner"), "not a web address"),
            ("token", json!(["s3cret"]), "token must be text"),
            ("token_file", json!("/nowhere/at/all"), "one of token and token_file"),
            ("timeout_secs", json!(0), "between 1 and 3600"),
            ("colour", json!(1), "unknown field `colour`"),
        ] {
            let mut settings = whole.clone();
            settings[name] = value;
            let refusal = connect(&V6, &settings).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(refusal.contains(reason) && !refusal.contains("s3cret"), "{name}: {refusal}");
        }
    }
}

//! The settings of a connection, and opening one.

use crate::drop::DirectoryDrop;
use crate::soap::SoapReader;
use schemars::{JsonSchema, Schema};
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use silta_adapter::adapter::{BadSettings, Connected, Decode, Deliver, Inventory};
use std::path::PathBuf;
use std::sync::Arc;

/// Settings of a VIRTA connection. At least one of its parts must be there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The directory that loads are dropped into, from where they are transferred to the store.
    pub directory: Option<PathBuf>,
    /// The store's reading service.
    pub soap: Option<SoapSettings>,
}

/// How the reading service is reached. `system`, `user` and password are what was agreed with its keeper
/// (`jarjestelma`, `tunnus`, `avain`).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoapSettings {
    /// Its address, `http` or `https`.
    pub url: String,
    /// The calling system.
    #[serde(default)]
    pub system: String,
    /// The calling user.
    #[serde(default)]
    pub user: String,
    /// The password. Better kept in a file.
    #[serde(default, deserialize_with = "secret")]
    #[schemars(with = "Option<String>")]
    pub password: Option<SecretString>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
    /// Seconds one call may take.
    #[serde(default = "SoapSettings::timeout_secs")]
    #[schemars(range(min = 1))]
    pub timeout_secs: u64,
    /// Bytes one answer may have.
    #[serde(default = "SoapSettings::max_answer_bytes")]
    pub max_answer_bytes: u64,
    /// Ask for the rows of this organisation only. Answers are then never complete, so nothing can be found missing.
    pub organisation: Option<String>,
}

impl SoapSettings {
    fn timeout_secs() -> u64 {
        60
    }

    fn max_answer_bytes() -> u64 {
        256 << 20
    }

    /// The password, from wherever it is kept; empty if there is none.
    ///
    /// # Errors
    /// If it is given twice, or its file cannot be read.
    pub fn secret(&self) -> Result<SecretString, BadSettings> {
        match (&self.password, &self.password_file) {
            (Some(_), Some(_)) => Err(BadSettings("soap: give either password or password_file, not both".into())),
            (Some(password), None) => Ok(password.clone()),
            (None, Some(file)) => std::fs::read_to_string(file)
                .map(|text| SecretString::from(text.trim_end_matches(['\r', '\n'])))
                .map_err(|e| BadSettings(format!("soap: password_file cannot be read: {}", e.kind()))),
            (None, None) => Ok(SecretString::default()),
        }
    }
}

fn secret<'de, D: Deserializer<'de>>(d: D) -> Result<Option<SecretString>, D::Error> {
    // The usual message would repeat the value.
    let text = Option::<String>::deserialize(d).map_err(|_| D::Error::custom("password must be text"))?;
    Ok(text.map(SecretString::from))
}

/// The JSON Schema of [`Settings`].
pub fn schema() -> Schema {
    schemars::schema_for!(Settings)
}

/// Opens a connection: loads go to the directory, what the store holds is read over SOAP with this decoder.
///
/// # Errors
/// If the settings are not of the shape of [`Settings`] or name something that cannot be.
pub fn connect(settings: &serde_json::Value, decoder: Arc<dyn Decode>) -> Result<Connected, BadSettings> {
    let settings = Settings::deserialize(settings).map_err(|e| BadSettings(e.to_string()))?;
    let deliver = settings.directory.map(DirectoryDrop::new).transpose()?.map(|d| Arc::new(d) as Arc<dyn Deliver>);
    let inventory = match &settings.soap {
        Some(soap) => Some(Arc::new(SoapReader::new(soap, decoder)?) as Arc<dyn Inventory>),
        None => None,
    };
    match (&deliver, &inventory) {
        (None, None) => Err(BadSettings("give a directory, soap, or both".into())),
        _ => Ok(Connected { deliver, inventory, ..Connected::default() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Virta;
    use secrecy::ExposeSecret;
    use serde_json::json;

    fn open(settings: serde_json::Value) -> Result<Connected, String> {
        connect(&settings, Arc::new(Virta)).map_err(|e| e.to_string())
    }

    #[test]
    fn each_part_opens_its_capability() {
        let directory = open(json!({"directory": "out"})).expect("opens");
        assert!(directory.deliver.is_some() && directory.inventory.is_none());
        let soap = open(json!({"soap": {"url": "https://store.example/luku"}})).expect("opens");
        assert!(soap.deliver.is_none() && soap.inventory.is_some());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (settings, reason) in [
            (json!({}), "give a directory"),
            (json!({"directory": "out", "colour": 1}), "unknown field `colour`"),
            (json!({"soap": {"url": "ftp://store.example"}}), "http or https"),
            (json!({"soap": {"url": "https://me:pw@store.example"}}), "password_file"),
            (json!({"soap": {"url": "no address"}}), "not an address"),
            (json!({"soap": {"url": "http://store.example", "timeout_secs": 0}}), "timeout_secs"),
            (json!({"soap": {"url": "http://store.example", "password": "a", "password_file": "b"}}), "not both"),
            (json!({"soap": {"url": "http://store.example", "password": 1234}}), "password must be text"),
            (json!({"soap": {"url": "http://store.example", "password_file": "/nowhere/at/all"}}), "cannot be read"),
        ] {
            let refusal = open(settings.clone()).err().unwrap_or_default();
            assert!(refusal.contains(reason), "{settings}: {refusal}");
        }
    }

    #[test]
    fn the_schema_asks_for_what_is_read() {
        let schema = serde_json::to_string(&schema()).expect("JSON");
        for part in ["directory", "password_file", "timeout_secs", "\"additionalProperties\":false"] {
            assert!(schema.contains(part), "{part}");
        }
    }

    #[test]
    fn a_password_is_read_from_its_file_and_never_shown() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "from-the-file\n").expect("writes");
        let kept: SoapSettings =
            serde_json::from_value(json!({"url": "http://store.example", "password_file": file.path()}))
                .expect("reads");
        assert_eq!(kept.secret().expect("reads").expose_secret(), "from-the-file");
        let given: SoapSettings =
            serde_json::from_value(json!({"url": "http://store.example", "password": "in-the-open"})).expect("reads");
        assert!(!format!("{given:?}").contains("in-the-open"));
    }
}

//! The settings of a connection, and opening one.

use crate::drop::DirectoryDrop;
use crate::reports::ReportReader;
use crate::schema::Xsd;
use crate::sftp::SftpDrop;
use crate::soap::SoapReader;
use schemars::{JsonSchema, Schema};
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use silta_adapter::adapter::{BadSettings, Connected, Decode, Deliver, Inventory};
use silta_adapter::report::Reports;
use silta_adapter::validate::Conform;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Settings of a VIRTA connection. At least one of its parts must be there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The directory that loads are dropped into, from where they are transferred to the store.
    pub directory: Option<PathBuf>,
    /// The server that loads are sent to, instead of a directory.
    pub sftp: Option<SftpSettings>,
    /// The store's reading service.
    pub soap: Option<SoapSettings>,
    /// Where the store puts its reports of defects.
    pub reports: Option<ReportSettings>,
    /// The official schema, in your own copy: the directory it is in, or its main file `Virta.xsd`. Each row is checked
    /// against it before it is sent; without it none is.
    pub schema: Option<PathBuf>,
}

/// Where the store puts its reports of defects: files of comma-separated values, of which the newest counts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportSettings {
    /// The directory; on the server if loads are sent to one, else on this machine.
    pub directory: String,
    /// How the names of the reports begin, where other files are there too.
    #[serde(default)]
    pub prefix: String,
}

/// The server that loads are sent to over SFTP, and how it is known.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SftpSettings {
    /// Its name or address.
    pub host: String,
    /// Its port.
    #[serde(default = "SftpSettings::port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// The user's private key, Ed25519 or ECDSA, in OpenSSH's form.
    pub key_file: PathBuf,
    /// A file that holds the passphrase of the key, if it has one.
    pub passphrase_file: Option<PathBuf>,
    /// The server's host key: its fingerprint (`SHA256:…`) or its line of `known_hosts`. Several, each on a line of its
    /// own, while it is being changed. A server with any other key is not spoken to.
    pub host_key: String,
    /// The directory on the server, from where the user arrives if it does not start with `/`.
    #[serde(default = "SftpSettings::directory")]
    pub directory: String,
    /// Seconds the server may be silent.
    #[serde(default = "SftpSettings::timeout_secs")]
    #[schemars(range(min = 1))]
    pub timeout_secs: u64,
    /// Seconds one load may take in all, lost connections included.
    #[serde(default = "SftpSettings::load_secs")]
    #[schemars(range(min = 1))]
    pub load_secs: u64,
}

impl SftpSettings {
    fn port() -> u16 {
        22
    }

    fn directory() -> String {
        ".".into()
    }

    fn timeout_secs() -> u64 {
        30
    }

    fn load_secs() -> u64 {
        3600
    }

    /// The passphrase of the key, if it has one.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn passphrase(&self) -> Result<Option<SecretString>, BadSettings> {
        self.passphrase_file.as_deref().map(|file| secret_in(file, "sftp: passphrase_file")).transpose()
    }
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
            (None, Some(file)) => secret_in(file, "soap: password_file"),
            (None, None) => Ok(SecretString::default()),
        }
    }
}

/// A secret kept in a file, without the line's end.
fn secret_in(file: &Path, setting: &str) -> Result<SecretString, BadSettings> {
    let text = std::fs::read_to_string(file);
    text.map(|text| SecretString::from(text.trim_end_matches(['\r', '\n'])))
        .map_err(|e| BadSettings(format!("{setting} cannot be read: {}", e.kind())))
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

/// Opens a connection: loads go to the directory or the server, what the store holds is read over SOAP with this decoder.
///
/// # Errors
/// If the settings are not of the shape of [`Settings`] or name something that cannot be.
pub fn connect(settings: &serde_json::Value, decoder: Arc<dyn Decode>) -> Result<Connected, BadSettings> {
    let settings = Settings::deserialize(settings).map_err(|e| BadSettings(e.to_string()))?;
    let deliver = match (settings.directory, &settings.sftp) {
        (Some(_), Some(_)) => return Err(BadSettings("give either directory or sftp, not both".into())),
        (Some(directory), None) => Some(Arc::new(DirectoryDrop::new(directory)?) as Arc<dyn Deliver>),
        (None, Some(sftp)) => Some(Arc::new(SftpDrop::new(sftp)?) as Arc<dyn Deliver>),
        (None, None) => None,
    };
    let inventory = match &settings.soap {
        Some(soap) => Some(Arc::new(SoapReader::new(soap, decoder)?) as Arc<dyn Inventory>),
        None => None,
    };
    let reports = match (&settings.reports, &settings.sftp) {
        (Some(reports), sftp) => Some(Arc::new(ReportReader::new(reports, sftp.as_ref())?) as Arc<dyn Reports>),
        (None, _) => None,
    };
    let schema = match &settings.schema {
        Some(path) => Some(Arc::new(Xsd::read(path)?) as Arc<dyn Conform>),
        None => None,
    };
    match (&deliver, &inventory) {
        (None, None) => Err(BadSettings("give directory or sftp, soap, or both".into())),
        _ => Ok(Connected { deliver, inventory, reports, schema, ..Connected::default() }),
    }
}

/// What settings leave out that an operator should know of.
pub fn advice(settings: &serde_json::Value) -> Vec<String> {
    match Settings::deserialize(settings) {
        Ok(Settings { directory, sftp, schema: None, .. }) if directory.is_some() || sftp.is_some() => {
            vec!["what is sent is not checked against the official XSD: name your copy of it in settings.schema".into()]
        }
        _ => Vec::new(),
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
    fn an_operator_is_told_where_no_schema_is_checked() {
        assert_eq!(advice(&json!({"directory": "out"})).len(), 1);
        for settings in
            [json!({"directory": "out", "schema": "xsd"}), json!({"soap": {"url": "https://store.example"}})]
        {
            assert_eq!(advice(&settings), [""; 0], "{settings}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (settings, reason) in [
            (json!({}), "give directory or sftp"),
            (json!({"directory": "out", "schema": "/nowhere/at/all"}), "schema: /nowhere/at/all cannot be read"),
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
        for part in [
            "directory",
            "host_key",
            "passphrase_file",
            "password_file",
            "timeout_secs",
            "\"additionalProperties\":false",
        ] {
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

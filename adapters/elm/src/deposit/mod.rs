//! Depositing sealed credentials: in a wallet, in a directory, or with the gateway itself, which keeps each for its
//! learner.
//!
//! What is deposited is sealed before; a credential as the adapter writes it is not taken.

mod directory;
mod wallet;

use crate::check::reading::{self, Enclosed};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use silta_adapter::adapter::{BadSettings, Connected, Deliver, Document, Limits, Load};
use silta_adapter::delivery::{Judgement, VerdictTable};
use std::path::PathBuf;
use std::sync::Arc;

/// Longest sealed credential, in bytes: what the Commission's own services take.
const LONGEST: u64 = 15 << 20;

/// Where sealed credentials go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "to", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Settings {
    /// A wallet with the interface of the Commission's.
    Wallet(wallet::Settings),
    /// A directory: one file for each credential, `<uuid>.jsonld`, and `<uuid>.withdrawn.json` beside or instead of it
    /// when it was withdrawn.
    Directory {
        /// The directory, which has to be there.
        directory: PathBuf,
    },
    /// Nowhere: the gateway keeps it, and the learner gets it by a link.
    Learner {},
}

impl Settings {
    /// The JSON Schema of the settings.
    pub(crate) fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}

/// Opens a connection.
pub(crate) fn connect(settings: &Value) -> Result<Connected, BadSettings> {
    let settings = Settings::deserialize(settings).map_err(|e| BadSettings(e.to_string()))?;
    let deliver: Arc<dyn Deliver> = match settings {
        Settings::Wallet(settings) => Arc::new(wallet::Wallet::open(&settings)?),
        Settings::Directory { directory } => Arc::new(directory::Directory::open(directory)?),
        Settings::Learner {} => Arc::new(Kept(verdicts()?)),
    };
    Ok(Connected { deliver: Some(deliver), ..Connected::default() })
}

/// What became of deposits.
fn verdicts() -> Result<VerdictTable, BadSettings> {
    VerdictTable::from_toml(include_str!("../../../../mappings/verdicts-deposit.toml"))
        .map_err(|e| BadSettings(e.to_string()))
}

/// Credentials stay with the gateway.
struct Kept(VerdictTable);

#[async_trait]
impl Deliver for Kept {
    async fn deliver(&self, load: &Load) -> Judgement {
        let cause = if Sealed::of(load).await.is_some() { "kept" } else { "load" };
        self.0.judge(cause, None)
    }
}

/// A sealed credential that is being deposited.
struct Sealed {
    /// The document as it is.
    bytes: Vec<u8>,
    /// What was sealed.
    credential: Map<String, Value>,
    /// The credential's UUID.
    uuid: String,
}

impl Sealed {
    /// The credential of a load, if it is sealed and named as the gateway names credentials.
    async fn of(load: &Load) -> Option<Self> {
        let bytes = match &load.document {
            Document::Bytes(bytes) => bytes.clone(),
            Document::File(path) => {
                let length = tokio::fs::metadata(path).await.ok()?.len();
                if length > LONGEST {
                    return None;
                }
                tokio::fs::read(path).await.ok()?
            }
        };
        let document: Map<String, Value> = serde_json::from_slice(&bytes).ok()?;
        let Enclosed { credential, at, .. } = reading::enclosed(document, &Limits::default()).ok()?;
        let uuid = credential.get("id")?.as_str()?.strip_prefix("urn:credential:")?.to_owned();
        let plain = uuid.len() == 36 && uuid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        (plain && at == "/payload").then_some(Self { bytes, credential, uuid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use silta_adapter::delivery::Verdict;

    pub(super) const UUID: &str = "00000000-0000-4000-8000-000000000001";

    pub(super) fn load(subject: Value, withdrawal: bool) -> Load {
        let credential = json!({"id": format!("urn:credential:{UUID}"), "credentialSubject": subject});
        let sealed = json!({"payload": credential.to_string(), "signatures": []});
        let document = Document::Bytes(sealed.to_string().into_bytes());
        Load { idempotency_key: "elm-1-1".into(), tenant: "02535".into(), document, withdrawal }
    }

    #[tokio::test]
    async fn only_what_is_sealed_is_taken() {
        let kept = connect(&json!({"to": "learner"})).expect("opens").deliver.expect("delivers");
        assert_eq!(kept.deliver(&load(json!({}), false)).await.verdict, Verdict::Accepted);
        for document in ["{}", "[", r#"{"payload":"{}","signatures":[]}"#, r#"{"id":"urn:credential:1"}"#] {
            let load = Load { document: Document::Bytes(document.into()), ..load(json!({}), false) };
            let judgement = kept.deliver(&load).await;
            assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Refused, "load"), "{document}");
        }
    }

    #[test]
    fn settings_are_checked() {
        for (settings, reason) in [
            (json!({}), "missing field `to`"),
            (json!({"to": "moon"}), "unknown variant"),
            (json!({"to": "learner", "url": "x"}), "unknown field"),
            (json!({"to": "wallet", "url": "ftp://wallet.example"}), "http or https"),
            (json!({"to": "wallet", "url": "https://u:p@wallet.example"}), "without credentials"),
            (json!({"to": "wallet", "url": "https://wallet.example", "version": 3}), "1 or 2"),
            (json!({"to": "wallet", "url": "https://wallet.example", "timeout_secs": 0}), "between 1 and 3600"),
            (json!({"to": "wallet", "url": "https://wallet.example", "token_file": "/nowhere"}), "token_file"),
        ] {
            let refusal = connect(&settings).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(refusal.contains(reason), "{settings}: {refusal}");
        }
    }
}

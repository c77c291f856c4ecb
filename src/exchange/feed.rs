//! The change feed: one line per change, in commit order.

use super::{ExchangeError, document};
use crate::gateway::Gateway;
use crate::ledger::{Change, Micros, RecordId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use silta_adapter::adapter::{Adapter, Grouping};
use silta_adapter::fidelity::Loss;
use silta_adapter::problem::Problem;
use silta_adapter::record::{RecordKind, State};
use smol_str::SmolStr;

/// One line of the feed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Line {
    /// Its position: ask for what comes after it.
    pub position: i64,
    /// When it was kept, in microseconds since the epoch.
    pub at: Micros,
    /// Whose record.
    pub tenant: SmolStr,
    /// Opaque id of the record.
    pub key: RecordId,
    /// Its kind.
    pub kind: RecordKind,
    /// Its version.
    pub version: i64,
    /// Its state after the change.
    pub state: State,
    /// The document: JSON as it is, other formats as text. Left out for tombstones without content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<Value>,
    /// Why there is no document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// What the document does not hold as the record says it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
}

/// A change as a line in a format. Formats that compose items from several records are not given in the feed: each line
/// is one record.
///
/// # Errors
/// If the vault cannot open the content.
pub fn line(gateway: &Gateway, adapter: &dyn Adapter, change: &Change) -> Result<Line, ExchangeError> {
    let stored = &change.record;
    let mut line = Line {
        position: change.position,
        at: change.at,
        tenant: stored.tenant.clone(),
        key: stored.id,
        kind: stored.kind,
        version: stored.version,
        state: stored.state,
        document: None,
        problem: None,
        losses: Vec::new(),
    };
    let encoder = adapter.encoder().filter(|_| adapter.descriptor().grouping == Grouping::Record);
    let encoder = encoder.ok_or(ExchangeError::NoFormat)?;
    let Some(record) = document::open(gateway, stored)? else { return Ok(line) };
    match encoder.encode(std::slice::from_ref(&record), gateway.encode_context(stored.version)) {
        Ok(encoded) => {
            line.losses = encoded.losses;
            line.document = Some(match serde_json::from_slice(&encoded.document) {
                Ok(json) => json,
                Err(_) => Value::String(String::from_utf8_lossy(&encoded.document).into_owned()),
            });
        }
        Err(refusal) => line.problem = refusal.0.into_iter().next(),
    }
    Ok(line)
}

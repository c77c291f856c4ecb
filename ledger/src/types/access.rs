//! Tokens and the audit trail.

use super::Micros;
use super::named;
use schemars::JsonSchema;
use serde::Serialize;
use silta_adapter::record::RecordKind;
use smol_str::SmolStr;

named! {
    /// What a token may do.
    #[derive(PartialOrd, Ord)]
    pub enum Role {
        /// Push records and read the sender's own problems.
        Registrar = "registrar",
        /// Read records and the feed.
        Reader = "reader",
        /// See and steer connections.
        Operator = "operator",
        /// Everything.
        Admin = "admin",
    }
}

/// A bearer token; only its hash is known.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its name.
    pub name: SmolStr,
    /// BLAKE3 of the token.
    pub hash: [u8; 32],
    /// What it may do.
    pub role: Role,
    /// For which tenant; `None` for all.
    pub tenant: Option<SmolStr>,
    /// For which kinds; empty for all.
    pub kinds: Vec<RecordKind>,
    /// When it was made.
    pub created: Micros,
    /// When it ends.
    pub expires: Option<Micros>,
    /// When it was revoked.
    pub revoked: Option<Micros>,
}

/// One line of the audit trail.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AuditEntry {
    /// Its id; 0 for a new one.
    pub id: i64,
    /// When.
    pub at: Micros,
    /// Who: a token's name, or `gateway`.
    pub actor: SmolStr,
    /// What was done (`read_record`, `release_load` …).
    pub action: SmolStr,
    /// For which tenant.
    pub tenant: SmolStr,
    /// To what: an opaque id or a connection's name.
    pub subject: SmolStr,
    /// More about it, without personal data.
    pub detail: String,
}

//! Who may do what, for which tenant. Everything is done under a token; reads of personal data are audited.

use crate::env::Rng;
use crate::gateway::Gateway;
use crate::ledger::{AuditEntry, LedgerError, Micros, Role, Token};
use silta_adapter::record::RecordKind;
use smol_str::SmolStr;

/// Something that needs a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Push and withdraw records; read the sender's problems.
    Push,
    /// Read records, journeys and the feed.
    Read,
    /// See and steer connections, loads, debts and findings.
    Operate,
    /// Make and revoke tokens, erase learners.
    Administer,
}

/// Who does something.
#[derive(Debug, Clone)]
pub struct Actor {
    token: Token,
}

/// The token does not allow this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No token, or one that is unknown, revoked or expired.
    #[error("a valid token is needed")]
    Unknown,
    /// The token's role does not allow it.
    #[error("the token's role does not allow this")]
    Role,
    /// The token is for another tenant.
    #[error("the token is for another tenant")]
    Tenant,
    /// The token is for other kinds of record.
    #[error("the token is for other kinds of record")]
    Kind,
}

/// BLAKE3 of a token's text. Tokens carry 256 bits of randomness, so that a fast hash is enough.
pub fn hash(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

/// The text of a new token: `silta_` and 64 hexadecimal digits.
pub fn new_text(rng: &Rng) -> String {
    let digits: String = rng.bytes::<32>().iter().map(|b| format!("{b:02x}")).collect();
    format!("silta_{digits}")
}

impl Actor {
    /// The actor of a token's text. The look-up is by hash, so that its time says nothing about the text.
    ///
    /// # Errors
    /// If there is no such token, or it was revoked or has expired.
    pub async fn identify(gateway: &Gateway, text: &str) -> Result<Result<Self, Denied>, LedgerError> {
        Self::from_hash(gateway, &hash(text)).await
    }

    /// The actor of a token's hash.
    ///
    /// # Errors
    /// As [`Actor::identify`].
    pub async fn from_hash(gateway: &Gateway, hash: &[u8; 32]) -> Result<Result<Self, Denied>, LedgerError> {
        let now = gateway.now();
        let live = |t: &Token| t.revoked.is_none() && t.expires.is_none_or(|end| end > now);
        Ok(gateway.ledger.token(hash).await?.filter(live).map(|token| Self { token }).ok_or(Denied::Unknown))
    }

    /// The name of the token.
    pub fn name(&self) -> &SmolStr {
        &self.token.name
    }

    /// The hash of the token.
    pub fn token_hash(&self) -> &[u8; 32] {
        &self.token.hash
    }

    /// The role of the token.
    pub fn role(&self) -> Role {
        self.token.role
    }

    /// The tenant the token is for; `None` for all.
    pub fn tenant(&self) -> Option<&SmolStr> {
        self.token.tenant.as_ref()
    }

    /// Kinds of record the token is for; empty for all.
    pub fn kinds(&self) -> &[RecordKind] {
        &self.token.kinds
    }

    /// True if the token is for this kind.
    pub fn sees(&self, kind: RecordKind) -> bool {
        self.token.kinds.is_empty() || self.token.kinds.contains(&kind)
    }

    /// Checks a right, for a tenant where one is concerned.
    ///
    /// # Errors
    /// If the role does not have the right, or the token is for another tenant. A right that concerns all tenants needs
    /// a token for all.
    pub fn may(&self, right: Right, tenant: Option<&str>) -> Result<(), Denied> {
        let allowed = match right {
            Right::Push => matches!(self.token.role, Role::Registrar | Role::Admin),
            Right::Read => matches!(self.token.role, Role::Registrar | Role::Reader | Role::Operator | Role::Admin),
            Right::Operate => matches!(self.token.role, Role::Operator | Role::Admin),
            Right::Administer => self.token.role == Role::Admin,
        };
        if !allowed {
            return Err(Denied::Role);
        }
        match (&self.token.tenant, tenant) {
            (Some(own), Some(asked)) if own != asked => Err(Denied::Tenant),
            (Some(_), None) if right == Right::Administer => Err(Denied::Tenant),
            _ => Ok(()),
        }
    }
}

/// Writes one line of the audit trail.
///
/// # Errors
/// If the ledger fails.
pub async fn audit(
    gateway: &Gateway,
    actor: &str,
    action: &str,
    tenant: &str,
    subject: &str,
    detail: &str,
) -> Result<(), LedgerError> {
    let entry = AuditEntry {
        id: 0,
        at: gateway.now(),
        actor: actor.into(),
        action: action.into(),
        tenant: tenant.into(),
        subject: subject.into(),
        detail: detail.into(),
    };
    gateway.ledger.audit(&[entry]).await
}

/// What a new token is for.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its name, unique.
    pub name: SmolStr,
    /// What it may do.
    pub role: Role,
    /// For which tenant; `None` for all.
    pub tenant: Option<SmolStr>,
    /// For which kinds; empty for all.
    pub kinds: Vec<RecordKind>,
    /// When it ends.
    pub expires: Option<Micros>,
}

/// Makes a token and returns its text, which is known to nobody afterwards.
///
/// # Errors
/// If the ledger fails, for instance because the name is taken.
pub async fn create(
    ledger: &dyn crate::ledger::Ledger,
    rng: &Rng,
    now: Micros,
    new: NewToken,
) -> Result<String, LedgerError> {
    let text = new_text(rng);
    let NewToken { name, role, tenant, kinds, expires } = new;
    ledger
        .add_token(&Token { name, hash: hash(&text), role, tenant, kinds, created: now, expires, revoked: None })
        .await?;
    Ok(text)
}

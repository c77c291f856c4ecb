//! Links: made, revoked, and what they lead to.

use crate::access;
use crate::env::Rng;
use crate::gateway::Gateway;
use crate::ledger::{Issued, LedgerError, Micros, NewShare, Share};
use crate::vault::VaultError;

/// What a link leads to.
#[derive(Debug)]
pub struct Shown {
    /// The link.
    pub link: Share,
    /// The credential.
    pub issued: Issued,
    /// The sealed document.
    pub document: Vec<u8>,
}

/// A link leads nowhere, or what it leads to cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NotShown {
    /// There is none, or it was revoked, has ended, or what it led to was erased.
    #[error("the link leads nowhere, or does so no more")]
    Nowhere,
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What is kept cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// A new link's secret: 64 hexadecimal digits, of which nothing but the hash is kept.
fn secret(rng: &Rng) -> String {
    rng.bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A link that was made.
#[derive(Debug)]
pub struct Made {
    /// Its number.
    pub id: i64,
    /// Its address, which is told this once.
    pub url: String,
}

/// Makes a link to a credential.
///
/// # Errors
/// If the ledger fails.
pub async fn make(gateway: &Gateway, credential: i64, expires: Micros, public: bool) -> Result<Made, LedgerError> {
    let secret = secret(&gateway.rng);
    let hash = access::hash(&secret);
    let link = NewShare { credential, hash, created: gateway.now(), expires, public };
    let id = gateway.ledger.add_share(&link).await?;
    Ok(Made { id, url: address(gateway, &secret) })
}

/// The address of a link.
pub fn address(gateway: &Gateway, secret: &str) -> String {
    format!("{}/c/{secret}", gateway.config.server.public_url)
}

/// What a secret leads to.
///
/// # Errors
/// If it leads nowhere (any more), or what is kept cannot be read.
pub async fn open(gateway: &Gateway, secret: &str) -> Result<Shown, NotShown> {
    let link = gateway.ledger.share(&access::hash(secret)).await?;
    let link = link.filter(|link| link.expires > gateway.now()).ok_or(NotShown::Nowhere)?;
    let issued = gateway.ledger.issued(link.credential).await?.ok_or(NotShown::Nowhere)?;
    let sealed = issued.document.as_deref().ok_or(NotShown::Nowhere)?;
    let document = gateway.vault.open_sealed(sealed)?;
    Ok(Shown { link, issued, document })
}

//! What a store was last loaded with before the gateway came: the first load is judged against it by key.

use super::DeliveryError;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{LoadStatus, ManifestEntry, NewLoad};
use silta_adapter::adapter::{DecodeContext, Decoded, Limits, Stop, Unreadable};
use silta_adapter::canonical::Digest;
use smol_str::SmolStr;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

/// An earlier load was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotImported {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The connection has delivered a load of its own, or does not replace everything.
    #[error("an earlier load is of use only before the first load of a connection that replaces everything")]
    TooLate,
    /// The gateway failed.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

impl From<crate::ledger::LedgerError> for NotImported {
    fn from(e: crate::ledger::LedgerError) -> Self {
        Self::Delivery(e.into())
    }
}

/// Takes an earlier load as what a connection delivered last, without sending anything. `source` is the register the
/// records are going to come from: it is part of their keys. Returns how many items it placed.
///
/// # Errors
/// If the document cannot be read, or the connection has delivered a load already.
pub async fn import(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    document: PathBuf,
    source: SmolStr,
) -> Result<u64, NotImported> {
    let name = &connection.config.name;
    let loads = gateway.ledger.loads(Some(name), false, u32::MAX).await?;
    if !connection.replaces_all() || loads.iter().any(|l| l.status == LoadStatus::Delivered) {
        return Err(NotImported::TooLate);
    }
    let (sender, mut pages) = mpsc::channel(2);
    let reader = {
        let (gateway, connection) = (gateway.clone(), connection.clone());
        tokio::task::spawn_blocking(move || read(&gateway, &connection, document, source, &sender))
    };
    let new = NewLoad {
        connection: name.clone(),
        tenant: connection.config.tenant.clone(),
        at: gateway.now(),
        status: LoadStatus::Sending,
        reason: String::new(),
    };
    let load = gateway.ledger.open_load(&new).await?;
    let mut items = 0;
    while let Some(page) = pages.recv().await {
        items += page.len() as u64;
        gateway.ledger.add_to_manifest(load, &page).await?;
    }
    let read = reader.await.map_err(|e| DeliveryError::Spool(std::io::Error::other(e.to_string())))?;
    let (status, reason) = match &read {
        Ok(()) => (LoadStatus::Delivered, "an earlier load of the store, imported"),
        Err(_) => (LoadStatus::Failed, "an earlier load that cannot be read"),
    };
    gateway.ledger.close_load(load, gateway.now(), status, reason).await?;
    read?;
    Ok(items)
}

/// Reads a load into manifest entries. They name no debt: nothing was owed when it was sent.
fn read(
    gateway: &Gateway,
    connection: &Connection,
    document: PathBuf,
    source: SmolStr,
    out: &mpsc::Sender<Vec<ManifestEntry>>,
) -> Result<(), Unreadable> {
    const PAGE: usize = 1000;
    let Some(decoder) = connection.adapter.decoder() else { return Err(Unreadable::Stopped) };
    let limits = Limits { bytes: gateway.config.server.max_body_bytes, ..Limits::default() };
    let ctx = DecodeContext { tenant: connection.config.tenant.clone(), source, limits };
    let mut input = BufReader::with_capacity(1 << 16, File::open(document)?);
    let mut page = Vec::with_capacity(PAGE);
    let mut seen = std::collections::HashSet::new();
    decoder.decode(&mut input, &ctx, &mut |found| {
        let Decoded::Record(record, _) = found else { return Ok(()) };
        let item = gateway.vault.record_id(&record.head.key);
        if seen.insert(item) {
            let digest: Digest = gateway.vault.digest_key().record(&record);
            page.push(ManifestEntry { debt: 0, item, generation: 0, digest: Some(digest), wanted: false });
        }
        if page.len() == PAGE {
            out.blocking_send(std::mem::take(&mut page)).map_err(|_| Stop)?;
        }
        Ok(())
    })?;
    out.blocking_send(page).map_err(|_| Unreadable::Stopped)
}

//! What is sealed before it is sent: a credential is issued once for each generation of its debt, and withdrawn when
//! another takes its place or the record is taken back.
//!
//! What was sealed is kept: a try after a lost answer sends the same bytes again, and the destination recognises them by
//! their id.

use super::DeliveryError;
use super::items::{deliver, is_accepted, judged};
use crate::gateway::{Connection, Gateway};
use crate::ledger::{ClaimedDebt, Issued, Issuing, RecordId};
use serde_json::{Map, Value};
use silta_adapter::adapter::{Document, Load};
use silta_adapter::delivery::{Judgement, Verdict};
use silta_adapter::problem::Fixer;
use silta_adapter::seal::{NotSealed, Seal};
use silta_seal::{Sealer, StatusList};
use smol_str::SmolStr;

/// The status list of a connection's credentials: its address names the connection and nobody.
pub fn status_list(gateway: &Gateway, connection: &Connection, entries: usize) -> StatusList {
    let url = format!("{}/status/{}", gateway.config.server.public_url, connection.config.name);
    StatusList::new(url, "revocation", entries)
}

/// The sealed document of a debt: what was sealed for this generation before, else the document sealed now.
///
/// # Errors
/// If the ledger fails. That it is not sealed is a judgement.
pub(super) async fn sealed(
    gateway: &Gateway,
    connection: &Connection,
    sealer: &Sealer,
    debt: &ClaimedDebt,
    document: &[u8],
) -> Result<Result<Vec<u8>, Judgement>, DeliveryError> {
    let issuing = Issuing {
        tenant: debt.tenant.clone(),
        connection: connection.config.name.clone(),
        item: debt.item,
        generation: debt.generation,
        at: gateway.now(),
    };
    let issued = gateway.ledger.issue(&issuing).await?;
    if let Some(sealed) = &issued.document {
        return Ok(Ok(gateway.vault.open_sealed(sealed)?));
    }
    let now = jiff::Timestamp::from_microsecond(gateway.now()).unwrap_or_default();
    let document = with_status(gateway, connection, document, &issued);
    match sealer.seal(&document, now).await {
        Ok(sealed) => {
            if gateway.ledger.keep_document(issued.id, &gateway.vault.seal(&sealed)).await? {
                return Ok(Ok(sealed));
            }
            // Another process was faster; what it sealed may have been sent.
            let kept = gateway.ledger.issued(issued.id).await?.and_then(|issued| issued.document);
            Ok(Ok(kept.map(|kept| gateway.vault.open_sealed(&kept)).transpose()?.unwrap_or(sealed)))
        }
        Err(NotSealed::Refused(problem)) => Ok(Err(judged(Verdict::Refused, problem.fixer, &problem.message))),
        Err(NotSealed::Unavailable(problem)) => Ok(Err(judged(Verdict::Transient, problem.fixer, &problem.message))),
    }
}

/// The credential with its place in the connection's status list, where it is to have one.
fn with_status(gateway: &Gateway, connection: &Connection, document: &[u8], issued: &Issued) -> Vec<u8> {
    let place = usize::try_from(issued.place).ok().filter(|_| connection.config.revocable);
    let parsed: Option<Map<String, Value>> = serde_json::from_slice(document).ok();
    let (Some(place), Some(mut credential)) = (place, parsed) else { return document.to_vec() };
    credential.insert("credentialStatus".into(), status_list(gateway, connection, 0).entry(place));
    Value::Object(credential).to_string().into_bytes()
}

/// Withdraws what was issued for an item over a connection: all of it, or what is older than a generation. Where the
/// destination cannot be told just now nothing more is withdrawn; the debt stays, and with it the rest.
///
/// # Errors
/// If the ledger fails.
pub(super) async fn withdraw(
    gateway: &Gateway,
    connection: &Connection,
    item: RecordId,
    before: Option<i64>,
) -> Result<Judgement, DeliveryError> {
    let older = |issued: &&Issued| {
        issued.connection == connection.config.name
            && issued.withdrawn.is_none()
            && before.is_none_or(|before| issued.generation < before)
    };
    let issued = gateway.ledger.issued_of(item).await?;
    for issued in issued.iter().filter(older) {
        // What was never sealed, or was erased since, can only be revoked by its status.
        if let Some(sealed) = &issued.document {
            let load = Load {
                idempotency_key: format!("{}-{}-{}-withdrawn", issued.connection, item, issued.generation),
                tenant: issued.tenant.clone(),
                document: Document::Bytes(gateway.vault.open_sealed(sealed)?),
                withdrawal: true,
            };
            let judgement = deliver(connection, &load).await;
            if !is_accepted(&judgement) {
                return Ok(judgement);
            }
        }
        gateway.ledger.withdraw_issued(issued.id, gateway.now()).await?;
    }
    Ok(Judgement {
        verdict: Verdict::Accepted,
        fixer: None::<Fixer>,
        reason: "nothing of it is valid any more".into(),
        cause: SmolStr::new_static("gateway"),
        retry_after: None,
    })
}

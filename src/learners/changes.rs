//! Keeps up with a register of identities: everybody is looked at now and then, in between whoever has changed, there or
//! in the ledger.

use super::{Looked, News, NotLooked, look, look_at};
use crate::delivery::settle::micros;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{LearnerId, Micros};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use silta_adapter::record::RecordKind;
use std::collections::HashSet;

/// How long before the last look changes are asked for again: clocks differ, and a change may show late.
const OVERLAP: Micros = 3600 * 1_000_000;

/// Changes of records read at once.
const PAGE: u32 = 500;

/// How far a connection has kept up.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Kept {
    /// When everybody was looked at last.
    everybody: Micros,
    /// Until when changes of the register are known.
    changes: Micros,
    /// Up to which change of the ledger learners are known.
    position: i64,
}

/// Brings links up to date with what changed since the last time: of whom the register of a connection tells that she
/// changed, and of whose record there is news. Everybody is looked at the first time, as often as the connection is
/// reconciled, and where the register does not tell what changed. Only then is a change seen of a number that nobody has
/// here and an identity code leads to, if it is no master: the register links nobody who is identified to another.
///
/// # Errors
/// If the ledger or the register fails: the links stay as they were, and the next time begins where this one did.
pub async fn keep_up(gateway: &Gateway, connection: &Connection) -> Result<Looked, NotLooked> {
    let (config, now) = (&connection.config, gateway.now());
    let people = connection.connected.people.as_deref();
    let fact = format!("identify:{}", config.name);
    let kept = gateway.ledger.fact(&fact).await?;
    let kept: Option<Kept> = kept.and_then(|text| serde_json::from_str(&text).ok());
    let (learners, position) = arrived(gateway, &config.tenant, kept.map_or(0, |kept| kept.position)).await?;
    let every = micros(config.reconcile_every_secs.unwrap_or(gateway.config.reconcile.every_secs));
    let recent = kept.filter(|kept| every == 0 || kept.everybody + every > now);
    let identifiers = match (recent, people) {
        (Some(kept), Some(people)) => {
            people.changed(Timestamp::from_microsecond(kept.changes - OVERLAP).unwrap_or_default()).await?
        }
        _ => None,
    };
    let (looked, everybody) = match (recent, identifiers) {
        (Some(kept), Some(identifiers)) if learners.is_empty() && identifiers.is_empty() => {
            (Looked::default(), kept.everybody)
        }
        (Some(kept), Some(identifiers)) => {
            let news = News { learners, identifiers };
            (look_at(gateway, &config.tenant, people, Some(&news)).await?, kept.everybody)
        }
        _ => (look(gateway, &config.tenant, people).await?, now),
    };
    let kept = Kept { everybody, changes: now, position };
    gateway.ledger.set_fact(&fact, &serde_json::json!(kept).to_string()).await?;
    Ok(looked)
}

/// Of which learners the ledger has news after a position, and the position of the last.
async fn arrived(gateway: &Gateway, tenant: &str, after: i64) -> Result<(HashSet<LearnerId>, i64), NotLooked> {
    let (mut learners, mut position) = (HashSet::new(), after);
    loop {
        let page = gateway.ledger.feed(&[tenant.to_owned()], &[RecordKind::Learner], position, PAGE).await?;
        learners.extend(page.iter().map(|change| change.record.learner));
        match page.last() {
            Some(last) => position = last.position,
            None => return Ok((learners, position)),
        }
    }
}

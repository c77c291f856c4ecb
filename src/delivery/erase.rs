//! A learner is forgotten: what destinations hold is taken back first, and only then are the personal rows erased.

use super::DeliveryError;
use crate::gateway::Gateway;
use crate::ledger::{Debt, DebtState, LearnerId, RecordId, TakeBack, Wanted};
use silta_adapter::record::State;

/// How far an erasure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// There is no such learner.
    Unknown,
    /// So many debts are not yet proved absent.
    Waits(u64),
    /// So many records were erased.
    Done(u64),
}

/// Takes all records of a learner back, or erases the learner once no destination holds any of them any more. The call
/// that takes back never erases: debts are planned after it.
///
/// # Errors
/// If the ledger fails.
pub async fn erase(gateway: &Gateway, tenant: &str, learner: LearnerId) -> Result<Erasure, DeliveryError> {
    let records = gateway.ledger.records_of(tenant, learner).await?;
    if records.is_empty() {
        return Ok(Erasure::Unknown);
    }
    let standing: Vec<RecordId> = records.iter().filter(|r| !r.state.is_tombstone()).map(|r| r.id).collect();
    let took_back = !standing.is_empty();
    if took_back {
        let order = TakeBack {
            tenant: tenant.into(),
            at: gateway.now(),
            state: State::Deleted,
            ids: standing,
            targets: gateway.targets(tenant),
        };
        gateway.ledger.take_back(&order).await?;
        gateway.ring(tenant);
    }
    let mut remaining = 0;
    for record in &records {
        remaining += gateway.ledger.debts_of(record.id).await?.iter().filter(|debt| !gone(debt)).count() as u64;
    }
    if took_back || remaining > 0 {
        return Ok(Erasure::Waits(remaining));
    }
    Ok(Erasure::Done(gateway.ledger.erase(tenant, learner, gateway.now()).await?))
}

/// True if the destination is known not to hold the item: nothing is owed for it, or its removal was seen, or accepted
/// by something that cannot be read.
fn gone(debt: &Debt) -> bool {
    match debt.state {
        DebtState::Settled | DebtState::Barred => true,
        DebtState::Confirmed | DebtState::Unverifiable => debt.wanted == Wanted::Absent,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use silta_adapter::record::RecordKind;

    #[test]
    fn only_a_proved_absence_counts() {
        let debt = |state, wanted| Debt {
            id: 1,
            connection: "c".into(),
            tenant: "t".into(),
            item: RecordId([0; 16]),
            kind: RecordKind::Attainment,
            state,
            wanted,
            generation: 1,
            attempts: 0,
            since: 0,
            fixer: None,
            reason: String::new(),
            wanted_digest: None,
            sent_digest: None,
            confirmed_digest: None,
            sent_at: None,
            confirmed_at: None,
            losses: None,
        };
        use DebtState::{Confirmed, Owed, Refused, Sent, Settled, Unplanned, Unverifiable};
        for (state, wanted, expected) in [
            (Settled, Wanted::Absent, true),
            (Confirmed, Wanted::Absent, true),
            (Unverifiable, Wanted::Absent, true),
            (Confirmed, Wanted::Present, false),
            (Unverifiable, Wanted::Present, false),
            (Sent, Wanted::Absent, false),
            (Owed, Wanted::Absent, false),
            (Unplanned, Wanted::Absent, false),
            (Refused, Wanted::Absent, false),
        ] {
            assert_eq!(gone(&debt(state, wanted)), expected, "{state:?} {wanted:?}");
        }
    }
}

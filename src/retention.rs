//! What is over is forgotten, once a day, as long after as the configuration says.

use crate::config::Retention;
use crate::gateway::Gateway;
use crate::ledger::{LedgerError, Micros, Trace};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const DAY: Micros = 86_400_000_000;
/// How often it is looked at whether a day has passed.
const LOOK: Duration = Duration::from_secs(600);
/// Rows looked at in one transaction.
const PAGE: u32 = 1_000;
/// The fact that tells when it was last done.
const SWEPT: &str = "retention.swept";

/// After how many days a trace is forgotten; 0 for never.
fn days(retention: &Retention, what: Trace) -> u32 {
    match what {
        Trace::Attempts => retention.attempts_days,
        Trace::Findings | Trace::Reconciliations => retention.findings_days,
        Trace::Loads => retention.loads_days,
        Trace::Problems => retention.problems_days,
        Trace::Audit => retention.audit_days,
        Trace::Arrivals => retention.arrivals_days,
        Trace::Versions => retention.versions_days,
    }
}

/// Forgets what is over, until `stop` is cancelled. One process does it for all on the store.
pub async fn watch(gateway: Arc<Gateway>, stop: CancellationToken) {
    loop {
        gateway.in_turn("retention", daily(&gateway)).await;
        if stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            return;
        }
    }
}

async fn daily(gateway: &Gateway) -> Result<(), LedgerError> {
    let now = gateway.now();
    let last: Option<Micros> = gateway.ledger.fact(SWEPT).await?.and_then(|text| text.parse().ok());
    if last.is_none_or(|last| now - last >= DAY) {
        sweep(gateway).await?;
        gateway.ledger.set_fact(SWEPT, &now.to_string()).await?;
    }
    Ok(())
}

/// Forgets everything that has been over for long enough.
///
/// # Errors
/// If the store fails. What was forgotten until then stays so.
pub async fn sweep(gateway: &Gateway) -> Result<(), LedgerError> {
    for what in Trace::ALL {
        let days = days(&gateway.config.retention, what);
        if days == 0 {
            continue;
        }
        let before = gateway.now() - Micros::from(days) * DAY;
        let (mut forgotten, mut behind) = (0, Some(0));
        while let Some(after) = behind {
            let swept = gateway.ledger.forget(what, before, after, PAGE).await?;
            forgotten += swept.forgotten;
            behind = swept.next;
        }
        if forgotten > 0 {
            tracing::info!(what = what.name(), forgotten, days, "forgotten");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::{OURS, World};
    use crate::ledger::{Attempt, AuditEntry};
    use silta_adapter::delivery::Verdict;

    #[tokio::test]
    async fn what_is_over_goes_once_a_day() {
        let world = World::new();
        let gateway = &world.gateway;
        let tried = async |days_ago: Micros| {
            let attempt = Attempt {
                debt: None,
                load: Some(1),
                connection: "store".into(),
                at: gateway.now() - days_ago * DAY,
                took: 1,
                verdict: Verdict::Accepted,
                cause: "200".into(),
                reason: String::new(),
            };
            gateway.ledger.attempted(&attempt).await.expect("noted");
        };
        let left = async || gateway.ledger.figures("store", Micros::MIN).await.expect("figures").attempts;
        let entry = AuditEntry {
            id: 0,
            at: 0,
            actor: "a".into(),
            action: "b".into(),
            tenant: OURS.into(),
            subject: "c".into(),
            detail: String::new(),
        };
        gateway.ledger.audit(&[entry]).await.expect("written");
        tried(91).await;
        tried(89).await;
        daily(gateway).await.expect("swept");
        assert_eq!(left().await, 1);
        assert_eq!(gateway.ledger.audited(None, 9).await.expect("audit").len(), 1, "0 days are for ever");
        tried(91).await;
        daily(gateway).await.expect("looked");
        assert_eq!(left().await, 2, "it was done today");
        world.later(86_400);
        daily(gateway).await.expect("swept");
        assert_eq!(left().await, 1);
    }
}

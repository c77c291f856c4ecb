//! Operators are told, once, when something needs them, and once when it no longer does.

use crate::delivery::DeliveryError;
use crate::delivery::replan::outdated;
use crate::delivery::settle::micros;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{ConnectionState, Figures, Micros};
use serde::Serialize;
use silta_adapter::http;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Something that needs an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alert {
    /// A debt is older than it should be.
    OldDebt,
    /// A load waits for a decision.
    HeldLoad,
    /// A difference survived a repair.
    PersistentFinding,
    /// The destination fails, or our settings do: the breaker is open.
    BreakerOpen,
    /// Debts wait for somebody to fix them.
    Refused,
    /// Rules or adapter changed; what was planned before waits for a re-plan.
    Outdated,
}

/// An event as a webhook gets it. It carries figures only, never keys or content.
#[derive(Debug, Clone, Serialize)]
struct Event<'a> {
    connection: &'a SmolStr,
    tenant: &'a SmolStr,
    alert: Alert,
    /// `raised` or `cleared`.
    change: &'static str,
    at: Micros,
    figures: &'a Figures,
}

/// What needs an operator now. Pure.
pub fn alerts(
    figures: &Figures,
    state: &ConnectionState,
    outdated: bool,
    now: Micros,
    oldest_debt: Micros,
) -> BTreeSet<Alert> {
    use crate::ledger::DebtState::Refused;
    [
        (Alert::OldDebt, figures.oldest.is_some_and(|since| now - since > oldest_debt)),
        (Alert::HeldLoad, figures.held_loads > 0),
        (Alert::PersistentFinding, figures.persistent > 0),
        (Alert::BreakerOpen, state.open_until.is_some_and(|until| until > now)),
        (Alert::Refused, figures.in_state(Refused) > 0),
        (Alert::Outdated, outdated),
    ]
    .into_iter()
    .filter_map(|(alert, holds)| holds.then_some(alert))
    .collect()
}

/// Watches every connection until `stop` is cancelled.
pub async fn watch(gateway: Arc<Gateway>, stop: CancellationToken) {
    let Ok(http) = http::client(Duration::from_secs(10)) else { return };
    let pause = crate::delivery::run::poll(&gateway);
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        for connection in &gateway.connections {
            let duty = format!("alerts:{}", connection.config.name);
            gateway.in_turn(&duty, look(&gateway, connection, &http)).await;
        }
    }
}

/// What a connection's webhook was told and not yet told the end of. False: a telling was begun, and may have arrived.
type Told = BTreeMap<Alert, bool>;

/// Looks at a connection once and tells what changed. What is being told is remembered before and after: who dies in
/// between tells it once more, and what was raised is cleared in any case.
async fn look(gateway: &Gateway, connection: &Connection, http: &reqwest::Client) -> Result<(), DeliveryError> {
    const DAY: Micros = 86_400_000_000;
    let name = &connection.config.name;
    let now = gateway.now();
    let figures = gateway.ledger.figures(name, now - DAY).await?;
    let state = gateway.ledger.connection(name).await?;
    let current =
        alerts(&figures, &state, outdated(connection, &state), now, micros(gateway.config.alerts.oldest_debt_secs));
    let fact = format!("alerts:{name}");
    let mut told: Told = match gateway.ledger.fact(&fact).await? {
        Some(text) => serde_json::from_str(&text).unwrap_or_default(),
        None => Told::new(),
    };
    for (alert, change) in changes(&told, &current) {
        let event =
            Event { connection: name, tenant: &connection.config.tenant, alert, change, at: now, figures: &figures };
        tracing::warn!(connection = %name, ?alert, change, "alert");
        told.insert(alert, false);
        remember(gateway, &fact, &told).await?;
        if !tell(http, &connection.config.alert_webhook, &event).await {
            continue;
        }
        if change == RAISED {
            told.insert(alert, true);
        } else {
            told.remove(&alert);
        }
        remember(gateway, &fact, &told).await?;
    }
    Ok(())
}

const RAISED: &str = "raised";
const CLEARED: &str = "cleared";

/// What is to be told. Pure.
fn changes(told: &Told, current: &BTreeSet<Alert>) -> Vec<(Alert, &'static str)> {
    let raised = current.iter().filter(|alert| told.get(alert) != Some(&true)).map(|alert| (*alert, RAISED));
    let cleared = told.keys().filter(|alert| !current.contains(alert)).map(|alert| (*alert, CLEARED));
    raised.chain(cleared).collect()
}

async fn remember(gateway: &Gateway, fact: &str, told: &Told) -> Result<(), DeliveryError> {
    Ok(gateway.ledger.set_fact(fact, &serde_json::to_string(told).unwrap_or_default()).await?)
}

/// True if there is nobody to tell, or they were told.
async fn tell(http: &reqwest::Client, webhook: &str, event: &Event<'_>) -> bool {
    if webhook.is_empty() {
        return true;
    }
    match http.post(webhook).json(event).send().await {
        Ok(answer) => answer.status().is_success(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::DebtState;

    #[test]
    fn each_change_is_told_once_and_what_may_have_been_told_is_cleared() {
        use Alert::{HeldLoad, Refused};
        let current = BTreeSet::from([HeldLoad]);
        assert_eq!(changes(&Told::new(), &current), [(HeldLoad, RAISED)]);
        assert_eq!(changes(&Told::from([(HeldLoad, true)]), &current), []);
        assert_eq!(
            changes(&Told::from([(HeldLoad, false)]), &current),
            [(HeldLoad, RAISED)],
            "begun, not known to end"
        );
        let told = Told::from([(HeldLoad, true), (Refused, false)]);
        assert_eq!(changes(&told, &BTreeSet::new()), [(HeldLoad, CLEARED), (Refused, CLEARED)]);
    }

    #[test]
    fn what_to_do_about_each_is_written_down() {
        const HANDBOOK: &str = include_str!("../../docs/operating.md");
        use Alert::{BreakerOpen, HeldLoad, OldDebt, Outdated, PersistentFinding, Refused};
        for alert in [OldDebt, HeldLoad, PersistentFinding, BreakerOpen, Refused, Outdated] {
            // A new one has to be added above.
            match alert {
                OldDebt | HeldLoad | PersistentFinding | BreakerOpen | Refused | Outdated => {}
            }
            let name = serde_json::to_value(alert).expect("a name");
            let section = format!("\n### `{}`\n", name.as_str().expect("text"));
            let told = HANDBOOK.split_once(&section).map(|(_, rest)| rest.split("\n#").next().unwrap_or_default());
            assert!(told.is_some_and(|text| text.split_whitespace().count() > 10), "{section}");
        }
    }

    #[test]
    fn what_needs_an_operator() {
        let state = ConnectionState::new("c");
        let quiet = Figures::default();
        assert!(alerts(&quiet, &state, false, 100, 10).is_empty());
        let busy = Figures {
            oldest: Some(80),
            held_loads: 1,
            persistent: 2,
            states: vec![(DebtState::Refused, 3)],
            ..Figures::default()
        };
        let open = ConnectionState { open_until: Some(101), ..state };
        assert_eq!(alerts(&busy, &open, true, 100, 10).len(), 6);
        assert_eq!(alerts(&Figures { oldest: Some(95), ..Figures::default() }, &open, false, 101, 10), BTreeSet::new());
    }
}

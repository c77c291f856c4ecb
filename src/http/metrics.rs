//! `GET /metrics`: figures for Prometheus.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use crate::access::{Denied, Right};
use crate::gateway::Gateway;
use crate::ledger::{DebtState, LedgerError, Role};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::fmt::Write as _;

/// The gauges, each with what it means.
const GAUGES: [(&str, &str); 7] = [
    ("silta_backlog", "Debts that are still to be paid."),
    ("silta_oldest_debt_seconds", "Age of the oldest of them."),
    ("silta_held_loads", "Loads that wait for an operator."),
    ("silta_persistent_findings", "Findings that survived a repair."),
    ("silta_breaker_open", "1 while the breaker is open."),
    ("silta_paused", "1 while an operator holds the connection."),
    ("silta_debts", "Debts by state."),
];

/// Read figures.
///
/// In the Prometheus text format, per connection the token reaches.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, description = "Prometheus text format", body = String)))]
pub async fn scrape(State(gateway): State<Shared>, Bearer(actor): Bearer) -> Result<Response, ApiError> {
    actor.may(Right::Read, None)?;
    if actor.role() == Role::Registrar {
        return Err(Denied::Role.into());
    }
    let text = render(&gateway, actor.tenant().map(|t| t.as_str())).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

/// The gauges of a tenant's connections, or of all.
///
/// # Errors
/// If the ledger fails.
pub async fn render(gateway: &Gateway, tenant: Option<&str>) -> Result<String, LedgerError> {
    let now = gateway.now();
    let mut lines: [String; GAUGES.len()] = Default::default();
    for connection in gateway.connections.iter().filter(|c| tenant.is_none_or(|t| c.config.tenant == t)) {
        let name = &connection.config.name;
        let state = gateway.ledger.connection(name).await?;
        let figures = gateway.ledger.figures(name, now).await?;
        let age = figures.oldest.map_or(0, |since| (now - since).max(0) / 1_000_000);
        let open = i64::from(state.open_until.is_some_and(|until| until > now));
        let values = [figures.backlog(), age, figures.held_loads, figures.persistent, open, i64::from(state.paused)];
        // Writing to a string does not fail. Names of connections need no escaping.
        for (((gauge, _), out), value) in GAUGES.iter().zip(&mut lines).zip(values) {
            let _ = writeln!(out, "{gauge}{{connection=\"{name}\"}} {value}");
        }
        for state in DebtState::ALL {
            let (label, n) = (state.name(), figures.in_state(state));
            let _ = writeln!(lines[values.len()], "silta_debts{{connection=\"{name}\",state=\"{label}\"}} {n}");
        }
    }
    let mut text = String::new();
    for ((gauge, help), lines) in GAUGES.iter().zip(&lines).filter(|(_, lines)| !lines.is_empty()) {
        let _ = write!(text, "# HELP {gauge} {help}\n# TYPE {gauge} gauge\n{lines}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, World};
    use crate::ledger::Role;

    #[tokio::test]
    async fn figures_are_given_per_connection_in_reach() {
        let world = World::new();
        world.seeded(OURS).await;
        world.later(60);
        let all = world.get(&world.token(Role::Reader, None, &[]).await, "/metrics").await.expect(200);
        for line in [
            "# TYPE silta_backlog gauge",
            "silta_backlog{connection=\"store\"} 3",
            "silta_backlog{connection=\"other\"} 0",
            "silta_oldest_debt_seconds{connection=\"store\"} 60",
            "silta_debts{connection=\"store\",state=\"unplanned\"} 3",
            "silta_breaker_open{connection=\"store\"} 0",
        ] {
            assert!(all.body.lines().any(|l| l == line), "{line} in {}", all.body);
        }
        assert_eq!(all.body.matches("# HELP silta_debts ").count(), 1);
        let ours = world.get(&world.token(Role::Operator, Some(OURS), &[]).await, "/metrics").await.expect(200);
        assert!(!ours.body.contains("other"));
    }
}

//! One connection: its figures, what it owes, and the buttons that steer it.

use super::overview::{DAY, Held, held, open_findings, pause, standing};
use super::refusals::Refusal;
use super::{Answer, page};
use crate::access::audit;
use crate::console::App;
use crate::console::error::Trouble;
use crate::console::layout::Frame;
use crate::console::session::{Posted, Seat};
use crate::console::view::{Badge, Button, Maybe, When, count, maybe, number, share, span, when};
use crate::delivery::load::pause as set_paused;
use crate::gateway::Connection;
use crate::ledger::{DebtState, Figures, Load, Micros, Raise, Reconciliation};
use crate::reconcile::run;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Redirect;
use serde::Deserialize;
use smol_str::SmolStr;
use std::sync::{Arc, PoisonError};

#[derive(Template)]
#[template(path = "connection.html")]
struct Page {
    frame: Frame,
    name: String,
    about: String,
    standing: Badge,
    until: Option<When>,
    figures: Vec<(&'static str, String)>,
    last_load: When,
    last_reconciled: When,
    findings: String,
    buttons: Vec<Button>,
    states: Vec<StateRow>,
    refusals: Vec<Refusal>,
    more_refusals: Option<String>,
    held: Vec<Held>,
    loads: Vec<LoadRow>,
    reconciliations: Vec<ReconciliationRow>,
}

struct StateRow {
    state: Badge,
    name: &'static str,
    debts: String,
    meaning: &'static str,
}

struct LoadRow {
    id: i64,
    at: When,
    status: Badge,
    items: String,
    reason: Maybe,
}

impl From<Load> for LoadRow {
    fn from(load: Load) -> Self {
        Self {
            id: load.id,
            at: when(load.at),
            status: load.status.into(),
            items: number(load.items),
            reason: maybe(Some(load.reason)),
        }
    }
}

struct ReconciliationRow {
    started: When,
    took: Maybe,
    agreed: String,
    findings: Maybe,
    repairs: String,
    failure: Maybe,
}

impl From<Reconciliation> for ReconciliationRow {
    fn from(one: Reconciliation) -> Self {
        let summary = one.summary.unwrap_or_default();
        let kinds: Vec<String> =
            summary.findings.iter().map(|(kind, n)| format!("{} {}", number(*n), kind.replace('_', " "))).collect();
        Self {
            started: when(one.started),
            took: maybe(one.ended.map(|end| span(end - one.started))),
            agreed: format!("{} of {}", number(summary.agreed), number(summary.items)),
            findings: maybe(Some(kinds.join(", "))),
            repairs: number(summary.repairs),
            failure: maybe(summary.failure),
        }
    }
}

/// What a state of a debt means.
pub fn meaning(state: DebtState) -> &'static str {
    match state {
        DebtState::Unplanned => "changed; what is owed is not worked out yet",
        DebtState::Settled => "nothing is owed",
        DebtState::Owed => "to be sent",
        DebtState::Sending => "being sent",
        DebtState::Uncertain => "the answer was lost; it may or may not have arrived",
        DebtState::Waiting => "waits for another item",
        DebtState::Refused => "not sent until somebody fixes it",
        DebtState::Barred => "never sent again",
        DebtState::Sent => "accepted, not yet seen there",
        DebtState::Confirmed => "accepted and seen there",
        DebtState::Unverifiable => "accepted by a destination that cannot be read",
    }
}

fn numbers(figures: &Figures, now: Micros) -> Vec<(&'static str, String)> {
    let rate = share(figures.accepted, figures.attempts).unwrap_or_else(|| "no attempts".to_owned());
    vec![
        ("Backlog", number(figures.backlog())),
        ("Oldest debt", figures.oldest.map_or_else(|| "none".to_owned(), |since| span(now - since))),
        ("Refused", number(figures.in_state(DebtState::Refused))),
        ("Attempts, 24 h", number(figures.attempts)),
        ("Accepted, 24 h", rate),
    ]
}

fn buttons(connection: &Connection, paused: bool, figures: &Figures, csrf: &str) -> Vec<Button> {
    let name = &connection.config.name;
    let mut out = vec![pause(name, paused, csrf)];
    if figures.in_state(DebtState::Refused) > 0 {
        out.push(Button::new(format!("/connections/{name}/retry"), "Retry refused", csrf));
    }
    if connection.readback() {
        out.push(Button::new(format!("/connections/{name}/reconcile"), "Reconcile now", csrf));
    }
    out
}

/// A connection.
pub async fn show(State(app): State<App>, seat: Seat, Path(name): Path<String>) -> Answer {
    const ROWS: u32 = 20;
    let connection = seat.connection(&app, &name)?;
    let (ledger, now) = (&app.gateway.ledger, app.gateway.now());
    let state = ledger.connection(&name).await?;
    let figures = ledger.figures(&name, now - DAY).await?;
    let refused = ledger.debts(&name, Some(DebtState::Refused), 0, ROWS).await?;
    let rows = DebtState::ALL.into_iter().filter(|state| figures.in_state(*state) > 0);
    let all_refused = figures.in_state(DebtState::Refused);
    page(&Page {
        frame: Frame::new(&app, &seat, "", format!("Connection {name}")),
        about: format!("{} for tenant {}", connection.config.adapter, connection.config.tenant),
        standing: standing(&state, &figures, now),
        until: state.open_until.filter(|until| *until > now).map(when),
        figures: numbers(&figures, now),
        last_load: when(state.last_load),
        last_reconciled: when(state.last_reconciled),
        findings: open_findings(&app, &name).await?,
        buttons: buttons(&connection, state.paused, &figures, &seat.csrf),
        states: rows
            .map(|state| StateRow {
                state: state.into(),
                name: state.name(),
                debts: number(figures.in_state(state)),
                meaning: meaning(state),
            })
            .collect(),
        more_refusals: (all_refused > refused.len() as i64).then(|| number(all_refused)),
        refusals: refused.iter().map(|debt| Refusal::from(debt, now)).collect(),
        held: held(&app, &connection).await?,
        loads: ledger.loads(Some(&name), false, ROWS).await?.into_iter().map(Into::into).collect(),
        reconciliations: ledger.reconciliations(Some(&name), 10).await?.into_iter().map(Into::into).collect(),
        name,
    })
}

/// Where to go back to.
#[derive(Deserialize)]
pub struct Back {
    #[serde(default)]
    back: String,
}

/// Steers a connection.
pub async fn act(
    State(app): State<App>,
    Path((name, act)): Path<(String, String)>,
    Posted(seat, back): Posted<Back>,
) -> Result<Redirect, Trouble> {
    let connection = seat.connection(&app, &name)?;
    let (action, said) = match act.as_str() {
        "pause" | "resume" => {
            let paused = act == "pause";
            set_paused(&app.gateway, &connection, paused).await?;
            if paused {
                ("pause_connection", format!("{name} is paused."))
            } else {
                ("resume_connection", format!("{name} is resumed."))
            }
        }
        "retry" => {
            let which = Raise::State { connection: connection.config.name.clone(), state: DebtState::Refused };
            let why = format!("retried by {}", seat.actor.name());
            let raised = app.gateway.ledger.raise(app.gateway.now(), &why, &which).await?;
            connection.bell.notify_waiters();
            let raised = i64::try_from(raised).unwrap_or(i64::MAX);
            ("retry_debts", format!("{} will be sent again.", count(raised, "refused item", "refused items")))
        }
        "reconcile" if connection.readback() => {
            let said = if reconcile(&app, connection.clone()) {
                "The reconciliation was started; its result appears below when it ends."
            } else {
                "A reconciliation is running already."
            };
            ("reconcile_connection", said.to_owned())
        }
        _ => return Err(Trouble::NotFound),
    };
    audit(&app.gateway, seat.actor.name(), action, &connection.config.tenant, &name, "console").await?;
    app.sessions.say(&seat.key, said);
    Ok(Redirect::to(&if back.back == "overview" { "/".to_owned() } else { format!("/connections/{name}") }))
}

/// Starts a reconciliation beside the request. False if one that was started here still runs.
fn reconcile(app: &App, connection: Arc<Connection>) -> bool {
    let Some(running) = Running::start(app, &connection.config.name) else { return false };
    tokio::spawn(async move {
        if let Err(e) = run::run(&running.app.gateway, &connection).await {
            tracing::error!(connection = %connection.config.name, error = %e, "reconciliation failed");
        }
    });
    true
}

/// A reconciliation that runs; ends being so when it is dropped, however the run ended.
struct Running {
    app: App,
    name: SmolStr,
}

impl Running {
    fn start(app: &App, name: &SmolStr) -> Option<Self> {
        let new = app.reconciling.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        new.then(|| Self { app: app.clone(), name: name.clone() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.app.reconciling.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

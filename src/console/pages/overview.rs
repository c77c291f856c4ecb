//! All connections at a glance, and what waits for a person.

use super::page;
use crate::access::Right;
use crate::console::App;
use crate::console::error::Trouble;
use crate::console::layout::Frame;
use crate::console::session::Seat;
use crate::console::view::{Badge, Button, Maybe, Tone, When, count, maybe, number, share, span, when};
use crate::gateway::Connection;
use crate::ledger::{ConnectionState, DebtState, Figures, FindingStatus, Load, Micros, Shrinkage};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

/// One day.
pub const DAY: Micros = 86_400_000_000;
/// Findings are counted up to here.
const COUNTED: u32 = 200;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    at: When,
    held: Vec<Held>,
    persistent: Vec<Persistent>,
    rows: Vec<Row>,
}

/// A load that waits for a person.
#[derive(Debug, PartialEq, Eq)]
pub struct Held {
    /// The load.
    pub id: i64,
    /// Its connection.
    pub connection: String,
    /// What it would remove.
    pub removes: String,
    /// Since when it waits.
    pub since: When,
}

impl Held {
    /// A held load and what it would remove.
    pub fn from(load: &Load, shrinkage: Shrinkage) -> Self {
        Self {
            id: load.id,
            connection: load.connection.to_string(),
            removes: removes(shrinkage),
            since: when(load.closed.unwrap_or(load.at)),
        }
    }
}

/// What a load would remove, in words.
pub fn removes(shrinkage: Shrinkage) -> String {
    match shrinkage.before {
        None => "is the first one and replaces whatever the store holds".to_owned(),
        Some(before) => format!("would remove {} of {}", number(shrinkage.removed), count(before, "item", "items")),
    }
}

struct Persistent {
    connection: String,
    findings: String,
}

/// Whether a connection works.
pub fn standing(state: &ConnectionState, figures: &Figures, now: Micros) -> Badge {
    match state {
        _ if state.paused => Badge(Tone::Warn, "paused"),
        _ if state.open_until.is_some_and(|until| until > now) => Badge(Tone::Bad, "breaker open"),
        _ if figures.held_loads > 0 => Badge(Tone::Warn, "load held"),
        _ if state.failures > 0 => Badge(Tone::Warn, "failing"),
        _ => Badge(Tone::Good, "working"),
    }
}

/// A connection's row.
#[derive(Debug)]
pub struct Row {
    name: String,
    tenant: String,
    adapter: String,
    standing: Badge,
    until: Option<When>,
    backlog: String,
    oldest: Maybe,
    refused: String,
    rate: Maybe,
    last_load: When,
    last_reconciled: When,
    findings: String,
    button: Button,
}

impl Row {
    fn from(
        config: &crate::config::Connection,
        state: &ConnectionState,
        figures: &Figures,
        findings: String,
        now: Micros,
        csrf: &str,
    ) -> Self {
        Self {
            name: config.name.to_string(),
            tenant: config.tenant.to_string(),
            adapter: config.adapter.to_string(),
            standing: standing(state, figures, now),
            until: state.open_until.filter(|until| !state.paused && *until > now).map(when),
            backlog: number(figures.backlog()),
            oldest: maybe(figures.oldest.map(|since| span(now - since))),
            refused: number(figures.in_state(DebtState::Refused)),
            rate: maybe(share(figures.accepted, figures.attempts)),
            last_load: when(state.last_load),
            last_reconciled: when(state.last_reconciled),
            findings,
            button: Button { of: config.name.to_string(), back: true, ..pause(&config.name, state.paused, csrf) },
        }
    }
}

/// The button that pauses or resumes a connection.
pub fn pause(name: &str, paused: bool, csrf: &str) -> Button {
    let (act, label) = if paused { ("resume", "Resume") } else { ("pause", "Pause") };
    Button::new(format!("/connections/{name}/{act}"), label, csrf)
}

/// True for findings that are neither gone nor ruled on.
pub fn waits(status: FindingStatus) -> bool {
    matches!(status, FindingStatus::Open | FindingStatus::Repairing | FindingStatus::Persistent | FindingStatus::Held)
}

/// How many findings of a connection wait, as far as it matters.
///
/// # Errors
/// If the ledger fails.
pub async fn open_findings(app: &App, connection: &str) -> Result<String, Trouble> {
    let findings = app.gateway.ledger.findings(Some(connection), false, 0, COUNTED).await?;
    let more = if findings.len() == COUNTED as usize { "+" } else { "" };
    Ok(format!("{}{more}", number(findings.iter().filter(|f| waits(f.status)).count() as i64)))
}

/// Held loads of a connection with what they would remove.
///
/// # Errors
/// If the ledger fails.
pub async fn held(app: &App, connection: &Connection) -> Result<Vec<Held>, Trouble> {
    let ledger = &app.gateway.ledger;
    let mut out = Vec::new();
    for load in ledger.loads(Some(&connection.config.name), true, 10).await? {
        out.push(Held::from(&load, ledger.shrinkage(&connection.config.name, load.id).await?));
    }
    Ok(out)
}

/// The overview; for roles that steer nothing, the records.
pub async fn show(State(app): State<App>, seat: Seat) -> Result<Response, Trouble> {
    if !seat.can(Right::Operate) {
        return Ok(Redirect::to("/records").into_response());
    }
    let (ledger, now) = (&app.gateway.ledger, app.gateway.now());
    let mut shown = Page {
        frame: Frame::new(&app, &seat, "/", "Overview"),
        at: when(now),
        held: Vec::new(),
        persistent: Vec::new(),
        rows: Vec::new(),
    };
    for connection in seat.connections(&app)? {
        let name = &connection.config.name;
        let state = ledger.connection(name).await?;
        let figures = ledger.figures(name, now - DAY).await?;
        let findings = open_findings(&app, name).await?;
        shown.rows.push(Row::from(&connection.config, &state, &figures, findings, now, &seat.csrf));
        shown.held.extend(held(&app, &connection).await?);
        if figures.persistent > 0 {
            let findings = count(figures.persistent, "finding", "findings");
            shown.persistent.push(Persistent { connection: name.to_string(), findings });
        }
    }
    Ok(page(&shown)?.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stops_a_connection_most_is_what_is_shown() {
        let state = |paused, open_until, failures| ConnectionState {
            name: "c".into(),
            paused,
            failures,
            open_until,
            last_load: None,
            last_reconciled: None,
            planned_under: String::new(),
        };
        let figures = |held_loads| Figures { held_loads, ..Figures::default() };
        for (state, figures, expected) in [
            (state(false, None, 0), figures(0), "working"),
            (state(false, None, 2), figures(0), "failing"),
            (state(false, Some(5), 2), figures(1), "load held"),
            (state(false, Some(15), 5), figures(1), "breaker open"),
            (state(true, Some(15), 5), figures(1), "paused"),
        ] {
            assert_eq!(standing(&state, &figures, 10).1, expected);
        }
    }

    #[test]
    fn a_load_says_what_it_would_remove() {
        assert!(removes(Shrinkage { before: None, removed: 0 }).contains("first"));
        assert_eq!(removes(Shrinkage { before: Some(1), removed: 1 }), "would remove 1 of 1 item");
    }
}

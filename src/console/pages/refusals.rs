//! Debts: the refused ones with who can fix them, and those of one connection in any state.

use super::connection::meaning;
use super::{Answer, Walk, page};
use crate::console::App;
use crate::console::error::Trouble;
use crate::console::layout::Frame;
use crate::console::session::Seat;
use crate::console::view::{Badge, Maybe, When, maybe, number, span, when, words};
use crate::ledger::{Debt, DebtState, Micros};
use askama::Template;
use axum::extract::{Path, Query, State};

/// Rows on a page.
const ROWS: u32 = 100;

#[derive(Template)]
#[template(path = "refusals.html")]
struct Page {
    frame: Frame,
    names: Vec<(String, bool)>,
    sections: Vec<Section>,
}

/// The debts of one connection in one state, as far as they fit.
struct Section {
    connection: String,
    state: Badge,
    meaning: &'static str,
    rows: Vec<Refusal>,
    more: Option<String>,
}

/// A debt that waits for somebody.
pub struct Refusal {
    pub(super) item: String,
    pub(super) short: String,
    pub(super) kind: String,
    pub(super) since: When,
    pub(super) age: String,
    pub(super) attempts: String,
    pub(super) reason: Maybe,
    pub(super) fixer: Maybe,
}

impl Refusal {
    /// A debt's row.
    pub fn from(debt: &Debt, now: Micros) -> Self {
        let item = debt.item.to_string();
        Self {
            short: item[..8].to_owned(),
            item,
            kind: words(debt.kind.name()),
            since: when(debt.since),
            age: span(now - debt.since),
            attempts: number(debt.attempts),
            reason: maybe(Some(debt.reason.as_str())),
            fixer: maybe(debt.fixer.map(|f| f.to_string())),
        }
    }
}

async fn section(app: &App, connection: &str, state: DebtState, after: i64) -> Result<Section, Trouble> {
    let debts = app.gateway.ledger.debts(connection, Some(state), after, ROWS).await?;
    let last = debts.last().filter(|_| debts.len() == ROWS as usize);
    Ok(Section {
        connection: connection.to_owned(),
        state: state.into(),
        meaning: meaning(state),
        more: last.map(|debt| format!("/connections/{connection}/debts/{}?after={}", state.name(), debt.id)),
        rows: debts.iter().map(|debt| Refusal::from(debt, app.gateway.now())).collect(),
    })
}

/// All refused debts, of one connection if asked.
pub async fn show(State(app): State<App>, seat: Seat, Query(walk): Query<Walk>) -> Answer {
    let connections = seat.connections(&app)?;
    if !walk.connection.is_empty() {
        seat.connection(&app, &walk.connection)?;
    }
    let mut sections = Vec::new();
    for connection in &connections {
        if walk.connection.is_empty() || walk.connection == connection.config.name {
            let section = section(&app, &connection.config.name, DebtState::Refused, 0).await?;
            sections.extend(Some(section).filter(|s| !s.rows.is_empty()));
        }
    }
    page(&Page {
        frame: Frame::new(&app, &seat, "/refusals", "Refusals"),
        names: names(connections.iter().map(|c| c.config.name.as_str()), &walk.connection),
        sections,
    })
}

/// The choices of a filter by connection.
pub fn names<'a>(all: impl Iterator<Item = &'a str>, chosen: &str) -> Vec<(String, bool)> {
    all.map(|name| (name.to_owned(), name == chosen)).collect()
}

#[derive(Template)]
#[template(path = "debts.html")]
struct InState {
    frame: Frame,
    section: Section,
}

/// The debts of a connection in one state.
pub async fn in_state(
    State(app): State<App>,
    seat: Seat,
    Path((name, state)): Path<(String, String)>,
    Query(walk): Query<Walk>,
) -> Answer {
    seat.connection(&app, &name)?;
    let state = DebtState::from_name(&state).ok_or(Trouble::NotFound)?;
    page(&InState {
        frame: Frame::new(&app, &seat, "", format!("{name}: {}", state.name())),
        section: section(&app, &name, state, walk.after).await?,
    })
}

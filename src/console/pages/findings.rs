//! What reading back found and is not gone.

use super::refusals::names;
use super::{Answer, Walk, page};
use crate::access::Right;
use crate::console::App;
use crate::console::error::Trouble;
use crate::console::layout::Frame;
use crate::console::session::Seat;
use crate::console::view::{Badge, When, number, span, when, words};
use crate::ledger::{Finding, Micros};
use crate::reconcile::nested::{Nested, nest};
use crate::reconcile::source::Source;
use askama::Template;
use axum::extract::{Query, State};
use std::collections::BTreeSet;

/// Rows on a page.
const ROWS: u32 = 100;

/// Reconciliations that are looked through for those of sources.
const RUNS: u32 = 1000;

#[derive(Template)]
#[template(path = "findings.html")]
struct Page {
    frame: Frame,
    names: Vec<(String, bool)>,
    sections: Vec<Section>,
}

struct Section {
    connection: String,
    /// True if it is about a source; false if about a destination.
    source: bool,
    rows: Vec<Row>,
    more: Option<String>,
}

/// A finding's row.
pub struct Row {
    pub(super) id: i64,
    pub(super) item: String,
    pub(super) kind: String,
    pub(super) status: Badge,
    pub(super) opened: When,
    pub(super) age: String,
    pub(super) sightings: String,
    /// What follows from it.
    pub(super) implies: Vec<Row>,
}

impl Row {
    /// The row of a finding, without what follows from it.
    pub fn from(finding: &Finding, now: Micros) -> Self {
        Self {
            id: finding.id,
            item: finding.item.to_string().chars().take(8).collect(),
            kind: words(finding.kind.name()),
            status: finding.status.into(),
            opened: when(finding.opened),
            age: span(now - finding.opened),
            sightings: number(finding.sightings),
            implies: Vec::new(),
        }
    }

    fn nested(nested: &Nested, now: Micros) -> Self {
        let implies = nested.implies.iter().map(|implied| Self::from(implied, now)).collect();
        Self { implies, ..Self::from(&nested.finding, now) }
    }
}

async fn section(app: &App, connection: &str, after: i64) -> Result<Section, Trouble> {
    let findings = app.gateway.ledger.findings(Some(connection), false, after, ROWS).await?;
    let last = findings.last().filter(|_| findings.len() == ROWS as usize);
    let more = last.map(|f| format!("/findings?connection={connection}&after={}", f.id));
    let nested = nest(&*app.gateway.ledger, findings).await?;
    Ok(Section {
        connection: connection.to_owned(),
        source: Source::from_name(connection).is_some(),
        more,
        rows: nested.iter().map(|one| Row::nested(one, app.gateway.now())).collect(),
    })
}

/// Sources that were compared with the ledger lately, as far as the seat may know of them.
async fn sources(app: &App, seat: &Seat) -> Result<BTreeSet<String>, Trouble> {
    let runs = app.gateway.ledger.reconciliations(None, RUNS).await?;
    let named = runs.into_iter().map(|run| run.connection.to_string());
    let reached = |name: &String| {
        Source::from_name(name).is_some_and(|source| seat.may(Right::Operate, Some(&source.tenant)).is_ok())
    };
    Ok(named.filter(reached).collect())
}

/// Open findings, of one connection if asked.
pub async fn show(State(app): State<App>, seat: Seat, Query(walk): Query<Walk>) -> Answer {
    let connections = seat.connections(&app)?;
    match Source::from_name(&walk.connection) {
        Some(source) => seat.may(Right::Operate, Some(&source.tenant))?,
        None if walk.connection.is_empty() => {}
        None => _ = seat.connection(&app, &walk.connection)?,
    }
    let after = if walk.connection.is_empty() { 0 } else { walk.after };
    let mut sections = Vec::new();
    for connection in &connections {
        if walk.connection.is_empty() || walk.connection == connection.config.name {
            let section = section(&app, &connection.config.name, after).await?;
            sections.extend(Some(section).filter(|s| !s.rows.is_empty() || s.more.is_some()));
        }
    }
    if walk.connection.is_empty() {
        for source in sources(&app, &seat).await? {
            let section = section(&app, &source, 0).await?;
            sections.extend(Some(section).filter(|s| !s.rows.is_empty()));
        }
    } else if Source::from_name(&walk.connection).is_some() {
        sections.push(section(&app, &walk.connection, walk.after).await?);
    }
    page(&Page {
        frame: Frame::new(&app, &seat, "/findings", "Findings"),
        names: names(connections.iter().map(|c| c.config.name.as_str()), &walk.connection),
        sections,
    })
}

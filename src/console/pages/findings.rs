//! What reading back found and is not gone.

use super::refusals::names;
use super::{Answer, Walk, page};
use crate::console::App;
use crate::console::error::Trouble;
use crate::console::layout::Frame;
use crate::console::session::Seat;
use crate::console::view::{Badge, When, number, span, when, words};
use crate::ledger::{Finding, Micros};
use crate::reconcile::nested::{Nested, nest};
use askama::Template;
use axum::extract::{Query, State};

/// Rows on a page.
const ROWS: u32 = 100;

#[derive(Template)]
#[template(path = "findings.html")]
struct Page {
    frame: Frame,
    names: Vec<(String, bool)>,
    sections: Vec<Section>,
}

struct Section {
    connection: String,
    rows: Vec<Row>,
    more: Option<String>,
}

/// A finding's row.
pub struct Row {
    id: i64,
    item: String,
    kind: String,
    status: Badge,
    opened: When,
    age: String,
    sightings: String,
    /// What follows from it.
    implies: Vec<Row>,
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
        more,
        rows: nested.iter().map(|one| Row::nested(one, app.gateway.now())).collect(),
    })
}

/// Open findings, of one connection if asked.
pub async fn show(State(app): State<App>, seat: Seat, Query(walk): Query<Walk>) -> Answer {
    let connections = seat.connections(&app)?;
    if !walk.connection.is_empty() {
        seat.connection(&app, &walk.connection)?;
    }
    let after = if walk.connection.is_empty() { 0 } else { walk.after };
    let mut sections = Vec::new();
    for connection in &connections {
        if walk.connection.is_empty() || walk.connection == connection.config.name {
            let section = section(&app, &connection.config.name, after).await?;
            sections.extend(Some(section).filter(|s| !s.rows.is_empty() || s.more.is_some()));
        }
    }
    page(&Page {
        frame: Frame::new(&app, &seat, "/findings", "Findings"),
        names: names(connections.iter().map(|c| c.config.name.as_str()), &walk.connection),
        sections,
    })
}

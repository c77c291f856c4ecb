//! One finding: what was accepted beside what is there, and what to do about it.

use super::findings::Row as Implied;
use super::overview::waits;
use super::{Answer, Nothing, id, page};
use crate::access::{Right, audit};
use crate::console::App;
use crate::console::content::{Shown, place, shown};
use crate::console::error::Trouble;
use crate::console::layout::Frame;
use crate::console::session::{Posted, Seat};
use crate::console::view::{Badge, Button, When, number, span, when, words};
use crate::exchange::journey;
use crate::gateway::Connection;
use crate::ledger::{Finding, FindingStatus};
use crate::reconcile::repair::{call_off, repair};
use crate::reconcile::source::Source;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Redirect;
use silta_adapter::canonical::Difference;
use silta_adapter::record::RecordKey;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "finding.html")]
struct Page {
    frame: Frame,
    id: i64,
    kind: String,
    status: Badge,
    connection: String,
    /// True if it is about a source; false if about a destination.
    source: bool,
    item: String,
    known: bool,
    key: Option<RecordKey>,
    other: Option<RecordKey>,
    opened: When,
    age: String,
    seen: When,
    sightings: String,
    closed: When,
    implied_by: Option<String>,
    implies: Vec<Implied>,
    proposal: String,
    fields: Vec<Row>,
    buttons: Vec<Button>,
}

/// One field that differs.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    place: String,
    accepted: Option<Shown>,
    there: Option<Shown>,
}

impl From<&Difference> for Row {
    fn from(one: &Difference) -> Self {
        Self { place: place(&one.path), accepted: one.left.as_ref().map(shown), there: one.right.as_ref().map(shown) }
    }
}

/// What a finding is about: what a destination holds, or what the ledger holds of a source.
enum At {
    Destination(Arc<Connection>),
    Source(Source),
}

impl At {
    fn tenant(&self) -> &str {
        match self {
            Self::Destination(connection) => &connection.config.tenant,
            Self::Source(source) => &source.tenant,
        }
    }
}

async fn find(app: &App, seat: &Seat, text: &str) -> Result<(Finding, At), Trouble> {
    // Whoever may see no finding at all is told so before being told what exists.
    seat.connections(app)?;
    let finding = app.gateway.ledger.finding(id(text)?).await?.ok_or(Trouble::NotFound)?;
    let at = match Source::from_name(&finding.connection) {
        Some(source) => {
            seat.may(Right::Operate, Some(&source.tenant))?;
            At::Source(source)
        }
        None => At::Destination(seat.connection(app, &finding.connection)?),
    };
    Ok((finding, at))
}

async fn note(app: &App, seat: &Seat, action: &str, at: &At, finding: &Finding) -> Result<(), Trouble> {
    let detail = format!("finding {}, console", finding.id);
    let item = finding.item.to_string();
    Ok(audit(&app.gateway, seat.actor.name(), action, at.tenant(), &item, &detail).await?)
}

fn buttons(finding: &Finding, at: &At, csrf: &str) -> Vec<Button> {
    let button = |act: &str, label| Button::new(format!("/findings/{}/{act}", finding.id), label, csrf);
    match finding.status {
        FindingStatus::Repairing => vec![
            button("cancel", "Cancel the repair").strong(),
            button("accept", "Accept the difference"),
            button("suppress", "Suppress"),
        ],
        status if waits(status) => {
            let repair = matches!(at, At::Destination(_)).then(|| button("repair", "Repair").strong());
            let rule = [button("accept", "Accept the difference"), button("suppress", "Suppress")];
            repair.into_iter().chain(rule).collect()
        }
        FindingStatus::Accepted | FindingStatus::Suppressed => vec![button("reopen", "Open again")],
        _ => Vec::new(),
    }
}

/// A finding. Whoever reads its evidence is noted.
pub async fn show(State(app): State<App>, seat: Seat, Path(text): Path<String>) -> Answer {
    let (finding, at) = find(&app, &seat, &text).await?;
    note(&app, &seat, "read_finding", &at, &finding).await?;
    let known = app.gateway.ledger.record(finding.item).await?.is_some();
    let buttons = buttons(&finding, &at, &seat.csrf);
    let now = app.gateway.now();
    let implies = match finding.implied_by {
        None => app.gateway.ledger.implied(&finding.connection, &[finding.item]).await?,
        Some(_) => Vec::new(),
    };
    let one = journey::finding(&app.gateway, finding);
    let (key, fields, proposal, other) = match one.evidence {
        Some(e) => (Some(e.key), e.fields, e.proposal, e.other),
        None => (None, Vec::new(), "the evidence was erased with the learner's data".to_owned(), None),
    };
    if key.as_ref().is_some_and(|key| !seat.actor.sees(key.kind)) {
        return Err(Trouble::NotFound);
    }
    page(&Page {
        frame: Frame::new(&app, &seat, "", format!("Finding {}", one.id)),
        id: one.id,
        kind: words(one.kind.name()),
        status: one.status.into(),
        connection: one.connection.to_string(),
        source: matches!(at, At::Source(_)),
        item: one.item.to_string(),
        known,
        key,
        other,
        opened: when(one.opened),
        age: span(one.closed.unwrap_or(now) - one.opened),
        seen: when(one.seen),
        sightings: number(one.sightings),
        closed: when(one.closed),
        implied_by: one.implied_by.map(|id| id.to_string()),
        implies: implies.iter().map(|implied| Implied::from(implied, now)).collect(),
        proposal,
        fields: fields.iter().map(Row::from).collect(),
        buttons,
    })
}

/// Rules on a finding.
pub async fn act(
    State(app): State<App>,
    Path((text, act)): Path<(String, String)>,
    Posted(seat, Nothing {}): Posted<Nothing>,
) -> Result<Redirect, Trouble> {
    let (finding, at) = find(&app, &seat, &text).await?;
    let ledger = &app.gateway.ledger;
    let rule = async |status| ledger.set_finding(finding.id, app.gateway.now(), status).await;
    let (action, said) = match (act.as_str(), finding.status) {
        ("repair", status) if waits(status) => {
            let At::Destination(connection) = &at else { return Err(Trouble::NotFound) };
            let raised = repair(&app.gateway, connection, &finding).await?;
            let said = "Sending again cannot mend this finding; accept it, or mend it at its source.";
            ("repair_finding", if raised { "The repair was raised as a debt." } else { said })
        }
        ("cancel", FindingStatus::Repairing) => {
            let At::Destination(connection) = &at else { return Err(Trouble::NotFound) };
            if !call_off(&app.gateway, connection, &finding).await? {
                let said =
                    "Too late: the repair was sent, or is being sent, or what it sends is owed for another reason.";
                app.sessions.say(&seat.key, said);
                return Ok(Redirect::to(&format!("/findings/{}", finding.id)));
            }
            ("cancel_repair", "The repair was called off. The finding waits for you.")
        }
        ("accept", status) if waits(status) => {
            rule(FindingStatus::Accepted).await?;
            ("accept_finding", "The difference is accepted. It opens again if the content there changes.")
        }
        ("suppress", status) if waits(status) => {
            rule(FindingStatus::Suppressed).await?;
            ("suppress_finding", "The finding is suppressed until somebody opens it again.")
        }
        ("reopen", FindingStatus::Accepted | FindingStatus::Suppressed) => {
            rule(FindingStatus::Open).await?;
            ("reopen_finding", "The finding is open again.")
        }
        ("repair" | "cancel" | "accept" | "suppress" | "reopen", _) => {
            app.sessions.say(&seat.key, "The finding is not in that state any more; nothing was changed.");
            return Ok(Redirect::to(&format!("/findings/{}", finding.id)));
        }
        _ => return Err(Trouble::NotFound),
    };
    note(&app, &seat, action, &at, &finding).await?;
    app.sessions.say(&seat.key, said);
    Ok(Redirect::to(&format!("/findings/{}", finding.id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_difference_is_a_row() {
        let one = Difference { path: "/body/credits/ects".into(), left: Some(json!("5")), right: None };
        let row = Row::from(&one);
        assert_eq!(row.place, "Credits › ECTS");
        assert_eq!((row.accepted, row.there), (Some(Shown::Text("5".into(), String::new())), None));
    }
}

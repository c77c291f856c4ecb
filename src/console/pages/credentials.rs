//! Credentials that were issued for a tenant, and the links by which they are shown.

use super::records::{Tenant, chosen};
use super::{Answer, Nothing, page};
use crate::access::{Right, audit};
use crate::console::App;
use crate::console::error::Trouble;
use crate::console::layout::Frame;
use crate::console::session::{Posted, Seat};
use crate::console::view::{Badge, Button, Tone, When, when};
use crate::gateway::Connection;
use crate::ledger::{Debt, Issued, Micros, Share};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use serde::Deserialize;

/// Items of a connection on a page. Each is looked up with what was sealed for it.
const ITEMS: u32 = 50;
const RIGHTS: [Right; 2] = [Right::Push, Right::Operate];

#[derive(Template)]
#[template(path = "credentials.html")]
struct Page {
    frame: Frame,
    tenants: Vec<Tenant>,
    tenant: String,
    sections: Vec<Section>,
}

/// What was issued over one connection.
struct Section {
    connection: String,
    rows: Vec<Row>,
    more: Option<String>,
}

/// A credential.
struct Row {
    id: i64,
    record: String,
    standing: Badge,
    /// Where its record stands with the connection; only beside the newest of an item.
    delivery: Option<Badge>,
    generation: i64,
    issued: When,
    withdrawn: When,
    links: Vec<LinkRow>,
}

/// A link to a credential.
struct LinkRow {
    id: i64,
    standing: Badge,
    public: bool,
    expires: When,
    revoke: Option<Button>,
}

impl LinkRow {
    fn of(link: &Share, now: Micros, csrf: &str) -> Self {
        let standing = match link.revoked {
            Some(_) => Badge(Tone::Quiet, "revoked"),
            None if link.expires <= now => Badge(Tone::Quiet, "ended"),
            None => Badge(Tone::Good, "open"),
        };
        let action = format!("/credentials/{}/links/{}/revoke", link.credential, link.id);
        let revoke = Button { of: format!("link {}", link.id), ..Button::new(action, "Revoke", csrf) };
        let revoke = (standing.1 == "open").then_some(revoke);
        Self { id: link.id, standing, public: link.public, expires: when(link.expires), revoke }
    }
}

fn standing(issued: &Issued) -> Badge {
    match (issued.withdrawn, &issued.document) {
        (Some(_), _) => Badge(Tone::Quiet, "withdrawn"),
        (None, Some(_)) => Badge(Tone::Good, "issued"),
        (None, None) => Badge(Tone::Busy, "not sealed yet"),
    }
}

/// Whose credentials, and where the list of one connection goes on.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    connection: String,
    #[serde(default)]
    after: i64,
}

/// A tenant's credentials. Nothing here says whose or about what they are.
pub async fn show(State(app): State<App>, seat: Seat, Query(asked): Query<Asked>) -> Answer {
    let (tenants, tenant) = chosen(&app, &seat, &RIGHTS, asked.tenant)?;
    let issues = |c: &&Connection| {
        let meant = asked.connection.is_empty() || c.config.name == asked.connection;
        c.config.tenant == tenant && c.sealer.is_some() && meant
    };
    let mut sections = Vec::new();
    for connection in app.gateway.connections.iter().map(AsRef::as_ref).filter(issues) {
        sections.push(section(&app, &seat, connection, asked.after).await?);
    }
    let frame = Frame::new(&app, &seat, "/credentials", "Credentials");
    page(&Page { frame, tenants, tenant, sections })
}

async fn section(app: &App, seat: &Seat, connection: &Connection, after: i64) -> Result<Section, Trouble> {
    let (ledger, name) = (&app.gateway.ledger, &connection.config.name);
    let debts = ledger.debts(name, None, after, ITEMS).await?;
    let last = debts.last().filter(|_| debts.len() == ITEMS as usize);
    let more = last
        .map(|debt| format!("/credentials?tenant={}&connection={name}&after={}", connection.config.tenant, debt.id));
    let mut rows = Vec::new();
    for debt in debts.iter().filter(|debt| seat.actor.sees(debt.kind)) {
        item(app, seat, debt, &mut rows).await?;
    }
    Ok(Section { connection: name.to_string(), rows, more })
}

/// Credentials of an item, newest first.
async fn item(app: &App, seat: &Seat, debt: &Debt, rows: &mut Vec<Row>) -> Result<(), Trouble> {
    let ledger = &app.gateway.ledger;
    let all = ledger.issued_of(debt.item).await?;
    let mut delivery = Some(debt.state.into());
    for issued in all.iter().rev().filter(|issued| issued.connection == debt.connection) {
        let links = ledger.shares_of(issued.id).await?;
        rows.push(Row {
            id: issued.id,
            record: issued.item.to_string(),
            standing: standing(issued),
            delivery: delivery.take(),
            generation: issued.generation,
            issued: when(issued.at),
            withdrawn: when(issued.withdrawn),
            links: links.iter().map(|link| LinkRow::of(link, app.gateway.now(), &seat.csrf)).collect(),
        });
    }
    Ok(())
}

/// Revokes a link.
pub async fn revoke(
    State(app): State<App>,
    Path((credential, link)): Path<(i64, i64)>,
    Posted(seat, Nothing {}): Posted<Nothing>,
) -> Result<Redirect, Trouble> {
    let ledger = &app.gateway.ledger;
    let issued = ledger.issued(credential).await?.ok_or(Trouble::NotFound)?;
    if !RIGHTS.iter().any(|right| seat.actor.may(*right, Some(&issued.tenant)).is_ok()) {
        return Err(Trouble::NotFound);
    }
    let record = ledger.record(issued.item).await?.filter(|record| seat.actor.sees(record.kind));
    record.ok_or(Trouble::NotFound)?;
    if !ledger.revoke_share(issued.id, link, app.gateway.now()).await? {
        return Err(Trouble::NotFound);
    }
    let (subject, detail) = (issued.item.to_string(), link.to_string());
    audit(&app.gateway, seat.actor.name(), "revoke_link", &issued.tenant, &subject, &detail).await?;
    app.sessions.say(&seat.key, format!("Link {link} is revoked: it leads nowhere any more."));
    Ok(Redirect::to(&format!("/credentials?tenant={}", issued.tenant)))
}

//! Finding a record by the key its sender knows. The key travels in the body of a form, never in an address.

use super::{Answer, page};
use crate::access::{Right, audit};
use crate::console::App;
use crate::console::error::Trouble;
use crate::console::layout::Frame;
use crate::console::session::{Posted, Seat};
use crate::console::view::{Badge, words};
use crate::ledger::StoredRecord;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "records.html")]
struct Page {
    frame: Frame,
    csrf: String,
    tenants: Vec<Tenant>,
    found: Option<Vec<Row>>,
}

/// A tenant to choose.
pub struct Tenant {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// True for the one that is chosen.
    pub chosen: bool,
}

struct Row {
    id: String,
    kind: String,
    institution: String,
    source: String,
    version: i64,
    state: Badge,
}

impl From<&StoredRecord> for Row {
    fn from(record: &StoredRecord) -> Self {
        Self {
            id: record.id.to_string(),
            kind: words(record.kind.name()),
            institution: record.institution.to_string(),
            source: record.source.to_string(),
            version: record.version,
            state: record.state.into(),
        }
    }
}

/// The tenants for which the actor has one of these rights.
fn tenants(app: &App, seat: &Seat, rights: &[Right], chosen: &str) -> Vec<Tenant> {
    let all = app.gateway.config.tenant.iter();
    all.filter(|t| rights.iter().any(|right| seat.actor.may(*right, Some(&t.code)).is_ok()))
        .map(|t| Tenant { code: t.code.to_string(), name: t.name.clone(), chosen: t.code == chosen })
        .collect()
}

/// The tenants to choose from, and the one that was chosen: the only one, if nobody says which.
///
/// # Errors
/// If there is none to choose from, or another was asked for.
pub fn chosen(app: &App, seat: &Seat, rights: &[Right], asked: String) -> Result<(Vec<Tenant>, String), Trouble> {
    let mut all = tenants(app, seat, rights, &asked);
    if all.is_empty() {
        return Err(Trouble::Forbidden);
    }
    let mut tenant = asked;
    if let (true, [only]) = (tenant.is_empty(), all.as_mut_slice()) {
        only.chosen = true;
        tenant = only.code.clone();
    }
    if !tenant.is_empty() && !all.iter().any(|t| t.chosen) {
        return Err(Trouble::NotFound);
    }
    Ok((all, tenant))
}

fn form(app: &App, seat: &Seat, chosen: &str, found: Option<Vec<Row>>) -> Answer {
    page(&Page {
        frame: Frame::new(app, seat, "/records", "Records"),
        csrf: seat.csrf.clone(),
        tenants: tenants(app, seat, &[Right::Read], chosen),
        found,
    })
}

/// The form.
pub async fn show(State(app): State<App>, seat: Seat) -> Answer {
    seat.may(Right::Read, seat.actor.tenant().map(|t| t.as_str()))?;
    form(&app, &seat, "", None)
}

/// What is looked for.
#[derive(Deserialize)]
pub struct Search {
    tenant: String,
    key: String,
}

/// Leads to the one record found, or lists what was found.
pub async fn find(
    State(app): State<App>,
    Posted(seat, Search { tenant, key }): Posted<Search>,
) -> Result<Response, Trouble> {
    seat.may(Right::Read, Some(&tenant))?;
    let mut found = app.gateway.ledger.look_up(&tenant, app.gateway.vault.lookup(&tenant, key.trim())).await?;
    found.retain(|record| seat.actor.sees(record.kind));
    audit(&app.gateway, seat.actor.name(), "find_records", &tenant, "", &format!("{} found", found.len())).await?;
    match found.as_slice() {
        [one] => Ok(Redirect::to(&format!("/records/{}", one.id)).into_response()),
        found => Ok(form(&app, &seat, &tenant, Some(found.iter().map(Row::from).collect()))?.into_response()),
    }
}

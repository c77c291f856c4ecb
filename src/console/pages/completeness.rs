//! How completely institutions document their micro-credentials.

use super::records::{Tenant, chosen};
use super::{Answer, page};
use crate::access::{Right, audit};
use crate::completeness::{self, Completeness};
use crate::console::App;
use crate::console::error::Trouble;
use crate::console::layout::Frame;
use crate::console::session::Seat;
use crate::console::view::number;
use askama::Template;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

const RIGHTS: [Right; 2] = [Right::Push, Right::Operate];

#[derive(Template)]
#[template(path = "completeness.html")]
struct Page {
    frame: Frame,
    tenants: Vec<Tenant>,
    tenant: String,
    all: bool,
    institutions: Vec<Institution>,
}

struct Institution {
    code: String,
    name: String,
    records: String,
    complete: String,
    rows: Vec<Row>,
}

struct Row {
    id: &'static str,
    name: &'static str,
    present: String,
    weak: String,
    missing: String,
    /// Per cent of the records in which it is there.
    share: u64,
}

/// Whose records, and which.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    all: bool,
}

/// The tenants to choose from, and the one that was chosen; figures are for who may see records of every kind.
fn of_tenant(app: &App, seat: &Seat, asked: String) -> Result<(Vec<Tenant>, String), Trouble> {
    match seat.actor.kinds().is_empty() {
        true => chosen(app, seat, &RIGHTS, asked),
        false => Err(Trouble::Forbidden),
    }
}

async fn counted(app: &App, seat: &Seat, tenant: &str, all: bool) -> Result<Completeness, Trouble> {
    audit(&app.gateway, seat.actor.name(), "read_completeness", tenant, "", "console").await?;
    Ok(completeness::count(&app.gateway, tenant, all).await?)
}

/// A tenant's figures.
pub async fn show(State(app): State<App>, seat: Seat, Query(asked): Query<Asked>) -> Answer {
    let (tenants, tenant) = of_tenant(&app, &seat, asked.tenant)?;
    let found = match tenant.is_empty() {
        true => Completeness::default(),
        false => counted(&app, &seat, &tenant, asked.all).await?,
    };
    let institution = |one: &completeness::Institution| Institution {
        code: one.institution.to_string(),
        name: app.gateway.mappings.institutions.get(&one.institution).map_or_else(String::new, |known| {
            known.name.get("en").or_else(|| known.name.values().next()).cloned().unwrap_or_default()
        }),
        records: count(one.records),
        complete: count(one.complete),
        rows: one.elements.iter().map(row).collect(),
    };
    page(&Page {
        frame: Frame::new(&app, &seat, "/completeness", "Micro-credentials"),
        institutions: found.institutions.iter().map(institution).collect(),
        all: asked.all,
        tenants,
        tenant,
    })
}

fn count(records: u64) -> String {
    number(i64::try_from(records).unwrap_or(i64::MAX))
}

fn row(element: &completeness::Element) -> Row {
    Row {
        id: element.id,
        name: element.name,
        present: count(element.present),
        weak: count(element.weak),
        missing: count(element.missing),
        share: element.permille() / 10,
    }
}

/// The same as CSV.
pub async fn export(State(app): State<App>, seat: Seat, Query(asked): Query<Asked>) -> Result<Response, Trouble> {
    let (_, tenant) = of_tenant(&app, &seat, asked.tenant)?;
    if tenant.is_empty() {
        return Err(Trouble::NotFound);
    }
    let csv = counted(&app, &seat, &tenant, asked.all).await?.to_csv();
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"completeness.csv\""),
    ];
    Ok((headers, csv).into_response())
}

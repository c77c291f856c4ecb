//! What a sender still has to put right.

use super::records::{Tenant, chosen};
use super::{Answer, page};
use crate::access::{Right, audit};
use crate::console::App;
use crate::console::layout::Frame;
use crate::console::session::Seat;
use crate::console::view::{Badge, Maybe, When, maybe, when};
use crate::ledger::StoredProblem;
use askama::Template;
use axum::extract::{Query, State};
use serde::Deserialize;
use silta_adapter::problem::Problem;

/// Rows on a page.
const ROWS: u32 = 100;
const RIGHTS: [Right; 2] = [Right::Push, Right::Operate];

#[derive(Template)]
#[template(path = "problems.html")]
struct Page {
    frame: Frame,
    tenants: Vec<Tenant>,
    tenant: String,
    rows: Vec<Row>,
    more: Option<String>,
}

struct Row {
    opened: When,
    severity: Badge,
    origin: String,
    code: String,
    message: String,
    place: Maybe,
    record: Option<String>,
    name: Maybe,
    fixer: String,
}

impl Row {
    fn from(stored: &StoredProblem, problem: Option<Problem>) -> Self {
        let (message, line, path, key) = match problem {
            Some(p) => (p.message, p.line, p.path, p.key),
            None => ("erased with the learner's data".to_owned(), None, None, None),
        };
        let record = stored.record.map(|id| id.to_string());
        let place: Vec<String> = line.map(|n| format!("line {n}")).into_iter().chain(path).collect();
        Self {
            opened: when(stored.opened),
            severity: stored.severity.into(),
            origin: stored.origin.to_string(),
            code: stored.code.to_string(),
            message,
            place: maybe(Some(place.join(", "))),
            name: maybe(key.map(|k| format!("{} {}", k.kind, k.id)).or_else(|| Some(record.as_ref()?[..8].to_owned()))),
            record,
            fixer: stored.fixer.to_string(),
        }
    }
}

/// Whose problems, and where the list goes on.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    after: i64,
}

/// A tenant's open problems. Whoever reads them is noted: they name records by their senders' keys.
pub async fn show(State(app): State<App>, seat: Seat, Query(asked): Query<Asked>) -> Answer {
    let (tenants, tenant) = chosen(&app, &seat, &RIGHTS, asked.tenant)?;
    let (mut problems, mut rows) = (Vec::new(), Vec::new());
    if !tenant.is_empty() {
        audit(&app.gateway, seat.actor.name(), "read_problems", &tenant, "", "console").await?;
        problems = app.gateway.ledger.problems(&tenant, asked.after, false, ROWS).await?;
        for stored in &problems {
            let problem: Option<Problem> = app.gateway.vault.open_json(&stored.content).ok();
            let kind = problem.as_ref().and_then(|p| p.key.as_ref()).map(|key| key.kind);
            if kind.is_none_or(|kind| seat.actor.sees(kind)) {
                rows.push(Row::from(stored, problem));
            }
        }
    }
    let last = problems.last().filter(|_| problems.len() == ROWS as usize);
    page(&Page {
        frame: Frame::new(&app, &seat, "/problems", "Senders’ problems"),
        more: last.map(|p| format!("/problems?tenant={tenant}&after={}", p.id)),
        rows,
        tenants,
        tenant,
    })
}

//! One record: where it stands, its journey as a timeline, its content, and what destinations do not hold of it.

use super::{Answer, id, page};
use crate::access::{Right, audit};
use crate::console::App;
use crate::console::content::{Shown, place, shown};
use crate::console::error::Trouble;
use crate::console::layout::Frame;
use crate::console::session::Seat;
use crate::console::view::{Badge, Maybe, Tone, When, count, maybe, span, when, words};
use crate::exchange::document;
use crate::exchange::journey::{ArrivalStep, DebtStep, FindingStep, Journey, ProblemStep, journey};
use crate::ledger::{DebtState, Load, Micros, RecordId, Wanted};
use askama::Template;
use axum::extract::{Path, State};
use silta_adapter::fidelity::{Change, Loss, LossRule};

#[derive(Template)]
#[template(path = "record.html")]
struct Page {
    frame: Frame,
    short: String,
    heading: String,
    key: Option<Key>,
    version: i64,
    state: Badge,
    non_disclosure: bool,
    stands: Vec<Stand>,
    steps: Vec<Step>,
    content: Option<Shown>,
    json: String,
    losses: Vec<Losses>,
    steers: bool,
}

struct Key {
    tenant: String,
    source: String,
    institution: Maybe,
    id: String,
    learner: String,
}

/// Where the record stands with one connection.
struct Stand {
    connection: String,
    state: Badge,
    wanted: &'static str,
    since: When,
    sent: When,
    confirmed: When,
    reason: Maybe,
    fixer: Maybe,
}

impl Stand {
    fn of(debt: &DebtStep, record: RecordId) -> Self {
        let connection = match debt.item == record {
            true => debt.connection.to_string(),
            false => format!("{}, in the item of record {}", debt.connection, debt.item),
        };
        Self {
            connection,
            state: debt.state.into(),
            wanted: wanted(debt.wanted),
            since: when(debt.since),
            sent: when(debt.sent_at),
            confirmed: when(debt.confirmed_at),
            reason: maybe(Some(debt.reason.as_str())),
            fixer: maybe(debt.fixer.map(|f| f.to_string())),
        }
    }
}

fn wanted(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Present => "must be there",
        Wanted::Absent => "must not be there",
    }
}

/// One thing that happened.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    order: Micros,
    at: When,
    what: String,
    badge: Option<Badge>,
    detail: String,
    link: Option<(String, String)>,
}

fn step(at: Micros, what: impl Into<String>) -> Step {
    Step { order: at, at: when(at), what: what.into(), badge: None, detail: String::new(), link: None }
}

impl Step {
    fn badge(mut self, badge: impl Into<Badge>) -> Self {
        self.badge = Some(badge.into());
        self
    }

    fn detail(mut self, text: impl Into<String>) -> Self {
        self.detail = text.into();
        self
    }

    fn link(mut self, href: String, text: String) -> Self {
        self.link = Some((href, text));
        self
    }
}

fn arrival(one: &ArrivalStep) -> Vec<Step> {
    let revision = one.revision.map(|r| format!(", revision {r} of the source")).unwrap_or_default();
    let state =
        if one.state.is_tombstone() { format!(", {}", words(one.state.name()).to_lowercase()) } else { String::new() };
    vec![step(one.at, "Arrived").badge(one.outcome).detail(format!("version {}{revision}{state}", one.version))]
}

fn debt(one: &DebtStep) -> Vec<Step> {
    let name = &one.connection;
    let raised = match (one.state, one.wanted) {
        (DebtState::Refused, _) => {
            Some(step(one.since, format!("Not sent to {name}")).badge(one.state).detail(one.reason.as_str()))
        }
        _ if one.generation == 0 => None,
        (_, Wanted::Present) => Some(step(one.since, format!("Owed to {name}"))),
        (_, Wanted::Absent) => Some(step(one.since, format!("To be taken back from {name}"))),
    };
    let generation = |s: Step| if s.detail.is_empty() { s.detail(format!("generation {}", one.generation)) } else { s };
    let mut out: Vec<Step> = raised.map(generation).into_iter().collect();
    // An attempt is told after the debt that made it, a proof after the attempt it proves.
    out.extend(one.attempts.iter().rev().map(|a| {
        let reason = if a.reason.is_empty() { a.cause.to_string() } else { a.reason.clone() };
        step(a.at, format!("Sent to {name}")).badge(a.verdict).detail(format!("{reason}; took {}", span(a.took)))
    }));
    out.extend(one.sent_at.map(|at| step(at, format!("Accepted by {name}"))));
    out.extend(
        one.confirmed_at.map(|at| step(at, format!("Read back from {name}")).badge(Badge(Tone::Good, "confirmed"))),
    );
    out
}

fn load(one: &Load) -> Vec<Step> {
    let link = (format!("/loads/{}", one.id), format!("load {}", one.id));
    vec![
        step(one.at, format!("Part of a load to {}", one.connection))
            .badge(one.status)
            .detail(one.reason.as_str())
            .link(link.0, link.1),
    ]
}

fn problem(one: &ProblemStep) -> Vec<Step> {
    let cured = one.closed_by.map(|v| format!("by version {v}")).unwrap_or_default();
    let told = step(one.opened, format!("Problem found by {}", one.origin))
        .badge(one.problem.severity)
        .detail(format!("{}; to be fixed by: {}", one.problem.message, one.problem.fixer));
    let closed = one.closed.map(|at| step(at, "Problem cured").badge(Badge(Tone::Good, "closed")).detail(cured));
    std::iter::once(told).chain(closed).collect()
}

fn finding(one: &FindingStep) -> Vec<Step> {
    let link = || (format!("/findings/{}", one.id), format!("finding {}", one.id));
    let (href, text) = link();
    let proposal = one.evidence.as_ref().map_or("the evidence was erased", |e| &e.proposal);
    let sightings = count(one.sightings, "time", "times");
    let opened = step(one.opened, format!("Found at {}", one.connection))
        .badge(Badge(Tone::Warn, one.kind.name()))
        .detail(format!("{proposal}; seen {sightings}, now {}", one.status.name()))
        .link(href, text);
    let closed = one.closed.map(|at| {
        let (href, text) = link();
        step(at, format!("Gone at {}", one.connection)).badge(Badge(Tone::Good, "closed")).link(href, text)
    });
    std::iter::once(opened).chain(closed).collect()
}

/// A journey as one timeline, oldest first; what happened at the same time stays in the order of its causes.
pub fn timeline(journey: &Journey) -> Vec<Step> {
    let mut steps: Vec<Step> = journey.arrivals.iter().flat_map(arrival).collect();
    steps.extend(journey.problems.iter().flat_map(problem));
    steps.extend(journey.findings.iter().flat_map(finding));
    steps.extend(journey.loads.iter().rev().flat_map(load));
    steps.extend(journey.debts.iter().flat_map(debt));
    steps.sort_by_key(|s| s.order);
    steps
}

/// What one destination does not hold as the record says it.
struct Losses {
    connection: String,
    rows: Vec<LossRow>,
}

struct LossRow {
    place: String,
    change: &'static str,
    value: Option<Shown>,
    reason: Maybe,
}

impl LossRow {
    fn from(loss: &Loss, rules: &[LossRule]) -> Self {
        let (change, value) = match &loss.change {
            Change::Dropped => ("is not there", None),
            Change::Became(value) => ("becomes", Some(shown(value))),
            Change::Added(value) => ("is added as", Some(shown(value))),
        };
        let rule = rules.iter().find(|rule| rule.id == loss.rule);
        Self { place: place(&loss.path), change, value, reason: maybe(rule.map(|r| r.reason)) }
    }
}

fn losses(app: &App, debts: &[DebtStep]) -> Vec<Losses> {
    let rules = |name: &str| app.gateway.connection(name).map_or(&[][..], |c| c.adapter.descriptor().losses);
    let lossy = debts.iter().filter(|debt| !debt.losses.is_empty());
    lossy
        .map(|debt| Losses {
            connection: debt.connection.to_string(),
            rows: debt.losses.iter().map(|loss| LossRow::from(loss, rules(&debt.connection))).collect(),
        })
        .collect()
}

/// A record. Whoever reads it is noted.
pub async fn show(State(app): State<App>, seat: Seat, Path(text): Path<String>) -> Answer {
    seat.may(Right::Read, seat.actor.tenant().map(|t| t.as_str()))?;
    let id: RecordId = id(&text)?;
    let stored = app.gateway.ledger.record(id).await?.ok_or(Trouble::NotFound)?;
    seat.may(Right::Read, Some(&stored.tenant))?;
    if !seat.actor.sees(stored.kind) {
        return Err(Trouble::NotFound);
    }
    audit(&app.gateway, seat.actor.name(), "read_record", &stored.tenant, &id.to_string(), "console").await?;
    let journey = journey(&app.gateway, id).await?.ok_or(Trouble::NotFound)?;
    let record = document::open(&app.gateway, &stored)?;
    let json = record.as_ref().and_then(|r| serde_json::to_string_pretty(r).ok()).unwrap_or_default();
    let short = id.to_string()[..8].to_owned();
    page(&Page {
        frame: Frame::new(&app, &seat, "", format!("{} {short}", words(stored.kind.name()))),
        heading: words(stored.kind.name()),
        short,
        key: record.as_ref().map(|r| Key {
            tenant: r.head.key.tenant.to_string(),
            source: r.head.key.source.to_string(),
            institution: maybe(Some(r.head.key.institution.as_str())),
            id: r.head.key.id.to_string(),
            learner: r.head.learner.to_string(),
        }),
        version: stored.version,
        state: stored.state.into(),
        non_disclosure: record.as_ref().is_some_and(|r| r.head.non_disclosure),
        stands: journey.debts.iter().map(|debt| Stand::of(debt, journey.id)).collect(),
        steps: timeline(&journey),
        content: body(&json),
        json,
        losses: losses(&app, &journey.debts),
        steers: seat.can(Right::Operate),
    })
}

/// The body of a record's JSON, its fields in the order of the record model.
fn body(json: &str) -> Option<Shown> {
    #[derive(serde::Deserialize)]
    struct Content {
        body: Option<Shown>,
    }
    serde_json::from_str::<Content>(json).ok()?.body
}

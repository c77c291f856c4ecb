//! One load: what it carries, what it would remove, and the ruling on a held one.

use super::overview::removes;
use super::{Answer, Nothing, id, page};
use crate::access::{Right, audit};
use crate::console::App;
use crate::console::error::Trouble;
use crate::console::layout::Frame;
use crate::console::session::{Posted, Seat};
use crate::console::view::{Badge, Button, Maybe, When, maybe, number, when, words};
use crate::delivery::load::{Ruling, rule};
use crate::exchange::document;
use crate::ledger::{Ledger, Load, LoadStatus, ManifestEntry, RecordId, Result};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use serde::Deserialize;

/// Removals on a page.
const ROWS: usize = 50;
/// Manifest entries read for one page at most; the walk goes on from there.
const READ: usize = 100_000;
const PAGE: u32 = 1000;

#[derive(Template)]
#[template(path = "load.html")]
struct Page {
    frame: Frame,
    load: Load,
    status: Badge,
    made: When,
    closed: When,
    reason: Maybe,
    carries: Carries,
    removes: Option<Removals>,
    buttons: Vec<Button>,
}

struct Removals {
    text: String,
    rows: Vec<Removal>,
    more: Option<String>,
}

/// An item that would be removed: by its key where the content is known.
struct Removal {
    item: String,
    known: bool,
    key: String,
    kind: String,
    state: Option<Badge>,
}

/// What a load carries, counted from its manifest.
#[derive(Debug, Default, PartialEq, Eq)]
struct Carries {
    wanted: usize,
    stand_ins: usize,
    left_out: usize,
    whole: bool,
}

impl Carries {
    fn count(&mut self, entries: &[ManifestEntry]) {
        for entry in entries {
            match (&entry.digest, entry.wanted) {
                (None, _) => self.left_out += 1,
                (Some(_), true) => self.wanted += 1,
                (Some(_), false) => self.stand_ins += 1,
            }
        }
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let text = |n: usize| format!("{}{}", number(n as i64), if self.whole { "" } else { " or more" });
        vec![
            ("Items as they are wanted now", text(self.wanted)),
            ("Items with their last good content, because what is wanted cannot be sent", text(self.stand_ins)),
            ("Items left out because they must not be there", text(self.left_out)),
        ]
    }
}

async fn carries(app: &App, load: i64) -> Result<Carries> {
    let (mut out, mut after) = (Carries::default(), None);
    for _ in 0..READ / PAGE as usize {
        let entries = app.gateway.ledger.manifest(load, after, PAGE).await?;
        out.count(&entries);
        after = entries.last().map(|e| e.item);
        if entries.len() < PAGE as usize {
            out.whole = true;
            break;
        }
    }
    Ok(out)
}

/// Items that one manifest places and the other does not, of two stretches that cover the same items. Both ascend.
fn missing(before: &[ManifestEntry], now: &[ManifestEntry]) -> Vec<RecordId> {
    let placed = |item: RecordId| now.binary_search_by_key(&item, |e| e.item).is_ok_and(|at| now[at].digest.is_some());
    before.iter().filter(|e| e.digest.is_some() && !placed(e.item)).map(|e| e.item).collect()
}

/// Items the delivered load placed and the held one does not, from an item on; and where to go on, if there may be more.
async fn removed(
    ledger: &dyn Ledger,
    delivered: i64,
    held: i64,
    mut after: Option<RecordId>,
) -> Result<(Vec<RecordId>, Option<RecordId>)> {
    let mut out: Vec<RecordId> = Vec::new();
    let (mut now, mut now_after, mut now_ended) = (Vec::new(), after, false);
    for _ in 0..READ / PAGE as usize {
        let before = ledger.manifest(delivered, after, PAGE).await?;
        let Some(last) = before.last().map(|e| e.item) else { return Ok((out, None)) };
        while !now_ended && now_after.is_none_or(|at| at < last) {
            let page = ledger.manifest(held, now_after, PAGE).await?;
            now_ended = page.len() < PAGE as usize;
            now_after = page.last().map(|e| e.item).or(now_after);
            now.extend(page);
        }
        out.extend(missing(&before, &now));
        if out.len() > ROWS {
            out.truncate(ROWS);
            let on = out.last().copied();
            return Ok((out, on));
        }
        now.retain(|e: &ManifestEntry| e.item > last);
        after = Some(last);
        if before.len() < PAGE as usize {
            return Ok((out, None));
        }
    }
    Ok((out, after))
}

async fn removals(
    app: &App,
    seat: &Seat,
    load: &Load,
    after: Option<RecordId>,
) -> std::result::Result<Removals, Trouble> {
    let ledger = &app.gateway.ledger;
    let shrinkage = ledger.shrinkage(&load.connection, load.id).await?;
    let mut out = Removals { text: removes(shrinkage), rows: Vec::new(), more: None };
    let loads = ledger.loads(Some(&load.connection), false, PAGE).await?;
    let Some(last) = loads.iter().find(|l| l.status == LoadStatus::Delivered) else { return Ok(out) };
    let (items, on) = removed(&**ledger, last.id, load.id, after).await?;
    out.more = on.map(|item| format!("/loads/{}?after={item}", load.id));
    for item in items {
        let stored = ledger.record(item).await?.filter(|stored| seat.actor.sees(stored.kind));
        let record = stored.as_ref().map(|s| document::open(&app.gateway, s)).transpose()?.flatten();
        let item = item.to_string();
        out.rows.push(Removal {
            key: record.map_or_else(|| item[..8].to_owned(), |r| r.head.key.id.to_string()),
            item,
            known: stored.is_some(),
            kind: stored.as_ref().map_or_else(String::new, |s| words(s.kind.name())),
            state: stored.map(|s| s.state.into()),
        });
    }
    Ok(out)
}

async fn note(app: &App, seat: &Seat, action: &str, load: &Load) -> Result<()> {
    let detail = format!("load {}, console", load.id);
    audit(&app.gateway, seat.actor.name(), action, &load.tenant, &load.connection, &detail).await
}

/// Where the list of removals goes on.
#[derive(Deserialize)]
pub struct From {
    after: Option<String>,
}

async fn find(app: &App, seat: &Seat, text: &str) -> std::result::Result<Load, Trouble> {
    let load = app.gateway.ledger.load(id(text)?).await?;
    // Whoever may see no load at all is told so before being told what exists.
    seat.connections(app)?;
    let load = load.ok_or(Trouble::NotFound)?;
    seat.may(Right::Operate, Some(&load.tenant))?;
    Ok(load)
}

/// A load.
pub async fn show(State(app): State<App>, seat: Seat, Path(text): Path<String>, Query(from): Query<From>) -> Answer {
    let load = find(&app, &seat, &text).await?;
    let held = load.status == LoadStatus::Held;
    let removes = if held {
        let after = from.after.as_deref().map(id).transpose()?;
        note(&app, &seat, "read_load", &load).await?;
        Some(removals(&app, &seat, &load, after).await?)
    } else {
        None
    };
    let button = |act: &str, label| Button::new(format!("/loads/{}/{act}", load.id), label, &seat.csrf);
    page(&Page {
        frame: Frame::new(&app, &seat, "", format!("Load {}", load.id)),
        status: load.status.into(),
        made: when(load.at),
        closed: when(load.closed),
        reason: maybe(Some(load.reason.as_str())),
        carries: carries(&app, load.id).await?,
        removes,
        buttons: if held { vec![button("release", "Release"), button("reject", "Reject")] } else { Vec::new() },
        load,
    })
}

/// Rules on a held load.
pub async fn act(
    State(app): State<App>,
    Path((text, act)): Path<(String, String)>,
    Posted(seat, Nothing {}): Posted<Nothing>,
) -> std::result::Result<Redirect, Trouble> {
    let load = find(&app, &seat, &text).await?;
    let (ruling, action, said) = match act.as_str() {
        "release" => (Ruling::Release, "release_load", "The load is released: it is built anew and sent."),
        "reject" => (Ruling::Reject, "reject_load", "The load is rejected: nothing of it is sent."),
        _ => return Err(Trouble::NotFound),
    };
    let said = if rule(&app.gateway, load.id, ruling, seat.actor.name()).await? {
        note(&app, &seat, action, &load).await?;
        said
    } else {
        "The load is not held any more; nothing was changed."
    };
    app.sessions.say(&seat.key, said);
    Ok(Redirect::to(&format!("/loads/{}", load.id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::memory::MemoryLedger;
    use crate::ledger::{Debts, NewLoad};
    use silta_adapter::canonical::{Digest, FORM};

    fn entry(item: u8, placed: bool, wanted: bool) -> ManifestEntry {
        let digest = placed.then_some(Digest { form: FORM, hash: [item; 32] });
        ManifestEntry { debt: i64::from(item), item: RecordId([item; 16]), generation: 1, digest, wanted }
    }

    #[test]
    fn what_was_placed_and_is_not_is_removed() {
        let before = [entry(1, true, true), entry(2, true, true), entry(3, false, true), entry(4, true, true)];
        let now = [entry(1, true, false), entry(2, false, true), entry(9, true, true)];
        assert_eq!(missing(&before, &now), [RecordId([2; 16]), RecordId([4; 16])]);
    }

    #[tokio::test]
    async fn removals_are_walked_page_by_page() {
        let ledger = MemoryLedger::new();
        let item = |n: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            ManifestEntry { debt: i64::from(n), item: RecordId(id), ..entry(1, true, true) }
        };
        let stored = async |entries: Vec<ManifestEntry>| {
            let new = NewLoad {
                connection: "store".into(),
                tenant: "10122".into(),
                at: 1,
                status: LoadStatus::Sending,
                reason: String::new(),
            };
            let load = ledger.open_load(&new).await.expect("opened");
            ledger.add_to_manifest(load, &entries).await.expect("added");
            load
        };
        let gone = |n: &u32| n.is_multiple_of(17) || (1500..1600).contains(n);
        let before = stored((0..2500).map(item).collect()).await;
        let now = stored((0..9000).filter(|n| !gone(n)).map(item).collect()).await;
        let (mut all, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let (items, on) = removed(&ledger, before, now, after).await.expect("read");
            assert!(items.len() <= ROWS);
            all.extend(items);
            pages += 1;
            after = on;
            if after.is_none() {
                break;
            }
        }
        let expected: Vec<RecordId> = (0..2500).filter(gone).map(|n| item(n).item).collect();
        assert_eq!(all, expected);
        assert_eq!(pages, expected.len().div_ceil(ROWS));
    }

    #[test]
    fn a_manifest_is_counted_by_what_it_carries() {
        let mut carries = Carries { whole: true, ..Carries::default() };
        carries.count(&[entry(1, true, true), entry(2, true, false), entry(3, false, true), entry(4, true, true)]);
        assert_eq!(carries, Carries { wanted: 2, stand_ins: 1, left_out: 1, whole: true });
        assert_eq!(carries.rows()[0].1, "2");
    }
}

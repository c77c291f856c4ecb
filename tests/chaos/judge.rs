//! What a run proves, and its table.

use crate::life::{DESTINATIONS, HEALTHY, Outcome};
use crate::traffic::Last;
use serde_json::Value;
use std::time::Duration;

/// What a run came to, counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counted {
    /// Versions acknowledged.
    pub(crate) versions: usize,
    /// Versions that took effect, at all destinations.
    pub(crate) effects: u64,
    /// Records whose last version is not where it should be.
    pub(crate) lost: usize,
    /// Records that are there, and not as they should be.
    pub(crate) different: usize,
    /// Requests that destinations failed on purpose.
    pub(crate) failed: u64,
    /// Requests that came again under their key, without effect.
    pub(crate) repeated: u64,
    /// Effects that happened twice.
    pub(crate) doubled: u64,
    /// Older versions that took effect after a newer one.
    pub(crate) overtaken: u64,
    /// Removals that nobody asked for.
    pub(crate) removed: usize,
    /// From acknowledgement to effect at the healthy destinations: the median, and what one in twenty exceeds.
    pub(crate) delay: (Duration, Duration),
}

/// True if an object is what a record says last; `None` is right for one that was taken back.
pub(crate) fn is_right(object: Option<&Value>, last: &Last) -> bool {
    match object {
        None => last.withdrawn,
        Some(object) if last.withdrawn => object["state"] != "current",
        Some(object) => {
            object["state"] == "current" && object["source_revision"] == last.version && object["body"] == last.body
        }
    }
}

/// Counts what a run came to.
pub(crate) fn count(outcome: &Outcome) -> Counted {
    let Outcome { book, figures, contents, .. } = outcome;
    let mut counted = Counted { versions: book.acknowledged.len(), ..Counted::default() };
    for (held, figures) in contents.iter().zip(figures) {
        for (name, last) in &book.last {
            match held.get(name) {
                None if !last.withdrawn => counted.lost += 1,
                held if !is_right(held, last) => counted.different += 1,
                _ => {}
            }
        }
        counted.effects += figures.taken;
        counted.failed += figures.failed;
        counted.repeated += figures.repeated;
        counted.doubled += figures.doubled;
        counted.overtaken += figures.overtaken;
        counted.removed += figures.removed.difference(&book.withdrawals).count();
    }
    let delays = figures[..HEALTHY].iter().flat_map(|figures| &figures.first);
    let mut delays: Vec<Duration> = delays
        .filter_map(|(version, at)| Some(at.saturating_duration_since(*book.acknowledged.get(version)?)))
        .collect();
    delays.sort_unstable();
    let share = |of: usize| delays.get(delays.len() * of / 100).copied().unwrap_or_default();
    counted.delay = (share(50), share(95));
    counted
}

/// The promises that a run broke.
pub(crate) fn broken(outcome: &Outcome, counted: &Counted) -> Vec<String> {
    let mut broken = outcome.broken.clone();
    let zeros = [
        ("lost", counted.lost as u64),
        ("silently different", counted.different as u64),
        ("effects twice", counted.doubled),
        ("overtaken", counted.overtaken),
        ("removed without being asked", counted.removed as u64),
        ("answered oddly", outcome.book.odd.len() as u64),
    ];
    broken.extend(zeros.into_iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{what}: {n}")));
    broken.extend(outcome.found.iter().map(|found| format!("found although nothing was injected: {found}")));
    if outcome.repaired != outcome.injected {
        broken.push(format!("{} of {} injected differences were repaired", outcome.repaired, outcome.injected));
    }
    broken
}

/// How a row of the table is told of one run.
type Figure = Box<dyn Fn(&Outcome, &Counted) -> String>;

/// A run without faults beside one with them.
pub(crate) fn table(store: &str, calm: (&Outcome, &Counted), rough: (&Outcome, &Counted)) -> String {
    let secs = |d: Duration| format!("{:.2} s", d.as_secs_f64());
    let rows: [(&str, Figure); 13] = [
        ("versions acknowledged", Box::new(|_, c| c.versions.to_string())),
        ("effects at destinations", Box::new(|_, c| c.effects.to_string())),
        ("failed on purpose", Box::new(|_, c| c.failed.to_string())),
        ("lost", Box::new(|_, c| c.lost.to_string())),
        ("silently different", Box::new(|_, c| c.different.to_string())),
        ("sent again, no effect", Box::new(|_, c| c.repeated.to_string())),
        ("duplicated (effect twice)", Box::new(|_, c| c.doubled.to_string())),
        ("overtaken", Box::new(|_, c| c.overtaken.to_string())),
        ("removed without being asked", Box::new(|_, c| c.removed.to_string())),
        ("differences injected, repaired", Box::new(|o, _| format!("{}, {}", o.injected, o.repaired))),
        ("time to converge", Box::new(move |o, _| secs(o.converged))),
        ("the dead one's, once alive", Box::new(move |o, _| secs(o.caught_up))),
        ("delay at the healthy, p50, p95", Box::new(move |_, c| format!("{}, {}", secs(c.delay.0), secs(c.delay.1)))),
    ];
    let mut text =
        format!("{:<34}{:>20}{:>20}\n", format!("{store}, {DESTINATIONS} destinations"), "no faults", "faults");
    for (what, show) in rows {
        text += &format!("{what:<34}{:>20}{:>20}\n", show(calm.0, calm.1), show(rough.0, rough.1));
    }
    text
}

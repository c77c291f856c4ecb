//! What a sandbox holds: versions of entities by ordinal.

use super::faults::Faults;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// One version of an entity.
struct Version {
    id: String,
    /// When the export shows it.
    shown_at: Instant,
    entity: Value,
}

/// What a sandbox holds.
pub(super) struct Store {
    /// By feed, then ordinal.
    feeds: HashMap<String, BTreeMap<u64, Version>>,
    next: u64,
    passed: Duration,
    pub(super) faults: Faults,
    pub(super) imports: usize,
    pub(super) reads: usize,
}

impl Store {
    pub(super) fn new(faults: Faults) -> Self {
        Self { feeds: HashMap::new(), next: 4_100_000, passed: Duration::ZERO, faults, imports: 0, reads: 0 }
    }

    pub(super) fn advance(&mut self, secs: u64) {
        self.passed += Duration::from_secs(secs);
    }

    fn now(&self) -> Instant {
        Instant::now() + self.passed
    }

    /// Adds a version; with `lag` the export shows it later.
    pub(super) fn put(&mut self, feed: &str, mut entity: Value, lag: bool) -> u64 {
        self.next += 1;
        if !entity["metadata"].is_object() {
            entity["metadata"] = json!({});
        }
        entity["metadata"]["modificationOrdinal"] = self.next.into();
        let lag = if lag { self.faults.lag_secs } else { 0 };
        let shown_at = self.now() + Duration::from_secs(lag);
        let id = entity["id"].as_str().unwrap_or_default().to_owned();
        self.feeds.entry(feed.to_owned()).or_default().insert(self.next, Version { id, shown_at, entity });
        self.next
    }

    /// The newest version of an entity.
    pub(super) fn newest(&self, feed: &str, id: &str) -> Option<Value> {
        let versions = self.feeds.get(feed)?.values().rev();
        versions.into_iter().find(|version| version.id == id).map(|version| version.entity.clone())
    }

    /// A page of a feed.
    pub(super) fn page(&mut self, feed: &str, since: u64, limit: usize) -> Value {
        let now = self.now();
        let all = self.feeds.get(feed);
        let mut shown: Vec<(u64, &Version)> = Vec::new();
        for (ordinal, version) in all.into_iter().flatten().filter(|(_, version)| version.shown_at <= now) {
            if !self.faults.all_versions {
                shown.retain(|(_, known)| known.id != version.id);
            }
            shown.push((*ordinal, version));
        }
        shown.retain(|(ordinal, _)| *ordinal > since);
        let has_more = shown.len() > limit;
        shown.truncate(limit);
        let greatest = shown.last().map_or(since, |(ordinal, _)| *ordinal);
        let mut entities: Vec<Value> = shown.into_iter().map(|(_, version)| version.entity.clone()).collect();
        if Faults::met(&mut self.faults.empty_pages) {
            return json!({"entities": [], "hasMore": true, "greatestOrdinal": since});
        }
        if !entities.is_empty() && Faults::met(&mut self.faults.short_pages) {
            entities.pop();
            return json!({"entities": entities, "hasMore": true, "greatestOrdinal": greatest});
        }
        json!({"entities": entities, "hasMore": has_more, "greatestOrdinal": greatest})
    }
}

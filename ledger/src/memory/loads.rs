//! Loads and their manifests.

use super::*;

#[derive(Debug)]
pub(super) struct LoadRow {
    load: Load,
    manifest: BTreeMap<RecordId, ManifestEntry>,
}

impl LoadRow {
    fn places(&self) -> impl Iterator<Item = &ManifestEntry> {
        self.manifest.values().filter(|entry| entry.digest.is_some())
    }

    pub(super) fn shown(&self) -> Load {
        Load { items: self.places().count() as i64, ..self.load.clone() }
    }

    pub(super) fn carries(&self, item: RecordId) -> bool {
        self.manifest.contains_key(&item)
    }

    pub(super) fn manifest(&self, after: Option<RecordId>) -> impl Iterator<Item = &ManifestEntry> {
        self.manifest.values().filter(move |entry| after.is_none_or(|after| entry.item > after))
    }
}

impl Rows {
    pub(super) fn open_load(&mut self, new: &NewLoad) -> i64 {
        let id = self.next();
        let load = Load {
            id,
            connection: new.connection.clone(),
            tenant: new.tenant.clone(),
            at: new.at,
            status: new.status,
            reason: new.reason.clone(),
            items: 0,
            closed: None,
        };
        self.loads.insert(id, LoadRow { load, manifest: BTreeMap::new() });
        id
    }

    pub(super) fn add_to_manifest(&mut self, load: i64, entries: &[ManifestEntry]) {
        if let Some(row) = self.loads.get_mut(&load) {
            row.manifest.extend(entries.iter().map(|entry| (entry.item, entry.clone())));
        }
    }

    /// Loads of a connection that are being sent.
    pub(super) fn under_way(&self, connection: &str) -> Vec<&LoadRow> {
        let sending = |row: &&LoadRow| row.load.status == LoadStatus::Sending && row.load.connection == connection;
        self.loads.values().filter(sending).collect()
    }

    pub(super) fn close_load(&mut self, id: i64, at: Micros, status: LoadStatus, reason: &str) {
        let Some(row) = self.loads.get_mut(&id).filter(|row| !row.load.status.closed()) else { return };
        row.load.status = status;
        row.load.reason = reason.to_owned();
        row.load.closed = status.closed().then_some(at);
        let mut lanes = BTreeSet::new();
        for entry in row.manifest.values() {
            let Some(debt) = self.debts.get_mut(&entry.debt) else { continue };
            match status {
                LoadStatus::Delivered => debt.delivered(entry, row.load.at, at),
                LoadStatus::Failed => debt.unsure |= entry.digest != digest(&debt.sent),
                _ => continue,
            }
            lanes.extend(debt.lane);
        }
        for lane in lanes {
            self.look_at_lane(lane, at);
        }
    }

    /// The processes that sent loads of lanes that nobody holds are gone.
    pub(super) fn fail_loads(&mut self, at: Micros) {
        let held = |load: &Load| {
            let of = |lane: &&Lane| matches!(&lane.key, (c, t, None) if *c == load.connection && *t == load.tenant);
            self.lanes.values().filter(of).any(|lane| lane.lease.is_some())
        };
        let sending = self.loads.values().filter(|row| row.load.status == LoadStatus::Sending && !held(&row.load));
        let lost: Vec<i64> = sending.map(|row| row.load.id).collect();
        for id in lost {
            self.close_load(id, at, LoadStatus::Failed, LEASE_RAN_OUT);
        }
    }

    pub(super) fn shrinkage(&self, connection: &str, load: i64) -> Shrinkage {
        let Some(new) = self.loads.get(&load) else { return Shrinkage { before: None, removed: 0 } };
        let last = self.loads.values().rev().find(|row| {
            row.load.status == LoadStatus::Delivered
                && row.load.connection == connection
                && row.load.tenant == new.load.tenant
        });
        let Some(last) = last else { return Shrinkage { before: None, removed: 0 } };
        let placed: BTreeSet<RecordId> = new.places().map(|entry| entry.item).collect();
        Shrinkage {
            before: Some(last.places().count() as i64),
            removed: last.places().filter(|entry| !placed.contains(&entry.item)).count() as i64,
        }
    }
}

/// The digest of a content that may not be there.
pub(super) fn digest(content: &Option<Content>) -> Option<Digest> {
    content.as_ref().map(|(digest, _)| *digest)
}

impl DebtRow {
    fn delivered(&mut self, entry: &ManifestEntry, opened: Micros, at: Micros) {
        let same_debt = entry.generation == self.generation;
        let accepted_since = self.sent_at.is_some_and(|sent| sent >= opened);
        let nothing = entry.digest.is_none() && !entry.wanted && self.sent.is_none();
        if nothing || (!same_debt && accepted_since) {
            return;
        }
        self.sent = entry.digest.map(|digest| self.known(digest));
        self.sent_at = Some(at);
        let carried = match entry.digest {
            None => self.wanted == Some(Wanted::Absent),
            Some(carried) => digest(&self.goal) == Some(carried),
        };
        self.unsure &= !same_debt;
        if same_debt && entry.wanted && carried && self.state.open() {
            self.state = DebtState::Sent;
            self.fixer = None;
            self.reason.clear();
        }
    }

    /// The content of a digest, as far as it is at hand.
    fn known(&self, digest: Digest) -> Content {
        let at_hand = [&self.sent, &self.goal, &self.confirmed].into_iter().flatten();
        at_hand
            .filter(|(of, _)| *of == digest)
            .max_by_key(|(_, content)| content.is_some())
            .cloned()
            .unwrap_or((digest, None))
    }
}

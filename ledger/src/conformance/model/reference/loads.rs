//! Loads and their manifests.

use super::*;

impl Reference {
    pub(crate) fn open_load(&mut self, new: &NewLoad) -> i64 {
        let id = self.number();
        let NewLoad { connection, tenant, at, status, reason } = new.clone();
        let load = Load { id, connection, tenant, at, status, reason, items: 0, closed: None };
        self.loads.push(Carried { load, manifest: Vec::new() });
        id
    }

    pub(crate) fn add_to_manifest(&mut self, load: i64, entries: &[ManifestEntry]) {
        for carried in self.loads.iter_mut().filter(|l| l.load.id == load) {
            for entry in entries {
                carried.manifest.retain(|old| old.item != entry.item);
                carried.manifest.push(entry.clone());
            }
            carried.manifest.sort_by_key(|e| e.item);
            carried.load.items = carried.manifest.iter().filter(|e| e.digest.is_some()).count() as i64;
        }
    }

    pub(crate) fn close_load(&mut self, id: i64, at: Micros, status: LoadStatus, reason: &str) {
        let open = |l: &&mut Carried| l.load.id == id && l.load.closed.is_none();
        let Some(carried) = self.loads.iter_mut().find(open) else { return };
        (carried.load.status, carried.load.reason) = (status, reason.into());
        carried.load.closed = status.closed().then_some(at);
        let (opened, manifest) = (carried.load.at, carried.manifest.clone());
        for entry in &manifest {
            for debt in self.debts.iter_mut().filter(|d| d.shown.id == entry.debt) {
                match status {
                    LoadStatus::Delivered => debt.delivered(entry, opened, at),
                    LoadStatus::Failed => debt.unsure |= entry.digest != digest(&debt.sent),
                    _ => {}
                }
            }
        }
        if status == LoadStatus::Delivered {
            self.queue(&manifest.iter().map(|e| e.debt).collect::<Vec<_>>(), at, false);
        }
    }

    pub(crate) fn shrinkage(&self, connection: &str, load: i64) -> Shrinkage {
        let none = Shrinkage { before: None, removed: 0 };
        let Some(new) = self.loads.iter().find(|l| l.load.id == load) else { return none };
        let delivered = |l: &&Carried| {
            l.load.connection == connection
                && l.load.tenant == new.load.tenant
                && l.load.status == LoadStatus::Delivered
        };
        let Some(last) = self.loads.iter().rfind(delivered) else { return none };
        let places = |load: &Carried, item| load.manifest.iter().any(|e| e.item == item && e.digest.is_some());
        let there = last.manifest.iter().filter(|e| e.digest.is_some());
        let removed = there.filter(|e| !places(new, e.item)).count() as i64;
        Shrinkage { before: Some(last.load.items), removed }
    }
}

impl Owing {
    pub(super) fn delivered(&mut self, entry: &ManifestEntry, opened: Micros, at: Micros) {
        let same_debt = entry.generation == self.shown.generation;
        let accepted_since = self.shown.sent_at.is_some_and(|sent| sent >= opened);
        let nothing = entry.digest.is_none() && !entry.wanted && self.sent.is_none();
        if nothing || !same_debt && accepted_since {
            return;
        }
        let pays = same_debt
            && entry.wanted
            && match entry.digest {
                None => self.shown.wanted == Wanted::Absent,
                Some(carried) => digest(&self.goal) == Some(carried),
            };
        let at_hand: Vec<Content> = [&self.sent, &self.goal, &self.confirmed].into_iter().flatten().cloned().collect();
        let known = |of: Digest| at_hand.iter().find(|c| c.0 == of && c.1.is_some()).and_then(|c| c.1.clone());
        self.sent = entry.digest.map(|of| (of, known(of)));
        self.shown.sent_at = Some(at);
        self.unsure &= !same_debt;
        if pays && self.shown.state.open() {
            (self.shown.state, self.shown.fixer, self.shown.reason) = (DebtState::Sent, None, String::new());
        }
    }
}

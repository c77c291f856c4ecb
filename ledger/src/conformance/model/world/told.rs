//! What both tell.

use super::*;

impl World<'_> {
    /// After every step: all that may have changed.
    pub(in super::super) async fn is_the_same(&mut self) -> Checked {
        for number in 0..connections().len() {
            let name = &name_of(number);
            self.same_debts(name).await?;
            let theirs = self.ledger.dirty(name, ALL).await.expect("dirty");
            self.same_dirty(number, &theirs)?;
            self.same_holdings(name).await?;
            let since = self.now - 10;
            let figures = self.ledger.figures(name, since).await.expect("figures");
            same("figures", &[self.reference.figures(name, since)], &[figures])?;
        }
        self.same_loads().await?;
        self.same_findings().await?;
        self.same_problems().await?;
        self.same_feed().await
    }

    async fn same_debts(&mut self, connection: &str) -> Checked {
        let mut theirs = self.ledger.debts(connection, None, 0, ALL).await.expect("debts");
        prop_assert!(theirs.windows(2).all(|pair| pair[0].id < pair[1].id), "debts come by id");
        let shown = self.reference.debts.iter().filter(|d| d.shown.connection == connection).map(Owing::shown);
        let mut ours: Vec<Debt> = shown.collect();
        theirs.sort_by_key(|d| d.item);
        ours.sort_by_key(|d| d.item);
        for (ours, theirs) in ours.iter_mut().zip(&mut theirs).filter(|(a, b)| a.item == b.item) {
            self.debts.pair("debt", ours.id, theirs.id)?;
            (ours.id, theirs.id) = (0, 0);
            let paid = ours.wanted_digest.filter(|_| ours.wanted == Wanted::Present);
            let accepted = !ours.state.paid() || theirs.sent_digest == paid;
            prop_assert!(accepted || !matches!(ours.state, DebtState::Sent), "what is paid was sent: {:?}", theirs);
        }
        same("debts", &ours, &theirs)
    }

    /// What is dirty, in the order of marks; of one mark in any order.
    pub(super) fn same_dirty(
        &self,
        connection: usize,
        theirs: &[DirtyItem],
    ) -> std::result::Result<Vec<DirtyItem>, TestCaseError> {
        let ours = self.reference.dirty(&name_of(connection));
        let marks: BTreeMap<RecordId, i64> = ours.iter().map(|i| (i.record.id, i.mark)).collect();
        let order: Vec<_> = theirs.iter().map(|i| marks.get(&i.record.id)).collect();
        prop_assert!(order.is_sorted(), "what was marked first comes first");
        let told = |items: &[DirtyItem]| {
            let mut items: Vec<DirtyItem> =
                items.iter().map(|item| DirtyItem { debt: 0, mark: 0, ..item.clone() }).collect();
            items.sort_by_key(|i| i.record.id);
            items
        };
        same("dirty", &told(&ours), &told(theirs))?;
        Ok(ours)
    }

    async fn same_holdings(&mut self, connection: &str) -> Checked {
        let theirs = self.ledger.holdings(connection, None, ALL).await.expect("holdings");
        prop_assert!(theirs.is_sorted_by_key(|h| (h.learner, h.rank, h.debt)), "holdings come by learner and rank");
        let told = |holdings: Vec<Holding>| {
            let mut told: Vec<Holding> = holdings.into_iter().map(|h| Holding { debt: 0, ..h }).collect();
            told.sort_by_key(|h| (h.learner, h.rank, h.item));
            told
        };
        same("holdings", &told(self.reference.holdings(connection)), &told(theirs))
    }

    async fn same_loads(&mut self) -> Checked {
        let mut theirs = self.ledger.loads(None, false, ALL).await.expect("loads");
        let mut ours: Vec<Load> = self.reference.loads.iter().rev().map(|l| l.load.clone()).collect();
        for (ours, theirs) in ours.iter_mut().zip(&mut theirs) {
            let shrinkage = self.ledger.shrinkage(&theirs.connection, theirs.id).await.expect("compared");
            same("shrinkage", &[self.reference.shrinkage(&ours.connection, ours.id)], &[shrinkage])?;
            self.loads.pair("load", ours.id, theirs.id)?;
            (ours.id, theirs.id) = (0, 0);
        }
        same("loads", &ours, &theirs)
    }

    async fn same_findings(&mut self) -> Checked {
        let mut theirs = self.ledger.findings(None, true, 0, ALL).await.expect("findings");
        let mut ours: Vec<Finding> = self.reference.findings.iter().map(|(_, f)| f.clone()).collect();
        for (ours, theirs) in ours.iter_mut().zip(&mut theirs) {
            self.findings.pair("finding", ours.id, theirs.id)?;
            self.reconciliations.pair("reconciliation", ours.reconciliation, theirs.reconciliation)?;
            (ours.id, theirs.id) = (0, 0);
            (ours.reconciliation, theirs.reconciliation) = (0, 0);
        }
        same("findings", &ours, &theirs)
    }

    async fn same_problems(&mut self) -> Checked {
        let mut theirs = self.ledger.problems(TENANT, 0, true, ALL).await.expect("problems");
        let mut ours = self.reference.problems.clone();
        for (ours, theirs) in ours.iter_mut().zip(&mut theirs) {
            self.problems.pair("problem", ours.id, theirs.id)?;
            (ours.id, theirs.id) = (0, 0);
        }
        same("problems", &ours, &theirs)
    }

    /// What is new in the feed. Records of one call that takes back may come in any order.
    async fn same_feed(&mut self) -> Checked {
        let theirs = self.ledger.feed(&[], &[], self.position.1, ALL).await.expect("feed");
        prop_assert!(theirs.iter().all(|c| c.position > self.position.1), "no position appears behind a served one");
        prop_assert!(theirs.windows(2).all(|pair| pair[0].position < pair[1].position), "positions rise");
        let ours = self.reference.feed(&[], &[], self.position.0);
        let last = |changes: &[Change], before| changes.last().map_or(before, |c| c.position);
        self.position = (last(&ours, self.position.0), last(&theirs, self.position.1));
        same("feed", &told(ours), &told(theirs))
    }

    /// At the end: everything.
    pub(in super::super) async fn is_the_same_in_everything(&mut self) -> Checked {
        let ledger = self.ledger;
        for n in 1..=RECORDS {
            let known = self.reference.record(id(n));
            let theirs = ledger.record(id(n)).await.expect("read");
            same("record", &[known.map(|r| r.now.clone())], &[theirs])?;
            let arrivals = known.map(|r| r.arrivals.clone()).unwrap_or_default();
            same("history", &arrivals, &ledger.history(id(n)).await.expect("history"))?;
            let mut of = ledger.debts_of(id(n)).await.expect("debts");
            of.iter_mut().for_each(|d| d.id = 0);
            let ours = self.reference.debts.iter().filter(|d| d.shown.item == id(n)).map(Owing::shown);
            let mut ours: Vec<Debt> = ours.map(|d| Debt { id: 0, ..d }).collect();
            of.sort_by(|a, b| a.connection.cmp(&b.connection));
            ours.sort_by(|a, b| a.connection.cmp(&b.connection));
            same("debts of a record", &ours, &of)?;
            let theirs: Vec<i64> = ledger.loads_of(id(n), ALL).await.expect("loads").iter().map(|l| l.id).collect();
            let carries = self.reference.loads.iter().rev().filter(|l| l.manifest.iter().any(|e| e.item == id(n)));
            let ours: Vec<i64> = carries.map(|l| self.loads.theirs(l.load.id)).collect();
            same("loads of a record", &ours, &theirs)?;
        }
        for load in &self.reference.loads {
            let theirs = ledger.manifest(self.loads.theirs(load.load.id), None, ALL).await.expect("manifest");
            let ours = load.manifest.iter().map(|e| ManifestEntry { debt: self.debts.theirs(e.debt), ..e.clone() });
            same("manifest", &ours.collect::<Vec<_>>(), &theirs)?;
        }
        for debt in &self.reference.debts {
            let theirs = ledger.attempts(self.debts.theirs(debt.shown.id), ALL).await.expect("attempts");
            let of = self.reference.attempts.iter().rev().filter(|a| a.debt == Some(debt.shown.id));
            let ours = of.map(|a| Attempt { debt: a.debt.map(|id| self.debts.theirs(id)), ..a.clone() });
            same("attempts", &ours.collect::<Vec<_>>(), &theirs)?;
        }
        self.same_lists().await?;
        self.same_people().await?;
        self.same_credentials().await
    }

    async fn same_lists(&self) -> Checked {
        let ledger = self.ledger;
        for tenant in TENANTS {
            let theirs = ledger.feed(&[tenant.to_owned()], &[RecordKind::Attainment], 0, ALL).await.expect("feed");
            let ours = self.reference.feed(&[tenant.to_owned()], &[RecordKind::Attainment], 0);
            same("feed of a tenant", &told(ours), &told(theirs))?;
            let standing: Vec<&StoredRecord> = self.reference.records.iter().map(|r| &r.now).collect();
            let current = standing.iter().filter(|r| r.tenant == tenant && r.state == State::Current);
            let mut learners: Vec<LearnerId> = current.clone().map(|r| r.learner).collect();
            learners.sort_unstable();
            learners.dedup();
            same("learners", &learners, &ledger.learners(tenant, None, ALL).await.expect("learners"))?;
            let mut ids: Vec<RecordId> = current.filter(|r| r.source == SOURCE).map(|r| r.id).collect();
            ids.sort_unstable();
            let theirs = ledger.current_ids(tenant, SOURCE, &[], None, ALL).await.expect("ids");
            same("current ids", &ids, &theirs)?;
            let counted: i64 = ledger.counts(tenant).await.expect("counts").iter().map(|c| c.records).sum();
            same("counts", &[standing.iter().filter(|r| r.tenant == tenant).count() as i64], &[counted])?;
            for n in 1..=2 {
                let mut ours: Vec<StoredRecord> = standing
                    .iter()
                    .filter(|r| r.tenant == tenant && r.learner == learner(n))
                    .map(|r| StoredRecord::clone(r))
                    .collect();
                ours.sort_by_key(|r| (r.kind, r.id));
                same("records of a learner", &ours, &ledger.records_of(tenant, learner(n)).await.expect("records"))?;
            }
            for n in 1..=RECORDS {
                let same_key = |r: &&Known| r.now.tenant == tenant && r.lookup == Lookup([n; 16]);
                let mut ours: Vec<RecordId> =
                    self.reference.records.iter().filter(same_key).map(|r| r.now.id).collect();
                ours.sort_unstable();
                let theirs = ledger.look_up(tenant, Lookup([n; 16])).await.expect("records");
                same("records of a key", &ours, &theirs.iter().map(|r| r.id).collect::<Vec<_>>())?;
            }
        }
        Ok(())
    }
}

/// Changes without their positions; those of one time in the order of their records.
fn told(changes: Vec<Change>) -> Vec<Change> {
    let mut told: Vec<Change> = changes.into_iter().map(|c| Change { position: 0, ..c }).collect();
    told.sort_by_key(|c| (c.at, c.record.id, c.record.version));
    told
}

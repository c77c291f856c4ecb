//! Forgetting what is over: everything at once.

use super::*;

impl Rows {
    fn forget(&mut self, what: Trace, before: Micros) -> u64 {
        let over = |closed: Option<Micros>| closed.is_some_and(|closed| closed < before);
        match what {
            Trace::Attempts => {
                let had = self.attempts.len();
                let open = |debt| self.debts.get(&debt).is_some_and(|row| row.state.open());
                self.attempts.retain(|attempt| attempt.at >= before || attempt.debt.is_some_and(open));
                (had - self.attempts.len()) as u64
            }
            Trace::Findings => forget(&mut self.findings, |_, row| over(row.finding.closed)),
            Trace::Reconciliations => {
                let last: BTreeMap<SmolStr, i64> =
                    self.reconciliations.iter().map(|(id, run)| (run.connection.clone(), *id)).collect();
                let told: BTreeSet<i64> = self.findings.values().map(|row| row.finding.reconciliation).collect();
                forget(&mut self.reconciliations, |id, run| {
                    let needed = last.get(&run.connection) == Some(id) || told.contains(id);
                    !needed && run.ended.unwrap_or(run.started) < before
                })
            }
            Trace::Loads => {
                let shown = |row: &LoadRow| {
                    let load = row.shown();
                    ((load.connection, load.tenant), load.id, load.status)
                };
                let delivered = self.loads.values().map(shown).filter(|(_, _, s)| *s == LoadStatus::Delivered);
                let last: BTreeMap<_, i64> = delivered.map(|(of, id, _)| (of, id)).collect();
                forget(&mut self.loads, |id, row| over(row.shown().closed) && !last.values().any(|last| last == id))
            }
            Trace::Problems => forget(&mut self.problems, |_, problem| {
                over(problem.closed) || (problem.record.is_none() && problem.opened < before)
            }),
            Trace::Audit => forget(&mut self.audit, |_, entry| entry.at < before),
            Trace::Arrivals => self.forget_arrivals(before),
            Trace::Versions => self.forget_versions(before),
        }
    }
}

fn forget<T>(rows: &mut BTreeMap<i64, T>, is_over: impl Fn(&i64, &T) -> bool) -> u64 {
    let had = rows.len();
    rows.retain(|id, row| !is_over(id, row));
    (had - rows.len()) as u64
}

#[async_trait]
impl Retention for MemoryLedger {
    async fn forget(&self, what: Trace, before: Micros, _after: i64, _limit: u32) -> Result<Swept> {
        Ok(Swept { forgotten: self.rows().forget(what, before), next: None })
    }
}

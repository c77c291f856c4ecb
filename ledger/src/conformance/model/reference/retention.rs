//! What is forgotten.

use super::*;

impl Reference {
    pub(crate) fn forget(&mut self, what: Trace, before: Micros) -> u64 {
        let over = |closed: Option<Micros>| closed.is_some_and(|closed| closed < before);
        match what {
            Trace::Attempts => {
                let states: Vec<(i64, DebtState)> = self.debts.iter().map(|d| (d.shown.id, d.shown.state)).collect();
                let open = |id| states.iter().any(|(debt, state)| *debt == id && state.open());
                retain(&mut self.attempts, |a| a.at >= before || a.debt.is_some_and(open))
            }
            Trace::Findings => retain(&mut self.findings, |(_, f)| !over(f.closed)),
            Trace::Reconciliations => {
                let all = self.reconciliations.clone();
                let told: Vec<i64> = self.findings.iter().map(|(_, f)| f.reconciliation).collect();
                retain(&mut self.reconciliations, |run| {
                    let last = all.iter().rfind(|r| r.connection == run.connection).is_some_and(|r| r.id == run.id);
                    last || told.contains(&run.id) || run.ended.unwrap_or(run.started) >= before
                })
            }
            Trace::Loads => {
                let all: Vec<Load> = self.loads.iter().map(|l| l.load.clone()).collect();
                retain(&mut self.loads, |l| {
                    let same = |o: &&Load| o.connection == l.load.connection && o.tenant == l.load.tenant;
                    let last = all.iter().filter(same).rfind(|o| o.status == LoadStatus::Delivered);
                    last.is_some_and(|last| last.id == l.load.id) || !over(l.load.closed)
                })
            }
            Trace::Problems => {
                let stays = |p: &StoredProblem| p.record.is_some() || p.opened >= before;
                retain(&mut self.problems, |p| !over(p.closed) && stays(p))
            }
            Trace::Audit => 0,
            Trace::Arrivals => {
                self.records.iter_mut().map(|r| retain(&mut r.arrivals, |a| a.outcome.wrote() || a.at >= before)).sum()
            }
            Trace::Versions => self.records.iter_mut().map(|r| r.forget_versions(before)).sum(),
        }
    }
}

impl Known {
    pub(super) fn forget_versions(&mut self, before: Micros) -> u64 {
        let all: Vec<(i64, Micros)> = self.versions.iter().map(|v| (v.record.version, v.at)).collect();
        let stays = |version| !all.iter().any(|(newer, at)| *newer > version && *at < before);
        self.arrivals.retain(|a| !a.outcome.wrote() || stays(a.version));
        retain(&mut self.versions, |v| stays(v.record.version))
    }
}

/// Keeps some; returns how many went.
fn retain<T>(of: &mut Vec<T>, stays: impl Fn(&T) -> bool) -> u64 {
    let had = of.len();
    of.retain(stays);
    (had - of.len()) as u64
}

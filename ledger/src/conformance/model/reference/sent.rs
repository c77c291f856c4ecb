//! What is raised, called off, rejected and seen: what is said of debts beside plans and settlements.

use super::*;

impl Reference {
    pub(crate) fn raise(&mut self, at: Micros, why: &str, which: &Raise) -> u64 {
        let mark = self.number();
        let asked = |d: &&mut Owing| match which {
            Raise::Debts(ids) => ids.contains(&d.shown.id),
            Raise::State { connection, state } => d.shown.connection == *connection && d.shown.state == *state,
        };
        let mut raised = Vec::new();
        for debt in self
            .debts
            .iter_mut()
            .filter(asked)
            .filter(|d| !matches!(d.shown.state, DebtState::Sending | DebtState::Barred))
        {
            raised.push(debt.shown.id);
            match debt.goal {
                Some(_) => debt.raised(at, why),
                None => debt.mark = Some(mark),
            }
        }
        self.queue(&raised, at, true);
        raised.len() as u64
    }

    pub(crate) fn observed(&mut self, at: Micros, seen: &[Observation]) {
        for one in seen {
            let theirs = |d: &&mut Owing| d.shown.id == one.debt && d.shown.generation == one.generation;
            self.debts.iter_mut().filter(theirs).for_each(|d| d.observed(at, one));
        }
        self.queue(&seen.iter().map(|o| o.debt).collect::<Vec<_>>(), at, false);
    }

    pub(crate) fn call_off(&mut self, at: Micros, id: i64, why: &str) -> bool {
        let stands = |d: &&Owing| {
            let untried = d.shown.state == DebtState::Owed && d.shown.attempts == 0;
            d.shown.id == id && untried && d.shown.reason == why && !self.is_being_sent(d)
        };
        if !self.debts.iter().any(|d| stands(&d)) {
            return false;
        }
        self.debts.iter_mut().filter(|d| d.shown.id == id).for_each(|d| d.called_off(at));
        self.queue(&[id], at, false);
        true
    }

    pub(crate) fn reject(&mut self, at: Micros, connection: &str, until: Micros, rejected: &[Rejection]) -> u64 {
        let mut refused = 0;
        for one in rejected {
            let since = |time: Option<Micros>| time.is_some_and(|time| time > until);
            let paid = |d: &&mut Owing| {
                d.shown.connection == connection
                    && d.shown.item == one.item
                    && d.shown.state.paid()
                    && d.shown.wanted == Wanted::Present
                    && !since(d.shown.sent_at)
                    && !since(d.shown.confirmed_at)
            };
            for debt in self.debts.iter_mut().filter(paid) {
                debt.rejected(at, one);
                refused += 1;
            }
        }
        refused
    }
}

impl Owing {
    pub(super) fn raised(&mut self, at: Micros, why: &str) {
        let shown = &mut self.shown;
        (shown.state, shown.since, shown.attempts) = (DebtState::Owed, at, 0);
        (shown.fixer, shown.reason) = (None, why.into());
        shown.generation += 1;
    }

    pub(super) fn called_off(&mut self, at: Micros) {
        let accepted = self.shown.sent_at.is_some() && digest(&self.sent) == digest(&self.present());
        let seen = self.shown.confirmed_at.is_some() && digest(&self.confirmed) == digest(&self.present());
        let never_there = self.shown.wanted == Wanted::Absent && self.shown.sent_at.is_none() && !self.unsure;
        let (state, fixer, reason) = if accepted && seen {
            (DebtState::Confirmed, None, "")
        } else if accepted {
            (DebtState::Sent, None, "")
        } else if never_there {
            (DebtState::Settled, None, "")
        } else {
            (DebtState::Refused, Some(Fixer::Operator), "its repair was called off")
        };
        (self.shown.state, self.shown.fixer, self.shown.reason) = (state, fixer, reason.into());
        self.shown.since = at;
    }

    pub(super) fn rejected(&mut self, at: Micros, why: &Rejection) {
        self.shown.state = DebtState::Refused;
        self.shown.since = at;
        (self.shown.fixer, self.shown.reason) = (Some(why.fixer), why.reason.clone());
        self.unsure |= self.confirmed.is_none();
        (self.sent, self.shown.sent_at) = (self.confirmed.clone(), self.shown.confirmed_at);
    }

    pub(super) fn accepted(&mut self, at: Micros) {
        self.sent = self.present();
        self.shown.sent_at = Some(at);
        self.unsure = false;
    }

    pub(super) fn seen(&mut self, at: Micros) {
        self.confirmed = self.sent.clone();
        self.shown.confirmed_at = Some(at);
    }

    pub(super) fn observed(&mut self, at: Micros, seen: &Observation) {
        let settles = self.shown.state == DebtState::Uncertain && digest(&self.present()) == seen.digest;
        if settles && seen.holds {
            self.accepted(at);
            self.shown.state = DebtState::Sent;
        }
        if self.shown.sent_at.is_some() && digest(&self.sent) == seen.digest {
            if seen.holds {
                self.seen(at);
                if matches!(self.shown.state, DebtState::Sent | DebtState::Unverifiable) {
                    self.shown.state = DebtState::Confirmed;
                }
            } else {
                if digest(&self.confirmed) == digest(&self.sent) {
                    (self.confirmed, self.shown.confirmed_at) = (None, None);
                }
                if self.shown.state == DebtState::Confirmed {
                    self.shown.state = DebtState::Sent;
                }
            }
        }
        if settles && !seen.holds {
            self.shown.state = DebtState::Owed;
        }
    }
}

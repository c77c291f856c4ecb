//! What checks find in the rows of a load, told to the sender.

use super::DeliveryError;
use super::plan::new_problem;
use super::walk::Learner;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{Micros, NewProblem, ProblemReading, RecordId};
use silta_adapter::check::CheckContext;
use silta_adapter::record::Record;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// What was found among some learners.
#[derive(Default)]
pub(super) struct Findings {
    looked_at: Vec<RecordId>,
    problems: Vec<NewProblem>,
}

/// How often each check found something in a load.
pub(super) type Counts = BTreeMap<SmolStr, u64>;

impl Findings {
    /// Checks the rows that a load carries for one learner.
    pub(super) fn look(&mut self, gateway: &Gateway, connection: &Connection, learner: &Learner, rows: &[Record]) {
        let Some(checker) = connection.adapter.checker() else { return };
        let ctx = CheckContext { mappings: &gateway.mappings, today: day(gateway.now()), whole: true };
        self.looked_at.extend(learner.holdings.iter().map(|holding| holding.item));
        for problem in checker.check(&rows.iter().collect::<Vec<_>>(), ctx) {
            let record = problem.key.as_ref().map(|key| gateway.vault.record_id(key));
            self.problems.push(new_problem(&gateway.vault, record, &problem));
        }
    }

    /// Tells the sender, and counts.
    pub(super) async fn tell(
        self,
        gateway: &Gateway,
        connection: &Connection,
        counts: &mut Counts,
    ) -> Result<(), DeliveryError> {
        if self.looked_at.is_empty() {
            return Ok(());
        }
        for problem in &self.problems {
            *counts.entry(problem.code.clone()).or_default() += 1;
        }
        let reading = ProblemReading {
            tenant: connection.config.tenant.clone(),
            at: gateway.now(),
            origin: format!("{}:checks", connection.config.name).into(),
            records: self.looked_at,
            problems: self.problems,
        };
        Ok(gateway.ledger.settle_problems(&reading).await?)
    }
}

/// The day, in coordinated universal time.
pub fn day(now: Micros) -> jiff::civil::Date {
    let instant = jiff::Timestamp::from_microsecond(now).unwrap_or_default();
    jiff::tz::Offset::UTC.to_datetime(instant).date()
}

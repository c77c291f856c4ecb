//! Walks what a connection should hold, whole learners at a time.

use crate::gateway::{Connection, Gateway};
use crate::ledger::{Holding, HoldingCursor, LearnerId, LedgerError};

/// One learner's items at a connection.
pub struct Learner {
    /// The learner.
    pub id: LearnerId,
    /// The items, by rank.
    pub holdings: Vec<Holding>,
}

/// A walk over the holdings of a connection.
pub struct Walk<'a> {
    gateway: &'a Gateway,
    connection: &'a Connection,
    cursor: Option<HoldingCursor>,
    rest: Vec<Holding>,
    done: bool,
}

impl<'a> Walk<'a> {
    /// A walk from the beginning.
    pub fn new(gateway: &'a Gateway, connection: &'a Connection) -> Self {
        Self { gateway, connection, cursor: None, rest: Vec::new(), done: false }
    }

    /// The next learners, whole; none at the end.
    ///
    /// # Errors
    /// If the ledger fails.
    pub async fn next(&mut self, count: usize) -> Result<Vec<Learner>, LedgerError> {
        const PAGE: u32 = 1000;
        let mut learners: Vec<Learner> = Vec::new();
        loop {
            while let Some(holding) = self.rest.pop() {
                let same = learners.last().is_some_and(|l| l.id == holding.learner);
                if !same && learners.len() == count {
                    self.rest.push(holding);
                    return Ok(learners);
                }
                if !same {
                    learners.push(Learner { id: holding.learner, holdings: Vec::new() });
                }
                if let Some(learner) = learners.last_mut() {
                    learner.holdings.push(holding);
                }
            }
            if self.done {
                return Ok(learners);
            }
            let page = self.gateway.ledger.holdings(&self.connection.config.name, self.cursor, PAGE).await?;
            self.done = page.len() < PAGE as usize;
            self.cursor = page.last().map(Holding::cursor).or(self.cursor);
            self.rest = page;
            self.rest.reverse();
        }
    }
}

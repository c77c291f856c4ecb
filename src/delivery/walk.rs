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

/// One learner's items at a connection, by rank.
///
/// # Errors
/// If the ledger fails.
pub async fn holdings_of(
    gateway: &Gateway,
    connection: &Connection,
    learner: LearnerId,
) -> Result<Vec<Holding>, LedgerError> {
    const PAGE: u32 = 100;
    let mut holdings: Vec<Holding> = Vec::new();
    let mut cursor = HoldingCursor { learner, rank: 0, debt: i64::MIN };
    loop {
        let page = gateway.ledger.holdings(&connection.config.name, Some(cursor), PAGE).await?;
        let there = page.len();
        holdings.extend(page.into_iter().take_while(|holding| holding.learner == learner));
        match holdings.last().map(Holding::cursor) {
            Some(last) if there == PAGE as usize && last != cursor => cursor = last,
            _ => return Ok(holdings),
        }
    }
}

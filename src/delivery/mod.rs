//! Debts are paid here: planned, claimed, sent, settled.
//!
//! | file | what it does | I/O |
//! |---|---|---|
//! | [`rules`] | which records a connection carries | no |
//! | [`plan`] | what is owed for a dirty item | decision no, shell yes |
//! | [`compose`] | the items of a learner, where they are composed | shell |
//! | [`settle`] | what a verdict makes of a debt; backoff; breaker | no |
//! | [`items`] | sends debts one by one, lane by lane, several lanes at once | shell |
//! | `lease` | a lane that is held, and how long that is certain | shell |
//! | [`issue`] | what is sealed before it is sent: issued once, withdrawn when another takes its place | shell |
//! | [`carry`] | what a whole load carries for each item; the shrink guard | no |
//! | [`walk`] | a connection's holdings, learner by learner | shell |
//! | [`load`] | builds and sends whole loads | shell |
//! | [`checks`] | what checks find in a load's rows, told to the sender | shell |
//! | [`reports`] | what destinations report later, told to the sender | shell |
//! | [`baseline`] | what a store was loaded with before the gateway came | shell |
//! | [`erase`] | a learner is forgotten: taken back everywhere, then erased | shell |
//! | [`replan`] | a change of rules: counted, approved, planned anew | shell |
//! | [`run`] | the loops that keep all of it going | shell |

pub mod baseline;
pub mod carry;
pub mod checks;
pub mod compose;
pub mod erase;
pub mod issue;
pub mod items;
mod lease;
pub mod load;
pub mod plan;
pub mod replan;
pub mod reports;
pub mod rules;
pub mod run;
pub mod settle;
pub mod walk;

use crate::ledger::LedgerError;
use crate::vault::VaultError;

/// Delivery could not go on. Nothing is lost: debts stay as they are and the work is tried again.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Content could not be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The connection's adapter cannot do what delivery needs.
    #[error(transparent)]
    Config(#[from] crate::config::BadConfig),
    /// A load could not be written.
    #[error("the load cannot be written: {0}")]
    Spool(#[from] std::io::Error),
}

impl From<silta_adapter::adapter::NotWritten> for DeliveryError {
    fn from(e: silta_adapter::adapter::NotWritten) -> Self {
        Self::Spool(std::io::Error::other(e.to_string()))
    }
}

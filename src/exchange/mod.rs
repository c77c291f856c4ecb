//! The pull side: single records in any format, the change feed, journeys.

pub mod document;
pub mod feed;
pub mod journey;

use crate::delivery::DeliveryError;
use crate::ledger::LedgerError;
use crate::vault::VaultError;

/// Something could not be given out.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Content could not be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What is owed cannot be told.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The format cannot hold it.
    #[error(transparent)]
    Refused(#[from] silta_adapter::adapter::Refusal),
    /// There is no such format.
    #[error("records cannot be given in this format")]
    NoFormat,
}

//! Silta: an interoperability gateway for study records.
//!
//! Every destination is owed what our records say it should hold. The queue is the set of debts. Reconciliation proves
//! that what we believe is paid is really there, and turns what is not into debt again.
//!
//! | room | what happens there |
//! |---|---|
//! | [`config`] | one file, one struct per topic |
//! | [`gateway`] | everything the rooms share, put together |
//! | [`intake`] | documents in, records kept |
//! | [`delivery`] | debts are planned, claimed, sent, settled |
//! | [`reconcile`] | what is there is compared with what was accepted |
//! | [`ledger`] | what is known: records, versions, debts, loads, findings, audit |
//! | [`vault`] | personal data sealed, pseudonyms made |
//! | [`env`] | time and randomness, injected |

pub mod config;
pub mod delivery;
pub mod env;
pub mod gateway;
pub mod intake;
pub mod ledger;
pub mod reconcile;
pub mod vault;

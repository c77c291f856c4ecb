//! Silta: an interoperability gateway for study records.
//!
//! Every destination is owed what our records say it should hold. The queue is the set of debts. Reconciliation proves
//! that what we believe is paid is really there, and turns what is not into debt again.
//!
//! | room | what happens there |
//! |---|---|
//! | [`cli`] | one file per command |
//! | [`config`] | one file, one struct per topic |
//! | [`gateway`] | everything the rooms share, put together |
//! | [`http`] | the HTTP interface: one file per endpoint |
//! | [`console`] | the operator's web pages |
//! | [`completeness`] | how completely institutions document their micro-credentials |
//! | [`exchange`] | records, journeys and the change feed given out |
//! | [`access`] | who may do what, for which tenant |
//! | [`sync`] | feeds of other systems are pulled |
//! | [`intake`] | documents in, records kept |
//! | [`learners`] | which learners are one person |
//! | [`delivery`] | debts are planned, claimed, sent, settled |
//! | [`alerts`] | operators are told |
//! | [`reconcile`] | what is there is compared with what was accepted |
//! | [`retention`] | what is over is forgotten in time |
//! | [`ledger`] | what is known: records, versions, debts, loads, findings, audit |
//! | [`store`] | the database a configuration names, and keeping step with others on it |
//! | [`vault`] | personal data sealed, pseudonyms made |
//! | [`sealing`] | seals opened: keys, certificates, time-stamp services |
//! | [`share`] | pages of credentials for whoever has a link; status lists |
//! | [`telemetry`] | logs, traces |
//! | [`registry`] | the adapters of this program: the only place that names them |
//! | [`mod@env`] | time and randomness, injected |

pub mod access;
pub mod alerts;
pub mod cli;
pub mod completeness;
pub mod config;
pub mod console;
pub mod delivery;
pub mod env;
pub mod exchange;
pub mod gateway;
pub mod http;
pub mod intake;
pub mod learners;
pub mod reconcile;
pub mod registry;
pub mod retention;
pub mod sealing;
pub mod share;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod vault;

pub use silta_ledger as ledger;

//! The record model and the contract every Silta adapter obeys.
//!
//! | module | what it holds |
//! |---|---|
//! | [`record`] | what an institution says about one learner: keys, states, the six kinds of body |
//! | [`canonical`] | the versioned form in which two records are compared, digested and diffed |
//! | [`fidelity`] | losses, the rules that declare them, and the law that ties them to documents |
//! | [`adapter`] | the traits an adapter implements and the descriptor it registers with |
//! | [`check`] | what is lacking in records that can be sent all the same |
//! | [`delivery`] | what a destination answered, and the table that says what the answer means |
//! | [`problem`] | what went wrong, where, and who can fix it |
//! | [`report`] | what a destination says later about what it was sent |
//! | [`seal`] | what makes documents verifiable by anyone |
//! | [`identity`] | identifiers of learners: which can be right, and when two are the same |
//! | [`json`] | single JSON objects out of a stream, within bounds; JSON with exact numbers |
//! | [`mapping`] | code lists and crosswalks read from `mappings/*.toml` |
//! | [`stacking`] | how one learner's attainments add up |
//! | [`tree`] | JSON trees laid over each other, so that the rest of a document is kept |
//! | [`validate`] | checking documents against the official rules of their format |
//! | [`micro_credential`] | whether an attainment is documented as a micro-credential |
//! | `http` | (feature `http`) calls over HTTP: addresses, clients, bounded answers, the names of failures |
//! | `conformance` | (feature `conformance`) record generators and the law as property tests |

pub mod adapter;
pub mod canonical;
pub mod check;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod delivery;
pub mod faults;
pub mod fidelity;
#[cfg(feature = "http")]
pub mod http;
pub mod identity;
pub mod json;
pub mod mapping;
pub mod micro_credential;
pub mod problem;
pub mod record;
pub mod report;
pub mod seal;
pub mod stacking;
pub mod tree;
pub mod validate;

pub use smol_str::SmolStr;

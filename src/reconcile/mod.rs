//! Proves that what we believe is paid is really there, and turns what is not into debt again.
//!
//! Observe (what does the store hold about these learners, and is the answer everything?) → compare (pure: what was
//! accepted there × what is there → observations and findings) → store → repair (bounded: debts again). A finding that
//! survives a repair waits for a person. [`files`] compares two documents in the same way, without a ledger.

pub mod compare;
pub mod files;
mod fingerprint;
pub mod repair;
pub mod run;

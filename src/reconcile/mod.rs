//! Proves that what we believe is paid is really there, and turns what is not into debt again.
//!
//! Observe (what does the store hold about these learners, and is the answer everything?) → compare (pure: what was
//! accepted there × what is there → observations and findings) → rule (what is no error, what waits) → believe or not →
//! store → repair (bounded: debts again). A finding that survives a repair waits for a person. [`files`] compares two documents in the same way, without a ledger;
//! [`source`] what a register says with what the ledger holds of it. [`credits`] counts learning that several stores hold once.

pub mod compare;
pub mod credits;
mod evidence;
pub mod files;
mod fingerprint;
pub mod item;
pub mod nested;
mod person;
mod policy;
pub mod reading;
pub mod recognition;
pub mod repair;
pub mod run;
pub mod source;

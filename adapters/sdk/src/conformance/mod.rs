//! The conformance kit: what every adapter crate calls from its tests.
//!
//! ```text
//! let vocabulary = Vocabulary::default().codes("/attainment/language", "virta:kieli", &["fi", "sv"]);
//! assert_law(&adapter, &mappings, &vocabulary, 256, 0.2);
//! assert_robust(&adapter, &[include_bytes!("fixtures/learner.xml")]);
//! assert_bounded(&adapter, &hostile);
//! ```
//!
//! [`generate`] makes records that reach every path of the schema, [`law`] holds the fidelity law as plain checks, and
//! [`drive`] runs both, with bad bytes beside them.

pub mod drive;
pub mod generate;
pub mod law;
#[cfg(test)]
mod tests;
mod vocabulary;

pub use drive::{Hostile, assert_bounded, assert_law, assert_robust};
pub use generate::{any_learner, any_record, any_record_of};
pub use law::{Outcome, check_law, check_reading};
pub use vocabulary::{Adjustment, Vocabulary};

//! The VIRTA adapter: Finland's national store of higher-education study records.

pub mod drop;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod settings;
pub mod soap;
#[cfg(test)]
#[cfg(feature = "sandbox")]
mod testing;
mod verdicts;

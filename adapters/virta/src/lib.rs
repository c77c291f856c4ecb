//! The VIRTA adapter: Finland's national store of higher-education study records.
//!
//! | module | what it holds |
//! |---|---|
//! | [`names`] | names of code lists and elements |
//! | `shape` | which element holds which field, said once for reading and writing |
//! | [`decode`] | documents into records |

pub mod decode;
pub mod extensions;
pub mod names;
mod shape;

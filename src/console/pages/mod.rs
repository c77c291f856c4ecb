//! The pages.

pub mod completeness;
pub mod connection;
pub mod credentials;
pub mod finding;
pub mod findings;
pub mod load;
pub mod login;
pub mod overview;
pub mod problems;
pub mod record;
pub mod records;
pub mod refusals;

use super::error::Trouble;
use askama::Template;
use axum::response::Html;
use serde::Deserialize;
use std::str::FromStr;

/// A page, or why there is none.
pub type Answer = Result<Html<String>, Trouble>;

/// A form without fields of its own.
#[derive(Debug, Deserialize)]
pub struct Nothing {}

/// Where a list goes on, and for which connection it is asked.
#[derive(Debug, Default, Deserialize)]
pub struct Walk {
    /// The last row that was shown.
    #[serde(default)]
    pub after: i64,
    /// Name of a connection.
    #[serde(default)]
    pub connection: String,
}

fn page(template: &impl Template) -> Answer {
    Ok(Html(template.render()?))
}

/// Reads an id out of an address.
fn id<T: FromStr>(text: &str) -> Result<T, Trouble> {
    text.parse().map_err(|_| Trouble::NotFound)
}

//! `silta schema` and `silta openapi`: what is published about our formats.

use super::convert::adapter;
use super::{Exit, Failure, Outcome};
use crate::{http, registry};
use clap::Subcommand;

/// Print a JSON Schema.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// One line of the `record` format.
    Record,
    /// The settings of an adapter's connections.
    Settings {
        /// The adapter.
        adapter: String,
    },
}

pub(super) fn run(command: &Command) -> Outcome {
    let schema = match command {
        Command::Record => silta_adapter::record::record_schema(),
        Command::Settings { adapter: name } => {
            let registry = registry::adapters();
            let settings = adapter(&registry, name)?.descriptor().settings;
            settings.ok_or_else(|| Failure::usage(format!("{name} has no connections")))?()
        }
    };
    say!("{:#}", schema.as_value());
    Ok(Exit::Clean)
}

pub(super) fn openapi() -> Outcome {
    say!("{}", http::openapi::openapi_json()?);
    Ok(Exit::Clean)
}

//! `silta check`: whether a document can be read without problems.

use super::convert::{Tally, format, open, unreadable};
use super::{Exit, Failure, Outcome};
use crate::registry;
use clap::Parser;
use silta_adapter::adapter::{DecodeContext, Decoded, Limits};
use silta_adapter::record::RecordKind;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::PathBuf;

/// Check whether a document can be read without problems.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// Format of the document: record, virta, elm, or a mapping file.
    #[arg(long)]
    from: String,
    /// Whose records these are, for formats that do not say.
    #[arg(long, default_value = "")]
    tenant: SmolStr,
    /// Directory of code lists that replace the built-in ones, and of mapping files.
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// The document; `-` or nothing for standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Outcome {
    let mappings = registry::mappings(args.mappings.as_deref())?;
    let formats = registry::adapters_and_files(args.mappings.as_deref(), &mappings)?;
    let from = format(&formats, &args.from, &mappings)?;
    let decoder = from.decoder().ok_or_else(|| Failure::usage(format!("{} cannot be read", args.from)))?;
    let ctx = DecodeContext { tenant: args.tenant.clone(), source: SmolStr::default(), limits: Limits::default() };
    let mut input = BufReader::with_capacity(1 << 16, open(args.file.as_deref(), &ctx.limits)?);
    let mut tally = Tally::default();
    let mut kinds: BTreeMap<RecordKind, u64> = BTreeMap::new();
    let reading = decoder
        .decode(&mut input, &ctx, &mut |found| {
            match found {
                Decoded::Record(record, _) => *kinds.entry(record.head.key.kind).or_default() += 1,
                Decoded::Problem(problem) => tally.problem(&problem),
            }
            Ok(())
        })
        .map_err(unreadable)?;
    for (kind, count) in &kinds {
        say!("{kind}: {count}");
    }
    for path in &reading.unread {
        say!("not read: {path}");
    }
    Ok(if tally.errors > 0 { Exit::Failed } else { Exit::Clean })
}

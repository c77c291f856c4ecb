//! `silta check`: whether a document can be read without problems, or is what a profile asks for.

mod micro_credential;
mod profile;

use super::convert::{Tally, adapter, open, unreadable};
use super::{Exit, Failure, Outcome};
use crate::registry;
use clap::Parser;
use silta_adapter::adapter::{DecodeContext, Decoded, Limits};
use silta_adapter::record::RecordKind;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::PathBuf;

/// Check whether a document can be read without problems, or conforms to a profile.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// Format of the document; a profile implies it, or tries every one.
    #[arg(long, required_unless_present = "profile")]
    from: Option<String>,
    /// What it has to conform to: edc (European Digital Credential as published, 3.1), edc-3.2, edc-upload (before it
    /// is sealed), or micro-credential (the elements of one, in the records of any format).
    #[arg(long)]
    profile: Option<String>,
    /// With a profile: print JSON.
    #[arg(long, requires = "profile")]
    json: bool,
    /// The largest document a profile is checked on, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 15 << 20)]
    max_size: usize,
    /// Whose records these are, for formats that do not say.
    #[arg(long, default_value = "")]
    tenant: SmolStr,
    /// Directory of mapping files that replace the built-in ones.
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// The document; `-` or nothing for standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Outcome {
    match (&args.profile, &args.from) {
        (Some(profile), _) if profile == micro_credential::PROFILE => micro_credential::run(args),
        (Some(profile), _) => profile::run(profile, args),
        (None, Some(from)) => read(from, args),
        (None, None) => Err(Failure::usage("say --from or --profile")),
    }
}

/// Reads a document and tells what it holds and what was not read.
fn read(from: &str, args: &Args) -> Outcome {
    let registry = registry::adapters();
    let from = adapter(&registry, from)?;
    let name = from.descriptor().name;
    let decoder = from.decoder().ok_or_else(|| Failure::usage(format!("{name} cannot be read")))?;
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

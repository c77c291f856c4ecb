//! `silta check`: whether a document can be read without problems, or is what a profile asks for.

mod micro_credential;
mod profile;

use super::convert::{Tally, format, open, unreadable};
use super::{Exit, Failure, Outcome};
use crate::delivery::checks::day;
use crate::env::{Clock, SystemClock};
use crate::registry;
use clap::Parser;
use silta_adapter::adapter::{DecodeContext, Decoded, Limits};
use silta_adapter::check::{Check, CheckContext};
use silta_adapter::record::{Record, RecordKind};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

/// Check whether a document can be read without problems, or conforms to a profile.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// Format of the document: a name that `silta adapters` lists, or a mapping file. A profile implies it, or tries
    /// every one.
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
    /// Directory of code lists that replace the built-in ones, and of mapping files.
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
    let mappings = registry::mappings(args.mappings.as_deref())?;
    let formats = registry::adapters_and_files(args.mappings.as_deref(), &mappings)?;
    let from = format(&formats, from, &mappings)?;
    let name = from.descriptor().name;
    let decoder = from.decoder().ok_or_else(|| Failure::usage(format!("{name} cannot be read")))?;
    let ctx = DecodeContext { tenant: args.tenant.clone(), source: SmolStr::default(), limits: Limits::default() };
    let mut input = BufReader::with_capacity(1 << 16, open(args.file.as_deref(), &ctx.limits)?);
    let mut tally = Tally::default();
    let mut kinds: BTreeMap<RecordKind, u64> = BTreeMap::new();
    // A document that groups rows by learner holds all of a learner; a list of rows does not say what it lacks.
    let head = input.fill_buf()?;
    let form = decoder.form(head);
    let whole = form.is_some() && form == from.encoder().and_then(|encoder| encoder.form_for(&RecordKind::ALL));
    let today = day(SystemClock.now());
    let check = CheckContext { mappings: &mappings, today, whole };
    let mut lights = Lights { checker: from.checker(), ctx: check, learner: Vec::new(), counts: BTreeMap::new() };
    let reading = decoder
        .decode(&mut input, &ctx, &mut |found| {
            match found {
                Decoded::Record(record, _) => {
                    *kinds.entry(record.head.key.kind).or_default() += 1;
                    lights.take(*record, &mut tally);
                }
                Decoded::Problem(problem) => tally.problem(&problem),
            }
            Ok(())
        })
        .map_err(unreadable)?;
    lights.look(&mut tally);
    for (kind, count) in &kinds {
        say!("{kind}: {count}");
    }
    for ((tenant, code), count) in &lights.counts {
        say!("{tenant} {code}: {count}");
    }
    for path in &reading.unread {
        say!("not read: {path}");
    }
    Ok(if tally.errors > 0 { Exit::Failed } else { Exit::Clean })
}

/// Checks records as they come, learner by learner, and counts what is lacking by tenant.
struct Lights<'a> {
    checker: Option<&'a dyn Check>,
    ctx: CheckContext<'a>,
    learner: Vec<Record>,
    counts: BTreeMap<(SmolStr, SmolStr), u64>,
}

impl Lights<'_> {
    /// Records of one learner kept at most: whoever has more is checked in parts.
    const RECORDS: usize = 100_000;

    fn take(&mut self, record: Record, tally: &mut Tally) {
        if self.checker.is_none() {
            return;
        }
        let is_learner = record.head.key.kind == RecordKind::Learner;
        // A learner whose rows came before the rest of what is said of them is told twice.
        match self.learner.first_mut() {
            Some(first) if is_learner && first.head.key == record.head.key => {
                *first = record;
                return;
            }
            _ => {}
        }
        // A learner's own record begins a block of its own, whosever rows stand in it.
        let begins = self.ctx.whole && is_learner;
        let other = !self.ctx.whole && self.learner.last().is_some_and(|last| last.head.learner != record.head.learner);
        if begins || other || self.learner.len() >= Self::RECORDS {
            self.look(tally);
        }
        self.learner.push(record);
    }

    fn look(&mut self, tally: &mut Tally) {
        let Some(checker) = self.checker else { return };
        for problem in checker.check(&self.learner.iter().collect::<Vec<_>>(), self.ctx) {
            let tenant = problem.key.as_ref().map(|key| key.tenant.clone()).unwrap_or_default();
            *self.counts.entry((tenant, problem.code.clone())).or_default() += 1;
            tally.problem(&problem);
        }
        self.learner.clear();
    }
}

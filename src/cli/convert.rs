//! `silta convert`: a document from one format into another, streaming.
//!
//! The input is read twice: first for well-formedness, so that a malformed document leaves nothing on standard output,
//! then to convert. Formats that group rows by learner get them grouped through a private spool with an index in
//! memory, so that memory stays flat however large the document is.

use super::{Exit, Failure, Outcome};
use crate::registry;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use silta_adapter::adapter::{
    Adapter, DecodeContext, Decoded, DocumentWriter, Encode, EncodeContext, Grouping, Limits, NotWritten, Registry,
    Stop, Unreadable,
};
use silta_adapter::fidelity::{Change, Loss};
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::{Problem, Severity};
use silta_adapter::record::{Record, RecordKey, RecordKind};
use smol_str::SmolStr;
use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Convert a document from one format into another.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// Format of the input: a name that `silta adapters` lists, or a mapping file.
    #[arg(long)]
    from: String,
    /// Format of the output: a name that `silta adapters` lists, or a mapping file.
    #[arg(long)]
    to: String,
    /// Where to write what the output does not hold, one JSON object per line.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Whose records these are, for formats that do not say.
    #[arg(long, default_value = "")]
    tenant: SmolStr,
    /// The register they come from, for formats that do not say.
    #[arg(long, default_value = "")]
    source: SmolStr,
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
    let (from, to) = (format(&formats, &args.from, &mappings)?, format(&formats, &args.to, &mappings)?);
    let decoder = from.decoder().ok_or_else(|| Failure::usage(format!("{} cannot be read", args.from)))?;
    let encoder = to.encoder().ok_or_else(|| Failure::usage(format!("{} cannot be written", args.to)))?;
    let ctx = DecodeContext { tenant: args.tenant.clone(), source: args.source.clone(), limits: Limits::default() };
    let mut input = open(args.file.as_deref(), &ctx.limits)?;
    decoder.probe(&mut BufReader::with_capacity(1 << 16, &mut input), &ctx.limits).map_err(unreadable)?;
    let length = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(0))?;

    let report = args.report.as_deref().map(File::create).transpose()?.map(BufWriter::new);
    let mut tally = Tally { report, ..Tally::default() };
    let bar = progress(length);
    let mut input = BufReader::with_capacity(1 << 16, bar.wrap_read(input));
    let encode = EncodeContext { mappings: &mappings, generation: 1, instant: now() };
    let written = Conversion { from: &*from, to: &*to, encoder, ctx, encode }.run(&mut input, &mut tally);
    bar.finish_and_clear();
    match written {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Failed),
        Err(e) => return Err(e.into()),
    }
    if let Some(report) = &mut tally.report {
        report.flush()?;
    }
    Ok(if tally.errors > 0 { Exit::Partial } else { Exit::Clean })
}

#[expect(clippy::disallowed_methods, reason = "a command line has no clock to inject")]
pub(super) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The adapter of a name given on the command line.
pub(super) fn adapter<'a>(registry: &'a Registry, name: &str) -> Result<&'a Arc<dyn Adapter>, Failure> {
    registry.get(name).ok_or_else(|| {
        let names: Vec<&str> = registry.iter().map(|a| a.descriptor().name).collect();
        Failure::usage(format!("there is no format {name}; there are {}", names.join(", ")))
    })
}

/// The adapter of a name given on the command line, or of a mapping file whose path is given instead.
pub(super) fn format(registry: &Registry, name: &str, mappings: &Mappings) -> Result<Arc<dyn Adapter>, Failure> {
    match name.ends_with(".toml") {
        true => Ok(registry::mapping_file(Path::new(name), mappings)?),
        false => adapter(registry, name).cloned(),
    }
}

/// Opens the input for two readings; standard input is spooled to an unlinked private file.
pub(super) fn open(file: Option<&Path>, limits: &Limits) -> Result<File, Failure> {
    if let Some(file) = file.filter(|f| *f != Path::new("-")) {
        let input = File::open(file).map_err(|e| format!("{} cannot be read: {e}", file.display()))?;
        if input.metadata()?.is_dir() {
            return Err(format!("{} is a directory", file.display()).into());
        }
        return Ok(input);
    }
    let mut spool = tempfile::tempfile()?;
    let copied = io::copy(&mut io::stdin().lock().take(limits.bytes.saturating_add(1)), &mut spool)?;
    if copied > limits.bytes {
        return Err(format!("the input is larger than {} bytes", limits.bytes).into());
    }
    spool.seek(SeekFrom::Start(0))?;
    Ok(spool)
}

/// A failure that tells the problem as it is.
pub(super) fn unreadable(e: Unreadable) -> Failure {
    match e {
        Unreadable::Malformed(problem) => problem.to_string().into(),
        other => other.to_string().into(),
    }
}

fn progress(length: u64) -> ProgressBar {
    if !io::stderr().is_terminal() || length < 1 << 20 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What went wrong and what was lost, told as it comes.
#[derive(Default)]
pub(super) struct Tally {
    report: Option<BufWriter<File>>,
    left_out: BTreeMap<RecordKind, u64>,
    pub(super) errors: u64,
    told: u64,
}

impl Tally {
    pub(super) fn problem(&mut self, problem: &Problem) {
        const TOLD: u64 = 1000;
        self.errors += u64::from(problem.severity == Severity::Error);
        self.told += 1;
        match self.told {
            ..=TOLD => note!("{problem}"),
            n if n == TOLD + 1 => note!("… further problems are not shown"),
            _ => {}
        }
    }

    /// A record that no document of the format carries: counted by kind, each in the report.
    fn left_out(&mut self, record: &Record) -> io::Result<()> {
        let key = record.head.key.clone();
        *self.left_out.entry(key.kind).or_default() += 1;
        let rule = SmolStr::new_static("no_document");
        self.losses(&[Loss { key, path: String::new(), change: Change::Dropped, rule }])
    }

    fn losses(&mut self, losses: &[Loss]) -> io::Result<()> {
        let Some(report) = &mut self.report else { return Ok(()) };
        for loss in losses {
            serde_json::to_writer(&mut *report, loss)?;
            report.write_all(b"\n")?;
        }
        Ok(())
    }
}

struct Conversion<'a> {
    from: &'a dyn Adapter,
    to: &'a dyn Adapter,
    encoder: &'a dyn Encode,
    ctx: DecodeContext,
    encode: EncodeContext<'a>,
}

impl Conversion<'_> {
    fn run(&self, input: &mut dyn BufRead, tally: &mut Tally) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let (from, to) = (self.from.descriptor(), self.to.descriptor());
        if to.name == "record" || (from.name == to.name && to.grouping == Grouping::Record) {
            self.stream(input, &mut out, tally)?;
        } else {
            self.grouped(input, &mut out, tally)?;
        }
        out.flush()
    }

    fn decode(
        &self,
        input: &mut dyn BufRead,
        tally: &mut Tally,
        each: &mut dyn FnMut(Record, &mut Tally) -> io::Result<()>,
    ) -> io::Result<Option<SmolStr>> {
        let Some(decoder) = self.from.decoder() else { return Ok(None) };
        let mut failed = None;
        let reading = decoder.decode(input, &self.ctx, &mut |found| match found {
            Decoded::Problem(problem) => {
                tally.problem(&problem);
                Ok(())
            }
            Decoded::Record(record, _) => each(*record, tally).map_err(|e| {
                failed = Some(e);
                Stop
            }),
        });
        match (failed, reading) {
            (Some(e), _) => Err(e),
            (None, Ok(reading)) => Ok(reading.form),
            (None, Err(Unreadable::Io(e))) => Err(e),
            (None, Err(e)) => Err(io::Error::other(e.to_string())),
        }
    }

    /// Writes records as they come, in the order and form of the document.
    fn stream(&self, input: &mut dyn BufRead, out: &mut dyn Write, tally: &mut Tally) -> io::Result<()> {
        // The form is known only at the end of a reading; for documents that have one a cheap look at the root tells it.
        let form = self.form(input)?;
        let mut writer = self.encoder.document(out, form.as_deref(), self.encode)?;
        self.decode(input, tally, &mut |record, tally| write(&mut *writer, &[record], tally))?;
        writer.finish()
    }

    fn form(&self, input: &mut dyn BufRead) -> io::Result<Option<SmolStr>> {
        let Some(decoder) = self.from.decoder() else { return Ok(None) };
        Ok(decoder.form(input.fill_buf()?))
    }

    /// Spools records, then writes them learner by learner, each learner's in the order of kinds.
    fn grouped(&self, input: &mut dyn BufRead, out: &mut dyn Write, tally: &mut Tally) -> io::Result<()> {
        let mut spool = Spool::new()?;
        self.decode(input, tally, &mut |record, _| spool.add(&record))?;
        let form = self.encoder.form_for(&spool.kinds());
        let mut writer = self.encoder.document(out, form.as_deref(), self.encode)?;
        let composes = self.to.descriptor().grouping == Grouping::Learner;
        spool.learners(|mut records| {
            once(&mut records, tally);
            records.sort_by_key(|r| r.head.key.kind);
            if !composes {
                return records.into_iter().try_for_each(|record| write(&mut *writer, &[record], tally));
            }
            let (plans, problems) = self.encoder.items(&records);
            problems.iter().for_each(|p| tally.problem(p));
            let carried: BTreeSet<usize> = plans.iter().flat_map(|plan| plan.members.iter().copied()).collect();
            for (_, record) in records.iter().enumerate().filter(|(at, _)| !carried.contains(at)) {
                tally.left_out(record)?;
            }
            for plan in plans {
                let item: Vec<Record> = plan.members.iter().map(|at| records[*at].clone()).collect();
                write(&mut *writer, &item, tally)?;
            }
            Ok(())
        })?;
        for (kind, count) in std::mem::take(&mut tally.left_out) {
            let message = format!("{count} records of kind {kind} are in no {} document", self.to.descriptor().name);
            tally.problem(&Problem::warning("no_document", message));
        }
        writer.finish()
    }
}

/// Leaves each record once: documents that stand alone, such as credentials, repeat what they share.
fn once(records: &mut Vec<Record>, tally: &mut Tally) {
    let mut first: HashMap<&RecordKey, &Record> = HashMap::with_capacity(records.len());
    let kept: Vec<bool> = records
        .iter()
        .map(|record| match first.entry(&record.head.key) {
            Entry::Vacant(place) => {
                place.insert(record);
                true
            }
            Entry::Occupied(place) => {
                if *place.get() != record {
                    tally.problem(
                        &Problem::error("duplicate_key", "the key is used twice, differently").about(&record.head.key),
                    );
                }
                false
            }
        })
        .collect();
    let mut kept = kept.into_iter();
    records.retain(|_| kept.next().unwrap_or(true));
}

fn write(writer: &mut dyn DocumentWriter, item: &[Record], tally: &mut Tally) -> io::Result<()> {
    match writer.write(item) {
        Ok(losses) => tally.losses(&losses),
        Err(NotWritten::Refused(refusal)) => {
            refusal.0.iter().for_each(|p| tally.problem(p));
            Ok(())
        }
        Err(NotWritten::Io(e)) => Err(e),
    }
}

/// Records in a private file, and where each learner's are.
struct Spool {
    file: BufWriter<File>,
    at: u64,
    learners: HashMap<SmolStr, u32>,
    kinds: BTreeSet<RecordKind>,
    places: Vec<Place>,
}

/// Where a record is: the learner's ordinal, offset and length.
#[derive(Clone, Copy)]
struct Place(u32, u64, u32);

impl Spool {
    fn new() -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 16, tempfile::tempfile()?);
        Ok(Self { file, at: 0, learners: Default::default(), kinds: Default::default(), places: Vec::new() })
    }

    fn add(&mut self, record: &Record) -> io::Result<()> {
        let line = serde_json::to_vec(record)?;
        self.kinds.insert(record.head.key.kind);
        let next = u32::try_from(self.learners.len()).map_err(io::Error::other)?;
        let learner = *self.learners.entry(record.head.learner.clone()).or_insert(next);
        let length = u32::try_from(line.len()).map_err(io::Error::other)?;
        self.places.push(Place(learner, self.at, length));
        self.at += u64::from(length);
        self.file.write_all(&line)
    }

    fn kinds(&self) -> Vec<RecordKind> {
        self.kinds.iter().copied().collect()
    }

    /// Gives each learner's records, in the order in which learners and records first came.
    fn learners(mut self, mut each: impl FnMut(Vec<Record>) -> io::Result<()>) -> io::Result<()> {
        drop(std::mem::take(&mut self.learners));
        self.places.sort_by_key(|place| place.0);
        let mut file = BufReader::with_capacity(1 << 16, self.file.into_inner().map_err(|e| e.into_error())?);
        file.seek(SeekFrom::Start(0))?;
        let mut at = 0u64;
        let mut line = Vec::new();
        for group in self.places.chunk_by(|a, b| a.0 == b.0) {
            let mut records = Vec::with_capacity(group.len());
            for Place(_, offset, length) in group {
                file.seek_relative(*offset as i64 - at as i64)?;
                line.resize(*length as usize, 0);
                file.read_exact(&mut line)?;
                at = offset + u64::from(*length);
                records.push(serde_json::from_slice(&line)?);
            }
            each(records)?;
        }
        Ok(())
    }
}

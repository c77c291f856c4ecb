//! Two documents compared without a gateway: findings as JSON lines on standard output.
//!
//! Both documents are read to their ends before the first finding is printed: from half a document nothing follows.

use crate::cli::convert::{adapter, open};
use crate::cli::{Exit, Failure, Outcome};
use crate::reconcile::files::{Kept, compare};
use crate::registry;
use silta_adapter::adapter::{Decode, DecodeContext, Grouping, Limits};
use silta_adapter::problem::Problem;
use smol_str::SmolStr;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;

/// Two documents to compare.
#[derive(Debug, clap::Args)]
pub(super) struct Documents {
    /// The document of what should be there; `-` for standard input.
    #[arg(long, value_name = "FILE", required = false, requires = "found")]
    expected: PathBuf,
    /// The document of what is there; `-` for standard input.
    #[arg(long, value_name = "FILE", required = false, requires = "expected")]
    found: PathBuf,
    /// Format of both documents.
    #[arg(long, default_value = "record", requires = "expected")]
    format: String,
}

pub(super) fn run(args: &Documents) -> Outcome {
    let registry = registry::adapters();
    let format = adapter(&registry, &args.format)?;
    let decoder = format.decoder().ok_or_else(|| Failure::usage(format!("{} cannot be read", args.format)))?;
    let mappings = registry::mappings(None)?;
    let ctx = DecodeContext { tenant: SmolStr::default(), source: SmolStr::default(), limits: Limits::default() };
    if args.expected == args.found && args.found == Path::new("-") {
        return Err(Failure::usage("only one of the documents can come by standard input"));
    }
    let (expected, found) = (open(Some(&args.expected), &ctx.limits)?, open(Some(&args.found), &ctx.limits)?);
    let (expected, found) = thread::scope(|scope| {
        let expected = scope.spawn(|| read(&args.expected, expected, decoder, &ctx));
        let found = read(&args.found, found, decoder, &ctx);
        (expected.join(), found)
    });
    let (expected, found) = (expected.map_err(|_| "the document could not be read")??, found?);

    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut differs = false;
    let repeats = format.descriptor().grouping == Grouping::Learner;
    let compared = compare(&expected, &found, repeats, &mappings.institutions, &mut |finding| {
        differs = true;
        serde_json::to_writer(&mut out, &finding)?;
        out.write_all(b"\n")
    });
    match compared.and_then(|()| out.flush()) {
        Ok(()) => Ok(if differs { Exit::Partial } else { Exit::Clean }),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(Exit::Failed),
        Err(e) => Err(e.into()),
    }
}

fn read(name: &Path, input: File, decoder: &dyn Decode, ctx: &DecodeContext) -> Result<Kept, Failure> {
    let kept = Kept::read(decoder, &mut BufReader::with_capacity(1 << 16, input), ctx)
        .map_err(|e| format!("{}: {e}", name.display()))?;
    let told = |problem: &Problem| note!("{}: {problem}", name.display());
    kept.problems.iter().take(TOLD).for_each(told);
    if kept.problems.len() > TOLD {
        note!("{}: … further problems are not shown", name.display());
    }
    for path in &kept.unread {
        note!("{}: not read, and so not compared: {path}", name.display());
    }
    Ok(kept)
}

/// Problems of a document that are shown.
const TOLD: usize = 1000;

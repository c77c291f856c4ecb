//! `silta mapping`: mapping files are drafted and tested.

use super::convert::{open, unreadable};
use super::{Exit, Failure, Outcome};
use crate::registry;
use clap::{Parser, Subcommand};
use silta_adapter::adapter::Limits;
use silta_tabular::{Draft, Question, Tabular, check, draft};
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, IsTerminal, Write as _};
use std::path::PathBuf;

/// Draft and test mapping files.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Draft a mapping file from a sample, asking on a terminal what cannot be told from it.
    New(New),
    /// Run the tests inside a mapping file.
    Test(Test),
}

#[derive(Debug, Parser)]
pub(super) struct New {
    /// A sample: CSV, a spreadsheet, JSON or XML. Nothing of its rows gets into the draft.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Where to write the draft: NAME.mapping.toml makes the format NAME. Standard output if not given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Code of the institution whose records these are (Finland: oppilaitosnumero).
    #[arg(long, value_name = "CODE")]
    institution: Option<String>,
    /// Directory of code lists that replace the built-in ones.
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
}

#[derive(Debug, Parser)]
pub(super) struct Test {
    /// Directory of code lists that replace the built-in ones.
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// The mapping files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

pub(super) fn run(command: &Command) -> Outcome {
    match command {
        Command::New(args) => new(args),
        Command::Test(args) => test(args),
    }
}

fn new(args: &New) -> Outcome {
    if let Some(out) = args.out.as_ref().filter(|out| out.exists()) {
        return Err(Failure::usage(format!("{} is there already", out.display())));
    }
    let mappings = registry::mappings(args.mappings.as_deref())?;
    let mut input = BufReader::new(open(Some(args.from.as_path()), &Limits::default())?);
    let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    let mut ask = |question: &Question| match question {
        Question::Institution if args.institution.is_some() => args.institution.clone(),
        _ if terminal => asked(question),
        _ => None,
    };
    let drafted = draft(&mut input, &mappings, &mut ask).map_err(unreadable)?;
    let failed = failures(&Tabular::load("draft", "the draft", &drafted.text, &mappings)?);
    match &args.out {
        None => say!("{}", drafted.text.trim_end()),
        Some(out) => {
            let mut file = OpenOptions::new().write(true).create_new(true).open(out)?;
            file.write_all(drafted.text.as_bytes())?;
        }
    }
    tell(&drafted, args);
    Ok(if failed == 0 { Exit::Clean } else { Exit::Partial })
}

fn tell(drafted: &Draft, args: &New) {
    note!("{} columns are read", drafted.read);
    for name in &drafted.left_out {
        note!("left out, as a comment: {name}");
    }
    for remark in &drafted.remarks {
        note!("look at this: {remark}");
    }
    if let Some(out) = &args.out {
        let (out, from) = (out.display(), args.from.display());
        note!("written to {out}; next: silta check --from {out} {from}");
    }
}

/// Asks on the terminal; nothing typed is no answer.
fn asked(question: &Question) -> Option<String> {
    let choices = match question {
        Question::Institution => {
            note!("Whose records are these? Code of the institution (oppilaitosnumero), Enter to fill it in later:");
            return line();
        }
        Question::Column { name, content, choices } => {
            note!("What is the column \"{name}\"? It holds {content}.");
            choices
        }
    };
    for (at, (field, label)) in choices.iter().enumerate() {
        note!("  {}  {label} ({field})", at + 1);
    }
    note!("Number, or Enter to leave it out:");
    loop {
        let answer = line()?;
        match answer.parse::<usize>().ok().and_then(|at| choices.get(at.checked_sub(1)?)) {
            Some((field, _)) => return Some(field.clone()),
            None => note!("A number from 1 to {}, or Enter:", choices.len()),
        }
    }
}

fn line() -> Option<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).ok()?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

fn test(args: &Test) -> Outcome {
    let mappings = registry::mappings(args.mappings.as_deref())?;
    let mut failed = 0;
    for file in &args.files {
        note!("{}", file.display());
        failed += failures(&registry::tabular(file, &mappings)?);
    }
    Ok(if failed == 0 { Exit::Clean } else { Exit::Failed })
}

/// Runs the tests of a mapping, tells how each ended and returns how many failed.
fn failures(mapping: &Tabular) -> usize {
    let verdicts = check(mapping);
    if verdicts.is_empty() {
        note!("the mapping has no tests");
    }
    for verdict in &verdicts {
        let passed = verdict.failures.is_empty();
        note!("{}  {} (line {})", if passed { "ok   " } else { "FAIL " }, verdict.name, verdict.line);
        verdict.failures.iter().for_each(|failure| note!("       {failure}"));
    }
    verdicts.iter().filter(|verdict| !verdict.failures.is_empty()).count()
}

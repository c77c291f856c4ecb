//! `silta stack`: how attainments add up.

use super::client::table;
use super::{Exit, Outcome, records};
use clap::Parser;
use serde_json::{Value, json};
use silta_adapter::record::Texts;
use silta_adapter::stacking::{Stack, Whole, stacks};
use smol_str::SmolStr;
use std::path::PathBuf;

/// Show how the attainments of a document add up, and what would be counted twice.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// Format of the document; without it every format is tried.
    #[arg(long)]
    from: Option<String>,
    /// Whose records these are, for formats that do not say.
    #[arg(long, default_value = "")]
    tenant: SmolStr,
    /// Directory of code lists that replace the built-in ones, and of mapping files.
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// The document; `-` or nothing for standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Outcome {
    let records = records::read(args.file.as_deref(), args.from.as_deref(), &args.tenant, args.mappings.as_deref())?;
    let stacks = stacks(&records);
    if args.json {
        say!("{:#}", json!(stacks));
    } else {
        stacks.iter().for_each(tell);
    }
    Ok(if stacks.iter().all(|stack| stack.oddities.is_empty()) { Exit::Clean } else { Exit::Partial })
}

fn tell(stack: &Stack) {
    for whole in &stack.wholes {
        let rows: Vec<Value> = whole
            .parts
            .iter()
            .map(|part| {
                let recorded = if part.recorded { "" } else { "no record" };
                json!({"part": part.id, "title": shown(&part.title), "ects": part.ects, "note": recorded})
            })
            .collect();
        say!("{}", heading(whole));
        say!("{}", table(&rows, &[("part", "/part"), ("title", "/title"), ("ECTS", "/ects"), ("", "/note")]));
    }
    for oddity in &stack.oddities {
        let kind = json!(oddity.kind);
        say!("{}: {}: {}", kind.as_str().unwrap_or_default(), oddity.records.join(", "), oddity.message);
    }
    say!("learner {}: {} ECTS in all, counted from {} attainments", stack.learner, stack.total, stack.counted.len());
}

fn heading(whole: &Whole) -> String {
    let ects = whole.ects.map(|ects| format!(", {ects} ECTS")).unwrap_or_default();
    let remaining = whole.remaining.map(|rest| format!(", {rest} remaining")).unwrap_or_default();
    format!("{} {}{ects}: parts {} ECTS{remaining}", whole.key.id, shown(&whole.title), whole.of_parts)
}

fn shown(texts: &Texts) -> &str {
    texts.first().map(|text| text.value.as_str()).unwrap_or_default()
}

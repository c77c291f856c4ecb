//! `silta stack`: how attainments add up, over one document or several.

use super::client::table;
use super::{Exit, Failure, Outcome, records};
use crate::reconcile::credits::{Credits, Store, credits, people};
use crate::registry;
use clap::Parser;
use serde_json::{Value, json};
use silta_adapter::record::{Body, Record, Texts};
use silta_adapter::stacking::Whole;
use smol_str::SmolStr;
use std::path::{Path, PathBuf};

/// Show how the attainments of documents add up, and what would be counted twice.
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
    /// The documents; `-` or nothing for standard input. Each is a store: what several hold counts once.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> Outcome {
    let read = |file: Option<&Path>| {
        let records = records::read(file, args.from.as_deref(), &args.tenant, args.mappings.as_deref())?;
        let name = file.map_or_else(|| "-".into(), |file| file.display().to_string().into());
        Ok(Store { name, records })
    };
    let stores: Vec<Store> = match args.files.as_slice() {
        [] => vec![read(None)?],
        files => files.iter().map(|file| read(Some(file))).collect::<Result<_, Failure>>()?,
    };
    let institutions = registry::mappings(args.mappings.as_deref())?.institutions;
    let people: Vec<Credits> = people(&stores)
        .into_iter()
        .filter(|(_, stores)| stores.iter().any(|store| store.records.iter().any(is_attainment)))
        .map(|(learner, stores)| credits(learner, &stores, &institutions))
        .collect();
    if args.json {
        say!("{:#}", json!(people));
    } else {
        people.iter().for_each(tell);
    }
    Ok(if people.iter().all(|one| one.stack.oddities.is_empty()) { Exit::Clean } else { Exit::Partial })
}

fn is_attainment(record: &Record) -> bool {
    matches!(record.body, Some(Body::Attainment(_)))
}

fn tell(credits: &Credits) {
    let Credits { stack, stores, shared, recognised } = credits;
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
    for link in recognised {
        let (credit, origin) = (&link.credit, &link.origin);
        let [credit, origin] = [credit, origin].map(|key| format!("{} {}", key.institution, key.id));
        say!("recognised: {credit} has its origin in {origin}; it is counted once");
    }
    if stores.len() > 1 {
        for store in stores {
            say!("{}: {} ECTS, {} attainments", store.store, store.total, store.attainments);
        }
        say!("in several stores, and counted once: {}", shared.len());
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

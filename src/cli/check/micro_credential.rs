//! Attainments against the elements of a micro-credential.

use super::Args;
use crate::cli::client::table;
use crate::cli::{Exit, Outcome, records};
use crate::registry;
use serde_json::{Value, json};
use silta_adapter::micro_credential::{MicroCredential, assess, wholes};
use silta_adapter::record::{Body, Learner, LearnerKey, Record};
use std::collections::HashMap;

/// The profile's name.
pub(super) const PROFILE: &str = "micro-credential";

pub(super) fn run(args: &Args) -> Outcome {
    let mappings = registry::mappings(args.mappings.as_deref())?;
    let records = records::read(args.file.as_deref(), args.from.as_deref(), &args.tenant, args.mappings.as_deref())?;
    let learners: HashMap<LearnerKey, &Learner> = records.iter().filter_map(learner).collect();
    let judged: Vec<MicroCredential> = wholes(&records)
        .filter_map(|record| assess(record, learners.get(&record.learner_key()).copied(), &mappings))
        .collect();
    if judged.is_empty() {
        return Err("there is no attainment in the document".into());
    }
    if args.json {
        say!("{:#}", json!(judged));
    } else {
        judged.iter().for_each(tell);
    }
    Ok(if judged.iter().all(|judged| judged.complete) { Exit::Clean } else { Exit::Failed })
}

fn learner(record: &Record) -> Option<(LearnerKey, &Learner)> {
    match &record.body {
        Some(Body::Learner(learner)) if !record.head.state.is_tombstone() => Some((record.learner_key(), learner)),
        _ => None,
    }
}

fn tell(judged: &MicroCredential) {
    let rows: Vec<Value> = judged.elements.iter().map(|element| json!(element)).collect();
    let columns = [
        ("element", "/id"),
        ("what", "/name"),
        ("part", "/part"),
        ("standing", "/standing"),
        ("why", "/why"),
        ("supply at", "/supply"),
    ];
    say!("{}", table(&rows, &columns));
    let verdict = if judged.complete { "complete" } else { "not complete" };
    say!("attainment {}: {verdict} as a micro-credential", judged.key.id);
}

//! Documents against the official profiles of their format.

use super::{Args, micro_credential};
use crate::cli::client::table;
use crate::cli::convert::{open, unreadable};
use crate::cli::{Exit, Failure, Outcome};
use crate::registry;
use serde_json::{Value, json};
use silta_adapter::adapter::{Limits, Registry};
use silta_adapter::validate::{Report, Validate};
use std::io::BufReader;

pub(super) fn run(profile: &str, args: &Args) -> Outcome {
    let registry = registry::adapters();
    let validator = validator(&registry, profile)?;
    let mappings = registry::mappings(args.mappings.as_deref())?;
    let limits = Limits { record_bytes: args.max_size, ..Limits::default() };
    let mut input = BufReader::with_capacity(1 << 16, open(args.file.as_deref(), &limits)?);
    let mut reports: Vec<(Report, u64)> = Vec::new();
    validator
        .validate(&mut input, profile, &limits, &mappings, &mut |report, line| reports.push((report, line)))
        .map_err(unreadable)?;
    if reports.is_empty() {
        return Err("there is no document in the input".into());
    }
    if args.json {
        let reports: Vec<Value> = reports.iter().map(|(report, line)| in_json(report, *line)).collect();
        say!("{:#}", Value::Array(reports));
    } else {
        reports.iter().for_each(|(report, line)| tell(report, *line));
    }
    Ok(if reports.iter().all(|(report, _)| report.conforms) { Exit::Clean } else { Exit::Failed })
}

/// What knows a profile.
fn validator<'a>(registry: &'a Registry, profile: &str) -> Result<&'a dyn Validate, Failure> {
    let validators = || registry.iter().filter_map(|adapter| adapter.validator());
    validators().find(|validator| validator.profiles().contains(&profile)).ok_or_else(|| {
        let profiles = validators().flat_map(|validator| validator.profiles().iter().copied());
        let profiles: Vec<&str> = profiles.chain([micro_credential::PROFILE]).collect();
        Failure::usage(format!("there is no profile {profile}; there are {}", profiles.join(", ")))
    })
}

fn in_json(report: &Report, line: u64) -> Value {
    let mut value = json!(report);
    value["line"] = line.into();
    value
}

fn tell(report: &Report, line: u64) {
    let findings: Vec<Value> = report.findings.iter().map(|finding| json!(finding)).collect();
    if !findings.is_empty() {
        let columns = [
            ("severity", "/severity"),
            ("rule", "/rule"),
            ("at", "/path"),
            ("fixed by", "/fixer"),
            ("what", "/message"),
        ];
        say!("{}", table(&findings, &columns));
    }
    let errors = report.findings.iter().filter(|finding| finding.is_error()).count();
    let official = match report.official {
        Some(true) => "met",
        Some(false) => "not met",
        None => "not applicable",
    };
    let verdict = if report.conforms { "conforms" } else { "does not conform" };
    say!(
        "line {line}: {verdict} to {}: {errors} errors; official rules ({}) {official}",
        report.profile,
        report.schema
    );
}

//! `silta verify`: whether a sealed credential is what was sealed, and by whom.

use super::client::table;
use super::convert::{now, open};
use super::{Exit, Failure, Outcome};
use crate::{registry, sealing};
use clap::Parser;
use serde_json::{Value, json};
use silta_adapter::adapter::Limits;
use silta_seal::report::{Status, Step};
use silta_seal::{Bounds, Report, StatusList, Trust, Verdict, Verifier, verify};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most bytes of a list that is fetched.
const MOST_LIST: usize = 16 << 20;

/// Verify a sealed credential, offline unless told otherwise. Exit code 0: valid and trusted; 1: not valid; 4: valid, but not trusted.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// Directory of trusted certificates, PEM or DER: authorities, or single seals and time-stamp units.
    #[arg(long, value_name = "DIR")]
    anchors: Option<PathBuf>,
    /// Trust seals of this certificate and of no other.
    #[arg(long, value_name = "CERT")]
    pin: Option<PathBuf>,
    /// Status list to look the credential up in; may be repeated. One that is not sealed is believed on your word; one that
    /// is sealed has to be the issuer's.
    #[arg(long, value_name = "LIST")]
    status: Vec<PathBuf>,
    /// List of revoked certificates (CRL), PEM or DER; may be repeated.
    #[arg(long, value_name = "LIST")]
    crl: Vec<PathBuf>,
    /// Fetch the status lists that the credential names, and the lists of revoked certificates that its seal's
    /// certificate names. Both tell their keepers that somebody asks.
    #[arg(long)]
    online: bool,
    /// Most bytes a document may have.
    #[arg(long, default_value_t = Bounds::default().bytes)]
    max_bytes: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// The document; `-` or nothing for standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let bounds = Bounds { bytes: args.max_bytes, ..Bounds::default() };
    let mut trust = trust(args)?;
    let mappings = registry::mappings(None)?;
    let mut lists = args.status.iter().map(|file| list(file, bounds)).collect::<Result<Vec<_>, _>>()?;
    let limits = Limits { bytes: args.max_bytes as u64, ..Limits::default() };
    let document = open(args.file.as_deref(), &limits).and_then(|mut input| {
        let mut bytes = Vec::new();
        // One more than allowed, so that the verifier sees that it is too much.
        (&mut input).take(limits.bytes.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    // Exit code 1 says that a document is not valid; one that is not there is another matter.
    let document = document.map_err(|failure| Failure { exit: Exit::Usage, ..failure })?;
    if args.online {
        fetch(&document, bounds, &mut trust, &mut lists).await;
    }
    let verifier = Verifier { trust: &trust, mappings: &mappings, lists: &lists, bounds };
    let mut report = verifier.verify(&document, now());
    // What is no credential by its form needs no shapes to say so.
    if report.status(Step::Format) == Status::Ok {
        sealing::conforms(&registry::adapters(), &document, &mappings, &mut report);
    }
    if args.json {
        say!("{:#}", as_json(&report));
    } else {
        print(&report);
    }
    Ok(match report.verdict() {
        Verdict::Trusted => Exit::Clean,
        Verdict::Untrusted => Exit::Untrusted,
        Verdict::Invalid => Exit::Failed,
    })
}

fn trust(args: &Args) -> Result<Trust, Failure> {
    let certificates = |file: &Path| sealing::certificates(file).map_err(|e| Failure::usage(e.to_string()));
    let mut trust = Trust::default();
    if let Some(directory) = &args.anchors {
        let unreadable = |e| Failure::usage(format!("{} cannot be read: {e}", directory.display()));
        for entry in std::fs::read_dir(directory).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.is_file() {
                certificates(&file)?.into_iter().for_each(|anchor| trust.anchor(anchor));
            }
        }
    }
    if let Some(file) = &args.pin {
        certificates(file)?.into_iter().for_each(|pin| trust.pin(pin));
    }
    for file in &args.crl {
        let usage = |e: String| Failure::usage(format!("{} {e}", file.display()));
        let bytes = std::fs::read(file).map_err(|e| usage(format!("cannot be read: {e}")))?;
        trust.revocations(&bytes).map_err(usage)?;
    }
    Ok(trust)
}

/// Fetches what a credential and its seal name. What cannot be had is said, and stays unchecked.
async fn fetch(document: &[u8], bounds: Bounds, trust: &mut Trust, lists: &mut Vec<StatusList>) {
    let sources = verify::sources(document, bounds);
    for url in &sources.status_lists {
        let read = sealing::fetch(url, MOST_LIST).await.and_then(|bytes| StatusList::read(&bytes, bounds));
        match read {
            Ok(list) => lists.push(list),
            Err(e) => note!("silta: the status list {url} {e}"),
        }
    }
    for url in &sources.revocation_lists {
        if let Err(e) = sealing::fetch(url, MOST_LIST).await.and_then(|bytes| trust.revocations(&bytes)) {
            note!("silta: the list of revoked certificates {url} {e}");
        }
    }
}

fn list(file: &Path, bounds: Bounds) -> Result<StatusList, Failure> {
    let bytes = std::fs::read(file).map_err(|e| Failure::usage(format!("{} cannot be read: {e}", file.display())))?;
    let read = StatusList::read(&bytes, bounds).map_err(|e| Failure::usage(format!("{} {e}", file.display())));
    read.map(StatusList::vouched)
}

fn verdict(report: &Report) -> &'static str {
    match report.verdict() {
        Verdict::Trusted => "valid and trusted",
        Verdict::Untrusted => "valid, but not trusted",
        Verdict::Invalid => "not valid",
    }
}

fn print(report: &Report) {
    let columns = [("step", "/step"), ("check", "/check"), ("status", "/status"), ("found", "/description")];
    say!("{}", table(as_json(report)["checks"].as_array().map_or(&[], Vec::as_slice), &columns));
    for signer in &report.signers {
        let holder = signer.organisation.as_ref().unwrap_or(&signer.subject);
        let identifier = signer.identifier.as_deref().unwrap_or("no identifier");
        say!("sealed by {holder} ({identifier}) with {}", signer.algorithm);
    }
    say!("{}", verdict(report));
}

fn as_json(report: &Report) -> Value {
    let check = |check: &silta_seal::report::Check| {
        let (name, kind) = check.step.check();
        json!({
            "step": check.step, "check": name, "type": kind, "status": check.status,
            "statusType": check.status.concept(), "description": check.description,
        })
    };
    json!({
        "verdict": report.verdict(),
        "checks": report.checks.iter().map(check).collect::<Vec<_>>(),
        "signers": report.signers,
    })
}

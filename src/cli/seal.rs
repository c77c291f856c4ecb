//! `silta seal`: seals a credential.

use super::convert::{now, open};
use super::{Exit, Failure, Outcome};
use crate::{config, registry, sealing};
use clap::Parser;
use silta_adapter::adapter::Limits;
use silta_adapter::seal::Seal;
use silta_seal::Bounds;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Seal a credential (JAdES), offline or with a time-stamp. The sealed document goes to standard output.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// The private key: a file in PEM or PKCS#12, or a pkcs11: URI (RFC 7512).
    #[arg(long)]
    key: String,
    /// File with the key's certificate in PEM, then those that lead on from it; PKCS#12 brings its own.
    #[arg(long, value_name = "CERT")]
    cert: Option<PathBuf>,
    /// File with the passphrase of an encrypted key.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Signature algorithm, such as PS256; the usual one of the key if not given.
    #[arg(long)]
    algorithm: Option<String>,
    /// Time-stamp service (RFC 3161); without one the seal is of level BASELINE-B, with one BASELINE-T.
    #[arg(long, value_name = "URL")]
    tsa: Option<String>,
    /// Where to write the sealed document instead.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The credential, bare or wrapped for upload; `-` or nothing for standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let seal = config::Seal {
        key: args.key.clone(),
        certificate: args.cert.clone(),
        passphrase_file: args.passphrase_file.clone(),
        algorithm: args.algorithm.clone(),
        tsa_url: args.tsa.clone(),
        tsa_timeout_secs: 30,
    };
    let mappings = Arc::new(registry::mappings(None)?);
    let opened = sealing::open(&seal, mappings).map_err(|e| Failure::usage(e.to_string()))?;
    for warning in &opened.warnings {
        note!("silta: {warning}");
    }
    let limits = Limits { bytes: Bounds::default().bytes as u64, ..Limits::default() };
    let mut document = Vec::new();
    open(args.file.as_deref(), &limits)?.take(limits.bytes + 1).read_to_end(&mut document)?;
    let sealed = opened.sealer.seal(&document, now()).await?;
    match &args.output {
        Some(file) => std::fs::write(file, sealed).map_err(|e| format!("{} cannot be written: {e}", file.display()))?,
        None => std::io::stdout().lock().write_all(&sealed)?,
    }
    Ok(Exit::Clean)
}

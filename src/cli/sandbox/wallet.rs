//! `silta sandbox wallet`.

use crate::cli::{Exit, Failure, Outcome, Stop};
use crate::env::{Clock as _, SystemClock};
use crate::{registry, sealing};
use clap::Parser;
use silta_elm::check::Edition;
use silta_elm::sandbox::{Sandbox, SandboxOptions};
use silta_seal::{Bounds, Trust, Verdict, Verifier};
use std::path::PathBuf;
use std::sync::Arc;

/// A simulated wallet: takes sealed credentials that hold and conform, once each, does wrong what it is told to.
#[derive(Debug, Parser)]
pub(in crate::cli) struct Args {
    /// Loopback address to serve on; port 0 for any.
    #[arg(long, default_value = "127.0.0.1:8094")]
    listen: String,
    /// File of certificates to trust; any seal that holds is taken without.
    #[arg(long, value_name = "CERT")]
    anchors: Option<PathBuf>,
    /// Profile by which credentials have to conform.
    #[arg(long, default_value = "edc-3.2")]
    profile: String,
    /// The token of whoever may take credentials back.
    #[arg(long, env = "SILTA_SANDBOX_TOKEN", hide_env_values = true, default_value = "sandbox")]
    token: String,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let mut stop = Stop::listen()?;
    let edition = Edition::of_profile(&args.profile).ok_or_else(|| Failure::usage("there is no such profile"))?;
    let mut trust = Trust::default();
    if let Some(file) = &args.anchors {
        let certificates = sealing::certificates(file).map_err(|e| Failure::usage(e.to_string()))?;
        certificates.into_iter().for_each(|anchor| trust.anchor(anchor));
    }
    let mappings = Arc::new(registry::mappings(None)?);
    let (anchored, lists) = (args.anchors.is_some(), mappings.clone());
    let seal_holds = move |document: &[u8]| {
        let verifier = Verifier { trust: &trust, mappings: &lists, lists: &[], bounds: Bounds::default() };
        let now = jiff::Timestamp::from_microsecond(SystemClock.now()).unwrap_or_default();
        match verifier.verify(document, now).verdict() {
            Verdict::Trusted => true,
            Verdict::Untrusted => !anchored,
            Verdict::Invalid => false,
        }
    };
    let options = SandboxOptions { seal_holds: Arc::new(seal_holds), mappings, token: args.token.clone(), edition };
    let listener = super::listen(&args.listen).await?;
    say!("http://{}", listener.local_addr()?);
    Arc::new(Sandbox::new(options)).serve(listener, async move { stop.requested().await }).await?;
    Ok(Exit::Clean)
}

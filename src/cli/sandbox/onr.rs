//! `silta sandbox onr`.

use crate::cli::{Exit, Outcome, Stop};
use crate::env::{Clock as _, SystemClock};
use clap::Parser;
use silta_onr::sandbox::{Person, SECRET, Sandbox};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A simulated register of learners: finds people by identity code, knows whose OID is whose and who changed. Its clients
/// have the secret `sandbox`; access tokens are given at `/token`.
#[derive(Debug, Parser)]
pub(in crate::cli) struct Args {
    /// Loopback address to serve on; port 0 for any.
    #[arg(long, default_value = "127.0.0.1:8095")]
    listen: String,
    /// A file of people to start with: an object with, for each OID, `given_names`, `family_name`, and where there is one
    /// `hetu` and the `master` it is linked to.
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let mut stop = Stop::listen()?;
    let now = || jiff::Timestamp::from_microsecond(SystemClock.now()).unwrap_or_default();
    let sandbox = Arc::new(Sandbox::new(Arc::new(now)));
    if let Some(file) = &args.people {
        let people: BTreeMap<String, Person> = serde_json::from_str(&std::fs::read_to_string(file)?)
            .map_err(|e| format!("{} holds no people by OID: line {}", file.display(), e.line()))?;
        sandbox.hold(people);
    }
    let listener = super::listen(&args.listen).await?;
    say!("http://{}", listener.local_addr()?);
    note!("client secret: {SECRET}");
    sandbox.serve(listener, async move { stop.requested().await }).await?;
    Ok(Exit::Clean)
}

//! `silta sandbox sisu`.

use crate::cli::{Exit, Outcome, Stop};
use clap::Parser;
use silta_adapter::faults::Faults as _;
use silta_sisu::sandbox::{Sandbox, SandboxOptions};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A simulated Sisu: export feeds, import that takes or refuses whole batches, faults on demand. Its users are `export`
/// and `import`; everything is in memory.
#[derive(Debug, Parser)]
pub(in crate::cli) struct Args {
    /// Loopback address to serve on; port 0 for any.
    #[arg(long, default_value = "127.0.0.1:8091")]
    listen: String,
    /// A file of entities to start with: an object with an array for each feed or list (`attainments`, `persons`,
    /// `course-units` …).
    #[arg(long, value_name = "FILE")]
    entities: Option<PathBuf>,
    /// A fault from the start, as name=value; can be repeated.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,
    /// The password of both users.
    #[arg(long, env = "SILTA_SANDBOX_PASSWORD", hide_env_values = true, default_value = "sandbox")]
    password: String,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let mut stop = Stop::listen()?;
    let user = |name: &str| (name.to_owned(), args.password.clone());
    let mut options = SandboxOptions { export: user("export"), import: user("import"), ..SandboxOptions::default() };
    for fault in &args.fault {
        options.faults.set(fault)?;
    }
    let sandbox = Arc::new(Sandbox::new(options));
    if let Some(file) = &args.entities {
        let feeds: BTreeMap<String, Vec<serde_json::Value>> = serde_json::from_str(&std::fs::read_to_string(file)?)
            .map_err(|e| format!("{} holds no entities by feed: {e}", file.display()))?;
        for (feed, entities) in feeds {
            for entity in entities {
                sandbox.put(&feed, entity);
            }
        }
    }
    let listener = super::listen(&args.listen).await?;
    say!("http://{}", listener.local_addr()?);
    sandbox.serve(listener, async move { stop.requested().await }).await?;
    Ok(Exit::Clean)
}

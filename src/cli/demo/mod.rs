//! `silta demo`: a gateway and a simulated national store with sample institutions, telling what happens.
//!
//! Everything is real but the store: documents are pushed over HTTP, loads are dropped into the store's inbox, the
//! store is its own process and is read back over SOAP. The demo can be killed at any point and started again in the
//! same directory; it goes on where it was.

mod plot;
mod store;

use super::open;
use super::serve::Running;
use super::{Exit, Failure, Outcome};
use crate::access::{self, NewToken};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::ledger::Role;
use clap::Parser;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The sample institutions: code, name, document, adapter, correction.
pub(super) const INSTITUTIONS: [Institution; 4] = [
    Institution {
        code: "02469",
        name: "Karelia University of Applied Sciences",
        document: (include_str!("../../../fixtures/demo/02469.xml"), "application/xml"),
        correction: Some((include_str!("../../../fixtures/demo/corrections/02469.xml"), "application/xml")),
        happens: "a grade is corrected",
    },
    Institution {
        code: "02473",
        name: "Kajaani University of Applied Sciences",
        document: (include_str!("../../../fixtures/demo/02473.xml"), "application/xml"),
        correction: Some((include_str!("../../../fixtures/demo/corrections/02473.ndjson"), "application/x-ndjson")),
        happens: "a course and its partial attainments turn out to be misregistered",
    },
    Institution {
        code: "10126",
        name: "LAB University of Applied Sciences",
        document: (include_str!("../../../fixtures/demo/10126.xml"), "application/xml"),
        correction: Some((include_str!("../../../fixtures/demo/corrections/10126.xml"), "application/xml")),
        happens: "the part that a module was waiting for arrives",
    },
    Institution {
        code: "02472",
        name: "Seinäjoki University of Applied Sciences",
        document: (include_str!("../../../fixtures/demo/02472.ndjson"), "application/x-ndjson"),
        correction: None,
        happens: "",
    },
];

/// A sample institution.
pub(super) struct Institution {
    code: &'static str,
    name: &'static str,
    document: (&'static str, &'static str),
    correction: Option<(&'static str, &'static str)>,
    happens: &'static str,
}

/// Run a gateway and a simulated national store with sample institutions, and tell what happens.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// Where everything is kept; a temporary directory if absent. The demo resumes in the same directory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// End when everything is consistent.
    #[arg(long)]
    once: bool,
    /// Address of the gateway; any free port of this machine if it is taken.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Give up if not consistent after this many seconds.
    #[arg(long, default_value_t = 300)]
    patience_secs: u64,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let mut stop = super::Stop::listen()?;
    let kept;
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => {
            kept = tempfile::tempdir()?;
            kept.path().to_owned()
        }
    };
    std::fs::create_dir_all(&dir)?;
    let store = store::Store::start(&dir.join("store")).await?;
    let config = write_config(&dir, &args.listen, store.url())?;
    let (gateway, ledger) = open::gateway(config).await?;
    let token = token(&gateway, &dir).await?;
    let running = Running::start(gateway.clone(), &ledger).await?;
    let address = running.address;
    say!("Gateway and console: http://{address}/   (log in with the token in {})", token_file(&dir).display());
    say!("Simulated national store: {}\n", store.url());
    let plot = plot::Plot { gateway: gateway.clone(), store: &store, address, token };
    let played = tokio::select! {
        played = tokio::time::timeout(Duration::from_secs(args.patience_secs), plot.play()) => Some(played),
        () = stop.requested() => None,
    };
    let outcome = match played {
        None => Ok(Exit::Clean),
        Some(Err(_)) => Err(Failure::from("not consistent in time; the console tells what is left")),
        Some(Ok(Err(failure))) => Err(failure),
        Some(Ok(Ok(()))) => {
            say!(
                "\nEverything is consistent: what every institution awarded is in the store, proved by reading it back."
            );
            if !args.once {
                say!("Look around at http://{address}/ — Ctrl-C ends the demo.");
                stop.requested().await;
            }
            Ok(Exit::Clean)
        }
    };
    running.stop().await;
    store.stop().await;
    outcome
}

/// Writes the configuration of the demo, as a person would, and reads it.
fn write_config(dir: &Path, listen: &str, soap: &str) -> Result<Config, Failure> {
    let free = if TcpListener::bind(listen).is_ok() { listen } else { "127.0.0.1:0" };
    let quoted = |path: PathBuf| toml::Value::String(path.display().to_string()).to_string();
    let mut text = format!(
        "# Made by `silta demo`.\n[server]\nlisten = \"{free}\"\n[store]\nurl = {}\n[vault]\nkey_file = {}\n\
         [telemetry]\nlog = \"warn\"\n[delivery]\npoll_secs = 1\nlease_secs = 10\nmax_backoff_secs = 5\nbreaker_cooldown_secs = 2\n\
         [reconcile]\nevery_secs = 2\nsettle_secs = 3\n",
        toml::Value::String(format!("sqlite:{}", dir.join("silta.db").display())),
        quoted(dir.join("silta.key")),
    );
    for Institution { code, name, .. } in &INSTITUTIONS {
        text.push_str(&format!(
            "\n[[tenant]]\ncode = \"{code}\"\nname = \"{name}\"\n\n[[connection]]\nname = \"virta-{code}\"\n\
             tenant = \"{code}\"\nadapter = \"virta\"\n[connection.settings]\ndirectory = {}\n\
             [connection.settings.soap]\nurl = \"{soap}\"\nsystem = \"silta-demo\"\ntimeout_secs = 10\n",
            quoted(dir.join("store").join("inbox")),
        ));
    }
    std::fs::write(dir.join("silta.toml"), &text)?;
    Ok(Config::from_toml(&text)?)
}

fn token_file(dir: &Path) -> PathBuf {
    dir.join("admin.token")
}

/// The demo's token: made once, kept in a private file.
async fn token(gateway: &Arc<Gateway>, dir: &Path) -> Result<String, Failure> {
    let file = token_file(dir);
    if let Ok(text) = std::fs::read_to_string(&file)
        && access::Actor::identify(gateway, text.trim()).await?.is_ok()
    {
        return Ok(text.trim().to_owned());
    }
    // A demo killed between making a token and keeping it left one that nobody knows.
    gateway.ledger.revoke_token("demo", gateway.now()).await?;
    let name = format!("demo-{}", gateway.now()).into();
    let new = NewToken { name, role: Role::Admin, tenant: None, kinds: Vec::new(), expires: None };
    let text = access::create(&*gateway.ledger, &gateway.rng, gateway.now(), new).await?;
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut out = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&file)?;
    writeln!(out, "{text}")?;
    Ok(text)
}

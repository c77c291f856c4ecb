//! `silta token`: tokens made, listed and revoked in the store itself, so that the first one can be made.

use super::open::{ConfigFile, ledger};
use super::{Exit, Failure, Outcome};
use crate::access::{self, NewToken};
use crate::env::{Clock, Rng, SystemClock};
use crate::ledger::Role;
use clap::{Parser, Subcommand};
use silta_adapter::record::RecordKind;
use smol_str::SmolStr;

/// Make, list and revoke tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token and print it; it is shown only this once.
    Create(Create),
    /// List tokens.
    List(ConfigFile),
    /// Revoke a token by its name.
    Revoke(Revoke),
}

/// Make a token and print it; it is shown only this once.
#[derive(Debug, Parser)]
pub(super) struct Create {
    #[command(flatten)]
    config: ConfigFile,
    /// Its name, unique.
    name: SmolStr,
    /// What it may do: registrar, reader, operator or admin.
    #[arg(long)]
    role: String,
    /// For which tenant; for all if absent.
    #[arg(long)]
    tenant: Option<SmolStr>,
    /// For which kinds of record; for all if absent.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// Days until it ends; never if absent.
    #[arg(long)]
    days: Option<u32>,
}

/// Revoke a token by its name.
#[derive(Debug, Parser)]
pub(super) struct Revoke {
    #[command(flatten)]
    config: ConfigFile,
    /// Its name.
    name: String,
}

pub(super) async fn run(command: &Command) -> Outcome {
    match command {
        Command::Create(args) => create(args).await,
        Command::List(config) => list(config).await,
        Command::Revoke(args) => {
            let ledger = ledger(&args.config.read()?).await?;
            if !ledger.revoke_token(&args.name, SystemClock.now()).await? {
                return Err(format!("there is no token {}", args.name).into());
            }
            say!("revoked: {}", args.name);
            Ok(Exit::Clean)
        }
    }
}

async fn create(args: &Create) -> Outcome {
    const DAY: i64 = 86_400_000_000;
    let role =
        Role::from_name(&args.role).ok_or_else(|| Failure::usage("a role is registrar, reader, operator or admin"))?;
    let kinds = args
        .kinds
        .iter()
        .map(|k| RecordKind::from_name(k).ok_or_else(|| Failure::usage(format!("there is no kind {k}"))));
    let kinds = kinds.collect::<Result<_, _>>()?;
    let config = args.config.read()?;
    if let Some(tenant) = args.tenant.as_ref().filter(|t| config.tenant(t).is_none()) {
        return Err(Failure::usage(format!("there is no tenant {tenant} in the configuration")));
    }
    if role == Role::Registrar && args.tenant.is_none() {
        return Err(Failure::usage("a registrar's token is for one tenant: give --tenant"));
    }
    let ledger = ledger(&config).await?;
    if ledger.tokens().await?.iter().any(|token| token.name == args.name) {
        return Err(format!("a token named {} was made before; choose another name", args.name).into());
    }
    let now = SystemClock.now();
    let expires = args.days.map(|days| now + i64::from(days) * DAY);
    let new = NewToken { name: args.name.clone(), role, tenant: args.tenant.clone(), kinds, expires };
    say!("{}", access::create(&*ledger, &Rng::from_system(), now, new).await?);
    Ok(Exit::Clean)
}

async fn list(config: &ConfigFile) -> Outcome {
    let ledger = ledger(&config.read()?).await?;
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["name", "role", "tenant", "kinds", "state"]);
    let now = SystemClock.now();
    for token in ledger.tokens().await? {
        let kinds: Vec<&str> = token.kinds.iter().map(|k| k.name()).collect();
        let state = match (token.revoked, token.expires) {
            (Some(_), _) => "revoked",
            (None, Some(end)) if end <= now => "expired",
            _ => "valid",
        };
        let all = || "all".to_owned();
        let tenant = token.tenant.map_or_else(all, |t| t.to_string());
        let kinds = if kinds.is_empty() { all() } else { kinds.join(", ") };
        table.add_row([token.name.to_string(), token.role.name().to_owned(), tenant, kinds, state.to_owned()]);
    }
    say!("{table}");
    Ok(Exit::Clean)
}

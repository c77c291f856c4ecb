//! The command line: one file per command.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | clean |
//! | 1 | could not (unreadable input, not consistent in time; for `check` and `verify` also "no") |
//! | 2 | usage |
//! | 3 | partial or differs (records refused, findings, `status --max-age` exceeded) |
//! | 4 | valid but untrusted |

/// Prints a line on standard output. Where nobody reads it any more the program ends quietly, as others do.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::say(format_args!($($text)*)) };
}

/// Prints a line on standard error, if anybody reads it.
macro_rules! note {
    ($($text:tt)*) => { $crate::cli::note(format_args!($($text)*)) };
}

mod adapters;
mod check;
mod client;
mod completeness;
mod convert;
mod demo;
mod doctor;
mod findings;
mod mapping;
mod migrate;
mod open;
mod push;
mod reconcile;
mod records;
mod retry;
mod route;
mod sandbox;
mod schema;
mod seal;
mod serve;
mod stack;
mod status;
mod token;
mod verify;
mod worker;

use clap::{Parser, Subcommand};
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// An interoperability gateway for study records.
#[derive(Debug, Parser)]
#[command(name = "silta", version, about, long_about = None, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Serve(serve::Args),
    /// Deliver, reconcile and watch beside other gateways on the same store, without the HTTP interface.
    Worker(worker::Args),
    /// Run a gateway and a simulated national store with sample institutions, and tell what happens.
    Demo(demo::Args),
    /// Run a simulated system.
    #[command(subcommand)]
    Sandbox(sandbox::Command),
    /// Convert a document from one format into another.
    Convert(convert::Args),
    /// Check whether a document can be read without problems.
    Check(check::Args),
    /// Seal a credential.
    Seal(seal::Args),
    /// Verify a sealed credential.
    Verify(verify::Args),
    /// Draft and test mapping files for spreadsheets, JSON and XML.
    #[command(subcommand)]
    Mapping(mapping::Command),
    /// Show how the attainments of a document add up, and what would be counted twice.
    Stack(stack::Args),
    /// Show how completely institutions document their micro-credentials.
    Completeness(completeness::Args),
    /// Push a document to a gateway.
    Push(push::Args),
    /// Show the connections of a gateway.
    Status(status::Args),
    /// Raise refused or given debts of a connection again.
    Retry(retry::Args),
    /// Read a destination back and compare it with what was sent.
    Reconcile(reconcile::Args),
    /// Show what reconciliation found.
    Findings(findings::Args),
    /// Explain which connections carry a record.
    #[command(subcommand)]
    Route(route::Command),
    /// Make, list and revoke tokens.
    #[command(subcommand)]
    Token(token::Command),
    /// Bring the store to this version's form.
    Migrate(migrate::Args),
    /// Check a configuration and its store.
    Doctor(doctor::Args),
    /// Print a JSON Schema.
    #[command(subcommand)]
    Schema(schema::Command),
    /// Print the OpenAPI description of the HTTP interface.
    Openapi,
    /// Describe the adapters: what each carries and what it loses.
    Adapters(adapters::Args),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Clean.
    Clean = 0,
    /// Could not.
    Failed = 1,
    /// Used wrongly.
    Usage = 2,
    /// Partial, or differs.
    Partial = 3,
    /// Valid, but nothing shows that it can be trusted.
    Untrusted = 4,
}

/// Why a command could not do what was asked.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }
}

impl<E: fmt::Display> From<E> for Failure {
    fn from(e: E) -> Self {
        Self { exit: Exit::Failed, message: e.to_string() }
    }
}

type Outcome = Result<Exit, Failure>;

fn say(line: fmt::Arguments<'_>) {
    if let Err(e) = writeln!(io::stdout(), "{line}") {
        if e.kind() != ErrorKind::BrokenPipe {
            note!("silta: standard output cannot be written: {e}");
        }
        std::process::exit(Exit::Failed as i32);
    }
}

fn note(line: fmt::Arguments<'_>) {
    // There is nobody left to tell that there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Runs the command line and says how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { Exit::Usage as u8 } else { Exit::Clean as u8 });
        }
    };
    let exit = run(cli.command).unwrap_or_else(|failure| {
        note!("silta: {}", failure.message);
        failure.exit
    });
    ExitCode::from(exit as u8)
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Convert(args) => convert::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Stack(args) => stack::run(&args),
        Command::Schema(command) => schema::run(&command),
        Command::Mapping(command) => mapping::run(&command),
        Command::Openapi => schema::openapi(),
        Command::Adapters(args) => adapters::run(&args),
        command => tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run_async(command)),
    }
}

async fn run_async(command: Command) -> Outcome {
    match command {
        Command::Serve(args) => serve::run(&args).await,
        Command::Worker(args) => worker::run(&args).await,
        Command::Demo(args) => demo::run(&args).await,
        Command::Sandbox(command) => sandbox::run(&command).await,
        Command::Seal(args) => seal::run(&args).await,
        Command::Verify(args) => verify::run(&args).await,
        Command::Completeness(args) => completeness::run(&args).await,
        Command::Push(args) => push::run(&args).await,
        Command::Status(args) => status::run(&args).await,
        Command::Retry(args) => retry::run(&args).await,
        Command::Reconcile(args) => reconcile::run(&args).await,
        Command::Findings(args) => findings::run(&args).await,
        Command::Route(command) => route::run(&command).await,
        Command::Token(command) => token::run(&command).await,
        Command::Migrate(args) => migrate::run(&args).await,
        Command::Doctor(args) => doctor::run(&args).await,
        Command::Convert(_)
        | Command::Check(_)
        | Command::Stack(_)
        | Command::Schema(_)
        | Command::Mapping(_)
        | Command::Openapi
        | Command::Adapters(_) => Err(Failure::usage("this command does not run here")),
    }
}

/// Ctrl-C, and requests to end. From the moment it listens neither kills the process.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

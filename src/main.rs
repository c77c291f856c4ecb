//! The `silta` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    silta::cli::main()
}

//! The gateway's own program, as this workspace builds it.

fn main() -> std::process::ExitCode {
    silta::cli::main()
}

//! The `silta` command as its users meet it: processes, streams, exit codes, signals.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

mod cli;
mod demo;
mod files;
mod koski;
mod listener;
mod mapping;
mod nodes;
mod peers;
mod process;
mod seal;
mod serve;
mod site;

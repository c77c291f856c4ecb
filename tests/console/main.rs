//! The console as its users meet it.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

mod browser;
mod looked_at;
mod pages;
mod session;
mod world;

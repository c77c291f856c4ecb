//! The console as its users meet it.

mod browser;
mod pages;
mod session;
mod world;

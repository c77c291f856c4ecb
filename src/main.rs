//! The `silta` command.
fn main() {}

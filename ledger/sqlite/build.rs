//! Tells cargo that the store changes with its migrations, which are compiled in.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}

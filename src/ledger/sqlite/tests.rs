//! The suite, and what is special to SQLite.

use super::SqliteLedger;
use crate::ledger::Ledger;
use crate::ledger::conformance::ledger_suite;
use tempfile::TempDir;

async fn open(dir: &TempDir) -> SqliteLedger {
    let path = dir.path().join("silta.db");
    let ledger = SqliteLedger::open(path.to_str().expect("a path"), true).await.expect("opened");
    ledger.migrate().await.expect("migrated");
    ledger
}

async fn empty() -> (Box<dyn Ledger>, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    (Box::new(open(&dir).await), dir)
}

ledger_suite!(suite, super::empty);

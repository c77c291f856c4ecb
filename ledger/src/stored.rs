//! How values are written in columns, the same in every database.

use crate::{LedgerError, Rejection, Result, Wanted, rank};
use silta_adapter::canonical::Digest;
use silta_adapter::problem::Severity;
use silta_adapter::record::RecordKind;
use std::collections::HashSet;

/// The number of a kind: its place in the order of sending.
pub fn kind_number(kind: RecordKind) -> i64 {
    i64::from(rank(kind))
}

/// The kind with this number.
pub fn kind_from_number(number: i64) -> Option<RecordKind> {
    RecordKind::ALL.get(usize::try_from(number).ok()?).copied()
}

/// A digest: two bytes of form, 32 of hash.
pub fn digest_bytes(digest: &Digest) -> Vec<u8> {
    [&digest.form.to_be_bytes()[..], &digest.hash].concat()
}

/// The digest these bytes are.
pub fn digest_from_bytes(bytes: &[u8]) -> Option<Digest> {
    let [a, b, hash @ ..] = <[u8; 34]>::try_from(bytes).ok()?;
    Some(Digest { form: u16::from_be_bytes([a, b]), hash })
}

/// The reason of a debt whose repair was called off before anything was ever accepted for it.
pub const CALLED_OFF: &str = "its repair was called off";

/// Rejections without those of an item that was named before.
pub fn each_item_once(rejected: &[Rejection]) -> Vec<&Rejection> {
    let mut named = HashSet::new();
    rejected.iter().filter(|one| named.insert(one.item)).collect()
}

/// The name of a severity.
pub fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// The severity with this name.
pub fn severity_from_name(name: &str) -> Option<Severity> {
    [Severity::Warning, Severity::Error].into_iter().find(|s| severity_name(*s) == name)
}

/// The name of what is wanted.
pub fn wanted_name(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Present => "present",
        Wanted::Absent => "absent",
    }
}

/// What is wanted, by its name.
pub fn wanted_from_name(name: &str) -> Option<Wanted> {
    [Wanted::Present, Wanted::Absent].into_iter().find(|w| wanted_name(*w) == name)
}

/// Checks that this version can work on a store to which these migrations were applied, and says which of its own were
/// not. Migrations are numbered by thousands: within one thousand they only add, so that the version before works on,
/// with what it knows, while newer ones are started beside it.
///
/// # Errors
/// If a migration of a later thousand was applied.
pub fn pending<'m>(applied: &[i64], known: impl Iterator<Item = (i64, &'m str)>) -> Result<Vec<String>> {
    const FORM: i64 = 1_000;
    let known: Vec<(i64, &str)> = known.collect();
    let newest = |versions: &mut dyn Iterator<Item = i64>| versions.max().unwrap_or_default() / FORM;
    if newest(&mut applied.iter().copied()) > newest(&mut known.iter().map(|(version, _)| *version)) {
        return Err(LedgerError::Store("it was made by a newer version of the gateway".into()));
    }
    let pending = known.iter().filter(|(version, _)| !applied.contains(version));
    Ok(pending.map(|(version, name)| format!("{version:04} {name}")).collect())
}

/// What a migration within a thousand does that it may not: the version before has to work on with what it left. Adding
/// is all it may do: tables, columns that may be left out, indexes; and an index may go.
pub fn takes_away(sql: &str) -> Vec<String> {
    const NEVER: [&str; 12] = [
        "DROP TABLE",
        "DROP COLUMN",
        "DROP SEQUENCE",
        "RENAME",
        "ALTER COLUMN",
        "SET NOT NULL",
        "ADD CONSTRAINT",
        "ADD CHECK",
        "CREATE UNIQUE INDEX",
        "CREATE TRIGGER",
        "TRUNCATE",
        "DELETE FROM",
    ];
    let bare: String = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .fold(String::new(), |text, line| text + " " + line);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    let statements: Vec<String> = bare.split(';').map(words).collect();
    // Nobody needs a table yet that is made here.
    let made: Vec<&str> = statements
        .iter()
        .filter_map(|statement| statement.strip_prefix("CREATE TABLE ")?.split([' ', '(']).next())
        .collect();
    let of_made = |statement: &str| {
        let about = |table: &&str| {
            statement.starts_with(&format!("ALTER TABLE {table} "))
                || (statement.starts_with("CREATE UNIQUE INDEX ") && statement.contains(&format!(" ON {table} (")))
        };
        made.iter().any(about)
    };
    let refused = |statement: &String| {
        let bare_column = statement.contains("ADD COLUMN")
            && statement.contains("NOT NULL")
            && !statement.contains("DEFAULT")
            && !statement.contains("GENERATED");
        !of_made(statement) && (bare_column || NEVER.iter().any(|never| statement.contains(never)))
    };
    statements.iter().filter(|statement| refused(statement)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::{pending, takes_away};

    #[test]
    fn what_the_version_before_needs_is_not_taken_away() {
        for sql in [
            "CREATE TABLE duty (name text PRIMARY KEY, holder text NOT NULL);",
            "CREATE TABLE one (name text);\nCREATE UNIQUE INDEX one_name ON one (name);",
            "-- DROP TABLE debt;\nALTER TABLE debt ADD COLUMN queued boolean NOT NULL DEFAULT false;\nDROP INDEX debt_owed;",
        ] {
            assert_eq!(takes_away(sql), [""; 0], "{sql}");
        }
        for sql in [
            "drop  table debt",
            "ALTER TABLE debt DROP COLUMN mark",
            "ALTER TABLE debt RENAME COLUMN mark TO dirty",
            "ALTER TABLE debt ADD COLUMN later text NOT NULL",
            "ALTER TABLE debt ALTER COLUMN mark TYPE text",
            "CREATE UNIQUE INDEX one ON debt (lane)",
        ] {
            assert_eq!(takes_away(sql).len(), 1, "{sql}");
        }
    }

    #[test]
    fn a_store_of_a_later_form_is_refused() {
        let ours = || [(1, "ledger"), (2, "duty")].into_iter();
        assert_eq!(pending(&[], ours()).expect("an empty store"), ["0001 ledger", "0002 duty"]);
        assert_eq!(pending(&[1], ours()).expect("an older one"), ["0002 duty"]);
        assert!(pending(&[1, 2, 3, 999], ours()).expect("a newer one of this form").is_empty());
        assert!(pending(&[1, 2, 1_001], ours()).is_err());
    }
}

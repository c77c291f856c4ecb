//! A whole store as rows, to be moved from one database into another: which tables there are, and what is in them.

use blake3::Hasher;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A number.
    Int,
    /// A number below 256.
    Small,
    /// Yes or no; 1 or 0 where a database has no such type.
    Flag,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// Numbers of kinds; a JSON array where a database has no arrays.
    Kinds,
}

/// A value of a column. Flags are numbers and kinds a JSON array, whatever the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// None.
    Null,
    /// A number.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [(&'static str, Type)],
    /// The columns that order it; no two rows are equal in them.
    pub key: &'static [&'static str],
}

macro_rules! tables {
    ($($name:ident by $($key:ident)+: $($column:ident $type:ident),+;)+) => {
        /// All tables of a store, but for duties, which are those of running processes.
        pub const TABLES: &[Table] = &[$(Table {
            name: stringify!($name),
            columns: &[$((stringify!($column), Type::$type)),+],
            key: &[$(stringify!($key)),+],
        }),+];
    };
}
tables! {
    content by id: id Int, learner Bytes, record Int, debt Int, bytes Bytes;
    record by id: id Int, key Bytes, tenant Text, learner Bytes, lookup Bytes, source Text, kind Small,
        institution Text, version Int, state Text, revision Int, digest Bytes, content Int;
    version by position: position Int, record Int, version Int, tenant Text, at Int, outcome Text, state Text,
        revision Int, digest Bytes, content Int;
    arrival by id: id Int, record Int, version Int, at Int, outcome Text, state Text, revision Int, digest Bytes;
    problem by id: id Int, tenant Text, origin Text, record Bytes, code Text, severity Text, fixer Text, content Int,
        opened Int, closed Int, closed_by Int;
    connection by id: id Int, name Text, paused Flag, failures Int, open_until Int, last_load Int,
        last_reconciled Int, planned_under Text;
    lane by id: id Int, connection Int, tenant Text, key Bytes, next_at Int, token Int, leased Flag, leased_until Int;
    debt by id: id Int, connection Int, record Int, learner Bytes, rank Small, turn Small, shared Flag, unsure Flag,
        mark Int, state Text, since Int, lane Int, generation Int, attempts Int, fixer Text, reason Text, wanted Text,
        wanted_digest Bytes, wanted_content Int, losses Int, sent_at Int, sent_digest Bytes, sent_content Int,
        confirmed_at Int, confirmed_digest Bytes, confirmed_content Int;
    load by id: id Int, connection Int, tenant Text, at Int, status Text, reason Text, items Int, closed Int;
    manifest by load item: load Int, item Bytes, debt Int, generation Int, digest Bytes, wanted Flag;
    attempt by id: id Int, connection Int, debt Int, load Int, at Int, took Int, verdict Text, cause Text, reason Text;
    reconciliation by id: id Int, connection Int, started Int, ended Int, summary Text;
    finding by id: id Int, reconciliation Int, connection Int, item Bytes, debt Int, kind Text, status Text,
        digest Bytes, implied_by Bytes, evidence Int, opened Int, seen Int, sightings Int, closed Int;
    link by id: id Int, tenant Text, learner Bytes, person Bytes, why Text, since Int, until Int;
    token by name: name Text, hash Bytes, role Text, tenant Text, kinds Kinds, created Int, expires Int, revoked Int;
    audit by id: id Int, at Int, actor Text, action Text, tenant Text, subject Text, detail Text;
    fact by name: name Text, value Text;
    credential by id: id Int, connection Int, place Int, tenant Text, item Bytes, generation Int, at Int, withdrawn Int,
        document Bytes;
    share by id: id Int, credential Int, hash Bytes, created Int, expires Int, revoked Int, public Flag;
}

/// What a table comes to: the number of its rows, and a digest of all of them in their order.
#[derive(Debug, Clone)]
pub struct Tally {
    rows: u64,
    hasher: Hasher,
}

impl Tally {
    /// Of no rows yet. Only tallies under the same key can be compared.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { rows: 0, hasher: Hasher::new_keyed(key) }
    }

    /// Counts a row.
    pub fn add(&mut self, row: &[Cell]) {
        self.rows += 1;
        for cell in row {
            let (kind, bytes): (u8, &[u8]) = match cell {
                Cell::Null => (0, &[]),
                Cell::Int(number) => (1, &number.to_be_bytes()),
                Cell::Text(text) => (2, text.as_bytes()),
                Cell::Bytes(bytes) => (3, bytes),
            };
            self.hasher.update(&[kind]).update(&(bytes.len() as u64).to_be_bytes()).update(bytes);
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl PartialEq for Tally {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows && self.hasher.finalize() == other.hasher.finalize()
    }
}

//! The whole file as rows, to be moved into another database.

use super::{SqliteLedger, commit, failed};
use futures_util::stream::{BoxStream, StreamExt};
use silta_ledger::dump::{Cell, Table, Type};
use silta_ledger::{LedgerError, Result};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, Sqlite, Transaction};

/// A file that is being moved: as long as this is held nobody else writes to it.
#[derive(Debug)]
pub struct Dump(Transaction<'static, Sqlite>);

impl SqliteLedger {
    /// Holds the file still to read all of it.
    ///
    /// # Errors
    /// If the store fails, or somebody writes for longer than one waits.
    pub async fn dump(&self) -> Result<Dump> {
        Ok(Dump(self.write().await?))
    }
}

impl Dump {
    /// The rows of a table, in the order of its key.
    pub fn rows<'d>(&'d mut self, table: &'static Table) -> BoxStream<'d, Result<Vec<Cell>>> {
        let columns: Vec<&str> = table.columns.iter().map(|(name, _)| expression(table.name, name)).collect();
        let sql = format!("SELECT {} FROM {} ORDER BY {}", columns.join(", "), table.name, table.key.join(", "));
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *self.0);
        rows.map(move |row| cells(table, &row.map_err(failed)?)).boxed()
    }

    /// The greatest number ever taken for a mark or a lease, and for a content.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn numbers(&mut self) -> Result<(i64, i64)> {
        sqlx::query_as("SELECT tick, content FROM sequence").fetch_one(&mut *self.0).await.map_err(failed)
    }

    /// Notes a fact, and lets others write again.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn end_with(mut self, name: &str, value: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .execute(&mut *self.0)
        .await
        .map_err(failed)?;
        commit(self.0).await
    }
}

/// A column where its form differs from that of other databases.
fn expression(table: &str, column: &'static str) -> &'static str {
    match (table, column) {
        ("lane", "leased") => "leased_until IS NOT NULL",
        ("lane", "leased_until") => "coalesce(leased_until, 0)",
        _ => column,
    }
}

fn cells(table: &'static Table, row: &SqliteRow) -> Result<Vec<Cell>> {
    let bad = |column| LedgerError::Inconsistent { table: table.name, column, row: "?".into() };
    let cells = table.columns.iter().enumerate().map(|(at, (name, kind))| {
        let cell = match kind {
            Type::Int | Type::Small | Type::Flag => row.try_get::<Option<i64>, _>(at).map(|v| v.map(Cell::Int)),
            Type::Text | Type::Kinds => row.try_get::<Option<String>, _>(at).map(|v| v.map(Cell::Text)),
            Type::Bytes => row.try_get::<Option<Vec<u8>>, _>(at).map(|v| v.map(Cell::Bytes)),
        };
        Ok(cell.map_err(|_| bad(*name))?.unwrap_or(Cell::Null))
    });
    cells.collect()
}

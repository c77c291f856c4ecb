//! A database filled with the rows of another store.

use super::{PostgresLedger, commit, failed};
use futures_util::stream::{BoxStream, StreamExt};
use silta_ledger::dump::{Cell, TABLES, Table, Type};
use silta_ledger::{LedgerError, Result};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Row, Transaction};

/// A database that is being filled, in one transaction: all of it is there in the end, or nothing.
#[derive(Debug)]
pub struct Filling(Transaction<'static, Postgres>);

impl PostgresLedger {
    /// Begins to fill the database.
    ///
    /// # Errors
    /// If there is something in it, or the store fails.
    pub async fn fill(&self) -> Result<Filling> {
        let mut tx = self.write().await?;
        for table in TABLES {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", table.name);
            if sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *tx).await.map_err(failed)? {
                return Err(LedgerError::Store(format!("the database is not empty: it has rows in {}", table.name)));
            }
        }
        Ok(Filling(tx))
    }
}

impl Filling {
    /// Adds rows to a table.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn add(&mut self, table: &'static Table, rows: &[Vec<Cell>]) -> Result<()> {
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        let numbered = || table.columns.iter().zip(1..);
        let values: Vec<String> = numbered().map(|((name, kind), _)| value(name, *kind)).collect();
        let arrays: Vec<String> = numbered().map(|((_, kind), n)| format!("${n}::{}[]", carried(*kind))).collect();
        let sql = format!(
            "INSERT INTO {} ({names}) SELECT {} FROM unnest({}) AS n ({names})",
            table.name,
            values.join(", "),
            arrays.join(", "),
            names = names.join(", ")
        );
        let query = (0..).zip(table.columns).fold(sqlx::query(AssertSqlSafe(sql)), |query, (at, (_, kind))| {
            bind(query, *kind, rows.iter().filter_map(move |row| row.get(at)))
        });
        query.execute(&mut *self.0).await.map_err(failed)?;
        Ok(())
    }

    /// The rows of a table, in the order of its key.
    pub fn rows<'f>(&'f mut self, table: &'static Table) -> BoxStream<'f, Result<Vec<Cell>>> {
        let columns: Vec<String> = table.columns.iter().map(|(name, kind)| told(name, *kind)).collect();
        let key: Vec<String> = table.key.iter().map(|name| ordered(table, name)).collect();
        let sql = format!("SELECT {} FROM {} ORDER BY {}", columns.join(", "), table.name, key.join(", "));
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *self.0);
        rows.map(move |row| cells(table, &row.map_err(failed)?)).boxed()
    }

    /// Goes on with the numbers of the other store, which gave out marks, leases and contents up to these; and commits.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn finish(mut self, tick: i64, content: i64) -> Result<()> {
        sqlx::query("SELECT setval('tick', greatest($1, 1)), setval('content_id_seq', greatest($2, 1))")
            .bind(tick)
            .bind(content)
            .execute(&mut *self.0)
            .await
            .map_err(failed)?;
        let last = "SELECT setval('feed', coalesce((SELECT max(position) FROM version), 0) + 1)";
        sqlx::query(last).execute(&mut *self.0).await.map_err(failed)?;
        for table in TABLES.iter().filter(|table| table.key == ["id"] && table.name != "content") {
            let sql = format!("SELECT setval('{0}_id_seq', coalesce((SELECT max(id) FROM {0}), 0) + 1)", table.name);
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *self.0).await.map_err(failed)?;
        }
        commit(self.0).await
    }
}

/// The type a column travels in.
fn carried(kind: Type) -> &'static str {
    match kind {
        Type::Int | Type::Small | Type::Flag => "bigint",
        Type::Text | Type::Kinds => "text",
        Type::Bytes => "bytea",
    }
}

/// A column as it is stored, from what travelled.
fn value(name: &str, kind: Type) -> String {
    match kind {
        Type::Small => format!("n.{name}::smallint"),
        Type::Flag => format!("n.{name} <> 0"),
        Type::Kinds => format!("ARRAY(SELECT jsonb_array_elements_text(n.{name}::jsonb)::smallint)"),
        Type::Int | Type::Text | Type::Bytes => format!("n.{name}"),
    }
}

/// A column as it is told, from what is stored.
fn told(name: &str, kind: Type) -> String {
    match kind {
        Type::Small => format!("{name}::bigint"),
        Type::Flag => format!("{name}::int::bigint"),
        Type::Kinds => format!("array_to_json({name})::text"),
        Type::Int | Type::Text | Type::Bytes => name.to_owned(),
    }
}

/// A column to order by: text goes by its bytes.
fn ordered(table: &Table, name: &str) -> String {
    let text = table.columns.iter().any(|(column, kind)| *column == name && *kind == Type::Text);
    format!("{name}{}", if text { " COLLATE \"C\"" } else { "" })
}

type Statement = Query<'static, Postgres, PgArguments>;

fn bind<'c>(query: Statement, kind: Type, cells: impl Iterator<Item = &'c Cell>) -> Statement {
    match kind {
        Type::Int | Type::Small | Type::Flag => {
            let number = |cell: &Cell| if let Cell::Int(number) = cell { Some(*number) } else { None };
            query.bind(cells.map(number).collect::<Vec<_>>())
        }
        Type::Text | Type::Kinds => {
            let text = |cell: &Cell| if let Cell::Text(text) = cell { Some(text.clone()) } else { None };
            query.bind(cells.map(text).collect::<Vec<_>>())
        }
        Type::Bytes => {
            let bytes = |cell: &Cell| if let Cell::Bytes(bytes) = cell { Some(bytes.clone()) } else { None };
            query.bind(cells.map(bytes).collect::<Vec<_>>())
        }
    }
}

fn cells(table: &'static Table, row: &PgRow) -> Result<Vec<Cell>> {
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

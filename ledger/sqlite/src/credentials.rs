//! Credentials and links to them.

use super::rows::Cells;
use super::{SqliteLedger, commit, connection_id, failed};
use async_trait::async_trait;
use silta_ledger::{Credentials, Issued, Issuing, Link, Micros, NewLink, RecordId, Result};
use sqlx::sqlite::SqliteRow;

/// Columns of a credential `c` with its connection `n`.
macro_rules! issued_columns {
    () => {
        "c.id, c.tenant, n.name AS connection, c.item, c.generation, c.place, c.at, c.withdrawn, c.document
         FROM credential c JOIN connection n ON n.id = c.connection"
    };
}

fn issued(row: &SqliteRow) -> Result<Issued> {
    let cells = Cells::new("credential", row);
    Ok(Issued {
        id: cells.get("id")?,
        tenant: cells.text("tenant")?,
        connection: cells.text("connection")?,
        item: RecordId(cells.bytes("item")?),
        generation: cells.get("generation")?,
        place: cells.get("place")?,
        at: cells.get("at")?,
        withdrawn: cells.get("withdrawn")?,
        document: cells.get("document")?,
    })
}

fn link(row: &SqliteRow) -> Result<Link> {
    let cells = Cells::new("link", row);
    Ok(Link {
        id: cells.get("id")?,
        credential: cells.get("credential")?,
        created: cells.get("created")?,
        expires: cells.get("expires")?,
        revoked: cells.get("revoked")?,
        public: cells.get("public")?,
    })
}

#[async_trait]
impl Credentials for SqliteLedger {
    async fn issue(&self, issuing: &Issuing) -> Result<Issued> {
        let mut tx = self.write().await?;
        let connection = connection_id(&mut tx, &issuing.connection).await?;
        sqlx::query(
            "INSERT INTO credential (connection, place, tenant, item, generation, at)
             VALUES (?1, (SELECT coalesce(max(place) + 1, 0) FROM credential WHERE connection = ?1), ?2, ?3, ?4, ?5)
             ON CONFLICT (connection, item, generation) DO NOTHING",
        )
        .bind(connection)
        .bind(&*issuing.tenant)
        .bind(issuing.item.0.to_vec())
        .bind(issuing.generation)
        .bind(issuing.at)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        let row = sqlx::query(concat!(
            "SELECT ",
            issued_columns!(),
            " WHERE c.connection = ? AND c.item = ? AND c.generation = ?"
        ))
        .bind(connection)
        .bind(issuing.item.0.to_vec())
        .bind(issuing.generation)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await?;
        issued(&row)
    }

    async fn keep_document(&self, credential: i64, document: &[u8]) -> Result<bool> {
        let mut tx = self.write().await?;
        let kept = sqlx::query("UPDATE credential SET document = ? WHERE id = ? AND document IS NULL")
            .bind(document)
            .bind(credential)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        commit(tx).await?;
        Ok(kept.rows_affected() > 0)
    }

    async fn issued(&self, credential: i64) -> Result<Option<Issued>> {
        let query = sqlx::query(concat!("SELECT ", issued_columns!(), " WHERE c.id = ?")).bind(credential);
        query.fetch_optional(&mut *self.read().await?).await.map_err(failed)?.as_ref().map(issued).transpose()
    }

    async fn issued_of(&self, item: RecordId) -> Result<Vec<Issued>> {
        let query = sqlx::query(concat!("SELECT ", issued_columns!(), " WHERE c.item = ? ORDER BY c.id"));
        let rows = query.bind(item.0.to_vec()).fetch_all(&mut *self.read().await?).await.map_err(failed)?;
        rows.iter().map(issued).collect()
    }

    async fn withdraw_issued(&self, credential: i64, at: Micros) -> Result<bool> {
        let mut tx = self.write().await?;
        let withdrawn = sqlx::query("UPDATE credential SET withdrawn = ? WHERE id = ? AND withdrawn IS NULL")
            .bind(at)
            .bind(credential)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        commit(tx).await?;
        Ok(withdrawn.rows_affected() > 0)
    }

    async fn withdrawn(&self, connection: &str, after: Option<i64>, limit: u32) -> Result<Vec<i64>> {
        let query = sqlx::query_scalar(
            "SELECT place FROM credential
             WHERE connection = (SELECT id FROM connection WHERE name = ?) AND withdrawn IS NOT NULL AND place > ?
             ORDER BY place LIMIT ?",
        );
        let query = query.bind(connection).bind(after.unwrap_or(-1)).bind(limit);
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)
    }

    async fn add_link(&self, link: &NewLink) -> Result<i64> {
        let mut tx = self.write().await?;
        let id = sqlx::query_scalar(
            "INSERT INTO link (credential, hash, created, expires, public) VALUES (?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(link.credential)
        .bind(link.hash.to_vec())
        .bind(link.created)
        .bind(link.expires)
        .bind(link.public)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await?;
        Ok(id)
    }

    async fn link(&self, hash: &[u8; 32]) -> Result<Option<Link>> {
        let query = sqlx::query("SELECT * FROM link WHERE hash = ? AND revoked IS NULL").bind(hash.to_vec());
        query.fetch_optional(&mut *self.read().await?).await.map_err(failed)?.as_ref().map(link).transpose()
    }

    async fn links_of(&self, credential: i64) -> Result<Vec<Link>> {
        let query = sqlx::query("SELECT * FROM link WHERE credential = ? ORDER BY id").bind(credential);
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(link).collect()
    }

    async fn revoke_link(&self, credential: i64, link: i64, at: Micros) -> Result<bool> {
        let mut tx = self.write().await?;
        let revoked = sqlx::query("UPDATE link SET revoked = ? WHERE id = ? AND credential = ? AND revoked IS NULL")
            .bind(at)
            .bind(link)
            .bind(credential)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        commit(tx).await?;
        Ok(revoked.rows_affected() > 0)
    }
}

//! Credentials and links to them.

use super::{PostgresLedger, commit, connection_id, failed};
use async_trait::async_trait;
use silta_ledger::rows::IssuedRow;
use silta_ledger::{Credentials, Issued, Issuing, Micros, NewShare, RecordId, Result, Share};

#[async_trait]
impl Credentials for PostgresLedger {
    async fn issue(&self, issuing: &Issuing) -> Result<Issued> {
        let mut tx = self.write().await?;
        let connection = connection_id(&mut tx, &issuing.connection).await?;
        // Places are given one after the other.
        sqlx::query!("SELECT id FROM connection WHERE id = $1 FOR UPDATE", connection)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
        sqlx::query!(
            "INSERT INTO credential (connection, place, tenant, item, generation, at)
             VALUES ($1, (SELECT coalesce(max(place) + 1, 0) FROM credential WHERE connection = $1), $2, $3, $4, $5)
             ON CONFLICT (connection, item, generation) DO NOTHING",
            connection,
            &*issuing.tenant,
            &issuing.item.0[..],
            issuing.generation,
            issuing.at
        )
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        let found = sqlx::query_as!(
            IssuedRow,
            "SELECT c.id, c.tenant, n.name AS connection, c.item, c.generation, c.place, c.at, c.withdrawn, c.document
             FROM credential c JOIN connection n ON n.id = c.connection
             WHERE c.connection = $1 AND c.item = $2 AND c.generation = $3",
            connection,
            &issuing.item.0[..],
            issuing.generation
        )
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await?;
        found.read()
    }

    async fn keep_document(&self, credential: i64, document: &[u8]) -> Result<bool> {
        let kept = sqlx::query!(
            "UPDATE credential SET document = $1 WHERE id = $2 AND document IS NULL",
            document,
            credential
        );
        Ok(kept.execute(&self.pool).await.map_err(failed)?.rows_affected() > 0)
    }

    async fn issued(&self, credential: i64) -> Result<Option<Issued>> {
        let query = sqlx::query_as!(
            IssuedRow,
            "SELECT c.id, c.tenant, n.name AS connection, c.item, c.generation, c.place, c.at, c.withdrawn, c.document
             FROM credential c JOIN connection n ON n.id = c.connection WHERE c.id = $1",
            credential
        );
        query.fetch_optional(&self.pool).await.map_err(failed)?.map(IssuedRow::read).transpose()
    }

    async fn issued_of(&self, item: RecordId) -> Result<Vec<Issued>> {
        let query = sqlx::query_as!(
            IssuedRow,
            "SELECT c.id, c.tenant, n.name AS connection, c.item, c.generation, c.place, c.at, c.withdrawn, c.document
             FROM credential c JOIN connection n ON n.id = c.connection WHERE c.item = $1 ORDER BY c.id",
            &item.0[..]
        );
        query.fetch_all(&self.pool).await.map_err(failed)?.into_iter().map(IssuedRow::read).collect()
    }

    async fn withdraw_issued(&self, credential: i64, at: Micros) -> Result<bool> {
        let withdrawn =
            sqlx::query!("UPDATE credential SET withdrawn = $1 WHERE id = $2 AND withdrawn IS NULL", at, credential);
        Ok(withdrawn.execute(&self.pool).await.map_err(failed)?.rows_affected() > 0)
    }

    async fn withdrawn(&self, connection: &str, after: Option<i64>, limit: u32) -> Result<Vec<i64>> {
        let query = sqlx::query_scalar!(
            "SELECT c.place FROM credential c JOIN connection n ON n.id = c.connection
             WHERE n.name = $1 AND c.withdrawn IS NOT NULL AND c.place > $2 ORDER BY c.place LIMIT $3",
            connection,
            after.unwrap_or(-1),
            i64::from(limit)
        );
        query.fetch_all(&self.pool).await.map_err(failed)
    }

    async fn add_share(&self, link: &NewShare) -> Result<i64> {
        let query = sqlx::query_scalar!(
            "INSERT INTO share (credential, hash, created, expires, public) VALUES ($1, $2, $3, $4, $5) RETURNING id",
            link.credential,
            &link.hash[..],
            link.created,
            link.expires,
            link.public
        );
        query.fetch_one(&self.pool).await.map_err(failed)
    }

    async fn share(&self, hash: &[u8; 32]) -> Result<Option<Share>> {
        let query = sqlx::query_as!(
            Share,
            "SELECT id, credential, created, expires, revoked, public FROM share WHERE hash = $1 AND revoked IS NULL",
            &hash[..]
        );
        query.fetch_optional(&self.pool).await.map_err(failed)
    }

    async fn shares_of(&self, credential: i64) -> Result<Vec<Share>> {
        let query = sqlx::query_as!(
            Share,
            "SELECT id, credential, created, expires, revoked, public FROM share WHERE credential = $1 ORDER BY id",
            credential
        );
        query.fetch_all(&self.pool).await.map_err(failed)
    }

    async fn revoke_share(&self, credential: i64, link: i64, at: Micros) -> Result<bool> {
        let revoked = sqlx::query!(
            "UPDATE share SET revoked = $1 WHERE id = $2 AND credential = $3 AND revoked IS NULL",
            at,
            link,
            credential
        );
        Ok(revoked.execute(&self.pool).await.map_err(failed)?.rows_affected() > 0)
    }
}

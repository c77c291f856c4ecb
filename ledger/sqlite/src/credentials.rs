//! Credentials and links to them.

use super::{SqliteLedger, commit, connection_id, failed};
use async_trait::async_trait;
use silta_ledger::rows::IssuedRow;
use silta_ledger::{Credentials, Issued, Issuing, Micros, NewShare, RecordId, Result, Share};

macro_rules! select_issued {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            IssuedRow,
            r#"SELECT c.id AS "id!", c.tenant AS "tenant!", n.name AS "connection!", c.item AS "item!",
                c.generation AS "generation!", c.place AS "place!", c.at AS "at!", c.withdrawn, c.document
             FROM credential c JOIN connection n ON n.id = c.connection "# + $rest
            $(, $parameter)*
        )
    };
}

macro_rules! select_shares {
    ($rest:tt $(, $parameter:expr)*) => {
        sqlx::query_as!(
            Share,
            r#"SELECT id AS "id!", credential AS "credential!", created AS "created!", expires AS "expires!", revoked,
                public AS "public!: bool" FROM share "# + $rest
            $(, $parameter)*
        )
    };
}

#[async_trait]
impl Credentials for SqliteLedger {
    async fn issue(&self, issuing: &Issuing) -> Result<Issued> {
        let mut tx = self.write().await?;
        let connection = connection_id(&mut tx, &issuing.connection).await?;
        sqlx::query!(
            "INSERT INTO credential (connection, place, tenant, item, generation, at)
             VALUES (?1, (SELECT coalesce(max(place) + 1, 0) FROM credential WHERE connection = ?1), ?2, ?3, ?4, ?5)
             ON CONFLICT (connection, item, generation) DO NOTHING",
            connection,
            &*issuing.tenant,
            issuing.item.0.to_vec(),
            issuing.generation,
            issuing.at
        )
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        let issued = select_issued!(
            "WHERE c.connection = ? AND c.item = ? AND c.generation = ?",
            connection,
            issuing.item.0.to_vec(),
            issuing.generation
        );
        let issued = issued.fetch_one(&mut *tx).await.map_err(failed)?;
        commit(tx).await?;
        issued.read()
    }

    async fn keep_document(&self, credential: i64, document: &[u8]) -> Result<bool> {
        let mut tx = self.write().await?;
        let query =
            sqlx::query!("UPDATE credential SET document = ? WHERE id = ? AND document IS NULL", document, credential);
        let kept = query.execute(&mut *tx).await.map_err(failed)?;
        commit(tx).await?;
        Ok(kept.rows_affected() > 0)
    }

    async fn issued(&self, credential: i64) -> Result<Option<Issued>> {
        let query = select_issued!("WHERE c.id = ?", credential);
        let found = query.fetch_optional(&mut *self.read().await?).await.map_err(failed)?;
        found.map(IssuedRow::read).transpose()
    }

    async fn issued_of(&self, item: RecordId) -> Result<Vec<Issued>> {
        let query = select_issued!("WHERE c.item = ? ORDER BY c.id", item.0.to_vec());
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.into_iter().map(IssuedRow::read).collect()
    }

    async fn withdraw_issued(&self, credential: i64, at: Micros) -> Result<bool> {
        let mut tx = self.write().await?;
        let query =
            sqlx::query!("UPDATE credential SET withdrawn = ? WHERE id = ? AND withdrawn IS NULL", at, credential);
        let withdrawn = query.execute(&mut *tx).await.map_err(failed)?;
        commit(tx).await?;
        Ok(withdrawn.rows_affected() > 0)
    }

    async fn withdrawn(&self, connection: &str, after: Option<i64>, limit: u32) -> Result<Vec<i64>> {
        let query = sqlx::query_scalar!(
            "SELECT place FROM credential
             WHERE connection = (SELECT id FROM connection WHERE name = ?) AND withdrawn IS NOT NULL AND place > ?
             ORDER BY place LIMIT ?",
            connection,
            after.unwrap_or(-1),
            limit
        );
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)
    }

    async fn add_share(&self, share: &NewShare) -> Result<i64> {
        let mut tx = self.write().await?;
        let query = sqlx::query_scalar!(
            r#"INSERT INTO share (credential, hash, created, expires, public) VALUES (?, ?, ?, ?, ?)
             RETURNING id AS "id!""#,
            share.credential,
            share.hash.to_vec(),
            share.created,
            share.expires,
            share.public
        );
        let id = query.fetch_one(&mut *tx).await.map_err(failed)?;
        commit(tx).await?;
        Ok(id)
    }

    async fn share(&self, hash: &[u8; 32]) -> Result<Option<Share>> {
        let query = select_shares!("WHERE hash = ? AND revoked IS NULL", hash.to_vec());
        query.fetch_optional(&mut *self.read().await?).await.map_err(failed)
    }

    async fn shares_of(&self, credential: i64) -> Result<Vec<Share>> {
        let query = select_shares!("WHERE credential = ? ORDER BY id", credential);
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)
    }

    async fn revoke_share(&self, credential: i64, share: i64, at: Micros) -> Result<bool> {
        let mut tx = self.write().await?;
        let query = sqlx::query!(
            "UPDATE share SET revoked = ? WHERE id = ? AND credential = ? AND revoked IS NULL",
            at,
            share,
            credential
        );
        let revoked = query.execute(&mut *tx).await.map_err(failed)?;
        commit(tx).await?;
        Ok(revoked.rows_affected() > 0)
    }
}

//! Tokens, audit, small facts.

use super::rows::insert_rows;
use super::{SqliteLedger, commit, failed};
use async_trait::async_trait;
use silta_ledger::rows::{AuditRow, row};
use silta_ledger::stored::kind_number;
use silta_ledger::{Access, AuditEntry, LedgerError, Micros, Result, Role, Token};

/// A token as it is read.
struct TokenRow {
    name: String,
    hash: Vec<u8>,
    role: String,
    tenant: Option<String>,
    kinds: String,
    created: i64,
    expires: Option<i64>,
    revoked: Option<i64>,
}

impl TokenRow {
    fn read(self) -> Result<Token> {
        let at = row("token", 0);
        let numbers: Vec<i64> = serde_json::from_str(&self.kinds).map_err(|_| at.bad("kinds"))?;
        Ok(Token {
            name: self.name.into(),
            hash: at.bytes("hash", &self.hash)?,
            role: at.named("role", &self.role, Role::from_name)?,
            tenant: self.tenant.map(Into::into),
            kinds: numbers.into_iter().map(|number| at.kind(number)).collect::<Result<_>>()?,
            created: self.created,
            expires: self.expires,
            revoked: self.revoked,
        })
    }
}

#[async_trait]
impl Access for SqliteLedger {
    async fn add_token(&self, token: &Token) -> Result<()> {
        let kinds: Vec<i64> = token.kinds.iter().map(|kind| kind_number(*kind)).collect();
        let kinds = serde_json::to_string(&kinds).map_err(|e| LedgerError::Store(e.to_string()))?;
        let mut tx = self.write().await?;
        sqlx::query!(
            "INSERT INTO token (name, hash, role, tenant, kinds, created, expires, revoked)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, role = excluded.role, tenant = excluded.tenant,
                kinds = excluded.kinds, created = excluded.created, expires = excluded.expires,
                revoked = excluded.revoked",
            &*token.name,
            token.hash.to_vec(),
            token.role.name(),
            token.tenant.as_deref(),
            kinds,
            token.created,
            token.expires,
            token.revoked
        )
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await
    }

    async fn token(&self, hash: &[u8; 32]) -> Result<Option<Token>> {
        let query = sqlx::query_as!(
            TokenRow,
            r#"SELECT name AS "name!", hash AS "hash!", role AS "role!", tenant, kinds AS "kinds!",
                created AS "created!", expires, revoked
            FROM token WHERE hash = ? AND revoked IS NULL"#,
            hash.to_vec()
        );
        query.fetch_optional(&mut *self.read().await?).await.map_err(failed)?.map(TokenRow::read).transpose()
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        let query = sqlx::query_as!(
            TokenRow,
            r#"SELECT name AS "name!", hash AS "hash!", role AS "role!", tenant, kinds AS "kinds!",
                created AS "created!", expires, revoked
            FROM token ORDER BY name"#
        );
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.into_iter().map(TokenRow::read).collect()
    }

    async fn revoke_token(&self, name: &str, at: Micros) -> Result<bool> {
        let mut tx = self.write().await?;
        let revoked = sqlx::query!("UPDATE token SET revoked = ? WHERE name = ? AND revoked IS NULL", at, name)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        commit(tx).await?;
        Ok(revoked.rows_affected() > 0)
    }

    async fn audit(&self, entries: &[AuditEntry]) -> Result<()> {
        let mut tx = self.write().await?;
        insert_rows!(
            &mut tx,
            entries,
            |entry| "INSERT INTO audit (at, actor, action, tenant, subject, detail)",
            "(?, ?, ?, ?, ?, ?)",
            "",
            entry.at,
            &*entry.actor,
            &*entry.action,
            &*entry.tenant,
            &*entry.subject,
            &*entry.detail,
        );
        commit(tx).await
    }

    async fn audited(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>> {
        let rows = sqlx::query_as!(
            AuditRow,
            r#"SELECT id AS "id!", at AS "at!", actor AS "actor!", action AS "action!", tenant AS "tenant!",
                subject AS "subject!", detail AS "detail!"
            FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?"#,
            before.unwrap_or(i64::MAX),
            limit
        );
        rows.fetch_all(&mut *self.read().await?).await.map_err(failed)?.into_iter().map(AuditRow::read).collect()
    }

    async fn fact(&self, name: &str) -> Result<Option<String>> {
        let query = sqlx::query_scalar!(r#"SELECT value AS "value!" FROM fact WHERE name = ?"#, name);
        query.fetch_optional(&mut *self.read().await?).await.map_err(failed)
    }

    async fn set_fact(&self, name: &str, value: &str) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query!(
            "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            value
        )
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await
    }

    async fn hold(&self, duty: &str, holder: &str, now: Micros, until: Micros) -> Result<bool> {
        let mut tx = self.write().await?;
        let held = sqlx::query!(
            "INSERT INTO duty (name, holder, until) VALUES (?1, ?2, ?4)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
             WHERE holder = excluded.holder OR until < ?3",
            duty,
            holder,
            now,
            until
        )
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await?;
        Ok(held.rows_affected() > 0)
    }

    async fn release(&self, duty: &str, holder: &str) -> Result<()> {
        let mut tx = self.write().await?;
        let query = sqlx::query!("DELETE FROM duty WHERE name = ? AND holder = ?", duty, holder);
        query.execute(&mut *tx).await.map_err(failed)?;
        commit(tx).await
    }

    async fn ready(&self) -> Result<()> {
        let query = sqlx::query_scalar!(r#"SELECT id AS "id!" FROM sequence"#);
        query.fetch_one(&mut *self.read().await?).await.map_err(failed)?;
        Ok(())
    }
}

//! Tokens, audit, small facts.

use super::rows::kind_numbers;
use super::{PostgresLedger, failed};
use async_trait::async_trait;
use silta_ledger::rows::{AuditRow, row};
use silta_ledger::{Access, AuditEntry, Micros, Result, Role, Token};

/// A token as it is read.
struct TokenRow {
    name: String,
    hash: Vec<u8>,
    role: String,
    tenant: Option<String>,
    kinds: Vec<i16>,
    created: i64,
    expires: Option<i64>,
    revoked: Option<i64>,
}

impl TokenRow {
    fn read(self) -> Result<Token> {
        let at = row("token", 0);
        Ok(Token {
            name: self.name.into(),
            hash: at.bytes("hash", &self.hash)?,
            role: at.named("role", &self.role, Role::from_name)?,
            tenant: self.tenant.map(Into::into),
            kinds: self.kinds.into_iter().map(|number| at.kind(number.into())).collect::<Result<_>>()?,
            created: self.created,
            expires: self.expires,
            revoked: self.revoked,
        })
    }
}

#[async_trait]
impl Access for PostgresLedger {
    async fn add_token(&self, token: &Token) -> Result<()> {
        sqlx::query!(
            "INSERT INTO token (name, hash, role, tenant, kinds, created, expires, revoked)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, role = excluded.role, tenant = excluded.tenant,
                kinds = excluded.kinds, created = excluded.created, expires = excluded.expires,
                revoked = excluded.revoked",
            &*token.name,
            &token.hash[..],
            token.role.name(),
            token.tenant.as_deref(),
            &kind_numbers(&token.kinds),
            token.created,
            token.expires,
            token.revoked
        )
        .execute(&self.pool)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn token(&self, hash: &[u8; 32]) -> Result<Option<Token>> {
        let query = sqlx::query_as!(
            TokenRow,
            "SELECT name, hash, role, tenant, kinds, created, expires, revoked FROM token
             WHERE hash = $1 AND revoked IS NULL",
            &hash[..]
        );
        query.fetch_optional(&self.pool).await.map_err(failed)?.map(TokenRow::read).transpose()
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        let query = sqlx::query_as!(
            TokenRow,
            r#"SELECT name, hash, role, tenant, kinds, created, expires, revoked FROM token ORDER BY name COLLATE "C""#
        );
        query.fetch_all(&self.pool).await.map_err(failed)?.into_iter().map(TokenRow::read).collect()
    }

    async fn revoke_token(&self, name: &str, at: Micros) -> Result<bool> {
        let revoked = sqlx::query!("UPDATE token SET revoked = $1 WHERE name = $2 AND revoked IS NULL", at, name)
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(revoked.rows_affected() > 0)
    }

    async fn audit(&self, entries: &[AuditEntry]) -> Result<()> {
        let column = |of: fn(&AuditEntry) -> &str| entries.iter().map(|e| of(e).to_owned()).collect::<Vec<_>>();
        let times: Vec<i64> = entries.iter().map(|e| e.at).collect();
        sqlx::query!(
            "INSERT INTO audit (at, actor, action, tenant, subject, detail)
             SELECT n.at, n.actor, n.action, n.tenant, n.subject, n.detail
             FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
                AS n (at, actor, action, tenant, subject, detail, turn) ORDER BY n.turn",
            &times,
            &column(|e| &e.actor),
            &column(|e| &e.action),
            &column(|e| &e.tenant),
            &column(|e| &e.subject),
            &column(|e| &e.detail)
        )
        .execute(&self.pool)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn audited(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>> {
        let rows = sqlx::query_as!(
            AuditRow,
            "SELECT id, at, actor, action, tenant, subject, detail FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
            before.unwrap_or(i64::MAX),
            i64::from(limit)
        );
        rows.fetch_all(&self.pool).await.map_err(failed)?.into_iter().map(AuditRow::read).collect()
    }

    async fn fact(&self, name: &str) -> Result<Option<String>> {
        let query = sqlx::query_scalar!("SELECT value FROM fact WHERE name = $1", name);
        query.fetch_optional(&self.pool).await.map_err(failed)
    }

    async fn set_fact(&self, name: &str, value: &str) -> Result<()> {
        sqlx::query!(
            "INSERT INTO fact (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            value
        )
        .execute(&self.pool)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn hold(&self, duty: &str, holder: &str, now: Micros, until: Micros) -> Result<bool> {
        let held = sqlx::query!(
            "INSERT INTO duty (name, holder, until) VALUES ($1, $2, $4)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
             WHERE duty.holder = excluded.holder OR duty.until < $3",
            duty,
            holder,
            now,
            until
        )
        .execute(&self.pool)
        .await
        .map_err(failed)?;
        Ok(held.rows_affected() > 0)
    }

    async fn release(&self, duty: &str, holder: &str) -> Result<()> {
        sqlx::query!("DELETE FROM duty WHERE name = $1 AND holder = $2", duty, holder)
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn ready(&self) -> Result<()> {
        sqlx::query_scalar!(r#"SELECT 1 AS "one!" FROM fact LIMIT 1"#)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

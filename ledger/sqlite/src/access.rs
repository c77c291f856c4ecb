//! Tokens, audit, small facts.

use super::rows::{Cells, insert_rows, kind_number};
use super::{SqliteLedger, commit, failed};
use async_trait::async_trait;
use silta_adapter::record::RecordKind;
use silta_ledger::{Access, AuditEntry, LedgerError, Micros, Result, Role, Token};
use sqlx::sqlite::SqliteRow;

pub(super) const AUDITED: &str = "SELECT id, at, actor, action, tenant, subject, detail FROM audit
    WHERE id < ? ORDER BY id DESC LIMIT ?";

fn token(row: &SqliteRow) -> Result<Token> {
    let cells = Cells::new("token", row);
    let numbers: Vec<usize> = serde_json::from_str(cells.get("kinds")?).map_err(|_| cells.bad("kinds"))?;
    let kind = |number: &usize| RecordKind::ALL.get(*number).copied().ok_or_else(|| cells.bad("kinds"));
    Ok(Token {
        name: cells.text("name")?,
        hash: cells.bytes("hash")?,
        role: cells.named("role", Role::from_name)?,
        tenant: cells.opt_text("tenant")?,
        kinds: numbers.iter().map(kind).collect::<Result<_>>()?,
        created: cells.get("created")?,
        expires: cells.get("expires")?,
        revoked: cells.get("revoked")?,
    })
}

fn audit_entry(row: &SqliteRow) -> Result<AuditEntry> {
    let cells = Cells::new("audit", row);
    Ok(AuditEntry {
        id: cells.get("id")?,
        at: cells.get("at")?,
        actor: cells.text("actor")?,
        action: cells.text("action")?,
        tenant: cells.text("tenant")?,
        subject: cells.text("subject")?,
        detail: cells.get("detail")?,
    })
}

#[async_trait]
impl Access for SqliteLedger {
    async fn add_token(&self, token: &Token) -> Result<()> {
        let kinds: Vec<i64> = token.kinds.iter().map(|kind| kind_number(*kind)).collect();
        let kinds = serde_json::to_string(&kinds).map_err(|e| LedgerError::Store(e.to_string()))?;
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO token (name, hash, role, tenant, kinds, created, expires, revoked)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, role = excluded.role, tenant = excluded.tenant,
                kinds = excluded.kinds, created = excluded.created, expires = excluded.expires,
                revoked = excluded.revoked",
        )
        .bind(&*token.name)
        .bind(token.hash.to_vec())
        .bind(token.role.name())
        .bind(token.tenant.as_deref())
        .bind(kinds)
        .bind(token.created)
        .bind(token.expires)
        .bind(token.revoked)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await
    }

    async fn token(&self, hash: &[u8; 32]) -> Result<Option<Token>> {
        let query = sqlx::query("SELECT * FROM token WHERE hash = ? AND revoked IS NULL").bind(hash.to_vec());
        query.fetch_optional(&mut *self.read().await?).await.map_err(failed)?.as_ref().map(token).transpose()
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        let query = sqlx::query("SELECT * FROM token ORDER BY name");
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(token).collect()
    }

    async fn revoke_token(&self, name: &str, at: Micros) -> Result<bool> {
        let mut tx = self.write().await?;
        let revoked = sqlx::query("UPDATE token SET revoked = ? WHERE name = ? AND revoked IS NULL")
            .bind(at)
            .bind(name)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        commit(tx).await?;
        Ok(revoked.rows_affected() > 0)
    }

    async fn audit(&self, entries: &[AuditEntry]) -> Result<()> {
        let mut tx = self.write().await?;
        let head = "INSERT INTO audit (at, actor, action, tenant, subject, detail) ";
        insert_rows(&mut tx, head, "", entries, |row, entry| {
            row.push_bind(entry.at)
                .push_bind(entry.actor.to_string())
                .push_bind(entry.action.to_string())
                .push_bind(entry.tenant.to_string())
                .push_bind(entry.subject.to_string())
                .push_bind(entry.detail.clone());
        })
        .await?;
        commit(tx).await
    }

    async fn audited(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>> {
        let query = sqlx::query(AUDITED).bind(before.unwrap_or(i64::MAX)).bind(limit);
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(audit_entry).collect()
    }

    async fn fact(&self, name: &str) -> Result<Option<String>> {
        let query = sqlx::query_scalar("SELECT value FROM fact WHERE name = ?").bind(name);
        query.fetch_optional(&mut *self.read().await?).await.map_err(failed)
    }

    async fn set_fact(&self, name: &str, value: &str) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await
    }

    async fn ready(&self) -> Result<()> {
        sqlx::query("SELECT 1 FROM sequence").fetch_one(&mut *self.read().await?).await.map_err(failed)?;
        Ok(())
    }
}

//! Which learners are one person.

use super::rows::{Cells, hex};
use super::{SqliteLedger, commit, failed};
use async_trait::async_trait;
use silta_ledger::{Identification, LearnerId, LedgerError, Link, Links, Micros, PersonId, Result};
use sqlx::sqlite::SqliteRow;

/// What is known, as a parameter `?1`: a list of learner, person (empty for none) and why.
macro_rules! with_known {
    ($statement:literal) => {
        concat!(
            "WITH known AS (SELECT unhex(value ->> 0) AS learner, unhex(value ->> 1) AS person, value ->> 2 AS why
                FROM json_each(?1)) ",
            $statement
        )
    };
}

fn link(row: &SqliteRow) -> Result<Link> {
    let cells = Cells::new("link", row);
    Ok(Link {
        learner: LearnerId(cells.bytes("learner")?),
        person: PersonId(cells.bytes("person")?),
        why: cells.text("why")?,
        since: cells.get("since")?,
        until: cells.get("until")?,
    })
}

#[async_trait]
impl Links for SqliteLedger {
    async fn link(&self, tenant: &str, at: Micros, known: &[Identification]) -> Result<u64> {
        let person = |one: &Identification| one.person.map(|person| hex(&person.0)).unwrap_or_default();
        let rows: Vec<(String, String, &str)> =
            known.iter().map(|one| (hex(&one.learner.0), person(one), one.why.as_str())).collect();
        let known = serde_json::to_string(&rows).map_err(|e| LedgerError::Store(e.to_string()))?;
        let mut tx = self.write().await?;
        let undone: i64 = sqlx::query_scalar(with_known!(
            "SELECT count(*) FROM known JOIN link ON link.tenant = ?2 AND link.learner = known.learner
                AND link.until IS NULL WHERE length(known.person) = 0"
        ))
        .bind(&known)
        .bind(tenant)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        sqlx::query(with_known!(
            "UPDATE link SET until = ?2 FROM known
             WHERE link.tenant = ?3 AND link.until IS NULL AND link.learner = known.learner
                AND link.person <> known.person"
        ))
        .bind(&known)
        .bind(at)
        .bind(tenant)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        let made = sqlx::query(with_known!(
            "INSERT INTO link (tenant, learner, person, why, since)
             SELECT ?3, learner, person, why, ?2 FROM known
             WHERE length(person) > 0 AND NOT EXISTS (SELECT 1 FROM link
                WHERE link.tenant = ?3 AND link.learner = known.learner AND link.until IS NULL)"
        ))
        .bind(&known)
        .bind(at)
        .bind(tenant)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await?;
        Ok(made.rows_affected() + undone.cast_unsigned())
    }

    async fn same_person(&self, tenant: &str, learner: LearnerId) -> Result<Vec<LearnerId>> {
        let query = sqlx::query(
            "SELECT same.learner FROM link JOIN link AS same ON same.tenant = link.tenant AND same.person = link.person
                AND same.until IS NULL
             WHERE link.tenant = ? AND link.learner = ? AND link.until IS NULL ORDER BY same.learner",
        );
        let rows =
            query.bind(tenant).bind(learner.0.to_vec()).fetch_all(&mut *self.read().await?).await.map_err(failed)?;
        let same: Vec<LearnerId> =
            rows.iter().map(|row| Ok(LearnerId(Cells::new("link", row).bytes("learner")?))).collect::<Result<_>>()?;
        Ok(if same.is_empty() { vec![learner] } else { same })
    }

    async fn links_of(&self, tenant: &str, learner: LearnerId) -> Result<Vec<Link>> {
        let query = sqlx::query("SELECT * FROM link WHERE tenant = ? AND learner = ? ORDER BY id");
        let query = query.bind(tenant).bind(learner.0.to_vec());
        query.fetch_all(&mut *self.read().await?).await.map_err(failed)?.iter().map(link).collect()
    }
}

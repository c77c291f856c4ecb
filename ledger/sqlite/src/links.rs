//! Which learners are one person.

use super::rows::hex;
use super::{SqliteLedger, commit, failed};
use async_trait::async_trait;
use silta_ledger::rows::row;
use silta_ledger::{Identification, LearnerId, LedgerError, Link, Links, Micros, PersonId, Result};

#[async_trait]
impl Links for SqliteLedger {
    async fn link(&self, tenant: &str, at: Micros, known: &[Identification]) -> Result<u64> {
        // A list of learner, person (empty for none) and why.
        let person = |one: &Identification| one.person.map(|person| hex(&person.0)).unwrap_or_default();
        let rows: Vec<(String, String, &str)> =
            known.iter().map(|one| (hex(&one.learner.0), person(one), one.why.as_str())).collect();
        let known = serde_json::to_string(&rows).map_err(|e| LedgerError::Store(e.to_string()))?;
        let mut tx = self.write().await?;
        let undone = sqlx::query_scalar!(
            r#"SELECT count(*) AS "undone!: i64" FROM json_each(?1) known JOIN link ON link.tenant = ?2
                AND link.learner = unhex(known.value ->> 0) AND link.until IS NULL WHERE known.value ->> 1 = ''"#,
            known,
            tenant
        )
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        sqlx::query!(
            "UPDATE link SET until = ?2 FROM json_each(?1) known
             WHERE link.tenant = ?3 AND link.until IS NULL AND link.learner = unhex(known.value ->> 0)
                AND link.person <> unhex(known.value ->> 1)",
            known,
            at,
            tenant
        )
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        let made = sqlx::query!(
            "INSERT INTO link (tenant, learner, person, why, since)
             SELECT ?3, unhex(known.value ->> 0), unhex(known.value ->> 1), known.value ->> 2, ?2
             FROM json_each(?1) known WHERE known.value ->> 1 <> '' AND NOT EXISTS (SELECT 1 FROM link
                WHERE link.tenant = ?3 AND link.learner = unhex(known.value ->> 0) AND link.until IS NULL)",
            known,
            at,
            tenant
        )
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await?;
        Ok(made.rows_affected() + undone.cast_unsigned())
    }

    async fn same_person(&self, tenant: &str, learner: LearnerId) -> Result<Vec<LearnerId>> {
        let found = sqlx::query_scalar!(
            r#"SELECT same.learner AS "learner!" FROM link JOIN link AS same ON same.tenant = link.tenant
                AND same.person = link.person AND same.until IS NULL
             WHERE link.tenant = ? AND link.learner = ? AND link.until IS NULL ORDER BY same.learner"#,
            tenant,
            learner.0.to_vec()
        );
        let found = found.fetch_all(&mut *self.read().await?).await.map_err(failed)?;
        let learner_of = |bytes: &Vec<u8>| Ok(LearnerId(row("link", 0).bytes("learner", bytes)?));
        let same: Vec<LearnerId> = found.iter().map(learner_of).collect::<Result<_>>()?;
        Ok(if same.is_empty() { vec![learner] } else { same })
    }

    async fn links_of(&self, tenant: &str, learner: LearnerId) -> Result<Vec<Link>> {
        let found = sqlx::query!(
            "SELECT id, learner, person, why, since, until FROM link WHERE tenant = ? AND learner = ? ORDER BY id",
            tenant,
            learner.0.to_vec()
        );
        let found = found.fetch_all(&mut *self.read().await?).await.map_err(failed)?;
        let link = found.into_iter().map(|found| {
            let at = row("link", found.id);
            Ok(Link {
                learner: LearnerId(at.bytes("learner", &found.learner)?),
                person: PersonId(at.bytes("person", &found.person)?),
                why: found.why.into(),
                since: found.since,
                until: found.until,
            })
        });
        link.collect()
    }
}

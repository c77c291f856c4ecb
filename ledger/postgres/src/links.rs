//! Which learners are one person.

use super::{PostgresLedger, commit, failed};
use async_trait::async_trait;
use silta_ledger::rows::row;
use silta_ledger::{Identification, LearnerId, Link, Links, Micros, PersonId, Result};

#[async_trait]
impl Links for PostgresLedger {
    async fn link(&self, tenant: &str, at: Micros, known: &[Identification]) -> Result<u64> {
        let learners: Vec<Vec<u8>> = known.iter().map(|one| one.learner.0.to_vec()).collect();
        let persons: Vec<Vec<u8>> =
            known.iter().map(|one| one.person.map(|person| person.0.to_vec()).unwrap_or_default()).collect();
        let why: Vec<String> = known.iter().map(|one| one.why.to_string()).collect();
        let mut tx = self.write().await?;
        let undone = sqlx::query!(
            r#"UPDATE link SET until = $2
               FROM unnest($3::bytea[], $4::bytea[]) AS n (learner, person)
               WHERE link.tenant = $1 AND link.until IS NULL AND link.learner = n.learner AND link.person <> n.person
               RETURNING length(n.person) = 0 AS "only!""#,
            tenant,
            at,
            &learners,
            &persons
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(failed)?;
        let made = sqlx::query!(
            "INSERT INTO link (tenant, learner, person, why, since)
             SELECT $1, n.learner, n.person, n.why, $2
             FROM unnest($3::bytea[], $4::bytea[], $5::text[]) WITH ORDINALITY AS n (learner, person, why, turn)
             WHERE length(n.person) > 0 AND NOT EXISTS (SELECT 1 FROM link AS o
                WHERE o.tenant = $1 AND o.learner = n.learner AND o.until IS NULL)
             ORDER BY n.turn
             ON CONFLICT DO NOTHING",
            tenant,
            at,
            &learners,
            &persons,
            &why
        )
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        commit(tx).await?;
        Ok(made.rows_affected() + undone.iter().filter(|row| row.only).count() as u64)
    }

    async fn same_person(&self, tenant: &str, learner: LearnerId) -> Result<Vec<LearnerId>> {
        let rows = sqlx::query_scalar!(
            "SELECT same.learner FROM link JOIN link AS same ON same.tenant = link.tenant AND same.person = link.person
                AND same.until IS NULL
             WHERE link.tenant = $1 AND link.learner = $2 AND link.until IS NULL ORDER BY same.learner",
            tenant,
            &learner.0[..]
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        let at = row("link", 0);
        let same: Vec<LearnerId> =
            rows.iter().map(|bytes| Ok(LearnerId(at.bytes("learner", bytes)?))).collect::<Result<_>>()?;
        Ok(if same.is_empty() { vec![learner] } else { same })
    }

    async fn links_of(&self, tenant: &str, learner: LearnerId) -> Result<Vec<Link>> {
        let rows = sqlx::query_as!(
            LinkRow,
            "SELECT id, person, why, since, until FROM link WHERE tenant = $1 AND learner = $2 ORDER BY id",
            tenant,
            &learner.0[..]
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        let link = |found: LinkRow| {
            Ok(Link {
                learner,
                person: PersonId(row("link", found.id).bytes("person", &found.person)?),
                why: found.why.into(),
                since: found.since,
                until: found.until,
            })
        };
        rows.into_iter().map(link).collect()
    }
}

/// A link as it is read.
struct LinkRow {
    id: i64,
    person: Vec<u8>,
    why: String,
    since: i64,
    until: Option<i64>,
}

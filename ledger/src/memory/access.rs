//! Tokens, audit, facts.

use super::*;

#[async_trait]
impl Access for MemoryLedger {
    async fn add_token(&self, token: &Token) -> Result<()> {
        self.rows().tokens.insert(token.name.clone(), token.clone());
        Ok(())
    }

    async fn token(&self, hash: &[u8; 32]) -> Result<Option<Token>> {
        Ok(self.rows().tokens.values().find(|t| t.hash == *hash && t.revoked.is_none()).cloned())
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        Ok(self.rows().tokens.values().cloned().collect())
    }

    async fn revoke_token(&self, name: &str, at: Micros) -> Result<bool> {
        let mut rows = self.rows();
        let Some(token) = rows.tokens.get_mut(name).filter(|t| t.revoked.is_none()) else { return Ok(false) };
        token.revoked = Some(at);
        Ok(true)
    }

    async fn audit(&self, entries: &[AuditEntry]) -> Result<()> {
        let mut rows = self.rows();
        for entry in entries {
            let id = rows.next();
            rows.audit.insert(id, AuditEntry { id, ..entry.clone() });
        }
        Ok(())
    }

    async fn audited(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>> {
        let rows = self.rows();
        Ok(page(rows.audit.range(..before.unwrap_or(i64::MAX)).rev().map(|(_, entry)| entry.clone()), limit))
    }

    async fn fact(&self, name: &str) -> Result<Option<String>> {
        Ok(self.rows().facts.get(name).cloned())
    }

    async fn set_fact(&self, name: &str, value: &str) -> Result<()> {
        self.rows().facts.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}

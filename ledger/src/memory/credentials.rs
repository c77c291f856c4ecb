//! Credentials and links to them.

use super::*;

#[async_trait]
impl Credentials for MemoryLedger {
    async fn issue(&self, issuing: &Issuing) -> Result<Issued> {
        let mut rows = self.rows();
        let Issuing { tenant, connection, item, generation, at } = issuing.clone();
        let same = |c: &&Issued| c.connection == connection && c.item == item && c.generation == generation;
        if let Some(there) = rows.credentials.values().find(same) {
            return Ok(there.clone());
        }
        let place = rows.credentials.values().filter(|c| c.connection == connection).count() as i64;
        let id = rows.next();
        let issued = Issued { id, tenant, connection, item, generation, place, at, withdrawn: None, document: None };
        rows.credentials.insert(id, issued.clone());
        Ok(issued)
    }

    async fn keep_document(&self, credential: i64, document: &[u8]) -> Result<bool> {
        let mut rows = self.rows();
        let Some(issued) = rows.credentials.get_mut(&credential).filter(|c| c.document.is_none()) else {
            return Ok(false);
        };
        issued.document = Some(document.to_vec());
        Ok(true)
    }

    async fn issued(&self, credential: i64) -> Result<Option<Issued>> {
        Ok(self.rows().credentials.get(&credential).cloned())
    }

    async fn issued_of(&self, item: RecordId) -> Result<Vec<Issued>> {
        Ok(self.rows().credentials.values().filter(|c| c.item == item).cloned().collect())
    }

    async fn withdraw_issued(&self, credential: i64, at: Micros) -> Result<bool> {
        let mut rows = self.rows();
        let Some(issued) = rows.credentials.get_mut(&credential).filter(|c| c.withdrawn.is_none()) else {
            return Ok(false);
        };
        issued.withdrawn = Some(at);
        Ok(true)
    }

    async fn withdrawn(&self, connection: &str, after: Option<i64>, limit: u32) -> Result<Vec<i64>> {
        let rows = self.rows();
        let wanted = |c: &&Issued| {
            c.connection == connection && c.withdrawn.is_some() && after.is_none_or(|after| c.place > after)
        };
        let mut places: Vec<i64> = rows.credentials.values().filter(wanted).map(|c| c.place).collect();
        places.sort_unstable();
        Ok(page(places.into_iter(), limit))
    }

    async fn add_share(&self, link: &NewShare) -> Result<i64> {
        let mut rows = self.rows();
        let id = rows.next();
        let NewShare { credential, hash, created, expires, public } = *link;
        rows.shares.insert(id, (hash, Share { id, credential, created, expires, revoked: None, public }));
        Ok(id)
    }

    async fn share(&self, hash: &[u8; 32]) -> Result<Option<Share>> {
        let rows = self.rows();
        let found = rows.shares.values().find(|(own, link)| own == hash && link.revoked.is_none());
        Ok(found.map(|(_, link)| link.clone()))
    }

    async fn shares_of(&self, credential: i64) -> Result<Vec<Share>> {
        let rows = self.rows();
        Ok(rows.shares.values().filter(|(_, l)| l.credential == credential).map(|(_, l)| l.clone()).collect())
    }

    async fn revoke_share(&self, credential: i64, link: i64, at: Micros) -> Result<bool> {
        let mut rows = self.rows();
        let found = rows.shares.get_mut(&link).filter(|(_, l)| l.credential == credential && l.revoked.is_none());
        let Some((_, link)) = found else { return Ok(false) };
        link.revoked = Some(at);
        Ok(true)
    }
}

//! Credentials that were issued, and links to them.

use super::*;

impl Reference {
    pub(crate) fn issue(&mut self, issuing: &Issuing) -> Issued {
        let Issuing { tenant, connection, item, generation, at } = issuing.clone();
        let same = |c: &&Issued| c.connection == connection && c.item == item && c.generation == generation;
        if let Some(there) = self.credentials.iter().find(same) {
            return there.clone();
        }
        let id = self.number();
        let place = self.credentials.iter().filter(|c| c.connection == connection).count() as i64;
        let issued = Issued { id, tenant, connection, item, generation, place, at, withdrawn: None, document: None };
        self.credentials.push(issued.clone());
        issued
    }

    pub(crate) fn keep_document(&mut self, credential: i64, document: &[u8]) -> bool {
        let without = |c: &&mut Issued| c.id == credential && c.document.is_none();
        self.credentials.iter_mut().find(without).map(|c| c.document = Some(document.to_vec())).is_some()
    }

    pub(crate) fn withdraw_issued(&mut self, credential: i64, at: Micros) -> bool {
        let valid = |c: &&mut Issued| c.id == credential && c.withdrawn.is_none();
        self.credentials.iter_mut().find(valid).map(|c| c.withdrawn = Some(at)).is_some()
    }

    pub(crate) fn withdrawn(&self, connection: &str) -> Vec<i64> {
        let gone = self.credentials.iter().filter(|c| c.connection == connection && c.withdrawn.is_some());
        let mut places: Vec<i64> = gone.map(|c| c.place).collect();
        places.sort_unstable();
        places
    }

    pub(crate) fn add_share(&mut self, new: &NewShare) -> i64 {
        let id = self.number();
        let NewShare { credential, hash, created, expires, public } = *new;
        self.shares.push((hash, Share { id, credential, created, expires, revoked: None, public }));
        id
    }

    pub(crate) fn share(&self, hash: &[u8; 32]) -> Option<Share> {
        let stands = self.shares.iter().find(|(of, share)| of == hash && share.revoked.is_none());
        stands.map(|(_, share)| share.clone())
    }

    pub(crate) fn shares_of(&self, credential: i64) -> Vec<Share> {
        self.shares.iter().filter(|(_, s)| s.credential == credential).map(|(_, s)| s.clone()).collect()
    }

    pub(crate) fn revoke_share(&mut self, credential: i64, share: i64, at: Micros) -> bool {
        let stands = |s: &&mut Share| s.id == share && s.credential == credential && s.revoked.is_none();
        self.shares.iter_mut().map(|(_, s)| s).find(stands).map(|s| s.revoked = Some(at)).is_some()
    }
}

//! Who learners are, and the credentials that were issued: done to both, and what both tell of them.

use super::*;
use std::collections::BTreeSet;

impl World<'_> {
    pub(super) async fn link(&mut self, tenant: usize, known: &[(u8, Option<u8>, &str)]) -> Checked {
        let mut told = BTreeSet::new();
        let once = known.iter().filter(|(n, ..)| told.insert(*n));
        let identification = |(n, person, why): &(u8, Option<u8>, &str)| Identification {
            learner: learner(*n),
            person: person.map(|n| PersonId([n; 16])),
            why: (*why).into(),
        };
        let known: Vec<Identification> = once.map(identification).collect();
        let theirs = self.ledger.link(TENANTS[tenant], self.now, &known).await.expect("linked");
        same("link", &[self.reference.link(TENANTS[tenant], self.now, &known)], &[theirs])
    }

    pub(super) async fn issue(&mut self, number: usize, item: u8, generation: i64) -> Checked {
        let tenant = TENANTS[usize::from(item == RECORDS)].into();
        let issuing = Issuing { tenant, connection: name_of(number), item: id(item), generation, at: self.now };
        let theirs = self.ledger.issue(&issuing).await.expect("issued");
        let ours = self.reference.issue(&issuing);
        self.credentials.pair("credential", ours.id, theirs.id)?;
        same("issue", &[Issued { id: theirs.id, ..ours }], &[theirs])
    }

    pub(super) async fn keep_document(&mut self, credential: usize, document: u8) -> Checked {
        let Some(ours) = self.issued(credential) else { return Ok(()) };
        let kept = self.ledger.keep_document(self.credentials.theirs(ours), &[document]).await.expect("kept");
        same("keep_document", &[self.reference.keep_document(ours, &[document])], &[kept])
    }

    pub(super) async fn withdraw_issued(&mut self, credential: usize) -> Checked {
        let Some(ours) = self.issued(credential) else { return Ok(()) };
        let theirs = self.ledger.withdraw_issued(self.credentials.theirs(ours), self.now).await.expect("withdrawn");
        same("withdraw_issued", &[self.reference.withdraw_issued(ours, self.now)], &[theirs])
    }

    pub(super) async fn add_share(&mut self, credential: usize, public: bool) -> Checked {
        let Some(ours) = self.issued(credential) else { return Ok(()) };
        let hash = [self.reference.shares.len() as u8; 32];
        let new = NewShare { credential: ours, hash, created: self.now, expires: self.now + 5, public };
        let theirs = NewShare { credential: self.credentials.theirs(ours), ..new.clone() };
        let theirs = self.ledger.add_share(&theirs).await.expect("added");
        let ours = self.reference.add_share(&new);
        self.shares.pair("share", ours, theirs)
    }

    pub(super) async fn revoke_share(&mut self, credential: usize, share: usize) -> Checked {
        let Some(credential) = self.issued(credential) else { return Ok(()) };
        let Some(share) = choose(&self.reference.shares, share).map(|(_, s)| s.id) else { return Ok(()) };
        let (of, link) = (self.credentials.theirs(credential), self.shares.theirs(share));
        let theirs = self.ledger.revoke_share(of, link, self.now).await.expect("revoked");
        same("revoke_share", &[self.reference.revoke_share(credential, share, self.now)], &[theirs])
    }

    fn issued(&self, number: usize) -> Option<i64> {
        choose(&self.reference.credentials, number).map(|c| c.id)
    }

    pub(super) async fn same_people(&self) -> Checked {
        for (tenant, n) in TENANTS.into_iter().flat_map(|tenant| (1..4).map(move |n| (tenant, n))) {
            let theirs = self.ledger.same_person(tenant, learner(n)).await.expect("asked");
            same("same_person", &self.reference.same_person(tenant, learner(n)), &theirs)?;
            let theirs = self.ledger.links_of(tenant, learner(n)).await.expect("history");
            same("links_of", &self.reference.links_of(tenant, learner(n)), &theirs)?;
        }
        Ok(())
    }

    pub(super) async fn same_credentials(&self) -> Checked {
        let (ledger, reference) = (self.ledger, &self.reference);
        for n in 1..=RECORDS {
            let of = reference.credentials.iter().filter(|c| c.item == id(n));
            let ours: Vec<Issued> = of.map(|c| Issued { id: self.credentials.theirs(c.id), ..c.clone() }).collect();
            same("issued_of", &ours, &ledger.issued_of(id(n)).await.expect("read"))?;
            for issued in &ours {
                let theirs = ledger.issued(issued.id).await.expect("read");
                same("issued", &[Some(issued)], &[theirs.as_ref()])?;
            }
        }
        for connection in connections().map(|target| target.connection) {
            let theirs = ledger.withdrawn(&connection, None, ALL).await.expect("read");
            same("withdrawn", &reference.withdrawn(&connection), &theirs)?;
        }
        let shown =
            |s: Share| Share { id: self.shares.theirs(s.id), credential: self.credentials.theirs(s.credential), ..s };
        for credential in &reference.credentials {
            let ours: Vec<Share> = reference.shares_of(credential.id).into_iter().map(shown).collect();
            let theirs = ledger.shares_of(self.credentials.theirs(credential.id)).await.expect("read");
            same("shares_of", &ours, &theirs)?;
        }
        for (hash, _) in &reference.shares {
            let theirs = ledger.share(hash).await.expect("read");
            same("share", &[reference.share(hash).map(shown)], &[theirs])?;
        }
        Ok(())
    }
}

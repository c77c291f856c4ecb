//! Which learners are one person.

use super::*;

#[async_trait]
impl Links for MemoryLedger {
    async fn link(&self, tenant: &str, at: Micros, known: &[Identification]) -> Result<u64> {
        let mut rows = self.rows();
        let mut changed = 0;
        for one in known {
            let links = rows.links.entry((tenant.into(), one.learner)).or_default();
            let standing = links.iter_mut().find(|link| link.until.is_none());
            if standing.as_ref().map(|link| link.person) == one.person {
                continue;
            }
            changed += 1;
            if let Some(standing) = standing {
                standing.until = Some(at);
            }
            if let Some(person) = one.person {
                links.push(Link { learner: one.learner, person, why: one.why.clone(), since: at, until: None });
            }
        }
        Ok(changed)
    }

    async fn same_person(&self, tenant: &str, learner: LearnerId) -> Result<Vec<LearnerId>> {
        let rows = self.rows();
        let person = |links: &Vec<Link>| links.iter().find(|link| link.until.is_none()).map(|link| link.person);
        let Some(who) = rows.links.get(&(tenant.into(), learner)).and_then(person) else { return Ok(vec![learner]) };
        let same = rows.links.iter().filter(|((of, _), links)| of == tenant && person(links) == Some(who));
        Ok(same.map(|((_, learner), _)| *learner).collect())
    }

    async fn links_of(&self, tenant: &str, learner: LearnerId) -> Result<Vec<Link>> {
        Ok(self.rows().links.get(&(tenant.into(), learner)).cloned().unwrap_or_default())
    }
}

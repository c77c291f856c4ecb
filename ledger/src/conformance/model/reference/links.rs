//! Which learners are one person.

use super::*;

impl Reference {
    pub(crate) fn link(&mut self, tenant: &str, at: Micros, known: &[Identification]) -> u64 {
        let mut changed = 0;
        for Identification { learner, person, why } in known.iter().cloned() {
            if self.person(tenant, learner) == person {
                continue;
            }
            let ends =
                |(of, link): &&mut (SmolStr, Link)| of == tenant && link.learner == learner && link.until.is_none();
            for (_, link) in self.links.iter_mut().filter(ends) {
                link.until = Some(at);
            }
            if let Some(person) = person {
                self.links.push((tenant.into(), Link { learner, person, why, since: at, until: None }));
            }
            changed += 1;
        }
        changed
    }

    /// Who a learner is now.
    pub(crate) fn person(&self, tenant: &str, learner: LearnerId) -> Option<PersonId> {
        self.links_of(tenant, learner).iter().find(|link| link.until.is_none()).map(|link| link.person)
    }

    pub(crate) fn same_person(&self, tenant: &str, learner: LearnerId) -> Vec<LearnerId> {
        let Some(person) = self.person(tenant, learner) else { return vec![learner] };
        let all = self.links.iter().filter(|(of, link)| of == tenant && link.until.is_none() && link.person == person);
        let mut same: Vec<LearnerId> = all.map(|(_, link)| link.learner).collect();
        same.sort_unstable();
        same
    }

    pub(crate) fn links_of(&self, tenant: &str, learner: LearnerId) -> Vec<Link> {
        let theirs = self.links.iter().filter(|(of, link)| of == tenant && link.learner == learner);
        theirs.map(|(_, link)| link.clone()).collect()
    }
}

//! Learners across systems: which of a tenant's learners are one person.
//!
//! Each register knows its own learners, and records stay under its keys. Beside them lies a dated overlay of links
//! ([`crate::ledger::Links`]), made from identifiers and, where there is one, a register of identities, and undone when
//! those say otherwise. [`mod@persons`] decides; here is what it decides from, and who asks what is known of a person.

mod changes;
pub mod persons;
mod run;

pub use changes::keep_up;
pub use run::start;

use crate::delivery::plan::new_problem;
use crate::delivery::{DeliveryError, items};
use crate::gateway::Gateway;
use crate::ledger::{Identification, LearnerId, NewProblem, ProblemReading, RecordId};
use persons::{Known, Who, persons};
use silta_adapter::adapter::{Identity, NotRead, People, PersonQuery};
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::record::{Body, Identifier, Record, RecordKind};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// How many learners one page of the walk has.
const PAGE: u32 = 500;

/// Origin of the problems told here.
const ORIGIN: &str = "identity";

/// What became of a look at learners of a tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Learners looked at.
    pub learners: usize,
    /// Those who are known to be a person.
    pub known: usize,
    /// Those of whom nothing could be concluded, because their identifiers contradict each other.
    pub contradictions: usize,
    /// Those whose links changed.
    pub changed: u64,
}

/// Looking failed; the links stay as they were.
#[derive(Debug, thiserror::Error)]
pub enum NotLooked {
    /// The ledger or the vault failed.
    #[error(transparent)]
    Gateway(#[from] DeliveryError),
    /// The register of identities could not be asked.
    #[error(transparent)]
    Register(#[from] NotRead),
}

impl From<crate::ledger::LedgerError> for NotLooked {
    fn from(e: crate::ledger::LedgerError) -> Self {
        Self::Gateway(e.into())
    }
}

/// A learner as records tell of her.
struct Told {
    id: LearnerId,
    /// Her own records.
    records: Vec<RecordId>,
    query: PersonQuery,
}

/// Whom a look is about who does not look at everybody.
#[derive(Debug, Default)]
struct News {
    /// Learners of whom there is news in the ledger.
    learners: HashSet<LearnerId>,
    /// Identifiers of which there is news in the register.
    identifiers: Vec<Identifier>,
}

/// Looks at all learners of a tenant, asks the register if there is one, and brings the links up to date: all of them or
/// none.
///
/// # Errors
/// If the ledger or the register fails.
pub async fn look(gateway: &Gateway, tenant: &str, people: Option<&dyn People>) -> Result<Looked, NotLooked> {
    look_at(gateway, tenant, people, None).await
}

/// Looks at the learners whom news concerns, or at all of them.
async fn look_at(
    gateway: &Gateway,
    tenant: &str,
    people: Option<&dyn People>,
    news: Option<&News>,
) -> Result<Looked, NotLooked> {
    let all = all(gateway, tenant).await?;
    let (told, known): (Vec<&Told>, Vec<Known>) = match news {
        None => {
            let told: Vec<&Told> = all.iter().collect();
            let known = ask(people, &told).await?;
            (told, known)
        }
        Some(news) => {
            let asked = ask_about(gateway, tenant, people, &all, news).await?;
            asked.into_iter().map(|(at, known)| (&all[at], known)).unzip()
        }
    };
    let who = persons(&known);
    let at = gateway.now();
    let identification = |(told, who): (&&Told, &Who)| Identification {
        learner: told.id,
        person: match who {
            Who::Person(mark) => Some(gateway.vault.person_id(tenant, mark)),
            Who::Alone | Who::Contradiction => None,
        },
        why: if people.is_some() { "register" } else { "identifiers" }.into(),
    };
    let identifications: Vec<Identification> = told.iter().zip(&who).map(identification).collect();
    let changed = gateway.ledger.link(tenant, at, &identifications).await?;
    tell(gateway, tenant, &told, &who).await?;
    let count = |wanted: fn(&&Who) -> bool| who.iter().filter(wanted).count();
    Ok(Looked {
        learners: told.len(),
        known: count(|who| matches!(who, Who::Person(_))),
        contradictions: count(|who| **who == Who::Contradiction),
        changed,
    })
}

/// What is known of each learner.
async fn ask(people: Option<&dyn People>, told: &[&Told]) -> Result<Vec<Known>, NotLooked> {
    let mut known: Vec<Known> = Vec::with_capacity(told.len());
    let batch = people.map_or(told.len(), People::batch).max(1);
    for page in told.chunks(batch) {
        let queries: Vec<PersonQuery> = page.iter().map(|told| told.query.clone()).collect();
        let said = match people {
            Some(people) => people.identify(&queries).await?,
            None => vec![Vec::new(); queries.len()],
        };
        let pairs = queries.into_iter().zip(said);
        known.extend(pairs.map(|(query, said)| Known { identifiers: query.identifiers, said }));
    }
    Ok(known)
}

/// What is known of the learners whom news concerns, by their places: of whoever shares an identifier, or a link that
/// stands, with one of them, and with whom the register says now that they are.
async fn ask_about(
    gateway: &Gateway,
    tenant: &str,
    people: Option<&dyn People>,
    told: &[Told],
    news: &News,
) -> Result<BTreeMap<usize, Known>, NotLooked> {
    let of_person = |mark: &str| format!("person {}", gateway.vault.person_id(tenant, mark));
    let mut marks: Vec<BTreeSet<String>> = Vec::with_capacity(told.len());
    for one in told {
        let links = gateway.ledger.links_of(tenant, one.id).await?;
        let standing = links.iter().filter(|link| link.until.is_none()).map(|link| format!("person {}", link.person));
        marks.push(persons::marks_of(&one.query.identifiers).chain(standing).collect());
    }
    let mut named: BTreeSet<String> = persons::marks_of(&news.identifiers).collect();
    let mut asked: BTreeMap<usize, Known> = BTreeMap::new();
    loop {
        let persons: BTreeSet<String> = named.iter().map(|mark| of_person(mark)).collect();
        let about = |at: usize| {
            news.learners.contains(&told[at].id) || !marks[at].is_disjoint(&named) || !marks[at].is_disjoint(&persons)
        };
        let concerned = persons::concerned(&marks, about);
        let next: Vec<usize> = (0..told.len()).filter(|at| concerned[*at] && !asked.contains_key(at)).collect();
        if next.is_empty() {
            return Ok(asked);
        }
        let known = ask(people, &next.iter().map(|at| &told[*at]).collect::<Vec<_>>()).await?;
        for said in known.iter().flat_map(|known| &known.said) {
            if let (_, Identity::Person(master)) = said {
                named.insert(persons::mark(master));
            }
        }
        asked.extend(next.into_iter().zip(known));
    }
}

async fn all(gateway: &Gateway, tenant: &str) -> Result<Vec<Told>, DeliveryError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = gateway.ledger.learners(tenant, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(*last);
        for id in page {
            let mut told = Told { id, records: Vec::new(), query: PersonQuery::default() };
            for stored in gateway.ledger.records_of(tenant, id).await? {
                let content = stored.content.as_ref().filter(|_| stored.kind == RecordKind::Learner);
                let Some(content) = content.filter(|_| !stored.state.is_tombstone()) else { continue };
                told.records.push(stored.id);
                for record in items::open_item(gateway, content)? {
                    let Some(Body::Learner(body)) = record.body else { continue };
                    told.query.identifiers.extend(body.identifiers.0);
                    told.query.given_names = told.query.given_names.or(body.given_names);
                    told.query.family_name = told.query.family_name.or(body.family_name);
                }
            }
            all.push(told);
        }
    }
}

/// Tells of contradictions, and that those of before are gone.
async fn tell(gateway: &Gateway, tenant: &str, told: &[&Told], who: &[Who]) -> Result<(), DeliveryError> {
    let text = "the identifiers of this learner lead to two people, or the register says that they are somebody else's; \
                nothing was linked";
    let problem = Problem::new("identity_contradiction", Severity::Warning, Fixer::Operator, text);
    let records = || told.iter().zip(who).flat_map(|(told, who)| told.records.iter().map(move |record| (*record, who)));
    let problems: Vec<NewProblem> = records()
        .filter(|(_, who)| **who == Who::Contradiction)
        .map(|(record, _)| new_problem(&gateway.vault, Some(record), &problem))
        .collect();
    let reading = ProblemReading {
        tenant: tenant.into(),
        at: gateway.now(),
        origin: ORIGIN.into(),
        records: records().map(|(record, _)| record).collect(),
        problems,
    };
    Ok(gateway.ledger.settle_problems(&reading).await?)
}

/// All records of the person that a learner is: her own, and those of the learners she is linked with. Tombstones and
/// what was erased are left out.
///
/// # Errors
/// If the ledger or the vault fails.
pub async fn records_of_person(
    gateway: &Gateway,
    tenant: &str,
    learner: LearnerId,
) -> Result<Vec<Record>, DeliveryError> {
    let mut records = Vec::new();
    for learner in gateway.ledger.same_person(tenant, learner).await? {
        for stored in gateway.ledger.records_of(tenant, learner).await? {
            let Some(content) = stored.content.as_ref().filter(|_| !stored.state.is_tombstone()) else { continue };
            records.extend(items::open_item(gateway, content)?);
        }
    }
    Ok(records)
}

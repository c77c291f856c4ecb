//! Reads a store back, learner by learner, and compares. Nothing is concluded here from what it does not hold: that
//! waits until all of it was read and is known to be believable.

use super::compare::{Comparison, Evidence, Expected, Finding, Lost, Terms, compare};
use super::evidence::{Sizes, answered_once, is_about, same};
use super::item::{Item, composed, single};
use super::person::{Gathering, Person, question, united};
use super::policy::ruling;
use crate::config::Ruling;
use crate::delivery::DeliveryError;
use crate::delivery::items::open_item;
use crate::delivery::settle::micros;
use crate::delivery::walk::Walk;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{
    DebtState, FindingKind, Holding, LearnerId, Micros, NewFinding, Observation, RecordId, Sealed, Summary, Wanted,
};
use silta_adapter::adapter::{self, DecodeContext, Inventory, LearnerQuery, Limits};
use silta_adapter::canonical::Digest;
use silta_adapter::record::Record;
use std::collections::HashSet;

/// Findings that one run may come to. A store that differs in more is not what it was taken for.
pub(super) const MOST_FINDINGS: usize = 50_000;

/// What a run came to about one person.
pub(super) struct Look {
    /// Items about which it is known whether they are as they should be.
    pub(super) looked_at: Vec<RecordId>,
    /// What the answer proves about debts.
    pub(super) seen: Vec<Observation>,
    /// What is not as it should be.
    pub(super) findings: Vec<NewFinding>,
}

/// A store being read.
pub(super) struct Reading<'a> {
    gateway: &'a Gateway,
    connection: &'a Connection,
    inventory: &'a dyn Inventory,
    ctx: DecodeContext,
    settle: Micros,
    gathering: Gathering,
    sizes: Sizes,
    /// Learners whose answers cannot be believed, and why the first cannot.
    doubtful: Option<(i64, &'static str)>,
    /// The summary so far.
    pub(super) summary: Summary,
    /// Looks at learners with findings.
    pub(super) looks: Vec<Look>,
    /// Looks at learners without any, of the last batch.
    pub(super) clean: Vec<Look>,
}

/// Why an inventory is not believed, or the store could not be read.
pub type Doubt = String;

impl<'a> Reading<'a> {
    pub(super) fn new(gateway: &'a Gateway, connection: &'a Connection, inventory: &'a dyn Inventory) -> Self {
        let limits = Limits { bytes: gateway.config.server.max_body_bytes, ..Limits::default() };
        let ctx = DecodeContext { tenant: connection.config.tenant.clone(), source: "readback".into(), limits };
        let settle = micros(connection.config.settle_secs.unwrap_or(gateway.config.reconcile.settle_secs));
        Self {
            gateway,
            connection,
            inventory,
            ctx,
            settle,
            gathering: Gathering::default(),
            sizes: Sizes::default(),
            doubtful: None,
            summary: Summary::default(),
            looks: Vec::new(),
            clean: Vec::new(),
        }
    }

    /// Reads about the next learners; false when there are no more.
    pub(super) async fn batch(&mut self, walk: &mut Walk<'_>) -> Result<Result<bool, Doubt>, DeliveryError> {
        self.clean.clear();
        let learners = walk.next(self.inventory.batch().max(1)).await?;
        self.summary.learners += learners.len() as i64;
        if learners.is_empty() {
            return Ok(Ok(false));
        }
        let persons = self.gathering.persons(self.gateway, self.connection, learners).await?;
        let answers = match self.ask(&persons.iter().collect::<Vec<_>>()).await {
            Ok(answers) => answers,
            Err(doubt) => return Ok(Err(doubt)),
        };
        let mut odd = Vec::new();
        for (person, answer) in persons.iter().zip(answers) {
            let Some(answer) = answer else {
                self.doubt(person, "the store answers about somebody else");
                continue;
            };
            if self.connection.composes() && answer.items.is_empty() && !answer.records.is_empty() {
                self.doubt(person, "the answer does not say which records make an item");
                continue;
            }
            let look = self.look(person, &answer).await?;
            match look.findings.iter().all(|f| f.kind == FindingKind::Settling) {
                true => self.clean.push(look),
                false => odd.push((person, answer, look)),
            }
        }
        if let Err(doubt) = self.believe_twice(odd).await {
            return Ok(Err(doubt));
        }
        Ok(match self.looks.iter().map(|look| look.findings.len()).sum::<usize>() <= MOST_FINDINGS {
            true => Ok(true),
            false => Err(format!("more than {MOST_FINDINGS} differences: this is not the store it was taken for")),
        })
    }

    /// A difference counts if the store shows it twice: one that changes while it is read is looked at again later.
    async fn believe_twice(&mut self, odd: Vec<(&Person, adapter::Holding, Look)>) -> Result<(), Doubt> {
        if odd.is_empty() {
            return Ok(());
        }
        let again: Vec<&Person> = odd.iter().map(|(person, ..)| *person).collect();
        let answers = self.ask(&again).await?;
        for ((person, first, look), second) in odd.into_iter().zip(answers) {
            match second.is_some_and(|second| same(&first, &second)) {
                true => self.looks.push(look),
                false => self.doubt(person, "what the store holds changes while it is read"),
            }
        }
        Ok(())
    }

    /// What the store holds about each person; `None` where it answers about somebody else.
    async fn ask(&self, persons: &[&Person]) -> Result<Vec<Option<adapter::Holding>>, Doubt> {
        let queries: Vec<LearnerQuery> = persons.iter().flat_map(|person| person.queries.iter().cloned()).collect();
        let mut answers = self.answers(&queries).await?.into_iter().zip(&queries);
        let about = |(at, person): (usize, &&Person)| {
            let hers: Vec<_> = answers.by_ref().take(person.queries.len()).collect();
            let about = hers.iter().all(|(answer, query)| is_about(query, answer));
            about.then(|| united(at, hers.into_iter().map(|(answer, _)| answer).collect()))
        };
        Ok(persons.iter().enumerate().map(about).collect())
    }

    /// The answer to each question, in their order.
    async fn answers(&self, queries: &[LearnerQuery]) -> Result<Vec<adapter::Holding>, Doubt> {
        let mut all = Vec::with_capacity(queries.len());
        for batch in queries.chunks(self.inventory.batch().max(1)) {
            self.connection.paced().await;
            let mut answers = self.inventory.holdings(&self.ctx, batch).await.map_err(|e| e.0.reason)?;
            answered_once(batch.len(), &answers)?;
            answers.sort_by_key(|answer| answer.query);
            all.extend(answers);
        }
        Ok(all)
    }

    fn doubt(&mut self, person: &Person, why: &'static str) {
        self.doubtful.get_or_insert((0, why)).0 += person.learners() as i64;
    }

    /// Whether what was read may be believed as a whole.
    pub(super) fn believed(&self) -> Result<(), Doubt> {
        self.sizes.plausible(self.connection.config.plausible_share)
    }

    /// Why some of the answers are not believed, if some are not.
    pub(super) fn doubts(&self) -> Option<Doubt> {
        let (learners, why) = self.doubtful?;
        Some(format!("nothing is concluded about {learners} learners: {why}"))
    }

    async fn look(&mut self, person: &Person, answer: &adapter::Holding) -> Result<Look, DeliveryError> {
        let mut expected = Vec::new();
        for holding in person.holdings() {
            expected.extend(expect(self.gateway, self.connection, holding).await?);
        }
        let terms = Terms {
            now: self.gateway.now(),
            settle: self.settle,
            complete: answer.complete,
            institutions: &self.gateway.mappings.institutions,
            withheld: self.inventory.withheld(),
            person: &person.names,
        };
        let found = match self.connection.composes() {
            true => composed(answer),
            false => single(&answer.records),
        };
        let mut comparison = compare(&expected, &found, terms);
        self.leave_known(person, &mut comparison.findings).await?;
        self.summary.legitimate += rule(&mut comparison.findings, &expected, self.connection);
        self.sizes.held += found.len() as i64;
        self.count(&expected, &comparison);
        self.summary.complete += if answer.complete { person.learners() as i64 } else { 0 };
        Ok(self.concluded(person, &expected, &comparison, answer.complete))
    }

    /// Leaves out what is ours under the record of a learner she is not linked with: two registers of a tenant may know
    /// the same person, and a store that is asked about her answers with what both have there.
    async fn leave_known(&self, person: &Person, findings: &mut Vec<Finding>) -> Result<(), DeliveryError> {
        let Gateway { ledger, vault, mappings, .. } = self.gateway;
        let (tenant, name) = (&self.connection.config.tenant, &self.connection.config.name);
        let mut known = HashSet::new();
        for key in findings.iter().filter(|one| one.expected.is_none()).map(|one| &one.key) {
            for other in ledger.look_up(tenant, vault.lookup(tenant, &key.id)).await? {
                let current = |institution| mappings.institutions.current(institution);
                if person.is(other.learner)
                    || other.kind != key.kind
                    || current(&other.institution) != current(&key.institution)
                {
                    continue;
                }
                let debts = ledger.debts_of(other.id).await?;
                if debts.iter().any(|debt| debt.connection == *name && debt.sent_digest.is_some()) {
                    known.insert(key.clone());
                }
            }
        }
        findings.retain(|one| one.expected.is_some() || !known.contains(&one.key));
        Ok(())
    }

    fn count(&mut self, expected: &[Expected], comparison: &Comparison) {
        let absent = |f: &&Finding| f.kind == FindingKind::Missing;
        self.sizes.known += expected.iter().filter(|item| item.sent.is_some()).count() as i64;
        self.sizes.absent += comparison.findings.iter().filter(absent).count() as i64;
        self.summary.items += expected.len() as i64;
        self.summary.agreed += comparison.agreed.len() as i64;
        self.summary.recognised += comparison.origins as i64;
    }

    fn concluded(&self, person: &Person, expected: &[Expected], comparison: &Comparison, complete: bool) -> Look {
        let observation = |at: usize, holds: bool| {
            let holding = &expected[at].holding;
            let digest = holding.sent_content.as_ref().map(|(digest, _)| *digest);
            Observation { debt: holding.debt, generation: holding.generation, digest, holds }
        };
        let barred = |at: usize| expected[at].holding.state == DebtState::Barred;
        let proved = |at: &&usize| !barred(**at) && (complete || expected[**at].sent.is_some());
        let mut seen: Vec<Observation> =
            comparison.agreed.iter().filter(proved).map(|at| observation(*at, true)).collect();
        // A whole that lacks a part is itself as it should be.
        let itself = |f: &&Finding| !matches!(f.kind, FindingKind::Settling | FindingKind::OrphanPart);
        let differing = comparison.findings.iter().filter(itself);
        seen.extend(differing.filter_map(|f| f.expected.map(|at| observation(at, false))));
        seen.extend(comparison.arrived.iter().map(|(at, arrived)| {
            let wanted = expected[*at].holding.wanted_content.as_ref().map(|(digest, _)| *digest);
            Observation { digest: wanted, ..observation(*at, *arrived) }
        }));
        let looked_at = expected.iter().filter(|_| complete).map(|e| e.holding.item).collect();
        let findings = comparison.findings.iter().map(|one| self.finding(person, expected, one)).collect();
        Look { looked_at, seen, findings }
    }

    fn finding(&self, person: &Person, expected: &[Expected], one: &Finding) -> NewFinding {
        let vault = &self.gateway.vault;
        let item = |at: usize| expected[at].holding.item;
        NewFinding {
            item: one.expected.map_or_else(|| vault.record_id(&one.key), item),
            learner: one.expected.map_or_else(
                || person.learner_of(one.found.as_ref().map(|item| &item.root)),
                |at| expected[at].holding.learner,
            ),
            debt: one.expected.map(|at| expected[at].holding.debt),
            kind: one.kind,
            digest: one.found.as_ref().map(|item| vault.digest_key().records(&item.records())),
            implied_by: one.implied_by.map(item),
            evidence: vault.seal_json(&one.evidence),
        }
    }
}

/// What a store holds about one learner, rows of other institutions included; or why it is not known whether that is
/// everything.
///
/// # Errors
/// If the ledger fails or a content cannot be opened.
pub async fn read_one(
    gateway: &Gateway,
    connection: &Connection,
    learner: LearnerId,
) -> Result<Result<Vec<Record>, Doubt>, DeliveryError> {
    let Some(inventory) = &connection.connected.inventory else { return Ok(Err("it cannot be read".into())) };
    let reading = Reading::new(gateway, connection, &**inventory);
    let query = question(gateway, connection, learner).await?;
    let mut answers = match reading.answers(std::slice::from_ref(&query)).await {
        Ok(answers) => answers,
        Err(doubt) => return Ok(Err(doubt)),
    };
    Ok(match answers.pop() {
        Some(answer) if !is_about(&query, &answer) => Err("the store answers about somebody else".into()),
        Some(answer) if answer.complete => Ok(answer.records),
        _ => Err("it is not known whether the answer is everything".into()),
    })
}

/// Says of each finding what becomes of it, and leaves out what is no error by the connection's rules, with all that
/// follows from it. Returns how much was left out.
fn rule(findings: &mut Vec<Finding>, expected: &[Expected], connection: &Connection) -> i64 {
    let before = findings.len();
    let mut ignored = HashSet::new();
    for one in findings.iter_mut() {
        let (ruling, because) = ruling(one, expected, &connection.config);
        if ruling == Ruling::Ignore {
            ignored.extend(one.expected);
        }
        let Evidence { proposal, ruling: ruled, .. } = &mut one.evidence;
        *ruled = Some(ruling);
        if !because.is_empty() {
            *proposal = format!("{proposal} ({because})");
        }
    }
    let follows = |one: &Finding| one.implied_by.is_some_and(|at| ignored.contains(&at));
    findings.retain(|one| one.evidence.ruling != Some(Ruling::Ignore) && !follows(one));
    (before - findings.len()) as i64
}

async fn expect(
    gateway: &Gateway,
    connection: &Connection,
    holding: &Holding,
) -> Result<Option<Expected>, DeliveryError> {
    let item = |content: &Option<(Digest, Sealed)>| -> Result<Option<Item>, DeliveryError> {
        let Some((_, sealed)) = content else { return Ok(None) };
        let mut records = open_item(gateway, sealed)?;
        if !connection.composes() {
            records.truncate(1);
        }
        Ok(Item::of(records))
    };
    // What a destination barred it does not hold any more, whatever it accepted before.
    let there = holding.state != DebtState::Barred;
    let sent = item(&holding.sent_content)?.filter(|_| there);
    let confirmed = item(&holding.confirmed_content)?;
    let wanted = item(&holding.wanted_content)?;
    let known = sent.as_ref().or(confirmed.as_ref()).or(wanted.as_ref());
    let mut key = known.map(|item| item.root.head.key.clone());
    if key.is_none() && holding.wanted == Some(Wanted::Absent) {
        // An accepted withdrawal leaves no content behind; that the item is gone is proved under the record's own key.
        let record = gateway.ledger.record(holding.item).await?.and_then(|r| r.content);
        key = record.map(|c| gateway.vault.open_json::<Record>(&c)).transpose()?.map(|r| r.head.key);
    }
    // Nothing was ever sent or wanted for an item without a key: there is nothing to compare.
    let lost = match holding.state {
        DebtState::Uncertain => {
            let tried = gateway.ledger.attempts(holding.debt, 1).await?.first().map(|attempt| attempt.at);
            Some(Lost { wanted, tried })
        }
        _ => None,
    };
    Ok(key.map(|key| Expected { holding: holding.clone(), key, sent, confirmed, lost }))
}

//! What the store holds about learners.
//!
//! Every identifier of every learner is asked, in lists. A list that the service finds not valid, or whose answer is
//! too large, is halved until the identifier at fault stands alone, so that it costs only its own learner the
//! completeness of the answer.

use super::operation::{EVERYTHING, EVERYTHING_OF_MANY, LIST_LENGTH};
use super::{Criteria, IdentifierKind, SoapReader, fault_cause};
use crate::extensions::{DOCUMENT, Place};
use async_trait::async_trait;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{DecodeContext, Decoded, Holding, Inventory, LearnerQuery, NotRead, Stop};
use silta_adapter::canonical;
use silta_adapter::delivery::Judgement;
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::record::{Body, Identifier, Record, RecordKey, RecordKind};
use std::collections::{HashMap, HashSet};

#[async_trait]
impl Inventory for SoapReader {
    /// `KaikkiTiedot` gives a learner's identifiers and rows, and nothing else of the person.
    fn withheld(&self) -> &'static [(RecordKind, &'static str)] {
        &[
            (RecordKind::Learner, "/body/family_name"),
            (RecordKind::Learner, "/body/given_names"),
            (RecordKind::Learner, "/body/gender"),
            (RecordKind::Learner, "/body/citizenships"),
            (RecordKind::Learner, "/body/first_language"),
            (RecordKind::Learner, "/body/municipality"),
            (RecordKind::Learner, "/body/registered_on"),
        ]
    }

    fn batch(&self) -> usize {
        LIST_LENGTH
    }

    /// Answers hold what every institution sent about a person. A holding has what is the tenant's own: the blocks
    /// with the learner's local id, and those with a row of the institution whose code the tenant is.
    async fn holdings(&self, ctx: &DecodeContext, learners: &[LearnerQuery]) -> Result<Vec<Holding>, NotRead> {
        let mut census = Census::new(learners, &ctx.tenant, self.organisation.is_none());
        for kind in IdentifierKind::ALL {
            let asked = census.identifiers(kind);
            let mut lists: Vec<&[SmolStr]> = asked.chunks(LIST_LENGTH).rev().collect();
            while let Some(list) = lists.pop() {
                match self.everything(ctx, kind, list).await {
                    Ok(answer) => {
                        if census.take(kind, list, blocks(answer)) == Attribution::Unclear {
                            lists.extend(halves(list));
                        }
                    }
                    Err(judgement) if LEARNERS_OWN.contains(&judgement.cause.as_str()) => match list {
                        [identifier] => census.not_answered(kind, identifier, &judgement),
                        _ => lists.extend(halves(list)),
                    },
                    Err(judgement) => return Err(NotRead(judgement)),
                }
            }
        }
        Ok(census.holdings)
    }
}

/// Causes that lie in who was asked about, not in the service.
const LEARNERS_OWN: [&str; 2] = ["fault:validation", "answer:too-large"];

fn halves(list: &[SmolStr]) -> [&[SmolStr]; 2] {
    let (first, second) = list.split_at(list.len() / 2);
    [second, first]
}

impl SoapReader {
    async fn everything(
        &self,
        ctx: &DecodeContext,
        kind: IdentifierKind,
        identifiers: &[SmolStr],
    ) -> Result<Vec<Decoded>, Judgement> {
        let operation = if identifiers.len() == 1 { &EVERYTHING } else { &EVERYTHING_OF_MANY };
        let organisation = self.organisation.as_deref();
        let answer = self.ask(operation, Criteria { kind, identifiers }, organisation, ctx.limits.bytes).await?;
        let (decoder, ctx) = (self.decoder.clone(), ctx.clone());
        let decoded = tokio::task::spawn_blocking(move || {
            let mut found = Vec::new();
            let mut sink = |decoded| {
                found.push(decoded);
                Ok::<(), Stop>(())
            };
            match decoder.decode(&mut answer.as_slice(), &ctx, &mut sink) {
                Ok(_) => Ok(found),
                Err(unreadable) => Err(fault_cause(&unreadable).unwrap_or("answer:unreadable")),
            }
        });
        match decoded.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(cause)) => Err(self.verdicts.judge(cause, None)),
            Err(_) => Err(self.verdicts.judge("answer:unreadable", None)),
        }
    }
}

/// One `Opiskelija` of an answer: what one institution sent about one person.
#[derive(Default)]
struct Block {
    learner: SmolStr,
    records: Vec<Record>,
    problems: Vec<Problem>,
    /// True if something of it was not taken, so that it may hold more than these records.
    lost: bool,
}

impl Block {
    fn identifiers(&self) -> impl Iterator<Item = &Identifier> {
        let learners = self.records.iter().filter_map(|record| match &record.body {
            Some(Body::Learner(learner)) => Some(learner),
            _ => None,
        });
        learners.flat_map(|learner| &learner.identifiers)
    }
}

/// Cuts an answer into blocks. A row belongs to the last block of its learner; a problem to the block with its record,
/// else to the one it stands in.
fn blocks(answer: Vec<Decoded>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut problems = Vec::new();
    for decoded in answer {
        match decoded {
            Decoded::Record(record, _) => {
                if let Some(told_before) = blocks.last_mut().and_then(|b| b.records.first_mut())
                    && is_same_block(told_before, &record)
                {
                    *told_before = *record;
                    continue;
                }
                let learner = &record.head.learner;
                let known = match record.head.key.kind {
                    RecordKind::Learner => None,
                    _ => blocks.iter().rposition(|b| b.learner == *learner),
                };
                let at = known.unwrap_or_else(|| {
                    blocks.push(Block { learner: learner.clone(), ..Block::default() });
                    blocks.len() - 1
                });
                blocks[at].records.push(*record);
            }
            Decoded::Problem(problem) => problems.push((blocks.len().saturating_sub(1), problem)),
        }
    }
    if blocks.is_empty() && !problems.is_empty() {
        blocks.push(Block::default());
    }
    for ((stands_in, problem), home) in problems.iter().zip(homes(&blocks, &problems)) {
        let block = &mut blocks[home.unwrap_or(*stands_in)];
        block.lost |= home.is_none() && problem.severity == Severity::Error;
        block.problems.push(problem.clone());
    }
    blocks
}

/// True if two records are the learner of one block: she is told again where parts of her stand behind her rows.
fn is_same_block(first: &Record, second: &Record) -> bool {
    let place = |record: &Record| record.body.as_ref().and_then(|b| b.extensions().get::<Place>(DOCUMENT));
    second.head.key.kind == RecordKind::Learner && first.head.key == second.head.key && place(first) == place(second)
}

/// For each problem, the block that holds the record it is about.
fn homes(blocks: &[Block], problems: &[(usize, Problem)]) -> Vec<Option<usize>> {
    let keyed: HashSet<&RecordKey> = problems.iter().filter_map(|(_, p)| p.key.as_ref()).collect();
    let keys = blocks.iter().enumerate().flat_map(|(at, b)| b.records.iter().map(move |r| (&r.head.key, at)));
    let home: HashMap<&RecordKey, usize> = keys.filter(|(key, _)| keyed.contains(key)).collect();
    problems.iter().map(|(_, p)| p.key.as_ref().and_then(|key| home.get(key).copied())).collect()
}

/// Whether it is known of every block and every lost row of an answer whose it is.
#[derive(PartialEq, Eq)]
enum Attribution {
    Clear,
    Unclear,
}

/// Holdings in the making.
struct Census<'a> {
    learners: &'a [LearnerQuery],
    tenant: &'a str,
    /// Which learners an identifier belongs to, per kind.
    asking: [HashMap<SmolStr, Vec<usize>>; 2],
    holdings: Vec<Holding>,
    /// Where the records of each holding are that came with earlier answers.
    seen: Vec<HashMap<RecordKey, usize>>,
}

impl<'a> Census<'a> {
    fn new(learners: &'a [LearnerQuery], tenant: &'a str, unfiltered: bool) -> Self {
        let mut asking = [HashMap::new(), HashMap::new()];
        let mut holdings = Vec::with_capacity(learners.len());
        for (query, learner) in learners.iter().enumerate() {
            let mut holding = Holding { query, complete: unfiltered, ..Holding::default() };
            let mut identified = false;
            for (kind, asking) in IdentifierKind::ALL.into_iter().zip(&mut asking) {
                for i in learner.identifiers.iter().filter(|i| i.scheme == kind.scheme() && kind.identifies(&i.value)) {
                    let queries: &mut Vec<usize> = asking.entry(i.value.clone()).or_default();
                    if queries.last() != Some(&query) {
                        queries.push(query);
                    }
                    identified = true;
                }
            }
            if !identified {
                holding.complete = false;
                holding.problems.push(Problem::warning(
                    "not_identified",
                    "the store cannot be asked about this learner: no whole identity code and no learner number is known",
                ));
            }
            holdings.push(holding);
        }
        Self { learners, tenant, asking, holdings, seen: vec![HashMap::new(); learners.len()] }
    }

    /// The identifiers to ask, in a repeatable order.
    fn identifiers(&self, kind: IdentifierKind) -> Vec<SmolStr> {
        let mut all: Vec<_> = self.asking[kind as usize].keys().cloned().collect();
        all.sort_unstable();
        all
    }

    /// Takes the answer to a list of identifiers. Nothing is taken of an answer to several where a block names none of
    /// them (the store knows the person under another identifier too) or a row could not be read: only asking about
    /// fewer tells whose it is.
    fn take(&mut self, kind: IdentifierKind, asked: &[SmolStr], blocks: Vec<Block>) -> Attribution {
        let owners: Vec<Vec<usize>> = blocks.iter().map(|block| self.owners(kind, asked, block)).collect();
        if asked.len() > 1 && (owners.iter().any(Vec::is_empty) || blocks.iter().any(|block| block.lost)) {
            return Attribution::Unclear;
        }
        let mut fresh: HashMap<usize, Vec<Record>> = HashMap::new();
        for (block, mut owners) in blocks.into_iter().zip(owners) {
            owners.retain(|query| self.is_own(&block, *query));
            for query in owners {
                let holding = &mut self.holdings[query];
                holding.complete &= !block.lost;
                holding.problems.extend(block.problems.iter().cloned());
                fresh.entry(query).or_default().extend(block.records.iter().cloned());
            }
        }
        for (query, records) in fresh {
            self.unite(query, records);
        }
        Attribution::Clear
    }

    /// Whom a block is about: whoever has one of its identifiers. If only one identifier was asked, or the block is
    /// not about a person at all, it is about everyone who was asked about.
    fn owners(&self, kind: IdentifierKind, asked: &[SmolStr], block: &Block) -> Vec<usize> {
        let all = asked.len() == 1 || block.learner.is_empty();
        let named = asked
            .iter()
            .filter(|asked| all || block.identifiers().any(|i| i.scheme == kind.scheme() && i.value == **asked));
        let mut owners: Vec<usize> =
            named.filter_map(|i| self.asking[kind as usize].get(i)).flatten().copied().collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// True if a block is what the tenant itself sent, as far as one can tell: answers do not name the sender.
    fn is_own(&self, block: &Block, query: usize) -> bool {
        block.learner.is_empty()
            || block.learner == self.learners[query].learner
            || block.records.iter().any(|r| r.head.key.institution == self.tenant)
    }

    /// Adds the records of one answer to a holding, leaving out what earlier answers held already.
    fn unite(&mut self, query: usize, records: Vec<Record>) {
        let (holding, seen) = (&mut self.holdings[query], &mut self.seen[query]);
        let before = holding.records.len();
        for record in records {
            match seen.get(&record.head.key).map(|at| &holding.records[*at]) {
                None => holding.records.push(record),
                Some(first) if canonical::equal(first, &record) => {}
                Some(_) => holding.problems.push(
                    Problem::new(
                        "answers_differ",
                        Severity::Warning,
                        Fixer::OtherSide,
                        "the store says different things when asked by different identifiers; the first answer is kept",
                    )
                    .about(&record.head.key),
                ),
            }
        }
        for at in before..holding.records.len() {
            seen.entry(holding.records[at].head.key.clone()).or_insert(at);
        }
    }

    /// Notes that an identifier is not answered, so that not everything is known of those who have it.
    fn not_answered(&mut self, kind: IdentifierKind, identifier: &SmolStr, judgement: &Judgement) {
        let queries = self.asking[kind as usize].get(identifier).cloned().unwrap_or_default();
        for query in queries {
            let holding = &mut self.holdings[query];
            holding.complete = false;
            holding.problems.push(Problem::new(
                "not_answered",
                Severity::Warning,
                judgement.fixer.unwrap_or(Fixer::OtherSide),
                format!("asked by {}: {}", kind.scheme(), judgement.reason),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Virta;
    use silta_adapter::adapter::{Decode, Limits};
    use silta_adapter::record::{Attainment, Learner};

    const KIND: IdentifierKind = IdentifierKind::LearnerNumber;

    fn query(learner: &str, number: &str) -> LearnerQuery {
        let identifier = Identifier { scheme: KIND.scheme().into(), value: number.into() };
        LearnerQuery { learner: learner.into(), identifiers: vec![identifier], ..LearnerQuery::default() }
    }

    fn record(kind: RecordKind, id: &str, learner: &str, body: Body) -> Decoded {
        let key = RecordKey { tenant: "T".into(), source: "s".into(), kind, institution: "".into(), id: id.into() };
        Decoded::Record(Box::new(Record::current(key, learner, body)), 1)
    }

    fn person(id: &str, number: &str) -> Decoded {
        let identifiers = query(id, number).identifiers.into();
        record(RecordKind::Learner, id, id, Body::Learner(Box::new(Learner { identifiers, ..Learner::default() })))
    }

    fn course(id: &str, learner: &str, code: &str) -> Decoded {
        let body = Attainment { code: Some(code.into()), ..Attainment::default() };
        record(RecordKind::Attainment, id, learner, Body::Attainment(Box::new(body)))
    }

    fn ids(holding: &Holding) -> Vec<&str> {
        holding.records.iter().map(|r| r.head.key.id.as_str()).collect()
    }

    #[test]
    fn a_learner_told_in_two_pieces_is_one_and_two_blocks_of_one_key_are_two() {
        let document = "<Virta xmlns='urn:mace:funet.fi:virta/2015/09/01'>\
            <Opiskelija avain='S1'><Opintosuoritukset><Opintosuoritus avain='A1' opiskelijaAvain='S1' \
            koulutusmoduulitunniste='C'/></Opintosuoritukset><KansallinenOppijanumero>1.1</KansallinenOppijanumero>\
            </Opiskelija><Opiskelija avain='S1'><KansallinenOppijanumero>1.2</KansallinenOppijanumero></Opiskelija></Virta>";
        let ctx = DecodeContext { tenant: "T".into(), source: "s".into(), limits: Limits::default() };
        let mut answer = Vec::new();
        let mut sink = |decoded| {
            answer.push(decoded);
            Ok(())
        };
        Virta.decode(&mut document.as_bytes(), &ctx, &mut sink).expect("reads");
        let blocks = blocks(answer);
        let numbers = |b: &Block| b.identifiers().map(|i| i.value.to_string()).collect::<Vec<_>>();
        assert_eq!(
            blocks.iter().map(|b| (numbers(b), b.records.len())).collect::<Vec<_>>(),
            [(vec!["1.1".to_owned()], 2), (vec!["1.2".to_owned()], 1)]
        );
    }

    #[test]
    fn an_answer_that_names_someone_else_is_taken_only_when_asked_alone() {
        let learners = [query("S1", "1.1"), query("S2", "1.2")];
        let mut census = Census::new(&learners, "T", true);
        let asked = census.identifiers(KIND);
        let linked = || vec![person("S1", "1.77"), course("A1", "S1", "")];
        assert!(census.take(KIND, &asked, blocks(linked())) == Attribution::Unclear);
        assert!(census.holdings.iter().all(|h| h.records.is_empty()));
        assert!(census.take(KIND, &asked[..1], blocks(linked())) == Attribution::Clear);
        assert_eq!(ids(&census.holdings[0]), ["S1", "A1"]);
    }

    #[test]
    fn a_row_that_could_not_be_read_leaves_only_its_learner_incomplete() {
        let learners = [query("S1", "1.1"), query("S2", "1.2")];
        let mut census = Census::new(&learners, "T", true);
        let asked = census.identifiers(KIND);
        let lost = || vec![person("S1", "1.1"), Decoded::Problem(Problem::error("not_read", "a row"))];
        assert!(census.take(KIND, &asked, blocks(lost())) == Attribution::Unclear);
        census.take(KIND, &asked[..1], blocks(lost()));
        census.take(KIND, &asked[1..], blocks(vec![person("S2", "1.2")]));
        assert_eq!(census.holdings.iter().map(|h| h.complete).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn a_problem_with_a_row_that_was_taken_leaves_the_answer_whole() {
        let learners = [query("S1", "1.1"), query("S2", "1.2")];
        let mut census = Census::new(&learners, "T", true);
        let asked = census.identifiers(KIND);
        let Decoded::Record(row, _) = course("A1", "S1", "") else { panic!("a record") };
        let dangling = Problem::error("dangling_part", "a part is not there").about(&row.head.key);
        let answer =
            vec![person("S1", "1.1"), Decoded::Record(row, 1), person("S2", "1.2"), Decoded::Problem(dangling)];
        assert!(census.take(KIND, &asked, blocks(answer)) == Attribution::Clear);
        let told: Vec<_> = census.holdings.iter().map(|h| (h.complete, h.problems.len())).collect();
        assert_eq!(told, [(true, 1), (true, 0)]);
    }

    #[test]
    fn the_first_of_two_answers_that_differ_is_kept_and_said_so() {
        let learners = [query("S1", "1.1")];
        let mut census = Census::new(&learners, "T", true);
        let asked = census.identifiers(KIND);
        let answer = |code| vec![person("S1", "1.1"), course("A1", "S1", code), course("A2", "S1", "same")];
        census.take(KIND, &asked, blocks(answer("first")));
        census.take(KIND, &asked, blocks(answer("second")));
        let holding = &census.holdings[0];
        assert_eq!(ids(holding), ["S1", "A1", "A2"]);
        assert_eq!(holding.problems.iter().map(|p| p.code.as_str()).collect::<Vec<_>>(), ["answers_differ"]);
    }

    #[test]
    fn rows_of_two_institutions_with_the_same_local_id_stay_with_their_person() {
        let learners = [query("S1", "1.1"), query("S9", "1.9")];
        let mut census = Census::new(&learners, "T", true);
        let asked = census.identifiers(KIND);
        // Another institution knows the second person under the local id that ours gave the first.
        let mut other = person("S1", "1.9");
        if let Decoded::Record(record, _) = &mut other
            && let Some(body) = &mut record.body
        {
            body.extensions_mut().set(DOCUMENT, &Place { under: None, block: Some(2) });
        }
        let answer = vec![person("S1", "1.1"), course("A1", "S1", ""), other, course("B1", "S1", "")];
        census.take(KIND, &asked, blocks(answer));
        assert_eq!((ids(&census.holdings[0]), ids(&census.holdings[1])), (vec!["S1", "A1"], vec![]));
    }
}

//! Which records make an item, and how the parts of its root nest.
//!
//! Parts point down by source key, so they form a graph: a part may be shared, missing, or contain its whole.

use crate::losses::Losses;
use crate::terms::{CATEGORY, PARTIAL};
use silta_adapter::adapter::{ItemPlan, Refusal};
use silta_adapter::fidelity::Loss;
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::record::{Amount, Attainment, Body, Part, Record, RecordKind};
use std::collections::{BTreeSet, HashMap, HashSet};

/// How deep parts nest; real degrees are six deep.
const DEPTH: usize = 16;

/// The attainment of a standing record.
fn attainment(record: &Record) -> Option<&Attainment> {
    match &record.body {
        Some(Body::Attainment(a)) if !record.head.state.is_tombstone() => Some(a),
        _ => None,
    }
}

/// True for a partial attainment, which is never counted by itself.
pub(crate) fn is_partial(attainment: &Attainment) -> bool {
    attainment.category.as_ref().is_some_and(|c| c.scheme == CATEGORY && c.value == PARTIAL)
}

/// Attainments of a set of records by source key.
struct ById<'a>(HashMap<&'a str, Vec<usize>>);

impl<'a> ById<'a> {
    fn of(records: &'a [Record]) -> Self {
        let mut by_id: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, record) in records.iter().enumerate().filter(|(_, r)| attainment(r).is_some()) {
            by_id.entry(&record.head.key.id).or_default().push(at);
        }
        Self(by_id)
    }

    /// The record a part points at: of the same institution, else the only one of that key.
    fn find(&self, records: &[Record], whole: &Record, part: &Part) -> Option<usize> {
        let found = self.0.get(part.id.as_str())?;
        let same = |at: &&usize| records[**at].head.key.institution == whole.head.key.institution;
        found.iter().find(same).or(if found.len() == 1 { found.first() } else { None }).copied()
    }
}

/// The graph of parts among all records of a learner.
struct Graph {
    parts: Vec<Vec<usize>>,
    wholes: Vec<Vec<usize>>,
}

impl Graph {
    fn of(records: &[Record], problems: &mut Vec<Problem>) -> Self {
        let by_id = ById::of(records);
        let mut graph = Self { parts: vec![Vec::new(); records.len()], wholes: vec![Vec::new(); records.len()] };
        for (at, record) in records.iter().enumerate() {
            for (nth, part) in attainment(record).iter().flat_map(|a| a.parts.iter().enumerate()) {
                match by_id.find(records, record, part) {
                    Some(target) => {
                        graph.parts[at].push(target);
                        graph.wholes[target].push(at);
                    }
                    None => problems.push(
                        Problem::warning("dangling_part", "no record, or more than one, is this part")
                            .about(&record.head.key)
                            .at(format!("/body/parts/{nth}")),
                    ),
                }
            }
        }
        graph
    }

    /// Everything reachable from a start along `edges`, the start first, depth first; `enter` says whether to go there.
    fn reach(edges: &[Vec<usize>], start: usize, mut enter: impl FnMut(usize) -> bool) -> Vec<usize> {
        let (mut order, mut stack) = (Vec::new(), vec![start]);
        while let Some(at) = stack.pop() {
            if enter(at) {
                order.push(at);
                stack.extend(edges[at].iter().rev());
            }
        }
        order
    }

    /// All attainments so that wholes come before their parts, cycles aside: depth-first search, finished last first.
    /// Calls `cycle` with the members of each cycle it meets.
    fn wholes_first(&self, nodes: &[usize], mut cycle: impl FnMut(&[usize])) -> Vec<usize> {
        #[derive(Clone, Copy)]
        enum Seen {
            Never,
            OnPath(usize),
            Done,
        }
        let mut seen = vec![Seen::Never; self.parts.len()];
        let mut finished = Vec::with_capacity(nodes.len());
        for &start in nodes {
            if !matches!(seen[start], Seen::Never) {
                continue;
            }
            // The way down, and for each step of it the part to look at next.
            let (mut path, mut next) = (vec![start], vec![0]);
            seen[start] = Seen::OnPath(0);
            while let (Some(&at), Some(nth)) = (path.last(), next.last_mut()) {
                let part = self.parts[at].get(*nth).copied();
                *nth += 1;
                match part.map(|part| (part, seen[part])) {
                    Some((part, Seen::Never)) => {
                        seen[part] = Seen::OnPath(path.len());
                        path.push(part);
                        next.push(0);
                    }
                    Some((_, Seen::OnPath(step))) => cycle(&path[step..]),
                    Some((_, Seen::Done)) => {}
                    None => {
                        seen[at] = Seen::Done;
                        finished.push(at);
                        path.pop();
                        next.pop();
                    }
                }
            }
        }
        finished.reverse();
        finished
    }
}

/// The items of one learner's records: one per root attainment and per activity, each with the learner's own record.
///
/// A root is an attainment that is part of no other; a partial one (category 3) never is. Of a cycle that nothing
/// else contains, the smallest key is the root.
pub(crate) fn items(records: &[Record]) -> (Vec<ItemPlan>, Vec<Problem>) {
    let mut problems = Vec::new();
    let graph = Graph::of(records, &mut problems);
    let attainments: Vec<usize> = (0..records.len()).filter(|at| attainment(&records[*at]).is_some()).collect();
    let key = |at: &usize| &records[*at].head.key;
    let counted = |at: &usize| attainment(&records[*at]).is_some_and(|a| !is_partial(a));
    let mut circular = BTreeSet::new();
    let wholes_first = graph.wholes_first(&attainments, |cycle| circular.extend(cycle.iter().map(key).min()));
    let message = "attainments contain each other; the cycle is cut";
    problems.extend(circular.into_iter().map(|key| Problem::error("part_cycle", message).about(key)));

    let mut roots: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut covered = vec![false; records.len()];
    for at in wholes_first {
        if covered[at] {
            continue;
        }
        // Whatever contains it was covered before, unless it is on the same cycle: this is that cycle.
        let mut seen = HashSet::new();
        let cycle = Graph::reach(&graph.wholes, at, |at| !covered[at] && seen.insert(at));
        let members = match cycle.iter().copied().filter(counted).min_by_key(key) {
            Some(root) => {
                let mut seen = HashSet::new();
                let members = Graph::reach(&graph.parts, root, |at| seen.insert(at));
                roots.push((root, members.clone()));
                members
            }
            None => {
                let message = "a partial attainment that is part of nothing makes no item";
                let problem = |at| Problem::warning("partial_without_whole", message).about(key(at));
                problems.extend(cycle.iter().map(problem));
                cycle
            }
        };
        members.into_iter().for_each(|at| covered[at] = true);
    }
    roots.extend((0..records.len()).filter(|at| is_activity(&records[*at])).map(|at| (at, vec![at])));
    roots.sort_unstable_by_key(|(root, _)| *root);
    let plans = roots
        .into_iter()
        .map(|(root, mut members)| {
            if let Some(learner) = learner_for(records, root) {
                members.insert(1, learner);
            }
            ItemPlan { root: records[root].head.key.clone(), members }
        })
        .collect();
    (plans, problems)
}

fn is_activity(record: &Record) -> bool {
    matches!(record.body, Some(Body::Activity(_))) && !record.head.state.is_tombstone()
}

/// The learner's own record that goes with a root: of its institution, else the first.
fn learner_for(records: &[Record], root: usize) -> Option<usize> {
    let learners = || {
        let stands = |r: &Record| r.head.key.kind == RecordKind::Learner && !r.head.state.is_tombstone();
        (0..records.len()).filter(move |at| stands(&records[*at]))
    };
    let institution = &records[root].head.key.institution;
    learners().find(|at| records[*at].head.key.institution == *institution).or_else(|| learners().next())
}

/// A root or part in its place.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The record, by its place in the item.
    pub(crate) record: usize,
    /// Credits counted into the whole.
    pub(crate) ects: Option<Amount>,
    /// True if it stands in the credential before: without credits and parts then, so that they count once.
    pub(crate) repeated: bool,
    /// Its parts.
    pub(crate) parts: Vec<Claim>,
}

/// Nests the parts of an item's root, and says what cannot be nested.
pub(crate) fn nest(item: &[Record], found: &mut Vec<Loss>) -> Claim {
    let mut nesting = Nesting { item, by_id: ById::of(item), seen: HashSet::new(), path: Vec::new(), found };
    let mut root = Claim { record: 0, ects: None, repeated: false, parts: Vec::new() };
    nesting.fill(&mut root);
    root
}

struct Nesting<'a> {
    item: &'a [Record],
    by_id: ById<'a>,
    seen: HashSet<usize>,
    path: Vec<usize>,
    found: &'a mut Vec<Loss>,
}

impl Nesting<'_> {
    fn fill(&mut self, claim: &mut Claim) {
        self.seen.insert(claim.record);
        self.path.push(claim.record);
        let whole = &self.item[claim.record];
        for (nth, part) in attainment(whole).iter().flat_map(|a| a.parts.iter().enumerate()) {
            let target = self.by_id.find(self.item, whole, part);
            let mut losses = Losses { key: &whole.head.key, found: self.found };
            let record = match target {
                None => {
                    losses.dropped(format!("/body/parts/{nth}"), "dangling_part");
                    continue;
                }
                Some(record) if self.path.contains(&record) => {
                    losses.dropped(format!("/body/parts/{nth}"), "part_cycle");
                    continue;
                }
                Some(_) if self.path.len() > DEPTH => {
                    losses.dropped(format!("/body/parts/{nth}"), "part_too_deep");
                    continue;
                }
                Some(record) => record,
            };
            let repeated = self.seen.contains(&record);
            let uncounted = match (repeated, attainment(&self.item[record]).is_some_and(is_partial)) {
                (true, _) => Some("repeated_part"),
                (false, true) => Some("partial_counted"),
                (false, false) => None,
            };
            if let (Some(rule), Some(_)) = (uncounted, part.ects) {
                losses.dropped(format!("/body/parts/{nth}/ects"), rule);
            }
            let ects = part.ects.filter(|_| uncounted.is_none());
            let mut nested = Claim { record, ects, repeated, parts: Vec::new() };
            if !repeated {
                self.fill(&mut nested);
            }
            claim.parts.push(nested);
        }
        self.path.pop();
    }
}

/// A refusal of an item that has no claim to be about.
pub(crate) fn check_root(item: &[Record]) -> Result<(), Refusal> {
    let problem = |code, message: &str| Problem::new(code, Severity::Error, Fixer::Sender, message);
    let root = item.first().ok_or_else(|| problem("no_root", "the item has no records"))?;
    if root.head.state.is_tombstone() {
        return Err(problem("tombstone", "the record was taken back").about(&root.head.key).into());
    }
    let learner = root.learner_key();
    if let Some(other) = item.iter().find(|r| r.learner_key() != learner) {
        return Err(problem("several_learners", "a credential is about one learner").about(&other.head.key).into());
    }
    match &root.body {
        Some(Body::Attainment(a)) if is_partial(a) => {
            Err(problem("partial_root", "a partial attainment is no credential by itself").about(&root.head.key).into())
        }
        Some(Body::Attainment(_) | Body::Activity(_)) => Ok(()),
        _ => {
            Err(problem("not_a_claim", "only attainments and activities make credentials").about(&root.head.key).into())
        }
    }
}

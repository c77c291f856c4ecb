//! What is remembered of a document while it is read: hashes of keys and contents, and which attainment is part of
//! which. A few dozen bytes for each record.

use foldhash::quality::FixedState;
use silta_adapter::SmolStr;
use silta_adapter::problem::Problem;
use silta_adapter::record::{Attainment, RecordKey, RecordKind};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash};

fn hash(value: impl Hash) -> u64 {
    FixedState::with_seed(0).hash_one(value)
}

/// The index of one document.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Key → content and line of the first record with it.
    records: HashMap<u64, (u64, u32)>,
    /// Learner → how many blocks it has had.
    blocks: HashMap<u64, u32>,
    /// Ids of attainments, whatever their institution.
    attainments: Vec<u64>,
    /// Attainments that have parts.
    wholes: Vec<Whole>,
    /// Index of the whole, and the id of its part.
    parts: Vec<(u32, u64)>,
}

#[derive(Debug)]
struct Whole {
    id: SmolStr,
    institution: SmolStr,
    line: u32,
}

impl Index {
    /// Counts a block of a learner: 1 for the first.
    pub(super) fn block(&mut self, learner: &str) -> u32 {
        let count = self.blocks.entry(hash(learner)).or_default();
        *count += 1;
        *count
    }

    /// Remembers a record; the line of an earlier one with the same key that says something else.
    pub(super) fn record(&mut self, key: &RecordKey, content: u64, line: u64) -> Option<u64> {
        match self.records.entry(hash((key.kind, &key.institution, &key.id))) {
            Entry::Vacant(entry) => {
                entry.insert((content, narrow(line)));
                None
            }
            Entry::Occupied(entry) => {
                let (first, first_line) = *entry.get();
                (first != content).then_some(first_line.into())
            }
        }
    }

    /// Remembers an attainment and its parts.
    pub(super) fn attainment(&mut self, key: &RecordKey, attainment: &Attainment, line: u64) {
        self.attainments.push(hash(&key.id));
        if attainment.parts.is_empty() {
            return;
        }
        let whole = u32::try_from(self.wholes.len()).unwrap_or(u32::MAX);
        self.wholes.push(Whole { id: key.id.clone(), institution: key.institution.clone(), line: narrow(line) });
        self.parts.extend(attainment.parts.iter().map(|part| (whole, hash(&part.id))));
    }

    /// Parts that are not in the document, and attainments that are part of themselves.
    pub(super) fn graph(mut self, template: &RecordKey) -> Vec<Problem> {
        self.records = HashMap::new();
        self.attainments.sort_unstable();
        let mut problems = Vec::new();
        for (whole, part) in &self.parts {
            if self.attainments.binary_search(part).is_err() {
                let message = "an attainment that is said to be part of it is not in the document";
                problems.push(self.problem(Problem::warning("dangling_part", message), *whole, template));
            }
        }
        for whole in self.cycles() {
            let message = "through its parts it is part of itself";
            problems.push(self.problem(Problem::warning("part_cycle", message), whole, template));
        }
        problems
    }

    fn problem(&self, problem: Problem, whole: u32, template: &RecordKey) -> Problem {
        let Some(whole) = self.wholes.get(whole as usize) else { return problem };
        let key = RecordKey {
            kind: RecordKind::Attainment,
            institution: whole.institution.clone(),
            id: whole.id.clone(),
            ..template.clone()
        };
        problem.about(&key).at("Opintosuoritus/Sisaltyvyys").on_line(whole.line.into())
    }

    /// The wholes from which a part leads back to a whole on the way: one for each way back.
    fn cycles(&self) -> Vec<u32> {
        let ids: HashMap<u64, u32> = (0u32..).zip(&self.wholes).map(|(at, whole)| (hash(&whole.id), at)).collect();
        // Wholes of one id (under several institutions) are one node, and `parts` is sorted by whole.
        let node = |whole: u32| ids.get(&hash(&self.wholes[whole as usize].id)).copied().unwrap_or(whole);
        let mut edges: Vec<(u32, u32)> =
            self.parts.iter().filter_map(|(whole, part)| Some((node(*whole), *ids.get(part)?))).collect();
        edges.sort_unstable();
        let first_edge = |whole: u32| edges.partition_point(|(from, _)| *from < whole);
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnWay,
            Done,
        }
        let mut marks = vec![Mark::New; self.wholes.len()];
        let mut found = Vec::new();
        let mut way: Vec<(u32, usize)> = Vec::new();
        for root in 0..u32::try_from(self.wholes.len()).unwrap_or(u32::MAX) {
            if marks[root as usize] != Mark::New || node(root) != root {
                continue;
            }
            marks[root as usize] = Mark::OnWay;
            way.push((root, first_edge(root)));
            while let Some((whole, edge)) = way.last_mut() {
                match edges.get(*edge).filter(|(from, _)| from == whole) {
                    Some((_, part)) => {
                        *edge += 1;
                        match marks[*part as usize] {
                            Mark::New => {
                                marks[*part as usize] = Mark::OnWay;
                                way.push((*part, first_edge(*part)));
                            }
                            Mark::OnWay => found.push(*whole),
                            Mark::Done => {}
                        }
                    }
                    None => {
                        marks[*whole as usize] = Mark::Done;
                        way.pop();
                    }
                }
            }
        }
        found
    }
}

fn narrow(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

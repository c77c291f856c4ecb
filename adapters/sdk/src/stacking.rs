//! How one learner's attainments add up: totals over parts, and learning that would be counted twice.
//!
//! Credits of a whole are its own; its parts say what they are made of. Only what is part of nothing counts towards
//! the learner's total, and of several expressions of the same learning (credits in a register, a badge) only one.

use crate::record::{Amount, Attainment, Body, Record, RecordKey, Texts};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Serialize;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The classification whose value 3 is a partial attainment, which is never counted by itself.
const CATEGORY: (&str, &str) = ("virta:opintosuorituslaji", "3");

/// What is odd about how attainments add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The same part in several wholes.
    SharedPart,
    /// The same learning recorded twice with credits: one is counted.
    DoubleCounting,
    /// The same learning with credits and as a badge or another record without: one is counted.
    SameLearning,
    /// A partial attainment that is part of nothing: not counted.
    PartialAlone,
    /// A partial attainment whose whole counts its credits.
    PartialCounted,
    /// Parts with more credits than their whole.
    Exceeds,
    /// A part of which there is no record.
    MissingPart,
    /// Attainments that contain each other.
    Cycle,
}

/// One oddity.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Oddity {
    /// What it is.
    pub kind: Kind,
    /// The records it is about, by id.
    pub records: Vec<SmolStr>,
    /// What it means, in plain words.
    pub message: String,
}

/// A part of a whole.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Piece {
    /// Its id.
    pub id: SmolStr,
    /// Its title.
    pub title: Texts,
    /// Credits counted into the whole.
    pub ects: Option<Amount>,
    /// False if there is no record of it.
    pub recorded: bool,
}

/// An attainment with parts.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Whole {
    /// Its key.
    pub key: RecordKey,
    /// Its title.
    pub title: Texts,
    /// Its own credits, as declared.
    pub ects: Option<Amount>,
    /// Credits of its parts in sum.
    pub of_parts: Amount,
    /// What its parts do not account for yet, of what it declares.
    pub remaining: Option<Amount>,
    /// Its parts.
    pub parts: Vec<Piece>,
}

/// How the attainments of one learner add up.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Stack {
    /// The learner's local id.
    pub learner: SmolStr,
    /// Credits in all, each learning once.
    pub total: Amount,
    /// The attainments they are counted from, by id.
    pub counted: Vec<SmolStr>,
    /// Attainments with parts.
    pub wholes: Vec<Whole>,
    /// What is odd.
    pub oddities: Vec<Oddity>,
}

/// How the attainments of every learner among the records add up.
pub fn stacks(records: &[Record]) -> Vec<Stack> {
    let mut learners: BTreeMap<_, Vec<(&Record, &Attainment)>> = BTreeMap::new();
    for record in records {
        if let (Some(Body::Attainment(a)), false) = (&record.body, record.head.state.is_tombstone()) {
            let key = record.learner_key();
            learners.entry((key.tenant, key.source, key.id)).or_default().push((record, a));
        }
    }
    learners.into_iter().map(|((_, _, learner), attainments)| Stacking::of(&attainments, &[]).stack(learner)).collect()
}

/// How the attainments of one person add up, whoever says them. Of each pair of places in `same`, which are the same
/// learning, one is counted; that is not odd.
pub fn stack(learner: SmolStr, records: &[Record], same: &[(usize, usize)]) -> Stack {
    let (mut attainments, mut places) = (Vec::new(), HashMap::new());
    for (at, record) in records.iter().enumerate() {
        if let (Some(Body::Attainment(a)), false) = (&record.body, record.head.state.is_tombstone()) {
            places.insert(at, attainments.len());
            attainments.push((record, &**a));
        }
    }
    let same: Vec<_> = same.iter().filter_map(|(one, other)| Some((*places.get(one)?, *places.get(other)?))).collect();
    Stacking::of(&attainments, &same).stack(learner)
}

fn is_partial(a: &Attainment) -> bool {
    a.category.as_ref().is_some_and(|c| c.scheme == CATEGORY.0 && c.value == CATEGORY.1)
}

fn ects(a: &Attainment) -> Option<Decimal> {
    a.credits.as_ref().and_then(|credits| credits.ects).map(|ects| ects.0)
}

struct Stacking<'a> {
    attainments: &'a [(&'a Record, &'a Attainment)],
    by_id: HashMap<&'a str, usize>,
    /// The wholes each is part of.
    wholes: Vec<Vec<usize>>,
    /// Records of the same learning.
    same: Vec<Vec<usize>>,
    oddities: Vec<Oddity>,
}

impl<'a> Stacking<'a> {
    fn of(attainments: &'a [(&'a Record, &'a Attainment)], same: &[(usize, usize)]) -> Self {
        let by_id: HashMap<&str, usize> =
            attainments.iter().enumerate().map(|(at, (record, _))| (record.head.key.id.as_str(), at)).collect();
        let mut wholes = vec![Vec::new(); attainments.len()];
        for (at, (_, a)) in attainments.iter().enumerate() {
            for part in a.parts.iter().filter_map(|part| by_id.get(part.id.as_str())) {
                if !wholes[*part].contains(&at) {
                    wholes[*part].push(at);
                }
            }
        }
        let same = same.iter().map(|(one, other)| vec![*one, *other]).collect();
        Self { attainments, by_id, wholes, same, oddities: Vec::new() }
    }

    fn id(&self, at: usize) -> SmolStr {
        self.attainments[at].0.head.key.id.clone()
    }

    fn odd(&mut self, kind: Kind, records: impl IntoIterator<Item = usize>, message: impl Into<String>) {
        let records = records.into_iter().map(|at| self.id(at)).collect();
        self.oddities.push(Oddity { kind, records, message: message.into() });
    }

    fn stack(mut self, learner: SmolStr) -> Stack {
        let wholes: Vec<Whole> = (0..self.attainments.len()).filter_map(|at| self.whole(at)).collect();
        self.shared();
        let mut roots = self.roots();
        self.same_learning();
        self.same.iter().for_each(|group| self.count_once(group, &mut roots));
        // Wholes with credits of their own first, so that what is made of shared parts counts the rest.
        let mut seen = BTreeSet::new();
        let (own, made): (Vec<usize>, Vec<usize>) =
            roots.iter().partition(|at| ects(self.attainments[**at].1).is_some());
        let total = own.into_iter().chain(made).map(|at| self.worth(at, &mut seen)).sum();
        let counted = roots.iter().map(|at| self.id(*at)).collect();
        self.oddities.sort_by_key(|oddity| oddity.kind);
        Stack { learner, total: Amount(total), counted, wholes, oddities: self.oddities }
    }

    fn whole(&mut self, at: usize) -> Option<Whole> {
        let (record, a) = self.attainments[at];
        if a.parts.is_empty() {
            return None;
        }
        let mut parts = Vec::new();
        for part in &a.parts {
            let found = self.by_id.get(part.id.as_str()).copied();
            let own = found.and_then(|at| ects(self.attainments[at].1)).map(Amount);
            let partial = found.is_some_and(|at| is_partial(self.attainments[at].1));
            match found {
                None => self.odd(Kind::MissingPart, [at], format!("there is no record of its part {}", part.id)),
                Some(piece) if partial && part.ects.is_some() => {
                    self.odd(Kind::PartialCounted, [at, piece], "a partial attainment is counted into its whole");
                }
                Some(_) => {}
            }
            parts.push(Piece {
                id: part.id.clone(),
                title: found.map(|at| self.attainments[at].1.title.clone()).unwrap_or_default(),
                ects: if partial { None } else { part.ects.or(own) },
                recorded: found.is_some(),
            });
        }
        let of_parts: Decimal = parts.iter().filter_map(|part| part.ects).map(|ects| ects.0).sum();
        let declared = ects(a);
        if let Some(declared) = declared.filter(|declared| of_parts > *declared) {
            self.odd(Kind::Exceeds, [at], format!("its parts have {of_parts} credits, and it has {declared}"));
        }
        let remaining = declared.map(|declared| declared - of_parts).filter(|rest| *rest > Decimal::ZERO).map(Amount);
        let (key, title) = (record.head.key.clone(), a.title.clone());
        Some(Whole { key, title, ects: declared.map(Amount), of_parts: Amount(of_parts), remaining, parts })
    }

    /// Parts in several wholes.
    fn shared(&mut self) {
        for at in (0..self.attainments.len()).filter(|at| self.wholes[*at].len() > 1).collect::<Vec<_>>() {
            let wholes = self.wholes[at].clone();
            self.odd(Kind::SharedPart, std::iter::once(at).chain(wholes), "one part in several wholes");
        }
    }

    /// What is part of nothing and counts by itself; of a cycle, the first of its records.
    fn roots(&mut self) -> Vec<usize> {
        let mut roots: Vec<usize> = (0..self.attainments.len()).filter(|at| self.wholes[*at].is_empty()).collect();
        let mut covered = BTreeSet::new();
        roots.iter().for_each(|at| self.cover(*at, &mut covered));
        for at in 0..self.attainments.len() {
            if !covered.contains(&at) {
                self.odd(Kind::Cycle, [at], "attainments contain each other; they are counted from here");
                roots.push(at);
                self.cover(at, &mut covered);
            }
        }
        for at in roots.clone().into_iter().filter(|at| is_partial(self.attainments[*at].1)) {
            self.odd(Kind::PartialAlone, [at], "a partial attainment that is part of nothing is not counted");
        }
        roots.retain(|at| !is_partial(self.attainments[*at].1));
        roots
    }

    /// Everything below a record.
    fn cover(&self, start: usize, covered: &mut BTreeSet<usize>) {
        let mut stack = vec![start];
        while let Some(at) = stack.pop() {
            if covered.insert(at) {
                stack.extend(self.parts(at));
            }
        }
    }

    fn parts(&self, at: usize) -> impl Iterator<Item = usize> {
        self.attainments[at].1.parts.iter().filter_map(|part| self.by_id.get(part.id.as_str()).copied())
    }

    /// Learning that was recorded more than once.
    fn same_learning(&mut self) {
        let mut groups: BTreeMap<(SmolStr, String), BTreeSet<usize>> = BTreeMap::new();
        for at in 0..self.attainments.len() {
            for name in self.names(at) {
                groups.entry(name).or_default().insert(at);
            }
        }
        let mut told = BTreeSet::new();
        for group in groups.into_values().filter(|group| group.len() > 1) {
            let group: Vec<usize> = group.into_iter().filter(|at| !is_partial(self.attainments[*at].1)).collect();
            let below = |at: usize| {
                let mut covered = BTreeSet::new();
                self.cover(at, &mut covered);
                covered
            };
            // A whole and its part of the same name are not the same learning twice.
            let related = group.iter().any(|one| group.iter().any(|other| one != other && below(*one).contains(other)));
            if group.len() < 2 || related || !told.insert(group.clone()) {
                continue;
            }
            let credits = group.iter().filter(|at| ects(self.attainments[**at].1).is_some()).count();
            let (kind, message) = if credits > 1 {
                (Kind::DoubleCounting, "the same learning has credits more than once; it is counted once")
            } else {
                (Kind::SameLearning, "the same learning in several forms; it is counted once")
            };
            self.odd(kind, group.clone(), message);
            self.same.push(group);
        }
    }

    /// What counts within a whole counts there; else the one with most credits does.
    fn count_once(&self, group: &[usize], roots: &mut Vec<usize>) {
        let nested = group.iter().find(|at| !self.wholes[**at].is_empty());
        let most = group.iter().max_by_key(|at| (ects(self.attainments[**at].1), std::cmp::Reverse(**at)));
        let kept = nested.or(most).copied();
        roots.retain(|at| !group.contains(at) || Some(*at) == kept);
    }

    /// By what a learning is the same as another: its code or its title, at one awarding body.
    fn names(&self, at: usize) -> Vec<(SmolStr, String)> {
        let (record, a) = self.attainments[at];
        let body = a.awarding_body.as_ref().map_or(&record.head.key.institution, |body| &body.value);
        let code = [("national", &a.national_code), ("code", &a.code)].into_iter().find_map(|(kind, code)| {
            Some(format!("{kind} {}", code.as_ref()?.trim())).filter(|name| !name.ends_with(' '))
        });
        let title = |value: &str| format!("title {}", value.trim().to_lowercase());
        let titles = a.title.iter().map(|text| title(&text.value));
        code.into_iter().chain(titles).map(|name| (body.clone(), name)).collect()
    }

    /// The credits of a record that are not counted yet: its own, less those of parts that count elsewhere; else those of
    /// its parts.
    fn worth(&self, at: usize, seen: &mut BTreeSet<usize>) -> Decimal {
        if seen.contains(&at) || is_partial(self.attainments[at].1) {
            return Decimal::ZERO;
        }
        let Some(own) = ects(self.attainments[at].1) else {
            seen.insert(at);
            return self.parts(at).collect::<Vec<_>>().into_iter().map(|part| self.worth(part, seen)).sum();
        };
        let elsewhere = self.elsewhere(at, seen, &mut BTreeSet::new());
        self.cover(at, seen);
        for group in self.same.iter().filter(|group| group.iter().any(|one| seen.contains(one))).collect::<Vec<_>>() {
            seen.extend(group);
        }
        (own - elsewhere).max(Decimal::ZERO)
    }

    /// The credits below a record that count elsewhere.
    fn elsewhere(&self, at: usize, seen: &BTreeSet<usize>, below: &mut BTreeSet<usize>) -> Decimal {
        let mut credits = Decimal::ZERO;
        for part in &self.attainments[at].1.parts {
            let Some(piece) = self.by_id.get(part.id.as_str()).copied().filter(|piece| below.insert(*piece)) else {
                continue;
            };
            let body = self.attainments[piece].1;
            credits += match seen.contains(&piece) {
                true if is_partial(body) => Decimal::ZERO,
                true => part.ects.map(|ects| ects.0).or_else(|| ects(body)).unwrap_or_default(),
                false => self.elsewhere(piece, seen, below),
            };
        }
        credits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn attainment(id: &str, ects: &str, body: Value) -> Record {
        let mut whole = json!({"title": [{"lang": "en", "value": format!("Course {id}")}]});
        if !ects.is_empty() {
            whole["credits"] = json!({"ects": ects});
        }
        for (name, value) in body.as_object().expect("an object") {
            whole[name] = value.clone();
        }
        let line = json!({"kind": "attainment", "tenant": "t", "source": "s", "institution": "1", "id": id, "learner": "L", "body": whole});
        serde_json::from_value(line).expect("a record")
    }

    fn parts(ids: &[&str]) -> Value {
        json!({"parts": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()})
    }

    fn kinds(stack: &Stack) -> Vec<Kind> {
        stack.oddities.iter().map(|oddity| oddity.kind).collect()
    }

    #[test]
    fn wholes_show_what_remains_and_nothing_counts_twice() {
        let partial = json!({"category": {"scheme": "virta:opintosuorituslaji", "value": "3"}});
        let records = [
            attainment("D", "60", parts(&["A", "B", "gone"])),
            attainment("A", "5", json!({})),
            attainment("B", "2.5", json!({})),
            attainment("M", "", parts(&["B", "C"])),
            attainment("C", "4", json!({})),
            attainment("P", "3", partial),
            attainment("badge", "", json!({"title": [{"lang": "en", "value": "course x"}]})),
            attainment("X", "1", json!({})),
            attainment("again", "1", json!({"title": [{"lang": "fi", "value": "Kurssi"}], "code": "X-1"})),
            attainment("once", "1", json!({"title": [{"lang": "en", "value": "Other"}], "code": "X-1"})),
        ];
        let [stack] = stacks(&records).try_into().expect("one learner");
        assert_eq!(
            stack.total.to_string(),
            "66",
            "D has 60, M has 4 that D does not count, X and X-1 have 1 each: {stack:#?}"
        );
        let degree = &stack.wholes[0];
        assert_eq!(
            (degree.of_parts.to_string(), degree.remaining.map(|r| r.to_string())),
            ("7.5".into(), Some("52.5".into()))
        );
        assert!(!degree.parts[2].recorded);
        let expected =
            [Kind::SharedPart, Kind::DoubleCounting, Kind::SameLearning, Kind::PartialAlone, Kind::MissingPart];
        assert_eq!(kinds(&stack), expected, "{:#?}", stack.oddities);
    }

    #[test]
    fn of_what_is_known_to_be_the_same_one_counts_and_that_is_not_odd() {
        let records = [
            attainment("home", "5", json!({})),
            attainment("origin", "5", json!({})),
            attainment("degree", "60", parts(&["within"])),
            attainment("within", "4", json!({})),
            attainment("recognised", "4", json!({})),
        ];
        let stack = super::stack("L".into(), &records, &[(0, 1), (4, 3)]);
        assert_eq!((stack.total.to_string().as_str(), kinds(&stack)), ("65", vec![]));
        assert_eq!(stack.counted, ["home", "degree"]);
    }

    #[test]
    fn a_part_in_two_wholes_counts_in_one_of_them() {
        let module = json!({"parts": [{"id": "part", "ects": "4"}]});
        let records = [
            attainment("one", "10", parts(&["module"])),
            attainment("two", "20", parts(&["module", "part"])),
            attainment("module", "", module),
            attainment("part", "4", json!({})),
            attainment("three", "30", parts(&["twin"])),
            attainment("twin", "5", json!({})),
        ];
        let stack = super::stack("L".into(), &records, &[(3, 5)]);
        assert_eq!(stack.total.to_string(), "51", "10, 20 less 4, 30 less 5: {stack:#?}");
    }

    #[test]
    fn a_cycle_and_too_much_are_told() {
        let records = [
            attainment("A", "5", parts(&["B"])),
            attainment("B", "5", parts(&["A"])),
            attainment("W", "3", parts(&["Q"])),
            attainment("Q", "4", json!({})),
        ];
        let [stack] = stacks(&records).try_into().expect("one learner");
        assert_eq!(kinds(&stack), [Kind::Exceeds, Kind::Cycle]);
        assert_eq!(stack.total.to_string(), "8");
    }
}

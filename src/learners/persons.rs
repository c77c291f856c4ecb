//! Which learners are one person, from their identifiers and what a register of identities says of those. Pure.
//!
//! Learners who share an identifier are one person, however many steps away: a register's answer stands for the identifier
//! it was given about. Names are never looked at. Where the same person would be two by the register, or have two identity
//! codes or learner numbers that no register brings together, nothing is concluded about any of them.

use silta_adapter::adapter::Identity;
use silta_adapter::record::{Identifier, Learner};
use std::collections::{BTreeMap, BTreeSet};

/// A learner with her identifiers, and what the register says of some of them.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Identifiers of all records of the learner.
    pub identifiers: Vec<Identifier>,
    /// What the register says.
    pub said: Vec<(Identifier, Identity)>,
}

/// Who a learner is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A person, by what stands for her: `scheme=value`, in its normal form.
    Person(String),
    /// Nobody else as far as is known.
    Alone,
    /// Her identifiers contradict each other, or the register contradicts her.
    Contradiction,
}

/// Who each learner is.
pub fn persons(learners: &[Known]) -> Vec<Who> {
    let marks: Vec<Marks> = learners.iter().map(marks).collect();
    let mut groups = Groups::new(learners.len());
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, marks) in marks.iter().enumerate() {
        // What is contradicted about one learner says nothing about others.
        for mark in marks.all.iter().filter(|_| !marks.contradicted) {
            match first.get(mark.as_str()) {
                Some(other) => groups.join(at, *other),
                None => {
                    first.insert(mark, at);
                }
            }
        }
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..learners.len() {
        members.entry(groups.root(at)).or_default().push(at);
    }
    let mut who = vec![Who::Alone; learners.len()];
    for group in members.values() {
        let of_group = |marks_of: fn(&Marks) -> &BTreeSet<String>| -> BTreeSet<&String> {
            group.iter().filter_map(|at| marks.get(*at)).flat_map(marks_of).collect()
        };
        let masters = of_group(|marks| &marks.masters);
        let contradicted = group.iter().filter_map(|at| marks.get(*at)).any(|marks| marks.contradicted)
            || masters.len() > 1
            || of_group(|marks| &marks.codes).len() > 1
            || of_group(|marks| &marks.numbers).len() > 1;
        let stands = masters.first().copied().or(of_group(|marks| &marks.all).first().copied());
        let one = match (contradicted, stands) {
            (true, _) => Who::Contradiction,
            (false, Some(mark)) if group.len() > 1 || !masters.is_empty() => Who::Person(mark.clone()),
            _ => Who::Alone,
        };
        for at in group {
            if let Some(slot) = who.get_mut(*at) {
                *slot = one.clone();
            }
        }
    }
    who
}

/// By what the identifiers of a learner are known: the same for whoever else has one of them.
pub fn marks_of(identifiers: &[Identifier]) -> impl Iterator<Item = String> {
    identifiers.iter().filter(|identifier| is_hers_for_ever(identifier)).map(mark)
}

/// Whom something concerns that is known of some learners, of whom there are the marks: these, and whoever shares a mark
/// with one of them, however many steps away.
pub fn concerned(marks: &[BTreeSet<String>], known_of: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut groups = Groups::new(marks.len());
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, marks) in marks.iter().enumerate() {
        for mark in marks {
            groups.join(at, *first.entry(mark).or_insert(at));
        }
    }
    let roots: BTreeSet<usize> = (0..marks.len()).filter(|at| known_of(*at)).map(|at| groups.root(at)).collect();
    (0..marks.len()).map(|at| roots.contains(&groups.root(at))).collect()
}

/// By what a learner is known from others.
#[derive(Debug, Default)]
struct Marks {
    all: BTreeSet<String>,
    /// People whom the register names.
    masters: BTreeSet<String>,
    /// Identity codes the register said nothing of.
    codes: BTreeSet<String>,
    /// Learner numbers the register said nothing of.
    numbers: BTreeSet<String>,
    contradicted: bool,
}

fn marks(learner: &Known) -> Marks {
    let mut marks = Marks::default();
    for identifier in learner.identifiers.iter().filter(|identifier| is_hers_for_ever(identifier)) {
        let said = learner.said.iter().find(|(asked, _)| asked.same_as(identifier)).map(|(_, said)| said);
        match said {
            Some(Identity::Person(master)) => {
                let master = mark(master);
                marks.masters.insert(master.clone());
                marks.all.insert(master);
            }
            Some(Identity::Contradicted) => marks.contradicted = true,
            Some(Identity::Unknown) | None => {
                let own = mark(identifier);
                match identifier.scheme.as_str() {
                    Learner::HETU => marks.codes.insert(own.clone()),
                    Learner::LEARNER_NUMBER | Learner::PERSON_OID => marks.numbers.insert(own.clone()),
                    _ => false,
                };
                marks.all.insert(own);
            }
        }
    }
    marks
}

/// True for identifiers that are one person's and never given to another. Principal names are given again, and numbers
/// of unknown schemes may be one register's own.
fn is_hers_for_ever(identifier: &Identifier) -> bool {
    let scheme = matches!(
        identifier.scheme.as_str(),
        Learner::HETU | Learner::LEARNER_NUMBER | Learner::PERSON_OID | Learner::ESI
    );
    scheme && identifier.validity().identifies()
}

/// An OID is the same person's under either scheme.
pub fn mark(identifier: &Identifier) -> String {
    let scheme = match identifier.scheme.as_str() {
        Learner::LEARNER_NUMBER => Learner::PERSON_OID,
        scheme => scheme,
    };
    format!("{scheme}={}", identifier.normal())
}

/// Groups that grow together.
struct Groups(Vec<usize>);

impl Groups {
    fn new(size: usize) -> Self {
        Self((0..size).collect())
    }

    fn root(&mut self, mut at: usize) -> usize {
        while let Some(&up) = self.0.get(at).filter(|up| **up != at) {
            let above = self.0.get(up).copied().unwrap_or(up);
            if let Some(slot) = self.0.get_mut(at) {
                *slot = above;
            }
            at = up;
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        if let Some(slot) = self.0.get_mut(one.max(other)) {
            *slot = one.min(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(scheme: &str, value: &str) -> Identifier {
        Identifier { scheme: scheme.into(), value: value.into() }
    }

    const HETU: &str = "010190-901R";
    const OTHER_HETU: &str = "010190-900P";
    const MASTER: &str = "1.2.246.562.98.90000000019";
    const SLAVE: &str = "1.2.246.562.24.62601815904";
    const ESI: &str = "urn:schac:personalUniqueCode:int:esi:fi:1";
    const OTHER_ESI: &str = "urn:schac:personalUniqueCode:int:esi:fi:2";

    fn known(identifiers: &[(&str, &str)], said: &[(&str, &str, &str)]) -> Known {
        Known {
            identifiers: identifiers.iter().map(|(scheme, value)| id(scheme, value)).collect(),
            said: said
                .iter()
                .map(|(scheme, value, master)| {
                    let said = match *master {
                        "?" => Identity::Unknown,
                        "!" => Identity::Contradicted,
                        master => Identity::Person(id("fi:henkilo-oid", master)),
                    };
                    (id(scheme, value), said)
                })
                .collect(),
        }
    }

    fn one(who: &[Who], left: usize, right: usize) -> bool {
        matches!(&who[left], Who::Person(_)) && who[left] == who[right]
    }

    #[test]
    fn a_shared_identifier_makes_one_person_however_far_away() {
        let who = persons(&[
            known(&[("fi:hetu", HETU), ("esi", ESI)], &[]),
            known(&[("fi:hetu", HETU)], &[]),
            known(&[("esi", &ESI.replace("urn:", "URN:")), ("esi", OTHER_ESI)], &[]),
            known(&[("esi", OTHER_ESI)], &[]),
            known(&[("fi:hetu", OTHER_HETU)], &[]),
        ]);
        assert!(one(&who, 0, 1) && one(&who, 1, 2) && one(&who, 2, 3), "{who:?}");
        assert_eq!(who[4], Who::Alone);
    }

    #[test]
    fn the_register_brings_together_what_shares_nothing_and_takes_it_apart_again() {
        let linked = persons(&[
            known(&[("fi:hetu", HETU)], &[("fi:hetu", HETU, MASTER)]),
            known(&[("fi:oppijanumero", SLAVE)], &[("fi:oppijanumero", SLAVE, MASTER)]),
            known(&[("fi:henkilo-oid", MASTER)], &[]),
        ]);
        assert!(one(&linked, 0, 1) && one(&linked, 1, 2), "{linked:?}");
        let undone = persons(&[
            known(&[("fi:hetu", HETU)], &[("fi:hetu", HETU, MASTER)]),
            known(&[("fi:oppijanumero", SLAVE)], &[("fi:oppijanumero", SLAVE, SLAVE)]),
        ]);
        assert!(!one(&undone, 0, 1) && undone[0] != undone[1], "{undone:?}");
    }

    #[test]
    fn two_people_are_never_one() {
        // Somebody's record carries another's identity code.
        let mixed = persons(&[
            known(&[("fi:hetu", HETU)], &[]),
            known(&[("fi:hetu", HETU), ("fi:hetu", OTHER_HETU)], &[]),
            known(&[("fi:hetu", OTHER_HETU)], &[]),
        ]);
        assert_eq!(mixed, [Who::Contradiction, Who::Contradiction, Who::Contradiction]);
        let two_masters = persons(&[
            known(&[("fi:hetu", HETU), ("esi", ESI)], &[("fi:hetu", HETU, MASTER)]),
            known(&[("fi:henkilo-oid", SLAVE), ("esi", ESI)], &[("fi:henkilo-oid", SLAVE, SLAVE)]),
        ]);
        assert_eq!(two_masters, [Who::Contradiction, Who::Contradiction]);
        let somebody_else = persons(&[
            known(&[("fi:hetu", HETU)], &[("fi:hetu", HETU, "!")]),
            known(&[("fi:hetu", HETU)], &[("fi:hetu", HETU, MASTER)]),
        ]);
        assert_eq!(somebody_else[0], Who::Contradiction);
        assert!(matches!(somebody_else[1], Who::Person(_)), "one wrong name spoils nobody else: {somebody_else:?}");
    }

    #[test]
    fn a_change_concerns_whoever_shares_something_with_whom_it_is_about() {
        let marks = [&["a", "b"][..], &["c"], &["b", "d"], &["d"], &[]];
        let marks: Vec<BTreeSet<String>> =
            marks.iter().map(|marks| marks.iter().map(|mark| (*mark).to_owned()).collect()).collect();
        assert_eq!(concerned(&marks, |at| at == 3), [true, false, true, true, false]);
        assert_eq!(concerned(&marks, |at| at == 4), [false, false, false, false, true]);
        assert_eq!(concerned(&marks, |_| false), [false; 5]);
    }

    #[test]
    fn what_does_not_identify_brings_nobody_together() {
        let who = persons(&[
            known(&[("fi:hetu", "010190-")], &[]),
            known(&[("fi:hetu", "010190-")], &[]),
            known(&[("eppn", "a@b.example"), ("local:number", "1")], &[]),
            known(&[("eppn", "a@b.example"), ("local:number", "1")], &[]),
            known(&[], &[]),
            known(&[], &[]),
        ]);
        assert!(who.iter().all(|who| *who == Who::Alone), "{who:?}");
    }
}

//! What a whole load carries for each item, and whether it may be sent. Pure.
//!
//! Where absence means deletion, an item is left out only if it must be absent. What cannot be sent now stays in the
//! load with the content that was last accepted, so that no failure ever removes anything.

use crate::ledger::{DebtState, Holding, Sealed, Shrinkage, Wanted};
use silta_adapter::canonical::Digest;
use smol_str::SmolStr;
use std::collections::HashSet;

/// What a load carries for an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carry {
    /// What is wanted now.
    Wanted,
    /// What was last accepted, because what is wanted cannot be sent.
    LastGood,
    /// Nothing: the item must be absent.
    LeftOut,
    /// Nothing: it was never there and cannot be sent.
    Nothing,
}

/// The content last accepted for an item.
pub fn last_good(holding: &Holding) -> Option<&(Digest, Sealed)> {
    holding.sent_content.as_ref().or(holding.confirmed_content.as_ref())
}

/// What a load carries for an item on its own.
pub fn carry(holding: &Holding) -> Carry {
    let sendable = holding.state != DebtState::Refused;
    match (holding.wanted, &holding.wanted_content) {
        (Some(Wanted::Absent), _) if sendable => Carry::LeftOut,
        (Some(Wanted::Present), Some(_)) if sendable => Carry::Wanted,
        _ if last_good(holding).is_some() => Carry::LastGood,
        _ => Carry::Nothing,
    }
}

/// An item of one learner with the contents a load may carry for it.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What it carries.
    pub carry: Carry,
    /// Source key and parts of what is wanted.
    pub wanted: Option<Shape>,
    /// Source key and parts of what was last accepted.
    pub last_good: Option<Shape>,
    /// Why it does not carry what is wanted, if that is because of another item.
    pub waits: Option<&'static str>,
}

/// What a content is and what it needs beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Source key.
    pub id: SmolStr,
    /// Source keys of its parts.
    pub parts: Vec<SmolStr>,
}

impl Candidate {
    fn shape(&self) -> Option<&Shape> {
        match self.carry {
            Carry::Wanted => self.wanted.as_ref(),
            Carry::LastGood => self.last_good.as_ref(),
            Carry::LeftOut | Carry::Nothing => None,
        }
    }
}

/// Makes one learner's part of a load whole: a store does not take an attainment whose part is missing, and would
/// refuse everything for it. A part that is to be removed stays while a whole that is carried still names it; a whole
/// whose part is not there waits with the content that was last accepted, or stays out if there is none.
pub fn make_whole(candidates: &mut [Candidate]) {
    loop {
        let there: HashSet<SmolStr> = candidates.iter().filter_map(|c| c.shape().map(|s| s.id.clone())).collect();
        let lacking = candidates.iter().enumerate().find_map(|(at, candidate)| {
            let shape = candidate.shape()?;
            shape.parts.iter().find(|part| !there.contains(*part)).map(|part| (at, part.clone()))
        });
        let Some((at, part)) = lacking else { return };
        let removed = candidates
            .iter()
            .position(|c| c.carry == Carry::LeftOut && c.last_good.as_ref().is_some_and(|s| s.id == part));
        let (at, carry, why) = match removed {
            Some(child) => (child, Carry::LastGood, "a whole that is still there names it as its part"),
            None if candidates[at].carry == Carry::Wanted && candidates[at].last_good.is_some() => {
                (at, Carry::LastGood, "a part it names is not there")
            }
            None => (at, Carry::Nothing, "a part it names is not there"),
        };
        candidates[at].carry = carry;
        candidates[at].waits = Some(why);
    }
}

/// Whether a load may be sent without an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// It may.
    Pass,
    /// It waits for an operator, and why.
    Hold(String),
}

/// How many of a number of items may go without anybody's approval. One always may: otherwise nothing could ever be
/// withdrawn from a small store.
pub fn allowed_removals(items: i64, share: f64) -> i64 {
    ((items as f64 * share) as i64).max(1)
}

/// Judges a load by the items it places and what it would remove. `released` is what an operator released before: the
/// number of items that load would have removed, or `None` inside for a first load.
pub fn guard(placed: i64, shrinkage: Shrinkage, share: f64, released: Option<Option<i64>>) -> Guard {
    match (shrinkage.before, released) {
        (_, None) if placed == 0 => Guard::Hold("it is empty: it would remove everything".into()),
        (None, Some(_)) => Guard::Pass,
        (None, None) => Guard::Hold(
            "the first load of a connection replaces whatever the store holds; an operator releases it".into(),
        ),
        (Some(_), Some(Some(approved))) if shrinkage.removed <= approved => Guard::Pass,
        (Some(before), _) => {
            let allowed = allowed_removals(before, share);
            if shrinkage.removed <= allowed {
                Guard::Pass
            } else {
                Guard::Hold(format!(
                    "it would remove {} of the {before} items of the last load; without an operator it may remove {allowed}",
                    shrinkage.removed
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{LearnerId, RecordId};
    use silta_adapter::canonical::FORM;
    use silta_adapter::record::RecordKind;

    fn content(n: u8) -> (Digest, Sealed) {
        (Digest { form: FORM, hash: [n; 32] }, vec![n])
    }

    fn holding(state: DebtState, wanted: Option<Wanted>, wanted_content: Option<u8>, sent: Option<u8>) -> Holding {
        Holding {
            debt: 1,
            item: RecordId([1; 16]),
            learner: LearnerId([2; 16]),
            rank: 3,
            kind: RecordKind::Attainment,
            state,
            generation: 1,
            wanted,
            wanted_content: wanted_content.map(content),
            sent_content: sent.map(content),
            confirmed_content: None,
            sent_at: None,
        }
    }

    #[test]
    fn only_what_must_be_absent_is_left_out() {
        use DebtState::{Confirmed, Owed, Refused, Sent, Unplanned, Waiting};
        use Wanted::{Absent, Present};
        let cases = [
            ("new", holding(Owed, Some(Present), Some(1), None), Carry::Wanted),
            ("changed", holding(Owed, Some(Present), Some(2), Some(1)), Carry::Wanted),
            ("settled", holding(Confirmed, Some(Present), Some(1), Some(1)), Carry::Wanted),
            ("waits for a part", holding(Waiting, Some(Present), Some(2), Some(1)), Carry::Wanted),
            ("refused after it was there", holding(Refused, Some(Present), Some(1), Some(1)), Carry::LastGood),
            ("refused from the start", holding(Refused, None, None, None), Carry::Nothing),
            ("not planned yet", holding(Unplanned, None, None, None), Carry::Nothing),
            ("to be removed", holding(Owed, Some(Absent), None, Some(1)), Carry::LeftOut),
            ("removed", holding(Sent, Some(Absent), None, None), Carry::LeftOut),
            ("refused removal", holding(Refused, Some(Absent), None, Some(1)), Carry::LastGood),
        ];
        for (name, holding, expected) in cases {
            assert_eq!(carry(&holding), expected, "{name}");
        }
    }

    fn candidate(carry: Carry, wanted: Option<(&str, &[&str])>, last_good: Option<(&str, &[&str])>) -> Candidate {
        let shape =
            |(id, parts): (&str, &[&str])| Shape { id: id.into(), parts: parts.iter().map(|p| (*p).into()).collect() };
        Candidate { carry, wanted: wanted.map(shape), last_good: last_good.map(shape), waits: None }
    }

    #[test]
    fn a_load_never_names_a_part_it_does_not_carry() {
        let carried = |mut candidates: Vec<Candidate>| {
            make_whole(&mut candidates);
            candidates.iter().map(|c| c.carry).collect::<Vec<_>>()
        };
        use Carry::{LastGood, LeftOut, Nothing, Wanted};
        let whole = || candidate(Wanted, Some(("W", &["P"])), None);
        assert_eq!(carried(vec![whole(), candidate(Wanted, Some(("P", &[])), None)]), [Wanted, Wanted]);
        assert_eq!(carried(vec![whole()]), [Nothing], "a part that never came");
        let before = candidate(Wanted, Some(("W", &["P"])), Some(("W", &[])));
        assert_eq!(carried(vec![before]), [LastGood], "a new part that has not come yet");
        let removed = candidate(LeftOut, None, Some(("P", &[])));
        assert_eq!(
            carried(vec![candidate(Wanted, Some(("W", &["P"])), Some(("W", &["P"]))), removed]),
            [Wanted, LastGood]
        );
        let chain = vec![candidate(Wanted, Some(("A", &["B"])), None), candidate(Wanted, Some(("B", &["C"])), None)];
        assert_eq!(carried(chain), [Nothing, Nothing], "waiting spreads upwards");
        assert_eq!(carried(vec![candidate(Wanted, Some(("S", &["S"])), None)]), [Wanted], "its own part is there");
    }

    #[test]
    fn a_first_load_and_a_shrinking_one_wait_for_an_operator() {
        let load = |before, removed| Shrinkage { before, removed };
        assert!(matches!(guard(9, load(None, 0), 0.05, None), Guard::Hold(_)));
        assert_eq!(guard(9, load(None, 0), 0.05, Some(None)), Guard::Pass);
        assert_eq!(guard(9, load(Some(100), 5), 0.05, None), Guard::Pass);
        assert!(matches!(guard(9, load(Some(100), 6), 0.05, None), Guard::Hold(_)));
        assert_eq!(guard(9, load(Some(100), 60), 0.05, Some(Some(60))), Guard::Pass);
        assert!(matches!(guard(9, load(Some(100), 61), 0.05, Some(Some(60))), Guard::Hold(_)));
        assert_eq!(guard(9, load(Some(3), 1), 0.05, None), Guard::Pass, "one removal from a small store");
        assert!(matches!(guard(0, load(Some(1), 1), 0.05, None), Guard::Hold(_)), "but never the last item");
        assert_eq!(guard(0, load(Some(1), 1), 0.05, Some(Some(1))), Guard::Pass);
    }
}

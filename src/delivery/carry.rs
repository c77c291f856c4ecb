//! What a whole load carries for each item, and whether it may be sent. Pure.
//!
//! Where absence means deletion, an item is left out only if it must be absent. What cannot be sent now stays in the
//! load with the content that was last accepted, so that no failure ever removes anything.

use crate::ledger::{DebtState, Holding, Sealed, Shrinkage, Wanted};
use silta_adapter::canonical::Digest;

/// What a load carries for an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carry<'a> {
    /// What is wanted now.
    Wanted(&'a (Digest, Sealed)),
    /// What was last accepted, because what is wanted cannot be sent.
    LastGood(&'a (Digest, Sealed)),
    /// Nothing: the item must be absent.
    LeftOut,
    /// Nothing: it was never there and cannot be sent.
    Nothing,
}

/// What a load carries for an item.
pub fn carry(holding: &Holding) -> Carry<'_> {
    let last_good = || holding.sent_content.as_ref().or(holding.confirmed_content.as_ref());
    let sendable = !matches!(holding.state, DebtState::Refused | DebtState::Waiting);
    match (holding.wanted, &holding.wanted_content) {
        (Some(Wanted::Absent), _) if sendable => Carry::LeftOut,
        (Some(Wanted::Present), Some(content)) if sendable => Carry::Wanted(content),
        _ => last_good().map_or(Carry::Nothing, Carry::LastGood),
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

/// Judges a load by what it would remove. `released` is what an operator released before: the number of items that
/// load would have removed, or `None` inside for a first load.
pub fn guard(shrinkage: Shrinkage, share: f64, released: Option<Option<i64>>) -> Guard {
    match (shrinkage.before, released) {
        (None, Some(_)) => Guard::Pass,
        (None, None) => Guard::Hold(
            "the first load of a connection replaces whatever the store holds; an operator releases it".into(),
        ),
        (Some(_), Some(Some(approved))) if shrinkage.removed <= approved => Guard::Pass,
        (Some(before), _) => {
            // Small stores: one removal is always allowed, otherwise nothing could ever be withdrawn from them.
            let allowed = ((before as f64 * share) as i64).max(1);
            if shrinkage.removed <= allowed {
                Guard::Pass
            } else {
                Guard::Hold(format!(
                    "it would remove {} of the {before} items of the last load; {allowed} are allowed without an operator",
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
        use DebtState::{Confirmed, Owed, Refused, Sent, Unplanned};
        use Wanted::{Absent, Present};
        let cases = [
            ("new", holding(Owed, Some(Present), Some(1), None), Carry::Wanted(&content(1)).shape()),
            ("changed", holding(Owed, Some(Present), Some(2), Some(1)), Carry::Wanted(&content(2)).shape()),
            ("settled", holding(Confirmed, Some(Present), Some(1), Some(1)), Carry::Wanted(&content(1)).shape()),
            (
                "refused after it was there",
                holding(Refused, Some(Present), Some(1), Some(1)),
                Carry::LastGood(&content(1)).shape(),
            ),
            ("refused from the start", holding(Refused, None, None, None), "nothing".into()),
            ("not planned yet", holding(Unplanned, None, None, None), "nothing".into()),
            ("to be removed", holding(Owed, Some(Absent), None, Some(1)), "left out".into()),
            ("removed", holding(Sent, Some(Absent), None, None), "left out".into()),
            ("refused removal", holding(Refused, Some(Absent), None, Some(1)), Carry::LastGood(&content(1)).shape()),
        ];
        for (name, holding, expected) in cases {
            assert_eq!(carry(&holding).shape(), expected, "{name}");
        }
    }

    impl Carry<'_> {
        fn shape(&self) -> String {
            match self {
                Carry::Wanted((d, _)) => format!("wanted {}", d.hash[0]),
                Carry::LastGood((d, _)) => format!("last good {}", d.hash[0]),
                Carry::LeftOut => "left out".into(),
                Carry::Nothing => "nothing".into(),
            }
        }
    }

    #[test]
    fn a_first_load_and_a_shrinking_one_wait_for_an_operator() {
        let load = |before, removed| Shrinkage { before, removed };
        assert!(matches!(guard(load(None, 0), 0.05, None), Guard::Hold(_)));
        assert_eq!(guard(load(None, 0), 0.05, Some(None)), Guard::Pass);
        assert_eq!(guard(load(Some(100), 5), 0.05, None), Guard::Pass);
        assert!(matches!(guard(load(Some(100), 6), 0.05, None), Guard::Hold(_)));
        assert_eq!(guard(load(Some(100), 60), 0.05, Some(Some(60))), Guard::Pass);
        assert!(matches!(guard(load(Some(100), 61), 0.05, Some(Some(60))), Guard::Hold(_)));
        assert_eq!(guard(load(Some(3), 1), 0.05, None), Guard::Pass, "one removal from a small store");
    }
}

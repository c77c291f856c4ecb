//! Whether an inventory may be believed. Pure.
//!
//! An answer that was cut off, repeats itself, is about somebody else or was taken while the store changed looks like a
//! store that lost something. What cannot be believed is told and nothing is concluded from it.

use silta_adapter::adapter::{Holding, LearnerQuery};
use silta_adapter::canonical::record_text;
use silta_adapter::record::{Body, Record};

/// Differences that are believed of any inventory, however small.
pub(super) const SMALL: i64 = 20;

/// An answer for each question, and for each only one.
///
/// # Errors
/// If it is not so; the reason.
pub(super) fn answered_once(questions: usize, answers: &[Holding]) -> Result<(), String> {
    let mut seen = vec![false; questions];
    for answer in answers {
        match seen.get_mut(answer.query) {
            None => return Err("the inventory answers for a learner who was not asked about".into()),
            Some(true) => return Err("the inventory answers twice for one learner: it repeats itself".into()),
            Some(seen) => *seen = true,
        }
    }
    match seen.iter().filter(|seen| **seen).count() {
        n if n == questions => Ok(()),
        n => Err(format!("the inventory answers for {n} of {questions} learners: it is cut off")),
    }
}

/// True if an answer may be about the learner who was asked about: nobody in it has both another local id and none of
/// the identifiers that were asked by.
pub(super) fn is_about(query: &LearnerQuery, answer: &Holding) -> bool {
    let stranger = |record: &Record| match &record.body {
        Some(Body::Learner(body)) => {
            record.head.learner != query.learner
                && !body.identifiers.is_empty()
                && !body.identifiers.iter().any(|held| query.identifiers.contains(held))
        }
        _ => false,
    };
    !answer.records.iter().any(stranger)
}

/// True if two answers say the same, in whatever order.
pub(super) fn same(first: &Holding, second: &Holding) -> bool {
    let texts = |holding: &Holding| {
        let mut texts: Vec<Vec<u8>> = holding.records.iter().map(record_text).collect();
        texts.sort_unstable();
        texts
    };
    first.complete == second.complete && texts(first) == texts(second)
}

/// How much an inventory holds beside what it should hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Items that were accepted there, or seen there last.
    pub(super) known: i64,
    /// Of them absent from complete answers.
    pub(super) absent: i64,
    /// Records it holds.
    pub(super) held: i64,
}

impl Sizes {
    /// Whether the size is one that a store in use can have: at least `share` of what should be there, and no more than
    /// that divided by `share`. 0 believes everything.
    ///
    /// # Errors
    /// If it is not; the reason.
    pub(super) fn plausible(self, share: f64) -> Result<(), String> {
        let Self { known, absent, held } = self;
        let of_known = |factor: f64| ((known as f64) * factor) as i64;
        if share > 0.0 && absent > of_known(1.0 - share).max(SMALL) {
            return Err(format!("{absent} of {known} items are not in the inventory, more than can be believed"));
        }
        if share > 0.0 && held > of_known(1.0 / share).max(known + SMALL) {
            return Err(format!(
                "the inventory holds {held} records where {known} should be, more than can be believed"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use silta_adapter::record::{Identifier, Learner, RecordKey, RecordKind};

    fn identifier(value: &str) -> Identifier {
        Identifier { scheme: "fi:oppijanumero".into(), value: value.into() }
    }

    fn learner(id: &str, numbers: &[&str]) -> Record {
        let key = RecordKey {
            tenant: "t".into(),
            source: "s".into(),
            kind: RecordKind::Learner,
            institution: "".into(),
            id: id.into(),
        };
        let identifiers = numbers.iter().map(|n| identifier(n)).collect::<Vec<_>>().into();
        Record::current(key, id, Body::Learner(Box::new(Learner { identifiers, ..Learner::default() })))
    }

    fn holding(query: usize, records: Vec<Record>) -> Holding {
        Holding { query, records, complete: true, ..Holding::default() }
    }

    #[test]
    fn every_question_has_one_answer() {
        let answers = |queries: &[usize]| queries.iter().map(|q| holding(*q, Vec::new())).collect::<Vec<_>>();
        assert_eq!(answered_once(2, &answers(&[1, 0])), Ok(()));
        for (queries, told) in [(&[0][..], "1 of 2"), (&[0, 1, 0], "twice"), (&[0, 1, 2], "not asked about")] {
            assert!(answered_once(2, &answers(queries)).expect_err("no").contains(told));
        }
    }

    #[test]
    fn an_answer_is_about_whoever_has_the_local_id_or_an_identifier() {
        let query =
            LearnerQuery { learner: "L1".into(), identifiers: vec![identifier("1.1")], ..LearnerQuery::default() };
        let about = |records: Vec<Record>| is_about(&query, &holding(0, records));
        assert!(
            about(Vec::new()) && about(vec![learner("L1", &["1.7"])]) && about(vec![learner("L9", &["1.7", "1.1"])])
        );
        assert!(!about(vec![learner("L1", &["1.1"]), learner("L2", &["1.2"])]));
    }

    #[test]
    fn two_answers_are_the_same_in_any_order() {
        let (one, two) = (learner("L1", &[]), learner("L2", &[]));
        let both = holding(0, vec![one.clone(), two.clone()]);
        assert!(same(&both, &holding(0, vec![two, one.clone()])));
        assert!(!same(&both, &holding(0, vec![one])));
    }

    #[test]
    fn a_size_that_no_store_in_use_has_is_not_believed() {
        let sizes = |known, absent, held| Sizes { known, absent, held };
        for (plausible, sizes) in [
            (true, sizes(1000, 500, 500)),
            (false, sizes(1000, 501, 499)),
            (true, sizes(1000, 0, 2000)),
            (false, sizes(1000, 0, 10_000)),
            (true, sizes(3, 3, 0)),
            (true, sizes(0, 0, 20)),
            (false, sizes(0, 0, 21)),
        ] {
            assert_eq!(sizes.plausible(0.5).is_ok(), plausible, "{sizes:?}");
            assert_eq!(sizes.plausible(0.0), Ok(()));
        }
    }
}

//! Which version is newer.

use super::types::{Incoming, Outcome};
use silta_adapter::canonical::{Digest, FORM};
use silta_adapter::record::State;

/// What is known of a record when another version of it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incumbent {
    /// Its state.
    pub state: State,
    /// The source's own revision.
    pub revision: Option<u64>,
    /// Digest of what stands.
    pub digest: Digest,
}

/// Judges an arrival against what is known. `superseded` tells whether an older version had the arrival's content; it
/// is asked only where the answer matters.
///
/// A lower revision is stale. Without revisions the order of arrival counts. A tombstone is revived only by a higher
/// revision or an explicit reinstatement, and never after consent was withdrawn. A digest made under another canonical
/// form says nothing; the caller compares contents then and hands in a digest of today's form.
pub fn judge(
    incumbent: Option<&Incumbent>,
    incoming: &Incoming,
    reinstate: bool,
    superseded: impl FnOnce() -> bool,
) -> Outcome {
    let Some(known) = incumbent else { return Outcome::New };
    let newer = match (incoming.revision, known.revision) {
        (Some(new), Some(old)) if new < old => return Outcome::Stale,
        (Some(new), Some(old)) => new > old,
        _ => false,
    };
    let revives = known.state.is_tombstone() && !incoming.state.is_tombstone();
    if known.state == State::ConsentWithdrawn && incoming.state != State::ConsentWithdrawn {
        return Outcome::Refused;
    }
    if revives && !newer && !reinstate {
        return Outcome::Refused;
    }
    let same_content = incoming.content.is_none()
        || (known.digest.form == FORM && incoming.digest.form == FORM && known.digest == incoming.digest);
    if incoming.state == known.state && same_content {
        return Outcome::Unchanged;
    }
    if !newer && incoming.state == known.state && superseded() {
        return Outcome::Reverted;
    }
    Outcome::Updated
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{LearnerId, Lookup, RecordId};
    use silta_adapter::record::RecordKind;

    fn digest(n: u8) -> Digest {
        Digest { form: FORM, hash: [n; 32] }
    }

    fn arrival(state: State, revision: Option<u64>, content: u8) -> Incoming {
        Incoming {
            id: RecordId([1; 16]),
            learner: LearnerId([2; 16]),
            lookup: Lookup([3; 16]),
            source: "sis".into(),
            kind: RecordKind::Attainment,
            institution: "10122".into(),
            state,
            revision,
            digest: digest(content),
            content: Some(vec![content]),
        }
    }

    fn known(state: State, revision: Option<u64>, content: u8) -> Incumbent {
        Incumbent { state, revision, digest: digest(content) }
    }

    #[test]
    fn arrivals_are_judged() {
        use Outcome::{New, Refused, Reverted, Stale, Unchanged, Updated};
        use State::{ConsentWithdrawn, Current, Deleted, Misregistered};
        let cases = [
            ("first seen", None, arrival(Current, None, 1), false, New),
            ("same content", Some(known(Current, None, 1)), arrival(Current, None, 1), false, Unchanged),
            ("other content", Some(known(Current, None, 1)), arrival(Current, None, 2), false, Updated),
            ("lower revision", Some(known(Current, Some(5), 1)), arrival(Current, Some(4), 2), false, Stale),
            ("lower revision, tombstone", Some(known(Current, Some(5), 1)), arrival(Deleted, Some(4), 1), false, Stale),
            (
                "same revision, other content",
                Some(known(Current, Some(5), 1)),
                arrival(Current, Some(5), 2),
                false,
                Updated,
            ),
            ("old content again", Some(known(Current, None, 1)), arrival(Current, None, 9), false, Reverted),
            (
                "old content, newer revision",
                Some(known(Current, Some(5), 1)),
                arrival(Current, Some(6), 9),
                false,
                Updated,
            ),
            ("withdrawal", Some(known(Current, None, 1)), arrival(Deleted, None, 1), false, Updated),
            ("withdrawal again", Some(known(Deleted, None, 1)), arrival(Deleted, None, 1), false, Unchanged),
            ("other tombstone", Some(known(Deleted, None, 1)), arrival(Misregistered, None, 1), false, Updated),
            ("revival by nothing", Some(known(Deleted, None, 1)), arrival(Current, None, 1), false, Refused),
            ("revival by hand", Some(known(Deleted, None, 1)), arrival(Current, None, 1), true, Updated),
            ("revival by revision", Some(known(Deleted, Some(5), 1)), arrival(Current, Some(6), 1), false, Updated),
            ("consent is gone", Some(known(ConsentWithdrawn, Some(5), 1)), arrival(Current, Some(6), 1), true, Refused),
        ];
        for (name, incumbent, incoming, reinstate, expected) in cases {
            let content = incoming.digest.hash[0];
            assert_eq!(judge(incumbent.as_ref(), &incoming, reinstate, || content == 9), expected, "{name}");
        }
    }

    #[test]
    fn a_withdrawal_without_content_is_unchanged_only_for_the_same_tombstone() {
        let mut bare = arrival(State::Deleted, None, 0);
        bare.content = None;
        assert_eq!(judge(Some(&known(State::Deleted, None, 1)), &bare, false, || false), Outcome::Unchanged);
        assert_eq!(judge(Some(&known(State::Current, None, 1)), &bare, false, || false), Outcome::Updated);
    }
}

//! Which learners are one person.

use super::{LearnerId, Micros, PersonId};
use smol_str::SmolStr;

/// That a learner is a person, over a time. Learners whose links stand and name the same person are one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The learner.
    pub learner: LearnerId,
    /// Who she is.
    pub person: PersonId,
    /// How that is known.
    pub why: SmolStr,
    /// From when on it was taken to be so.
    pub since: Micros,
    /// Until when; `None` while it stands.
    pub until: Option<Micros>,
}

/// What is known now of who a learner is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identification {
    /// The learner.
    pub learner: LearnerId,
    /// Who she is; `None` undoes what was known.
    pub person: Option<PersonId>,
    /// How that is known.
    pub why: SmolStr,
}

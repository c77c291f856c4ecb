//! Keys, kinds and states.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::fmt;

/// The six kinds of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// The natural person.
    Learner,
    /// A right to study.
    StudyRight,
    /// A term registration.
    Enrolment,
    /// A mobility period.
    MobilityPeriod,
    /// A course, module, degree, micro-credential or badge.
    Attainment,
    /// Non-formal learning without credits.
    Activity,
}

impl RecordKind {
    /// All kinds, in the order in which a destination should receive them.
    pub const ALL: [Self; 6] =
        [Self::Learner, Self::StudyRight, Self::Enrolment, Self::MobilityPeriod, Self::Attainment, Self::Activity];

    /// The name used in JSON, configuration and URLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Learner => "learner",
            Self::StudyRight => "study_right",
            Self::Enrolment => "enrolment",
            Self::MobilityPeriod => "mobility_period",
            Self::Attainment => "attainment",
            Self::Activity => "activity",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a record stands, or how it was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It stands.
    #[default]
    Current,
    /// The source no longer has it.
    Deleted,
    /// It was entered by mistake (Sisu: *virhemerkitty*).
    Misregistered,
    /// It was declared void (Koski: *mitätöity*).
    Invalidated,
    /// The learner withdrew consent. Never revived.
    ConsentWithdrawn,
    /// Its content now lives under another key.
    MergedAway,
}

impl State {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Current,
        Self::Deleted,
        Self::Misregistered,
        Self::Invalidated,
        Self::ConsentWithdrawn,
        Self::MergedAway,
    ];

    /// True for every state but [`State::Current`].
    pub fn is_tombstone(self) -> bool {
        self != Self::Current
    }

    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Deleted => "deleted",
            Self::Misregistered => "misregistered",
            Self::Invalidated => "invalidated",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::MergedAway => "merged_away",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The immutable key of a record. Mergers of institutions are aliases applied when comparing, never written here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct RecordKey {
    /// Who sends it and is authorised to.
    pub tenant: SmolStr,
    /// The register it comes from, as the tenant names it.
    pub source: SmolStr,
    /// What kind of record it is.
    pub kind: RecordKind,
    /// The institution as sent (a granting body's code); empty where the source names none.
    #[serde(default)]
    pub institution: SmolStr,
    /// The key in the source register, or a named natural tuple for kinds that have none.
    pub id: SmolStr,
}

/// The key of a learner: pseudonymous outside the personal tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LearnerKey {
    /// Who sends records about this learner.
    pub tenant: SmolStr,
    /// The register that knows the learner.
    pub source: SmolStr,
    /// The learner's local identifier there.
    pub id: SmolStr,
}

//! What one institution says about one learner.
//!
//! A [`Record`] is a [`Head`] (who says it, under which key, in which state) and a [`Body`] (what is said).
//! Content is kept as sent: text with its language, codes with their scheme, decimals exactly, each date with its
//! meaning. Whatever a mapping can derive is derived when needed and never stored here.

mod activity;
mod attainment;
mod enrolment;
mod key;
mod learner;
mod mobility;
mod study_right;
mod value;
mod wire;

pub use activity::Activity;
pub use attainment::{
    Accreditation, Assessment, Attainment, FieldShare, Grade, GradeScale, LearningOutcome, Part, ResearchCredits,
    ScaleGrade, Stackability,
};
pub use enrolment::{Enrolment, EnrolmentFee};
pub use key::{LearnerKey, RecordKey, RecordKind, State};
pub use learner::{Identifier, Learner};
pub use mobility::MobilityPeriod;
pub use study_right::{Fee, RightState, StudyPhase, StudyRight, TermsUsed, Transfer};
pub use value::{
    Amount, Coded, Credits, Date, Duration, EndDate, Extensions, OrganisationRole, Period, Set, Text, Texts,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The unit the gateway keeps consistent: what one institution says about one learner.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Who says it, under which key, in which state.
    pub head: Head,
    /// What is said. Absent only in a tombstone for a key whose content was never seen.
    pub body: Option<Body>,
}

/// Who says it, under which key, in which state.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The immutable key.
    pub key: RecordKey,
    /// The learner's local identifier in the source register; with tenant and source it makes the [`LearnerKey`].
    pub learner: SmolStr,
    /// Whether the record stands, or how it was taken back.
    pub state: State,
    /// A number the source raises with every change, where it has one (Sisu's `modificationOrdinal`).
    pub source_revision: Option<u64>,
    /// True where the learner's data is under a non-disclosure order for personal safety; travels with the record.
    pub non_disclosure: bool,
}

/// What is said: one of six kinds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Body {
    /// The natural person.
    Learner(Box<Learner>),
    /// A right to study granted by an institution.
    StudyRight(Box<StudyRight>),
    /// Registration for a term.
    Enrolment(Box<Enrolment>),
    /// A stay at another institution or in a traineeship abroad.
    MobilityPeriod(Box<MobilityPeriod>),
    /// Something achieved: course unit, module, degree, micro-credential, badge.
    Attainment(Box<Attainment>),
    /// Non-formal learning without credits.
    Activity(Box<Activity>),
}

impl Body {
    /// The kind of this body.
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Learner(_) => RecordKind::Learner,
            Self::StudyRight(_) => RecordKind::StudyRight,
            Self::Enrolment(_) => RecordKind::Enrolment,
            Self::MobilityPeriod(_) => RecordKind::MobilityPeriod,
            Self::Attainment(_) => RecordKind::Attainment,
            Self::Activity(_) => RecordKind::Activity,
        }
    }

    /// The national parts of this body.
    pub fn extensions(&self) -> &Extensions {
        match self {
            Self::Learner(b) => &b.extensions,
            Self::StudyRight(b) => &b.extensions,
            Self::Enrolment(b) => &b.extensions,
            Self::MobilityPeriod(b) => &b.extensions,
            Self::Attainment(b) => &b.extensions,
            Self::Activity(b) => &b.extensions,
        }
    }

    /// The national parts of this body, to change.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        match self {
            Self::Learner(b) => &mut b.extensions,
            Self::StudyRight(b) => &mut b.extensions,
            Self::Enrolment(b) => &mut b.extensions,
            Self::MobilityPeriod(b) => &mut b.extensions,
            Self::Attainment(b) => &mut b.extensions,
            Self::Activity(b) => &mut b.extensions,
        }
    }
}

/// How one record points at another of the same tenant and source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// What the target is to the record.
    pub role: ReferenceRole,
    /// The target's kind.
    pub kind: RecordKind,
    /// The target's key in the source register; its institution is not part of a reference.
    pub id: SmolStr,
}

/// What a referenced record is to the one that points at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReferenceRole {
    /// A part of this attainment (`has_part`).
    Part,
    /// The study right it belongs to.
    StudyRight,
}

impl Record {
    /// A current record without revision or non-disclosure order.
    pub fn current(key: RecordKey, learner: impl Into<SmolStr>, body: Body) -> Self {
        Self {
            head: Head {
                key,
                learner: learner.into(),
                state: State::Current,
                source_revision: None,
                non_disclosure: false,
            },
            body: Some(body),
        }
    }

    /// The key of the learner this record is about.
    pub fn learner_key(&self) -> LearnerKey {
        LearnerKey {
            tenant: self.head.key.tenant.clone(),
            source: self.head.key.source.clone(),
            id: self.head.learner.clone(),
        }
    }

    /// The records this one points at: parts of an attainment, the study right it belongs to.
    pub fn references(&self) -> Vec<Reference> {
        let right = |id: &Option<SmolStr>| {
            id.iter()
                .map(|id| Reference { role: ReferenceRole::StudyRight, kind: RecordKind::StudyRight, id: id.clone() })
                .collect::<Vec<_>>()
        };
        match &self.body {
            Some(Body::Attainment(a)) => {
                let mut references = right(&a.study_right);
                references.extend(a.parts.iter().map(|part| Reference {
                    role: ReferenceRole::Part,
                    kind: RecordKind::Attainment,
                    id: part.id.clone(),
                }));
                references
            }
            Some(Body::Enrolment(e)) => right(&e.study_right),
            Some(Body::MobilityPeriod(m)) => right(&m.study_right),
            _ => Vec::new(),
        }
    }
}

/// The JSON Schema (2020-12) of one line of the `record` format, with meaning, unit and source standard per field.
pub fn record_schema() -> schemars::Schema {
    schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Record>()
}

//! Registration for a term.

use super::value::{Coded, Date, EndDate, Extensions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Registration for a term. VIRTA `LukukausiIlmoittautuminen`, which has no key: its record key is the natural tuple
/// (learner, study right, first day).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Enrolment {
    /// Source key of the study right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub study_right: Option<SmolStr>,
    /// The institution. VIRTA `Myontaja`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awarding_body: Option<Coded>,
    /// Kind of registration (VIRTA: 1 present, 2 absent, 3 absent without using right, 4 missing).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Coded>,
    /// Day of registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_on: Option<Date>,
    /// First day of the term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Date>,
    /// Last day of the term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<EndDate>,
    /// Tuition fee of the year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee: Option<EnrolmentFee>,
    /// National parts.
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

/// The tuition fee of an enrolment. VIRTA `LukuvuosiMaksu`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EnrolmentFee {
    /// Whether it was paid (VIRTA *LukuvuosiMaksuTila*: 0 no, 1 yes).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid: Option<Coded>,
    /// Amount in euros, as sent (text of at most five characters at VIRTA).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<SmolStr>,
    /// Scholarship in euros, as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scholarship: Option<SmolStr>,
    /// Source key of the study right the fee is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub study_right: Option<SmolStr>,
}

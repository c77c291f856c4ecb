//! A mobility period.

use super::value::{Coded, Date, EndDate, Extensions, Set};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A stay at another institution or in a traineeship abroad. VIRTA `Liikkuvuusjakso`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MobilityPeriod {
    /// Source key of the study right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub study_right: Option<SmolStr>,
    /// The institution's code of what was studied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<SmolStr>,
    /// A national code of what was studied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub national_code: Option<SmolStr>,
    /// The institution. VIRTA `Myontaja`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awarding_body: Option<Coded>,
    /// First day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Date>,
    /// Last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<EndDate>,
    /// Direction (VIRTA: 1 outgoing, 2 incoming).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Coded>,
    /// Country (ISO 3166-1 numeric at VIRTA).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Coded>,
    /// Type (VIRTA: 1 exchange, 2 traineeship).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mobility_type: Option<Coded>,
    /// Mobility programme (Erasmus+, Nordplus …).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programme: Option<Coded>,
    /// Type of the study right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right_type: Option<Coded>,
    /// Classifications (VIRTA: a adult education, b blended).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub classifications: Set<Coded>,
    /// National parts.
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

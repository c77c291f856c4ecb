//! Names of Sisu's code lists, as schemes of [`Coded`], and of what an export holds.
//!
//! A code that Sisu writes as a URN keeps its own list: `urn:code:language:fi` is the value `fi` of the scheme
//! `urn:code:language`. Codes that Sisu writes bare get a scheme of ours.

use silta_adapter::record::Coded;

/// Types of attainment; values are [`TYPES`].
pub const ATTAINMENT_TYPE: &str = "sisu:attainment-type";
/// States of an attainment (`ATTAINED`, `INCLUDED`, `SUBSTITUTED`, `FAILED`), kept as a classification.
pub const STATE: &str = "sisu:state";
/// Grading scales by id; the grade's value is its local id in the scale.
pub const GRADE_SCALE: &str = "sisu:grade-scale";
/// Sisu's own organisations by id.
pub const ORGANISATION: &str = "sisu:organisation";
/// Roles of organisations that Sisu expresses by a member rather than a code.
pub const ROLE: &str = "sisu:organisation-role";
/// Where recognised credit comes from; a value of [`ROLE`].
pub const TRANSFER_SOURCE: &str = "credit-transfer-source";
/// Kinds of term registration.
pub const TERM_REGISTRATION: &str = "sisu:term-registration-type";
/// States of a study right.
pub const RIGHT_STATE: &str = "sisu:study-right-state";
/// A code that should be a URN and is none.
pub const BARE: &str = "sisu:code";
/// Finnish institutions (*oppilaitosnumero*).
pub const INSTITUTION: &str = "urn:code:educational-institution";
/// Languages (ISO 639-1).
pub const LANGUAGE: &str = "urn:code:language";

/// The types of attainment.
pub const TYPES: [&str; 6] = [
    "AssessmentItemAttainment",
    "CourseUnitAttainment",
    "CustomCourseUnitAttainment",
    "ModuleAttainment",
    "CustomModuleAttainment",
    "DegreeProgrammeAttainment",
];

/// The extension namespace of what only Sisu has, under its own member names.
pub const CONTENT: &str = "sisu";
/// The extension namespace of where a record stood (revision, times); not compared.
pub const DOCUMENT: &str = "sisu.document";

/// A URN as a code of its list.
pub(crate) fn coded(urn: &str) -> Coded {
    match urn.rsplit_once(':') {
        Some((list, value)) if list.starts_with("urn:") && !value.is_empty() => Coded::new(list.to_owned(), value),
        _ => Coded::new(BARE, urn),
    }
}

/// A code as Sisu writes it, if it can be one of Sisu's.
pub(crate) fn urn(code: &Coded) -> Option<String> {
    match code.scheme.as_ref() {
        BARE if coded(&code.value).scheme == BARE && !code.value.is_empty() => Some(code.value.to_string()),
        list if list.starts_with("urn:") && !code.value.is_empty() && !code.value.contains(':') => {
            Some(format!("{list}:{}", code.value))
        }
        _ => None,
    }
}

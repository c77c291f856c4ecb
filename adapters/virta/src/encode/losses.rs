//! What VIRTA does not hold, as a static table and as what is found in a record.

use silta_adapter::canonical;
use silta_adapter::fidelity::LossRule;
use silta_adapter::record::{Attainment, Learner, RecordKind};

/// A code of a list VIRTA does not use.
pub(super) const FOREIGN_CODE: &str = "foreign_code";
/// A code of another system, which means one of VIRTA's.
pub(super) const TRANSLATED_CODE: &str = "translated_code";
/// An optional key that is empty.
pub(super) const EMPTY_KEY: &str = "empty_key";
/// A module code that VIRTA requires and the record does not have.
pub(super) const NO_CODE: &str = "no_code";
/// A learner nothing but the key is known of.
pub(super) const BARE_LEARNER: &str = "bare_learner";
/// An identifier VIRTA has no element for.
pub(super) const EXTRA_IDENTIFIER: &str = "extra_identifier";
/// National parts of other systems.
pub(super) const OTHER_EXTENSION: &str = "other_extension";
/// The non-disclosure order.
pub(super) const NON_DISCLOSURE: &str = "non_disclosure";

/// Declares the loss table, and for each body a function that finds which fields VIRTA has no element for.
macro_rules! losses {
    (
        $({ $id:expr, $kinds:expr, $pattern:literal, $when:literal, $reason:literal })*
        $(fn $find:ident($body:ident, $kind:ident) { $($field:ident)* })*
    ) => {
        /// The static loss table.
        pub(crate) static LOSSES: &[LossRule] = &[
            $(LossRule { id: $id, kinds: $kinds, pattern: $pattern, when: $when, reason: $reason },)*
            $($(LossRule {
                id: stringify!($field),
                kinds: &[RecordKind::$kind],
                pattern: concat!("/body/", stringify!($field)),
                when: "the record has it",
                reason: "VIRTA has no element for it",
            },)*)*
        ];

        $(
            /// Calls back with every field that says something and has no element.
            pub(super) fn $find(body: &$body, mut lost: impl FnMut(&'static str)) {
                $(if !canonical::is_absent(&body.$field) {
                    lost(stringify!($field));
                })*
            }
        )*
    };
}

losses! {
    { FOREIGN_CODE, &[], "/body/**", "the code is of another list than VIRTA uses there, or is not one",
        "an optional code that VIRTA would not understand is left out" }
    { TRANSLATED_CODE, &[], "/body/**", "a code is of another system and mappings/crosswalks.toml says what it means",
        "VIRTA's own code is written" }
    { EMPTY_KEY, &[], "/body/**", "an optional key is empty", "VIRTA does not tell an empty key from none" }
    { NO_CODE, &[RecordKind::Attainment], "/body/code", "the record has no module code",
        "VIRTA requires the attribute, which may be empty" }
    { BARE_LEARNER, &[RecordKind::Learner], "", "a row comes without its learner",
        "rows stand in a learner's block, which then holds the key alone" }
    { EXTRA_IDENTIFIER, &[RecordKind::Learner], "/body/identifiers/*",
        "it is empty, of another scheme, or a second one of its scheme",
        "VIRTA holds one personal identity code and one learner number" }
    { OTHER_EXTENSION, &[], "/body/extensions/*", "it is of another system, or has members VIRTA has no element for",
        "VIRTA holds only its own national parts" }
    { NON_DISCLOSURE, &[], "/non_disclosure", "there is a non-disclosure order", "VIRTA has no element for it" }
    fn learner(Learner, Learner) { full_name date_of_birth email }
    fn attainment(Attainment, Attainment) {
        achievement_type description assessed_on registered_on issued_on started_on expires_on workload country links
        learning_outcomes learning_outcome_summary eqf_level nqf_levels cycle mastery assessments modes
        learning_setting quality_assurance entry_requirements stackability
    }
}

//! What Sisu does not hold of an attainment, as a static table and as what is found in a record.

use silta_adapter::canonical;
use silta_adapter::fidelity::LossRule;
use silta_adapter::record::{Attainment, RecordKind};

/// A code of another system, which means one of Sisu's.
pub(super) const TRANSLATED: &str = "translated_code";
/// A code of another system, which means none of Sisu's.
pub(super) const FOREIGN_CODE: &str = "foreign_code";
/// A name or code that belongs to the course unit or module.
pub(super) const NAMED_ELSEWHERE: &str = "named_elsewhere";
/// Text in no language of Sisu, or a second one in the same.
pub(super) const LANGUAGE: &str = "language";
/// The awarding body, which Sisu does not say.
pub(super) const AWARDING_BODY: &str = "awarding_body";
/// The state, which the record does not say.
pub(super) const STATE: &str = "state";
/// Whether it is the primary attainment, which the record does not say.
pub(super) const PRIMARY: &str = "primary";
/// Parts of a type that has none.
pub(super) const NO_PARTS: &str = "no_parts";
/// What a part counts for.
pub(super) const PART_EXTENT: &str = "part_extent";
/// Groups that do not hold the parts the record says.
pub(super) const STALE_GROUPS: &str = "stale_groups";
/// A second organisation where Sisu has one place.
pub(super) const EXTRA_ORGANISATION: &str = "extra_organisation";
/// A member of the extension that says what the record says otherwise.
pub(super) const RESERVED: &str = "reserved_member";
/// National parts of other systems.
pub(super) const OTHER_EXTENSION: &str = "other_extension";
/// The non-disclosure order.
pub(super) const NON_DISCLOSURE: &str = "non_disclosure";

macro_rules! losses {
    (
        $({ $id:expr, $pattern:literal, $when:literal, $reason:literal })*
        lost: $($field:ident)*
    ) => {
        /// The static loss table.
        pub(crate) static LOSSES: &[LossRule] = &[
            $(LossRule {
                id: $id, kinds: &[RecordKind::Attainment], pattern: $pattern, when: $when, reason: $reason,
            },)*
            $(LossRule {
                id: stringify!($field),
                kinds: &[RecordKind::Attainment],
                pattern: concat!("/body/", stringify!($field)),
                when: "the record has it",
                reason: "an attainment in Sisu has no member for it",
            },)*
        ];

        /// Calls back with every field that says something and has no member.
        pub(super) fn unheld(body: &Attainment, mut lost: impl FnMut(&'static str)) {
            $(if !canonical::is_absent(&body.$field) {
                lost(stringify!($field));
            })*
        }
    };
}

losses! {
    { TRANSLATED, "/body/**", "a code is of another list and mappings/crosswalks.toml says what it means",
        "Sisu's own code is written" }
    { FOREIGN_CODE, "/body/**", "an optional code or role is of another list, and no crosswalk leads to Sisu's",
        "a code that Sisu would not understand is left out" }
    { NAMED_ELSEWHERE, "/body/*", "it is no custom attainment (for the education: no degree)",
        "Sisu takes name, code and education from the course unit or module" }
    { LANGUAGE, "/body/*/*", "a text is in none of fi, sv and en, or a second one in its language",
        "Sisu holds one text in each of three languages" }
    { AWARDING_BODY, "/body/awarding_body", "the record does not name its awarding body",
        "a Sisu holds what its own institution awards" }
    { STATE, "/body/classifications/**", "the record does not say one of Sisu's states, or several",
        "recognised credit is SUBSTITUTED, all other ATTAINED" }
    { PRIMARY, "/body/extensions/sisu/primary", "the record does not say whether it is the primary attainment",
        "Sisu requires it; a failed one is none" }
    { NO_PARTS, "/body/parts", "an assessment item or custom course unit has parts", "Sisu has no parts of those" }
    { PART_EXTENT, "/body/parts/*/ects", "a part says what it counts for", "Sisu names parts by id alone" }
    { STALE_GROUPS, "/body/extensions/sisu/nodes", "the groups are not of the parts the record says",
        "the parts are written without groups" }
    { EXTRA_ORGANISATION, "/body/organisations/**", "recognised credit has several sources or shares of them",
        "Sisu names one source of a kind, without a share" }
    { RESERVED, "/body/extensions/sisu/*", "an extension holds a member that is written from the record",
        "the record counts" }
    { OTHER_EXTENSION, "/body/extensions/*", "it is of another system", "Sisu holds only its own members" }
    { NON_DISCLOSURE, "/non_disclosure", "there is a non-disclosure order", "in Sisu it stands with the person" }
    lost: national_code achievement_type description assessed_on issued_on started_on workload country fields_of_study
        research thesis competences links learning_outcomes learning_outcome_summary eqf_level nqf_levels cycle mastery
        assessments modes learning_setting quality_assurance entry_requirements stackability
}

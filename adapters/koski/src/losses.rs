//! What a badge at Koski does not hold of a record, and why.

use silta_adapter::fidelity::LossRule;
use silta_adapter::record::RecordKind;

const fn row(
    id: &'static str,
    kinds: &'static [RecordKind],
    pattern: &'static str,
    when: &'static str,
    reason: &'static str,
) -> LossRule {
    LossRule { id, kinds, pattern, when, reason }
}

const L: &[RecordKind] = &[RecordKind::Learner];
const A: &[RecordKind] = &[RecordKind::Attainment];

/// Reasons that several fields share.
const BY_CODE: &str = "Koski knows what a badge is by its code in the national list";
const NO_PLACE: &str = "a badge at Koski has no place for it";
const REGISTER: &str = "Koski has it from the population register";
const DAY: &str = "a badge is assessed, confirmed and ended on the same day";

/// The table of losses.
pub(crate) static TABLE: &[LossRule] = &[
    row("state", &[], "/state", "the item is taken back", "a withdrawal names what it takes back by its content"),
    row("non-disclosure", &[], "/non_disclosure", "the learner is under a non-disclosure order", REGISTER),
    row("foreign-extensions", &[], "/body/extensions/*", "there are national parts of another system", NO_PLACE),
    row(
        "identifiers",
        L,
        "/body/identifiers",
        "there is more than one identity code or OID, or one of another scheme",
        "Koski knows a person by her identity code and her OID",
    ),
    row("full-name", L, "/body/full_name", "the source gives it", "Koski has names in parts"),
    row("date-of-birth", L, "/body/date_of_birth", "the record has it", REGISTER),
    row("gender", L, "/body/gender", "the record has it", REGISTER),
    row("citizenships", L, "/body/citizenships", "the record has them", REGISTER),
    row("first-language", L, "/body/first_language", "the record has it", REGISTER),
    row("municipality", L, "/body/municipality", "the record has it", REGISTER),
    row("registered-learner", L, "/body/registered_on", "the record has it", NO_PLACE),
    row("email", L, "/body/email", "the record has it", NO_PLACE),
    row("completed-on", A, "/body/completed_on", "the record does not say the day, but another", DAY),
    row("assessed-on", A, "/body/assessed_on", "the record does not say the day, but another", DAY),
    row("issued-on", A, "/body/issued_on", "the record does not say the day, but another", DAY),
    row(
        "grade",
        A,
        "/body/grade",
        "the record has no grade, or one of another scale",
        "a badge that was achieved is passed",
    ),
    row("awarding-body", A, "/body/awarding_body", "it is not given by its OID", "Koski knows schools by their OID"),
    row(
        "title",
        A,
        "/body/title",
        "it is in other languages than Finnish, Swedish and English, or twice in one",
        BY_CODE,
    ),
    row("study-right", A, "/body/study_right", "it belongs to a study right", "each badge is a study right of its own"),
    row("code", A, "/body/code", "the institution has a code of its own", BY_CODE),
    row("achievement-type", A, "/body/achievement_type", "the record has it", BY_CODE),
    row("description", A, "/body/description", "the record has it", BY_CODE),
    row("learning-outcomes", A, "/body/learning_outcomes", "the record has them", BY_CODE),
    row("learning-outcome-summary", A, "/body/learning_outcome_summary", "the record has it", BY_CODE),
    row("eqf-level", A, "/body/eqf_level", "the record has it", BY_CODE),
    row("nqf-levels", A, "/body/nqf_levels", "the record has them", BY_CODE),
    row("cycle", A, "/body/cycle", "the record has it", BY_CODE),
    row("mastery", A, "/body/mastery", "the record has it", BY_CODE),
    row("learning-setting", A, "/body/learning_setting", "the record has it", BY_CODE),
    row("entry-requirements", A, "/body/entry_requirements", "the record has them", BY_CODE),
    row("stackability", A, "/body/stackability", "the record has it", BY_CODE),
    row("credits", A, "/body/credits", "the record has them", "a badge has no extent at Koski"),
    row("workload", A, "/body/workload", "the record has it", "a badge has no extent at Koski"),
    row("registered-on", A, "/body/registered_on", "the record has it", NO_PLACE),
    row("recognised-on", A, "/body/recognised_on", "the record has it", NO_PLACE),
    row("started-on", A, "/body/started_on", "the record has it", DAY),
    row("expires-on", A, "/body/expires_on", "the record has it", NO_PLACE),
    row("country", A, "/body/country", "the record has it", "schools that send to Koski are Finnish"),
    row("organisations", A, "/body/organisations", "the record has them", NO_PLACE),
    row("language", A, "/body/language", "the record has it", NO_PLACE),
    row("education", A, "/body/education", "the record has it", NO_PLACE),
    row("fields-of-study", A, "/body/fields_of_study", "the record has them", BY_CODE),
    row("parts", A, "/body/parts", "the record has them", "a badge has no parts at Koski"),
    row("research", A, "/body/research", "the record has it", NO_PLACE),
    row("thesis", A, "/body/thesis", "the record has it", NO_PLACE),
    row("competences", A, "/body/competences", "the record has them", NO_PLACE),
    row("classifications", A, "/body/classifications", "the record has them", NO_PLACE),
    row("additional-info", A, "/body/additional_info", "the record has it", NO_PLACE),
    row("links", A, "/body/links", "the record has them", NO_PLACE),
    row("assessments", A, "/body/assessments", "the record has them", BY_CODE),
    row("modes", A, "/body/modes", "the record has them", NO_PLACE),
    row("quality-assurance", A, "/body/quality_assurance", "the record has it", NO_PLACE),
];

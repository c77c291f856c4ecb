//! What the standard does not hold of a record, and why.

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
const NO_PLACE: &str = "persons and associations of the standard have no place for it";
const NOT_THEIRS: &str = "a partner needs no more of a person than what tells who she is";
const ONE_DAY: &str = "the standard knows one day of a result";
const OF_COURSES: &str = "it belongs to the course, which the partner has from its own catalogue";
const HAS: &str = "the record has it";

/// The table of losses, of both versions.
pub(crate) static TABLE: &[LossRule] = &[
    row("foreign-extensions", &[], "/body/extensions/*", "there are national parts of another system", NO_PLACE),
    row(
        "identifiers",
        L,
        "/body/identifiers",
        "there is a national identity code, or one identifier twice",
        NOT_THEIRS,
    ),
    row("gender", L, "/body/gender", HAS, NOT_THEIRS),
    row("citizenships", L, "/body/citizenships", HAS, NOT_THEIRS),
    row("first-language", L, "/body/first_language", HAS, NOT_THEIRS),
    row("municipality", L, "/body/municipality", HAS, NOT_THEIRS),
    row("registered-learner", L, "/body/registered_on", HAS, NOT_THEIRS),
    row("full-name", L, "/body/full_name", "it is made of the other names", "version 5 demands a name to show"),
    row(
        "category",
        A,
        "/body/category",
        "always, unless it came from a partner",
        "the standard tells courses from programmes and nothing else",
    ),
    row("title", A, "/body/title", "a language is no language tag", "the standard has texts by language tag"),
    row(
        "description",
        A,
        "/body/description",
        "a language is no language tag, or it says what the title says",
        "the standard has texts by language tag",
    ),
    row(
        "grade",
        A,
        "/body/grade",
        "its scale has a name of its own in the standard",
        "the scale is given by the name that partners know",
    ),
    row(
        "completed-on",
        A,
        "/body/completed_on",
        "the record does not say the day, but another",
        "the standard demands the day of a result",
    ),
    row(
        "started-on",
        A,
        "/body/started_on",
        "the record does not say it",
        "version 5 demands the first day; without one it is that of the result",
    ),
    row("assessed-on", A, "/body/assessed_on", HAS, ONE_DAY),
    row("registered-on", A, "/body/registered_on", HAS, ONE_DAY),
    row("issued-on", A, "/body/issued_on", HAS, ONE_DAY),
    row("expires-on", A, "/body/expires_on", HAS, ONE_DAY),
    row("credit-weeks", A, "/body/credits", "the record has credit weeks", "partners count in ECTS credits"),
    row(
        "awarding-body",
        A,
        "/body/awarding_body",
        "the institution is known by its home domain",
        "the standard knows institutions by the domain of their home organisation",
    ),
    row(
        "language",
        A,
        "/body/language",
        "it is given in another list, or the list has none of that meaning",
        "the standard has languages by tag",
    ),
    row(
        "additional-info",
        A,
        "/body/additional_info",
        "there is more than one text, or it has a language",
        "a result has one comment",
    ),
    row("links", A, "/body/links", "there is more than one, or it is no web address", "an offering has one address"),
    row("study-right", A, "/body/study_right", HAS, NO_PLACE),
    row("national-code", A, "/body/national_code", HAS, NO_PLACE),
    row("achievement-type", A, "/body/achievement_type", HAS, NO_PLACE),
    row("workload", A, "/body/workload", HAS, "a result has its extent in credits"),
    row("country", A, "/body/country", HAS, NO_PLACE),
    row("organisations", A, "/body/organisations", HAS, NO_PLACE),
    row("education", A, "/body/education", HAS, OF_COURSES),
    row("fields-of-study", A, "/body/fields_of_study", HAS, OF_COURSES),
    row("parts", A, "/body/parts", HAS, "associations have no parts"),
    row("research", A, "/body/research", HAS, NO_PLACE),
    row("thesis", A, "/body/thesis", HAS, NO_PLACE),
    row("competences", A, "/body/competences", HAS, NO_PLACE),
    row("classifications", A, "/body/classifications", HAS, NO_PLACE),
    row("learning-outcomes", A, "/body/learning_outcomes", HAS, OF_COURSES),
    row("learning-outcome-summary", A, "/body/learning_outcome_summary", HAS, OF_COURSES),
    row("eqf-level", A, "/body/eqf_level", HAS, OF_COURSES),
    row("nqf-levels", A, "/body/nqf_levels", HAS, OF_COURSES),
    row("cycle", A, "/body/cycle", HAS, OF_COURSES),
    row("mastery", A, "/body/mastery", HAS, OF_COURSES),
    row("assessments", A, "/body/assessments", HAS, OF_COURSES),
    row("modes", A, "/body/modes", HAS, OF_COURSES),
    row("learning-setting", A, "/body/learning_setting", HAS, OF_COURSES),
    row("quality-assurance", A, "/body/quality_assurance", HAS, OF_COURSES),
    row("entry-requirements", A, "/body/entry_requirements", HAS, OF_COURSES),
    row("stackability", A, "/body/stackability", HAS, OF_COURSES),
];

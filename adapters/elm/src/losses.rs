//! What the format does not hold as records say it.

use serde::Serialize;
use serde_json::Value;
use silta_adapter::canonical;
use silta_adapter::fidelity::{Change, Loss, LossRule};
use silta_adapter::record::{RecordKey, RecordKind, Set};

const ATTAINMENT: &[RecordKind] = &[RecordKind::Attainment];
const LEARNER: &[RecordKind] = &[RecordKind::Learner];
const CLAIM: &[RecordKind] = &[RecordKind::Attainment, RecordKind::Activity];

const fn rule(
    id: &'static str,
    kinds: &'static [RecordKind],
    pattern: &'static str,
    when: &'static str,
    reason: &'static str,
) -> LossRule {
    LossRule { id, kinds, pattern, when, reason }
}

const NO_PLACE: &str = "the model has no place for it";
const NO_CODE: &str = "the model's list has nothing that means the same, and nothing is guessed";
const OTHER_CODE: &str = "the model has a list of its own; the value there that means the same is written";

/// The static loss table.
pub(crate) static TABLE: &[LossRule] = &[
    rule(
        "not_in_item",
        &[],
        "",
        "a record of the item is no part of its root",
        "a credential is about its root and the parts of it",
    ),
    rule(
        "non_disclosure",
        &[],
        "/non_disclosure",
        "there is a non-disclosure order",
        "a credential is the learner's own; orders bind registers",
    ),
    rule(
        "extensions",
        &[],
        "/body/extensions/*",
        "it is not the extension `elm`, of what only credentials say",
        "national parts have no place in a European model",
    ),
    rule(
        "language_tag",
        &[],
        "/body/**",
        "the language of a text is not a language tag (BCP 47)",
        "language maps take language tags only",
    ),
    rule("same_language", &[], "/body/**", "a second text in one language", "a property has one text per language"),
    rule("mapped_code", &[], "/body/**", "a code of another list", OTHER_CODE),
    rule("unmapped_code", &[], "/body/**", "a code without a counterpart", NO_CODE),
    rule(
        "not_a_duration",
        CLAIM,
        "/body/workload",
        "the workload is not an `xsd:duration`",
        "the model takes `xsd:duration` only",
    ),
    rule("gender", LEARNER, "/body/gender", "always", "the human-sex list and national gender codes differ"),
    rule("first_language", LEARNER, "/body/first_language", "always", NO_PLACE),
    rule("municipality", LEARNER, "/body/municipality", "always", NO_PLACE),
    rule("learner_registered", LEARNER, "/body/registered_on", "always", NO_PLACE),
    rule("not_an_email", LEARNER, "/body/email", "the address does not fit an IRI", "a mailbox is named by an IRI"),
    rule(
        "reserved_scheme",
        LEARNER,
        "/body/identifiers/*",
        "an identifier claims a scheme of the gateway's own",
        "its own schemes carry record keys",
    ),
    rule("title_from_code", ATTAINMENT, "/body/title", "there is no title but a code", "a claim needs a title"),
    rule("registered_on", ATTAINMENT, "/body/registered_on", "always", NO_PLACE),
    rule("recognised_on", ATTAINMENT, "/body/recognised_on", "always", NO_PLACE),
    rule(
        "assessed_ungraded",
        ATTAINMENT,
        "/body/assessed_on",
        "there is no grade",
        "an assessment without a grade is not allowed",
    ),
    rule("part_expires", ATTAINMENT, "/body/expires_on", "in a part", "validity belongs to the whole credential"),
    rule(
        "credit_weeks",
        ATTAINMENT,
        "/body/credits/credit_weeks",
        "always",
        "the model knows ECTS; credit weeks are not converted",
    ),
    rule(
        "partial_credits",
        ATTAINMENT,
        "/body/credits/ects",
        "of a partial attainment (category 3)",
        "its credits are not to be counted",
    ),
    rule(
        "partial_counted",
        ATTAINMENT,
        "/body/parts/*/ects",
        "of a partial attainment (category 3)",
        "its credits are not to be counted",
    ),
    rule(
        "country",
        ATTAINMENT,
        "/body/country",
        "the awarding body is a known institution",
        "the country comes from the facts about it",
    ),
    rule("organisations", ATTAINMENT, "/body/organisations", "always", "roles of other organisations have no place"),
    rule("field_share", ATTAINMENT, "/body/fields_of_study/*/share", "a share is given", NO_PLACE),
    rule("research", ATTAINMENT, "/body/research", "always", NO_PLACE),
    rule(
        "not_a_link",
        ATTAINMENT,
        "/body/links/*",
        "the link is not an absolute web address",
        "a web resource is named by one",
    ),
    rule(
        "untitled_outcome",
        ATTAINMENT,
        "/body/learning_outcomes/*",
        "it has no title",
        "a learning outcome needs one",
    ),
    rule(
        "untitled_assessment",
        ATTAINMENT,
        "/body/assessments/*/title",
        "it has no title",
        "an assessment specification needs one; the attainment's is taken",
    ),
    rule(
        "ungraded_supervision",
        ATTAINMENT,
        "/body/assessments/*/supervision",
        "the assessment has no grade of its own",
        "an assessment without a grade is not allowed",
    ),
    rule(
        "quality_assurance",
        ATTAINMENT,
        "/body/quality_assurance/*",
        "its type, title, agent or the agent's country is missing or without a counterpart",
        "an accreditation needs all four",
    ),
    rule(
        "quality_assurance_link",
        ATTAINMENT,
        "/body/quality_assurance/*/link",
        "the link is not an absolute web address",
        "a web resource is named by one",
    ),
    rule("stackability_note", ATTAINMENT, "/body/stackability/note", "always", NO_PLACE),
    rule(
        "dangling_part",
        ATTAINMENT,
        "/body/parts/*",
        "no record of the item, or more than one, is that part",
        "a part is nested as a whole",
    ),
    rule("part_cycle", ATTAINMENT, "/body/parts/*", "the part contains its whole", "nesting cannot hold a cycle"),
    rule(
        "part_too_deep",
        ATTAINMENT,
        "/body/parts/*",
        "more than sixteen levels down",
        "readers bound the depth of documents",
    ),
    rule(
        "repeated_part",
        ATTAINMENT,
        "/body/parts/*/ects",
        "the part stands in the credential before",
        "its credits are counted once",
    ),
];

/// Losses of one record being found.
pub(crate) struct Losses<'a> {
    pub(crate) key: &'a RecordKey,
    pub(crate) found: &'a mut Vec<Loss>,
}

impl Losses<'_> {
    fn push(&mut self, path: String, change: Change, rule: &'static str) {
        self.found.push(Loss { key: self.key.clone(), path, change, rule: rule.into() });
    }

    pub(crate) fn dropped(&mut self, path: impl Into<String>, rule: &'static str) {
        self.push(path.into(), Change::Dropped, rule);
    }

    pub(crate) fn became<T: Serialize>(&mut self, path: impl Into<String>, value: &T, rule: &'static str) {
        self.push(path.into(), Change::Became(json(value)), rule);
    }

    pub(crate) fn added<T: Serialize>(&mut self, path: impl Into<String>, value: &T, rule: &'static str) {
        self.push(path.into(), Change::Added(json(value)), rule);
    }

    /// Drops a value; no loss if it says nothing.
    pub(crate) fn drop<T: Serialize>(&mut self, field: &mut Option<T>, path: &str, rule: &'static str) {
        if field.take().is_some_and(|value| !canonical::is_absent(&value)) {
            self.dropped(path, rule);
        }
    }

    /// Drops a whole list.
    pub(crate) fn drop_all<T>(&mut self, field: &mut Set<T>, path: &str, rule: &'static str) {
        if !std::mem::take(field).is_empty() {
            self.dropped(path, rule);
        }
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    // Record types always serialise.
    serde_json::to_value(value).unwrap_or_default()
}

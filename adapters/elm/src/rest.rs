//! What a credential says and the record model has no field for, kept as it was in the extension `elm`.
//!
//! The extension has a section for each node a record is read from, and in it the members that were not read, in the
//! terms of the contexts. Ids that only name nodes within one credential are left out; writing makes new ones.

use crate::check;
use serde_json::{Map, Value};
use silta_adapter::record::{Extensions, RecordKind};

/// The extension's namespace.
pub(crate) const NAMESPACE: &str = "elm";

/// The claim itself.
pub(crate) const CLAIM: &str = "claim";
/// The process by which it was awarded.
pub(crate) const AWARDING_PROCESS: &str = "awardingProcess";
/// Who awarded it.
pub(crate) const AWARDING_BODY: &str = "awardingBody";
/// What specifies it.
pub(crate) const SPECIFICATION: &str = "specification";
/// The assessment that proves it.
pub(crate) const ASSESSMENT: &str = "assessment";
/// What specifies that.
pub(crate) const ASSESSMENT_SPECIFICATION: &str = "assessmentSpecification";
/// The scheme it was graded in.
pub(crate) const GRADING_SCHEME: &str = "gradingScheme";
/// The activity that led to it.
pub(crate) const ACTIVITY: &str = "activity";
/// The learner.
pub(crate) const PERSON: &str = "person";

/// The sections of a record of a kind.
fn sections(kind: RecordKind) -> &'static [&'static str] {
    match kind {
        RecordKind::Learner => &[PERSON],
        RecordKind::Activity => &[CLAIM, AWARDING_PROCESS, AWARDING_BODY, SPECIFICATION],
        _ => &[
            CLAIM,
            AWARDING_PROCESS,
            AWARDING_BODY,
            SPECIFICATION,
            ASSESSMENT,
            ASSESSMENT_SPECIFICATION,
            GRADING_SCHEME,
            ACTIVITY,
        ],
    }
}

/// What is kept of one record, while it is read.
#[derive(Debug, Default)]
pub(crate) struct Rest(Map<String, Value>);

impl Rest {
    /// Keeps the members of a node that were not read.
    pub(crate) fn keep(&mut self, section: &str, members: Map<String, Value>) {
        if !members.is_empty() {
            self.0.insert(section.to_owned(), members.into());
        }
    }

    /// Puts what was kept where it belongs.
    pub(crate) fn into(self, extensions: &mut Extensions) {
        extensions.set(NAMESPACE, &self.0);
    }
}

/// One section, while a record is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Section<'a>(Option<&'a Map<String, Value>>);

impl<'a> Section<'a> {
    /// The section of a record's extensions.
    pub(crate) fn of(extensions: &'a Extensions, section: &str) -> Self {
        Self(extensions.0.get(NAMESPACE).and_then(|sections| sections.get(section)?.as_object()))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn has(self, member: &str) -> bool {
        self.0.is_some_and(|members| members.contains_key(member))
    }

    /// The values of a member.
    pub(crate) fn values(self, member: &str) -> &'a [Value] {
        match self.0.and_then(|members| members.get(member)) {
            Some(Value::Array(values)) => values,
            Some(value) => std::slice::from_ref(value),
            None => &[],
        }
    }

    pub(crate) fn members(self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.0.into_iter().flatten()
    }
}

/// True if the extension is one that a credential can say again: known sections with members the contexts know.
pub(crate) fn is_sound(extension: &Value, kind: RecordKind) -> bool {
    let Some(found) = extension.as_object() else { return false };
    let known = |(section, members): (&String, &Value)| {
        let Some(members) = members.as_object().filter(|members| !members.is_empty()) else { return false };
        sections(kind).contains(&section.as_str())
            && members.iter().all(|(member, value)| (member == "type" || check::is_term(member)) && is_said(value))
    };
    !found.is_empty() && found.iter().all(known)
}

/// True if a value says something all the way down: what says nothing would not come back.
fn is_said(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => !values.is_empty() && values.iter().all(is_said),
        Value::Object(members) => !members.is_empty() && members.values().all(is_said),
        _ => true,
    }
}

/// A value without what names it in one credential only, and without what says nothing; `None` if that is all of it.
pub(crate) fn portable(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(values) => {
            let values: Vec<Value> = values.into_iter().filter_map(portable).collect();
            (!values.is_empty()).then_some(Value::Array(values))
        }
        Value::Object(members) => {
            let concept = members.get("type").is_some_and(|t| t == "Concept" || t == "ConceptScheme");
            let local = |name: &str, value: &Value| {
                let local = |id: &str| id.starts_with("urn:epass:") || id.starts_with("urn:certificate");
                name == "id" && !concept && value.as_str().is_some_and(local)
            };
            let members = members.into_iter().filter(|(name, value)| !local(name, value));
            let members: Map<String, Value> = members.filter_map(|(name, v)| Some((name, portable(v)?))).collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        value => Some(value),
    }
}

//! An item as it is compared: the record that identifies it, and the others it is composed of.

use super::compare::Terms;
use serde_json::Value;
use silta_adapter::adapter::Holding;
use silta_adapter::canonical::record_form;
use silta_adapter::mapping::Institutions;
use silta_adapter::record::{Record, RecordKey};

/// Under this name stand the other records of an item in its form.
const WITH: &str = "with";

/// An item as it was accepted.
#[derive(Debug, Clone)]
pub struct Item {
    /// The record whose key identifies it.
    pub root: Record,
    /// What else it is composed of.
    pub others: Vec<Record>,
}

impl Item {
    /// An item of its records, the root first; `None` if there are none.
    pub fn of(records: Vec<Record>) -> Option<Self> {
        let mut records = records.into_iter();
        Some(Self { root: records.next()?, others: records.collect() })
    }

    /// All its records, the root first.
    pub fn records(&self) -> Vec<Record> {
        std::iter::once(&self.root).chain(&self.others).cloned().collect()
    }
}

/// An item as a store shows it.
#[derive(Debug, Clone)]
pub struct Found<'a> {
    /// The record whose key identifies it.
    pub root: &'a Record,
    /// What else it is composed of.
    pub others: Vec<&'a Record>,
}

impl<'a> Found<'a> {
    /// A record that is an item of its own.
    pub fn alone(root: &'a Record) -> Self {
        Self { root, others: Vec::new() }
    }

    /// All its records, the root first.
    pub fn records(&self) -> impl Iterator<Item = &'a Record> {
        std::iter::once(self.root).chain(self.others.iter().copied())
    }

    /// The item, to be kept.
    pub fn cloned(&self) -> Item {
        Item { root: self.root.clone(), others: self.others.iter().map(|record| (*record).clone()).collect() }
    }
}

/// Each record as an item of its own.
pub fn single(records: &[Record]) -> Vec<Found<'_>> {
    records.iter().map(Found::alone).collect()
}

/// The items of an answer of a store that holds composed ones.
pub fn composed(answer: &Holding) -> Vec<Found<'_>> {
    let item = |members: &Vec<usize>| {
        let mut records = members.iter().filter_map(|at| answer.records.get(*at));
        Some(Found { root: records.next()?, others: records.collect() })
    };
    answer.items.iter().filter_map(item).collect()
}

/// The canonical form of what is compared: the body and whom it is about, and the same of the other records.
pub(super) fn comparable(item: &Found<'_>, terms: Terms<'_>) -> Value {
    let mut form = of_record(item.root, terms);
    let other = |record: &&Record| (name(record, terms.institutions), of_record(record, terms));
    add(&mut form, item.others.iter().map(other));
    form
}

/// What was accepted as a reading can show it: without fields that the store withholds and did not give.
pub(super) fn shown(accepted: &Item, found: &Value, terms: Terms<'_>) -> Value {
    let mut form = as_shown(&accepted.root, found, terms);
    let other = |record: &Record| {
        let name = name(record, terms.institutions);
        let there = found.get(WITH).and_then(|with| with.get(&name));
        let form = there.map_or_else(|| of_record(record, terms), |there| as_shown(record, there, terms));
        (name, form)
    };
    add(&mut form, accepted.others.iter().map(other));
    form
}

fn add(form: &mut Value, others: impl ExactSizeIterator<Item = (String, Value)>) {
    if let (Value::Object(map), 1..) = (form, others.len()) {
        map.insert(WITH.into(), Value::Object(others.collect()));
    }
}

/// The path of a difference within the record it is in.
pub(super) fn within_record(path: &str) -> &str {
    let of_another = || path.strip_prefix('/')?.strip_prefix(WITH)?.strip_prefix('/')?.split_once('/');
    of_another().map_or(path, |(name, _)| &path[WITH.len() + 2 + name.len()..])
}

fn name(record: &Record, institutions: &Institutions) -> String {
    let RecordKey { kind, institution, id, .. } = &record.head.key;
    format!("{kind}:{}:{id}", institutions.current(institution))
}

/// Under which institution's name a record of a merged institution stands is the store's business, not a difference; nor
/// is under which of her local ids a record of one person stands.
fn of_record(record: &Record, terms: Terms<'_>) -> Value {
    let Terms { institutions, person, .. } = terms;
    let mut form = record_form(record);
    let Value::Object(map) = &mut form else { return form };
    for name in ["tenant", "source", "state", "non_disclosure"] {
        map.remove(name);
    }
    if let (Some(Value::String(learner)), [name, _, ..]) = (map.get_mut("learner"), person)
        && person.iter().any(|other| other == learner)
    {
        *learner = name.to_string();
    }
    if let Some(Value::String(institution)) = map.get_mut("institution") {
        *institution = institutions.current(institution).to_owned();
    }
    if let Some(Value::String(code)) = map.get_mut("body").and_then(|b| b.pointer_mut("/awarding_body/value")) {
        *code = institutions.current(code).to_owned();
    }
    form
}

fn as_shown(accepted: &Record, found: &Value, terms: Terms<'_>) -> Value {
    let mut form = of_record(accepted, terms);
    let kind = accepted.head.key.kind;
    for (_, path) in terms.withheld.iter().filter(|(of, path)| *of == kind && found.pointer(path).is_none()) {
        if let Some((parent, name)) = path.rsplit_once('/')
            && let Some(Value::Object(map)) = form.pointer_mut(parent)
        {
            map.remove(name);
        }
    }
    // What is empty is absent in a canonical form.
    if let Value::Object(map) = &mut form {
        map.retain(|_, value| value.as_object().is_none_or(|members| !members.is_empty()));
    }
    form
}

#[cfg(test)]
mod tests {
    use super::within_record;

    #[test]
    fn a_path_is_read_within_its_record() {
        for (path, within) in [
            ("/body/title/-", "/body/title/-"),
            ("/with/learner:02469:L1/body/given_names", "/body/given_names"),
            ("/with/attainment:02469:a~1b/body", "/body"),
            ("/with/learner:02469:L1", "/with/learner:02469:L1"),
            ("/without/a/b", "/without/a/b"),
        ] {
            assert_eq!(within_record(path), within);
        }
    }
}

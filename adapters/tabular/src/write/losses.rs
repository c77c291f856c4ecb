//! The difference between a record and what is read back of it, as losses.

use crate::rule_id;
use serde_json::Value;
use silta_adapter::canonical::record_form;
use silta_adapter::fidelity::{Change, Loss};
use silta_adapter::record::Record;
use std::collections::BTreeSet;

/// Two values that may differ: as they are, and in canonical form.
#[derive(Clone, Copy)]
struct Pair<'v> {
    said: Option<&'v Value>,
    held: Option<&'v Value>,
    said_form: Option<&'v Value>,
    held_form: Option<&'v Value>,
}

impl<'v> Pair<'v> {
    fn member(self, name: &str) -> Self {
        let of = |value: Option<&'v Value>| value.and_then(|value| value.get(name));
        Self { said: of(self.said), held: of(self.held), said_form: of(self.said_form), held_form: of(self.held_form) }
    }

    fn names(self) -> BTreeSet<&'v str> {
        let of = |value: Option<&'v Value>| value.and_then(Value::as_object).into_iter().flat_map(|map| map.keys());
        of(self.said).chain(of(self.held)).map(String::as_str).collect()
    }
}

/// Adds what `held` does not hold as `record` says it.
pub(super) fn losses(record: &Record, held: &Record, out: &mut Vec<Loss>) {
    let json = |record: &Record| serde_json::to_value(record).unwrap_or_default();
    let (said, there) = (json(record), json(held));
    let (said_form, held_form) = (record_form(record), record_form(held));
    let whole =
        Pair { said: Some(&said), held: Some(&there), said_form: Some(&said_form), held_form: Some(&held_form) };
    let body = whole.member("body");
    for name in body.names() {
        walk(record, name, format!("/body/{}", escaped(name)), body.member(name), out);
    }
    for name in ["state", "non_disclosure"] {
        walk(record, name, format!("/{name}"), whole.member(name), out);
    }
}

fn walk(record: &Record, top: &str, path: String, pair: Pair<'_>, out: &mut Vec<Loss>) {
    if pair.said_form == pair.held_form {
        return;
    }
    if let (Some(Value::Object(_)), Some(Value::Object(_))) = (pair.said, pair.held) {
        for name in pair.names() {
            walk(record, top, format!("{path}/{}", escaped(name)), pair.member(name), out);
        }
        return;
    }
    let change = match (pair.said, pair.held) {
        (Some(_), None) => Change::Dropped,
        (Some(_), Some(held)) => Change::Became(held.clone()),
        (None, Some(held)) => Change::Added(held.clone()),
        (None, None) => return,
    };
    let key = record.head.key.clone();
    out.push(Loss { rule: rule_id(key.kind, top).into(), key, path, change });
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

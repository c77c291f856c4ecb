//! Losses, the rules that declare them, and how they apply.
//!
//! `encode(item, ctx)` is pure and says what its document does not hold. The law:
//! **L1** `decode(document) ≡ apply(losses, item)`; **L2** every loss changes something and matches a declared rule;
//! **L3** what was decoded encodes again without loss and decodes to itself; **L4** encoding is deterministic;
//! **L5** decoding lists what it did not read, and encoding what was read gives the document minus that. `≡` is equality
//! of canonical forms.

use crate::canonical::record_form;
use crate::problem::{Fixer, Problem, Severity};
use crate::record::{Record, RecordKey, RecordKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;
use std::collections::BTreeSet;

/// One thing a document does not hold as the record says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// The record.
    pub key: RecordKey,
    /// JSON pointer into the record's JSON (`/body/credits/credit_weeks`); empty for the record as a whole.
    pub path: String,
    /// What became of it.
    pub change: Change,
    /// Id of the [`LossRule`] that declares it.
    pub rule: SmolStr,
}

/// What became of a value in a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "change", content = "value")]
pub enum Change {
    /// It is not there.
    Dropped,
    /// Another value is there instead.
    Became(Value),
    /// Something is there that the record does not say.
    Added(Value),
}

/// One row of an adapter's static loss table.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LossRule {
    /// Stable id.
    pub id: &'static str,
    /// Kinds of record it applies to; empty for all.
    pub kinds: &'static [RecordKind],
    /// Path pattern: a JSON pointer in which `*` stands for one segment and a final `**` for any rest.
    pub pattern: &'static str,
    /// When it happens.
    pub when: &'static str,
    /// Why.
    pub reason: &'static str,
}

impl LossRule {
    /// True if a path of a record of this kind falls under the rule.
    pub fn covers(&self, kind: RecordKind, path: &str) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&kind)) && pattern_matches(self.pattern, path)
    }
}

pub(crate) fn pattern_matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        match (expected, segments.next()) {
            ("**", _) => return true,
            ("*", Some(_)) => {}
            (expected, Some(segment)) if expected == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

/// A loss cannot be applied to the item it was declared for.
#[derive(Debug, thiserror::Error)]
pub enum NotApplicable {
    /// No record of the item has the loss's key.
    #[error("no record of the item has the key of the loss at {0}")]
    NoRecord(String),
    /// The path leads nowhere.
    #[error("the path {0} leads nowhere")]
    NoPath(String),
    /// The change leaves something that is not a record.
    #[error("applying the losses leaves no valid record: {0}")]
    NotARecord(String),
}

/// The records a document holds: the item with its losses applied.
///
/// # Errors
/// If a loss names a record or a path the item does not have, or leaves something that is not a record.
pub fn apply(losses: &[Loss], item: &[Record]) -> Result<Vec<Record>, NotApplicable> {
    let json = |record: &Record| serde_json::to_value(record).map_err(|e| NotApplicable::NotARecord(e.to_string()));
    let mut trees: Vec<(RecordKey, Option<Value>)> =
        item.iter().map(|r| Ok((r.head.key.clone(), Some(json(r)?)))).collect::<Result<_, _>>()?;
    for loss in losses {
        if let (Change::Added(value), true) = (&loss.change, loss.path.is_empty()) {
            trees.push((loss.key.clone(), Some(value.clone())));
            continue;
        }
        let slot = trees
            .iter_mut()
            .find(|(key, tree)| *key == loss.key && tree.is_some())
            .ok_or_else(|| NotApplicable::NoRecord(loss.path.clone()))?;
        change(&mut slot.1, loss)?;
    }
    trees
        .into_iter()
        .filter_map(|(_, tree)| tree)
        .map(|mut tree| {
            compact(&mut tree);
            serde_json::from_value(tree).map_err(|e| NotApplicable::NotARecord(e.to_string()))
        })
        .collect()
}

/// Stands where an array element was dropped, so that the indices of later losses stay true.
const DROPPED: &str = "\u{0}dropped";

fn change(tree: &mut Option<Value>, loss: &Loss) -> Result<(), NotApplicable> {
    let no_path = || NotApplicable::NoPath(loss.path.clone());
    let Some(root) = tree else { return Err(no_path()) };
    if loss.path.is_empty() {
        *tree = match &loss.change {
            Change::Dropped => None,
            Change::Became(value) | Change::Added(value) => Some(value.clone()),
        };
        return Ok(());
    }
    let (parent, name) = loss.path.rsplit_once('/').ok_or_else(no_path)?;
    let name = unescaped(name);
    if let Change::Added(_) = loss.change {
        make_path(root, parent);
    }
    match (root.pointer_mut(parent).ok_or_else(no_path)?, &loss.change) {
        (Value::Object(map), Change::Dropped) => {
            map.remove(&name).ok_or_else(no_path)?;
        }
        (Value::Object(map), Change::Became(value)) => {
            *map.get_mut(&name).ok_or_else(no_path)? = value.clone();
        }
        (Value::Object(map), Change::Added(value)) => {
            map.insert(name, value.clone());
        }
        (Value::Array(list), Change::Added(value)) => list.push(value.clone()),
        (Value::Array(list), change) => {
            let slot = name.parse().ok().and_then(|at: usize| list.get_mut(at)).ok_or_else(no_path)?;
            *slot = match change {
                Change::Became(value) | Change::Added(value) => value.clone(),
                Change::Dropped => Value::String(DROPPED.into()),
            };
        }
        _ => return Err(no_path()),
    }
    Ok(())
}

/// A segment of a JSON pointer as the name it stands for.
fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// Makes the objects on the way to an added value. Elements of arrays are not made: they are there or it ends.
fn make_path(root: &mut Value, pointer: &str) {
    let mut at = root;
    for segment in pointer.split('/').skip(1) {
        at = match at {
            Value::Object(map) => map.entry(unescaped(segment)).or_insert_with(|| Value::Object(Default::default())),
            Value::Array(list) => match segment.parse().ok().and_then(|i: usize| list.get_mut(i)) {
                Some(next) => next,
                None => return,
            },
            _ => return,
        };
    }
}

fn compact(tree: &mut Value) {
    match tree {
        Value::Array(list) => {
            list.retain(|v| v != DROPPED);
            list.iter_mut().for_each(compact);
        }
        Value::Object(map) => map.values_mut().for_each(compact),
        _ => {}
    }
}

/// The losses that make a record what a document holds of it, field by field: for adapters that keep the rest of a
/// document under a namespace of their own (`own`). What no rule declares is no loss but a contradiction between the
/// record's fields and that rest, and refuses the item.
///
/// # Errors
/// If the record contradicts itself.
pub fn between(record: &Record, held: &Record, rules: &[LossRule], own: &str) -> Result<Vec<Loss>, Box<Problem>> {
    let [ours, theirs] = [record, held].map(record_form);
    // A record always serialises.
    let said = serde_json::to_value(held).unwrap_or_default();
    let names = |form: &Value, pointer: &str| -> BTreeSet<String> {
        form.pointer(pointer).and_then(Value::as_object).map(|map| map.keys().cloned().collect()).unwrap_or_default()
    };
    let mut paths: Vec<String> = Vec::new();
    for (pointer, inner) in [("", "body"), ("/body", "extensions"), ("/body/extensions", "")] {
        let all: BTreeSet<String> = names(&ours, pointer).union(&names(&theirs, pointer)).cloned().collect();
        let of_its_own = all.into_iter().filter(|name| name != inner);
        paths.extend(of_its_own.map(|name| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))));
    }
    paths.retain(|path| ours.pointer(path) != theirs.pointer(path));
    let own = format!("/body/extensions/{own}");
    let loss = |path: String| {
        let key = &record.head.key;
        let value = || said.pointer(&path).cloned().unwrap_or_default();
        let change = match (ours.pointer(&path), theirs.pointer(&path)) {
            (Some(_), None) => Change::Dropped,
            (Some(_), Some(_)) => Change::Became(value()),
            _ => Change::Added(value()),
        };
        match rules.iter().find(|rule| rule.covers(key.kind, &path) && path != own) {
            Some(rule) => Ok(Loss { key: key.clone(), path, change, rule: rule.id.into() }),
            None => {
                let text = "the record's parts contradict each other: its fields say something else than its parts in the format's own form";
                Err(Box::new(Problem::new("contradiction", Severity::Error, Fixer::Sender, text).about(key).at(path)))
            }
        }
    };
    paths.into_iter().map(loss).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_match_whole_paths() {
        for (pattern, path, expected) in [
            ("/body/credits/credit_weeks", "/body/credits/credit_weeks", true),
            ("/body/parts/*/ects", "/body/parts/3/ects", true),
            ("/body/parts/*/ects", "/body/parts/3", false),
            ("/body/extensions/**", "/body/extensions/virta/x", true),
            ("/body/title", "/body/title/0", false),
            ("", "", true),
        ] {
            assert_eq!(pattern_matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    /// What applying changes to an attainment's body leaves of it.
    fn applied(body: Value, changes: &[(&str, Change)]) -> Result<Value, NotApplicable> {
        let line =
            json!({ "kind": "attainment", "tenant": "t", "source": "s", "id": "A", "learner": "L", "body": body });
        let record: Record = serde_json::from_value(line).expect("a record");
        let key = &record.head.key;
        let losses: Vec<Loss> = changes
            .iter()
            .map(|(path, change)| Loss {
                key: key.clone(),
                path: format!("/body{path}"),
                change: change.clone(),
                rule: "x".into(),
            })
            .collect();
        let records = apply(&losses, std::slice::from_ref(&record))?;
        Ok(serde_json::to_value(&records[0]).expect("serialises")["body"].clone())
    }

    #[test]
    fn indices_stay_those_of_the_record() {
        let drop = |path| (path, Change::Dropped);
        let links = json!({ "links": ["a", "b", "c", "d"] });
        let kept = applied(links, &[drop("/links/0"), drop("/links/2"), ("/links/3", Change::Became("e".into()))]);
        assert_eq!(kept.expect("applies"), json!({ "links": ["b", "e"] }));
    }

    #[test]
    fn what_is_added_gets_its_way_made() {
        let add = |path, value| (path, Change::Added(value));
        let added = applied(
            json!({ "assessments": [{}] }),
            &[
                add("/credits/ects", "5".into()),
                add("/assessments/0/title", json!([{ "value": "x" }])),
                add("/links", json!(["a"])),
                add("/links/-", "b".into()),
                add("/extensions/a~1b/c", 1.into()),
            ],
        );
        let expected = json!({ "credits": { "ects": "5" }, "assessments": [{ "title": [{ "value": "x" }] }],
            "links": ["a", "b"], "extensions": { "a/b": { "c": 1 } } });
        assert_eq!(added.expect("applies"), expected);
    }

    #[test]
    fn a_loss_of_what_is_not_there_cannot_be_applied() {
        for (path, change) in [
            ("/links/1", Change::Dropped),
            ("/links/x", Change::Dropped),
            ("/code", Change::Dropped),
            ("/code", Change::Became("x".into())),
            ("/credits/ects", Change::Dropped),
        ] {
            let result = applied(json!({ "links": ["a"] }), &[(path, change)]);
            assert!(matches!(result, Err(NotApplicable::NoPath(_))), "{path}: {result:?}");
        }
        let truth = Change::Became("x".into());
        for (path, change) in [("/thesis", truth), ("/assessments/0/title", Change::Added(json!([])))] {
            let result = applied(json!({ "thesis": true }), &[(path, change)]);
            assert!(matches!(result, Err(NotApplicable::NotARecord(_))), "{path}: {result:?}");
        }
    }
}

//! JSON trees laid over each other. What a record's fields say of a document is one tree, the rest of the document
//! another: `merge(template, subtract(document, template))` is the document again.

use serde_json::{Map, Value};

/// What a tree has beyond another (`null` says nothing): members and elements that are not the same in both. Lists are compared place by
/// place if they are equally long; a place with nothing left holds `null`.
pub fn subtract(tree: Value, template: &Value) -> Option<Value> {
    match (tree, template) {
        (Value::Null, _) => None,
        (tree, template) if tree == *template => None,
        (Value::Object(tree), Value::Object(template)) => {
            let rest = tree.into_iter().filter_map(|(name, value)| match template.get(&name) {
                Some(known) => subtract(value, known).map(|rest| (name, rest)),
                None => Some((name, value)),
            });
            some_object(rest.collect())
        }
        (Value::Array(tree), Value::Array(template)) if tree.len() == template.len() => {
            some_list(tree.into_iter().zip(template).map(|(value, known)| subtract(value, known)).collect())
        }
        (tree, _) => Some(tree),
    }
}

/// One tree over another: where both have a value that is neither object nor list, the upper one stands. A `null` of
/// the upper one covers nothing.
pub fn merge(lower: Value, upper: Value) -> Value {
    match (lower, upper) {
        (lower, Value::Null) => lower,
        (Value::Object(mut lower), Value::Object(upper)) => {
            for (name, value) in upper {
                let below = lower.remove(&name).unwrap_or(Value::Null);
                lower.insert(name, merge(below, value));
            }
            Value::Object(lower)
        }
        (Value::Array(lower), Value::Array(upper)) if lower.len() == upper.len() => {
            Value::Array(lower.into_iter().zip(upper).map(|(lower, upper)| merge(lower, upper)).collect())
        }
        (_, upper) => upper,
    }
}

/// The map, unless nothing is in it.
pub fn some_object(map: Map<String, Value>) -> Option<Value> {
    (!map.is_empty()).then_some(Value::Object(map))
}

/// The list with `null` where nothing is, unless that is everywhere.
pub fn some_list(list: Vec<Option<Value>>) -> Option<Value> {
    list.iter().any(Option::is_some).then(|| list.into_iter().map(Option::unwrap_or_default).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_subtracted_is_merged_again() {
        let template = json!({ "a": { "b": 1 }, "list": [{ "x": 1 }, { "y": 2 }] });
        for tree in [
            json!({ "a": { "b": 1, "c": {} }, "list": [{ "x": 1 }, { "y": 2, "z": 3 }], "more": [] }),
            json!({ "a": { "b": 2 }, "list": [{ "x": 1 }] , "more": false }),
            template.clone(),
        ] {
            let rest = subtract(tree.clone(), &template).unwrap_or_default();
            assert_eq!(merge(template.clone(), rest), tree);
        }
    }
}

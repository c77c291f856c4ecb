//! JSON trees laid over each other. What a record's fields say of a document is one tree, the rest of the document
//! another: `merge(template, subtract(document, template))` is the document again.

use serde_json::{Map, Value};

/// What a tree has beyond another (`null` says nothing): members and elements that are not the same in both. Lists are compared place by
/// place if they are equally long; a place with nothing left holds `null`.
pub(crate) fn subtract(tree: Value, template: &Value) -> Option<Value> {
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
pub(crate) fn merge(lower: Value, upper: Value) -> Value {
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

/// Parts a tree in two that [`merge`] into it again: what is content, and what the store says of its own accord. Names
/// in `own` are the store's at the top; below, what it resolves beside a code or an OID.
pub(crate) fn part(tree: Value, own: &[&str]) -> (Option<Value>, Option<Value>) {
    match tree {
        Value::Object(tree) if !tree.is_empty() => {
            let resolved = tree.contains_key("koodistoUri") || tree.contains_key("oid");
            let assessment = tree.contains_key("arvosana");
            let (mut content, mut store) = (Map::new(), Map::new());
            for (name, value) in tree {
                let said = own.contains(&name.as_str())
                    || (resolved && RESOLVED.contains(&name.as_str()))
                    || (assessment && name == "hyväksytty");
                let (first, second) = if said { (None, Some(value)) } else { part(value, &[]) };
                first.map(|value| content.insert(name.clone(), value));
                second.map(|value| store.insert(name, value));
            }
            (some_object(content), some_object(store))
        }
        Value::Array(list) if !list.is_empty() => {
            let (content, store) = list.into_iter().map(|value| part(value, &[])).unzip();
            (some_list(content), some_list(store))
        }
        other => (Some(other), None),
    }
}

/// What the store adds to a code or an organisation.
const RESOLVED: [&str; 5] = ["nimi", "lyhytNimi", "koodistoVersio", "oppilaitosnumero", "kotipaikka"];

fn some_object(map: Map<String, Value>) -> Option<Value> {
    (!map.is_empty()).then_some(Value::Object(map))
}

fn some_list(list: Vec<Option<Value>>) -> Option<Value> {
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

    #[test]
    fn what_the_store_adds_is_parted_from_what_was_sent() {
        let tree = json!({
            "oid": "1", "empty": {}, "list": [],
            "code": { "koodiarvo": "x", "koodistoUri": "u", "nimi": { "fi": "X" }, "koodistoVersio": 1 },
            "people": [{ "nimi": "kept" }, { "organisaatio": { "oid": "2", "nimi": { "fi": "O" } } }],
        });
        let (content, store) = part(tree.clone(), &["oid"]);
        let (content, store) = (content.unwrap_or_default(), store.unwrap_or_default());
        assert_eq!(
            store,
            json!({ "oid": "1", "code": { "nimi": { "fi": "X" }, "koodistoVersio": 1 },
            "people": [null, { "organisaatio": { "nimi": { "fi": "O" } } }] })
        );
        assert_eq!(content["people"][0]["nimi"], "kept");
        assert_eq!(merge(content, store), tree);
    }
}

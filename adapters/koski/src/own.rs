//! What of a document is content, and what Koski says of its own accord.

use serde_json::{Map, Value};
use silta_adapter::tree::{some_list, some_object};

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use silta_adapter::tree::merge;

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

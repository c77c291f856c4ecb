//! Mentions by id alone, replaced by what they name.

use serde_json::{Map, Value};
use std::collections::HashMap;

/// Puts what is said of a node in place of its mentions by id alone, so that every place can be read by itself. What
/// is put there is not looked into again, and never more than `budget` bytes are.
pub(super) fn resolve(credential: &mut Map<String, Value>, mut budget: usize) {
    let mut mentioned = HashMap::new();
    each_node(credential, &mut |node| {
        if is_mention(node)
            && let Some(id) = id(node)
        {
            mentioned.insert(id.to_owned(), None);
        }
    });
    if mentioned.is_empty() {
        return;
    }
    each_node(credential, &mut |node| {
        if let Some(named @ None) = id(node).filter(|_| !is_mention(node)).and_then(|id| mentioned.get_mut(id)) {
            *named = Some((node.clone(), size(node)));
        }
    });
    replace(credential, &mentioned, &mut budget);
}

fn id(node: &Map<String, Value>) -> Option<&str> {
    node.get("id")?.as_str()
}

/// True for a node of which only id and type are said; concepts and mailboxes are no more than that.
fn is_mention(node: &Map<String, Value>) -> bool {
    let whole = |t: &Value| matches!(t.as_str(), Some("Concept" | "ConceptScheme" | "Mailbox"));
    id(node).is_some_and(|id| id.starts_with("urn:"))
        && node.keys().all(|member| member == "id" || member == "type")
        && !node.get("type").is_some_and(whole)
}

fn each_node(node: &Map<String, Value>, each: &mut impl FnMut(&Map<String, Value>)) {
    each(node);
    for value in node.values() {
        match value {
            Value::Object(node) => each_node(node, each),
            Value::Array(values) => values.iter().filter_map(Value::as_object).for_each(|node| each_node(node, each)),
            _ => {}
        }
    }
}

/// About how many bytes a node takes.
fn size(node: &Map<String, Value>) -> usize {
    serde_json::to_string(node).map_or(usize::MAX, |text| text.len())
}

type Named = HashMap<String, Option<(Map<String, Value>, usize)>>;

fn replace(node: &mut Map<String, Value>, named: &Named, budget: &mut usize) {
    let mut visit = |value: &mut Value| {
        let Value::Object(child) = value else { return };
        let full = id(child).filter(|_| is_mention(child)).and_then(|id| named.get(id)?.as_ref());
        match full {
            Some((full, size)) if *size <= *budget => {
                *budget -= size;
                *child = full.clone();
            }
            _ => replace(child, named, budget),
        }
    };
    for value in node.values_mut() {
        match value {
            Value::Array(values) => values.iter_mut().for_each(&mut visit),
            value => visit(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(json: &str, budget: usize) -> String {
        let mut value = serde_json::from_str(json).expect("an object");
        resolve(&mut value, budget);
        serde_json::to_string(&value).expect("JSON")
    }

    #[test]
    fn a_mention_becomes_what_it_names_once_and_within_bounds() {
        let json = r#"{"a":{"id":"urn:x","type":"T"},"b":[{"id":"urn:x","n":{"id":"urn:x"}}],"c":{"id":"urn:gone"}}"#;
        let expected = r#"{"a":{"id":"urn:x","n":{"id":"urn:x"}},"b":[{"id":"urn:x","n":{"id":"urn:x","n":{"id":"urn:x"}}}],"c":{"id":"urn:gone"}}"#;
        assert_eq!(resolved(json, 1000), expected);
        assert_eq!(resolved(json, 10), json);
    }
}

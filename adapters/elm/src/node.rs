//! A JSON-LD node being read: what is taken from it was read, and what is left when it goes was not.

use serde_json::{Map, Value};
use silta_adapter::record::{Coded, Date, Set, Text, Texts};
use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::terms::UNDETERMINED;
use crate::{check, rest};

/// Paths that were not read, each once, up to a bound.
#[derive(Debug)]
pub(crate) struct Unread {
    paths: RefCell<BTreeSet<String>>,
    most: usize,
}

impl Unread {
    pub(crate) fn up_to(most: usize) -> Self {
        Self { paths: RefCell::default(), most }
    }

    pub(crate) fn add(&self, path: String) {
        let mut paths = self.paths.borrow_mut();
        if paths.len() < self.most {
            paths.insert(path);
        }
    }

    pub(crate) fn into_paths(self) -> Vec<String> {
        self.paths.into_inner().into_iter().collect()
    }
}

/// A node; its members are taken one by one.
pub(crate) struct Node<'u> {
    members: Map<String, Value>,
    path: String,
    unread: &'u Unread,
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        for name in self.members.keys().filter(|name| !matches!(name.as_str(), "id" | "type")) {
            self.unread.add(format!("{}/{name}", self.path));
        }
    }
}

impl<'u> Node<'u> {
    pub(crate) fn new(members: Map<String, Value>, path: String, unread: &'u Unread) -> Self {
        Self { members, path, unread }
    }

    /// The member, untouched.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name)
    }

    pub(crate) fn id(&self) -> &str {
        self.members.get("id").and_then(Value::as_str).unwrap_or_default()
    }

    /// True if it is of this type, alone or among others.
    pub(crate) fn is(&self, expected: &str) -> bool {
        match self.members.get("type") {
            Some(Value::String(t)) => t == expected,
            Some(Value::Array(types)) => types.iter().any(|t| t == expected),
            _ => false,
        }
    }

    /// Takes everything that is left and that the contexts know, but id and type, to be kept as it is.
    pub(crate) fn rest(mut self) -> Map<String, Value> {
        let members = std::mem::take(&mut self.members);
        let (kept, unread): (Vec<_>, Vec<_>) = members
            .into_iter()
            .filter(|(name, _)| name != "id" && name != "type")
            .partition(|(name, _)| check::is_term(name));
        unread.iter().for_each(|(name, _)| self.skip(name));
        kept.into_iter().filter_map(|(name, value)| Some((name, rest::portable(value)?))).collect()
    }

    /// Takes a member's first node and leaves the others.
    pub(crate) fn first(&mut self, name: &str) -> Option<Node<'u>> {
        let mut values = self.values(name);
        let is_node = matches!(values.first(), Some(Value::Object(_)));
        let first = is_node.then(|| values.remove(0));
        self.put_back(name, values);
        match first {
            Some(Value::Object(members)) => Some(Node::new(members, format!("{}/{name}", self.path), self.unread)),
            _ => None,
        }
    }

    fn put_back(&mut self, name: &str, values: Vec<Value>) {
        if !values.is_empty() {
            self.members.insert(name.to_owned(), Value::Array(values));
        }
    }

    fn skip(&self, name: &str) {
        self.unread.add(format!("{}/{name}", self.path));
    }

    /// Takes a member that says again what is known already; anything else in it is not read.
    pub(crate) fn expect(&mut self, name: &str, known: Option<&Value>) {
        if self.members.get(name).is_some_and(|value| Some(value) == known) {
            self.take(name);
        }
    }

    /// Takes a member that is a node known already: of nodes with one id all mentions say the same.
    pub(crate) fn repeats(&mut self, name: &str, known: Option<&Value>) {
        let id = |value: Option<&Value>| value.and_then(|value| value.get("id")?.as_str().map(str::to_owned));
        if id(known).is_some_and(|known| id(self.get(name)) == Some(known)) {
            self.take(name);
        }
        self.expect(name, known);
    }

    /// Takes a member's values: an array's elements, or the one value.
    fn values(&mut self, name: &str) -> Vec<Value> {
        match self.take(name) {
            Some(Value::Array(values)) => values,
            Some(value) => vec![value],
            None => Vec::new(),
        }
    }

    /// Takes a member's nodes.
    pub(crate) fn nodes(&mut self, name: &str) -> Vec<Node<'u>> {
        let path = format!("{}/{name}", self.path);
        let (unread, values) = (self.unread, self.values(name));
        values
            .into_iter()
            .filter_map(|value| match value {
                Value::Object(members) => Some(Node::new(members, path.clone(), unread)),
                _ => {
                    unread.add(path.clone());
                    None
                }
            })
            .collect()
    }

    /// Takes a member's node; further ones are not read.
    pub(crate) fn node(&mut self, name: &str) -> Option<Node<'u>> {
        let mut nodes = self.nodes(name).into_iter();
        let first = nodes.next();
        if nodes.next().is_some() {
            self.skip(name);
        }
        first
    }

    /// Takes a text member: a string or a number.
    pub(crate) fn string(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => {
                self.skip(name);
                None
            }
        }
    }

    /// Takes a truth value, also as text.
    pub(crate) fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.take(name)?;
        let truth = value.as_bool().or_else(|| value.as_str()?.parse().ok());
        if truth.is_none() {
            self.skip(name);
        }
        truth
    }

    /// Takes a language map.
    pub(crate) fn texts(&mut self, name: &str) -> Texts {
        let mut texts = Texts::default();
        match self.take(name) {
            None => {}
            Some(Value::Object(map)) => {
                for (lang, value) in map {
                    let values = if let Value::Array(values) = value { values } else { vec![value] };
                    for value in values {
                        let lang = Some(lang.as_str().into()).filter(|_| lang != UNDETERMINED);
                        match value {
                            Value::String(value) => texts.0.push(Text { lang, value }),
                            _ => self.skip(name),
                        }
                    }
                }
            }
            Some(_) => self.skip(name),
        }
        texts
    }

    /// Takes a language map of which one text is meant; further ones are not read.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let mut texts = self.texts(name).0.into_iter().map(|text| text.value);
        let first = texts.next()?;
        if texts.any(|other| other != first) {
            self.skip(name);
        }
        Some(first)
    }

    /// Takes the text of a note.
    pub(crate) fn note(&mut self, name: &str) -> Texts {
        self.node(name).map(|mut note| note.texts("noteLiteral")).unwrap_or_default()
    }

    /// Takes the day of an `xsd:dateTime`; a time of day is not read.
    pub(crate) fn date(&mut self, name: &str) -> Option<Date> {
        let text = self.string(name)?;
        let (date, midnight) = day(&text);
        if !midnight || date.is_none() {
            self.skip(name);
        }
        date
    }

    /// Takes a day that only midnight names for certain: a birth date shifted to another time zone is not read.
    pub(crate) fn certain_date(&mut self, name: &str) -> Option<Date> {
        let (date, midnight) = day(self.get(name)?.as_str()?);
        if !midnight {
            return None;
        }
        self.take(name);
        date
    }

    /// Takes a member's concepts.
    pub(crate) fn codes(&mut self, name: &str) -> Set<Coded> {
        self.nodes(name)
            .into_iter()
            .map(|mut concept| {
                let scheme = concept.node("inScheme").map(|scheme| scheme.id().to_owned()).unwrap_or_default();
                let label = concept.texts("prefLabel");
                concept.take("notation");
                Coded { scheme: scheme.into(), value: concept.id().into(), label }
            })
            .collect()
    }

    /// Takes a member's concept; further ones are not read.
    pub(crate) fn code(&mut self, name: &str) -> Option<Coded> {
        let mut codes = self.codes(name).0.into_iter();
        let first = codes.next();
        if codes.next().is_some() {
            self.skip(name);
        }
        first
    }

    /// Takes the identifiers that `read` knows, told by scheme and notation, and leaves the others.
    pub(crate) fn identifiers(&mut self, mut read: impl FnMut(&str, &str) -> bool) {
        let mut identifiers = self.values("identifier");
        identifiers.retain(|identifier| {
            let text = |name| identifier.get(name).and_then(Value::as_str).unwrap_or_default();
            let plain = identifier.as_object().is_some_and(|members| {
                members.keys().all(|name| matches!(name.as_str(), "id" | "type" | "schemeName" | "notation"))
            });
            !(plain && read(text("schemeName"), text("notation")))
        });
        self.put_back("identifier", identifiers);
    }
}

/// The day of an `xsd:dateTime` as written, and whether it is its first instant.
fn day(text: &str) -> (Option<Date>, bool) {
    let Some((day, time)) = text.split_at_checked(10) else { return (None, false) };
    let zone = time.strip_prefix("T00:00:00").map(|rest| rest.trim_start_matches(['.', '0']));
    let midnight = time.is_empty() || zone.is_some_and(|zone| zone.is_empty() || zone.starts_with(['Z', '+', '-']));
    (day.parse().ok(), midnight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node<'u>(json: &str, unread: &'u Unread) -> Node<'u> {
        Node::new(serde_json::from_str(json).expect("an object"), String::new(), unread)
    }

    #[test]
    fn what_was_not_taken_was_not_read() {
        let unread = Unread::up_to(9);
        {
            let mut node = node(
                r#"{"id":"x","title":{"en":["A","B"],"und":"C"},"learningOutcomes":[{"a":1}],"one":[{"b":1},{"c":2}]}"#,
                &unread,
            );
            let title = node.texts("title");
            assert_eq!(title.len(), 3);
            assert_eq!(title[2].lang, None);
            assert!(node.node("one").is_some());
        }
        assert_eq!(unread.into_paths(), ["/learningOutcomes", "/one", "/one/b", "/one/c"]);
    }

    #[test]
    fn only_midnight_names_a_birth_date() {
        let unread = Unread::up_to(9);
        let mut node = node(
            r#"{"a":"1999-10-02T00:00:00Z","b":"1999-10-01T22:00:00Z","c":"1999-10-01T22:00:00Z","d":"1999-10-02T00:00:00.000+02:00"}"#,
            &unread,
        );
        let expected = "1999-10-02".parse().ok();
        assert_eq!(node.certain_date("a"), expected);
        assert_eq!(node.certain_date("b"), None);
        assert_eq!(node.date("c"), "1999-10-01".parse().ok());
        assert_eq!(node.date("d"), expected);
        drop(node);
        assert_eq!(unread.into_paths(), ["/b", "/c"]);
    }
}

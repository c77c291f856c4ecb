//! A credential as the graph its contexts make of it, and what is lost or ambiguous on the way.
//!
//! JSON-LD drops in silence whatever a context does not know, and merges what shares an id. Both are told here.

use super::Edition;
use super::tables::{Name, TABLES, Term, Values};
use serde_json::{Map, Value};
use silta_adapter::problem::Severity;
use silta_adapter::validate::Finding;
use std::borrow::Cow;
use std::collections::HashMap;

const XSD_STRING: &str = "xsd:string";
const XSD_INTEGER: &str = "xsd:integer";
const XSD_BOOLEAN: &str = "xsd:boolean";

/// Where a value stands: the place of what holds it, the member's name, its position in an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(usize);

/// A node with everything said of it anywhere in the document.
#[derive(Debug)]
pub(super) struct Node<'a> {
    /// Its id; `None` for a blank node.
    pub(super) id: Option<&'a str>,
    pub(super) types: Vec<Name>,
    pub(super) properties: Vec<Property<'a>>,
    /// Where it stands first.
    pub(super) place: Place,
    /// What was said of it first, if more than its id and type.
    said: Option<&'a Map<String, Value>>,
}

/// One value of one property.
#[derive(Debug)]
pub(super) struct Property<'a> {
    pub(super) name: Name,
    pub(super) value: Object<'a>,
    pub(super) place: Place,
}

/// The value of a property.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object<'a> {
    /// A node, by its number.
    Node(usize),
    /// A literal.
    Literal { text: Cow<'a, str>, datatype: Option<Name>, language: Option<Cow<'a, str>> },
}

/// The graph of a credential.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    by_id: HashMap<&'a str, usize>,
    places: Vec<(usize, &'a str, Option<usize>)>,
    edition: Edition,
    prefix: &'static str,
    /// What was lost or ambiguous.
    pub(super) findings: Vec<Finding>,
    /// False if the document is no JSON-LD at all.
    pub(super) readable: bool,
}

/// What a place in a W3C status list is told by. The contexts know a credential's status and nothing of what is in it.
const STATUS_LIST: [&str; 5] =
    ["BitstringStatusListEntry", "StatusList2021Entry", "statusPurpose", "statusListIndex", "statusListCredential"];

impl<'a> Graph<'a> {
    /// The graph of a credential that stands at `prefix` of its document.
    pub(super) fn of(credential: &'a Map<String, Value>, edition: Edition, prefix: &'static str) -> Self {
        let mut graph = Self {
            nodes: Vec::with_capacity(128),
            by_id: HashMap::with_capacity(128),
            places: vec![(0, "", None)],
            edition,
            prefix,
            findings: Vec::new(),
            readable: true,
        };
        graph.node(credential, Place(0));
        graph
    }

    /// The JSON pointer of a place.
    pub(super) fn path(&self, place: Place) -> String {
        let (mut steps, mut at) = (Vec::new(), place.0);
        while at != 0 {
            let (parent, member, nth) = self.places[at];
            steps.push((member, nth));
            at = parent;
        }
        let mut path = self.prefix.to_owned();
        for (member, nth) in steps.into_iter().rev() {
            path.push('/');
            path.push_str(&member.replace('~', "~0").replace('/', "~1"));
            if let Some(nth) = nth {
                path.push_str(&format!("/{nth}"));
            }
        }
        path
    }

    /// The values of a property of a node.
    pub(super) fn values(&self, node: usize, name: Name) -> impl Iterator<Item = &Property<'a>> {
        self.nodes[node].properties.iter().filter(move |property| property.name == name)
    }

    /// True if the value is a node of this class.
    pub(super) fn is(&self, value: &Object<'_>, class: Name) -> bool {
        matches!(value, Object::Node(node) if self.nodes[*node].types.contains(&class))
    }

    fn find(&mut self, place: Place, rule: &'static str, severity: Severity, message: impl Into<String>) {
        if self.findings.len() < super::MOST_FINDINGS {
            let finding = super::reading(rule, severity, self.path(place), message);
            self.findings.push(finding);
        }
    }

    fn place(&mut self, parent: Place, member: &'a str, nth: Option<usize>) -> Place {
        self.places.push((parent.0, member, nth));
        Place(self.places.len() - 1)
    }

    /// The number of the node of an id; a new one if it has none, or one that only the document itself would know.
    fn number(&mut self, id: Option<&'a str>, place: Place) -> usize {
        let next = self.nodes.len();
        let number = id.map_or(next, |id| *self.by_id.entry(id).or_insert(next));
        if number == next {
            let id = id.filter(|id| !id.starts_with("_:"));
            self.nodes.push(Node { id, types: Vec::new(), properties: Vec::new(), place, said: None });
        }
        number
    }

    /// Adds a node.
    fn node(&mut self, map: &'a Map<String, Value>, place: Place) -> usize {
        let id = match map.get("id").or_else(|| map.get("@id")) {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id.as_str()),
            Some(_) => {
                self.readable = false;
                self.find(place, "not_an_id", Severity::Error, "an id is a text");
                None
            }
        };
        if id.is_some_and(|id| !is_absolute(id)) {
            let message = "the id is no absolute IRI: it means something else in every place the document is kept";
            self.find(place, "relative_id", Severity::Error, message);
        }
        let number = self.number(id, place);
        self.compare(number, map, place);
        let types = self.types(map, place);
        let in_credential = TABLES.name("cred:VerifiableCredential").is_some_and(|vc| types.contains(&vc));
        for class in types {
            if !self.nodes[number].types.contains(&class) {
                self.nodes[number].types.push(class);
            }
        }
        for (member, value) in map {
            match member.as_str() {
                "id" | "@id" | "type" | "@type" => {}
                "@context" if place.0 == 0 => {}
                _ => self.member(number, member, value, in_credential, place),
            }
        }
        number
    }

    /// Tells if something else was said of the node before. A mention by id alone says nothing, and a concept is known
    /// by its id wherever it stands, whatever labels it comes with.
    fn compare(&mut self, number: usize, map: &'a Map<String, Value>, place: Place) {
        let concept = map.get("type").is_some_and(|t| t == "Concept" || t == "ConceptScheme");
        let says = map.keys().any(|member| member != "id" && member != "type");
        if concept || !says || self.nodes[number].id.is_none() {
            return;
        }
        match self.nodes[number].said {
            None => self.nodes[number].said = Some(map),
            Some(said) if same(said, map) => {}
            Some(_) => {
                let first = self.path(self.nodes[number].place);
                let message = format!("two nodes share an id and differ; the other is at {first}");
                self.find(place, "id_conflict", Severity::Error, message);
            }
        }
    }

    fn types(&mut self, map: &'a Map<String, Value>, place: Place) -> Vec<Name> {
        let mut names = Vec::new();
        for value in each(map.get("type").or_else(|| map.get("@type"))) {
            let Some(text) = value.as_str() else {
                self.readable = false;
                self.find(place, "not_a_type", Severity::Error, "a type is a text");
                continue;
            };
            match TABLES.term(text, self.edition, true) {
                Some(Term { name, values: Values::Type, .. }) => names.push(*name),
                _ => match TABLES.name(text).filter(|_| text.contains(':')) {
                    Some(name) => names.push(name),
                    None => {
                        let place = self.place(place, "type", None);
                        self.unknown(place, "type", text, TABLES.knows(text, true));
                    }
                },
            }
        }
        names
    }

    fn unknown(&mut self, place: Place, what: &str, spelling: &str, elsewhere: bool) {
        // What a document says must not fill a log.
        let spelling: String = spelling.chars().take(60).collect();
        if STATUS_LIST.contains(&spelling.as_str()) && self.path(place).contains("/credentialStatus") {
            let message = format!("{spelling} is of W3C status lists: readers of JSON know it, the contexts do not");
            self.find(place, "status_list_term", Severity::Warning, message);
        } else if elsewhere {
            let message =
                format!("the {what} {spelling} is not in the context of {}; readers of that drop it", self.edition);
            self.find(place, "other_edition", Severity::Warning, message);
        } else {
            let message = format!("the contexts have no {what} {spelling}: readers drop it in silence");
            self.find(place, if what == "type" { "unknown_type" } else { "unknown_term" }, Severity::Error, message);
        }
    }

    fn member(&mut self, node: usize, member: &'a str, value: &'a Value, in_credential: bool, at: Place) {
        let (name, values) = match TABLES.term(member, self.edition, in_credential) {
            Some(Term { name, values, .. }) if *values != Values::Type => (*name, *values),
            _ => {
                let place = self.place(at, member, None);
                if member.starts_with('@') {
                    self.find(place, "keyword", Severity::Error, "a credential does without this keyword of JSON-LD");
                    return;
                }
                match TABLES.name(member).filter(|_| member.contains(':')) {
                    Some(name) => (name, Values::Plain),
                    None => return self.unknown(place, "term", member, TABLES.knows(member, in_credential)),
                }
            }
        };
        if let (Values::Language, Value::Object(map)) = (values, value) {
            let place = self.place(at, member, None);
            return self.language_map(node, name, map, place);
        }
        let many = value.is_array();
        for (nth, value) in each(Some(value)).enumerate() {
            let place = self.place(at, member, many.then_some(nth));
            self.value(node, name, value, values, place);
        }
    }

    /// Adds a value of a property, or those of a list in a list, which JSON-LD makes one.
    fn value(&mut self, node: usize, name: Name, value: &'a Value, values: Values, place: Place) {
        if let Value::Array(list) = value {
            self.find(place, "nested_array", Severity::Warning, "a list in a list, which some readers do not expect");
            list.iter().for_each(|value| self.value(node, name, value, values, place));
        } else if let Some(value) = self.object(name, value, values, place) {
            self.add(node, name, value, place);
        }
    }

    fn add(&mut self, node: usize, name: Name, value: Object<'a>, place: Place) {
        let properties = &mut self.nodes[node].properties;
        if !properties.iter().any(|property| property.name == name && property.value == value) {
            properties.push(Property { name, value, place });
        }
    }

    fn language_map(&mut self, node: usize, name: Name, map: &'a Map<String, Value>, place: Place) {
        for (language, texts) in map {
            for text in each(Some(texts)).filter(|text| !text.is_null()) {
                let Some(text) = text.as_str() else {
                    self.readable = false;
                    self.find(place, "not_a_text", Severity::Error, "a language map holds texts by language");
                    continue;
                };
                if !crate::terms::is_language(language) {
                    self.find(
                        place,
                        "language_tag",
                        Severity::Error,
                        "a language map has language tags (BCP 47) as keys",
                    );
                }
                let language = if language.bytes().any(|b| b.is_ascii_uppercase()) {
                    Cow::Owned(language.to_ascii_lowercase())
                } else {
                    Cow::Borrowed(language.as_str())
                };
                let literal = Object::Literal { text: text.into(), datatype: None, language: Some(language) };
                self.add(node, name, literal, place);
            }
        }
    }

    fn object(&mut self, property: Name, value: &'a Value, values: Values, place: Place) -> Option<Object<'a>> {
        let literal = |text: Cow<'a, str>, plain: &str| {
            let datatype = if let Values::Literal(datatype) = values { Some(datatype) } else { TABLES.name(plain) };
            Some(Object::Literal { text, datatype, language: None })
        };
        match value {
            Value::Null => None,
            // What a graph of its own says is not said of the credential.
            Value::Object(_) if values == Values::Graph => Some(Object::Node(self.number(None, place))),
            Value::Object(map) => Some(Object::Node(self.node(map, place))),
            Value::String(id) if values == Values::Node => self.reference(property, id, place),
            Value::String(text) => literal(text.as_str().into(), XSD_STRING),
            Value::Bool(truth) => literal(if *truth { "true" } else { "false" }.into(), XSD_BOOLEAN),
            // JSON-LD writes a number with a fraction as a double.
            Value::Number(n) if n.is_f64() => literal(format!("{n}E0").into(), "xsd:double"),
            Value::Number(n) => literal(n.to_string().into(), XSD_INTEGER),
            // Told apart before.
            Value::Array(_) => None,
        }
    }

    /// A node named by its id alone. Readers take any other text for an id too, relative to wherever they read it,
    /// unless a colon in it makes it neither.
    fn reference(&mut self, property: Name, id: &'a str, place: Place) -> Option<Object<'a>> {
        if !is_absolute(id) && TABLES.is_literal(property) {
            let message = "a known defect of the context: it takes this text for a reference, so it is lost";
            self.find(place, "lost_by_context", Severity::Warning, message);
        } else if !is_absolute(id) {
            self.find(place, "not_a_node", Severity::Error, "here stands a node or the id of one, and no text");
        }
        let dropped = !is_absolute(id) && id.contains(':');
        (!dropped).then(|| Object::Node(self.number(Some(id), place)))
    }
}

/// True if two nodes say the same, but that one may name by its id alone what the other says in full.
fn same(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let values = |one: &Value, other: &Value| match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let mention = |node: &Map<String, Value>| node.keys().all(|member| member == "id" || member == "type");
            let named = one.get("id").is_some_and(|id| other.get("id") == Some(id));
            (named && (mention(one) || mention(other))) || same(one, other)
        }
        (one, other) => one == other,
    };
    one.len() == other.len()
        && one.iter().all(|(member, value)| match (value, other.get(member)) {
            (Value::Array(ones), Some(Value::Array(others))) => {
                ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| values(one, other))
            }
            (one, Some(other)) => values(one, other),
            (_, None) => false,
        })
}

/// The elements of an array, or the one value.
fn each(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    match value {
        Some(Value::Array(values)) => values.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    }
    .iter()
}

/// True for an absolute IRI, or the name of a blank node.
fn is_absolute(id: &str) -> bool {
    let Some((scheme, rest)) = id.split_once(':') else { return false };
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    (named || scheme == "_") && !rest.contains(char::is_whitespace)
}

//! Typed paths: a field of the record model, looked up in its JSON Schema.
//!
//! `credits.ects` is a member of a member; `title.fi` the text in a language; `identifiers.fi:hetu` the identifier of a
//! scheme; `parts.id` a member of each element of a list, which a cell is split into; `assessments.1.title.fi` a member
//! of the second element.

use serde_json::{Map, Value, json};
use silta_adapter::SmolStr;
use silta_adapter::record::{RecordKind, record_schema};
use std::collections::BTreeSet;

/// What stands at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    Text,
    Amount,
    Date,
    Truth,
    Integer,
    /// A code: scheme and value.
    Code,
    /// Anything: an extension.
    Any,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(SmolStr),
    /// An element by its place.
    At(usize),
    /// Each element.
    Each,
    /// The element whose member of this name has this value, or lacks it.
    With(&'static str, Option<SmolStr>),
}

/// A field of the record model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// As written in the mapping file.
    pub(crate) name: String,
    /// The member of the body or the head that it is in.
    pub(crate) top: SmolStr,
    pub(crate) leaf: Leaf,
    steps: Vec<Step>,
}

impl Target {
    /// True if the path goes through each element of a list.
    pub(crate) fn is_list(&self) -> bool {
        self.steps.contains(&Step::Each)
    }

    /// Puts a value there, into the element `at` of the list the path goes through.
    pub(crate) fn put(&self, record: &mut Value, at: usize, value: Value) {
        let place = self.steps.iter().try_fold(record, |here, step| enter(here, step, at));
        match (place, value) {
            (Some(Value::Object(there)), Value::Object(more)) => there.extend(more),
            (Some(here), value) => *here = value,
            (None, _) => {}
        }
    }

    /// What stands there.
    pub(crate) fn get<'v>(&self, record: &'v Value, at: usize) -> Option<&'v Value> {
        self.steps.iter().try_fold(record, |here, step| match step {
            Step::Member(name) => here.get(name.as_str()),
            Step::At(place) => here.get(place),
            Step::Each => here.get(at),
            Step::With(member, wanted) => here.as_array()?.iter().find(|e| has(e, member, wanted.as_deref())),
        })
    }

    /// How many elements the list has that the path goes through.
    pub(crate) fn count(&self, record: &Value) -> usize {
        let mut here = Some(record);
        for step in &self.steps {
            here = match (here, step) {
                (Some(Value::Array(list)), Step::Each) => return list.len(),
                (Some(value), Step::Member(name)) => value.get(name.as_str()),
                (Some(value), Step::At(place)) => value.get(place),
                _ => None,
            };
        }
        usize::from(here.is_some())
    }
}

fn has(element: &Value, member: &str, wanted: Option<&str>) -> bool {
    element.get(member).and_then(Value::as_str) == wanted
}

/// Goes a step, making what is not there.
fn enter<'v>(here: &'v mut Value, step: &Step, at: usize) -> Option<&'v mut Value> {
    if let Step::Member(name) = step {
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        return Some(here.as_object_mut()?.entry(name.as_str()).or_insert(Value::Null));
    }
    if !here.is_array() {
        *here = Value::Array(Vec::new());
    }
    let list = here.as_array_mut()?;
    let place = match step {
        Step::At(place) => *place,
        Step::With(member, wanted) => {
            let found = list.iter().position(|element| has(element, member, wanted.as_deref()));
            let made = || wanted.as_ref().map_or_else(|| json!({}), |wanted| json!({ *member: wanted }));
            found.unwrap_or_else(|| {
                list.push(made());
                list.len() - 1
            })
        }
        _ => at,
    };
    while list.len() <= place {
        list.push(Value::Object(Map::new()));
    }
    list.get_mut(place)
}

/// The record schema, to look paths up in.
pub(crate) struct Paths {
    schema: Value,
}

/// How a step goes on in the schema.
enum Shape<'s> {
    Object(&'s Map<String, Value>),
    /// Elements named by a member.
    Keyed(&'static str),
    List(&'s Value),
    Leaf(Leaf),
    Open,
}

impl Paths {
    pub(crate) fn new() -> Self {
        Self { schema: record_schema().to_value() }
    }

    /// The fields of the head that a mapping may fill.
    pub(crate) fn head(name: &'static str, leaf: Leaf) -> Target {
        Target { name: name.to_owned(), top: name.into(), leaf, steps: vec![Step::Member(name.into())] }
    }

    /// A path below the body of a kind.
    ///
    /// # Errors
    /// If the model has no such field; the text names the nearest one.
    pub(crate) fn body(&self, kind: RecordKind, path: &[SmolStr]) -> Result<Target, String> {
        let name = path.join(".");
        let unknown = || {
            let known = self.all(kind);
            let last = path.last().map_or("", |l| l.as_str());
            let same_end =
                known.iter().find(|k| path.len() == 1 && k.rsplit('.').next() == Some(last)).map(String::as_str);
            let near = same_end.or_else(|| nearest(&name, known.iter().map(String::as_str)));
            let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            format!("the kind {kind} has no field {name}{hint} (`silta schema record` shows all)")
        };
        let top = path.first().cloned().unwrap_or_default();
        let target = |leaf, steps| Target { name: name.clone(), top: top.clone(), leaf, steps };
        let mut steps = vec![Step::Member("body".into())];
        let mut at = self.definition(&definition(kind)).ok_or_else(unknown)?;
        let mut rest = path;
        loop {
            match (self.shape(at), rest.split_first()) {
                (Shape::Object(members), Some((member, after))) => {
                    at = members.get(member.as_str()).ok_or_else(unknown)?;
                    steps.push(Step::Member(member.clone()));
                    rest = after;
                }
                (Shape::Keyed(by), next) => {
                    let wanted = match (by, next) {
                        ("lang", None) => None,
                        (_, Some((wanted, []))) => Some(wanted.clone()),
                        _ => return Err(format!("{name} needs the {by} of the element, as in {name}.fi:hetu")),
                    };
                    steps.extend([Step::With(by, wanted), Step::Member("value".into())]);
                    return Ok(target(Leaf::Text, steps));
                }
                (Shape::List(items), next) => {
                    let place = next.and_then(|(step, after)| Some((step.parse().ok()?, after)));
                    at = items;
                    match place {
                        Some((place, after)) if place < 100 => {
                            steps.push(Step::At(place));
                            rest = after;
                        }
                        Some(_) => return Err(unknown()),
                        None => steps.push(Step::Each),
                    }
                }
                (Shape::Leaf(leaf), None) => return Ok(target(leaf, steps)),
                // A code's own members: its label, or a scheme and value from different columns.
                (Shape::Leaf(Leaf::Code), Some((member, after))) => {
                    let coded = self.definition("Coded").ok_or_else(unknown)?;
                    at = coded["properties"].get(member.as_str()).ok_or_else(unknown)?;
                    steps.push(Step::Member(member.clone()));
                    rest = after;
                }
                (Shape::Open, Some(_)) if rest.len() >= 2 => {
                    steps.extend(rest.iter().cloned().map(Step::Member));
                    return Ok(target(Leaf::Any, steps));
                }
                _ => return Err(unknown()),
            }
        }
    }

    /// True if a table in the mapping file at this path says how to fill it, and not what is below it.
    pub(crate) fn is_leaf(&self, kind: RecordKind, path: &[SmolStr]) -> bool {
        self.body(kind, path).is_ok()
    }

    fn definition(&self, name: &str) -> Option<&Value> {
        self.schema.get("$defs")?.get(name)
    }

    /// The members of a kind's body.
    pub(crate) fn members(&self, kind: RecordKind) -> Vec<&str> {
        let body = self.definition(&definition(kind)).and_then(|d| d["properties"].as_object());
        body.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    fn shape<'s>(&'s self, schema: &'s Value) -> Shape<'s> {
        if let Some(options) = schema["anyOf"].as_array() {
            return self.shape(options.iter().find(|o| o["type"] != "null").unwrap_or(schema));
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
            return match name {
                "Amount" => Shape::Leaf(Leaf::Amount),
                "Date" | "EndDate" => Shape::Leaf(Leaf::Date),
                "Coded" => Shape::Leaf(Leaf::Code),
                "Extensions" => Shape::Open,
                other => self.definition(other).map_or(Shape::Open, |definition| self.shape(definition)),
            };
        }
        if let Some(items) = schema.get("items") {
            return match items["$ref"].as_str() {
                Some("#/$defs/Text") => Shape::Keyed("lang"),
                Some("#/$defs/Identifier") => Shape::Keyed("scheme"),
                _ => Shape::List(items),
            };
        }
        if let Some(members) = schema["properties"].as_object() {
            return Shape::Object(members);
        }
        let is =
            |name: &str| schema["type"] == name || schema["type"].as_array().is_some_and(|t| t.contains(&json!(name)));
        match schema {
            _ if is("boolean") => Shape::Leaf(Leaf::Truth),
            _ if is("integer") => Shape::Leaf(Leaf::Integer),
            _ => Shape::Leaf(Leaf::Text),
        }
    }

    /// Paths of a kind, for hints.
    fn all(&self, kind: RecordKind) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        if let Some(body) = self.definition(&definition(kind)) {
            self.collect(body, String::new(), 0, &mut out);
        }
        out
    }

    fn collect(&self, schema: &Value, path: String, depth: usize, out: &mut BTreeSet<String>) {
        match self.shape(schema) {
            Shape::Object(members) if depth < 4 => {
                for (name, member) in members {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    self.collect(member, path, depth + 1, out);
                }
            }
            Shape::List(items) => self.collect(items, path, depth, out),
            Shape::Keyed("lang") => drop(out.insert(format!("{path}.fi"))),
            Shape::Keyed(_) => drop(out.insert(format!("{path}.fi:hetu"))),
            Shape::Open => drop(out.insert(format!("{path}.namespace.name"))),
            _ => drop(out.insert(path)),
        }
    }
}

/// The name of a kind's body in the schema.
fn definition(kind: RecordKind) -> String {
    kind.name().split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// The name most like another, if one is like it at all.
pub(crate) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.to_lowercase();
    let likeness = |other: &str| strsim::jaro_winkler(&name, &other.to_lowercase());
    known
        .map(|k| (likeness(k), k))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(kind: RecordKind, path: &str) -> Result<Target, String> {
        Paths::new().body(kind, &path.split('.').map(SmolStr::new).collect::<Vec<_>>())
    }

    #[test]
    fn paths_are_those_of_the_record_model() {
        use RecordKind::{Attainment, Enrolment, Learner, StudyRight};
        let mut record = json!({});
        for (kind, path, at, value) in [
            (Attainment, "credits.ects", 0, json!("5")),
            (Attainment, "title.fi", 0, json!("Matikka")),
            (Attainment, "title", 0, json!("Maths")),
            (Attainment, "language", 0, json!({ "scheme": "l", "value": "fi" })),
            (Attainment, "language.label.fi", 0, json!("suomi")),
            (Attainment, "parts.id", 1, json!("B")),
            (Attainment, "parts.id", 0, json!("A")),
            (Attainment, "parts.ects", 0, json!("1")),
            (Attainment, "learning_outcomes.1.title.sv", 0, json!("kan")),
            (Attainment, "grade.scale.code", 0, json!({ "scheme": "g", "value": "5" })),
            (Learner, "identifiers.fi:hetu", 0, json!("x")),
            (Learner, "citizenships", 0, json!({ "scheme": "c", "value": "246" })),
            (StudyRight, "states.start", 0, json!("2025-01-01")),
            (Enrolment, "extensions.peppi.a.b", 0, json!("y")),
        ] {
            let target = target(kind, path).expect(path);
            target.put(&mut record, at, value.clone());
            assert_eq!(
                target.get(&record, at).map(|there| there.get("value").unwrap_or(there)),
                Some(value.get("value").unwrap_or(&value)),
                "{path}"
            );
        }
        assert_eq!(record["body"]["parts"], json!([{ "id": "A", "ects": "1" }, { "id": "B" }]));
        assert_eq!(record["body"]["title"], json!([{ "lang": "fi", "value": "Matikka" }, { "value": "Maths" }]));
        assert_eq!(record["body"]["language"]["label"], json!([{ "lang": "fi", "value": "suomi" }]));
        assert_eq!(record["body"]["identifiers"], json!([{ "scheme": "fi:hetu", "value": "x" }]));
        assert_eq!(record["body"]["learning_outcomes"], json!([{}, { "title": [{ "lang": "sv", "value": "kan" }] }]));
    }

    #[test]
    fn an_unknown_path_names_the_nearest() {
        for (path, hint) in [
            ("ects", "did you mean credits.ects?"),
            ("completed", "did you mean completed_on?"),
            ("credits", "did you mean credits.ects?"),
            ("grade.valeu", "did you mean grade.value?"),
            ("extensions.x", "the kind attainment has no field extensions.x"),
        ] {
            let reason = target(RecordKind::Attainment, path).expect_err(path);
            assert!(reason.contains(hint), "{reason}");
        }
    }
}

//! What partners send, into records. Real partners leave out what the standard demands and use words it does not have;
//! what can be read is read, and each deviation is told.

use crate::association::lacks_scale;
use crate::dialect::Dialect;
use crate::identity::Added;
use crate::object;
use crate::person::is_person;
use crate::words::text_at;
use serde::Deserialize;
use serde_json::Value;
use silta_adapter::adapter::{DecodeContext, Decoded, Limits, Reading, Sink, Unreadable};
use silta_adapter::json::{self, Json};
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::record::Record;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::sync::LazyLock;

/// One thing the standard asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    version: String,
    path: String,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    extensible: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    rule: Vec<Rule>,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let text = include_str!("../../../mappings/deviations-ooapi.toml");
    toml::from_str::<Rules>(text).map(|rules| rules.rule).unwrap_or_default()
});

/// Reads for well-formedness and bounds only.
pub(crate) fn probe(input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
    json::values(input, limits, |bytes, line| parsed(bytes, line).map(drop))
}

/// Reads all objects of the input: persons, associations, and pages of them.
pub(crate) fn documents(
    input: &mut dyn BufRead,
    ctx: &DecodeContext,
    sink: &mut Sink<'_>,
) -> Result<Reading, Unreadable> {
    let mut reader = Reader { ctx, unread: BTreeSet::new(), found: Vec::new() };
    json::values(input, &ctx.limits, |bytes, line| {
        reader.object(parsed(bytes, line)?, line);
        reader.found.drain(..).try_for_each(&mut *sink).map_err(|_| Unreadable::Stopped)
    })?;
    Ok(Reading { form: None, unread: reader.unread.into_iter().collect() })
}

/// The one record of an object of ours.
pub(crate) fn only(document: &[u8], ctx: &DecodeContext) -> Option<Record> {
    let mut reader = Reader { ctx, unread: BTreeSet::new(), found: Vec::new() };
    reader.object(parsed(document, 1).ok()?, 1);
    reader.found.into_iter().find_map(|found| match found {
        Decoded::Record(record, _) => Some(*record),
        Decoded::Problem(_) => None,
    })
}

fn parsed(bytes: &[u8], line: u64) -> Result<Value, Unreadable> {
    json::object(bytes, line)?;
    let malformed = || Problem::error("malformed", "a member of an object is there twice").on_line(line);
    let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
    Ok(Json::parse(text).map_err(|_| malformed())?.to_value())
}

struct Reader<'a> {
    ctx: &'a DecodeContext,
    unread: BTreeSet<String>,
    found: Vec<Decoded>,
}

impl Reader<'_> {
    fn object(&mut self, tree: Value, line: u64) {
        match tree {
            Value::Object(mut page) if page.get("items").is_some_and(Value::is_array) => {
                let Some(Value::Array(items)) = page.remove("items") else { return };
                self.unread(page.keys().map(|name| format!("/{name}")));
                items.into_iter().for_each(|item| self.one(item, line));
            }
            tree => self.one(tree, line),
        }
    }

    fn one(&mut self, tree: Value, line: u64) {
        match is_person(&tree) {
            true => self.person(tree, line),
            false => self.association(tree, line),
        }
    }

    fn person(&mut self, tree: Value, line: u64) {
        let dialect = Dialect::of(&tree);
        match object::learner(tree, dialect, self.ctx) {
            Some(record) => self.found.push(Decoded::Record(Box::new(record), line)),
            None => {
                let text = "a person without an id: nothing can be said of her later";
                self.found.push(Decoded::Problem(Problem::error("no_identity", text).at("/personId").on_line(line)));
            }
        }
    }

    fn association(&mut self, mut tree: Value, line: u64) {
        let dialect = Dialect::of(&tree);
        let mut told = deviations(&tree, dialect);
        if let Some(person) = expanded(&mut tree, dialect) {
            self.person(person, line);
        }
        if text_at(&tree, "/associationId").is_none() {
            let text =
                "an association without an id: the address of the call names it, which a document has to say itself";
            told.push(Problem::error("no_identity", text).at("/associationId"));
            return self.tell(told, line);
        }
        if lacks_scale(&tree, dialect.carrier_of(&tree)) {
            let text = "nothing says what scale the score is on: it stays beside the record";
            told.push(Problem::warning("no_scale", text).at("/result/score"));
        }
        let taken_back = object::is_cancelled(&tree)
            || Added::take(&mut tree.clone(), dialect).is_some_and(|added| added.state.is_some());
        let completed = text_at(&tree, "/result/state") == Some("completed");
        let failed = text_at(&tree, "/result/pass") == Some("failed");
        if !taken_back && (!completed || failed) {
            let (code, text) = match failed {
                true => ("failed", "a failed attempt is no achievement: nothing is taken of it"),
                false => ("no_result", "nothing is achieved yet: nothing is taken until there is a result"),
            };
            told.push(Problem::warning(code, text).at("/result"));
            let names: Vec<String> =
                tree.as_object().into_iter().flatten().map(|(name, _)| format!("/{name}")).collect();
            self.unread(names);
            return self.tell(told, line);
        }
        let Some(record) = object::attainment(tree, dialect, self.ctx) else { return self.tell(told, line) };
        let key = record.head.key.clone();
        self.found.push(Decoded::Record(Box::new(record), line));
        self.tell(told.into_iter().map(|problem| problem.about(&key)).collect(), line);
    }

    fn tell(&mut self, problems: Vec<Problem>, line: u64) {
        self.found.extend(problems.into_iter().map(|problem| Decoded::Problem(problem.on_line(line))));
    }

    fn unread(&mut self, paths: impl IntoIterator<Item = String>) {
        for path in paths {
            if self.unread.len() < self.ctx.limits.problems {
                self.unread.insert(path);
            }
        }
    }
}

/// Takes a person out of an association that holds all of her; it names her by her id then.
fn expanded(tree: &mut Value, dialect: &Dialect) -> Option<Value> {
    let Value::Object(members) = tree else { return None };
    if !members.get("person").is_some_and(Value::is_object) {
        return None;
    }
    let person = members.remove("person")?;
    if let Some(id) = person.get("personId").filter(|id| id.is_string()) {
        members.insert(object::person_member(dialect).to_owned(), id.clone());
    }
    Some(person)
}

/// In what an association is not as the standard asks.
fn deviations(tree: &Value, dialect: &Dialect) -> Vec<Problem> {
    let told = |path: &str, text: &str| {
        Problem::new("deviation", Severity::Warning, Fixer::OtherSide, text.to_owned()).at(path)
    };
    let mut out = Vec::new();
    for rule in RULES.iter().filter(|rule| rule.version == dialect.version) {
        let parent = rule.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if tree.pointer(parent).is_none() {
            continue;
        }
        match tree.pointer(&rule.path) {
            None if rule.required => out.push(told(&rule.path, "the standard demands it, and it is not there")),
            Some(Value::String(word)) if !rule.values.is_empty() => {
                let known = rule.values.contains(word) || (rule.extensible && word.starts_with("x-"));
                if !known {
                    out.push(told(&rule.path, "it is none of the words of the standard"));
                }
            }
            _ => {}
        }
    }
    out
}

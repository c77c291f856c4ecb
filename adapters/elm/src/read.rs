//! Credentials back into records: bare, wrapped for upload, or sealed (read without verifying the seal).

mod claims;

use crate::node::{Node, Unread};
use crate::{scan, terms};
use serde_json::{Map, Value};
use silta_adapter::adapter::{DecodeContext, Decoded, Limits, Reading, Sink, Unreadable};
use silta_adapter::problem::Problem;
use silta_adapter::record::{EndDate, Record, RecordKey};
use std::collections::HashMap;
use std::io::BufRead;
use uuid::Uuid;

/// Reads for well-formedness and bounds only.
pub(crate) fn probe(input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
    scan::values(input, limits, |bytes, line| parse(bytes, line).map(drop))
}

/// Reads all credentials of the input.
pub(crate) fn documents(
    input: &mut dyn BufRead,
    ctx: &DecodeContext,
    sink: &mut Sink<'_>,
) -> Result<Reading, Unreadable> {
    let unread = Unread::up_to(ctx.limits.problems);
    scan::values(input, &ctx.limits, |bytes, line| {
        let mut reader = Reader { ctx, unread: &unread, id: String::new(), found: Found::default() };
        if let Err(problem) = reader.document(parse(bytes, line)?) {
            reader.found = Found { problems: vec![*problem], ..Found::default() };
        }
        let Found { records, problems, .. } = reader.found;
        let records = records.into_iter().map(|record| Decoded::Record(Box::new(record), line));
        let problems = problems.into_iter().map(|problem| Decoded::Problem(problem.on_line(line)));
        problems.chain(records).try_for_each(&mut *sink).map_err(|_| Unreadable::Stopped)
    })?;
    Ok(Reading { form: None, unread: unread.into_paths() })
}

fn parse(bytes: &[u8], start: u64) -> Result<Map<String, Value>, Unreadable> {
    serde_json::from_slice(bytes).map_err(|error| {
        // The parser counts lines from the start of the value; its own text could quote the document.
        let line = start + (error.line() as u64).saturating_sub(1);
        Problem::error("not_json", "the input is not well-formed JSON").on_line(line).into()
    })
}

/// What one credential holds.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) records: Vec<Record>,
    pub(crate) problems: Vec<Problem>,
    /// Where each key was found first.
    pub(crate) by_key: HashMap<RecordKey, usize>,
}

/// One credential being read.
pub(crate) struct Reader<'a> {
    pub(crate) ctx: &'a DecodeContext,
    unread: &'a Unread,
    /// The credential's id, of which keys are made where it names none.
    pub(crate) id: String,
    pub(crate) found: Found,
}

impl Reader<'_> {
    /// A sealed, wrapped or bare credential.
    fn document(&mut self, mut value: Map<String, Value>) -> Result<(), Box<Problem>> {
        if let (Some(Value::String(payload)), true) = (value.get("payload"), value.contains_key("signatures")) {
            let payload: Map<String, Value> = serde_json::from_str(payload)
                .map_err(|_| Problem::error("not_json", "the sealed payload is no JSON object").at("/payload"))?;
            if depth(&payload) > self.ctx.limits.depth {
                let problem = Problem::error("too_deep", "the sealed payload is nested deeper than allowed");
                return Err(problem.at("/payload").into());
            }
            self.found.problems.push(Problem::warning("unverified_seal", "the seal was not verified"));
            return self.credential(payload, false);
        }
        if let (Some(Value::Object(_)), false) = (value.get("credential"), value.contains_key("@context")) {
            let Some(Value::Object(credential)) = value.remove("credential") else { return Ok(()) };
            drop(Node::new(value, String::new(), self.unread));
            return self.credential(credential, true);
        }
        self.credential(value, false)
    }

    /// A credential. Wrapped for upload it may leave its contexts to the issuer.
    fn credential(&mut self, value: Map<String, Value>, wrapped: bool) -> Result<(), Box<Problem>> {
        if !wrapped || value.contains_key("@context") {
            check_contexts(&value)?;
        }
        check_nodes(&value)?;
        self.id = match value.get("id") {
            Some(Value::String(id)) => id.clone(),
            // Without an id the content names it.
            _ => {
                let content = serde_json::to_vec(&value).unwrap_or_default();
                format!("urn:uuid:{}", Uuid::new_v5(&Uuid::NAMESPACE_URL, &content))
            }
        };
        let mut node = Node::new(value, String::new(), self.unread);
        // About the document, not about the learner.
        for name in ["@context", "validFrom", "issuanceDate", "issued"] {
            node.take(name);
        }
        for (name, known) in [("credentialProfiles", terms::GENERIC), ("credentialSchema", terms::SCHEMA)] {
            if node.get(name).and_then(|v| v.get("id")).and_then(Value::as_str) == Some(known) {
                node.take(name);
            }
        }
        let claims = node.get("credentialSubject").and_then(|subject| subject.get("hasClaim")).cloned();
        let claim = claims.as_ref().map(first);
        let awarding_body = claim.and_then(|claim| claim.get("awardedBy")?.get("awardingBody"));
        node.expect("issuer", awarding_body);
        if let Some(mut display) = node.node("displayParameter")
            && display.get("title") == claim.and_then(|claim| claim.get("title"))
        {
            for name in ["title", "language", "primaryLanguage"] {
                display.take(name);
            }
        }
        // Validity is the credential's; it is the attainment's where the credential is about one.
        let about_one = claims.as_ref().is_some_and(|claims| match claims {
            Value::Array(claims) => claims.len() == 1,
            _ => true,
        }) && claim.and_then(|claim| claim.get("type")).is_some_and(|t| t == "LearningAchievement");
        let expires_on = if about_one { node.date("validUntil").map(EndDate) } else { None };
        match node.node("credentialSubject") {
            Some(subject) => claims::subject(self, subject, expires_on),
            None => {
                return Err(Problem::error("no_subject", "the credential has no subject")
                    .at("/credentialSubject")
                    .into());
            }
        }
        Ok(())
    }
}

/// The strings of a member.
fn strings<'v>(value: &'v Map<String, Value>, name: &str) -> Vec<&'v str> {
    match value.get(name) {
        Some(Value::Array(list)) => list.iter().map(|v| v.as_str().unwrap_or_default()).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    }
}

/// The exact contexts, in any order: under others the same JSON means something else.
fn check_contexts(value: &Map<String, Value>) -> Result<(), Box<Problem>> {
    let contexts = strings(value, "@context");
    if contexts.len() == terms::CONTEXTS.len() && terms::CONTEXTS.iter().all(|c| contexts.contains(c)) {
        return Ok(());
    }
    Err(Problem::error("wrong_context", "a credential has exactly the two contexts of EDC v3").at("/@context").into())
}

/// The types of a credential, and no two nodes under one id.
fn check_nodes(value: &Map<String, Value>) -> Result<(), Box<Problem>> {
    let types = strings(value, "type");
    if !terms::TYPES.iter().all(|t| types.contains(t)) {
        return Err(Problem::error("wrong_type", "the document is no European Digital Credential").at("/type").into());
    }
    match conflict(value) {
        Some(path) => Err(Problem::error("id_conflict", "two nodes share an id and differ").at(path).into()),
        None => Ok(()),
    }
}

/// The path of a node that shares its id with a different one. Mentions by id alone and concepts, which are known by
/// their id wherever they stand, are no conflict.
fn conflict(root: &Map<String, Value>) -> Option<String> {
    let mut nodes: HashMap<&str, &Map<String, Value>> = HashMap::new();
    let mut stack: Vec<(String, &Map<String, Value>)> = vec![(String::new(), root)];
    while let Some((path, node)) = stack.pop() {
        let named = node.get("id").and_then(Value::as_str).filter(|_| {
            let concept = node.get("type").is_some_and(|t| t == "Concept" || t == "ConceptScheme");
            !concept && node.keys().any(|name| name != "id" && name != "type")
        });
        if let Some(id) = named {
            match nodes.get(id) {
                Some(same) if *same == node => continue,
                Some(_) => return Some(path),
                None => {
                    nodes.insert(id, node);
                }
            }
        }
        for (name, value) in node {
            let children =
                if let Value::Array(values) = value { values.as_slice() } else { std::slice::from_ref(value) };
            stack.extend(children.iter().filter_map(|v| Some((format!("{path}/{name}"), v.as_object()?))));
        }
    }
    None
}

/// The first element of an array, or the one value.
fn first(value: &Value) -> &Value {
    match value {
        Value::Array(values) => values.first().unwrap_or(&Value::Null),
        value => value,
    }
}

/// How deep a value nests.
fn depth(map: &Map<String, Value>) -> usize {
    let (mut deepest, mut stack) = (1, map.values().map(|v| (v, 2)).collect::<Vec<_>>());
    while let Some((value, depth)) = stack.pop() {
        match value {
            Value::Object(map) => stack.extend(map.values().map(|v| (v, depth + 1))),
            Value::Array(list) => stack.extend(list.iter().map(|v| (v, depth + 1))),
            _ => continue,
        }
        deepest = deepest.max(depth);
    }
    deepest
}

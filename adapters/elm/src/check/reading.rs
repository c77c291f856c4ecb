//! The envelope of a credential and its code lists: what the shapes do not look at.

use super::graph::{Graph, Object};
use super::tables::TABLES;
use crate::terms;
use serde_json::{Map, Value};
use silta_adapter::adapter::Limits;
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::{Problem, Severity};
use silta_adapter::validate::Finding;
use smol_str::SmolStr;

/// The shapes of a credential that names none.
const GENERIC: &str = "generic-full";

/// A credential and what holds it.
pub(crate) struct Enclosed {
    /// The credential.
    pub(crate) credential: Map<String, Value>,
    /// Where it stands: nowhere else, at `/credential` with delivery details beside it, or as the `/payload` of a seal.
    pub(crate) at: &'static str,
    /// What stands beside a credential wrapped for upload.
    pub(crate) beside: Map<String, Value>,
}

/// The credential of a document.
///
/// # Errors
/// If it is sealed and its payload is not JSON or nests too deep.
pub(crate) fn enclosed(mut document: Map<String, Value>, limits: &Limits) -> Result<Enclosed, Box<Problem>> {
    if let (Some(Value::String(payload)), true) = (document.get("payload"), document.contains_key("signatures")) {
        let credential: Map<String, Value> = serde_json::from_str(payload)
            .map_err(|_| Problem::error("not_json", "the sealed payload is no JSON object").at("/payload"))?;
        if depth(&credential) > limits.depth {
            let problem = Problem::error("too_deep", "the sealed payload is nested deeper than allowed");
            return Err(problem.at("/payload").into());
        }
        return Ok(Enclosed { credential, at: "/payload", beside: Map::new() });
    }
    if !document.contains_key("@context")
        && let Some(Value::Object(_)) = document.get("credential")
        && let Some(Value::Object(credential)) = document.remove("credential")
    {
        return Ok(Enclosed { credential, at: "/credential", beside: document });
    }
    Ok(Enclosed { credential: document, at: "", beside: Map::new() })
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

/// The strings of a member.
fn strings<'v>(value: &'v Map<String, Value>, name: &str) -> Vec<&'v str> {
    match value.get(name) {
        Some(Value::Array(list)) => list.iter().map(|v| v.as_str().unwrap_or_default()).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    }
}

/// True if a credential has exactly the two contexts, in any order: under others the same JSON means something else.
pub(crate) fn has_contexts(value: &Map<String, Value>) -> bool {
    let contexts = strings(value, "@context");
    contexts.len() == terms::CONTEXTS.len() && terms::CONTEXTS.iter().all(|c| contexts.contains(c))
}

/// True if the contexts are those two by other addresses.
fn has_known_contexts(value: &Map<String, Value>, mappings: &Mappings) -> bool {
    let list = mappings.list("elm-context");
    let known = |context| match list.meaning("iri", context) {
        Some(code) => code.value.as_str(),
        None => context,
    };
    let contexts: Vec<&str> = strings(value, "@context").into_iter().map(known).collect();
    contexts.len() == terms::CONTEXTS.len() && terms::CONTEXTS.iter().all(|c| contexts.contains(c))
}

/// True if a document says that it is a European Digital Credential.
pub(crate) fn has_types(value: &Map<String, Value>) -> bool {
    let types = strings(value, "type");
    terms::TYPES.iter().all(|t| types.contains(t))
}

/// The shapes a credential asks for, and what is wrong with its contexts and types: with those wrong nothing in it
/// means what it seems to. Wrapped for upload it may leave its contexts to the issuer.
pub(super) fn envelope(value: &Map<String, Value>, at: &str, mappings: &Mappings) -> (SmolStr, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut find = |rule, severity, member: &str, message: &str| {
        findings.push(super::reading(rule, severity, format!("{at}/{member}"), message));
    };
    if at == "/credential" && !value.contains_key("@context") {
        find("contexts_left_out", Severity::Warning, "@context", "whoever seals it has to add the two contexts");
    } else if !has_contexts(value) && has_known_contexts(value, mappings) {
        let message = "an address of the context from its development, which readers need not know";
        find("development_context", Severity::Warning, "@context", message);
    } else if !has_contexts(value) {
        let message = "a credential has exactly the two contexts of EDC v3; under others nothing in it is checked";
        find("wrong_context", Severity::Error, "@context", message);
    }
    if !has_types(value) {
        find("wrong_type", Severity::Error, "type", "the document is no European Digital Credential");
    }
    let schemas = match value.get("credentialSchema") {
        Some(Value::Array(schemas)) => schemas.as_slice(),
        Some(schema) => std::slice::from_ref(schema),
        None => &[],
    };
    let mut shapes = SmolStr::new_static(GENERIC);
    for id in schemas.iter().filter_map(|schema| schema.get("id")?.as_str()) {
        let list = mappings.list("elm-schema");
        match list.get(id).or_else(|| list.meaning("iri", id)).and_then(|code| code.notation.clone()) {
            Some(known) => shapes = known,
            None => {
                let message = "these shapes are not known; the generic ones are applied";
                find("unknown_schema", Severity::Warning, "credentialSchema", message);
            }
        }
    }
    (shapes, findings)
}

/// Concepts that are not in the list they say they are from.
pub(super) fn code_lists(graph: &Graph<'_>, mappings: &Mappings) -> Vec<Finding> {
    let (Some(concept), Some(scheme)) = (TABLES.name("skos:Concept"), TABLES.name("skos:inScheme")) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (number, node) in graph.nodes.iter().enumerate() {
        let Some(id) = node.id.filter(|_| node.types.contains(&concept)) else { continue };
        for property in graph.values(number, scheme) {
            let Object::Node(scheme) = property.value else { continue };
            let Some(list) = graph.nodes[scheme].id.and_then(|scheme| mappings.list_of(scheme)) else { continue };
            if !list.contains(id) && findings.len() < super::MOST_FINDINGS {
                let message = "the code is not in the list it says it is from";
                findings.push(super::reading("unlisted_code", Severity::Error, graph.path(node.place), message));
            }
        }
    }
    findings
}

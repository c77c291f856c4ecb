//! Credentials back into records: bare, wrapped for upload, or sealed (read without verifying the seal).

mod claims;
mod mentions;

use crate::check::reading::{self, Enclosed};
use crate::node::{Node, Unread};
use crate::{check, terms};
use serde_json::{Map, Value};
use silta_adapter::adapter::{DecodeContext, Decoded, Limits, Reading, Sink, Unreadable};
use silta_adapter::json;
use silta_adapter::problem::Problem;
use silta_adapter::record::{Date, EndDate, Record, RecordKey};
use std::collections::HashMap;
use std::io::BufRead;
use uuid::Uuid;

/// Reads for well-formedness and bounds only.
pub(crate) fn probe(input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
    json::values(input, limits, |bytes, line| json::object(bytes, line).map(drop))
}

/// Reads all credentials of the input.
pub(crate) fn documents(
    input: &mut dyn BufRead,
    ctx: &DecodeContext,
    sink: &mut Sink<'_>,
) -> Result<Reading, Unreadable> {
    let unread = Unread::up_to(ctx.limits.problems);
    json::values(input, &ctx.limits, |bytes, line| {
        let mut reader = Reader { ctx, unread: &unread, id: String::new(), found: Found::default() };
        if let Err(problem) = reader.document(json::object(bytes, line)?) {
            reader.found = Found { problems: vec![*problem], ..Found::default() };
        }
        let Found { records, problems, .. } = reader.found;
        let records = records.into_iter().map(|record| Decoded::Record(Box::new(record), line));
        let problems = problems.into_iter().map(|problem| Decoded::Problem(problem.on_line(line)));
        problems.chain(records).try_for_each(&mut *sink).map_err(|_| Unreadable::Stopped)
    })?;
    Ok(Reading { form: None, unread: unread.into_paths() })
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
    fn document(&mut self, value: Map<String, Value>) -> Result<(), Box<Problem>> {
        let Enclosed { credential, at, beside } = reading::enclosed(value, &self.ctx.limits)?;
        drop(Node::new(beside, String::new(), self.unread));
        if at == "/payload" {
            self.found.problems.push(Problem::warning("unverified_seal", "the seal was not verified"));
        }
        self.credential(credential, at == "/credential")
    }

    /// A credential. Wrapped for upload it may leave its contexts to the issuer.
    fn credential(&mut self, mut value: Map<String, Value>, wrapped: bool) -> Result<(), Box<Problem>> {
        if !reading::has_contexts(&value) && (!wrapped || value.contains_key("@context")) {
            let problem = Problem::error("wrong_context", "a credential has exactly the two contexts of EDC v3");
            return Err(problem.at("/@context").into());
        }
        if !reading::has_types(&value) {
            let problem = Problem::error("wrong_type", "the document is no European Digital Credential");
            return Err(problem.at("/type").into());
        }
        for lost in check::lost(&value) {
            let problem = Problem::from(lost);
            if problem.code == "id_conflict" {
                return Err(problem.into());
            }
            self.found.problems.push(problem);
        }
        mentions::resolve(&mut value, self.ctx.limits.record_bytes);
        self.id = match value.get("id") {
            Some(Value::String(id)) => id.clone(),
            // Without an id the content names it.
            _ => {
                let content = serde_json::to_vec(&value).unwrap_or_default();
                format!("urn:uuid:{}", Uuid::new_v5(&Uuid::NAMESPACE_URL, &content))
            }
        };
        let day = |name| value.get(name).and_then(Value::as_str)?.get(..10)?.parse::<Date>().ok();
        let issued_on = day("issued").or_else(|| day("issuanceDate"));
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
        let awarding_body = claim.and_then(|claim| claim.get("awardedBy")?.get("awardingBody")).map(first);
        node.repeats("issuer", awarding_body);
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
            Some(subject) => claims::subject(self, subject, expires_on, issued_on),
            None => {
                return Err(Problem::error("no_subject", "the credential has no subject")
                    .at("/credentialSubject")
                    .into());
            }
        }
        Ok(())
    }
}

/// The first element of an array, or the one value.
fn first(value: &Value) -> &Value {
    match value {
        Value::Array(values) => values.first().unwrap_or(&Value::Null),
        value => value,
    }
}

//! What a verifier has to know of the payload: that it is one credential whose terms mean what they say, and when it is
//! valid.

use jiff::Timestamp;
use serde_json::Value;

/// The contexts that give a European Digital Credential its terms, in either order. Without them every term may mean
/// anything.
const CONTEXTS: [&str; 2] =
    ["https://www.w3.org/2018/credentials/v1", "http://data.europa.eu/snb/model/context/edc-ap"];
const TYPES: [&str; 2] = ["VerifiableCredential", "EuropeanDigitalCredential"];

/// Whether it is one European Digital Credential.
pub(crate) fn form(credential: &Value) -> Result<(), String> {
    if !credential.is_object() {
        return Err("the payload is not one JSON object".into());
    }
    let contexts = list(&credential["@context"]);
    if contexts.len() != CONTEXTS.len() || !CONTEXTS.iter().all(|context| contexts.contains(&Some(context))) {
        return Err("the contexts are not those of a European Digital Credential".into());
    }
    let types = list(&credential["type"]);
    if !TYPES.iter().all(|name| types.contains(&Some(name))) {
        return Err("the type is not that of a European Digital Credential".into());
    }
    if !credential["id"].is_string() {
        return Err("the credential has no id".into());
    }
    Ok(())
}

fn list(value: &Value) -> Vec<Option<&str>> {
    match value {
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        one => vec![one.as_str()],
    }
}

/// Whether it is within its validity at a time.
pub(crate) fn validity(credential: &Value, at: Timestamp) -> Result<&'static str, String> {
    let from = time(credential, "validFrom")?;
    if from.is_some_and(|from| at < from) {
        return Err("the credential is not valid yet (validFrom)".into());
    }
    let mut ends = false;
    for name in ["validUntil", "expirationDate"] {
        if let Some(until) = time(credential, name)? {
            ends = true;
            if at > until {
                return Err(format!("the credential has expired ({name})"));
            }
        }
    }
    Ok(if ends { "the credential is within its validity" } else { "the credential does not expire" })
}

/// A date-time; one without a time zone is read as UTC (XML Schema 1.1 leaves it open).
fn time(credential: &Value, name: &str) -> Result<Option<Timestamp>, String> {
    let Some(value) = credential.get(name) else { return Ok(None) };
    let text = value.as_str().ok_or_else(|| format!("{name} is not a time"))?;
    let zoned = text.parse().or_else(|_| format!("{text}Z").parse());
    zoned.map(Some).map_err(|_| format!("{name} is not a time"))
}

//! Reading a request, as strictly as the real service.

use crate::soap::operation::LIST_LENGTH;
use crate::soap::{IdentifierKind, OPERATIONS, Operation, SERVICE_NAMESPACE};
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::{NsReader, escape};
use silta_adapter::identity::Hetu;

/// What is asked, by whom.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) operation: &'static Operation,
    pub(super) password: String,
    pub(super) kind: IdentifierKind,
    pub(super) identifiers: Vec<String>,
    pub(super) organisation: Option<String>,
}

/// Why a request is not answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not a request of the service.
    Client(&'static str),
    /// It breaks the schema. Like the real service this repeats the value at fault.
    Validation(String),
}

/// Depth a request may have.
const DEPTH: usize = 8;

/// Reads the request in an envelope.
pub(super) fn read(envelope: &str) -> Result<Question, Fault> {
    let not_xml = || Fault::Client("the request is not well formed");
    let mut reader = NsReader::from_str(envelope);
    let (mut path, mut operation) = (Vec::<String>::new(), None);
    let (mut password, mut asked, mut organisation) = (String::new(), Vec::new(), None);
    let mut text = String::new();
    loop {
        match reader.read_resolved_event().map_err(|_| not_xml())? {
            (_, Event::DocType(_)) => return Err(not_xml()),
            (namespace, Event::Start(e)) => {
                let name = e.local_name().as_ref().to_owned();
                if path.len() == 2 {
                    operation = Some(operation_named(&name, namespace)?);
                }
                path.push(name);
                text.clear();
                if path.len() > DEPTH {
                    return Err(not_xml());
                }
            }
            (_, Event::Text(piece)) => text.push_str(&piece.xml10_content()),
            (_, Event::GeneralRef(piece)) => {
                let piece = format!("&{};", piece.into_inner());
                text.push_str(&escape::unescape(&piece).map_err(|_| not_xml())?);
            }
            (_, Event::End(_)) => {
                let value = std::mem::take(&mut text);
                match (path.get(3).map(String::as_str), path.get(4).map(String::as_str)) {
                    (Some("Kutsuja"), Some("avain")) => password = value,
                    (Some("Hakuehdot"), Some("organisaatio")) => organisation = Some(value),
                    (Some("Hakuehdot"), Some(element)) => asked.push((element.to_owned(), value)),
                    _ => {}
                }
                path.pop();
            }
            (_, Event::Eof) => break,
            _ => {}
        }
    }
    let operation = operation.ok_or(Fault::Client("there is no request in the envelope"))?;
    let (kind, identifiers) = criteria(operation, asked)?;
    if operation.needs_organisation && organisation.is_none() {
        return Err(Fault::Validation("cvc-complex-type: the content of 'Hakuehdot' is not complete".into()));
    }
    Ok(Question { operation, password, kind, identifiers, organisation })
}

fn operation_named(name: &str, namespace: ResolveResult<'_>) -> Result<&'static Operation, Fault> {
    let ours = matches!(namespace, ResolveResult::Bound(ns) if ns.as_ref() == SERVICE_NAMESPACE);
    let operation = OPERATIONS.iter().find(|o| ours && name.strip_suffix("Request") == Some(o.name));
    operation.ok_or(Fault::Client("there is no such operation"))
}

/// The identifiers asked: at least one, at most as many as the operation takes, all of one kind.
fn criteria(operation: &Operation, asked: Vec<(String, String)>) -> Result<(IdentifierKind, Vec<String>), Fault> {
    let kind = |element: &str| IdentifierKind::ALL.into_iter().find(|kind| kind.element(operation.list) == element);
    let unexpected = || Fault::Validation("cvc-complex-type: the content of 'Hakuehdot' is not as expected".into());
    let first = asked.first().and_then(|(element, _)| kind(element)).ok_or_else(unexpected)?;
    let longest = if operation.list { LIST_LENGTH } else { 1 };
    if asked.len() > longest || asked.iter().any(|(element, _)| kind(element) != Some(first)) {
        return Err(unexpected());
    }
    let identifiers: Vec<String> = asked.into_iter().map(|(_, value)| value).collect();
    match identifiers.iter().find(|value| first == IdentifierKind::Hetu && !is_hetu(value)) {
        Some(value) => Err(Fault::Validation(format!(
            "cvc-pattern-valid: value '{value}' is not facet-valid for type 'HenkilotunnusTyyppi'"
        ))),
        None => Ok((first, identifiers)),
    }
}

/// True if a value has the form of an identity code. Artificial codes (individual numbers from 900), which the real
/// service refuses, are the only ones that belong here.
fn is_hetu(value: &str) -> bool {
    Hetu::parse(value).is_some_and(|hetu| hetu.individual().is_none_or(|number| number >= 2))
}

#[cfg(test)]
mod tests {
    use super::is_hetu;

    #[test]
    fn identity_codes_have_a_form() {
        for value in ["010190A900X", "010190-9011", "311299Y999A", "010190A"] {
            assert!(is_hetu(value), "{value}");
        }
        for value in
            ["", "010190", "320190A900X", "011390A900X", "010190*900X", "010190A001X", "010190A900I", "0ä0190A900"]
        {
            assert!(!is_hetu(value), "{value}");
        }
    }
}

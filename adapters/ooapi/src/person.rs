//! What a learner's record and the JSON of a person say alike.

use crate::dialect::Dialect;
use crate::words::{code, code_at, day_at, some, text_at};
use serde_json::{Map, Value, json};
use silta_adapter::record::{Coded, Identifier, Learner, Set};

/// What the fields say.
pub(crate) fn template(body: &Learner, dialect: &Dialect) -> Value {
    let mut tree = Map::new();
    some(&mut tree, "givenName", body.given_names.as_deref());
    some(&mut tree, "surname", body.family_name.as_deref());
    some(&mut tree, "displayName", body.full_name.as_deref());
    some(&mut tree, "dateOfBirth", body.date_of_birth.map(|date| date.day.to_string()));
    some(&mut tree, dialect.email, body.email.as_deref());
    let codes: Vec<Value> = body
        .identifiers
        .iter()
        .map(|identifier| code(&Coded::new(identifier.scheme.to_string(), identifier.value.clone()), dialect))
        .collect();
    some(&mut tree, "otherCodes", (!codes.is_empty()).then_some(codes));
    tree.insert("affiliations".into(), json!(["student"]));
    tree.insert(dialect.active.into(), true.into());
    Value::Object(tree)
}

/// The fields, as far as a tree says them in the form that [`template`] writes.
pub(crate) fn fields(tree: &Value, dialect: &Dialect) -> Learner {
    let text = |name: &str| text_at(tree, name).map(str::to_owned);
    let others = tree["otherCodes"].as_array().map_or(0, Vec::len);
    let places = std::iter::once("/primaryCode".to_owned()).chain((0..others).map(|at| format!("/otherCodes/{at}")));
    let mut identifiers: Vec<Identifier> = Vec::new();
    for identifier in places.filter_map(|place| identifier(tree, &place, dialect)) {
        if !identifiers.contains(&identifier) {
            identifiers.push(identifier);
        }
    }
    Learner {
        identifiers: Set(identifiers),
        given_names: text("/givenName"),
        family_name: text("/surname"),
        full_name: text("/displayName"),
        date_of_birth: day_at(tree, "/dateOfBirth"),
        email: text(&format!("/{}", dialect.email)),
        ..Learner::default()
    }
}

/// A code that identifies a person beyond the partner: a student number is the partner's own.
fn identifier(tree: &Value, place: &str, dialect: &Dialect) -> Option<Identifier> {
    let code = code_at(tree, place)?;
    let own = code.scheme.strip_prefix("ooapi:").is_some_and(|kind| kind == dialect.student_number);
    (!own).then(|| Identifier { scheme: code.scheme.as_ref().into(), value: code.value })
}

/// True if an object is a person and no association.
pub(crate) fn is_person(tree: &Value) -> bool {
    const ASSOCIATION: [&str; 8] = [
        "associationId",
        "role",
        "result",
        "remoteState",
        "offering",
        "courseOffering",
        "courseOfferingId",
        "programmeOffering",
    ];
    let has = |name: &str| tree.get(name).is_some();
    !ASSOCIATION.iter().any(|name| has(name))
        && ["personId", "givenName", "surname", "displayName"].iter().any(|name| has(name))
}

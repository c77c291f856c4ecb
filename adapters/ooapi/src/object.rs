//! One object of the standard and the record it is: ids, what is kept of it beside the fields, and what the standard
//! demands although nobody said it.
//!
//! An object that a gateway wrote says so, and its ids are made of the record's keys. Anybody else's ids are the keys.

use crate::dialect::{Carrier, Dialect};
use crate::identity::{self, Added};
use crate::words::{UNDETERMINED, text_at};
use crate::{association, person};
use serde_json::{Map, Value, json};
use silta_adapter::SmolStr;
use silta_adapter::adapter::DecodeContext;
use silta_adapter::record::{Attainment, Body, Extensions, Head, Learner, Record, RecordKind, State};
use silta_adapter::tree;

/// Reads a person's object.
pub(crate) fn learner(mut tree: Value, dialect: &Dialect, ctx: &DecodeContext) -> Option<Record> {
    let added = Added::take(&mut tree, dialect).unwrap_or_default();
    let id: SmolStr = text_at(&tree, "/personId")?.into();
    let ours = added.key.is_some();
    let head = added.head(ctx, RecordKind::Learner, (id.clone(), id));
    let own = if ours { person_own(&tree, dialect) } else { Vec::new() };
    let document = take(&mut tree, own);
    let mut body = person::fields(&tree, dialect);
    let template = person::template(&body, dialect);
    keep(&mut body.extensions, tree, &template, document, dialect);
    Some(Record { head, body: Some(Body::Learner(Box::new(body))) })
}

/// Reads an association's object, which names its person by id.
pub(crate) fn attainment(mut tree: Value, dialect: &Dialect, ctx: &DecodeContext) -> Option<Record> {
    let carrier = dialect.carrier_of(&tree);
    let added = Added::take(&mut tree, dialect).unwrap_or_default();
    let id: SmolStr = text_at(&tree, "/associationId")?.into();
    let who = text_at(&tree, &format!("/{}", person_member(dialect))).map_or_else(|| id.clone(), SmolStr::from);
    let ours = added.key.is_some();
    let mut head = added.head(ctx, RecordKind::Attainment, (id, who));
    if is_cancelled(&tree) && head.state == State::Current {
        head.state = State::Deleted;
    }
    let own = if ours { association_own(&tree, dialect, carrier) } else { Vec::new() };
    let document = take(&mut tree, own);
    let mut body = association::fields(&tree, dialect, carrier);
    let template = association::template(&body, dialect, carrier);
    keep(&mut body.extensions, tree, &template, document, dialect);
    Some(Record { head, body: Some(Body::Attainment(Box::new(body))) })
}

/// The member that names the person of an association.
pub(crate) fn person_member(dialect: &Dialect) -> &'static str {
    if dialect.old { "person" } else { "personId" }
}

/// True if an association was taken back.
pub(crate) fn is_cancelled(tree: &Value) -> bool {
    let said = |name: &str| matches!(tree[name].as_str(), Some("canceled" | "cancelled" | "denied"));
    said("state") || said("remoteState")
}

/// Keeps beside the fields what a tree has beyond their template, and what stood in the document only.
fn keep(extensions: &mut Extensions, tree: Value, template: &Value, document: Map<String, Value>, dialect: &Dialect) {
    if let Some(rest) = tree::subtract(tree, template) {
        extensions.set(dialect.namespace, &rest);
    }
    extensions.set(dialect.document, &Value::Object(document));
}

/// The template with what was kept beside the fields laid over it.
fn whole(template: Value, extensions: &Extensions, dialect: &Dialect) -> Value {
    tree::merge(template, extensions.0.get(dialect.namespace).cloned().unwrap_or_default())
}

/// Moves what stands at places out of a tree.
fn take(tree: &mut Value, places: Vec<String>) -> Map<String, Value> {
    let mut taken = Map::new();
    for place in places {
        let Some((parent, name)) = place.rsplit_once('/') else { continue };
        if let Some(Value::Object(parent)) = tree.pointer_mut(parent)
            && let Some(value) = parent.remove(name)
        {
            taken.insert(place, value);
        }
    }
    taken
}

/// Puts a value at a place of a tree where nothing is yet.
fn put(tree: &mut Value, place: &str, value: Value) {
    let mut at = tree;
    for name in place.split('/').skip(1) {
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(members) = at else { return };
        at = members.entry(name).or_insert(Value::Null);
    }
    if at.is_null() {
        *at = value;
    }
}

/// Where a person's object says what the record does not.
fn person_own(tree: &Value, dialect: &Dialect) -> Vec<String> {
    let mut places = vec!["/personId".to_owned(), "/primaryCode".to_owned()];
    if dialect.old && text_at(tree, "/displayName") == shown_name(tree).as_deref() {
        places.push("/displayName".to_owned());
    }
    places
}

fn shown_name(tree: &Value) -> Option<String> {
    Some(format!("{} {}", text_at(tree, "/givenName")?, text_at(tree, "/surname")?))
}

/// Where an association's object says what the record does not.
fn association_own(tree: &Value, dialect: &Dialect, carrier: &Carrier) -> Vec<String> {
    let at = |name: &str| format!("/{}/{name}", carrier.offering);
    let in_organisation = |name: &str| format!("/{}/{}/{name}", carrier.offering, dialect.organisation);
    let mut places = vec![
        "/associationId".to_owned(),
        format!("/{}", person_member(dialect)),
        at(carrier.offering_id),
        at("resultExpected"),
        in_organisation(dialect.organisation_id),
        in_organisation(dialect.organisation_type),
    ];
    if dialect.old {
        places.extend([at("endDate"), in_organisation("shortName"), "/issuer".to_owned()]);
        if tree.pointer(&at("description")) == tree.pointer(&at("name")) {
            places.push(at("description"));
        }
        if text_at(tree, &at("teachingLanguage")) == Some(UNDETERMINED) {
            places.push(at("teachingLanguage"));
        }
    }
    if text_at(tree, &at("primaryCode/codeType")) == Some("identifier") {
        places.push(at("primaryCode"));
    }
    places
}

/// True if an object that a record's rest makes is under the record's own key.
pub(crate) fn is_foreign(head: &Head, extensions: &Extensions, dialect: &Dialect) -> bool {
    let rest = extensions.0.get(dialect.namespace);
    let id = match head.key.kind {
        RecordKind::Learner => "personId",
        _ => "associationId",
    };
    head.key.institution.is_empty() && rest.and_then(|rest| rest[id].as_str()) == Some(&*head.key.id)
}

/// The object of a learner.
pub(crate) fn of_learner(head: &Head, body: &Learner, dialect: &Dialect) -> Value {
    let mut tree = whole(person::template(body, dialect), &body.extensions, dialect);
    let id = identity::person(&head.key.tenant, &head.key.source, &head.learner);
    if !is_foreign(head, &body.extensions, dialect) {
        restore(&mut tree, &body.extensions, dialect);
        put(&mut tree, "/personId", id.clone().into());
        put(&mut tree, "/primaryCode", json!({ "codeType": dialect.student_number, "code": head.learner }));
        if dialect.old
            && let Some(name) = shown_name(&tree)
        {
            put(&mut tree, "/displayName", name.into());
        }
    }
    if head.state.is_tombstone() {
        tree[dialect.active] = false.into();
    }
    let foreign = is_foreign(head, &body.extensions, dialect);
    let natural = if foreign { text_at(&tree, "/personId").unwrap_or_default().to_owned() } else { String::new() };
    Added::to(head, (&natural, &natural)).put(&mut tree, dialect);
    tree
}

/// The object of an attainment.
pub(crate) fn of_attainment(head: &Head, body: &Attainment, dialect: &Dialect, carrier: &Carrier) -> Value {
    let mut tree = whole(association::template(body, dialect, carrier), &body.extensions, dialect);
    let foreign = is_foreign(head, &body.extensions, dialect);
    let member = format!("/{}", person_member(dialect));
    let mut natural = (String::new(), String::new());
    if foreign {
        let id = text_at(&tree, "/associationId").unwrap_or_default().to_owned();
        natural = (id.clone(), text_at(&tree, &member).map_or(id, str::to_owned));
    } else {
        restore(&mut tree, &body.extensions, dialect);
        put(&mut tree, "/associationId", identity::association(&head.key).into());
        put(&mut tree, &member, identity::person(&head.key.tenant, &head.key.source, &head.learner).into());
        demand(&mut tree, dialect, carrier);
    }
    if head.state.is_tombstone() {
        take_back(&mut tree, dialect);
    }
    Added::to(head, (&natural.0, &natural.1)).put(&mut tree, dialect);
    tree
}

/// Puts back what stood in the document only.
fn restore(tree: &mut Value, extensions: &Extensions, dialect: &Dialect) {
    let Some(Value::Object(document)) = extensions.0.get(dialect.document) else { return };
    for (place, value) in document {
        put(tree, place, value.clone());
    }
}

/// What the standard demands of an association beyond what the record says.
fn demand(tree: &mut Value, dialect: &Dialect, carrier: &Carrier) {
    let at = |name: &str| format!("/{}/{name}", carrier.offering);
    let id = text_at(tree, "/associationId").unwrap_or_default().to_owned();
    put(tree, &at(carrier.offering_id), identity::made("offering", &[&id]).into());
    put(tree, &at("primaryCode"), json!({ "codeType": "identifier", "code": id }));
    put(tree, &at("resultExpected"), true.into());
    let organisation = at(dialect.organisation);
    if let Some(known) = text_at(tree, &format!("{organisation}/primaryCode/code")).map(str::to_owned) {
        let made = identity::made("organisation", &[&known]);
        put(tree, &format!("{organisation}/{}", dialect.organisation_id), made.into());
        put(tree, &format!("{organisation}/{}", dialect.organisation_type), "root".into());
        if dialect.old {
            put(tree, &format!("{organisation}/shortName"), known.into());
        }
    }
    if dialect.old {
        let name = tree.pointer(&at("name")).cloned().unwrap_or_default();
        put(tree, &at("description"), name);
        put(tree, &at("teachingLanguage"), UNDETERMINED.into());
        let day = tree.pointer(&format!("/result/{}", dialect.result_day)).cloned().unwrap_or_default();
        put(tree, &at("endDate"), day);
    }
}

/// The state in which something taken back ends: the association is cancelled, and holds no credits. Version 6 replaces
/// the whole object; version 5 can only lay another result over the one that is there.
fn take_back(tree: &mut Value, dialect: &Dialect) {
    tree["state"] = dialect.cancelled.into();
    tree["remoteState"] = dialect.cancelled.into();
    let day = tree.pointer("/result/resultDate").cloned();
    let Value::Object(members) = tree else { return };
    members.remove("result");
    if let (true, Some(day)) = (dialect.old, day) {
        let none = json!({ "studyLoadUnit": "ects", "value": 0 });
        let result = json!({ "state": "postponed", "pass": "unknown", "resultDate": day, "studyLoad": none });
        members.insert("result".into(), result);
    }
}

//! The calls that the standard gives the home institution, by which a host brings results and reads them back.
//!
//! Here an address is what names a record. What a gateway added to say whose record it is moves into the object's
//! extension (`ext`), and back when the object is read.

use crate::dialect::{Carrier, Dialect};
use crate::{OpenEducation, identity, write};
use serde_json::{Map, Value, json};
use silta_adapter::adapter::{About, Call, EncodeContext, Receive, Received, Reply};
use silta_adapter::json::Json;
use silta_adapter::problem::Problem;
use silta_adapter::record::{Record, RecordKind};

/// Where an object's origin is kept.
const ORIGIN: &str = "silta";

/// A call of the standard.
enum Asked<'a> {
    /// A person by her id.
    Person(&'a str),
    /// Everything of a person, of one carrier.
    Associations(&'a str),
    /// An association by its id.
    Association(&'a str),
    /// A new person.
    NewPerson,
    /// A new association.
    NewAssociation,
}

fn asked<'a>(call: &Call<'a>, dialect: &Dialect) -> Option<Asked<'a>> {
    let is_carrier = |path: &str| [&dialect.course, &dialect.programme].iter().any(|carrier| carrier.path == path);
    Some(match (call.method, call.path) {
        ("GET" | "PUT", ["persons", id]) if call.method == "GET" || !dialect.old => Asked::Person(id),
        ("POST", ["persons"]) => Asked::NewPerson,
        ("GET", ["persons", id, path]) if is_carrier(path) => Asked::Associations(id),
        ("POST", [path, "external", "me"]) if is_carrier(path) => Asked::NewAssociation,
        ("GET" | "PATCH", [path, id]) if is_carrier(path) => Asked::Association(id),
        ("PUT", [path, id]) if is_carrier(path) && !dialect.old => Asked::Association(id),
        _ => return None,
    })
}

impl Receive for OpenEducation {
    fn about(&self, call: &Call<'_>) -> Option<About> {
        Some(match asked(call, self.dialect)? {
            Asked::Person(id) => About::Record(RecordKind::Learner, id.into()),
            Asked::Association(id) => About::Record(RecordKind::Attainment, id.into()),
            Asked::Associations(id) => About::Learner(id.into()),
            Asked::NewPerson | Asked::NewAssociation => About::New,
        })
    }

    fn receive(&self, call: &Call<'_>, held: &[Record], ctx: EncodeContext<'_>) -> Received {
        let dialect = self.dialect;
        let Some(asked) = asked(call, dialect) else { return Received::Answer(problem(404, "no such call")) };
        let objects = || held.iter().filter_map(|record| shown(record, dialect, &ctx));
        match (call.method, asked) {
            ("GET", Asked::Associations(_)) => {
                let carrier = call.path.last().copied().unwrap_or_default();
                let items: Vec<Value> = objects().filter(|tree| is_of(tree, dialect, carrier)).collect();
                let page = json!({ "pageSize": items.len().max(1), "pageNumber": 1, "hasPreviousPage": false,
                    "hasNextPage": false, "items": items });
                Received::Answer(reply(200, &page))
            }
            ("GET", _) => Received::Answer(match objects().next() {
                Some(tree) => reply(200, &tree),
                None => problem(404, "nothing is held under this id"),
            }),
            (method, asked) => {
                let Some(body) = body(call.body) else {
                    return Received::Answer(problem(400, "the body is no JSON object"));
                };
                let (id, member) = match asked {
                    Asked::Person(id) => (id.to_owned(), "personId"),
                    Asked::Association(id) => (id.to_owned(), "associationId"),
                    Asked::NewPerson => (named(&body, "personId", call.body), "personId"),
                    Asked::NewAssociation => (named(&body, "associationId", call.body), "associationId"),
                    Asked::Associations(_) => return Received::Answer(problem(405, "this is only read")),
                };
                let known = objects().next();
                let tree = match (method, known) {
                    ("PATCH", None) => return Received::Answer(problem(404, "nothing is held under this id")),
                    ("PATCH", Some(mut tree)) => {
                        patch(&mut tree, body);
                        tree
                    }
                    _ => body,
                };
                let created = method == "POST";
                Received::Document(arrived(tree, &id, member, dialect), taken(&id, member, created, dialect))
            }
        }
    }

    fn refused(&self, problems: &[Problem]) -> Reply {
        let text = problems.first().map_or("it could not be taken", |problem| problem.message.as_str());
        problem(422, text)
    }
}

fn body(bytes: &[u8]) -> Option<Value> {
    let tree = Json::parse(std::str::from_utf8(bytes).ok()?.trim()).ok()?;
    // A patch removes what it calls null, so that stays.
    matches!(tree, Json::Object(_)).then(|| serde_json::to_value(&tree).ok()).flatten()
}

/// The id an object has, or one made of all it says: the same request, sent again, is the same.
fn named(tree: &Value, member: &str, body: &[u8]) -> String {
    let made = || identity::made(member, &[&String::from_utf8_lossy(body)]);
    tree[member].as_str().map_or_else(made, str::to_owned)
}

fn is_of(tree: &Value, dialect: &Dialect, path: &str) -> bool {
    let carrier: &Carrier = dialect.carrier_of(tree);
    tree.get("associationId").is_some() && carrier.path == path
}

/// The object of a call as a document: under its address, whoever made it.
fn arrived(mut tree: Value, id: &str, member: &str, dialect: &Dialect) -> Vec<u8> {
    tree[member] = id.into();
    if let Some(Value::Object(added)) = consumer(&mut tree, dialect) {
        let origin: Map<String, Value> =
            ["key", "learner"].iter().filter_map(|name| Some(((*name).to_owned(), added.remove(*name)?))).collect();
        if !origin.is_empty() {
            put_origin(&mut tree, Some(Value::Object(origin)));
        }
    }
    tree.to_string().into_bytes()
}

/// The object that a record is, as its caller made it.
fn shown(record: &Record, dialect: &'static Dialect, ctx: &EncodeContext<'_>) -> Option<Value> {
    let (document, _) = write::record(record, dialect, ctx).ok()?;
    let mut tree: Value = serde_json::from_slice(&document).ok()?;
    if let Some(Value::Object(origin)) = put_origin(&mut tree, None) {
        match consumer(&mut tree, dialect) {
            Some(Value::Object(added)) => added.extend(origin),
            _ => {
                let mut added = origin;
                added.insert("consumerKey".into(), ORIGIN.into());
                match dialect.old {
                    true => tree["consumers"] = json!([added]),
                    false => tree["consumer"] = Value::Object(added),
                }
            }
        }
    }
    Some(tree)
}

/// What gateways added to an object.
fn consumer<'a>(tree: &'a mut Value, dialect: &Dialect) -> Option<&'a mut Value> {
    let is_ours = |value: &Value| value["consumerKey"] == ORIGIN;
    match dialect.old {
        true => tree.get_mut("consumers")?.as_array_mut()?.iter_mut().find(|value| is_ours(value)),
        false => tree.get_mut("consumer").filter(|value| is_ours(value)),
    }
}

/// Sets the origin of an object, or takes it out.
fn put_origin(tree: &mut Value, origin: Option<Value>) -> Option<Value> {
    match origin {
        Some(origin) => {
            if !tree["ext"].is_object() {
                tree["ext"] = json!({});
            }
            tree["ext"][ORIGIN] = origin;
            None
        }
        None => {
            let ext = tree.get_mut("ext")?.as_object_mut()?;
            let origin = ext.remove(ORIGIN);
            let empty = ext.is_empty();
            if let (true, Value::Object(members)) = (empty, tree) {
                members.remove("ext");
            }
            origin
        }
    }
}

/// A merge patch (RFC 7396).
fn patch(target: &mut Value, change: Value) {
    let Value::Object(changes) = change else {
        *target = change;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(members) = target else { return };
    for (name, change) in changes {
        match change.is_null() {
            true => {
                members.remove(&name);
            }
            false => patch(members.entry(name).or_insert(Value::Null), change),
        }
    }
}

fn taken(id: &str, member: &str, created: bool, dialect: &Dialect) -> Reply {
    let state = if dialect.old { "associated" } else { "finished" };
    let message = json!([{ "language": "en", "value": "it was taken" }]);
    reply(if created { 201 } else { 200 }, &json!({ member: id, "message": message, "state": state }))
}

fn reply(status: u16, tree: &Value) -> Reply {
    Reply { status, media_type: "application/json", body: tree.to_string().into_bytes() }
}

fn problem(status: u16, text: &str) -> Reply {
    let tree = json!({ "status": status, "title": text });
    Reply { status, media_type: "application/problem+json", body: tree.to_string().into_bytes() }
}

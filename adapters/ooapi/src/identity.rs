//! What the standard lacks and the gateway adds: whose record an object is, which version of it, and whether it stands.
//!
//! The standard lets every partner see such additions, and ignore them: in an object for a consumer of a name
//! (`consumerKey`). Without one an object's ids are the record's.

use crate::dialect::Dialect;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use silta_adapter::SmolStr;
use silta_adapter::adapter::DecodeContext;
use silta_adapter::record::{Head, RecordKey, RecordKind, State};
use uuid::Uuid;

/// The key of the object that is meant for gateways.
const CONSUMER: &str = "silta";

/// What all ids made here are made under.
const NAMES: Uuid = Uuid::from_u128(0x6f0b_6d0e_9f53_4f0a_8f6e_3c1f_0a5e_7d21);

/// The object for gateways.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Added {
    /// The record's institution and id; absent where the object's own ids are the record's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<(SmolStr, SmolStr)>,
    /// The learner's local id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) learner: Option<SmolStr>,
    /// The source's revision: which of two versions is newer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<u64>,
    /// How the record was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<State>,
    /// True under a non-disclosure order.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) non_disclosure: bool,
}

impl Added {
    /// What is to be added to an object that says by itself that it is under `key` and about `learner`.
    pub(crate) fn to(head: &Head, natural: (&str, &str)) -> Self {
        let named = (&*head.key.institution, &*head.key.id, &*head.learner) == ("", natural.0, natural.1);
        Self {
            key: (!named).then(|| (head.key.institution.clone(), head.key.id.clone())),
            learner: (!named).then(|| head.learner.clone()),
            revision: head.source_revision,
            state: head.state.is_tombstone().then_some(head.state),
            non_disclosure: head.non_disclosure,
        }
    }

    /// Takes it out of an object; what else is for consumers stays.
    pub(crate) fn take(tree: &mut Value, dialect: &Dialect) -> Option<Self> {
        let Value::Object(members) = tree else { return None };
        let of_ours =
            |value: &Value| value["consumerKey"] == CONSUMER && serde_json::from_value::<Self>(value.clone()).is_ok();
        let found = match dialect.old {
            true => {
                let Value::Array(list) = members.get_mut("consumers")? else { return None };
                let at = list.iter().position(of_ours)?;
                let found = list.remove(at);
                if list.is_empty() {
                    members.remove("consumers");
                }
                found
            }
            false => {
                if !of_ours(members.get("consumer")?) {
                    return None;
                }
                members.remove("consumer")?
            }
        };
        serde_json::from_value(found).ok()
    }

    /// Puts it into an object, unless there is nothing to add.
    pub(crate) fn put(&self, tree: &mut Value, dialect: &Dialect) {
        if *self == Self::default() {
            return;
        }
        let mut object = serde_json::to_value(self).unwrap_or_default();
        object["consumerKey"] = json!(CONSUMER);
        match dialect.old {
            true => match tree.get_mut("consumers") {
                Some(Value::Array(list)) => list.push(object),
                _ => tree["consumers"] = json!([object]),
            },
            false => tree["consumer"] = object,
        }
    }

    /// The head of a record that an object of these ids is about.
    pub(crate) fn head(self, ctx: &DecodeContext, kind: RecordKind, natural: (SmolStr, SmolStr)) -> Head {
        let (institution, id) = self.key.unwrap_or_else(|| (SmolStr::default(), natural.0));
        Head {
            key: RecordKey { tenant: ctx.tenant.clone(), source: ctx.source.clone(), kind, institution, id },
            learner: self.learner.unwrap_or(natural.1),
            state: self.state.unwrap_or_default(),
            source_revision: self.revision,
            non_disclosure: self.non_disclosure,
        }
    }
}

/// An id made of a record's keys: the same for ever, and nothing to be read from it.
pub(crate) fn made(of: &str, parts: &[&str]) -> String {
    let mut name = Vec::new();
    for part in std::iter::once(&of).chain(parts) {
        name.extend((part.len() as u64).to_le_bytes());
        name.extend(part.as_bytes());
    }
    Uuid::new_v5(&NAMES, &name).to_string()
}

/// The id of the person that a register's learner is.
pub(crate) fn person(tenant: &str, source: &str, learner: &str) -> String {
    made("person", &[tenant, source, learner])
}

/// The id of the association that a record is.
pub(crate) fn association(key: &RecordKey) -> String {
    made("association", &[&key.tenant, &key.source, &key.institution, &key.id])
}

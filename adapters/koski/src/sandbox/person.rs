//! The people the simulated Koski knows.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use silta_adapter::identity::NationalOid;

/// A person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) oid: String,
    pub(super) hetu: Option<String>,
    pub(super) names: [String; 3],
}

impl Person {
    /// Reads a person out of a request; her OID is empty where it names none.
    pub(super) fn read(person: &Value) -> Self {
        let text = |name: &str| person[name].as_str().unwrap_or_default().to_owned();
        Self {
            oid: text("oid"),
            hetu: person["hetu"].as_str().map(str::to_owned),
            names: [text("etunimet"), text("kutsumanimi"), text("sukunimi")],
        }
    }

    pub(super) fn json(&self) -> Value {
        let [given, called, family] = &self.names;
        let mut person = json!({ "oid": self.oid, "etunimet": given, "kutsumanimi": called, "sukunimi": family,
            "turvakielto": false });
        if let Some(hetu) = &self.hetu {
            person["hetu"] = hetu.clone().into();
        }
        person
    }
}

/// An OID of a node with the right check digit.
pub(super) fn oid(node: u16, number: u64) -> String {
    let oid = |check: u8| format!("1.2.246.562.{node}.9{number:09}{check}");
    (0..10).map(oid).find(|oid| NationalOid::parse(oid).is_some_and(|oid| oid.checks)).unwrap_or_default()
}

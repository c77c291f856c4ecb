//! One line of the `record` format: a flat head with `"kind"` first, and the body.

use super::{
    Activity, Attainment, Body, Enrolment, Head, Learner, MobilityPeriod, Record, RecordKey, RecordKind, State,
    StudyRight,
};
use crate::canonical::hint;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::fmt;

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Head { key, learner, state, source_revision, non_disclosure } = &self.head;
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("kind", &key.kind)?;
        map.serialize_entry("tenant", &key.tenant)?;
        map.serialize_entry("source", &key.source)?;
        map.serialize_entry("institution", &key.institution)?;
        map.serialize_entry("id", &key.id)?;
        map.serialize_entry("learner", learner)?;
        map.serialize_entry("state", state)?;
        if let Some(revision) = source_revision {
            map.serialize_entry("source_revision", &hint::Ignored(revision))?;
        }
        if *non_disclosure {
            map.serialize_entry("non_disclosure", non_disclosure)?;
        }
        match &self.body {
            None => {}
            Some(Body::Learner(b)) => map.serialize_entry("body", b)?,
            Some(Body::StudyRight(b)) => map.serialize_entry("body", b)?,
            Some(Body::Enrolment(b)) => map.serialize_entry("body", b)?,
            Some(Body::MobilityPeriod(b)) => map.serialize_entry("body", b)?,
            Some(Body::Attainment(b)) => map.serialize_entry("body", b)?,
            Some(Body::Activity(b)) => map.serialize_entry("body", b)?,
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(RecordVisitor)
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
        let mut kind: Option<RecordKind> = None;
        let mut text: [Option<SmolStr>; 5] = Default::default();
        let mut state = State::Current;
        let mut source_revision = None;
        let mut non_disclosure = false;
        let mut body: Option<Body> = None;
        let mut early_body: Option<Value> = None;
        const TEXT: [&str; 5] = ["tenant", "source", "institution", "id", "learner"];
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            match name.as_ref() {
                "kind" => kind = Some(map.next_value()?),
                "state" => state = map.next_value()?,
                "source_revision" => source_revision = map.next_value()?,
                "non_disclosure" => non_disclosure = map.next_value()?,
                "body" => match kind {
                    Some(kind) => body = Some(map.next_value_seed(BodyOf(kind))?),
                    None => early_body = Some(map.next_value()?),
                },
                "$schema" => {
                    map.next_value::<IgnoredAny>()?;
                }
                other => match TEXT.iter().position(|t| *t == other) {
                    Some(at) => text[at] = Some(map.next_value()?),
                    None => {
                        return Err(A::Error::unknown_field(
                            other,
                            &["kind", "tenant", "source", "institution", "id", "learner", "state", "body"],
                        ));
                    }
                },
            }
        }
        let kind = kind.ok_or_else(|| A::Error::missing_field("kind"))?;
        if let Some(value) = early_body {
            body = Some(BodyOf(kind).deserialize(value).map_err(A::Error::custom)?);
        }
        if body.is_none() && !state.is_tombstone() {
            return Err(A::Error::missing_field("body"));
        }
        let [tenant, source, institution, id, learner] = text;
        let need = |value: Option<SmolStr>, name| value.ok_or_else(|| A::Error::missing_field(name));
        Ok(Record {
            head: Head {
                key: RecordKey {
                    tenant: tenant.unwrap_or_default(),
                    source: source.unwrap_or_default(),
                    kind,
                    institution: institution.unwrap_or_default(),
                    id: need(id, "id")?,
                },
                learner: need(learner, "learner")?,
                state,
                source_revision,
                non_disclosure,
            },
            body,
        })
    }
}

/// Reads the body of a known kind.
struct BodyOf(RecordKind);

impl<'de> DeserializeSeed<'de> for BodyOf {
    type Value = Body;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Body, D::Error> {
        Ok(match self.0 {
            RecordKind::Learner => Body::Learner(Box::new(Learner::deserialize(d)?)),
            RecordKind::StudyRight => Body::StudyRight(Box::new(StudyRight::deserialize(d)?)),
            RecordKind::Enrolment => Body::Enrolment(Box::new(Enrolment::deserialize(d)?)),
            RecordKind::MobilityPeriod => Body::MobilityPeriod(Box::new(MobilityPeriod::deserialize(d)?)),
            RecordKind::Attainment => Body::Attainment(Box::new(Attainment::deserialize(d)?)),
            RecordKind::Activity => Body::Activity(Box::new(Activity::deserialize(d)?)),
        })
    }
}

/// The head fields as the schema shows them.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "exists for its JSON Schema; the wire form is written by hand to keep `kind` first")]
struct WireHead {
    /// Who sends it and is authorised to. Filled from the address when pushed.
    #[schemars(default)]
    tenant: String,
    /// The register it comes from, as the tenant names it. Filled from the address when pushed.
    #[schemars(default)]
    source: String,
    /// The institution as sent (a granting body's code); empty where the source names none.
    #[schemars(default)]
    institution: String,
    /// The key in the source register, or a named natural tuple for kinds that have none.
    id: String,
    /// The learner's local identifier in the source register.
    learner: String,
    /// Whether the record stands, or how it was taken back.
    #[schemars(default)]
    state: State,
    /// A number the source raises with every change, where it has one.
    source_revision: Option<u64>,
    /// True where the learner's data is under a non-disclosure order for personal safety.
    #[schemars(default)]
    non_disclosure: bool,
    /// What is said; left out only in a tombstone for a key whose content was never seen.
    #[serde(flatten)]
    body: Body,
}

impl JsonSchema for Record {
    fn schema_name() -> Cow<'static, str> {
        "Record".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        WireHead::json_schema(generator)
    }
}

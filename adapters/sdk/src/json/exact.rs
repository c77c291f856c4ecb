//! JSON whose numbers stay the text they were: credits and shares must not pass through binary fractions.

use crate::record::Amount;
use rust_decimal::Decimal;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::fmt;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number as it was written.
    Number(SmolStr),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Members in the order they were written in.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one value of well-formed JSON.
    ///
    /// # Errors
    /// If it is not well formed, or an object has a member twice.
    pub fn parse(raw: &str) -> serde_json::Result<Self> {
        Ok(match raw.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(raw)?;
                let member = |(name, raw): (Cow<'_, str>, &RawValue)| Ok((name.into_owned(), Self::parse(raw.get())?));
                Self::Object(members.into_iter().map(member).collect::<serde_json::Result<_>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(raw)?;
                Self::List(items.into_iter().map(|raw| Self::parse(raw.get())).collect::<serde_json::Result<_>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_str(raw)?),
            Some(b't' | b'f') => Self::Bool(serde_json::from_str(raw)?),
            Some(b'n') => Self::Null,
            _ => Self::Number(raw.into()),
        })
    }

    /// Text.
    pub fn text(value: impl Into<String>) -> Self {
        Self::Text(value.into())
    }

    /// An exact decimal as a number.
    pub fn amount(value: Amount) -> Self {
        Self::Number(value.to_string().into())
    }

    /// An exact decimal, from a number or from text that is one.
    pub fn to_amount(&self) -> Option<Amount> {
        match self {
            Self::Number(text) => amount(text),
            Self::Text(text) => amount(text),
            _ => None,
        }
    }

    /// The value as a record keeps it in an extension. Absent members are left out. A number that binary fractions
    /// cannot hold exactly is kept as its text.
    pub fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(text) => exact(text).map_or_else(|| Value::String(text.to_string()), Value::Number),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Self::Object(members) => {
                let there = members.iter().filter(|(_, value)| *value != Self::Null);
                Value::Object(there.map(|(name, value)| (name.clone(), value.to_value())).collect())
            }
        }
    }

    /// The value of an extension.
    pub fn of(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.to_string().into()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Object(members) => {
                Self::Object(members.iter().map(|(name, value)| (name.clone(), Self::of(value))).collect())
            }
        }
    }
}

/// A JSON number, or the text of one, as an exact decimal; `None` where it has more digits than are kept.
pub fn amount(text: &str) -> Option<Amount> {
    match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text).ok().map(Amount),
        false => text.parse().ok(),
    }
}

/// A number that stands for exactly the same value.
pub fn exact(text: &str) -> Option<serde_json::Number> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    let number = serde_json::Number::from_f64(text.parse().ok()?)?;
    let shortest = number.to_string();
    (shortest == text || amount(&shortest)?.0 == amount(text)?.0).then_some(number)
}

/// The members of an object, each once.
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom("a member that is there twice"));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        d.deserialize_map(Object)
    }
}

/// A member's name, borrowed where it can be.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => s.serialize_unit(),
            Self::Bool(value) => s.serialize_bool(*value),
            Self::Number(text) => {
                RawValue::from_string(text.to_string()).map_err(serde::ser::Error::custom)?.serialize(s)
            }
            Self::Text(text) => s.serialize_str(text),
            Self::List(items) => {
                let mut list = s.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Object(members) => {
                let mut map = s.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_what_was_written() {
        let text = r#"{"a":0.10,"b":[1e2,-3,12345678901234567890.5],"c":"x\u00e4","d":null,"e":true}"#;
        let json = Json::parse(text).expect("JSON");
        let back = serde_json::to_string(&json).expect("writes");
        assert_eq!(back, r#"{"a":0.10,"b":[1e2,-3,12345678901234567890.5],"c":"xä","d":null,"e":true}"#);
        let Json::Object(members) = &json else { panic!("an object") };
        assert_eq!(members[0].1.to_amount().expect("exact").to_string(), "0.10");
        assert_eq!(json.to_value()["b"], serde_json::json!([100.0, -3, "12345678901234567890.5"]));
        assert!(Json::parse(r#"{"a":1,"a":2}"#).is_err(), "a member twice");
    }
}

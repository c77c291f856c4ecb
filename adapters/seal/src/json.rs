//! JSON as a verifier has to read it: a member that is there twice is an error, since two readers could take different
//! ones, and so is nesting beyond a bound.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads one value. Errors name line and column, never content.
pub(crate) fn parse(text: &str, depth: usize) -> Result<Value, String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Unique { depth }.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|e| reason(&e))
}

fn reason(e: &serde_json::Error) -> String {
    let place = format!("line {} column {}", e.line(), e.column());
    match e.classify() {
        serde_json::error::Category::Data => {
            let text = e.to_string();
            let text = text.split(" at line").next().unwrap_or_default();
            format!("{text}, {place}")
        }
        _ => format!("is not JSON, {place}"),
    }
}

/// A value whose objects have no member twice.
struct Unique {
    depth: usize,
}

impl Unique {
    fn deeper<E: Error>(&self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("is nested deeper than allowed"))?;
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("holds a number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(self.deeper()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value_seed(self.deeper()?)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("has a member twice in one object"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_member_twice_is_an_error_wherever_it_is() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"b":1,"c":2,"b":3}}]"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(parse(text, 9).expect_err(text).starts_with("has a member twice"), "{text}");
        }
        assert!(parse(r#"[{"a":1},{"a":1}]"#, 9).is_ok());
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse(&"[".repeat(1_000_000), 64).is_err());
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(9), 9).is_ok());
        assert_eq!(
            parse(&nested(10), 8).expect_err("too deep").split(',').next(),
            Some("is nested deeper than allowed")
        );
    }

    #[test]
    fn what_is_not_json_is_told_without_its_content() {
        for text in ["", "secret", "{\"a\":\"secret", "{} secret", "\"\\ud800\""] {
            let error = parse(text, 9).expect_err(text);
            assert!(error.starts_with("is not JSON, line 1"), "{error}");
        }
    }
}

//! A serialiser that writes the canonical form of anything made of record types.

use crate::identity;
use rust_decimal::Decimal;
use serde::ser::{self, Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;

/// The names under which types say how they are normalised.
pub mod hint {
    use serde::{Serialize, Serializer};
    use std::fmt;

    /// Order carries no meaning: sorted.
    pub const SET: &str = "$set";
    /// An exact decimal: compared by value.
    pub const DECIMAL: &str = "$decimal";
    /// A date: compared by its day.
    pub const DATE: &str = "$date";
    /// An end date: as a date; a sentinel for "never" equals absence.
    pub const OPEN_END: &str = "$open_end";
    /// Text: compared without surrounding white space.
    pub const TRIMMED: &str = "$trimmed";
    /// An identifier of a learner: compared in its scheme's own way.
    pub const IDENTIFIER: &str = "$identifier";
    /// An ISO 8601 duration: compared by how long it is.
    pub const DURATION: &str = "$duration";
    /// Not compared.
    pub const IGNORED: &str = "$ignored";
    /// Namespaced extensions: those ending in `.document` are not compared.
    pub const EXTENSIONS: &str = "$extensions";

    /// Serialises text that is compared without surrounding white space.
    pub fn trimmed<S: Serializer, T: Serialize + ?Sized>(value: &T, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_newtype_struct(TRIMMED, value)
    }

    /// Serialises a duration, or none.
    pub fn duration<S: Serializer, T: Serialize + ?Sized>(value: &T, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_newtype_struct(DURATION, value)
    }

    /// Serialises a field that is not compared.
    pub fn ignored<S: Serializer, T: Serialize + ?Sized>(value: &T, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_newtype_struct(IGNORED, value)
    }

    /// Serialises a value as its text.
    pub struct Display<T>(pub T);

    impl<T: fmt::Display> Serialize for Display<T> {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.collect_str(&self.0)
        }
    }
}

/// Dates by which registers say "until further notice".
const OPEN_ENDS: [&str; 1] = ["2112-12-21"];

/// Serialises into the canonical form. `Null` stands for absence and is dropped from objects.
pub(super) struct Form;

#[derive(Debug)]
pub(super) struct Unrepresentable(String);

impl fmt::Display for Unrepresentable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Unrepresentable {}
impl ser::Error for Unrepresentable {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

fn normalise(name: &str, value: Value) -> Value {
    match (name, value) {
        (hint::IGNORED, _) => Value::Null,
        (hint::SET, Value::Array(items)) if items.is_empty() => Value::Null,
        (hint::SET, Value::Array(mut items)) => {
            // Most sets have one element, and making its text is the dear part.
            if items.len() > 1 {
                items.sort_by_cached_key(Value::to_string);
            }
            Value::Array(items)
        }
        (hint::DECIMAL, Value::String(text)) if is_plain_integer(&text) => Value::String(text),
        (hint::DECIMAL, Value::String(text)) => match text.parse::<Decimal>() {
            Ok(number) => Value::String(number.normalize().to_string()),
            Err(_) => Value::String(text),
        },
        (hint::DATE, Value::String(mut text)) => {
            text.truncate(10);
            Value::String(text)
        }
        (hint::OPEN_END, Value::String(mut text)) => {
            text.truncate(10);
            if OPEN_ENDS.contains(&text.as_str()) { Value::Null } else { Value::String(text) }
        }
        (hint::DURATION, Value::String(text)) => Value::String(super::duration::normal(text)),
        (hint::TRIMMED, Value::String(text)) => {
            Value::String(if text.trim().len() == text.len() { text } else { text.trim().to_owned() })
        }
        (hint::IDENTIFIER, Value::Object(mut map)) => {
            if let (Some(Value::String(scheme)), Some(Value::String(value))) = (map.get("scheme"), map.get("value")) {
                let normal = identity::normal(scheme, value).into_owned();
                map.insert("value".to_owned(), normal.into());
            }
            Value::Object(map)
        }
        (hint::EXTENSIONS, Value::Object(mut map)) => {
            map.retain(|namespace, _| !namespace.ends_with(".document"));
            object(map)
        }
        (_, value) => value,
    }
}

/// True for a number that is its own normal form.
fn is_plain_integer(text: &str) -> bool {
    (1..28).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
}

/// An object without absent members; an empty object is absent itself.
fn object(map: Map<String, Value>) -> Value {
    if map.is_empty() { Value::Null } else { Value::Object(map) }
}

type Out = Result<Value, Unrepresentable>;

impl Serializer for Form {
    type Ok = Value;
    type Error = Unrepresentable;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Members;
    type SerializeStruct = Members;
    type SerializeStructVariant = Members;

    fn serialize_bool(self, v: bool) -> Out {
        Ok(Value::Bool(v))
    }
    fn serialize_i8(self, v: i8) -> Out {
        Ok(v.into())
    }
    fn serialize_i16(self, v: i16) -> Out {
        Ok(v.into())
    }
    fn serialize_i32(self, v: i32) -> Out {
        Ok(v.into())
    }
    fn serialize_i64(self, v: i64) -> Out {
        Ok(v.into())
    }
    fn serialize_u8(self, v: u8) -> Out {
        Ok(v.into())
    }
    fn serialize_u16(self, v: u16) -> Out {
        Ok(v.into())
    }
    fn serialize_u32(self, v: u32) -> Out {
        Ok(v.into())
    }
    fn serialize_u64(self, v: u64) -> Out {
        Ok(v.into())
    }
    fn serialize_f32(self, v: f32) -> Out {
        Ok(v.into())
    }
    fn serialize_f64(self, v: f64) -> Out {
        Ok(v.into())
    }
    fn serialize_char(self, v: char) -> Out {
        Ok(v.to_string().into())
    }
    fn serialize_str(self, v: &str) -> Out {
        Ok(v.into())
    }
    fn serialize_bytes(self, v: &[u8]) -> Out {
        Ok(v.into())
    }
    fn serialize_none(self) -> Out {
        Ok(Value::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Out {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Out {
        Ok(Value::Null)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Out {
        Ok(Value::Null)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Out {
        Ok(variant.into())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Out {
        if name == hint::IGNORED { Ok(Value::Null) } else { Ok(normalise(name, value.serialize(Form)?)) }
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Out {
        Ok(Value::Object(Map::from_iter([(variant.to_owned(), value.serialize(Form)?)])))
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<List, Unrepresentable> {
        Ok(List { items: Vec::with_capacity(len.unwrap_or(0).min(64)), variant: None })
    }
    fn serialize_tuple(self, len: usize) -> Result<List, Unrepresentable> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<List, Unrepresentable> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List, Unrepresentable> {
        Ok(List { items: Vec::new(), variant: Some(variant) })
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Members, Unrepresentable> {
        Ok(Members { map: Map::new(), name: None, variant: None })
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members, Unrepresentable> {
        self.serialize_map(None)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members, Unrepresentable> {
        Ok(Members { map: Map::new(), name: None, variant: Some(variant) })
    }
}

/// A list being written.
pub(super) struct List {
    items: Vec<Value>,
    variant: Option<&'static str>,
}

impl List {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unrepresentable> {
        self.items.push(value.serialize(Form)?);
        Ok(())
    }
    fn close(self) -> Out {
        let list = Value::Array(self.items);
        Ok(match self.variant {
            Some(variant) => Value::Object(Map::from_iter([(variant.to_owned(), list)])),
            None => list,
        })
    }
}

/// An object being written.
pub(super) struct Members {
    map: Map<String, Value>,
    name: Option<String>,
    variant: Option<&'static str>,
}

impl Members {
    fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Unrepresentable> {
        let value = value.serialize(Form)?;
        if !value.is_null() {
            self.map.insert(name.to_owned(), value);
        }
        Ok(())
    }
    fn close(self) -> Out {
        let members = object(self.map);
        Ok(match self.variant {
            Some(variant) => Value::Object(Map::from_iter([(variant.to_owned(), members)])),
            None => members,
        })
    }
}

macro_rules! list {
    ($($trait:ident . $method:ident),*) => {$(
        impl ser::$trait for List {
            type Ok = Value;
            type Error = Unrepresentable;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unrepresentable> {
                self.push(value)
            }
            fn end(self) -> Out {
                self.close()
            }
        }
    )*};
}
list!(
    SerializeSeq.serialize_element,
    SerializeTuple.serialize_element,
    SerializeTupleStruct.serialize_field,
    SerializeTupleVariant.serialize_field
);

macro_rules! members {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Members {
            type Ok = Value;
            type Error = Unrepresentable;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Unrepresentable> {
                self.put(name, value)
            }
            fn end(self) -> Out {
                self.close()
            }
        }
    )*};
}
members!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Members {
    type Ok = Value;
    type Error = Unrepresentable;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unrepresentable> {
        match key.serialize(Form)? {
            Value::String(name) => {
                self.name = Some(name);
                Ok(())
            }
            _ => Err(Unrepresentable("a member name that is not text".into())),
        }
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unrepresentable> {
        let name = self.name.take().unwrap_or_default();
        self.put(&name, value)
    }
    fn end(self) -> Out {
        self.close()
    }
}

//! A serialiser that writes the canonical form of anything made of record types, as JSON text: every record that is kept,
//! sent or compared passes through here, so no tree is built on the way.

use crate::identity;
use rust_decimal::Decimal;
use serde::ser::{self, Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

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

    /// Serialises a value that is not compared.
    pub struct Ignored<T>(pub T);

    impl<T: Serialize> Serialize for Ignored<T> {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            ignored(&self.0, s)
        }
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

#[derive(Debug)]
struct Unrepresentable(String);

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

/// The text of a value's canonical form; `None` if it is absent from whatever holds it.
pub(super) fn text<T: Serialize + ?Sized>(value: &T) -> Option<Vec<u8>> {
    let mut out = Out { text: Vec::with_capacity(1024), parts: Vec::with_capacity(32) };
    // Refused are only maps with keys that are not text, which no record type has.
    let written = value.serialize(Form { out: &mut out, rule: PLAIN }).unwrap_or(Written::Nothing);
    (written == Written::Something).then_some(out.text)
}

/// None of the rules of [`hint`].
const PLAIN: &str = "";

/// Whether a value is there: one that is not is left out of objects, and is `null` in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Something,
    Nothing,
}

type Done = Result<Written, Unrepresentable>;

/// What is written, and where the parts are of the lists and objects that are not closed yet.
struct Out {
    text: Vec<u8>,
    parts: Vec<Part>,
}

/// An element of a list or a member of an object: where it is, and where what it is sorted by.
struct Part {
    all: Range<usize>,
    key: Range<usize>,
}

impl Out {
    fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        serde_json::to_writer(&mut self.text, value).map_err(ser::Error::custom)?;
        Ok(Written::Something)
    }

    /// Sorts the parts from one on, with the last of which the text ends.
    fn sort(&mut self, first: usize, key: for<'t> fn(&'t [u8], &Part) -> Cow<'t, [u8]>) {
        let Self { text, parts } = self;
        let parts = &mut parts[first..];
        let compared = |one: &Part, other: &Part| key(text, one).cmp(&key(text, other));
        if parts.is_sorted_by(|one, other| compared(one, other).is_le()) {
            return;
        }
        let start = parts.first().map_or(0, |part| part.all.start);
        parts.sort_by(compared);
        let end = text.len();
        for part in parts {
            if text.len() > end {
                text.push(b',');
            }
            text.extend_from_within(part.all.clone());
        }
        text.drain(start..end);
    }
}

impl Part {
    /// What it is sorted by, as it is written.
    fn written<'t>(text: &'t [u8], part: &Part) -> Cow<'t, [u8]> {
        text[part.key.clone()].into()
    }

    /// A member's name in which something had to be escaped, as it is; it is within quotes.
    fn unescaped<'t>(text: &'t [u8], part: &Part) -> Cow<'t, [u8]> {
        let quoted = &text[part.key.start - 1..=part.key.end];
        serde_json::from_slice::<String>(quoted).unwrap_or_default().into_bytes().into()
    }
}

/// True for a number that is its own normal form.
fn is_plain_integer(text: &str) -> bool {
    (1..28).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
}

fn day(text: &str) -> &str {
    text.get(..10).unwrap_or(text)
}

/// Writes one value, by a rule.
struct Form<'o> {
    out: &'o mut Out,
    rule: &'static str,
}

impl<'o> Form<'o> {
    /// What encloses the content of a variant.
    fn variant(self, variant: &'static str) -> Result<Self, Unrepresentable> {
        self.out.text.push(b'{');
        self.out.json(variant)?;
        self.out.text.push(b':');
        Ok(Self { rule: PLAIN, ..self })
    }

    fn open(self, bracket: u8, in_variant: bool) -> Parts<'o> {
        self.out.text.push(bracket);
        let first = self.out.parts.len();
        Parts {
            start: self.out.text.len(),
            first,
            rule: self.rule,
            in_variant,
            escaped: false,
            out: self.out,
            member: None,
        }
    }
}

macro_rules! plain {
    ($($method:ident $type:ty),*) => {$(
        fn $method(self, v: $type) -> Done {
            self.out.json(&v)
        }
    )*};
}

impl<'o> Serializer for Form<'o> {
    type Ok = Written;
    type Error = Unrepresentable;
    type SerializeSeq = Parts<'o>;
    type SerializeTuple = Parts<'o>;
    type SerializeTupleStruct = Parts<'o>;
    type SerializeTupleVariant = Parts<'o>;
    type SerializeMap = Parts<'o>;
    type SerializeStruct = Parts<'o>;
    type SerializeStructVariant = Parts<'o>;

    plain!(
        serialize_bool bool, serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_u8 u8,
        serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_char char, serialize_bytes &[u8]
    );

    fn serialize_f32(self, v: f32) -> Done {
        self.serialize_f64(v.into())
    }
    fn serialize_f64(self, v: f64) -> Done {
        if v.is_finite() { self.out.json(&v) } else { Ok(Written::Nothing) }
    }
    fn serialize_str(self, v: &str) -> Done {
        match self.rule {
            hint::DECIMAL if !is_plain_integer(v) => match v.parse::<Decimal>() {
                Ok(number) => self.out.json(&hint::Display(number.normalize())),
                Err(_) => self.out.json(v),
            },
            hint::OPEN_END if OPEN_ENDS.contains(&day(v)) => Ok(Written::Nothing),
            hint::OPEN_END | hint::DATE => self.out.json(day(v)),
            hint::DURATION => self.out.json(&super::duration::normal(v.to_owned())),
            hint::TRIMMED => self.out.json(v.trim()),
            _ => self.out.json(v),
        }
    }
    fn serialize_none(self) -> Done {
        Ok(Written::Nothing)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Done {
        Ok(Written::Nothing)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Done {
        Ok(Written::Nothing)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.out.json(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Done {
        match name {
            hint::IGNORED => Ok(Written::Nothing),
            rule if rule.starts_with('$') => value.serialize(Self { rule, ..self }),
            _ => value.serialize(self),
        }
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        let Form { out, rule } = self.variant(variant)?;
        if value.serialize(Form { out, rule })? == Written::Nothing {
            out.json(&())?;
        }
        out.text.push(b'}');
        Ok(Written::Something)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'o>, Unrepresentable> {
        Ok(self.open(b'[', false))
    }
    fn serialize_tuple(self, _: usize) -> Result<Parts<'o>, Unrepresentable> {
        Ok(self.open(b'[', false))
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'o>, Unrepresentable> {
        Ok(self.open(b'[', false))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'o>, Unrepresentable> {
        Ok(self.variant(variant)?.open(b'[', true))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'o>, Unrepresentable> {
        Ok(self.open(b'{', false))
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'o>, Unrepresentable> {
        Ok(self.open(b'{', false))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'o>, Unrepresentable> {
        Ok(self.variant(variant)?.open(b'{', true))
    }
}

/// A list or an object being written.
struct Parts<'o> {
    out: &'o mut Out,
    rule: &'static str,
    /// Where its content starts.
    start: usize,
    /// Its first part.
    first: usize,
    in_variant: bool,
    /// True if something had to be escaped in a member's name.
    escaped: bool,
    /// The member whose name is written: where it starts, with the comma before it, and the name.
    member: Option<(usize, Range<usize>)>,
}

impl Parts<'_> {
    fn comma(&mut self) {
        if self.out.parts.len() > self.first {
            self.out.text.push(b',');
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unrepresentable> {
        self.comma();
        let start = self.out.text.len();
        if value.serialize(Form { out: self.out, rule: PLAIN })? == Written::Nothing {
            self.out.json(&())?;
        }
        let all = start..self.out.text.len();
        self.out.parts.push(Part { key: all.clone(), all });
        Ok(())
    }

    fn named<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), Unrepresentable> {
        let before = self.out.text.len();
        self.comma();
        let start = self.out.text.len();
        name.serialize(Form { out: self.out, rule: PLAIN })?;
        if self.out.text.get(start) != Some(&b'"') {
            return Err(Unrepresentable("a member name that is not text".into()));
        }
        let name = start + 1..self.out.text.len() - 1;
        self.escaped |= self.out.text[name.clone()].contains(&b'\\');
        self.member = Some((before, name));
        Ok(())
    }

    fn valued<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unrepresentable> {
        let Some((before, key)) = self.member.take() else { return Ok(()) };
        let ignored = self.rule == hint::EXTENSIONS && self.out.text.ends_with(b".document\"");
        self.out.text.push(b':');
        if ignored || value.serialize(Form { out: self.out, rule: PLAIN })? == Written::Nothing {
            self.out.text.truncate(before);
        } else {
            self.out.parts.push(Part { all: key.start - 1..self.out.text.len(), key });
        }
        Ok(())
    }

    /// Closes a list. An empty set is absent.
    fn close_list(self) -> Done {
        let absent = self.rule == hint::SET && self.out.parts.len() == self.first;
        if self.rule == hint::SET {
            self.out.sort(self.first, Part::written);
        }
        self.close(b']', absent)
    }

    /// Closes an object. An empty one is absent.
    fn close_object(self) -> Done {
        let absent = self.out.parts.len() == self.first;
        self.out.sort(self.first, if self.escaped { Part::unescaped } else { Part::written });
        if self.rule != hint::IDENTIFIER {
            return self.close(b'}', absent);
        }
        let (out, start) = (&mut *self.out, self.start - 1);
        out.text.push(b'}');
        let mut map: Map<String, Value> = serde_json::from_slice(&out.text[start..]).map_err(ser::Error::custom)?;
        if let (Some(Value::String(scheme)), Some(Value::String(value))) = (map.get("scheme"), map.get("value")) {
            let normal = identity::normal(scheme, value).into_owned();
            map.insert("value".to_owned(), normal.into());
        }
        out.text.truncate(start);
        out.parts.truncate(self.first);
        out.json(&map)
    }

    fn close(self, bracket: u8, absent: bool) -> Done {
        self.out.parts.truncate(self.first);
        if absent {
            self.out.text.truncate(self.start - 1);
        } else {
            self.out.text.push(bracket);
        }
        if !self.in_variant {
            return Ok(if absent { Written::Nothing } else { Written::Something });
        }
        if absent {
            self.out.json(&())?;
        }
        self.out.text.push(b'}');
        Ok(Written::Something)
    }
}

macro_rules! list {
    ($($trait:ident . $method:ident),*) => {$(
        impl ser::$trait for Parts<'_> {
            type Ok = Written;
            type Error = Unrepresentable;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unrepresentable> {
                self.element(value)
            }
            fn end(self) -> Done {
                self.close_list()
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

macro_rules! object {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Parts<'_> {
            type Ok = Written;
            type Error = Unrepresentable;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Unrepresentable> {
                self.named(name)?;
                self.valued(value)
            }
            fn end(self) -> Done {
                self.close_object()
            }
        }
    )*};
}
object!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Parts<'_> {
    type Ok = Written;
    type Error = Unrepresentable;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unrepresentable> {
        self.named(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unrepresentable> {
        self.valued(value)
    }
    fn end(self) -> Done {
        self.close_object()
    }
}

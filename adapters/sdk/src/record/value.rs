//! The values records are made of, each of which knows how it is compared.
//!
//! A type says how it is normalised by the name it serialises its newtype under (`$set`, `$decimal`, …). JSON does
//! not show those names; [`crate::canonical`] reads them.

use crate::canonical::hint;
use jiff::civil;
use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;

/// A list whose order is kept as sent but carries no meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set<T>(pub Vec<T>);

/// Text in one or more languages: an ordered list of `(language?, value)`.
pub type Texts = Set<Text>;

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}
impl<T> Deref for Set<T> {
    type Target = Vec<T>;
    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}
impl<T> DerefMut for Set<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}
impl<T> From<Vec<T>> for Set<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}
impl<T> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}
impl<'a, T> IntoIterator for &'a Set<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
impl<T> Set<T> {
    /// True if there is nothing in it (named for `skip_serializing_if`).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
impl<T: Serialize> Serialize for Set<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_newtype_struct(hint::SET, &self.0)
    }
}
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Set<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Vec::deserialize(d).map(Self)
    }
}
impl<T: JsonSchema> JsonSchema for Set<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("SetOf{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

/// One piece of text with its language, as sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Text {
    /// The language as sent (usually ISO 639-1; national codes occur); absent where the source names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<SmolStr>,
    /// The text as sent. Compared without surrounding white space.
    #[serde(serialize_with = "hint::trimmed")]
    pub value: String,
}

impl Text {
    /// Text in a language.
    pub fn new(lang: &str, value: impl Into<String>) -> Self {
        Self { lang: Some(lang.into()), value: value.into() }
    }
}

/// A code as sent: which list, which value, and the label it came with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coded {
    /// The code list, as a namespaced name (`virta:laji`) or an IRI.
    #[schemars(with = "String")]
    pub scheme: Cow<'static, str>,
    /// The value in that list, as sent.
    pub value: SmolStr,
    /// The label it came with, if any. Not compared.
    #[serde(default, skip_serializing_if = "Set::is_empty", serialize_with = "hint::ignored")]
    pub label: Texts,
}

impl Coded {
    /// A code without a label.
    pub fn new(scheme: impl Into<Cow<'static, str>>, value: impl Into<SmolStr>) -> Self {
        Self { scheme: scheme.into(), value: value.into(), label: Texts::default() }
    }
}

/// An exact decimal; a JSON string. Written as sent (`5.000000`), compared by value (`5`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub Decimal);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_newtype_struct(hint::DECIMAL, &hint::Display(self.0))
    }
}
impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(d)?;
        text.parse().map_err(D::Error::custom)
    }
}
impl FromStr for Amount {
    type Err = NotADecimal;
    /// Reads the lexical space of `xs:decimal`: optional sign, digits, optional point; no exponent.
    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let text = text.trim();
        let digits = text.trim_start_matches(['+', '-']);
        let plain = text.len() - digits.len() <= 1
            && digits.bytes().any(|b| b.is_ascii_digit())
            && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && digits.bytes().filter(|b| *b == b'.').count() <= 1;
        if !plain {
            return Err(NotADecimal);
        }
        Decimal::from_str_exact(text.trim_start_matches('+').trim_end_matches('.')).map(Self).map_err(|_| NotADecimal)
    }
}
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl From<i64> for Amount {
    fn from(value: i64) -> Self {
        Self(value.into())
    }
}
impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$",
            "description": "An exact decimal (xs:decimal), at most 28 digits."})
    }
}

/// The text is not an exact decimal of at most 28 digits.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("not an exact decimal of at most 28 digits")]
pub struct NotADecimal;

/// A calendar date as sent, with the time-zone suffix `xs:date` allows. Compared by the day alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// The day.
    pub day: civil::Date,
    /// The suffix, in minutes east of UTC, where one was sent.
    pub offset: Option<i16>,
}

/// The text is not a calendar date (`YYYY-MM-DD`, optionally with `Z` or `±hh:mm`).
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("not a calendar date (YYYY-MM-DD)")]
pub struct NotADate;

impl Date {
    /// A day without a time-zone suffix.
    pub const fn new(day: civil::Date) -> Self {
        Self { day, offset: None }
    }
}
impl FromStr for Date {
    type Err = NotADate;
    fn from_str(text: &str) -> Result<Self, NotADate> {
        let text = text.trim();
        let (day, suffix) = text.split_at_checked(10).ok_or(NotADate)?;
        let bytes = day.as_bytes();
        let number = |range: std::ops::Range<usize>| -> Result<i16, NotADate> {
            bytes[range].iter().try_fold(0i16, |n, b| match b {
                b'0'..=b'9' => Ok(n * 10 + i16::from(b - b'0')),
                _ => Err(NotADate),
            })
        };
        if bytes[4] != b'-' || bytes[7] != b'-' {
            return Err(NotADate);
        }
        let day = civil::Date::new(number(0..4)?, number(5..7)? as i8, number(8..10)? as i8).map_err(|_| NotADate)?;
        let offset = match suffix.as_bytes() {
            [] => None,
            b"Z" => Some(0),
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let digit = |b: &u8| if b.is_ascii_digit() { Ok(i16::from(b - b'0')) } else { Err(NotADate) };
                let (hours, minutes) = (digit(h1)? * 10 + digit(h2)?, digit(m1)? * 10 + digit(m2)?);
                if minutes > 59 || hours * 60 + minutes > 14 * 60 {
                    return Err(NotADate);
                }
                let total = hours * 60 + minutes;
                Some(if *sign == b'-' { -total } else { total })
            }
            _ => return Err(NotADate),
        };
        Ok(Self { day, offset })
    }
}
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"0000-00-00";
        let parts = [(0..4, self.day.year()), (5..7, self.day.month().into()), (8..10, self.day.day().into())];
        for (place, mut number) in parts {
            for digit in text[place].iter_mut().rev() {
                *digit += (number % 10).unsigned_abs() as u8;
                number /= 10;
            }
        }
        if self.day.year() < 0 {
            f.write_str("-")?;
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())?;
        match self.offset {
            None => Ok(()),
            Some(0) => f.write_str("Z"),
            Some(m) => write!(f, "{}{:02}:{:02}", if m < 0 { '-' } else { '+' }, m.abs() / 60, m.abs() % 60),
        }
    }
}
impl Serialize for Date {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_newtype_struct(hint::DATE, &hint::Display(self))
    }
}
impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}
impl JsonSchema for Date {
    fn schema_name() -> Cow<'static, str> {
        "Date".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?$",
            "description": "A calendar date (ISO 8601), optionally with the time-zone suffix xs:date allows."})
    }
}

/// The last day of a period. An adapter's "until further notice" sentinel compares equal to no end at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndDate(pub Date);

impl Serialize for EndDate {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_newtype_struct(hint::OPEN_END, &hint::Display(self.0))
    }
}
impl<'de> Deserialize<'de> for EndDate {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Date::deserialize(d).map(Self)
    }
}
impl JsonSchema for EndDate {
    fn schema_name() -> Cow<'static, str> {
        "EndDate".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Date::json_schema(generator)
    }
}

/// An ISO 8601 duration as sent (`PT60H`). Compared by how long it is.
pub type Duration = SmolStr;

/// An amount of study work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Credits {
    /// ECTS credits (25–30 hours each). Finnish *opintopiste*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ects: Option<Amount>,
    /// Credit weeks of the unit used in Finland before 2005 (*opintoviikko*).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_weeks: Option<Amount>,
}

/// A period of time; open-ended without an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Period {
    /// First day. Absent only where the source left it out; several destinations cannot hold that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Date>,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndDate>,
}

/// An organisation in a role, with its share of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrganisationRole {
    /// The role (VIRTA *Organisaatiorooli*: 1 grantor, 2 organiser, 3 source, 4 target, 5 merged grantor).
    pub role: Coded,
    /// The organisation.
    pub organisation: Coded,
    /// Its share, 0–1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Amount>,
}

/// What is truly national: a map from namespace (`virta`) to that namespace's typed object. A namespace ending in
/// `.document` says where in its document a record stood; it is not content and is never compared.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Extensions(pub BTreeMap<SmolStr, Value>);

impl Extensions {
    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads a namespace into its type; `None` if it is absent or of another shape.
    pub fn get<T: DeserializeOwned>(&self, namespace: &str) -> Option<T> {
        T::deserialize(self.0.get(namespace)?.clone()).ok()
    }

    /// Writes a namespace from its type, leaving it out if it serialises to an empty object.
    pub fn set<T: Serialize>(&mut self, namespace: &str, value: &T) {
        match serde_json::to_value(value) {
            Ok(Value::Object(map)) if map.is_empty() => {
                self.0.remove(namespace);
            }
            Ok(value) => {
                self.0.insert(namespace.into(), value);
            }
            Err(_) => {}
        }
    }
}
impl Serialize for Extensions {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_newtype_struct(hint::EXTENSIONS, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_lexical_space_of_xs_decimal() {
        for (text, written) in [
            ("+5", "5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-0.50", "-0.50"),
            (" 2.500 ", "2.500"),
            ("1234567890123456789012345678", "1234567890123456789012345678"),
        ] {
            assert_eq!(text.parse::<Amount>().expect(text).to_string(), written, "{text}");
        }
        for text in ["", "+", ".", "+-5", "--5", "1e3", "1.2.3", "5,0", "1_000", "\u{661}", "NaN", &"9".repeat(29)] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
        assert!("0.12345678901234567890123456789".parse::<Amount>().is_err(), "nothing is rounded");
    }

    #[test]
    fn dates_are_days_of_the_calendar_with_the_suffix_as_sent() {
        for text in ["2011-08-10", "2012-02-29", "2011-08-10Z", "2011-08-10+03:00", "2011-08-10-14:00", "0001-01-01"] {
            assert_eq!(text.parse::<Date>().expect(text).to_string(), text);
        }
        for text in [
            "",
            "2011-02-30",
            "2011-8-10",
            "2011-08-10T00:00:00",
            "2011-08-10-14:01",
            "2011-08-10+15:00",
            "2011-08-10+02:60",
            "2011-08-10z",
            "-011-08-10",
            "12011-08-10",
            "2011/08/10",
            "2011-08-1\u{e4}",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }
}

//! The canonical form: how two records are compared, digested and diffed.
//!
//! Normalisation happens here and nowhere else: decimals by value (`5 = 5.0`), text without surrounding white space,
//! dates by their day, identifiers in their scheme's own way ([`crate::identity`]), sets sorted, an "until further notice" date equal to none, empty parts equal to absent ones.
//! Not compared: labels of codes, names and grade lists of scales, `source_revision`, and extension namespaces ending
//! in `.document`. Types say which rule applies through the names in [`hint`]; this module reads them.
//!
//! A digest is an index, not the truth: it is tagged with the [`FORM`] it was made under, and where forms differ the
//! contents are compared instead, so a new form makes neither a version nor a debt.

mod duration;
mod form;

use crate::record::Record;
use serde::Serialize;
use serde_json::Value;
use std::fmt;

pub use form::hint;

/// The version of the canonical form. Raise it whenever a rule here changes.
pub const FORM: u16 = 2;

/// A keyed hash over the canonical form, tagged with that form's version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    /// The canonical form it was made under.
    pub form: u16,
    /// BLAKE3, keyed.
    pub hash: [u8; 32],
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.form)?;
        self.hash[..6].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The gateway's secret key for digests and pseudonyms: without it a digest says nothing about its content.
#[derive(Clone)]
pub struct DigestKey([u8; 32]);

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(…)")
    }
}

impl DigestKey {
    /// A key from 32 secret bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of one record.
    pub fn record(&self, record: &Record) -> Digest {
        let mut text = record_text(record);
        text.push(b'\n');
        Digest { form: FORM, hash: *blake3::keyed_hash(&self.0, &text).as_bytes() }
    }

    /// The digest of the content of an item: of its records in any order.
    pub fn records(&self, records: &[Record]) -> Digest {
        if let [record] = records {
            return self.record(record);
        }
        let mut texts: Vec<Vec<u8>> = records.iter().map(record_text).collect();
        texts.sort_unstable();
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for text in &texts {
            hasher.update(text).update(b"\n");
        }
        Digest { form: FORM, hash: *hasher.finalize().as_bytes() }
    }

    /// A pseudonym: a keyed 128-bit hash of an ordered list of parts, stable for the life of the key.
    pub fn pseudonym(&self, domain: &str, parts: &[&str]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in std::iter::once(&domain).chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        let mut out = [0; 16];
        hasher.finalize_xof().fill(&mut out);
        out
    }
}

/// The canonical form of a record: key, learner, state, non-disclosure and body.
pub fn record_form(record: &Record) -> Value {
    of(record)
}

/// The canonical form of a record as JSON text.
pub fn record_text(record: &Record) -> Vec<u8> {
    form::text(record).unwrap_or_else(|| b"null".to_vec())
}

/// The canonical form of any value made of record types.
pub fn of<T: Serialize + ?Sized>(value: &T) -> Value {
    form::text(value).and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or(Value::Null)
}

/// True if a value made of record types says nothing: its canonical form is absent from whatever holds it.
pub fn is_absent<T: Serialize + ?Sized>(value: &T) -> bool {
    form::text(value).is_none()
}

/// True if two records say the same about the same key.
pub fn equal(left: &Record, right: &Record) -> bool {
    record_text(left) == record_text(right)
}

/// One place in which two canonical forms differ.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Difference {
    /// JSON pointer into the canonical form.
    pub path: String,
    /// What the left side has there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Value>,
    /// What the right side has there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<Value>,
}

/// All places in which two canonical forms differ, field by field; elements of sets are matched by value.
pub fn diff(left: &Value, right: &Value) -> Vec<Difference> {
    let mut out = Vec::new();
    walk(&mut String::new(), Some(left), Some(right), &mut out);
    out
}

fn walk(path: &mut String, left: Option<&Value>, right: Option<&Value>, out: &mut Vec<Difference>) {
    match (left, right) {
        (Some(l), Some(r)) if l == r => {}
        (Some(Value::Object(l)), Some(Value::Object(r))) => {
            for name in l.keys().chain(r.keys().filter(|name| !l.contains_key(*name))) {
                let length = path.len();
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                walk(path, l.get(name), r.get(name), out);
                path.truncate(length);
            }
        }
        (Some(Value::Array(l)), Some(Value::Array(r))) => {
            let mut rest: Vec<&Value> = r.iter().collect();
            let mut only_left = Vec::new();
            for value in l {
                match rest.iter().position(|other| *other == value) {
                    Some(at) => {
                        rest.remove(at);
                    }
                    None => only_left.push(value),
                }
            }
            let difference = |left: Option<&Value>, right: Option<&Value>| Difference {
                path: format!("{path}/-"),
                left: left.cloned(),
                right: right.cloned(),
            };
            out.extend(only_left.into_iter().map(|v| difference(Some(v), None)));
            out.extend(rest.into_iter().map(|v| difference(None, Some(v))));
        }
        (left, right) => {
            out.push(Difference { path: path.clone(), left: left.cloned(), right: right.cloned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{
        Attainment, Body, Coded, Credits, Identifier, Learner, Period, RecordKey, RecordKind, RightState, StudyRight,
        Text,
    };

    fn attainment(change: impl FnOnce(&mut Attainment)) -> Record {
        let mut body = Attainment {
            title: vec![Text::new("fi", "Tietorakenteet"), Text::new("en", "Data structures")].into(),
            credits: Some(Credits { ects: "5".parse().ok(), credit_weeks: None }),
            completed_on: "2025-05-14".parse().ok(),
            ..Attainment::default()
        };
        change(&mut body);
        let key = RecordKey {
            tenant: "t".into(),
            source: "s".into(),
            kind: RecordKind::Attainment,
            institution: "10122".into(),
            id: "A1".into(),
        };
        Record::current(key, "L1", Body::Attainment(Box::new(body)))
    }

    #[test]
    fn what_means_the_same_is_equal() {
        let plain = attainment(|_| {});
        let odd = attainment(|a| {
            a.title = vec![Text::new("en", " Data structures "), Text::new("fi", "Tietorakenteet")].into();
            a.credits = Some(Credits { ects: "5.000000".parse().ok(), credit_weeks: None });
            a.completed_on = "2025-05-14+03:00".parse().ok();
        });
        assert!(equal(&plain, &odd));
        let key = DigestKey::new([7; 32]);
        assert_eq!(key.record(&plain), key.record(&odd));
        assert_ne!(key.record(&plain), DigestKey::new([8; 32]).record(&plain));
    }

    #[test]
    fn a_text_has_members_by_name_and_nothing_absent() {
        let text = |value: &dyn Fn() -> Option<Vec<u8>>| value().map(|text| String::from_utf8(text).expect("UTF-8"));
        let odd = serde_json::json!({
            "b": [null, 1.5, -3, {}, [], { "b": null }], "a b": "x", "a\"c": true, "a": { "z": 1, "y": { "x": [[[]]] } },
            "gone": {}, "none": null,
        });
        assert_eq!(
            text(&|| form::text(&odd)).as_deref(),
            Some(r#"{"a":{"y":{"x":[[[]]]},"z":1},"a b":"x","a\"c":true,"b":[null,1.5,-3,null,[],null]}"#)
        );
        let set = |elements: &[&str]| text(&|| form::text(&crate::record::Set(elements.to_vec())));
        assert_eq!(set(&["b\\", "a\"", "a!", "a", "a b"]).as_deref(), Some(r#"["a b","a!","a","a\"","b\\"]"#));
        assert_eq!(set(&[]), None);
        assert!(is_absent(&serde_json::json!({ "a": { "b": null } })) && !is_absent(&""));
    }

    /// Digests are kept: whoever changes this text raises [`FORM`].
    #[test]
    fn the_form_is_the_form() {
        let record = attainment(|a| a.study_right = Some("R1".into()));
        assert_eq!(FORM, 2);
        assert_eq!(
            String::from_utf8(record_text(&record)).expect("UTF-8"),
            r#"{"body":{"completed_on":"2025-05-14","credits":{"ects":"5"},"study_right":"R1","title":[{"lang":"en","value":"Data structures"},{"lang":"fi","value":"Tietorakenteet"}]},"id":"A1","institution":"10122","kind":"attainment","learner":"L1","source":"s","state":"current","tenant":"t"}"#
        );
    }

    #[test]
    fn what_differs_is_named_field_by_field() {
        let left = attainment(|_| {});
        let right = attainment(|a| {
            a.credits = None;
            a.title = vec![Text::new("fi", "Tietorakenteet")].into();
            a.language = Some(Coded::new("virta:kieli", "en"));
        });
        let differences = diff(&record_form(&left), &record_form(&right));
        let paths: Vec<&str> = differences.iter().map(|d| d.path.as_str()).collect();
        assert_eq!(paths, ["/body/credits", "/body/title/-", "/body/language"]);
    }

    #[test]
    fn an_end_that_means_never_is_no_end() {
        let right = |end: Option<&str>| {
            of(&StudyRight {
                states: vec![RightState {
                    period: Period {
                        start: "2020-08-01".parse().ok(),
                        end: end.map(|e| crate::record::EndDate(e.parse().expect("date"))),
                    },
                    state: Coded::new("virta:tila", "1"),
                }]
                .into(),
                ..StudyRight::default()
            })
        };
        assert_eq!(right(Some("2112-12-21")), right(None));
        assert_ne!(right(Some("2025-12-31")), right(None));
    }

    #[test]
    fn one_identifier_in_two_spellings_is_equal() {
        let learner = |value: &str| {
            of(&Learner {
                identifiers: vec![Identifier { scheme: "esi".into(), value: value.into() }].into(),
                ..Learner::default()
            })
        };
        let plain = learner("urn:schac:personalUniqueCode:int:esi:fi:A1");
        assert_eq!(plain, learner("urn:schac:PersonalUniqueCode:int:esi:fi:a1"));
        assert_ne!(plain, learner("urn:schac:personalUniqueCode:int:esi:fi:a2"));
    }

    #[test]
    fn a_record_survives_its_json() {
        let record = attainment(|a| a.credits = Some(Credits { ects: "2.50".parse().ok(), credit_weeks: None }));
        let line = serde_json::to_string(&record).expect("serialises");
        assert!(line.starts_with(r#"{"kind":"attainment","#), "{line}");
        assert!(line.contains(r#""ects":"2.50""#), "{line}");
        assert_eq!(serde_json::from_str::<Record>(&line).expect("reads back"), record);
    }
}

//! Two documents compared without a ledger, or one with what a ledger holds: what should be there against what is.
//!
//! Each document is read once, record by record: the canonical form goes to a private file, hashes of key and content go
//! to buckets by key in another. Then the buckets are merged, one after another. Only of records whose hashes differ is
//! the form read again, so that memory does not grow with the documents.

mod buckets;
mod kept;
#[cfg(test)]
mod tests;

pub use kept::{Keeping, Kept, NotKept};

use super::fingerprint::fingerprint;
use crate::ledger::FindingKind;
use buckets::{BUCKETS, Buckets, Entry, Place, joined};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use silta_adapter::canonical::{Difference, diff};
use silta_adapter::mapping::Institutions;
use silta_adapter::record::RecordKey;
use smol_str::SmolStr;
use std::io;

/// One of the two documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// What should be there.
    Expected,
    /// What is there.
    Found,
}

/// One difference between two documents.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What kind of difference: `missing`, `unexpected`, `differs`, `duplicate` or `rekeyed`.
    pub kind: FindingKind,
    /// The key of the record, as sent.
    pub key: RecordKey,
    /// The learner it is about.
    #[serde(skip)]
    pub learner: SmolStr,
    /// Field by field.
    pub fields: Vec<Field>,
    /// The key under which the same learning was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<RecordKey>,
    /// The document that holds the key more than once.
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// How often it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<usize>,
}

/// One place in which the canonical forms of a record differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    /// JSON pointer into the record; `-` stands for an element of a set.
    pub path: String,
    /// What should be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Value>,
}

impl From<Difference> for Field {
    fn from(one: Difference) -> Self {
        Self { path: one.path, expected: one.left, found: one.right }
    }
}

/// Where findings go.
pub type Tell<'a> = dyn FnMut(Finding) -> io::Result<()> + 'a;

/// Compares two documents and tells every difference, by no order that means anything but always the same.
///
/// `repeats` is true of formats whose documents repeat what they share: equal records under one key are one then.
///
/// # Errors
/// If the private files or `tell` fail.
pub fn compare(
    expected: &Kept,
    found: &Kept,
    repeats: bool,
    institutions: &Institutions,
    tell: &mut Tell<'_>,
) -> io::Result<()> {
    let lonely = [Buckets::new()?, Buckets::new()?];
    let mut comparison = Comparison { expected, found, repeats, institutions, lonely, tell };
    for at in 0..BUCKETS {
        let (ours, theirs) = (expected.sorted(at)?, found.sorted(at)?);
        joined(&ours, &theirs, |ours, theirs| comparison.key(ours, theirs))?;
    }
    comparison.matched()
}

struct Comparison<'a, 't> {
    expected: &'a Kept,
    found: &'a Kept,
    repeats: bool,
    institutions: &'a Institutions,
    /// What one side alone holds, by its fingerprint.
    lonely: [Buckets; 2],
    tell: &'a mut Tell<'t>,
}

impl Comparison<'_, '_> {
    /// All that both documents hold under one key.
    fn key(&mut self, ours: &[Entry], theirs: &[Entry]) -> io::Result<()> {
        let agreed = ours.iter().find(|o| theirs.binary_search_by(|t| t.content.cmp(&o.content)).is_ok());
        match (ours.first(), theirs.first()) {
            (Some(one), None) => self.alone(Side::Expected, one)?,
            (None, Some(one)) => self.alone(Side::Found, one)?,
            (Some(one), Some(other)) if agreed.is_none() => {
                let fields = self.fields(one.place, other.place)?;
                self.told(FindingKind::Differs, Side::Expected, one.place, |f| f.fields = fields)?;
            }
            _ => {}
        }
        self.duplicate(Side::Expected, ours, agreed)?;
        self.duplicate(Side::Found, theirs, agreed)
    }

    /// A key that one document holds more than once. What the repetition says otherwise than the other document is
    /// told, if it is not told as a difference already.
    fn duplicate(&mut self, side: Side, held: &[Entry], agreed: Option<&Entry>) -> io::Result<()> {
        let contents = held.chunk_by(|a, b| a.content == b.content).count();
        if held.len() < 2 || (self.repeats && contents == 1) {
            return Ok(());
        }
        let odd = agreed.and_then(|same| Some((same.place, held.iter().find(|e| e.content != same.content)?.place)));
        let fields = match (odd, side) {
            // The form that both documents hold is read where the expected one has it.
            (Some((same, odd)), Side::Found) => self.fields(same, odd)?,
            (Some((same, odd)), Side::Expected) => {
                let form = |place| self.expected.form(place);
                differences(&form(odd)?, &form(same)?)
            }
            (None, _) => Vec::new(),
        };
        self.told(FindingKind::Duplicate, side, held[0].place, |f| {
            (f.fields, f.side, f.times) = (fields, Some(side), Some(held.len()));
        })
    }

    /// What one document alone holds: learning that the other may hold under another key is told later.
    fn alone(&mut self, side: Side, entry: &Entry) -> io::Result<()> {
        let form = self.kept(side).form(entry.place)?;
        if taken_back(&form) {
            // Here as there: not held.
            return Ok(());
        }
        match fingerprint(&form, self.institutions) {
            Some(learning) => {
                let print = json!([form["tenant"], form["learner"], learning]).to_string();
                let key = kept::hash(print.as_bytes());
                self.lonely[side as usize].add(&Entry { key, ..*entry })
            }
            None => self.unmatched(side, entry),
        }
    }

    fn unmatched(&mut self, side: Side, entry: &Entry) -> io::Result<()> {
        let kind = match side {
            Side::Expected => FindingKind::Missing,
            Side::Found => FindingKind::Unexpected,
        };
        self.told(kind, side, entry.place, |_| {})
    }

    /// The same learning under another key, where only one on each side can be meant.
    fn matched(&mut self) -> io::Result<()> {
        for at in 0..BUCKETS {
            let [ours, theirs] = &self.lonely;
            let (ours, theirs) = (ours.sorted(at)?, theirs.sorted(at)?);
            joined(&ours, &theirs, |ours, theirs| match (ours, theirs) {
                ([one], [other]) => {
                    let (fields, key) = (self.fields(one.place, other.place)?, key(&self.found.form(other.place)?)?);
                    self.told(FindingKind::Rekeyed, Side::Expected, one.place, |f| {
                        (f.fields, f.other) = (fields, Some(key));
                    })
                }
                _ => {
                    ours.iter().try_for_each(|entry| self.unmatched(Side::Expected, entry))?;
                    theirs.iter().try_for_each(|entry| self.unmatched(Side::Found, entry))
                }
            })?;
        }
        Ok(())
    }

    fn kept(&self, side: Side) -> &Kept {
        match side {
            Side::Expected => self.expected,
            Side::Found => self.found,
        }
    }

    fn fields(&self, expected: Place, found: Place) -> io::Result<Vec<Field>> {
        Ok(differences(&self.expected.form(expected)?, &self.found.form(found)?))
    }

    fn told(&mut self, kind: FindingKind, side: Side, place: Place, more: impl FnOnce(&mut Finding)) -> io::Result<()> {
        let form = self.kept(side).form(place)?;
        let learner = form["learner"].as_str().unwrap_or_default().into();
        let mut finding =
            Finding { kind, key: key(&form)?, learner, fields: Vec::new(), other: None, side: None, times: None };
        more(&mut finding);
        (self.tell)(finding)
    }
}

/// What differs. Of a record that one side took back, only that it did.
fn differences(expected: &Value, found: &Value) -> Vec<Field> {
    let only_state = taken_back(expected) || taken_back(found);
    let told = |one: &Difference| !only_state || one.path == "/state";
    diff(expected, found).into_iter().filter(told).map(Field::from).collect()
}

/// True if a form is that of a record that was taken back.
fn taken_back(form: &Value) -> bool {
    !form["state"].is_null() && form["state"] != "current"
}

fn key(form: &Value) -> io::Result<RecordKey> {
    Ok(RecordKey::deserialize(form)?)
}

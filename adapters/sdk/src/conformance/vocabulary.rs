//! What generated records may say: the legal values of each field, and how often something odd is said.

use crate::fidelity::pattern_matches;
use crate::record::{Record, RecordKind};
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::fmt;
use std::sync::Arc;

/// What generated records may say. An adapter starts from the default and names the code lists and values of its
/// format, so that most generated records can be encoded.
///
/// Fields are named by patterns of paths that start with the kind: `/attainment/parts/*/ects`, `/*/awarding_body`. `*`
/// stands for one segment (an element of a list is one, written `*`), a final `**` for any rest. Of several matching
/// rows the last holds.
#[derive(Clone)]
pub struct Vocabulary {
    /// Tenant of all records.
    pub tenant: SmolStr,
    /// Source of all records.
    pub source: SmolStr,
    /// Institutions that keys name.
    pub institutions: Vec<SmolStr>,
    /// Languages that text is in.
    pub languages: Vec<SmolStr>,
    /// Kinds of record to generate.
    pub kinds: Vec<RecordKind>,
    /// Share of optional fields that are there, 0–1.
    pub density: f64,
    /// Share of records with odd values and foreign codes among them, 0–1.
    pub oddity: f64,
    /// Share of records that are tombstones, 0–1.
    pub tombstones: f64,
    /// Share of learners among whose attainments some parts dangle or go in circles, 0–1.
    pub tangles: f64,
    /// Which values fields may hold, by pattern.
    pub values: Vec<(String, Vec<Value>)>,
    /// How often optional fields are there, by pattern.
    pub presence: Vec<(String, f64)>,
    /// A last change to every record.
    pub adjust: Option<Adjustment>,
}

/// A change to a generated record.
pub type Adjustment = Arc<dyn Fn(&mut Record) + Send + Sync>;

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vocabulary").field("values", &self.values).finish_non_exhaustive()
    }
}

impl Default for Vocabulary {
    /// Neutral values: no code of any real list but those the record model itself names.
    fn default() -> Self {
        let identifier = |scheme: &str, value: &str| json!({ "scheme": scheme, "value": value });
        Self {
            tenant: "tenant".into(),
            source: "register".into(),
            institutions: vec!["".into(), "99901".into(), "99902".into()],
            languages: vec!["fi".into(), "sv".into(), "en".into()],
            kinds: RecordKind::ALL.to_vec(),
            density: 0.5,
            oddity: 0.5,
            tombstones: 0.0,
            tangles: 0.1,
            values: Vec::new(),
            presence: Vec::new(),
            adjust: None,
        }
        .values("/*/workload", [json!("PT27H"), json!("PT135H30M"), json!("P4W")])
        .values("/*/links/*", [json!("https://a.example/1"), json!("https://a.example/?q=1&r=%C3%A4#x")])
        .values("/attainment/quality_assurance/*/link", [json!("https://qa.example/")])
        .values("/study_right/transfer/terms_used/*/count", [json!(0), json!(1), json!(7)])
        .values("/*/organisations/*/share", [json!("1"), json!("0.5"), json!("0.25")])
        .values("/*/fields_of_study/*/share", [json!("1"), json!("0.5"), json!("0.333333")])
        .values(
            "/learner/identifiers/*",
            [
                // Individual numbers 900–999 are given to nobody.
                identifier("fi:hetu", "010190-900P"),
                identifier("fi:hetu", "290204A901D"),
                identifier("fi:oppijanumero", "1.2.246.562.24.90000000001"),
                identifier("esi", "urn:schac:personalUniqueCode:int:esi:fi:1.2.246.562.24.90000000002"),
                identifier("eppn", "nobody@a.example"),
            ],
        )
        .values("/learner/email", [json!("nobody@a.example")])
    }
}

impl Vocabulary {
    /// Says which codes a field may hold. Several calls for one pattern add up; an odd record also holds foreign ones.
    #[must_use]
    pub fn codes(mut self, pattern: &str, scheme: &str, values: &[&str]) -> Self {
        let codes = values.iter().map(|value| json!({ "scheme": scheme, "value": value }));
        match self.values.iter_mut().find(|(known, _)| known == pattern) {
            Some((_, known)) => known.extend(codes),
            None => self.values.push((pattern.to_owned(), codes.collect())),
        }
        self
    }

    /// Says which JSON values a field may hold, replacing what was said for the same pattern.
    #[must_use]
    pub fn values(mut self, pattern: &str, values: impl IntoIterator<Item = Value>) -> Self {
        self.values.retain(|(known, _)| known != pattern);
        self.values.push((pattern.to_owned(), values.into_iter().collect()));
        self
    }

    /// Says that a field is always there.
    #[must_use]
    pub fn always(self, pattern: &str) -> Self {
        self.sometimes(pattern, 1.0)
    }

    /// Says that a field is never there.
    #[must_use]
    pub fn never(self, pattern: &str) -> Self {
        self.sometimes(pattern, 0.0)
    }

    /// Says how often an optional field is there, 0–1.
    #[must_use]
    pub fn sometimes(mut self, pattern: &str, share: f64) -> Self {
        self.presence.push((pattern.to_owned(), share));
        self
    }

    /// A last change to every record, for what depends on several fields (a natural key). Keys of study rights and
    /// attainments are better left alone: others point at them. Replaces the change before.
    #[must_use]
    pub fn adjust(mut self, change: impl Fn(&mut Record) + Send + Sync + 'static) -> Self {
        self.adjust = Some(Arc::new(change));
        self
    }

    pub(super) fn values_at(&self, path: &str) -> Option<&[Value]> {
        let row = self.values.iter().rev().find(|(pattern, _)| pattern_matches(pattern, path));
        row.map(|(_, values)| values.as_slice())
    }

    pub(super) fn presence_at(&self, path: &str) -> f64 {
        let row = self.presence.iter().rev().find(|(pattern, _)| pattern_matches(pattern, path));
        row.map_or(self.density, |(_, share)| *share)
    }

    pub(super) fn apply_adjustment(&self, record: &mut Record) {
        if let Some(adjust) = &self.adjust {
            adjust(record);
        }
    }
}

//! Strategies for records, read off the record schema: a field that is added there is generated from then on.

use super::Vocabulary;
use crate::record::{Body, Part, Record, RecordKind, State, record_schema};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::{Value, json};
use smol_str::{SmolStr, format_smolstr};
use std::collections::{BTreeMap, HashSet};

/// Plain values.
const WORDS: [&str; 6] = ["Tietorakenteet", "Data structures", "TKJ-101", "a", "Öljyväri ja å", "7"];

/// Text that trips parsers: empty, white space around and inside, markup, combining and astral characters,
/// right-to-left, line ends of every sort, byte-order marks, a character XML 1.0 cannot hold.
const ODD_TEXTS: [&str; 14] = [
    "",
    " ",
    "  leading and trailing\t",
    "&<>\"']]>",
    "&amp; %41 \\u0041 \\",
    "two\nlines",
    "carriage\r\nreturn\rtwice",
    "tab\there",
    "e\u{301}a\u{308}",
    "\u{1F393}\u{10FFFF}",
    "\u{5E9}\u{5DC}\u{5D5}\u{5DD} \u{202E}x",
    "\u{A0}no break\u{2028}\u{85}",
    "\u{FEFF}mark",
    "control\u{1}",
];

const PLAIN_DAYS: [&str; 5] = ["1999-12-31", "2004-02-29", "2019-08-01", "2024-05-14", "2030-01-01"];
const ODD_DAYS: [&str; 7] =
    ["0001-01-01", "9999-12-31", "2112-12-21", "2025-05-14+03:00", "2025-05-14Z", "2025-05-14-11:30", "2112-12-21Z"];

const PLAIN_AMOUNTS: [&str; 7] = ["5", "2.5", "0.5", "1", "30", "5.000000", "240"];
const ODD_AMOUNTS: [&str; 7] = [
    "0",
    "0.000",
    "-5",
    "-0",
    "123456789012345678901234",
    "0.123456789012345678901234",
    "1234567890123456789012345678",
];

const ODD_IDS: [&str; 3] = [" ä ö", "/~0~1%2F", "&<>\"'"];

/// Share of odd values within an odd record.
const ODD_VALUES: f64 = 0.2;

/// Any record of any kind the vocabulary names; its references may lead nowhere.
pub fn any_record(vocabulary: &Vocabulary) -> BoxedStrategy<Record> {
    let kinds = vocabulary.kinds.iter().map(|kind| any_record_of(*kind, vocabulary));
    proptest::strategy::Union::new(kinds).boxed()
}

/// Any record of one kind; its references may lead nowhere.
pub fn any_record_of(kind: RecordKind, vocabulary: &Vocabulary) -> BoxedStrategy<Record> {
    let rules = vocabulary.clone();
    (drafts(kind, vocabulary), 0u32..1000, id_endings(vocabulary), any::<bool>())
        .prop_map(move |(mut record, number, ending, non_disclosure)| {
            record.head.key.id = format_smolstr!("{number}{ending}");
            record.head.learner = format_smolstr!("L{number}");
            record.head.non_disclosure = non_disclosure;
            rules.apply_adjustment(&mut record);
            record
        })
        .boxed()
}

/// All records of one learner as a closed set: one learner record first, then the other kinds in the order of
/// [`RecordKind::ALL`]. References lead to records of the set, and parts to later attainments, several wholes
/// sometimes sharing one; where [`Vocabulary::tangles`] says so, parts dangle or go in circles instead.
pub fn any_learner(vocabulary: &Vocabulary) -> BoxedStrategy<Vec<Record>> {
    let some = |kind, at_most: usize| {
        let at_most = if vocabulary.kinds.contains(&kind) { at_most } else { 0 };
        vec(drafts(kind, vocabulary), 0..=at_most)
    };
    let learners = usize::from(vocabulary.kinds.contains(&RecordKind::Learner));
    let rules = vocabulary.clone();
    let drafts = (
        vec(drafts(RecordKind::Learner, vocabulary), learners),
        some(RecordKind::StudyRight, 2),
        some(RecordKind::Enrolment, 2),
        some(RecordKind::MobilityPeriod, 1),
        some(RecordKind::Attainment, 5),
        some(RecordKind::Activity, 1),
    );
    (
        drafts,
        vec(any::<Index>(), 32),
        mostly(vocabulary.tangles, Just(false).boxed(), Just(true).boxed()),
        id_endings(vocabulary),
        any::<bool>(),
    )
        .prop_map(move |((a, b, c, d, e, f), picks, tangled, ending, non_disclosure)| {
            let mut records: Vec<Record> = [a, b, c, d, e, f].into_iter().flatten().collect();
            for (number, record) in records.iter_mut().enumerate() {
                record.head.key.id = format_smolstr!("{}-{number}{ending}", record.head.key.kind);
                record.head.learner = format_smolstr!("L1{ending}");
                record.head.non_disclosure = non_disclosure;
            }
            tie(&mut records, &mut picks.iter().cycle(), tangled);
            let mut keys = HashSet::new();
            records.iter_mut().for_each(|record| rules.apply_adjustment(record));
            records.retain(|record| keys.insert(record.head.key.clone()));
            records
        })
        .boxed()
}

/// What local ids end in: now and then something odd.
fn id_endings(vocabulary: &Vocabulary) -> BoxedStrategy<&'static str> {
    mostly(vocabulary.oddity / 2.0, Just("").boxed(), select(&ODD_IDS[..]).boxed())
}

/// Points references at records of the set.
fn tie<'a>(records: &mut [Record], picks: &mut impl Iterator<Item = &'a Index>, tangled: bool) {
    let ids = |kind| -> Vec<SmolStr> {
        records.iter().filter(|r| r.head.key.kind == kind).map(|r| r.head.key.id.clone()).collect()
    };
    let (rights, attainments) = (ids(RecordKind::StudyRight), ids(RecordKind::Attainment));
    let mut pick = |from: &[SmolStr]| {
        let index = picks.next()?;
        (!from.is_empty()).then(|| index.get(from).clone())
    };
    for record in records {
        let own = record.head.key.id.clone();
        match &mut record.body {
            Some(Body::StudyRight(right)) => {
                right.related.0 = right.related.iter().filter_map(|_| pick(&rights)).collect()
            }
            Some(Body::Enrolment(enrolment)) => {
                enrolment.study_right = enrolment.study_right.take().and_then(|_| pick(&rights));
                if let Some(fee) = &mut enrolment.fee {
                    fee.study_right = fee.study_right.take().and_then(|_| pick(&rights));
                }
            }
            Some(Body::MobilityPeriod(period)) => {
                period.study_right = period.study_right.take().and_then(|_| pick(&rights));
            }
            Some(Body::Attainment(attainment)) => {
                attainment.study_right = attainment.study_right.take().and_then(|_| pick(&rights));
                let after = attainments.iter().position(|id| *id == own).map_or(0, |at| at + 1);
                let mut parts: Vec<Part> = Vec::new();
                for part in attainment.parts.iter() {
                    let id = match tangled {
                        true if parts.is_empty() => Some("nowhere".into()),
                        true => pick(&attainments),
                        false => pick(&attainments[after..]),
                    };
                    if let Some(id) = id.filter(|id| parts.iter().all(|p| p.id != *id)) {
                        parts.push(Part { id, ects: part.ects });
                    }
                }
                attainment.parts.0 = parts;
            }
            _ => {}
        }
    }
}

/// Records of a kind before they have ids and references.
fn drafts(kind: RecordKind, vocabulary: &Vocabulary) -> BoxedStrategy<Record> {
    let schema = record_schema().to_value();
    let body_ref = json!({ "$ref": format!("#/$defs/{}", definition(kind)) });
    let bodies = |odd| Grammar { schema: &schema, vocabulary, odd }.value(&body_ref, &format!("/{kind}"));
    let (tenant, source) = (vocabulary.tenant.clone(), vocabulary.source.clone());
    let body = mostly(vocabulary.oddity, bodies(false), bodies(true));
    let states = mostly(vocabulary.tombstones, Just(State::Current).boxed(), select(&State::ALL[1..]).boxed());
    (body, select(vocabulary.institutions.clone()), states, proptest::option::of(0u64..9), any::<bool>())
        .prop_map(move |(body, institution, state, revision, keep_body)| {
            let mut line = json!({ "kind": kind, "tenant": tenant, "source": source, "institution": institution,
                "id": "", "learner": "", "state": state, "source_revision": revision });
            if keep_body || !state.is_tombstone() {
                line["body"] = body;
            }
            from_json(line)
        })
        .boxed()
}

#[expect(clippy::panic, reason = "test support: a generator that contradicts the schema is a defect of the kit")]
fn from_json(line: Value) -> Record {
    match serde_json::from_value(line.clone()) {
        Ok(record) => record,
        Err(e) => panic!("a generated value is no record ({e}); does the vocabulary fit the schema? {line}"),
    }
}

/// The name of a kind's body in the schema.
fn definition(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Learner => "Learner",
        RecordKind::StudyRight => "StudyRight",
        RecordKind::Enrolment => "Enrolment",
        RecordKind::MobilityPeriod => "MobilityPeriod",
        RecordKind::Attainment => "Attainment",
        RecordKind::Activity => "Activity",
    }
}

/// The second strategy for a share of the values.
fn mostly<T: std::fmt::Debug + 'static>(
    share: f64,
    first: BoxedStrategy<T>,
    second: BoxedStrategy<T>,
) -> BoxedStrategy<T> {
    let second_weight = (share.clamp(0.0, 1.0) * 1000.0) as u32;
    match second_weight {
        0 => first,
        1000 => second,
        weight => prop_oneof![1000 - weight => first, weight => second].boxed(),
    }
}

/// Nothing, or a value for a share of the cases.
fn perhaps<T: Clone + std::fmt::Debug + 'static>(
    share: f64,
    values: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    mostly(share, Just(None).boxed(), values.prop_map(Some).boxed())
}

/// Turns a JSON Schema into strategies for its values.
struct Grammar<'a> {
    schema: &'a Value,
    vocabulary: &'a Vocabulary,
    odd: bool,
}

type Values = BoxedStrategy<Value>;

impl Grammar<'_> {
    fn value(&self, schema: &Value, path: &str) -> Values {
        match self.vocabulary.values_at(path) {
            Some(_) if is(schema, "Coded") => self.coded(path),
            Some(values) => self.or_odd(select(values.to_vec()).boxed(), || self.by_shape(schema, path)),
            None => self.by_shape(schema, path),
        }
    }

    /// Plain values, with odd ones among them if the record is to be odd.
    fn or_odd(&self, plain: Values, odd: impl FnOnce() -> Values) -> Values {
        if self.odd { mostly(ODD_VALUES, plain, odd()) } else { plain }
    }

    fn by_shape(&self, schema: &Value, path: &str) -> Values {
        let pick = |plain: &[&'static str], odd: &[&'static str]| self.or_odd(texts(plain), || texts(odd));
        if let Some(name) = schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
            return match name {
                "Date" | "EndDate" => pick(&PLAIN_DAYS, &ODD_DAYS),
                "Amount" => pick(&PLAIN_AMOUNTS, &ODD_AMOUNTS),
                "Coded" => self.coded(path),
                "Text" => self.text(),
                "Extensions" => self.extensions(),
                _ => self.by_shape(&self.schema["$defs"][name], path),
            };
        }
        if let Some(options) = schema["anyOf"].as_array() {
            return self.by_shape(&options[0], path);
        }
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default();
        match kind {
            "array" => self.list(&schema["items"], path),
            "object" => self.object(schema, path),
            "boolean" => any::<bool>().prop_map(Value::Bool).boxed(),
            "integer" => (0..9).prop_map(Value::from).boxed(),
            _ => pick(&WORDS, &ODD_TEXTS),
        }
    }

    fn object(&self, schema: &Value, path: &str) -> Values {
        let required = |name: &str| schema["required"].as_array().is_some_and(|r| r.iter().any(|n| n == name));
        // Sorted, so that the cases are the same however the program that is built orders JSON members.
        let properties: BTreeMap<&String, &Value> = schema["properties"].as_object().into_iter().flatten().collect();
        let members: Vec<BoxedStrategy<Option<(String, Value)>>> = properties
            .into_iter()
            .map(|(name, member)| {
                let at = format!("{path}/{name}");
                let share = if required(name) { 1.0 } else { self.vocabulary.presence_at(&at) };
                let values = (Just(name.clone()), self.value(member, &at));
                perhaps(share, values)
            })
            .collect();
        members.prop_map(|members| Value::Object(members.into_iter().flatten().collect())).boxed()
    }

    fn list(&self, items: &Value, path: &str) -> Values {
        if is(items, "Text") && !self.odd {
            let languages = self.vocabulary.languages.clone();
            let text = |lang: &SmolStr| {
                (Just(lang.clone()), select(&WORDS[..])).prop_map(|(l, v)| json!({ "lang": l, "value": v }))
            };
            let all: Vec<_> = languages.iter().map(text).collect();
            let count = all.len();
            return (all, subsequence((0..count).collect::<Vec<_>>(), 1.min(count)..=count))
                .prop_map(|(all, kept)| kept.into_iter().map(|at| all[at].clone()).collect())
                .boxed();
        }
        vec(self.value(items, &format!("{path}/*")), 1..=3).prop_map(Value::Array).boxed()
    }

    /// One text; in an odd record without a language or in one of no list.
    fn text(&self) -> Values {
        let languages = select(self.vocabulary.languages.clone()).prop_map(|l| json!(l)).boxed();
        let languages = self.or_odd(languages, || select(vec![json!(null), json!("xx"), json!("")]).boxed());
        let values = self.or_odd(texts(&WORDS), || texts(&ODD_TEXTS));
        (languages, values).prop_map(|(lang, value)| json!({ "lang": lang, "value": value })).boxed()
    }

    /// A code of the vocabulary, else of a neutral list; in an odd record also a foreign one. Labelled now and then.
    fn coded(&self, path: &str) -> Values {
        let field = path.rsplit('/').find(|segment| *segment != "*").unwrap_or_default();
        let neutral = |value| json!({ "scheme": format!("neutral:{field}"), "value": value });
        let plain = self.vocabulary.values_at(path).map_or_else(|| vec![neutral("1"), neutral("2")], <[Value]>::to_vec);
        let schemes = texts(&["foreign:list", "https://foreign.example/list", ""]);
        let foreign = (schemes, texts(&["1", "999999", "", " 1 ", "ä&<"]))
            .prop_map(|(scheme, value)| json!({ "scheme": scheme, "value": value }));
        let codes = self.or_odd(select(plain).boxed(), || foreign.boxed());
        let labelled = self.vocabulary.presence_at(&format!("{path}/label")) / 2.0;
        (codes, perhaps(labelled, vec(self.text(), 1..=2)))
            .prop_map(|(mut code, label)| {
                if let (Some(code), Some(label)) = (code.as_object_mut(), label) {
                    code.insert("label".to_owned(), Value::Array(label));
                }
                code
            })
            .boxed()
    }

    /// A namespace no adapter knows, and where in its document a record stood.
    fn extensions(&self) -> Values {
        select(vec![
            json!({ "neutral": { "remark": "kept", "deep": { "list": [1, "2", null, true] } } }),
            json!({ "neutral.document": { "position": 3 } }),
            json!({ "neutral": { "a/b~c": "" }, "other": { "number": -7 } }),
        ])
        .boxed()
    }
}

/// True if a schema is a reference to this definition, or that or null.
fn is(schema: &Value, definition: &str) -> bool {
    let reference = schema["anyOf"].get(0).unwrap_or(schema)["$ref"].as_str();
    reference.and_then(|r| r.strip_prefix("#/$defs/")) == Some(definition)
}

fn texts(list: &[&'static str]) -> Values {
    select(list.to_vec()).prop_map(Value::from).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    use std::collections::BTreeSet;

    /// Every path that the schema gives a property, under its kind.
    fn declared(schema: &Value, at: &Value, path: &str, out: &mut BTreeSet<String>) {
        if let Some(name) = at["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
            return declared(schema, &schema["$defs"][name], path, out);
        }
        if let Some(options) = at["anyOf"].as_array() {
            options.iter().for_each(|option| declared(schema, option, path, out));
        }
        if !at["items"].is_null() {
            declared(schema, &at["items"], &format!("{path}/*"), out);
        }
        for (name, member) in at["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}/{name}");
            declared(schema, member, &path, out);
            out.insert(path);
        }
    }

    /// Every path a JSON value has.
    fn reached(value: &Value, path: &str, out: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let path = format!("{path}/{name}");
                    reached(member, &path, out);
                    out.insert(path);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| reached(item, &format!("{path}/*"), out)),
            _ => {}
        }
    }

    fn samples<T>(strategy: &impl Strategy<Value = T>, count: usize) -> Vec<T> {
        let mut runner = TestRunner::deterministic();
        (0..count).map(|_| strategy.new_tree(&mut runner).expect("generates").current()).collect()
    }

    #[test]
    fn every_path_of_the_schema_is_reached() {
        let schema = record_schema().to_value();
        let (mut wanted, mut found) = (BTreeSet::new(), BTreeSet::new());
        for variant in schema["oneOf"].as_array().expect("one variant per kind") {
            let kind = variant["properties"]["kind"]["const"].as_str().expect("a kind");
            declared(&schema, &schema, &format!("/{kind}"), &mut wanted);
            declared(&schema, variant, &format!("/{kind}"), &mut wanted);
        }
        let vocabulary = Vocabulary { tombstones: 0.1, ..Vocabulary::default() };
        for record in samples(&any_learner(&vocabulary), 300).iter().flatten() {
            let json = serde_json::to_value(record).expect("serialises");
            reached(&json, &format!("/{}", record.head.key.kind), &mut found);
        }
        let missed: Vec<_> = wanted.difference(&found).collect();
        assert!(wanted.len() > 150, "the schema was walked: {}", wanted.len());
        assert!(missed.is_empty(), "never generated: {missed:#?}");
    }

    #[test]
    fn a_learner_is_a_closed_set() {
        let vocabulary = Vocabulary { tangles: 0.0, density: 0.9, ..Vocabulary::default() };
        let (mut references, mut shared) = (0, 0);
        for records in samples(&any_learner(&vocabulary), 100) {
            let keys: BTreeSet<_> = records.iter().map(|r| (r.head.key.kind, &r.head.key.id)).collect();
            assert_eq!(keys.len(), records.len(), "keys are unique");
            assert!(records.iter().all(|r| r.head.learner == records[0].head.learner));
            let mut wholes = BTreeSet::new();
            for reference in records.iter().flat_map(Record::references) {
                assert!(keys.contains(&(reference.kind, &reference.id)), "dangling: {reference:?}");
                references += 1;
                let part = reference.role == crate::record::ReferenceRole::Part;
                shared += usize::from(part && !wholes.insert(reference.id));
            }
        }
        assert!(references > 100 && shared > 10, "{references} references, {shared} to a part that has two wholes");
    }

    #[test]
    fn tangles_dangle_and_go_in_circles() {
        let vocabulary = Vocabulary { tangles: 1.0, density: 0.9, ..Vocabulary::default() };
        let parts: Vec<_> = samples(&any_learner(&vocabulary), 50)
            .iter()
            .flatten()
            .flat_map(|r| {
                r.references().into_iter().map(|target| (r.head.key.id.clone(), target.id)).collect::<Vec<_>>()
            })
            .collect();
        assert!(parts.iter().any(|(_, target)| target == "nowhere"));
        assert!(parts.iter().any(|(own, target)| own == target));
    }

    #[test]
    fn a_vocabulary_rules_what_is_said() {
        let vocabulary = Vocabulary { oddity: 0.0, kinds: vec![RecordKind::Attainment], ..Vocabulary::default() }
            .codes("/attainment/language", "list", &["fi"])
            .codes("/attainment/language", "list", &["sv"])
            .always("/attainment/language")
            .never("/attainment/grade")
            .adjust(|record| record.head.key.institution = "adjusted".into());
        for record in samples(&any_record(&vocabulary), 50) {
            let Some(Body::Attainment(attainment)) = &record.body else { panic!("an attainment") };
            let language = attainment.language.as_ref().expect("always there");
            assert!(language.scheme == "list" && ["fi", "sv"].contains(&language.value.as_str()));
            assert!(attainment.grade.is_none());
            assert_eq!(record.head.key.institution, "adjusted");
        }
    }
}

//! What learning one person has, wherever it is recorded: each learning counts once.
//!
//! The same record in two stores is one. So is a record that one of them holds under another key, by all it says; of
//! several that say the same within one store each is learning of its own. Recognised credit and its origin at another
//! institution are two records of one learning. What a store calls partial counts within its whole alone.

use super::fingerprint::fingerprint;
use super::recognition;
use schemars::JsonSchema;
use serde::Serialize;
use silta_adapter::canonical::record_form;
use silta_adapter::identity::Validity;
use silta_adapter::mapping::Institutions;
use silta_adapter::record::{Amount, Body, Identifier, Record, RecordKey, RecordKind};
use silta_adapter::stacking::{Stack, stack};
use smol_str::{SmolStr, format_smolstr};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What one store says about a person.
#[derive(Debug, Clone)]
pub struct Store {
    /// Its name.
    pub name: SmolStr,
    /// Its records, of this person alone.
    pub records: Vec<Record>,
}

/// The learning of one person.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Credits {
    /// How it adds up over all stores, with what is odd.
    #[serde(flatten)]
    pub stack: Stack,
    /// What each store holds of it.
    pub stores: Vec<Holding>,
    /// Attainments that several stores hold, by the id under which they are counted, and which stores these are.
    pub shared: BTreeMap<SmolStr, Vec<SmolStr>>,
    /// Recognised credit and its origin: counted once.
    pub recognised: Vec<Recognised>,
}

/// What one store holds of a person's learning.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Holding {
    /// The store.
    pub store: SmolStr,
    /// Credits in all by what it holds alone.
    pub total: Amount,
    /// Attainments it holds.
    pub attainments: usize,
}

/// Recognised credit and its origin.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Recognised {
    /// What was recognised.
    pub credit: RecordKey,
    /// Where it was achieved.
    pub origin: RecordKey,
}

/// How one person's learning adds up over several stores.
pub fn credits(person: SmolStr, stores: &[Store], institutions: &Institutions) -> Credits {
    let merged = Merged::of(stores, institutions);
    let records: Vec<&Record> = merged.learnings.iter().map(|one| one.record).collect();
    let links = recognition::links(&records, institutions);
    let recognised = links.iter().map(|(credit, origin)| Recognised {
        credit: records[*credit].head.key.clone(),
        origin: records[*origin].head.key.clone(),
    });
    let total = |store: &Store| match stores.len() {
        1 => None,
        _ => Some(credits(person.clone(), std::slice::from_ref(store), institutions).stack.total),
    };
    let totals: Vec<Option<Amount>> = stores.iter().map(total).collect();
    let stack = stack(person.clone(), &merged.renamed(institutions), &links);
    let holdings = stores.iter().zip(totals).map(|(store, total)| Holding {
        store: store.name.clone(),
        total: total.unwrap_or(stack.total),
        attainments: store.records.iter().filter(|r| counts(r)).count(),
    });
    let several = merged.learnings.iter().filter(|one| one.stores.len() > 1);
    let names = |one: &Learning<'_>| one.stores.iter().map(|at| stores[*at].name.clone()).collect();
    Credits {
        stores: holdings.collect(),
        shared: several.map(|one| (one.name.clone(), names(one))).collect(),
        recognised: recognised.collect(),
        stack,
    }
}

fn counts(record: &Record) -> bool {
    record.head.key.kind == RecordKind::Attainment && !record.head.state.is_tombstone()
}

/// A key with the institution it lives under today.
type Identity = (SmolStr, SmolStr);

fn identity(record: &Record, institutions: &Institutions) -> Identity {
    (institutions.current(&record.head.key.institution).into(), record.head.key.id.clone())
}

/// One learning, in whatever stores.
struct Learning<'a> {
    /// The first record of it.
    record: &'a Record,
    /// The name it is told by: its id, if no other learning has it.
    name: SmolStr,
    stores: BTreeSet<usize>,
    identities: BTreeSet<(usize, Identity)>,
}

struct Merged<'a> {
    learnings: Vec<Learning<'a>>,
}

impl<'a> Merged<'a> {
    fn of(stores: &'a [Store], institutions: &Institutions) -> Self {
        let mut by_key: BTreeMap<Identity, usize> = BTreeMap::new();
        let mut learnings: Vec<Learning<'a>> = Vec::new();
        for (store, records) in stores.iter().enumerate() {
            for record in records.records.iter().filter(|r| counts(r)) {
                let identity = identity(record, institutions);
                let at = *by_key.entry(identity.clone()).or_insert_with(|| {
                    let name = record.head.key.id.clone();
                    learnings.push(Learning { record, name, stores: BTreeSet::new(), identities: BTreeSet::new() });
                    learnings.len() - 1
                });
                learnings[at].stores.insert(store);
                learnings[at].identities.insert((store, identity));
            }
        }
        let mut merged = Self { learnings: rekeyed(learnings, institutions) };
        merged.name(institutions);
        merged
    }

    /// Tells learnings of the same id apart.
    fn name(&mut self, institutions: &Institutions) {
        let mut ids: HashMap<SmolStr, usize> = HashMap::new();
        self.learnings.iter().for_each(|one| *ids.entry(one.name.clone()).or_default() += 1);
        for one in &mut self.learnings {
            if ids.get(&one.name).is_some_and(|n| *n > 1) {
                let (institution, id) = identity(one.record, institutions);
                one.name = format_smolstr!("{institution}:{id}");
            }
        }
    }

    /// The records as if one register had told them: unique ids, and parts named by them.
    fn renamed(&self, institutions: &Institutions) -> Vec<Record> {
        let mut names: HashMap<(usize, &str, &str), &SmolStr> = HashMap::new();
        for one in &self.learnings {
            for (store, (institution, id)) in &one.identities {
                names.insert((*store, institution, id), &one.name);
            }
        }
        let renamed = |one: &Learning<'_>| {
            let mut record = one.record.clone();
            let institution = institutions.current(&record.head.key.institution).to_owned();
            let store = one.stores.first().copied().unwrap_or_default();
            if let Some(Body::Attainment(body)) = &mut record.body {
                for part in &mut body.parts.0 {
                    let name = names.get(&(store, &institution, &part.id)).map(|name| (*name).clone());
                    part.id = name.unwrap_or_else(|| format_smolstr!("{institution}:{}", part.id));
                }
                if let Some(code) = &mut body.awarding_body {
                    code.value = institutions.current(&code.value).into();
                }
            }
            record.head.key.institution = institution.into();
            record.head.key.id = one.name.clone();
            record
        };
        self.learnings.iter().map(renamed).collect()
    }
}

/// Joins what stores hold under different keys: of learnings that say the same, one of each store.
fn rekeyed<'a>(learnings: Vec<Learning<'a>>, institutions: &Institutions) -> Vec<Learning<'a>> {
    let mut out: Vec<Learning<'a>> = Vec::with_capacity(learnings.len());
    let mut by_print: HashMap<String, Vec<usize>> = HashMap::new();
    for one in learnings {
        let Some(print) = fingerprint(&record_form(one.record), institutions) else {
            out.push(one);
            continue;
        };
        let alike = by_print.entry(print.to_string()).or_default();
        match alike.iter().find(|at| out[**at].stores.is_disjoint(&one.stores)).copied() {
            Some(at) => {
                out[at].stores.extend(one.stores);
                out[at].identities.extend(one.identities);
            }
            None => {
                alike.push(out.len());
                out.push(one);
            }
        }
    }
    out
}

/// The records of several stores, person by person. Who it is is told by identifiers that identify, never by names; in
/// one store also by the learner's key there.
pub fn people(stores: &[Store]) -> Vec<(SmolStr, Vec<Store>)> {
    let mut groups = Groups::default();
    for (at, store) in stores.iter().enumerate() {
        for record in &store.records {
            let key = record.learner_key();
            let own = groups.of(format!("{at} {} {} {}", key.tenant, key.source, key.id));
            let Some(Body::Learner(learner)) = &record.body else { continue };
            for identifier in learner.identifiers.iter().filter(|i| names_one(i)) {
                let other = groups.of(format!("= {} {}", identifier.scheme, identifier.normal()));
                groups.join(own, other);
            }
        }
    }
    let mut people: BTreeMap<usize, (SmolStr, Vec<Store>)> = BTreeMap::new();
    for (at, store) in stores.iter().enumerate() {
        for record in &store.records {
            let key = record.learner_key();
            let own = groups.of(format!("{at} {} {} {}", key.tenant, key.source, key.id));
            let root = groups.root(own);
            let empty = || stores.iter().map(|s| Store { name: s.name.clone(), records: Vec::new() }).collect();
            let (_, person) = people.entry(root).or_insert_with(|| (key.id.clone(), empty()));
            person[at].records.push(record.clone());
        }
    }
    people.into_values().collect()
}

/// True if an identifier names one person wherever it is told: one without rules may be a register's own.
fn names_one(identifier: &Identifier) -> bool {
    identifier.validity().identifies() && identifier.validity() != Validity::Unruled
}

/// Names that are joined to groups.
#[derive(Default)]
struct Groups {
    by_name: HashMap<String, usize>,
    parent: Vec<usize>,
}

impl Groups {
    fn of(&mut self, name: String) -> usize {
        let next = self.parent.len();
        let at = *self.by_name.entry(name).or_insert(next);
        if at == next {
            self.parent.push(next);
        }
        at
    }

    fn root(&self, mut at: usize) -> usize {
        while self.parent[at] != at {
            at = self.parent[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.parent[one.max(other)] = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;
    use serde_json::{Value, json};

    fn record(institution: &str, id: &str, ects: &str, body: Value) -> Record {
        let mut whole = json!({
            "title": [{"lang": "en", "value": format!("Course {id}")}], "completed_on": "2026-05-12",
            "credits": {"ects": ects}
        });
        for (name, value) in body.as_object().expect("an object") {
            whole[name] = value.clone();
        }
        let line = json!({"kind": "attainment", "tenant": "t", "source": "s", "institution": institution, "id": id,
            "learner": "L1", "body": whole});
        serde_json::from_value(line).expect("a record")
    }

    fn store(name: &str, records: &[Record]) -> Store {
        Store { name: name.into(), records: records.to_vec() }
    }

    fn sum(stores: &[Store]) -> Credits {
        let mappings = registry::mappings(None).expect("mappings");
        credits("L1".into(), stores, &mappings.institutions)
    }

    fn total(stores: &[Store]) -> String {
        let credits = sum(stores);
        assert!(credits.stack.oddities.is_empty(), "{:?}", credits.stack.oddities);
        credits.stack.total.to_string()
    }

    fn titled(title: &str) -> Value {
        json!({"title": [{"lang": "en", "value": title}]})
    }

    #[test]
    fn the_same_learning_in_two_stores_counts_once() {
        let (a, b) = (record("10122", "A", "5", json!({})), record("10122", "B", "3", json!({})));
        let both = [store("ledger", &[a.clone(), b.clone()]), store("virta", std::slice::from_ref(&a))];
        assert_eq!(total(&both), "8");
        let credits = sum(&both);
        let held: Vec<_> = credits.stores.iter().map(|h| (h.store.as_str(), h.total.to_string())).collect();
        assert_eq!(held, [("ledger", "8".to_owned()), ("virta", "5".to_owned())]);
        assert_eq!(credits.shared.keys().collect::<Vec<_>>(), ["A"]);
        // 02470 became part of 10126.
        let (old, new) = (record("02470", "C", "2", json!({})), record("10126", "C", "2", json!({})));
        assert_eq!(total(&[store("virta", &[old.clone(), new])]), "2", "loaded under both names");
        let other = record("10126", "N-7", "2", titled("Course C"));
        assert_eq!(total(&[store("ledger", &[old]), store("virta", &[other])]), "2", "under another key");
    }

    #[test]
    fn what_only_looks_alike_counts_each_time() {
        let (one, two) = (record("10122", "A", "5", titled("X")), record("10122", "B", "5", titled("Y")));
        assert_eq!(total(&[store("a", std::slice::from_ref(&one)), store("b", &[two])]), "10");
        let elsewhere = record("10089", "A", "5", titled("Z"));
        assert_eq!(total(&[store("a", &[one, elsewhere])]), "10", "one id at two institutions");
        // Two in one store are two, whatever the other holds under keys of its own.
        let twin = |id: &str| record("10122", id, "5", titled("Twin"));
        let ambiguous = sum(&[store("a", &[twin("A"), twin("B")]), store("b", &[twin("C")])]);
        assert_eq!(ambiguous.shared.len(), 1, "{ambiguous:?}");
    }

    #[test]
    fn recognised_credit_and_its_origin_are_one_learning() {
        let origin = record("10065", "O", "5", titled("Ethics"));
        let recognised = json!({
            "title": [{"lang": "en", "value": "Ethics"}], "recognised_on": "2026-06-01",
            "organisations": [{"role": {"scheme": "virta:organisaatiorooli", "value": "3"},
                "organisation": {"scheme": "virta:organisaatio", "value": "10065"}}]
        });
        let home = record("02509", "H", "5", recognised);
        let credits = sum(&[store("home", &[home]), store("host", &[origin])]);
        assert_eq!(credits.stack.total.to_string(), "5", "{credits:?}");
        let [link] = &credits.recognised[..] else { panic!("one link: {credits:?}") };
        assert_eq!((link.credit.id.as_str(), link.origin.id.as_str()), ("H", "O"));
        assert!(credits.stack.oddities.is_empty(), "that is no double counting");
    }

    #[test]
    fn recognised_credit_within_two_wholes_counts_in_one() {
        let recognised = json!({
            "title": [{"lang": "en", "value": "Ethics"}], "recognised_on": "2026-06-01",
            "organisations": [{"role": {"scheme": "virta:organisaatiorooli", "value": "3"},
                "organisation": {"scheme": "virta:organisaatio", "value": "10065"}}]
        });
        let host =
            [record("10065", "O", "5", titled("Ethics")), record("10065", "M", "25", json!({"parts": [{"id": "O"}]}))];
        let home = [record("02509", "H", "5", recognised), record("02509", "W", "30", json!({"parts": [{"id": "H"}]}))];
        let credits = sum(&[store("home", &home), store("host", &host)]);
        assert_eq!((credits.stack.total.to_string(), credits.recognised.len()), ("50".to_owned(), 1), "{credits:?}");
        let held: Vec<_> = credits.stores.iter().map(|h| h.total.to_string()).collect();
        assert_eq!(held, ["30", "25"]);
    }

    #[test]
    fn parts_are_known_by_their_own_store_and_partial_ones_do_not_count() {
        let partial = json!({"category": {"scheme": "virta:opintosuorituslaji", "value": "3"}});
        let whole = record("10122", "W", "5", json!({"parts": [{"id": "P"}]}));
        let sisu = [whole.clone(), record("10122", "P", "5", partial)];
        assert_eq!(total(&[store("ledger", &sisu), store("virta", &sisu)]), "5");
        let module = record("10122", "M", "10", json!({"parts": [{"id": "A"}]}));
        let course = record("10122", "A", "5", json!({}));
        let copy = record(
            "10122",
            "N",
            "10",
            json!({"title": module.clone().body.map(|b| match b {
                Body::Attainment(a) => serde_json::to_value(&a.title).expect("JSON"),
                _ => Value::Null,
            })}),
        );
        let both = [store("ledger", &[module, course.clone()]), store("virta", &[copy, course])];
        assert_eq!(total(&both), "10");
    }

    #[test]
    fn a_person_is_told_by_identifiers_and_never_by_names() {
        let learner = |key: &str, number: &str, name: &str| -> Record {
            let line = json!({"kind": "learner", "tenant": "t", "source": "s", "id": key, "learner": key, "body": {"family_name": name,
                "identifiers": [{"scheme": "fi:oppijanumero", "value": number}]}});
            serde_json::from_value(line).expect("a record")
        };
        let of = |key: &str, mut record: Record| {
            record.head.learner = key.into();
            record
        };
        let (number, other) = ("1.2.246.562.98.90000000019", "1.2.246.562.98.90000000027");
        let a = record("10122", "A", "5", json!({}));
        let stores = [
            store("a", &[learner("L1", number, "Malli"), of("L1", a.clone()), learner("L3", other, "Malli")]),
            store("b", &[learner("S9", number, "Toinen"), of("S9", a), of("L3", record("10122", "B", "1", json!({})))]),
        ];
        let people = people(&stores);
        let sizes: Vec<_> =
            people.iter().map(|(_, stores)| stores.iter().map(|s| s.records.len()).collect::<Vec<_>>()).collect();
        assert_eq!(sizes, [vec![2, 2], vec![1, 0], vec![0, 1]], "{people:?}");
    }
}

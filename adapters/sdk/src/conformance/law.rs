//! The fidelity law as checks that say what broke it.

use crate::adapter::{
    Adapter, Decode, DecodeContext, Decoded, Encode, EncodeContext, Encoded, Grouping, ItemPlan, Limits, NotWritten,
    Reading, Unreadable,
};
use crate::canonical::{diff, record_form};
use crate::fidelity::{Change, Loss, apply};
use crate::mapping::Mappings;
use crate::problem::{Problem, Severity};
use crate::record::{Body, Record, RecordKey, RecordKind};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::ops::AddAssign;

/// What was checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Items composed.
    pub items: usize,
    /// Items the encoder refused, which it may.
    pub refused: usize,
    /// Losses declared.
    pub losses: usize,
}

impl AddAssign for Outcome {
    fn add_assign(&mut self, other: Self) {
        self.items += other.items;
        self.refused += other.refused;
        self.losses += other.losses;
    }
}

/// All that a decoder found in one document.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    pub(super) problems: Vec<Problem>,
    pub(super) reading: Reading,
}

pub(super) fn decode(decoder: &dyn Decode, mut input: impl BufRead, ctx: &DecodeContext) -> Result<Found, Unreadable> {
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let mut sink = |found| {
        match found {
            Decoded::Record(record, _) => records.push(*record),
            Decoded::Problem(problem) => problems.push(problem),
        }
        Ok(())
    };
    let reading = decoder.decode(&mut input, ctx, &mut sink)?;
    Ok(Found { records, problems, reading })
}

/// Checks L1–L4 for every item that the encoder composes from all records of one learner, alone and — where each
/// record is an item — together in one document.
///
/// # Errors
/// If the law is broken; the text says which part, for which item and how.
pub fn check_law(adapter: &dyn Adapter, mappings: &Mappings, records: &[Record]) -> Result<Outcome, String> {
    let bench = Bench::new(adapter, mappings, records)?;
    let (plans, problems) = bench.encoder.items(records);
    bench.keeps_names_out(&problems)?;
    let mut outcome = Outcome { items: plans.len(), ..Outcome::default() };
    let mut projections = BTreeMap::new();
    for plan in &plans {
        let item = members(plan, records)?;
        let named = |reason: String| format!("item {} {}: {reason}", plan.root.kind, plan.root.id);
        match bench.encoder.encode(&item, bench.ctx(1)) {
            Err(refusal) if refusal.0.is_empty() => return Err(named("refused without a reason".to_owned())),
            Err(refusal) => {
                bench.keeps_names_out(&refusal.0).map_err(named)?;
                outcome.refused += 1;
            }
            Ok(encoded) => {
                outcome.losses += encoded.losses.len();
                let projection = bench.item(&item, &encoded).map_err(named)?;
                projections.insert(plan.root.clone(), projection);
            }
        }
    }
    if adapter.descriptor().grouping == Grouping::Record {
        bench.together(&plans, records, &projections)?;
    }
    Ok(outcome)
}

/// Checks L5: what was decoded, written back in the same form and decoded again, is the same set of records. Items
/// that the encoder refuses are left out of the comparison and counted.
///
/// # Errors
/// If the document cannot be read, or the records are not the same.
pub fn check_reading(adapter: &dyn Adapter, mappings: &Mappings, document: &[u8]) -> Result<Outcome, String> {
    let bench = Bench::new(adapter, mappings, &[])?;
    let first = decode(bench.decoder, document, &bench.reading).map_err(|e| format!("L5: {e}"))?;
    let form = first.reading.form.as_deref();
    let back = bench.write_back(&first.records, form).map_err(|e| format!("L5: {e}"))?;
    let again = bench.decode(&back.document).map_err(|e| format!("L5: written back, {e}"))?;
    if again.reading.form.as_deref() != form {
        return Err(format!("L5: the form {form:?} came back as {:?}", again.reading.form));
    }
    let distinct = |records: &[Record]| {
        let mut forms = forms(records);
        forms.dedup();
        forms
    };
    match distinct(&back.written) == distinct(&again.records) {
        true => Ok(back.outcome),
        false => Err(format!("L5: written back, the records differ: {}", differences(&back.written, &again.records))),
    }
}

/// An adapter under test.
struct Bench<'a> {
    adapter: &'a dyn Adapter,
    encoder: &'a dyn Encode,
    decoder: &'a dyn Decode,
    mappings: &'a Mappings,
    reading: DecodeContext,
    /// Personal values that no text for people may repeat.
    personal: Vec<String>,
}

/// A document of many items.
struct Written {
    document: Vec<u8>,
    losses: Vec<Loss>,
    /// The records of the items that were not refused.
    written: Vec<Record>,
    outcome: Outcome,
}

impl<'a> Bench<'a> {
    fn new(adapter: &'a dyn Adapter, mappings: &'a Mappings, records: &[Record]) -> Result<Self, String> {
        let (tenant, source) = match records.first() {
            Some(record) => (record.head.key.tenant.clone(), record.head.key.source.clone()),
            None => ("tenant".into(), "register".into()),
        };
        Ok(Self {
            adapter,
            encoder: adapter.encoder().ok_or("the adapter does not encode")?,
            decoder: adapter.decoder().ok_or("the adapter does not decode")?,
            mappings,
            reading: DecodeContext { tenant, source, limits: Limits::default() },
            personal: personal_values(records),
        })
    }

    fn ctx(&self, generation: u64) -> EncodeContext<'a> {
        // 2025-05-14T06:13:20Z and a day later per generation.
        let instant = jiff::Timestamp::from_second(1_747_203_200 + 86_400 * generation as i64).unwrap_or_default();
        EncodeContext { mappings: self.mappings, generation, instant }
    }

    /// Decodes a document of our own, which must give no errors.
    fn decode(&self, document: &[u8]) -> Result<Found, String> {
        let mut input = document;
        self.decoder
            .probe(&mut input, &self.reading.limits)
            .map_err(|e| format!("our own document fails the probe: {e}"))?;
        let found = decode(self.decoder, document, &self.reading)
            .map_err(|e| format!("our own document is unreadable: {e}"))?;
        match found.problems.iter().find(|p| p.severity == Severity::Error) {
            Some(problem) => Err(format!("our own document decodes with {problem}")),
            None => Ok(found),
        }
    }

    /// L1–L4 for one item; its projection.
    fn item(&self, item: &[Record], encoded: &Encoded) -> Result<Vec<Record>, String> {
        let projection = self.decode(&encoded.document)?.records;
        let expected = apply(&encoded.losses, item).map_err(|e| format!("L1: {e}"))?;
        if forms(&projection) != forms(&expected) {
            let how = differences(&expected, &projection);
            return Err(format!("L1: the document does not hold the item with its losses applied: {how}"));
        }
        self.honest(item, &encoded.losses)?;
        self.stable(&projection)?;
        let again = self.encoder.encode(item, self.ctx(1)).map_err(|e| format!("L4: refused the second time: {e}"))?;
        if again.document != encoded.document || again.losses != encoded.losses {
            return Err("L4: encoding twice gives two different documents".to_owned());
        }
        let later =
            self.encoder.encode(item, self.ctx(2)).map_err(|e| format!("L4: refused a generation later: {e}"))?;
        let later = self.decode(&later.document)?.records;
        match forms(&later) == forms(&projection) {
            true => Ok(projection),
            false => Err(format!("L4: the generation or instant alters content: {}", differences(&projection, &later))),
        }
    }

    /// L2: every loss is declared, and without it the outcome would be another.
    fn honest(&self, item: &[Record], losses: &[Loss]) -> Result<(), String> {
        let rules = self.adapter.descriptor().losses;
        let all = apply(losses, item).map_err(|e| format!("L1: {e}"))?;
        for (at, loss) in losses.iter().enumerate() {
            let rule = rules.iter().find(|rule| rule.id == loss.rule);
            let rule = rule.ok_or_else(|| format!("L2: the loss table has no rule {}", loss.rule))?;
            if !rule.covers(loss.key.kind, &loss.path) {
                return Err(format!("L2: the rule {} does not cover {} of kind {}", rule.id, loss.path, loss.key.kind));
            }
            let others: Vec<Loss> = losses[..at].iter().chain(&losses[at + 1..]).cloned().collect();
            // Where the others no longer apply or leave no record, this one matters.
            if apply(&others, item).is_ok_and(|without| json(&without) == json(&all)) {
                return Err(format!("L2: the loss at {} ({}) changes nothing", loss.path, loss.rule));
            }
        }
        Ok(())
    }

    /// L3: a projection encodes without losses and decodes to itself.
    fn stable(&self, projection: &[Record]) -> Result<(), String> {
        let back = self.write_back(projection, None).map_err(|e| format!("L3: {e}"))?;
        if back.outcome.refused > 0 {
            return Err("L3: the projection is refused".to_owned());
        }
        if let Some(loss) = back.losses.first() {
            return Err(format!("L3: the projection encodes with a loss at {} ({})", loss.path, loss.rule));
        }
        let again = self.decode(&back.document).map_err(|e| format!("L3: {e}"))?.records;
        match forms(&again) == forms(projection) {
            true => Ok(()),
            false => Err(format!("L3: the projection decodes to another: {}", differences(projection, &again))),
        }
    }

    /// Items that stand in one document say the same as alone, and a refused one leaves no trace but what others of
    /// the document declare to have added under its key.
    fn together(
        &self,
        plans: &[ItemPlan],
        records: &[Record],
        projections: &BTreeMap<RecordKey, Vec<Record>>,
    ) -> Result<(), String> {
        let mut kinds: Vec<RecordKind> = records.iter().map(|record| record.head.key.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let form = self.encoder.form_for(&kinds);
        let together = self.write(plans, records, form.as_deref())?;
        let found = self.decode(&together.document).map_err(|e| format!("together: {e}"))?;
        if together.outcome.refused != plans.len() - projections.len() {
            return Err("together: other items are refused than alone".to_owned());
        }
        for plan in plans {
            let of_item =
                |all: &[Record]| -> Vec<Record> { all.iter().filter(|r| r.head.key == plan.root).cloned().collect() };
            let mut alone = projections.get(&plan.root).map(|p| of_item(p)).unwrap_or_default();
            alone.extend(added(&together.losses, &plan.root)?);
            let here = of_item(&found.records);
            if forms(&alone) != forms(&here) {
                let how = differences(&alone, &here);
                return Err(format!("together: {} {} differs from alone: {how}", plan.root.kind, plan.root.id));
            }
        }
        Ok(())
    }

    /// Writes records of any learners as one document, composing their items anew; each record once.
    fn write_back(&self, records: &[Record], form: Option<&str>) -> Result<Written, String> {
        let mut learners: Vec<Vec<Record>> = Vec::new();
        let mut index = BTreeMap::new();
        for record in records {
            let at = *index.entry(record.learner_key()).or_insert(learners.len());
            if at == learners.len() {
                learners.push(Vec::new());
            }
            if !learners[at].contains(record) {
                learners[at].push(record.clone());
            }
        }
        let mut all: Vec<Record> = Vec::new();
        let mut plans = Vec::new();
        for mut learner in learners {
            learner.sort_by_key(|r| r.head.key.kind);
            let (composed, _) = self.encoder.items(&learner);
            plans.extend(
                composed
                    .into_iter()
                    .map(|plan| ItemPlan { members: plan.members.iter().map(|at| at + all.len()).collect(), ..plan }),
            );
            all.extend(learner);
        }
        self.write(&plans, &all, form)
    }

    fn write(&self, plans: &[ItemPlan], records: &[Record], form: Option<&str>) -> Result<Written, String> {
        let (mut document, mut losses, mut written) = (Vec::new(), Vec::new(), Vec::new());
        let mut outcome = Outcome { items: plans.len(), ..Outcome::default() };
        let mut writer = self.encoder.document(&mut document, form, self.ctx(1)).map_err(|e| e.to_string())?;
        for plan in plans {
            let item = members(plan, records)?;
            match writer.write(&item) {
                Ok(lost) => {
                    losses.extend(lost);
                    written.extend(item);
                }
                Err(NotWritten::Refused(_)) => outcome.refused += 1,
                Err(NotWritten::Io(e)) => return Err(e.to_string()),
            }
        }
        writer.finish().map_err(|e| e.to_string())?;
        outcome.losses = losses.len();
        Ok(Written { document, losses, written, outcome })
    }

    /// Texts for people hold nothing personal.
    fn keeps_names_out(&self, problems: &[Problem]) -> Result<(), String> {
        let leaks = |problem: &&Problem| self.personal.iter().any(|value| problem.message.contains(value));
        match problems.iter().find(leaks) {
            Some(problem) => Err(format!("the text of a {} problem repeats a personal value", problem.code)),
            None => Ok(()),
        }
    }
}

/// The records of an item, the root first.
fn members(plan: &ItemPlan, records: &[Record]) -> Result<Vec<Record>, String> {
    let bad = |reason: &str| format!("item {} {}: {reason}", plan.root.kind, plan.root.id);
    let item: Option<Vec<Record>> = plan.members.iter().map(|at| records.get(*at).cloned()).collect();
    let item = item.ok_or_else(|| bad("a member that was not given"))?;
    let mut distinct = plan.members.clone();
    distinct.sort_unstable();
    distinct.dedup();
    match item.first() {
        _ if distinct.len() != item.len() => Err(bad("a member twice")),
        Some(first) if first.head.key == plan.root => Ok(item),
        _ => Err(bad("the first member is not the root")),
    }
}

/// The records that losses declare to have added under a key.
fn added(losses: &[Loss], key: &RecordKey) -> Result<Vec<Record>, String> {
    let adds = |l: &&Loss| l.key == *key && l.path.is_empty() && matches!(l.change, Change::Added(_));
    apply(&losses.iter().filter(adds).cloned().collect::<Vec<_>>(), &[]).map_err(|e| format!("together: {e}"))
}

/// Canonical forms as a sorted multiset.
fn forms(records: &[Record]) -> Vec<String> {
    let mut forms: Vec<String> = records.iter().map(|r| record_form(r).to_string()).collect();
    forms.sort_unstable();
    forms
}

fn json(records: &[Record]) -> Option<Vec<Value>> {
    records.iter().map(|r| serde_json::to_value(r).ok()).collect()
}

/// The first few differences between two sets of records, for a failing test.
fn differences(expected: &[Record], found: &[Record]) -> String {
    let keyed = |records: &[Record]| -> BTreeMap<RecordKey, Value> {
        records.iter().map(|r| (r.head.key.clone(), record_form(r))).collect()
    };
    let (left, right) = (keyed(expected), keyed(found));
    let mut out = Vec::new();
    for key in left.keys().chain(right.keys().filter(|key| !left.contains_key(*key))) {
        let empty = Value::Null;
        let (l, r) = (left.get(key).unwrap_or(&empty), right.get(key).unwrap_or(&empty));
        for d in diff(l, r) {
            let side = |v: Option<Value>| v.map_or_else(|| "nothing".to_owned(), |v| v.to_string());
            out.push(format!("{} {}{}: expected {}, found {}", key.kind, key.id, d.path, side(d.left), side(d.right)));
        }
    }
    if out.is_empty() {
        return format!("{} records expected, {} found", expected.len(), found.len());
    }
    out.truncate(5);
    out.join("\n  ")
}

/// Names and identifiers long enough that repeating them is no accident.
fn personal_values(records: &[Record]) -> Vec<String> {
    let of = |record: &Record| match &record.body {
        Some(Body::Learner(learner)) => {
            let names = [&learner.family_name, &learner.given_names, &learner.full_name, &learner.email];
            let names = names.into_iter().flatten().cloned();
            names.chain(learner.identifiers.iter().map(|i| i.value.to_string())).collect()
        }
        _ => Vec::new(),
    };
    records.iter().flat_map(of).filter(|v| v.trim().len() > 5).collect()
}

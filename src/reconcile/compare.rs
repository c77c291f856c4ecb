//! What differs between what was accepted and what is there. Pure.

use super::fingerprint::fingerprint;
use super::recognition;
use crate::config::Ruling;
use crate::ledger::{FindingKind, Holding, Micros, Wanted};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use silta_adapter::canonical::{Difference, diff, record_form};
use silta_adapter::mapping::Institutions;
use silta_adapter::record::{Body, Record, RecordKey, RecordKind};
use smol_str::SmolStr;
use std::collections::{BTreeMap, HashMap, HashSet};

/// An item of one learner as we believe it stands at the destination.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The ledger's row.
    pub holding: Holding,
    /// The item's key.
    pub key: RecordKey,
    /// What was last accepted; `None` if nothing is there by our account.
    pub sent: Option<Record>,
    /// What was seen there last.
    pub confirmed: Option<Record>,
    /// The delivery whose answer was lost, if the debt is uncertain.
    pub lost: Option<Lost>,
}

/// A delivery whose answer was lost.
#[derive(Debug, Clone)]
pub struct Lost {
    /// What it would have put there; `None` if it would have taken it back.
    pub wanted: Option<Record>,
    /// When it was tried last; `None` if that is not known yet.
    pub tried: Option<Micros>,
}

/// When a difference is an error.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The time.
    pub now: Micros,
    /// How long after a delivery a difference is not yet an error.
    pub settle: Micros,
    /// True if the answer is known to be everything.
    pub complete: bool,
    /// Mergers of institutions, applied as aliases.
    pub institutions: &'a Institutions,
    /// Fields the store holds but does not show.
    pub withheld: &'a [(RecordKind, &'a str)],
}

/// What comparing one learner came to.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Indices of the expected items that are exactly as they should be, present or absent.
    pub agreed: Vec<usize>,
    /// Indices of items whose last delivery is settled by what is there now: true if it arrived.
    pub arrived: Vec<(usize, bool)>,
    /// What is not.
    pub findings: Vec<Finding>,
    /// Records of other institutions in which credit that ours recognised has its origin: no findings.
    pub origins: usize,
}

/// One finding about one item.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Index of the expected item, if it is one of ours.
    pub expected: Option<usize>,
    /// Its key.
    pub key: RecordKey,
    /// What kind of difference.
    pub kind: FindingKind,
    /// What is there.
    pub found: Option<Record>,
    /// Field by field.
    pub evidence: Evidence,
    /// Index of the expected item whose finding implies this one.
    pub implied_by: Option<usize>,
}

/// The evidence of a finding, as stored (sealed) and shown to operators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The item's key.
    pub key: RecordKey,
    /// Field-level differences: left what was accepted, right what is there.
    #[serde(default)]
    pub fields: Vec<Difference>,
    /// What it means and what the repair would be.
    pub proposal: String,
    /// The other key, for a re-keyed item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<RecordKey>,
    /// What becomes of it; what the connection's `repair` says, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Ruling>,
}

/// Compares what was accepted for one learner with what is there.
pub fn compare(expected: &[Expected], found: &[Record], terms: Terms<'_>) -> Comparison {
    let mut out = Comparison::default();
    let mut there: HashMap<Identity, Vec<&Record>> = HashMap::new();
    for record in found {
        there.entry(identity(&record.head.key, terms.institutions)).or_default().push(record);
    }
    let ours: HashSet<&RecordKey> = expected.iter().map(|item| &item.key).collect();
    let mut missing = Vec::new();
    for (at, item) in expected.iter().enumerate() {
        let held = match there.get_mut(&identity(&item.key, terms.institutions)) {
            Some(records) => held_under(&item.key, &ours, records),
            None => Vec::new(),
        };
        if let Some(lost) = &item.lost {
            match arrived(lost, &held, terms) {
                Some(arrived) => out.arrived.push((at, arrived)),
                None => out.findings.push(settling(at, item, held.first().copied())),
            }
            continue;
        }
        match (&item.sent, held.as_slice()) {
            (None, []) => out.agreed.push(at),
            (Some(_), []) if !terms.complete => {}
            (Some(_), []) => missing.push(at),
            (None, [record, ..]) => out.findings.push(unexpected(at, item, record, terms)),
            (Some(sent), [record, others @ ..]) => {
                let form = comparable(record, terms);
                let again = |other: &&&Record| {
                    other.head.key.institution != record.head.key.institution || comparable(other, terms) != form
                };
                if let Some(other) = others.iter().find(again) {
                    out.findings.push(duplicate(at, item, record, other, terms));
                } else if shown(sent, &form, terms) == form {
                    out.agreed.push(at);
                } else {
                    out.findings.push(differs(at, item, sent, record, terms));
                }
            }
        }
    }
    orphans(expected, found, &missing, terms, &mut out);
    let mut strangers: Vec<&Record> = there.into_values().flatten().collect();
    strangers.sort_by(|a, b| a.head.key.cmp(&b.head.key));
    out.origins = leave_origins(expected, &mut strangers, terms.institutions);
    rekeyed(expected, &mut missing, &mut strangers, terms, &mut out);
    for at in missing {
        out.findings.push(absent(at, &expected[at], terms));
    }
    for record in strangers {
        out.findings.push(finding(
            None,
            &record.head.key,
            FindingKind::Unexpected,
            Some(record),
            "the store holds a record we never sent; the next whole load removes it",
        ));
    }
    attach_to_learner(expected, &mut out.findings);
    out
}

/// Whether a delivery whose answer was lost arrived; `None` while that cannot be known. That it did not is known only
/// when the store had the time to show it.
fn arrived(lost: &Lost, held: &[&Record], terms: Terms<'_>) -> Option<bool> {
    let same = |wanted: &Record, there: &Record| {
        let form = comparable(there, terms);
        shown(wanted, &form, terms) == form
    };
    let is_there = match (&lost.wanted, held) {
        (Some(wanted), [there, ..]) => same(wanted, there),
        (Some(_), []) => false,
        (None, held) => held.is_empty() && terms.complete,
    };
    let late = lost.tried.is_some_and(|tried| tried + terms.settle <= terms.now);
    if is_there { Some(true) } else { (late && terms.complete).then_some(false) }
}

/// A key with the institution it lives under today.
type Identity = (RecordKind, String, String);

fn identity(key: &RecordKey, institutions: &Institutions) -> Identity {
    (key.kind, institutions.current(&key.institution).to_owned(), key.id.to_string())
}

/// Takes what the store holds under a key, first under the institution as sent. What stands under another name of the
/// institution is the same, unless it is a key of ours itself: a register may have sent both.
fn held_under<'a>(key: &RecordKey, ours: &HashSet<&RecordKey>, records: &mut Vec<&'a Record>) -> Vec<&'a Record> {
    let exact = |record: &Record| record.head.key.institution == key.institution;
    let of_another = |record: &Record| {
        let named = RecordKey { institution: record.head.key.institution.clone(), ..key.clone() };
        !exact(record) && ours.contains(&named)
    };
    let (rest, mut held): (Vec<_>, Vec<_>) = records.drain(..).partition(|record| of_another(record));
    *records = rest;
    held.sort_by_key(|record| !exact(record));
    held
}

/// The canonical form of what is compared: the body and whom it is about. Under which institution's name a record of a
/// merged institution stands is the store's business, not a difference.
fn comparable(record: &Record, terms: Terms<'_>) -> Value {
    let institutions = terms.institutions;
    let mut form = record_form(record);
    let Value::Object(map) = &mut form else { return form };
    for name in ["tenant", "source", "state", "non_disclosure"] {
        map.remove(name);
    }
    if let Some(Value::String(institution)) = map.get_mut("institution") {
        *institution = institutions.current(institution).to_owned();
    }
    if let Some(Value::String(code)) = map.get_mut("body").and_then(|b| b.pointer_mut("/awarding_body/value")) {
        *code = institutions.current(code).to_owned();
    }
    form
}

/// What was accepted as a reading can show it: without fields that the store withholds and did not give.
fn shown(accepted: &Record, found: &Value, terms: Terms<'_>) -> Value {
    let mut form = comparable(accepted, terms);
    let kind = accepted.head.key.kind;
    for (_, path) in terms.withheld.iter().filter(|(of, path)| *of == kind && found.pointer(path).is_none()) {
        if let Some((parent, name)) = path.rsplit_once('/')
            && let Some(Value::Object(map)) = form.pointer_mut(parent)
        {
            map.remove(name);
        }
    }
    // What is empty is absent in a canonical form.
    if let Value::Object(map) = &mut form {
        map.retain(|_, value| value.as_object().is_none_or(|members| !members.is_empty()));
    }
    form
}

fn finding(
    expected: Option<usize>,
    key: &RecordKey,
    kind: FindingKind,
    found: Option<&Record>,
    proposal: &str,
) -> Finding {
    Finding {
        expected,
        key: key.clone(),
        kind,
        found: found.cloned(),
        evidence: Evidence {
            key: key.clone(),
            fields: Vec::new(),
            proposal: proposal.to_owned(),
            other: None,
            ruling: None,
        },
        implied_by: None,
    }
}

/// True while the last delivery is so recent that the store may not show it yet, or another one is under way.
fn in_flight(item: &Expected, terms: Terms<'_>) -> bool {
    let recent = item.holding.sent_at.is_some_and(|sent| sent + terms.settle > terms.now);
    recent || item.holding.state.open()
}

fn settling(at: usize, item: &Expected, found: Option<&Record>) -> Finding {
    finding(Some(at), &item.key, FindingKind::Settling, found, "a delivery is under way; looked at again later")
}

fn absent(at: usize, item: &Expected, terms: Terms<'_>) -> Finding {
    if in_flight(item, terms) {
        return settling(at, item, None);
    }
    finding(Some(at), &item.key, FindingKind::Missing, None, "it was accepted and is not there; send it again")
}

fn duplicate(at: usize, item: &Expected, record: &Record, other: &Record, terms: Terms<'_>) -> Finding {
    let why = match other.head.key.institution == record.head.key.institution {
        true => "the store holds it more than once with different content",
        false => "the store holds it twice, once under an earlier name of the institution",
    };
    let mut out = finding(Some(at), &item.key, FindingKind::Duplicate, Some(other), why);
    out.evidence.fields = diff(&comparable(record, terms), &comparable(other, terms));
    out
}

fn unexpected(at: usize, item: &Expected, record: &Record, terms: Terms<'_>) -> Finding {
    if in_flight(item, terms) {
        return settling(at, item, Some(record));
    }
    let why = match item.holding.wanted {
        Some(Wanted::Absent) => "it was taken back and is still there; take it back again",
        _ => "it is there although nothing was accepted; send what is wanted or load everything again",
    };
    finding(Some(at), &item.key, FindingKind::Unexpected, Some(record), why)
}

fn differs(at: usize, item: &Expected, sent: &Record, record: &Record, terms: Terms<'_>) -> Finding {
    let found = comparable(record, terms);
    let older = |confirmed: &Record| shown(confirmed, &found, terms) == found;
    let mut out = if in_flight(item, terms) {
        settling(at, item, Some(record))
    } else if item.confirmed.as_ref().is_some_and(older) {
        finding(Some(at), &item.key, FindingKind::Stale, Some(record), "an older version is there; send it again")
    } else {
        finding(Some(at), &item.key, FindingKind::Differs, Some(record), "other content is there; send it again")
    };
    out.evidence.fields = diff(&shown(sent, &found, terms), &found);
    out
}

/// Wholes that are as they should be, but name a part that is not there.
fn orphans(expected: &[Expected], found: &[Record], missing: &[usize], terms: Terms<'_>, out: &mut Comparison) {
    let is_attainment = |key: &RecordKey| key.kind == RecordKind::Attainment;
    let there: HashSet<&str> =
        found.iter().filter(|r| is_attainment(&r.head.key)).map(|r| r.head.key.id.as_str()).collect();
    let lacks = |at: &usize| {
        let Some(Body::Attainment(body)) = expected[*at].sent.as_ref().and_then(|r| r.body.as_ref()) else {
            return None;
        };
        body.parts.iter().find(|part| !there.contains(part.id.as_str())).map(|part| part.id.clone())
    };
    let wholes: Vec<(usize, SmolStr)> = out.agreed.iter().filter_map(|at| Some((*at, lacks(at)?))).collect();
    for (at, part) in wholes.into_iter().filter(|(at, _)| terms.complete && !in_flight(&expected[*at], terms)) {
        let why = "a part it names is not there; sending the part again mends it";
        let mut one = finding(Some(at), &expected[at].key, FindingKind::OrphanPart, None, why);
        let implies = |m: &&usize| expected[**m].key.id == part && is_attainment(&expected[**m].key);
        one.implied_by = missing.iter().find(implies).copied();
        out.findings.push(one);
    }
}

/// Leaves out what other institutions say about learning that ours recognised: it is theirs. Returns how much.
fn leave_origins(expected: &[Expected], strangers: &mut Vec<&Record>, institutions: &Institutions) -> usize {
    let ours: Vec<&Record> = expected.iter().filter_map(|item| item.sent.as_ref()).collect();
    let all: Vec<&Record> = ours.iter().chain(strangers.iter()).copied().collect();
    let origins: HashSet<usize> = recognition::links(&all, institutions)
        .into_iter()
        .filter_map(|(home, origin)| if home < ours.len() { origin.checked_sub(ours.len()) } else { None })
        .collect();
    let mut at = 0;
    strangers.retain(|_| {
        at += 1;
        !origins.contains(&(at - 1))
    });
    origins.len()
}

/// A missing item and a stranger that say the same about the same learning are one item under another key. Where more
/// than one could match, nothing is guessed.
fn rekeyed(
    expected: &[Expected],
    missing: &mut Vec<usize>,
    strangers: &mut Vec<&Record>,
    terms: Terms<'_>,
    out: &mut Comparison,
) {
    let print = |record: &Record| Some(fingerprint(&record_form(record), terms.institutions)?.to_string());
    let mut prints: BTreeMap<String, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for at in missing.iter() {
        if let Some(print) = expected[*at].sent.as_ref().and_then(print) {
            prints.entry(print).or_default().0.push(*at);
        }
    }
    for (place, record) in strangers.iter().enumerate() {
        if let Some(sides) = print(record).and_then(|print| prints.get_mut(&print)) {
            sides.1.push(place);
        }
    }
    let mut matched = Vec::new();
    for (ours, theirs) in prints.values() {
        if let ([at], [place]) = (ours.as_slice(), theirs.as_slice())
            && !in_flight(&expected[*at], terms)
        {
            let record = strangers[*place];
            let mut one = finding(
                Some(*at),
                &expected[*at].key,
                FindingKind::Rekeyed,
                Some(record),
                "the same learning is there under another key; an operator decides which key stands",
            );
            one.evidence.other = Some(record.head.key.clone());
            out.findings.push(one);
            missing.retain(|m| m != at);
            matched.push(*place);
        }
    }
    let mut place = 0;
    strangers.retain(|_| {
        place += 1;
        !matched.contains(&(place - 1))
    });
}

/// If the learner's own item is missing, everything else that is missing follows from it.
fn attach_to_learner(expected: &[Expected], findings: &mut [Finding]) {
    use silta_adapter::record::RecordKind::Learner;
    let learner =
        findings.iter().find(|f| f.kind == FindingKind::Missing && f.key.kind == Learner).and_then(|f| f.expected);
    let Some(learner) = learner else { return };
    for one in findings.iter_mut().filter(|f| f.kind == FindingKind::Missing && f.expected != Some(learner)) {
        if one.expected.is_some_and(|at| expected[at].holding.learner == expected[learner].holding.learner) {
            one.implied_by = Some(learner);
        }
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;

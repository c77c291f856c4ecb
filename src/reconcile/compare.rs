//! What differs between what was accepted and what is there. Pure.

use super::fingerprint::fingerprint;
use super::item::{Found, Item, comparable, shown};
use super::recognition;
use crate::config::Ruling;
use crate::ledger::{FindingKind, Holding, LearnerId, Micros, Wanted};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use silta_adapter::canonical::{Difference, diff, record_form};
use silta_adapter::mapping::Institutions;
use silta_adapter::record::{Body, Record, RecordKey, RecordKind};
use smol_str::SmolStr;
use std::collections::{BTreeMap, HashMap, HashSet};

/// An item of one person as we believe it stands at the destination.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The ledger's row.
    pub holding: Holding,
    /// The item's key.
    pub key: RecordKey,
    /// What was last accepted; `None` if nothing is there by our account.
    pub sent: Option<Item>,
    /// What was seen there last.
    pub confirmed: Option<Item>,
    /// The delivery whose answer was lost, if the debt is uncertain.
    pub lost: Option<Lost>,
}

/// A delivery whose answer was lost.
#[derive(Debug, Clone)]
pub struct Lost {
    /// What it would have put there; `None` if it would have taken it back.
    pub wanted: Option<Item>,
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
    /// The local ids of one person, if she is several learners: a record of hers may stand under any of them.
    pub person: &'a [SmolStr],
}

/// What comparing one person came to.
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
    pub found: Option<Item>,
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

/// Compares what was accepted for one person, of however many learners, with what is there.
pub fn compare(expected: &[Expected], found: &[Found<'_>], terms: Terms<'_>) -> Comparison {
    let mut out = Comparison::default();
    let mut there: HashMap<Identity, Vec<&Found<'_>>> = HashMap::new();
    for item in found {
        there.entry(identity(&item.root.head.key, terms.institutions)).or_default().push(item);
    }
    let ours: HashSet<&RecordKey> = expected.iter().map(|item| &item.key).collect();
    let mut missing = Vec::new();
    for (at, item) in expected.iter().enumerate() {
        let held = match there.get_mut(&identity(&item.key, terms.institutions)) {
            Some(found) => held_under(&item.key, &ours, found),
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
            (None, [there, ..]) => out.findings.push(unexpected(at, item, there, terms)),
            (Some(sent), [there, others @ ..]) => {
                let form = comparable(there, terms);
                let again = |other: &&&Found<'_>| {
                    other.root.head.key.institution != there.root.head.key.institution
                        || comparable(other, terms) != form
                };
                if let Some(other) = others.iter().find(again) {
                    out.findings.push(duplicate(at, item, there, other, terms));
                } else if shown(sent, &form, terms) == form {
                    out.agreed.push(at);
                } else {
                    out.findings.push(differs(at, item, sent, there, terms));
                }
            }
        }
    }
    orphans(expected, found, &missing, terms, &mut out);
    let mut strangers: Vec<&Found<'_>> = there.into_values().flatten().collect();
    strangers.sort_by(|a, b| a.root.head.key.cmp(&b.root.head.key));
    out.origins = leave_origins(expected, &mut strangers, terms.institutions);
    rekeyed(expected, &mut missing, &mut strangers, terms, &mut out);
    for at in missing {
        out.findings.push(absent(at, &expected[at], terms));
    }
    for stranger in strangers {
        out.findings.push(finding(
            None,
            &stranger.root.head.key,
            FindingKind::Unexpected,
            Some(stranger),
            "the store holds a record we never sent; the next whole load removes it",
        ));
    }
    attach_to_learner(expected, &mut out.findings);
    out
}

/// Whether a delivery whose answer was lost arrived; `None` while that cannot be known. That it did not is known only
/// when the store had the time to show it.
fn arrived(lost: &Lost, held: &[&Found<'_>], terms: Terms<'_>) -> Option<bool> {
    let same = |wanted: &Item, there: &Found<'_>| {
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
fn held_under<'a, 'b>(
    key: &RecordKey,
    ours: &HashSet<&RecordKey>,
    found: &mut Vec<&'b Found<'a>>,
) -> Vec<&'b Found<'a>> {
    let exact = |item: &Found<'_>| item.root.head.key.institution == key.institution;
    let of_another = |item: &Found<'_>| {
        let named = RecordKey { institution: item.root.head.key.institution.clone(), ..key.clone() };
        !exact(item) && ours.contains(&named)
    };
    let (rest, mut held): (Vec<_>, Vec<_>) = found.drain(..).partition(|item| of_another(item));
    *found = rest;
    held.sort_by_key(|item| !exact(item));
    held
}

fn finding(
    expected: Option<usize>,
    key: &RecordKey,
    kind: FindingKind,
    found: Option<&Found<'_>>,
    proposal: &str,
) -> Finding {
    Finding {
        expected,
        key: key.clone(),
        kind,
        found: found.map(Found::cloned),
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

fn settling(at: usize, item: &Expected, found: Option<&Found<'_>>) -> Finding {
    finding(Some(at), &item.key, FindingKind::Settling, found, "a delivery is under way; looked at again later")
}

fn absent(at: usize, item: &Expected, terms: Terms<'_>) -> Finding {
    if in_flight(item, terms) {
        return settling(at, item, None);
    }
    finding(Some(at), &item.key, FindingKind::Missing, None, "it was accepted and is not there; send it again")
}

fn duplicate(at: usize, item: &Expected, there: &Found<'_>, other: &Found<'_>, terms: Terms<'_>) -> Finding {
    let why = match other.root.head.key.institution == there.root.head.key.institution {
        true => "the store holds it more than once with different content",
        false => "the store holds it twice, once under an earlier name of the institution",
    };
    let mut out = finding(Some(at), &item.key, FindingKind::Duplicate, Some(other), why);
    out.evidence.fields = diff(&comparable(there, terms), &comparable(other, terms));
    out
}

fn unexpected(at: usize, item: &Expected, there: &Found<'_>, terms: Terms<'_>) -> Finding {
    if in_flight(item, terms) {
        return settling(at, item, Some(there));
    }
    let why = match item.holding.wanted {
        Some(Wanted::Absent) => "it was taken back and is still there; take it back again",
        _ => "it is there although nothing was accepted; send what is wanted or load everything again",
    };
    finding(Some(at), &item.key, FindingKind::Unexpected, Some(there), why)
}

fn differs(at: usize, item: &Expected, sent: &Item, there: &Found<'_>, terms: Terms<'_>) -> Finding {
    let found = comparable(there, terms);
    let older = |confirmed: &Item| shown(confirmed, &found, terms) == found;
    let mut out = if in_flight(item, terms) {
        settling(at, item, Some(there))
    } else if item.confirmed.as_ref().is_some_and(older) {
        finding(Some(at), &item.key, FindingKind::Stale, Some(there), "an older version is there; send it again")
    } else {
        finding(Some(at), &item.key, FindingKind::Differs, Some(there), "other content is there; send it again")
    };
    out.evidence.fields = diff(&shown(sent, &found, terms), &found);
    out
}

/// Wholes that are as they should be, but name a part that is not there.
fn orphans(expected: &[Expected], found: &[Found<'_>], missing: &[usize], terms: Terms<'_>, out: &mut Comparison) {
    let is_attainment = |key: &RecordKey| key.kind == RecordKind::Attainment;
    let there = found.iter().flat_map(Found::records).map(|record| &record.head.key);
    let there: HashSet<&str> = there.filter(|key| is_attainment(key)).map(|key| key.id.as_str()).collect();
    let lacks = |at: &usize| {
        let Some(Body::Attainment(body)) = expected[*at].sent.as_ref().and_then(|item| item.root.body.as_ref()) else {
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
fn leave_origins(expected: &[Expected], strangers: &mut Vec<&Found<'_>>, institutions: &Institutions) -> usize {
    let ours: Vec<&Record> = expected.iter().filter_map(|item| Some(&item.sent.as_ref()?.root)).collect();
    let all: Vec<&Record> = ours.iter().copied().chain(strangers.iter().map(|item| item.root)).collect();
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
    strangers: &mut Vec<&Found<'_>>,
    terms: Terms<'_>,
    out: &mut Comparison,
) {
    let print = |record: &Record| Some(fingerprint(&record_form(record), terms.institutions)?.to_string());
    let mut prints: BTreeMap<String, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for at in missing.iter() {
        if let Some(print) = expected[*at].sent.as_ref().and_then(|item| print(&item.root)) {
            prints.entry(print).or_default().0.push(*at);
        }
    }
    for (place, stranger) in strangers.iter().enumerate() {
        if let Some(sides) = print(stranger.root).and_then(|print| prints.get_mut(&print)) {
            sides.1.push(place);
        }
    }
    let mut matched = Vec::new();
    for (ours, theirs) in prints.values() {
        if let ([at], [place]) = (ours.as_slice(), theirs.as_slice())
            && !in_flight(&expected[*at], terms)
        {
            let stranger = strangers[*place];
            let mut one = finding(
                Some(*at),
                &expected[*at].key,
                FindingKind::Rekeyed,
                Some(stranger),
                "the same learning is there under another key; an operator decides which key stands",
            );
            one.evidence.other = Some(stranger.root.head.key.clone());
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

/// If a learner's own item is missing, everything else of hers that is missing follows from it.
fn attach_to_learner(expected: &[Expected], findings: &mut [Finding]) {
    let own = |f: &Finding| f.expected.filter(|_| f.kind == FindingKind::Missing && f.key.kind == RecordKind::Learner);
    let learner = |at: usize| expected[at].holding.learner;
    let missing: HashMap<LearnerId, usize> = findings.iter().filter_map(own).map(|at| (learner(at), at)).collect();
    for one in findings.iter_mut().filter(|f| f.kind == FindingKind::Missing) {
        one.implied_by = one.expected.and_then(|at| missing.get(&learner(at)).copied().filter(|own| *own != at));
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;

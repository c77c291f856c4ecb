//! Learners with their study rights as Koski stores and takes them, into records.

use crate::key::SourceId;
use crate::shape::{BADGE, Shape};
use serde_json::{Map, Value};
use silta_adapter::SmolStr;
use silta_adapter::adapter::{DecodeContext, Decoded, Limits, Reading, Sink, Unreadable};
use silta_adapter::json;
use silta_adapter::problem::Problem;
use silta_adapter::record::{Attainment, Body, Learner, Record, RecordKey, RecordKind, StudyRight};
use std::collections::BTreeSet;
use std::io::BufRead;

/// Reads for well-formedness and bounds only.
pub(crate) fn probe(input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
    json::values(input, limits, |bytes, line| json::object(bytes, line).map(drop))
}

/// Reads all learners of the input.
pub(crate) fn documents(
    input: &mut dyn BufRead,
    ctx: &DecodeContext,
    sink: &mut Sink<'_>,
) -> Result<Reading, Unreadable> {
    let mut unread = BTreeSet::new();
    json::values(input, &ctx.limits, |bytes, line| {
        let found = learner(json::object(bytes, line)?, line, ctx, &mut unread);
        found.into_iter().try_for_each(&mut *sink).map_err(|_| Unreadable::Stopped)
    })?;
    Ok(Reading { form: None, unread: unread.into_iter().collect() })
}

/// One learner (`oppija`): her record, once under each key that her study rights know her by, and theirs.
fn learner(
    mut oppija: Map<String, Value>,
    line: u64,
    ctx: &DecodeContext,
    unread: &mut BTreeSet<String>,
) -> Vec<Decoded> {
    let wrong = |code, text: &str, path: String| Decoded::Problem(Problem::error(code, text).at(path).on_line(line));
    let (person, rights) = (oppija.remove("henkilö"), oppija.remove("opiskeluoikeudet"));
    for name in oppija.keys() {
        if unread.len() < ctx.limits.problems {
            unread.insert(format!("/{name}"));
        }
    }
    let Some(person @ Value::Object(_)) = person else {
        return vec![wrong("no_person", "there is no person", "/henkilö".into())];
    };
    let rights = match rights {
        Some(Value::Array(rights)) => rights,
        None => Vec::new(),
        Some(_) => return vec![wrong("no_list", "the study rights are no list", "/opiskeluoikeudet".into())],
    };
    let non_disclosure = person.get("turvakielto") == Some(&Value::Bool(true));
    let local = local_id(&person);
    let (mut problems, mut records) = (Vec::new(), Vec::new());
    let mut learners: Vec<(RecordKey, SmolStr)> = Vec::new();
    for (at, right) in rights.into_iter().enumerate() {
        if !right.is_object() {
            let path = format!("/opiskeluoikeudet/{at}");
            problems.push(wrong("no_study_right", "a study right is no object", path));
            continue;
        }
        let (record, learner) = study_right(right, &local, ctx);
        let known_as = (learner, record.head.learner.clone());
        if !learners.contains(&known_as) {
            learners.push(known_as);
        }
        records.push(record);
    }
    if learners.is_empty() {
        learners.push((key(ctx, RecordKind::Learner, "", local.clone()), local));
    }
    let body = Body::Learner(Box::new(Learner::read(person)));
    let known = learners.into_iter().map(|(key, local)| Record::current(key, local, body.clone()));
    let told = known.chain(records).map(|mut record| {
        record.head.non_disclosure = non_disclosure;
        Decoded::Record(Box::new(record), line)
    });
    problems.into_iter().chain(told).collect()
}

/// A study right's record, and the key of the learner's own.
fn study_right(tree: Value, local: &SmolStr, ctx: &DecodeContext) -> (Record, RecordKey) {
    let text = |pointer: &str| tree.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let is_badge = matches!(tree.get("suoritukset"), Some(Value::Array(list)) if list.len() == 1)
        && text("/suoritukset/0/tyyppi/koodiarvo") == BADGE;
    let kind = if is_badge { RecordKind::Attainment } else { RecordKind::StudyRight };
    let source_id = SourceId::parse(text("/lähdejärjestelmänId/id"));
    let (key, learner, local) = match source_id {
        Some(ours) => {
            let own = key(ctx, kind, &ours.institution, ours.id.clone());
            let learner = ours.learner_key(&own);
            (own, learner, ours.learner)
        }
        None => {
            let id = match (text("/oid"), text("/lähdejärjestelmänId/id")) {
                ("", "") => natural_id(&tree, local),
                ("", id) | (id, _) => id.into(),
            };
            let learner = key(ctx, RecordKind::Learner, "", local.clone());
            (key(ctx, kind, text("/oppilaitos/oid"), id), learner, local.clone())
        }
    };
    let body = match kind {
        RecordKind::Attainment => Body::Attainment(Box::new(Attainment::read(tree))),
        _ => Body::StudyRight(Box::new(StudyRight::read(tree))),
    };
    (Record::current(key, local, body), learner)
}

fn key(ctx: &DecodeContext, kind: RecordKind, institution: &str, id: SmolStr) -> RecordKey {
    RecordKey { tenant: ctx.tenant.clone(), source: ctx.source.clone(), kind, institution: institution.into(), id }
}

/// What names a person here: the OID, or else a hash, since an identity code is nothing for a key.
fn local_id(person: &Value) -> SmolStr {
    match (person["oid"].as_str(), person["hetu"].as_str()) {
        (Some(oid), _) if !oid.is_empty() => oid.into(),
        (_, Some(hetu)) => hashed(&[hetu]),
        _ => hashed(&[&person.to_string()]),
    }
}

/// What names a study right without an id: what Koski itself goes by then, and the day.
fn natural_id(tree: &Value, local: &str) -> SmolStr {
    let said = |pointer: &str| tree.pointer(pointer).map(Value::to_string).unwrap_or_default();
    hashed(&[
        local,
        &said("/oppilaitos/oid"),
        &said("/tyyppi/koodiarvo"),
        &said("/suoritukset/0/tyyppi/koodiarvo"),
        &said("/suoritukset/0/koulutusmoduuli/tunniste/koodiarvo"),
        &said("/suoritukset/0/vahvistus/päivä"),
    ])
}

fn hashed(parts: &[&str]) -> SmolStr {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    SmolStr::from(&hasher.finalize().to_hex()[..32])
}

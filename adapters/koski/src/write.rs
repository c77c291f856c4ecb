//! Badges with their learners, as what Koski takes.

use crate::key::SourceId;
use crate::shape::{BADGE, BADGE_SCALE, DOCUMENT, LANGUAGES, NAMESPACE, ORGANISATION, Shape, TYPE, passed_as};
use crate::{losses, read};
use serde_json::{Map, Value, json};
use silta_adapter::adapter::{DecodeContext, EncodeContext, ItemPlan, Limits, Refusal};
use silta_adapter::fidelity::{Loss, between};
use silta_adapter::identity::Validity;
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::record::{Attainment, Body, Date, Identifier, Learner, Record, Text};
use std::collections::{BTreeMap, HashSet};

/// The first day of which there are badges.
const FIRST_DAY: Date = Date::new(jiff::civil::date(2024, 1, 1));

/// A badge, or another study right that came from Koski, makes an item with its learner. Of badges that Koski would
/// take for the same one, the one with the smallest key is meant.
pub(crate) fn items(records: &[Record]) -> (Vec<ItemPlan>, Vec<Problem>) {
    let stands = |record: &&(usize, &Record)| !record.1.head.state.is_tombstone();
    let all: Vec<(usize, &Record)> = records.iter().enumerate().collect();
    let mut rights: Vec<(usize, &Record)> = all.iter().filter(stands).filter(|(_, r)| is_ours(r)).copied().collect();
    rights.sort_by_key(|(_, record)| &record.head.key);
    let (mut plans, mut problems, mut known) = (Vec::new(), Vec::new(), HashSet::new());
    for (at, record) in rights {
        if let Some(same) = sameness(record)
            && !known.insert(same)
        {
            let text = "another record is the same badge of the same school on the same day, which Koski takes once";
            problems.push(Problem::error("duplicate_badge", text).about(&record.head.key));
            continue;
        }
        // Of several records of the learner the one under the badge's own institution is nearest.
        let learners = all.iter().filter(|(_, r)| matches!(r.body, Some(Body::Learner(_)))).filter(stands);
        let nearest =
            learners.min_by_key(|(_, r)| (r.head.key.institution != record.head.key.institution, &r.head.key));
        let members = std::iter::once(at).chain(nearest.map(|(at, _)| *at)).collect();
        plans.push(ItemPlan { root: record.head.key.clone(), members });
    }
    (plans, problems)
}

fn is_ours(record: &Record) -> bool {
    match &record.body {
        Some(Body::Attainment(attainment)) => is_badge(attainment),
        Some(Body::StudyRight(right)) => right.extensions.0.contains_key(NAMESPACE),
        _ => false,
    }
}

fn is_badge(attainment: &Attainment) -> bool {
    attainment.category.as_ref().is_some_and(|category| category.scheme == TYPE && category.value == BADGE)
}

fn day(attainment: &Attainment) -> Option<Date> {
    attainment.completed_on.or(attainment.assessed_on).or(attainment.issued_on)
}

/// By what Koski recognises a badge, beside the person.
fn sameness(record: &Record) -> Option<(String, String, jiff::civil::Date)> {
    let Some(Body::Attainment(badge)) = &record.body else { return None };
    let school = badge.awarding_body.as_ref().map(|body| format!("{}={}", body.scheme, body.value))?;
    Some((badge.national_code.as_ref()?.to_string(), school, day(badge)?.day))
}

/// Writes an item: the request for one learner and one study right, and what it does not hold.
pub(crate) fn item(item: &[Record], ctx: &EncodeContext<'_>) -> Result<(Vec<u8>, Vec<Loss>), Refusal> {
    let [root, rest @ ..] = item else { return Err(operator("empty_item", "the item is empty").into()) };
    let learner = rest.iter().find_map(|record| match &record.body {
        Some(Body::Learner(learner)) => Some((record, learner)),
        _ => None,
    });
    let Some((learner, person)) = learner else {
        return Err(operator("no_learner", "nothing is known here of the learner").about(&root.head.key).into());
    };
    let mut problems = Vec::new();
    let mut person = known_person(person, &mut problems);
    problems.iter_mut().for_each(|problem| problem.key = Some(learner.head.key.clone()));
    let mut tree = match &root.body {
        Some(Body::Attainment(badge)) if is_badge(badge) => {
            let mut told = Vec::new();
            let mut badge = known_badge(badge, ctx, &mut told);
            problems.extend(told.into_iter().map(|problem| problem.about(&root.head.key)));
            badge.tree()
        }
        Some(Body::StudyRight(right)) if right.extensions.0.contains_key(NAMESPACE) => right.clone().tree(),
        _ => {
            let text = "the record is no national competence badge; Koski has other attainments from elsewhere";
            return Err(Problem::error("not_a_badge", text).about(&root.head.key).into());
        }
    };
    name(&mut tree, root, learner, ctx, &mut problems);
    if !problems.is_empty() {
        return Err(Refusal(problems));
    }
    let document = json!({ "henkilö": person.tree(), "opiskeluoikeudet": [tree] }).to_string().into_bytes();
    let losses = lost(item, [root, learner], &document)?;
    Ok((document, losses))
}

/// What the document does not hold, found by reading it.
fn lost(item: &[Record], written: [&Record; 2], document: &[u8]) -> Result<Vec<Loss>, Refusal> {
    let [root, _] = written;
    let internal = |text: &str| Refusal::from(operator("not_written", text).about(&root.head.key));
    if item.len() != written.len() {
        return Err(internal("the item has other records than a study right and its learner"));
    }
    let ctx = DecodeContext {
        tenant: root.head.key.tenant.clone(),
        source: root.head.key.source.clone(),
        limits: Limits::default(),
    };
    let mut held = BTreeMap::new();
    let reading = read::documents(&mut &*document, &ctx, &mut |found| {
        if let silta_adapter::adapter::Decoded::Record(record, _) = found {
            held.insert(record.head.key.clone(), *record);
        }
        Ok(())
    });
    reading.map_err(|_| internal("the document could not be read again"))?;
    let mut losses = Vec::new();
    for record in item {
        let held = held.get(&record.head.key);
        let held = held.ok_or_else(|| internal("the record has another key than its parts in Koski's own form say"))?;
        losses.extend(between(record, held, losses::TABLE, NAMESPACE).map_err(|problem| *problem)?);
    }
    Ok(losses)
}

/// The learner as Koski can know her: by one identity code or OID.
fn known_person(learner: &Learner, problems: &mut Vec<Problem>) -> Learner {
    let mut person = learner.clone();
    let first = |schemes: &[&str]| {
        let of_scheme = |scheme: &&str| {
            let usable = |i: &&Identifier| !matches!(i.validity(), Validity::Malformed | Validity::Partial);
            learner.identifiers.iter().filter(|i| i.scheme == **scheme).find(usable)
        };
        schemes.iter().find_map(of_scheme)
    };
    let hetu = first(&[Learner::HETU]).cloned();
    let oid = first(&[Learner::PERSON_OID, Learner::LEARNER_NUMBER]);
    let oid = oid.map(|oid| Identifier { scheme: Learner::PERSON_OID.into(), value: oid.value.clone() });
    let blank = |name: &Option<String>| name.as_deref().is_none_or(|name| name.trim().is_empty());
    if hetu.is_none() && oid.is_none() {
        let text = "Koski knows a person by her identity code, learner number or OID; none is known";
        problems.push(Problem::error("no_identity", text).at("/body/identifiers"));
    }
    for (name, path) in [(&person.given_names, "/body/given_names"), (&person.family_name, "/body/family_name")] {
        if oid.is_none() && blank(name) {
            let text = "with an identity code Koski asks for the learner's names";
            problems.push(Problem::error("no_name", text).at(path));
        }
    }
    person.identifiers = hetu.into_iter().chain(oid).collect();
    only_own(&mut person.extensions.0);
    person
}

/// The badge in Koski's terms.
fn known_badge(badge: &Attainment, ctx: &EncodeContext<'_>, problems: &mut Vec<Problem>) -> Attainment {
    let days = [badge.completed_on, badge.assessed_on, badge.issued_on].map(|day| day.map(|day| day.day));
    let mut known: Vec<_> = days.into_iter().flatten().collect();
    known.dedup();
    match known.as_slice() {
        [] => problems.push(Problem::error("no_day", "the day of the badge is not known").at("/body/completed_on")),
        [day] if *day < FIRST_DAY.day => {
            let text = "there are no badges before 1 January 2024";
            problems.push(Problem::error("too_early", text).at("/body/completed_on"));
        }
        [_] => {}
        _ => problems.push(Problem::error("several_days", "a badge is assessed, confirmed and ended on the same day")),
    }
    let day = known.first().map(|day| Date::new(*day));
    match &badge.national_code {
        None => problems
            .push(Problem::error("no_badge_code", "the badge's national code is missing").at("/body/national_code")),
        Some(code) if ctx.mappings.list("koski-badges").get(code).is_none() => {
            let text = format!("the list of badges (koski-badges.toml) has no code {}", shown(code));
            problems.push(
                Problem::new("unknown_badge", Severity::Error, Fixer::Configuration, text).at("/body/national_code"),
            );
        }
        Some(_) => {}
    }
    let signed = badge
        .extensions
        .0
        .get(NAMESPACE)
        .and_then(|kept| kept.pointer("/opiskeluoikeus/suoritukset/0/vahvistus/myöntäjäHenkilöt")?.as_array());
    if signed.is_none_or(Vec::is_empty) {
        let text = "who confirmed the badge is missing (myöntäjäHenkilöt of its vahvistus)";
        problems.push(Problem::error("no_signatory", text).at("/body/extensions/koski"));
    }
    let mut own = badge.extensions.clone();
    only_own(&mut own.0);
    Attainment {
        category: badge.category.clone(),
        national_code: badge.national_code.clone(),
        title: titles(badge),
        completed_on: day,
        assessed_on: day,
        issued_on: day,
        grade: passed(badge, ctx, problems).then(|| passed_as(BADGE_SCALE, "Hyväksytty")),
        awarding_body: school(badge, ctx, problems),
        extensions: own,
        ..Attainment::default()
    }
}

fn only_own(extensions: &mut BTreeMap<silta_adapter::SmolStr, Value>) {
    extensions.retain(|namespace, _| namespace == NAMESPACE || namespace == DOCUMENT);
}

/// One title in each of Koski's languages.
fn titles(badge: &Attainment) -> silta_adapter::record::Texts {
    let in_language = |lang: &&str| badge.title.iter().find(|text| text.lang.as_deref() == Some(*lang));
    LANGUAGES
        .iter()
        .filter_map(in_language)
        .map(|Text { lang, value }| Text { lang: lang.clone(), value: value.clone() })
        .collect()
}

/// True if the grade says no less than that the badge was achieved.
fn passed(badge: &Attainment, ctx: &EncodeContext<'_>, problems: &mut Vec<Problem>) -> bool {
    let Some(grade) = &badge.grade else { return true };
    let scale = &grade.scale.code;
    let list = ctx.mappings.list("koski-grades");
    let meaning = list.meaning(&format!("{}/{}", scale.scheme, scale.value), &grade.value);
    let passed = meaning.is_some_and(|grade| grade.value == "Hyväksytty");
    if !passed {
        let text = "a badge has the grade passed (Hyväksytty) and no other; koski-grades.toml says which grades of other scales mean it";
        problems.push(Problem::error("not_passed", text).at("/body/grade"));
    }
    passed
}

fn school(
    badge: &Attainment,
    ctx: &EncodeContext<'_>,
    problems: &mut Vec<Problem>,
) -> Option<silta_adapter::record::Coded> {
    let Some(body) = &badge.awarding_body else {
        problems.push(Problem::error("no_school", "who awarded the badge is missing").at("/body/awarding_body"));
        return None;
    };
    if body.scheme == ORGANISATION {
        return Some(body.clone());
    }
    let known = ctx.mappings.list("koski-organisations").meaning(&body.scheme, &body.value);
    if known.is_none() {
        let text = format!("no OID is known of the organisation {} (koski-organisations.toml)", shown(&body.value));
        problems.push(
            Problem::new("unknown_school", Severity::Error, Fixer::Configuration, text).at("/body/awarding_body"),
        );
    }
    known.map(|code| silta_adapter::record::Coded::new(ORGANISATION, code.value.clone()))
}

/// A code, if it is one: anything else may be somebody's data.
fn shown(code: &str) -> &str {
    let is_code = code.len() <= 32 && code.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_code { code } else { "that is given" }
}

/// Gives the study right its key, unless it has one from its own register.
fn name(tree: &mut Value, root: &Record, learner: &Record, ctx: &EncodeContext<'_>, problems: &mut Vec<Problem>) {
    let Value::Object(right) = tree else { return };
    let named = right.entry("lähdejärjestelmänId").or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(named) = named else { return };
    if !named.contains_key("id") {
        let id = SourceId::new(&root.head.key, &root.head.learner, &learner.head.key);
        named.insert("id".into(), id.text().into());
    }
    if named.contains_key("lähdejärjestelmä") {
        return;
    }
    let source = &root.head.key.source;
    let systems = ctx.mappings.list("koski-source-systems");
    match systems.get(source).or_else(|| systems.meaning("source", source)) {
        Some(system) => {
            let code = json!({ "koodiarvo": system.value, "koodistoUri": "lahdejarjestelma" });
            named.insert("lähdejärjestelmä".into(), code);
        }
        None => {
            let text = format!("Koski knows no source system {source} (koski-source-systems.toml)");
            problems.push(
                Problem::new("unknown_source_system", Severity::Error, Fixer::Configuration, text)
                    .about(&root.head.key),
            );
        }
    }
}

fn operator(code: &'static str, text: &str) -> Problem {
    Problem::new(code, Severity::Error, Fixer::Operator, text)
}

//! Records as what partners take.

use crate::dialect::{CARRIER, Carrier, Dialect};
use crate::words::{LANGUAGE, SCHAC_HOME, is_language, number, tag};
use crate::{losses, object, read};
use serde_json::Value;
use silta_adapter::adapter::{DecodeContext, EncodeContext, Limits, Refusal};
use silta_adapter::fidelity::{Loss, between};
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::record::{
    Attainment, Body, Coded, Credits, Extensions, Grade, GradeScale, Head, Identifier, Learner, Record, RecordKind,
    Set, Text, Texts,
};

/// The role of an organisation that recognised credit comes from.
const SOURCE_ROLE: &str = "3";

/// Writes a record: one object, and what it does not hold.
pub(crate) fn record(
    record: &Record,
    dialect: &'static Dialect,
    ctx: &EncodeContext<'_>,
) -> Result<(Vec<u8>, Vec<Loss>), Refusal> {
    let mut problems = Vec::new();
    let head = &record.head;
    let foreign = record.body.as_ref().is_some_and(|body| object::is_foreign(head, body.extensions(), dialect));
    let tree = match (&record.body, head.key.kind) {
        (Some(Body::Learner(body)), _) => learner(head, body, dialect, &mut problems),
        (Some(Body::Attainment(body)), _) => attainment(head, body, dialect, ctx, &mut problems),
        (None, RecordKind::Learner) => object::of_learner(head, &Learner::default(), dialect),
        (None, RecordKind::Attainment) => object::of_attainment(head, &Attainment::default(), dialect, &dialect.course),
        _ => {
            let text = "partners are told of persons and of what they achieved; this is neither";
            return Err(Problem::error("not_carried", text).about(&head.key).into());
        }
    };
    let withdrawn = head.state.is_tombstone();
    // Whoever takes something back, or hands on what a partner said, says no more than is known.
    let bearable = |problem: &Problem| problem.code != "unknown_offering" && (withdrawn || foreign);
    problems.retain(|problem| !bearable(problem));
    if !problems.is_empty() {
        return Err(Refusal(problems.into_iter().map(|problem| problem.about(&head.key)).collect()));
    }
    let document = tree.to_string().into_bytes();
    let losses = if withdrawn { Vec::new() } else { lost(record, &document, dialect)? };
    Ok((document, losses))
}

/// What the document does not hold, found by reading it.
fn lost(record: &Record, document: &[u8], dialect: &Dialect) -> Result<Vec<Loss>, Refusal> {
    let key = &record.head.key;
    let internal = || {
        let text = "the object that the record makes reads as something else: its parts contradict each other";
        Refusal::from(Problem::new("contradiction", Severity::Error, Fixer::Sender, text).about(key))
    };
    let ctx = DecodeContext { tenant: key.tenant.clone(), source: key.source.clone(), limits: Limits::default() };
    let held = read::only(document, &ctx).ok_or_else(internal)?;
    if held.head.key != *key {
        return Err(internal());
    }
    between(record, &held, losses::TABLE, dialect.namespace).map_err(|problem| Refusal::from(*problem))
}

fn learner(head: &Head, body: &Learner, dialect: &Dialect, problems: &mut Vec<Problem>) -> Value {
    let mut identifiers: Vec<Identifier> = Vec::new();
    for identifier in body.identifiers.iter().filter(|identifier| identifier.scheme != Learner::HETU) {
        if !identifiers.contains(identifier) {
            identifiers.push(identifier.clone());
        }
    }
    let given = |name: &Option<String>| name.as_deref().is_some_and(|name| !name.trim().is_empty());
    let named = match dialect.old {
        true => given(&body.given_names) && given(&body.family_name),
        false => given(&body.given_names) || given(&body.family_name),
    };
    if !named {
        let text = "the standard asks for the person's names, in parts";
        problems.push(Problem::error("no_name", text).at("/body/family_name"));
    }
    if dialect.old && !given(&body.email) {
        let text = "version 5 of the standard asks for an e-mail address";
        problems.push(Problem::error("no_email", text).at("/body/email"));
    }
    let known = Learner {
        identifiers: Set(identifiers),
        given_names: body.given_names.clone(),
        family_name: body.family_name.clone(),
        full_name: body.full_name.clone(),
        date_of_birth: body.date_of_birth,
        email: body.email.clone(),
        extensions: own(&body.extensions, dialect),
        ..Learner::default()
    };
    object::of_learner(head, &known, dialect)
}

fn own(extensions: &Extensions, dialect: &Dialect) -> Extensions {
    let mut own = extensions.clone();
    own.0.retain(|namespace, _| namespace == dialect.namespace || namespace == dialect.document);
    own
}

fn attainment(
    head: &Head,
    body: &Attainment,
    dialect: &'static Dialect,
    ctx: &EncodeContext<'_>,
    problems: &mut Vec<Problem>,
) -> Value {
    let carrier = carrier(body, dialect, ctx, problems);
    let recognised = body.organisations.iter().any(|one| one.role.value == SOURCE_ROLE) || body.recognised_on.is_some();
    if recognised {
        let text = "recognised credit was achieved elsewhere: where it was, they tell of it";
        problems.push(Problem::error("recognised", text).at("/body/recognised_on"));
    }
    if failed(body, ctx) {
        let text = "a failed attempt is no achievement";
        problems.push(Problem::error("failed", text).at("/body/classifications"));
    }
    let ects = body.credits.as_ref().and_then(|credits| credits.ects);
    if ects.and_then(number).is_none() {
        let text = "the standard asks for the extent of a result, in ECTS credits that a JSON number holds exactly";
        problems.push(Problem::error("no_credits", text).at("/body/credits"));
    }
    let completed = body.completed_on.or(body.assessed_on).or(body.issued_on).or(body.registered_on);
    if completed.is_none() {
        let text = "the standard asks for the day of a result";
        problems.push(Problem::error("no_day", text).at("/body/completed_on"));
    }
    if body.title.is_empty() {
        problems.push(Problem::error("no_title", "the standard asks for a name").at("/body/title"));
    }
    let known = Attainment {
        category: Some(Coded::new(CARRIER, carrier.name)),
        title: texts(&body.title),
        description: texts(&body.description),
        code: body.code.clone(),
        links: body.links.iter().find(|link| is_address(link)).cloned().into_iter().collect(),
        awarding_body: body.awarding_body.as_ref().map(|body| institution(body, ctx)),
        language: language(body.language.as_ref(), ctx),
        started_on: body.started_on.or(if dialect.old { completed } else { None }),
        completed_on: completed,
        credits: ects.map(|ects| Credits { ects: Some(ects), credit_weeks: None }),
        grade: grade(body, dialect, ctx, problems),
        additional_info: body
            .additional_info
            .first()
            .map(|text| Text { lang: None, value: text.value.clone() })
            .into_iter()
            .collect(),
        extensions: own(&body.extensions, dialect),
        ..Attainment::default()
    };
    object::of_attainment(head, &known, dialect, carrier)
}

/// What an association for the record is with.
fn carrier(
    body: &Attainment,
    dialect: &'static Dialect,
    ctx: &EncodeContext<'_>,
    problems: &mut Vec<Problem>,
) -> &'static Carrier {
    let Some(category) = &body.category else { return &dialect.course };
    let name = match category.scheme == CARRIER {
        true => Some(category.value.clone()),
        false => ctx.mappings.crosswalks.meaning(&category.scheme, &category.value, CARRIER),
    };
    name.and_then(|name| dialect.carrier(&name)).unwrap_or_else(|| {
        let text =
            "it is neither a course nor a programme that partners are told of (crosswalks.toml, to ooapi:offering)";
        problems
            .push(Problem::new("unknown_offering", Severity::Error, Fixer::Configuration, text).at("/body/category"));
        &dialect.course
    })
}

/// True if a classification says that it was not passed.
fn failed(body: &Attainment, ctx: &EncodeContext<'_>) -> bool {
    let state = |code: &Coded| ctx.mappings.crosswalks.meaning(&code.scheme, &code.value, "ooapi:pass");
    body.classifications.iter().any(|code| state(code).is_some_and(|state| state == "failed"))
}

fn texts(texts: &Texts) -> Texts {
    let one = |text: &Text| Text {
        lang: text.lang.clone().filter(|lang| is_language(lang) && lang != crate::words::UNDETERMINED),
        value: text.value.clone(),
    };
    texts.iter().map(one).collect()
}

fn is_address(link: &str) -> bool {
    let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && link.len() <= 2048 && link.bytes().all(|b| b.is_ascii_graphic()))
}

/// The institution by its home domain, where one is known.
fn institution(body: &Coded, ctx: &EncodeContext<'_>) -> Coded {
    let number = ctx.mappings.crosswalks.meaning(&body.scheme, &body.value, "institution");
    let known = number.and_then(|number| ctx.mappings.institutions.get(&number));
    match known.and_then(|known| Some((known.domain.clone()?, known.names()))) {
        Some((domain, label)) => Coded { label, ..Coded::new(SCHAC_HOME, domain) },
        None => body.clone(),
    }
}

/// The language by the letters that both versions take.
fn language(language: Option<&Coded>, ctx: &EncodeContext<'_>) -> Option<Coded> {
    let language = language?;
    if let Some(tag) = tag(language) {
        return is_language(&tag).then(|| crate::words::language(&tag));
    }
    let known = ctx.mappings.list("language").meaning(&language.scheme, &language.value)?;
    let known = Coded::new(LANGUAGE, known.value.clone());
    tag(&known).filter(|tag| is_language(tag)).map(|_| known)
}

/// The grade on the scale that partners know, or on its own.
fn grade(body: &Attainment, dialect: &Dialect, ctx: &EncodeContext<'_>, problems: &mut Vec<Problem>) -> Option<Grade> {
    let grade = body.grade.as_ref()?;
    let own = &grade.scale.code;
    let crosswalks = &ctx.mappings.crosswalks;
    let Some(scale) = crosswalks.meaning(&own.scheme, &own.value, dialect.scales) else {
        let scale = GradeScale { code: own.clone(), title: Texts::default(), grades: Set::default() };
        return Some(Grade { scale, value: grade.value.clone() });
    };
    let (from, to) = (format!("{}/{}", own.scheme, own.value), format!("{}/{scale}", dialect.scales));
    match crosswalks.meaning(&from, &grade.value, &to) {
        Some(value) => {
            let code = Coded::new(dialect.scales, scale);
            Some(Grade { scale: GradeScale { code, title: Texts::default(), grades: Set::default() }, value })
        }
        None => {
            let text = "the grade has no meaning on the scale that partners know (crosswalks.toml)";
            problems.push(Problem::new("unknown_grade", Severity::Error, Fixer::Configuration, text).at("/body/grade"));
            None
        }
    }
}

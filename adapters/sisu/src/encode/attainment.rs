//! One attainment under the rules of Sisu's import.

use super::fit::Fit;
use super::losses::{
    AWARDING_BODY, EXTRA_ORGANISATION, NAMED_ELSEWHERE, NO_PARTS, NON_DISCLOSURE, OTHER_EXTENSION, PART_EXTENT,
    PRIMARY, RESERVED, STALE_GROUPS, STATE as STATE_LOSS, unheld,
};
use crate::decode::references;
use crate::ids::{from_sisu, is_sisu, to_sisu};
use crate::names::{
    ATTAINMENT_TYPE, CONTENT, GRADE_SCALE, INSTITUTION, LANGUAGE, ORGANISATION, ROLE, STATE, TRANSFER_SOURCE, TYPES,
    urn,
};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use silta_adapter::SmolStr;
use silta_adapter::adapter::EncodeContext;
use silta_adapter::canonical;
use silta_adapter::fidelity::{Change, Loss};
use silta_adapter::json::Json;
use silta_adapter::problem::Problem;
use silta_adapter::record::{Amount, Attainment, Coded, Extensions, Record, State};
use std::collections::BTreeMap;

/// Members that are written from the record, so an extension cannot say them.
const RESERVED_MEMBERS: [&str; 22] = [
    "type",
    "id",
    "documentState",
    "metadata",
    "personId",
    "studentId",
    "studyRightId",
    "attainmentDate",
    "registrationDate",
    "expiryDate",
    "attainmentLanguageUrn",
    "educationClassificationUrn",
    "organisations",
    "state",
    "misregistration",
    "credits",
    "studyWeeks",
    "gradeScaleId",
    "gradeId",
    "additionalInfo",
    "name",
    "code",
];

/// The states of an attainment.
const STATES: [&str; 4] = ["ATTAINED", "INCLUDED", "SUBSTITUTED", "FAILED"];

/// What a type of attainment has besides what all have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    None,
    /// As the items it was assessed by.
    Items,
    /// As nodes, in groups.
    Nodes,
}

/// Members of a JSON object, in order.
type Members = Vec<(String, Json)>;

/// The members of an attainment, and what is lost of it.
pub(super) fn members(
    record: &Record,
    a: &Attainment,
    id: String,
    ctx: &EncodeContext<'_>,
) -> Result<(Members, Vec<Loss>), Vec<Problem>> {
    let head = &record.head;
    let mut fit = Fit::new(&head.key, ctx.mappings);
    let mut own = own_members(&mut fit, &a.extensions);
    unheld(a, |field| fit.lose(format!("/body/{field}"), Change::Dropped, field));
    if head.non_disclosure {
        fit.lose("/non_disclosure", Change::Dropped, NON_DISCLOSURE);
    }
    let kind = kind(&mut fit, a);
    fit.put("id", Json::text(id));
    fit.put("documentState", Json::text("ACTIVE"));
    owner(&mut fit, record, a);
    named(&mut fit, a, &kind);
    dates(&mut fit, a, ctx);
    let credits = extent(&mut fit, a);
    graded(&mut fit, a);
    let transferred = organisations(&mut fit, a, &mut own);
    let state = state(&mut fit, a, transferred);
    primary(&mut fit, &mut own, &state, head.state == State::Misregistered);
    parts(&mut fit, a, &kind, &mut own);
    research_fits(&mut fit, &own, credits);
    accepted(&mut fit, &own);
    for (name, value) in own {
        fit.put(&name, Json::of(&value));
    }
    match fit.refusals.is_empty() {
        true => Ok((fit.members, fit.losses)),
        false => Err(fit.refusals),
    }
}

/// The members the extension says, but for those that are written from the record.
fn own_members(fit: &mut Fit<'_>, extensions: &Extensions) -> Map<String, Value> {
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    let mut own = Map::new();
    for (namespace, value) in extensions.0.iter().filter(|(name, _)| !name.ends_with(".document")) {
        match value {
            _ if canonical::is_absent(value) => {}
            Value::Object(members) if namespace == CONTENT => own.clone_from(members),
            _ => fit.lose(format!("/body/extensions/{}", escaped(namespace)), Change::Dropped, OTHER_EXTENSION),
        }
    }
    own.retain(|_, value| !value.is_null());
    let reserved: Vec<String> = own.keys().filter(|name| RESERVED_MEMBERS.contains(&name.as_str())).cloned().collect();
    for name in reserved {
        drop_member(fit, &mut own, &name, RESERVED);
    }
    own
}

fn drop_member(fit: &mut Fit<'_>, own: &mut Map<String, Value>, name: &str, rule: &'static str) {
    if own.remove(name).is_some_and(|value| !canonical::is_absent(&value)) {
        fit.lose(format!("/body/extensions/{CONTENT}/{name}"), Change::Dropped, rule);
    }
}

fn kind(fit: &mut Fit<'_>, a: &Attainment) -> SmolStr {
    let kind = a.category.as_ref().and_then(|code| fit.translated(code, ATTAINMENT_TYPE, "/body/category"));
    match kind.filter(|kind| TYPES.contains(&kind.value.as_str())) {
        Some(kind) => {
            fit.put_text("type", Some(&kind.value));
            kind.value
        }
        None => {
            fit.refuse("/body/category", "unknown_type", "the category must be one of Sisu's types of attainment");
            SmolStr::default()
        }
    }
}

fn owner(fit: &mut Fit<'_>, record: &Record, a: &Attainment) {
    let head = &record.head;
    if head.key.institution != head.key.tenant {
        let message = "the institution of the key must be the tenant: a Sisu holds what its own institution awards";
        fit.refuse("/institution", "unmappable_key", message);
    }
    let ours = Coded::new(INSTITUTION, head.key.tenant.clone());
    match &a.awarding_body {
        None => fit.lose("/body/awarding_body", Change::Added(json!(ours)), AWARDING_BODY),
        Some(body) => {
            if fit.translated(body, INSTITUTION, "/body/awarding_body").is_none_or(|body| body.value != ours.value) {
                let message = "a Sisu holds what its own institution awards; what another one awards is recognised";
                fit.refuse("/body/awarding_body", "foreign_awarding_body", message);
            }
        }
    }
    if !is_sisu(&head.learner) {
        fit.refuse("/learner", "unknown_person", "the learner must be known by the id of a person in Sisu");
    }
    fit.put_text("personId", Some(&head.learner));
    fit.put_text("studyRightId", a.study_right.as_ref());
}

/// Only custom attainments have names and codes of their own, and only degrees a classification.
fn named(fit: &mut Fit<'_>, a: &Attainment, kind: &str) {
    let custom = kind.starts_with("Custom");
    let says = |value: bool| value && !custom;
    for (there, path) in [(says(!a.title.is_empty()), "/body/title"), (says(a.code.is_some()), "/body/code")] {
        if there {
            fit.lose(path, Change::Dropped, NAMED_ELSEWHERE);
        }
    }
    if custom {
        let name = fit.languages(&a.title, "/body/title");
        match (name, a.code.as_deref().unwrap_or_default()) {
            (Some(name), code) if !code.is_empty() => {
                fit.put("name", name);
                fit.put("code", Json::text(code));
            }
            _ => fit.refuse("/body", "missing_field", "a custom attainment needs a name in fi, sv or en, and a code"),
        }
    }
    match &a.education {
        Some(code) if kind == "DegreeProgrammeAttainment" => {
            match fit.urn(code, "urn:code:education-classification", "/body/education") {
                Some(urn) => fit.put("educationClassificationUrn", Json::Text(urn)),
                None => fit.foreign("/body/education"),
            }
        }
        Some(_) => fit.lose("/body/education", Change::Dropped, NAMED_ELSEWHERE),
        None => {}
    }
    if let Some(info) = fit.languages(&a.additional_info, "/body/additional_info") {
        fit.put("additionalInfo", info);
    }
    match a.language.as_ref().and_then(|code| fit.urn(code, LANGUAGE, "/body/language")) {
        Some(urn) => fit.put("attainmentLanguageUrn", Json::Text(urn)),
        None => fit.refuse("/body/language", "missing_field", "Sisu requires the language of an attainment"),
    }
}

fn dates(fit: &mut Fit<'_>, a: &Attainment, ctx: &EncodeContext<'_>) {
    for (date, path) in [(a.completed_on, "/body/completed_on"), (a.registered_on, "/body/registered_on")] {
        if date.is_none() {
            fit.refuse(path, "missing_field", "Sisu requires the days of attainment and of registration");
        }
    }
    // The day there may be a day ahead of that of universal time.
    let tomorrow = ctx.instant.to_zoned(jiff::tz::TimeZone::UTC).date().tomorrow();
    if a.completed_on.zip(tomorrow.ok()).is_some_and(|(date, tomorrow)| date.day > tomorrow) {
        fit.refuse("/body/completed_on", "in_the_future", "Sisu takes no attainment of a day that has not come");
    }
    fit.put_date("attainmentDate", a.completed_on);
    fit.put_date("registrationDate", a.registered_on);
    fit.put_date("expiryDate", a.expires_on.map(|end| end.0));
}

fn extent(fit: &mut Fit<'_>, a: &Attainment) -> Option<Amount> {
    let credits = a.credits.as_ref().and_then(|credits| credits.ects);
    match credits {
        Some(ects) => fit.put("credits", Json::amount(ects)),
        None => fit.refuse("/body/credits/ects", "missing_field", "Sisu requires the credits of an attainment"),
    }
    if let Some(weeks) = a.credits.as_ref().and_then(|credits| credits.credit_weeks) {
        fit.put("studyWeeks", Json::amount(weeks));
    }
    credits
}

/// The scale and the grade's place on it. Pairs that no crosswalk knows are refused.
fn graded(fit: &mut Fit<'_>, a: &Attainment) {
    let Some(grade) = &a.grade else {
        return fit.refuse("/body/grade", "missing_field", "Sisu requires a grade");
    };
    let from = &grade.scale.code;
    let Some(scale) = fit.translated(from, GRADE_SCALE, "/body/grade/scale/code") else {
        return fit.refuse("/body/grade/scale", "unknown_scale", "the grading scale means none of Sisu's");
    };
    let value = if from.scheme == GRADE_SCALE {
        Some(grade.value.clone())
    } else {
        let (from, to) = (format!("{}/{}", from.scheme, from.value), format!("{GRADE_SCALE}/{}", scale.value));
        fit.translated_value(&grade.value, &from, &to, "/body/grade/value")
    };
    let local = value.filter(|value| value.parse::<u32>().is_ok_and(|n| n.to_string() == value.as_str()));
    match local {
        Some(local) => {
            fit.put_text("gradeScaleId", Some(&scale.value));
            fit.put("gradeId", Json::Number(local));
        }
        None => fit.refuse("/body/grade/value", "unknown_grade", "the grade has no place on the scale in Sisu"),
    }
}

/// Organisations and, from among them, where recognised credit comes from; true if it is recognised.
fn organisations(fit: &mut Fit<'_>, a: &Attainment, own: &mut Map<String, Value>) -> bool {
    let mut list = Vec::new();
    let mut shares: BTreeMap<String, Option<Decimal>> = BTreeMap::new();
    let mut sources: Vec<(String, Json)> = Vec::new();
    for (at, there) in a.organisations.iter().enumerate() {
        let path = |field: &str| format!("/body/organisations/{at}{field}");
        let Some(role) = urn(&there.role) else {
            source(fit, there, at, &mut sources);
            continue;
        };
        let named = match there.organisation.scheme.as_ref() {
            ORGANISATION if !there.organisation.value.is_empty() => {
                Some(("organisationId", there.organisation.value.to_string()))
            }
            _ => fit
                .urn(&there.organisation, INSTITUTION, &path("/organisation"))
                .map(|urn| ("educationalInstitutionUrn", urn)),
        };
        let Some((member, id)) = named else {
            fit.foreign(path(""));
            continue;
        };
        let sum = shares.entry(role.clone()).or_insert(Some(Decimal::ZERO));
        *sum = sum.zip(there.share).and_then(|(sum, share)| sum.checked_add(share.0));
        let mut members = vec![(member.to_owned(), Json::Text(id)), ("roleUrn".to_owned(), Json::Text(role))];
        members.extend(there.share.map(|share| ("share".to_owned(), Json::amount(share))));
        list.push(Json::Object(members));
    }
    if list.is_empty() {
        fit.refuse("/body/organisations", "missing_field", "Sisu requires an organisation that is responsible");
    } else if shares.values().any(|sum| *sum != Some(Decimal::ONE)) {
        let message = "the shares of the organisations in one role must be there and make exactly 1";
        fit.refuse("/body/organisations", "bad_shares", message);
    }
    fit.put("organisations", Json::List(list));
    transfer(fit, a, sources, own)
}

/// An organisation that recognised credit comes from, or one in a role Sisu does not know.
fn source(
    fit: &mut Fit<'_>,
    there: &silta_adapter::record::OrganisationRole,
    at: usize,
    sources: &mut Vec<(String, Json)>,
) {
    let path = format!("/body/organisations/{at}");
    // Nothing is noted about an organisation that then goes altogether.
    let before = fit.losses.len();
    let role = fit.translated(&there.role, ROLE, &format!("{path}/role"));
    let id = fit.urn(&there.organisation, INSTITUTION, &format!("{path}/organisation"));
    let (true, Some(id)) = (role.is_some_and(|role| role.value == TRANSFER_SOURCE), id) else {
        fit.losses.truncate(before);
        return fit.foreign(path);
    };
    let national = id.starts_with(INSTITUTION);
    let member = if national { "educationalInstitutionUrn" } else { "internationalInstitutionUrn" };
    if sources.iter().any(|(known, _)| known == member) {
        fit.losses.truncate(before);
        return fit.lose(path, Change::Dropped, EXTRA_ORGANISATION);
    }
    if there.share.is_some() {
        fit.lose(format!("{path}/share"), Change::Dropped, EXTRA_ORGANISATION);
    }
    sources.push((member.to_owned(), Json::Text(id)));
}

fn transfer(fit: &mut Fit<'_>, a: &Attainment, sources: Vec<(String, Json)>, own: &mut Map<String, Value>) -> bool {
    let said = ["educationalInstitutionUrn", "internationalInstitutionUrn", "creditTransferDate"];
    let usable =
        |value: &Value| value.as_object().is_some_and(|members| !said.iter().any(|m| members.contains_key(*m)));
    if own.get("creditTransferInfo").is_some_and(|value| !usable(value)) {
        drop_member(fit, own, "creditTransferInfo", RESERVED);
    }
    let beside = own.remove("creditTransferInfo");
    if a.recognised_on.is_none() && sources.is_empty() && beside.is_none() {
        return false;
    }
    let mut members = sources;
    if let Some(date) = a.recognised_on {
        members.push((
            "creditTransferDate".to_owned(),
            Json::text(silta_adapter::record::Date::new(date.day).to_string()),
        ));
    }
    if let Some(Json::Object(rest)) = beside.as_ref().map(Json::of) {
        members.extend(rest);
    }
    fit.put("creditTransferInfo", Json::Object(members));
    true
}

/// The state: as the record says it, else what follows from being recognised.
fn state(fit: &mut Fit<'_>, a: &Attainment, transferred: bool) -> SmolStr {
    let mut said = None;
    for (at, code) in a.classifications.iter().enumerate() {
        match code.scheme.as_ref() {
            STATE if said.is_none() => said = Some(code.value.clone()),
            STATE => fit.lose(format!("/body/classifications/{at}"), Change::Dropped, STATE_LOSS),
            _ => fit.foreign(format!("/body/classifications/{at}")),
        }
    }
    let state = said.unwrap_or_else(|| {
        let state = if transferred { "SUBSTITUTED" } else { "ATTAINED" };
        let code = json!(Coded::new(STATE, state));
        match a.classifications.is_empty() {
            true => fit.lose("/body/classifications", Change::Added(json!([code])), STATE_LOSS),
            false => fit.lose("/body/classifications/-", Change::Added(code), STATE_LOSS),
        }
        SmolStr::new_static(state)
    });
    match state.as_str() {
        "ATTAINED" if transferred => {
            let message = "what was attained here is no recognised credit: the state must be SUBSTITUTED";
            fit.refuse("/body/recognised_on", "transfer_of_attained", message);
        }
        "SUBSTITUTED" if !transferred => {
            let message = "recognised credit must say when it was recognised or where it comes from";
            fit.refuse("/body/recognised_on", "substituted_without_transfer", message);
        }
        known if STATES.contains(&known) => {}
        _ => fit.refuse("/body/classifications", "unknown_state", "the state must be one of Sisu's"),
    }
    fit.put_text("state", Some(&state));
    state
}

fn primary(fit: &mut Fit<'_>, own: &mut Map<String, Value>, state: &str, misregistered: bool) {
    fit.put("misregistration", Json::Bool(misregistered));
    let may = state != "FAILED";
    let said = own.remove("primary");
    let primary = match said {
        Some(Value::Bool(primary)) => primary,
        Some(_) => {
            fit.refuse("/body/extensions/sisu/primary", "bad_primary", "primary must be true or false");
            false
        }
        None => {
            fit.lose(format!("/body/extensions/{CONTENT}/primary"), Change::Added(may.into()), PRIMARY);
            may
        }
    };
    if primary && !may {
        let message = "a failed attainment cannot be the primary one";
        fit.refuse("/body/extensions/sisu/primary", "primary_not_allowed", message);
    }
    // Taking it back ends its being the primary one.
    fit.put("primary", Json::Bool(primary && !misregistered));
}

fn parts(fit: &mut Fit<'_>, a: &Attainment, kind: &str, own: &mut Map<String, Value>) {
    let has = match kind {
        "CourseUnitAttainment" => Parts::Items,
        "ModuleAttainment" | "CustomModuleAttainment" | "DegreeProgrammeAttainment" => Parts::Nodes,
        _ => Parts::None,
    };
    if has == Parts::None && !a.parts.is_empty() {
        fit.lose("/body/parts", Change::Dropped, NO_PARTS);
    }
    let mut ids = Vec::new();
    for (at, part) in a.parts.iter().enumerate().filter(|_| has != Parts::None) {
        if part.ects.is_some() {
            fit.lose(format!("/body/parts/{at}/ects"), Change::Dropped, PART_EXTENT);
        }
        match to_sisu(&part.id) {
            Some(id) => ids.push(id),
            None => fit.refuse(&format!("/body/parts/{at}/id"), "bad_id", "a part's key does not fit an id in Sisu"),
        }
    }
    drop_member(fit, own, "assessmentItemAttainmentIds", RESERVED);
    let groups = own.get("nodes").filter(|_| has == Parts::Nodes).map(Json::of).filter(|nodes| holds(nodes, a));
    match (has, groups) {
        (Parts::Nodes, Some(nodes)) => {
            own.remove("nodes");
            fit.put("nodes", nodes);
        }
        _ => drop_member(fit, own, "nodes", STALE_GROUPS),
    }
    if ids.is_empty() || fit.members.iter().any(|(name, _)| name == "nodes") {
        return;
    }
    match has {
        Parts::None => {}
        Parts::Items => fit.put("assessmentItemAttainmentIds", Json::List(ids.into_iter().map(Json::Text).collect())),
        Parts::Nodes => {
            let node = |id| Json::Object(vec![("attainmentId".to_owned(), Json::Text(id))]);
            fit.put("nodes", Json::List(ids.into_iter().map(node).collect()));
        }
    }
}

/// True if the groups hold the parts the record says, and are groups at all.
fn holds(nodes: &Json, a: &Attainment) -> bool {
    let (mut ids, mut groups) = (Vec::new(), false);
    let understood = references(nodes, &mut ids, &mut groups).is_some();
    let mut named: Vec<SmolStr> = ids.iter().map(|id| from_sisu(id)).collect();
    let mut parts: Vec<SmolStr> = a.parts.iter().map(|part| part.id.clone()).collect();
    named.sort();
    parts.sort();
    understood && groups && named == parts
}

fn research_fits(fit: &mut Fit<'_>, own: &Map<String, Value>, credits: Option<Amount>) {
    let Some(research) = own.get("rdiCredits") else { return };
    let fits = Json::of(research).to_amount().zip(credits).is_some_and(|(research, credits)| research <= credits);
    if !fits {
        let message = "credits of research and development must be a number not above the credits";
        fit.refuse("/body/extensions/sisu/rdiCredits", "bad_research_credits", message);
    }
}

/// Somebody must have accepted the attainment: a person in Sisu, or one described by text.
fn accepted(fit: &mut Fit<'_>, own: &Map<String, Value>) {
    let says = |person: &Value, name: &str| person.get(name).is_some_and(|value| !canonical::is_absent(value));
    let named = |person: &Value| says(person, "personId") || says(person, "text");
    let there = own.get("acceptorPersons").and_then(Value::as_array);
    if !there.is_some_and(|persons| !persons.is_empty() && persons.iter().all(named)) {
        let message = "Sisu requires at least one person who accepted it, each by id or text (acceptorPersons)";
        fit.refuse("/body/extensions/sisu/acceptorPersons", "missing_field", message);
    }
}

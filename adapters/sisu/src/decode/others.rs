//! Persons, study rights, term registrations and mobility periods. What the record model has a field for is read; the rest
//! of an entity is kept as Sisu says it.

use super::entity::Entity;
use crate::names::{INSTITUTION, RIGHT_STATE, TERM_REGISTRATION};
use jiff::civil;
use silta_adapter::SmolStr;
use silta_adapter::record::{
    Coded, Date, EndDate, Enrolment, Identifier, Learner, MobilityPeriod, Period, RightState, Set, StudyPhase,
    StudyRight,
};

/// Members of a person that identify her, and the scheme each is of.
const IDENTIFIERS: [(&str, &str); 5] = [
    ("personalIdentityCode", Learner::HETU),
    ("oppijanumero", Learner::LEARNER_NUMBER),
    ("eidasId", "eidas"),
    ("eduPersonPrincipalName", "eppn"),
    ("studentNumber", "sisu:student-number"),
];

/// Reads a person. The oids are all those the national register ever gave her; only a number of its own is the
/// *oppijanumero*.
pub(crate) fn learner(entity: &mut Entity) -> Learner {
    let identifier = |scheme: &str, value: SmolStr| Identifier { scheme: scheme.into(), value };
    let mut identifiers: Set<Identifier> =
        IDENTIFIERS.iter().filter_map(|(member, scheme)| Some(identifier(scheme, entity.text(member)?))).collect();
    identifiers.extend(entity.texts_of("oids").into_iter().map(|oid| identifier(Learner::PERSON_OID, oid)));
    Learner {
        identifiers,
        family_name: entity.string("lastName"),
        given_names: entity.string("firstNames"),
        date_of_birth: entity.date("dateOfBirth"),
        gender: entity.code("genderUrn"),
        citizenships: entity.codes("citizenshipUrns"),
        first_language: entity.code("motherTongueUrn"),
        municipality: entity.code("municipalityUrn"),
        email: entity.string("primaryEmail"),
        ..Learner::default()
    }
}

/// Reads a study right.
pub(crate) fn study_right(entity: &mut Entity, tenant: &SmolStr) -> StudyRight {
    let period = validity(entity);
    let states = states(entity, &period);
    let phase = StudyPhase {
        start: period.start,
        end: period.end,
        education: entity.code("phase1EducationClassificationUrn"),
        municipality: entity.code("phase1EducationLocationUrn"),
        funding: entity.code("fundingSourceUrn"),
        ..StudyPhase::default()
    };
    let said = phase.education.is_some() || phase.municipality.is_some();
    StudyRight {
        start: period.start,
        end: period.end,
        right_type: entity.code("studyRightTypeUrn"),
        states,
        awarding_body: Some(Coded::new(INSTITUTION, tenant.clone())),
        phases: said.then_some(phase).into_iter().collect(),
        ..StudyRight::default()
    }
}

/// The states of a study right by period; where there are none, the state of today for as long as the right is.
fn states(entity: &mut Entity, period: &Period) -> Set<RightState> {
    let today = entity.text("state");
    let state = |period, state| RightState { period, state: Coded::new(RIGHT_STATE, state) };
    let periods: Set<RightState> = entity
        .objects("statePeriods")
        .into_iter()
        .filter_map(|mut one| {
            let period = Period { start: one.date("startDate"), end: one.date("endDate").map(EndDate) };
            Some(state(period, one.text("state")?))
        })
        .collect();
    match periods.is_empty() {
        true => today.map(|today| state(period.clone(), today)).into_iter().collect(),
        false => periods,
    }
}

fn validity(entity: &mut Entity) -> Period {
    let Some(mut valid) = entity.object("valid") else { return Period { start: None, end: None } };
    let period = Period { start: valid.date("startDate"), end: valid.date("endDate").map(EndDate) };
    entity.problems.append(&mut valid.problems);
    let rest = valid.into_members();
    if !rest.is_empty() {
        entity.put_back("valid", silta_adapter::json::Json::Object(rest));
    }
    period
}

/// Reads the term registrations of one study right, one for each term: the record's id, and what it says. Terms whose
/// dates cannot be known are told and left where they are.
pub(crate) fn enrolments(entity: &mut Entity, learner: &str, tenant: &SmolStr) -> Vec<(SmolStr, Enrolment, Entity)> {
    let right = entity.text("studyRightId");
    let mut enrolments = Vec::new();
    for mut term in entity.objects("termRegistrations") {
        let Some((start, end)) = term_days(&mut term) else {
            let message = "a term registration names no term of a study year";
            entity.problems.push(silta_adapter::problem::Problem::error("bad_term", message));
            continue;
        };
        let enrolment = Enrolment {
            study_right: right.clone(),
            awarding_body: Some(Coded::new(INSTITUTION, tenant.clone())),
            state: term.text("termRegistrationType").map(|kind| Coded::new(TERM_REGISTRATION, kind)),
            registered_on: term.date("registrationDate"),
            start: Some(start),
            end: Some(EndDate(end)),
            ..Enrolment::default()
        };
        enrolments.push((natural_id(learner, right.as_deref(), start), enrolment, term));
    }
    enrolments
}

/// A term registration has no id: it is known by learner, study right and first day.
fn natural_id(learner: &str, right: Option<&str>, start: Date) -> SmolStr {
    let plain = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|");
    format!("{}|{}|{start}", plain(learner), plain(right.unwrap_or_default())).into()
}

/// First and last day of a term: by law the study year starts on 1 August, and its spring term on 1 January.
fn term_days(registration: &mut Entity) -> Option<(Date, Date)> {
    let mut term = registration.object("studyTerm")?;
    let year: i16 = term.text("studyYearStartYear")?.parse().ok().filter(|year| (1900..2200).contains(year))?;
    // By name or by number, whichever interface it comes from.
    let (first, last) = match term.text("term").or_else(|| term.text("termIndex"))?.as_str() {
        "AUTUMN" | "0" => ((year, 8, 1), (year, 12, 31)),
        "SPRING" | "1" => ((year + 1, 1, 1), (year + 1, 7, 31)),
        _ => return None,
    };
    let day = |(year, month, day)| civil::Date::new(year, month, day).ok().map(Date::new);
    Some((day(first)?, day(last)?))
}

/// Reads a mobility period.
pub(crate) fn mobility(entity: &mut Entity, tenant: &SmolStr) -> MobilityPeriod {
    let period = validity(entity);
    MobilityPeriod {
        study_right: entity.text("studyRightId"),
        awarding_body: Some(Coded::new(INSTITUTION, tenant.clone())),
        start: entity.date("startDate").or(period.start),
        end: entity.date("endDate").map(EndDate).or(period.end),
        direction: entity.code("mobilityDirectionUrn"),
        country: entity.code("countryUrn"),
        mobility_type: entity.code("mobilityTypeUrn"),
        programme: entity.code("mobilityProgramUrn"),
        ..MobilityPeriod::default()
    }
}

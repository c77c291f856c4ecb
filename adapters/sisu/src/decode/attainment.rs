//! An attainment of any of the six types.

use super::entity::Entity;
use super::joins::Joins;
use crate::ids::from_sisu;
use crate::names::{ATTAINMENT_TYPE, GRADE_SCALE, INSTITUTION, ORGANISATION, ROLE, STATE, TRANSFER_SOURCE, coded};
use silta_adapter::SmolStr;
use silta_adapter::json::Json;
use silta_adapter::problem::Problem;
use silta_adapter::record::{
    Attainment, Coded, Credits, EndDate, Grade, GradeScale, OrganisationRole, Part, Set, Texts,
};

/// Reads the content of an attainment; what has no place in it stays in the entity. `tenant` is the institution whose
/// Sisu it is: Sisu does not say, since all it registers is that institution's own.
pub(crate) fn attainment(entity: &mut Entity, joins: &Joins, tenant: &SmolStr, unread: &mut Vec<String>) -> Attainment {
    let mut a = Attainment {
        study_right: entity.text("studyRightId"),
        category: entity.text("type").map(|kind| Coded::new(ATTAINMENT_TYPE, kind)),
        code: entity.text("code"),
        title: entity.texts("name"),
        completed_on: entity.date("attainmentDate"),
        registered_on: entity.date("registrationDate"),
        expires_on: entity.date("expiryDate").map(EndDate),
        credits: credits(entity),
        grade: grade(entity, joins),
        awarding_body: Some(Coded::new(INSTITUTION, tenant.clone())),
        organisations: organisations(entity, joins, unread),
        language: entity.code("attainmentLanguageUrn"),
        education: entity.code("educationClassificationUrn"),
        classifications: entity.text("state").map(|state| Coded::new(STATE, state)).into_iter().collect(),
        additional_info: entity.texts("additionalInfo"),
        parts: parts(entity),
        ..Attainment::default()
    };
    recognition(entity, &mut a);
    name(entity, joins, &mut a);
    a
}

fn credits(entity: &mut Entity) -> Option<Credits> {
    let credits = Credits { ects: entity.amount("credits"), credit_weeks: entity.amount("studyWeeks") };
    (credits != Credits::default()).then_some(credits)
}

/// The scale and the local id of the grade on it, as sent: an index, not the grade itself.
fn grade(entity: &mut Entity, joins: &Joins) -> Option<Grade> {
    let scale = entity.text("gradeScaleId")?;
    let Some(value) = entity.text("gradeId") else {
        entity.put_back("gradeScaleId", Json::text(scale));
        return None;
    };
    let known = joins.scales.get(&scale).cloned().unwrap_or_default();
    Some(Grade {
        scale: GradeScale { code: Coded::new(GRADE_SCALE, scale), title: known.title, grades: known.grades },
        value,
    })
}

fn organisations(entity: &mut Entity, joins: &Joins, unread: &mut Vec<String>) -> Set<OrganisationRole> {
    let mut roles = Set::default();
    for mut organisation in entity.objects("organisations") {
        let own = organisation.text("organisationId").map(|id| {
            let label = joins.organisations.get(&id).cloned().unwrap_or_default();
            Coded { label, ..Coded::new(ORGANISATION, id) }
        });
        let other = organisation.code("educationalInstitutionUrn");
        let role = organisation.code("roleUrn").unwrap_or_else(|| coded(""));
        let share = organisation.amount("share");
        roles.extend(own.into_iter().chain(other).map(|organisation| OrganisationRole {
            role: role.clone(),
            organisation,
            share,
        }));
        for name in organisation.untaken() {
            unread.push(format!("/attainments/organisations/{name}"));
        }
        entity.problems.append(&mut organisation.problems);
    }
    roles
}

/// Where the credit comes from and when it was recognised. What is left of it stays, so that it is known to be there.
fn recognition(entity: &mut Entity, a: &mut Attainment) {
    let Some(mut transfer) = entity.object("creditTransferInfo") else { return };
    a.recognised_on = transfer.date("creditTransferDate");
    for name in ["educationalInstitutionUrn", "internationalInstitutionUrn"] {
        if let Some(organisation) = transfer.code(name) {
            let role = Coded::new(ROLE, TRANSFER_SOURCE);
            a.organisations.push(OrganisationRole { role, organisation, share: None });
        }
    }
    entity.problems.append(&mut transfer.problems);
    let said = a.recognised_on.is_some() || a.organisations.iter().any(|o| o.role.scheme == ROLE);
    let rest = transfer.into_members();
    if !rest.is_empty() || !said {
        entity.put_back("creditTransferInfo", Json::Object(rest));
    }
}

/// Attainments that are part of this one: named in groups, or as the items a course unit was assessed by. Groups have
/// names, so a list with groups stays beside.
fn parts(entity: &mut Entity) -> Set<Part> {
    let mut ids: Vec<SmolStr> = entity.texts_of("assessmentItemAttainmentIds");
    if let Some(nodes) = entity.take("nodes") {
        let mut groups = false;
        if references(&nodes, &mut ids, &mut groups).is_none() {
            let problem = Problem::warning("odd_value", "nodes is not a list of references and groups; kept as sent");
            entity.problems.push(problem);
            groups = true;
        }
        if groups {
            entity.put_back("nodes", nodes);
        }
    }
    ids.into_iter().map(|id| Part { id: from_sisu(&id), ects: None }).collect()
}

/// Adds the ids that nodes refer to, in order; `None` if they are something else than references and groups.
pub(crate) fn references(nodes: &Json, ids: &mut Vec<SmolStr>, groups: &mut bool) -> Option<()> {
    let Json::List(nodes) = nodes else { return None };
    for node in nodes {
        let Json::Object(members) = node else { return None };
        let member = |name| members.iter().find(|(known, value)| known == name && *value != Json::Null);
        match (member("attainmentId"), member("nodes")) {
            (Some((_, Json::Text(id))), None) => {
                *groups |= members.iter().any(|(name, _)| name != "attainmentId" && name != "type");
                ids.push(id.into());
            }
            (None, Some((_, inner))) => {
                *groups = true;
                references(inner, ids, groups)?;
            }
            (None, None) if member("name").is_some() => *groups = true,
            _ => return None,
        }
    }
    Some(())
}

/// The name and code of the course unit or module, where the attainment has none of its own.
fn name(entity: &mut Entity, joins: &Joins, a: &mut Attainment) {
    for member in ["courseUnitId", "moduleId"] {
        let Some(id) = entity.text(member) else { continue };
        match joins.names.get(&id) {
            Some(named) => {
                if a.title.is_empty() {
                    a.title = Texts::clone(&named.title);
                }
                if a.code.is_none() {
                    a.code.clone_from(&named.code);
                }
            }
            None if joins.names_given && a.title.is_empty() => {
                let message = format!("{member} leads to nothing in the document; the attainment stays without a name");
                entity.problems.push(Problem::warning("unresolved_reference", message));
            }
            None => {}
        }
        entity.put_back(member, Json::text(id));
    }
}

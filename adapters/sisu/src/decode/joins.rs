//! What entities refer to: names of course units and modules, organisations, grading scales.

use super::document::{Document, Resource};
use super::entity::{DocumentState, Entity};
use super::versions::standing;
use silta_adapter::SmolStr;
use silta_adapter::json::Json;
use silta_adapter::record::{Amount, ScaleGrade, Set, Texts};
use std::collections::{HashMap, HashSet};

/// What entities refer to.
#[derive(Default)]
pub(crate) struct Joins {
    /// Course units and modules by id.
    pub(crate) names: HashMap<SmolStr, Named>,
    /// True if the document holds course units or modules at all: then one that is missing is told.
    pub(crate) names_given: bool,
    /// Names of organisations by id.
    pub(crate) organisations: HashMap<SmolStr, Texts>,
    /// Grading scales by id.
    pub(crate) scales: HashMap<SmolStr, Scale>,
    /// Persons under a non-disclosure order.
    pub(crate) undisclosed: HashSet<SmolStr>,
}

/// What a course unit or module is called.
pub(crate) struct Named {
    pub(crate) code: Option<SmolStr>,
    pub(crate) title: Texts,
}

/// A grading scale.
#[derive(Clone, Default)]
pub(crate) struct Scale {
    pub(crate) title: Texts,
    pub(crate) grades: Set<ScaleGrade>,
}

impl Joins {
    /// Reads what entities of the document refer to. Members that no reference needs are not looked at: these entities
    /// are no records.
    pub(crate) fn read(document: &Document<'_>, as_of: &str) -> Self {
        let mut joins = Self::default();
        for list in &document.lists {
            joins.names_given |= matches!(list.resource, Resource::CourseUnits | Resource::Modules);
            for standing in standing(list, as_of) {
                let entity = Json::parse(standing.raw.get()).ok().and_then(|json| Entity::new(json, String::new()));
                let Some(mut entity) = entity else { continue };
                let Some(id) = entity.text("id") else { continue };
                match list.resource {
                    Resource::CourseUnits | Resource::Modules => {
                        let named = Named { code: entity.text("code"), title: entity.texts("name") };
                        joins.names.insert(id, named);
                    }
                    Resource::Organisations => {
                        joins.organisations.insert(id, entity.texts("name"));
                    }
                    Resource::GradeScales => {
                        let scale = Scale { title: entity.texts("name"), grades: grades(&mut entity) };
                        joins.scales.insert(id, scale);
                    }
                    Resource::Persons => {
                        let stands = entity.document_state() == DocumentState::Active;
                        if stands && entity.flag("personalDataSafetyNonDisclosure") == Some(true) {
                            joins.undisclosed.insert(id);
                        }
                    }
                    _ => {}
                }
            }
        }
        joins
    }
}

/// The grades of a scale. An abbreviation can be missing; the grade then goes by its name or its local id.
fn grades(scale: &mut Entity) -> Set<ScaleGrade> {
    let grade = |mut grade: Entity| {
        let key = grade.text("localId")?;
        let name = grade.texts("name").first().map(|text| text.value.clone());
        let short = grade.texts("abbreviation").first().map(|text| SmolStr::from(&text.value));
        let code = short.or_else(|| name.as_ref().map(SmolStr::from)).unwrap_or_else(|| key.clone());
        let numeric: Option<Amount> = grade.amount("numericCorrespondence");
        Some(ScaleGrade { key, code, name, numeric })
    };
    scale.objects("grades").into_iter().filter_map(grade).collect()
}

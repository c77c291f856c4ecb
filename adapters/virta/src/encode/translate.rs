//! Codes of other systems, as the codes of VIRTA that a crosswalk says they mean.

use super::losses::TRANSLATED_CODE;
use crate::names::{
    CATEGORY, COUNTRY, EDUCATION, ENROLMENT_STATE, FUNDING, GENDER, LANGUAGE, MUNICIPALITY, NATIONAL_SCALE,
    ORGANISATION, RIGHT_STATE, RIGHT_TYPE, ROLE,
};
use serde_json::json;
use silta_adapter::SmolStr;
use silta_adapter::fidelity::{Change, Loss};
use silta_adapter::mapping::Crosswalks;
use silta_adapter::record::{Attainment, Body, Coded, Grade, Record, RecordKey, StudyRight};
use std::borrow::Cow;

/// The record with codes of VIRTA where a crosswalk leads there, and what became of each code. A code that is VIRTA's
/// already, or that no crosswalk knows, stays.
pub(super) fn translated<'r>(record: &'r Record, crosswalks: &Crosswalks) -> (Cow<'r, Record>, Vec<Loss>) {
    let Some(mut body) = record.body.clone().filter(speaks_otherwise) else {
        return (Cow::Borrowed(record), Vec::new());
    };
    let mut translate = Translate { key: &record.head.key, crosswalks, losses: Vec::new() };
    match &mut body {
        Body::Learner(learner) => {
            translate.optional("gender", &mut learner.gender, GENDER);
            translate.optional("first_language", &mut learner.first_language, LANGUAGE);
            for (at, country) in learner.citizenships.0.iter_mut().enumerate() {
                translate.code(format!("/body/citizenships/{at}"), country, COUNTRY);
            }
        }
        Body::Attainment(a) => translate.attainment(a),
        Body::StudyRight(right) => translate.study_right(right),
        Body::MobilityPeriod(period) => translate.optional("awarding_body", &mut period.awarding_body, ORGANISATION),
        Body::Enrolment(enrolment) => {
            translate.optional("awarding_body", &mut enrolment.awarding_body, ORGANISATION);
            translate.optional("state", &mut enrolment.state, ENROLMENT_STATE);
        }
        Body::Activity(_) => {}
    }
    let losses = translate.losses;
    (Cow::Owned(Record { head: record.head.clone(), body: Some(body) }), losses)
}

/// True for a record of a system that names its institution, or its learner's gender or language, otherwise than VIRTA.
/// Records in VIRTA's own words are not copied.
fn speaks_otherwise(body: &Body) -> bool {
    let foreign = |code: &Option<Coded>| code.as_ref().is_some_and(|code| !code.scheme.starts_with("virta:"));
    match body {
        Body::Learner(b) => {
            foreign(&b.gender)
                || foreign(&b.first_language)
                || b.citizenships.iter().any(|code| !code.scheme.starts_with("virta:"))
        }
        Body::Attainment(b) => foreign(&b.awarding_body) || foreign(&b.category) || foreign(&b.language),
        Body::StudyRight(b) => foreign(&b.awarding_body) || foreign(&b.right_type),
        Body::MobilityPeriod(b) => foreign(&b.awarding_body),
        Body::Enrolment(b) => foreign(&b.awarding_body) || foreign(&b.state),
        Body::Activity(_) => false,
    }
}

struct Translate<'a> {
    key: &'a RecordKey,
    crosswalks: &'a Crosswalks,
    losses: Vec<Loss>,
}

impl Translate<'_> {
    fn attainment(&mut self, a: &mut Attainment) {
        self.optional("awarding_body", &mut a.awarding_body, ORGANISATION);
        self.optional("category", &mut a.category, CATEGORY);
        self.optional("language", &mut a.language, LANGUAGE);
        self.optional("education", &mut a.education, EDUCATION);
        for (at, there) in a.organisations.0.iter_mut().enumerate() {
            // One without the other would be left out, and nothing said about it.
            if self.meaning(&there.role, ROLE).is_some() && self.meaning(&there.organisation, ORGANISATION).is_some() {
                self.code(format!("/body/organisations/{at}/role"), &mut there.role, ROLE);
                self.code(format!("/body/organisations/{at}/organisation"), &mut there.organisation, ORGANISATION);
            }
        }
        if let Some(grade) = &mut a.grade {
            self.grade(grade);
        }
    }

    fn study_right(&mut self, right: &mut StudyRight) {
        self.optional("awarding_body", &mut right.awarding_body, ORGANISATION);
        self.optional("right_type", &mut right.right_type, RIGHT_TYPE);
        if right.right_type.is_none() {
            self.right_type_of(right);
        }
        for (at, there) in right.states.0.iter_mut().enumerate() {
            self.code(format!("/body/states/{at}/state"), &mut there.state, RIGHT_STATE);
        }
        for (at, phase) in right.phases.0.iter_mut().enumerate() {
            self.optional(&format!("phases/{at}/education"), &mut phase.education, EDUCATION);
            self.optional(&format!("phases/{at}/municipality"), &mut phase.municipality, MUNICIPALITY);
            self.optional(&format!("phases/{at}/funding"), &mut phase.funding, FUNDING);
        }
    }

    /// A register that has no type of study right may say by the education what it is: an operator's crosswalk tells.
    fn right_type_of(&mut self, right: &mut StudyRight) {
        let education = right.phases.iter().find_map(|phase| phase.education.as_ref());
        if let Some(value) = education.and_then(|education| self.meaning(education, RIGHT_TYPE)) {
            let code = Coded::new(RIGHT_TYPE, value);
            let added = json!({ "scheme": RIGHT_TYPE, "value": code.value });
            let rule = SmolStr::new_static(TRANSLATED_CODE);
            let path = "/body/right_type".to_owned();
            self.losses.push(Loss { key: self.key.clone(), path, change: Change::Added(added), rule });
            right.right_type = Some(code);
        }
    }

    /// A grade has a meaning only if its scale has one and the grade has one on it.
    fn grade(&mut self, grade: &mut Grade) {
        let from = grade.scale.code.clone();
        let Some(scale) = self.meaning(&from, NATIONAL_SCALE).filter(|_| from.scheme != NATIONAL_SCALE) else { return };
        let (list, to) = (format!("{}/{}", from.scheme, from.value), format!("{NATIONAL_SCALE}/{scale}"));
        let Some(value) = self.crosswalks.meaning(&list, &grade.value, &to) else { return };
        self.code("/body/grade/scale/code".to_owned(), &mut grade.scale.code, NATIONAL_SCALE);
        if value != grade.value {
            self.lose("/body/grade/value".to_owned(), value.as_str().into());
            grade.value = value;
        }
    }

    fn optional(&mut self, field: &str, code: &mut Option<Coded>, to: &'static str) {
        if let Some(code) = code {
            self.code(format!("/body/{field}"), code, to);
        }
    }

    fn code(&mut self, path: String, code: &mut Coded, to: &'static str) {
        if let Some(value) = self.meaning(code, to).filter(|_| code.scheme != to) {
            self.lose(path, json!({ "scheme": to, "value": value }));
            *code = Coded::new(to, value);
        }
    }

    fn meaning(&self, code: &Coded, to: &str) -> Option<SmolStr> {
        match code.scheme == to {
            true => Some(code.value.clone()),
            false => self.crosswalks.meaning(&code.scheme, &code.value, to),
        }
    }

    fn lose(&mut self, path: String, became: serde_json::Value) {
        let rule = SmolStr::new_static(TRANSLATED_CODE);
        self.losses.push(Loss { key: self.key.clone(), path, change: Change::Became(became), rule });
    }
}

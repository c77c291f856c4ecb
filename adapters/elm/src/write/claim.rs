//! Claims: attainments with their parts, and activities.

use super::Writer;
use crate::compose::Claim;
use crate::project::graded;
use crate::terms::{self, CATEGORY, DEGREE, ESCO_SKILLS, SHORT_PROGRAMME};
use silta_adapter::record::{
    Accreditation, Activity, Amount, Assessment, Attainment, Body, Coded, Date, Grade, Head, LearningOutcome,
    RecordKey, Text, Texts,
};
use smol_str::SmolStr;
use std::ops::Range;

/// The facts a claim needs wherever it mentions itself.
struct Facts<'a> {
    head: &'a Head,
    title: &'a Texts,
    /// The awarding process, once written: repeated in what belongs to the claim.
    awarded_by: Range<usize>,
}

impl Writer<'_, '_> {
    pub(super) fn claim(&mut self, claim: &Claim) {
        match &self.projection.records[claim.record] {
            Some((head, Body::Attainment(a))) => self.achievement(claim, head, a),
            Some((head, Body::Activity(a))) => self.activity(head, a),
            _ => {}
        }
    }

    fn activity(&mut self, head: &Head, a: &Activity) {
        self.node("activity", "LearningActivity");
        self.texts("title", &a.title);
        self.texts("description", &a.description);
        self.json.key("identifier").open(b'[');
        self.record_key(&head.key);
        self.json.close(b']');
        self.awarded_by(a.awarding_body.as_ref(), None);
        self.temporal(a.start, a.end.map(|end| end.0));
        if let Some(workload) = &a.workload {
            self.json.key("workload").string(workload);
        }
        self.json.key("specifiedBy");
        self.node("learningActivitySpec", "LearningActivitySpecification");
        self.texts("title", &a.title);
        self.code("dcType", a.activity_type.as_ref(), "learning-activity");
        self.codes("mode", &a.modes, "mode");
        self.code("language", a.language.as_ref(), "language");
        self.end();
        self.end();
    }

    fn temporal(&mut self, start: Option<Date>, end: Option<Date>) {
        if start.is_some() || end.is_some() {
            self.json.key("temporal");
            self.node("period", "PeriodOfTime");
            self.date("startDate", start);
            self.date("endDate", end);
            self.end();
        }
    }

    fn achievement(&mut self, claim: &Claim, head: &Head, a: &Attainment) {
        self.node("learningAchievement", "LearningAchievement");
        self.texts("title", &a.title);
        self.texts("description", &a.description);
        self.own_identifiers(&head.key, a);
        let awarded_by = self.awarded_by(a.awarding_body.as_ref(), a.issued_on);
        let facts = Facts { head, title: &a.title, awarded_by };
        self.note("additionalNote", &a.additional_info);
        self.specification(a, claim.repeated);
        self.assessment(a, &facts);
        if a.started_on.is_some() || a.completed_on.is_some() {
            self.json.key("influencedBy");
            self.node("activity", "LearningActivity");
            self.mention(&facts);
            self.temporal(a.started_on, a.completed_on);
            self.end();
        }
        if let Some(ects) = claim.ects {
            self.credits("creditReceived", ects);
        }
        self.array("hasPart", &claim.parts, |w, part| w.claim(part));
        self.end();
    }

    /// What every claim needs and something that belongs to a claim shares with it.
    fn mention(&mut self, facts: &Facts<'_>) {
        self.texts("title", facts.title);
        self.json.key("awardedBy").again(facts.awarded_by.clone());
    }

    /// The record's key, and what has no other place than an identifier.
    fn own_identifiers(&mut self, key: &RecordKey, a: &Attainment) {
        self.json.key("identifier").open(b'[');
        self.record_key(key);
        let plain = [
            (terms::STUDY_RIGHT, a.study_right.as_deref()),
            (terms::CODE, a.code.as_deref()),
            (terms::NATIONAL_CODE, a.national_code.as_deref()),
            (terms::THESIS, a.thesis.map(|thesis| if thesis { "true" } else { "false" })),
        ];
        for (scheme, value) in plain {
            if let Some(value) = value {
                self.identifier(scheme, "", value);
            }
        }
        let single = [
            (terms::CATEGORY_CODE, &a.category),
            (terms::EDUCATION, &a.education),
            (terms::CYCLE, &a.cycle),
            (terms::MASTERY, &a.mastery),
        ];
        let several = [(terms::COMPETENCE, &a.competences), (terms::CLASSIFICATION, &a.classifications)];
        let single = single.into_iter().filter_map(|(scheme, code)| Some((scheme, code.as_ref()?)));
        for (scheme, code) in single.chain(several.into_iter().flat_map(|(s, codes)| codes.iter().map(move |c| (s, c))))
        {
            self.identifier(scheme, &code.scheme, &code.value);
        }
        self.json.close(b']');
    }

    fn credits(&mut self, name: &str, ects: Amount) {
        self.json.key(name);
        self.node("creditPoint", "CreditPoint");
        let list = self.list("education-credit");
        self.json.key("framework");
        self.concept(terms::ECTS, &list.scheme, list);
        self.json.key("point").plain(format_args!("{ects}"));
        self.end();
    }

    fn specification(&mut self, a: &Attainment, repeated: bool) {
        self.json.key("specifiedBy");
        let qualification = is_qualification(a);
        if qualification {
            self.node("qualification", "Qualification");
        } else {
            self.node("learningAchievementSpec", "LearningAchievementSpecification");
        }
        self.texts("title", &a.title);
        self.code("dcType", a.achievement_type.as_ref(), "learning-opportunity");
        if let Some(ects) = a.credits.as_ref().and_then(|c| c.ects).filter(|_| !repeated) {
            self.credits("creditPoint", ects);
        }
        if let Some(workload) = &a.workload {
            self.json.key("volumeOfLearning").string(workload);
        }
        self.code("language", a.language.as_ref(), "language");
        self.codes("mode", &a.modes, "mode");
        self.code("learningSetting", a.learning_setting.as_ref(), "learning-setting");
        self.codes("thematicArea", a.fields_of_study.iter().map(|f| &f.field), "isced-f");
        self.note("entryRequirement", &a.entry_requirements);
        self.note("learningOutcomeSummary", &a.learning_outcome_summary);
        self.array("learningOutcome", &a.learning_outcomes, |w, outcome| w.outcome(outcome));
        self.array("homepage", &a.links, |w, link| w.web_resource(link));
        let graded = graded(a);
        let others = a.assessments.iter().enumerate().filter(|(nth, _)| Some(*nth) != graded);
        self.array("provenBy", others, |w, (_, assessment)| {
            w.node("learningAssessmentSpec", "LearningAssessmentSpecification");
            w.assessment_kind(Some(assessment), &a.title);
            w.end();
        });
        if qualification {
            self.code("eqfLevel", a.eqf_level.as_ref(), "eqf");
            self.codes("nqfLevel", &a.nqf_levels, "nqf");
            if let Some(partial) = a.stackability.as_ref().and_then(|s| s.partial) {
                self.json.key("isPartialQualification").boolean(partial);
            }
            self.array("accreditation", &a.quality_assurance, |w, assurance| w.accreditation(assurance));
        }
        self.end();
    }

    fn web_resource(&mut self, link: &str) {
        self.node("webResource", "WebResource");
        self.json.key("contentURL").string(link);
        self.end();
    }

    fn accreditation(&mut self, assurance: &Accreditation) {
        self.node("accreditation", "Accreditation");
        self.texts("title", &assurance.title);
        self.code("dcType", assurance.accreditation_type.as_ref(), "accreditation");
        if let Some(link) = &assurance.link {
            self.json.key("homepage");
            self.web_resource(link);
        }
        self.json.key("accreditingAgent");
        self.node("org", "Organisation");
        self.texts("legalName", &assurance.agent);
        self.location(assurance.agent_country.as_ref().map(|country| country.value.as_str()));
        self.end();
        self.end();
    }

    fn outcome(&mut self, outcome: &LearningOutcome) {
        self.node("learningOutcome", "LearningOutcome");
        self.texts("title", &outcome.title);
        self.note("additionalNote", &outcome.description);
        let esco = |skill: &&Coded| skill.scheme == ESCO_SKILLS;
        self.codes("relatedESCOSkill", outcome.skills.iter().filter(esco), "");
        self.codes("relatedSkill", outcome.skills.iter().filter(|skill| !esco(skill)), "");
        self.code("reusabilityLevel", outcome.reusability.as_ref(), "skill-reuse-level");
        self.end();
    }

    fn assessment_kind(&mut self, assessment: Option<&Assessment>, title: &Texts) {
        self.texts("title", assessment.map_or(title, |assessment| &assessment.title));
        self.code("dcType", assessment.and_then(|s| s.assessment_type.as_ref()), "assessment");
        self.code("mode", assessment.and_then(|s| s.mode.as_ref()), "mode");
    }

    /// The grade, with the assessment that gave it.
    fn assessment(&mut self, a: &Attainment, facts: &Facts<'_>) {
        let Some(grade) = &a.grade else { return };
        let assessment = graded(a).map(|nth| &a.assessments[nth]);
        self.json.key("provenBy");
        self.node("learningAssessment", "LearningAssessment");
        self.mention(facts);
        let shown = self.shown(grade, a, facts);
        if shown != grade.value {
            self.json.key("identifier");
            self.node("identifier", "Identifier");
            self.json.key("notation").string(&grade.value).key("schemeName").string(terms::GRADE);
            self.end();
        }
        self.json.key("grade");
        self.node("note", "Note");
        self.text("noteLiteral", &shown);
        self.end();
        self.date("dateIssued", a.assessed_on);
        self.code("idVerification", assessment.and_then(|s| s.supervision.as_ref()), "supervision-verification");
        self.json.key("specifiedBy");
        self.node("learningAssessmentSpec", "LearningAssessmentSpecification");
        self.assessment_kind(assessment, &a.title);
        self.grading_scheme(grade);
        self.end();
        self.end();
    }

    fn grading_scheme(&mut self, grade: &Grade) {
        let Coded { scheme, value, .. } = &grade.scale.code;
        self.json.key("gradingScheme");
        self.node("gradingScheme", "GradingScheme");
        if grade.scale.title.is_empty() {
            self.text("title", value);
        } else {
            self.scale_title(&grade.scale.title);
        }
        self.json.key("identifier");
        self.node("identifier", "Identifier");
        self.json.key("notation").string(value).key("schemeName").string(&[terms::SCALE, scheme].concat());
        self.end();
        self.end();
    }

    /// A scale's name is not compared, so what a language map cannot hold of it is left out.
    fn scale_title(&mut self, title: &Texts) {
        let mut texts: Texts = Texts::default();
        for text in title {
            let lang = text.lang.clone().filter(|lang| terms::is_language(lang));
            if !texts.iter().any(|t| {
                t.lang.as_deref().unwrap_or_default().eq_ignore_ascii_case(lang.as_deref().unwrap_or_default())
            }) {
                texts.0.push(Text { lang, value: text.value.clone() });
            }
        }
        self.texts("title", &texts);
    }

    /// The grade as a reader knows it: the code its key stands for on an institution's own scale.
    fn shown(&self, grade: &Grade, a: &Attainment, facts: &Facts<'_>) -> SmolStr {
        let institution = a.awarding_body.as_ref().map_or(&facts.head.key.institution, |body| &body.value);
        grade.resolve(institution, &self.ctx.mappings.grades).map_or(&grade.value, |g| &g.code).clone()
    }

    /// The awarding process of a claim; says where it stands, to be repeated.
    fn awarded_by(&mut self, body: Option<&Coded>, on: Option<Date>) -> Range<usize> {
        self.json.key("awardedBy");
        let start = self.json.position();
        self.node("awardingProcess", "AwardingProcess");
        self.json.key("awardingBody");
        self.organisation(body);
        self.date("awardingDate", on);
        self.end();
        start..self.json.position()
    }
}

/// A degree, or what says something that only qualifications can hold.
fn is_qualification(a: &Attainment) -> bool {
    a.category.as_ref().is_some_and(|c| c.scheme == CATEGORY && c.value == DEGREE)
        || a.eqf_level.is_some()
        || !a.nqf_levels.is_empty()
        || !a.quality_assurance.is_empty()
        || a.stackability.as_ref().is_some_and(|s| s.partial.is_some())
        || a.achievement_type.as_ref().is_some_and(|t| t.value == SHORT_PROGRAMME)
}

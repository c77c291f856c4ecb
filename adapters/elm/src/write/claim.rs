//! Claims: attainments with their parts, and activities.

use super::Writer;
use crate::compose::Claim;
use crate::project::graded;
use crate::rest::{self, Section};
use crate::terms::{self, ESCO_SKILLS};
use silta_adapter::record::{
    Accreditation, Activity, Amount, Assessment, Attainment, Body, Coded, Date, Extensions, Grade, Head,
    LearningOutcome, RecordKey, Texts,
};
use smol_str::SmolStr;

/// What ids call an awarding process.
const AWARDING_PROCESS: &str = "awardingProcess";

/// The facts a claim needs wherever it mentions itself.
struct Facts<'a> {
    head: &'a Head,
    title: &'a Texts,
    /// The number of the awarding process: named in what belongs to the claim.
    awarded_by: u32,
}

impl<'a> Writer<'a, '_> {
    pub(super) fn claim(&mut self, claim: &Claim) {
        match &self.projection.records[claim.record] {
            Some((head, Body::Attainment(a))) => self.achievement(claim, head, a),
            Some((head, Body::Activity(a))) => self.activity(head, a),
            _ => {}
        }
    }

    fn activity(&mut self, head: &Head, a: &'a Activity) {
        let rest = |section| Section::of(&a.extensions, section);
        let claim = rest(rest::CLAIM);
        self.node("activity", "LearningActivity");
        self.texts("title", &a.title);
        self.texts("description", &a.description);
        self.json.key("identifier").open(b'[');
        self.record_key(&head.key);
        self.elements(claim.values("identifier"));
        self.json.close(b']');
        self.awarded_by(a.awarding_body.as_ref(), None, None, &a.extensions);
        self.temporal(a.start, a.end.map(|end| end.0), claim);
        if let Some(workload) = &a.workload {
            self.json.key("workload").string(workload);
        }
        let spec = rest(rest::SPECIFICATION);
        self.json.key("specifiedBy");
        self.node("learningActivitySpec", "LearningActivitySpecification");
        if !spec.has("title") {
            self.texts("title", &a.title);
        }
        self.code("dcType", a.activity_type.as_ref(), "learning-activity");
        self.codes("mode", &a.modes, "mode");
        self.code("language", a.language.as_ref(), "language");
        self.rest(spec, &[]);
        self.end();
        self.rest(claim, &["identifier", "temporal"]);
        self.end();
    }

    fn temporal(&mut self, start: Option<Date>, end: Option<Date>, rest: Section<'a>) {
        let typed = start.is_some() || end.is_some();
        self.joined("temporal", typed, rest, |w| {
            w.node("period", "PeriodOfTime");
            w.date("startDate", start);
            w.date("endDate", end);
            w.end();
        });
    }

    fn achievement(&mut self, claim: &Claim, head: &Head, a: &'a Attainment) {
        let rest = Section::of(&a.extensions, rest::CLAIM);
        self.node("learningAchievement", "LearningAchievement");
        self.texts("title", &a.title);
        self.texts("description", &a.description);
        self.own_identifiers(&head.key, a, rest);
        let awarded_by = self.awarded_by(a.awarding_body.as_ref(), a.country.as_ref(), a.issued_on, &a.extensions);
        let facts = Facts { head, title: &a.title, awarded_by };
        self.note("additionalNote", &a.additional_info);
        self.specification(a, claim.repeated);
        self.joined("provenBy", a.grade.is_some(), rest, |w| w.assessment(a, &facts));
        let activity = Section::of(&a.extensions, rest::ACTIVITY);
        let led = a.started_on.is_some() || a.completed_on.is_some() || !activity.is_empty();
        self.joined("influencedBy", led, rest, |w| {
            w.node("activity", "LearningActivity");
            w.mention(&facts, activity);
            w.temporal(a.started_on, a.completed_on, activity);
            w.rest(activity, &["temporal"]);
            w.end();
        });
        if let Some(ects) = claim.ects {
            self.json.key("creditReceived");
            self.credits(ects);
        }
        self.array("hasPart", &claim.parts, |w, part| w.claim(part));
        self.rest(rest, &["identifier", "provenBy", "influencedBy"]);
        self.end();
    }

    /// What every claim needs and something that belongs to a claim shares with it.
    fn mention(&mut self, facts: &Facts<'_>, rest: Section<'a>) {
        if !rest.has("title") {
            self.texts("title", facts.title);
        }
        if !rest.has("awardedBy") {
            let id = format_args!("urn:epass:{AWARDING_PROCESS}:{}", facts.awarded_by);
            self.json.key("awardedBy").open(b'{').key("id").plain(id);
            self.json.key("type").string("AwardingProcess").close(b'}');
        }
    }

    /// The record's key, and what has no other place than an identifier.
    fn own_identifiers(&mut self, key: &RecordKey, a: &'a Attainment, rest: Section<'a>) {
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
        self.elements(rest.values("identifier"));
        self.json.close(b']');
    }

    fn credits(&mut self, ects: Amount) {
        self.node("creditPoint", "CreditPoint");
        let list = self.list("education-credit");
        self.json.key("framework");
        self.concept(terms::ECTS, &list.scheme, list);
        self.json.key("point").plain(format_args!("{ects}"));
        self.end();
    }

    fn specification(&mut self, a: &'a Attainment, repeated: bool) {
        self.json.key("specifiedBy");
        let rest = Section::of(&a.extensions, rest::SPECIFICATION);
        let qualification = terms::is_qualification(a) || rest.has("type");
        if qualification {
            self.node("qualification", "Qualification");
        } else {
            self.node("learningAchievementSpec", "LearningAchievementSpecification");
        }
        if !rest.has("title") {
            self.texts("title", &a.title);
        }
        self.code("dcType", a.achievement_type.as_ref(), "learning-opportunity");
        let ects = a.credits.as_ref().and_then(|c| c.ects).filter(|_| !repeated);
        self.joined("creditPoint", ects.is_some(), rest, |w| ects.into_iter().for_each(|ects| w.credits(ects)));
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
            w.texts("title", &assessment.title);
            w.assessment_kind(Some(assessment));
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
        self.rest(rest, &["type", "creditPoint"]);
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

    fn assessment_kind(&mut self, assessment: Option<&Assessment>) {
        self.code("dcType", assessment.and_then(|s| s.assessment_type.as_ref()), "assessment");
        self.code("mode", assessment.and_then(|s| s.mode.as_ref()), "mode");
    }

    /// The grade, with the assessment that gave it.
    fn assessment(&mut self, a: &'a Attainment, facts: &Facts<'_>) {
        let Some(grade) = &a.grade else { return };
        let assessment = graded(a).map(|nth| &a.assessments[nth]);
        let rest = Section::of(&a.extensions, rest::ASSESSMENT);
        self.node("learningAssessment", "LearningAssessment");
        self.mention(facts, rest);
        let shown = self.shown(grade, a, facts);
        self.joined("identifier", shown != grade.value, rest, |w| {
            w.node("identifier", "Identifier");
            w.json.key("notation").string(&grade.value).key("schemeName").string(terms::GRADE);
            w.end();
        });
        self.json.key("grade");
        self.node("note", "Note");
        self.text("noteLiteral", &shown);
        self.end();
        self.date("dateIssued", a.assessed_on);
        self.code("idVerification", assessment.and_then(|s| s.supervision.as_ref()), "supervision-verification");
        let spec = Section::of(&a.extensions, rest::ASSESSMENT_SPECIFICATION);
        self.json.key("specifiedBy");
        self.node("learningAssessmentSpec", "LearningAssessmentSpecification");
        if !spec.has("title") {
            self.texts("title", assessment.map_or(&a.title, |assessment| &assessment.title));
        }
        self.assessment_kind(assessment);
        self.grading_scheme(grade, Section::of(&a.extensions, rest::GRADING_SCHEME));
        self.rest(spec, &["gradingScheme"]);
        self.end();
        self.rest(rest, &["identifier"]);
        self.end();
    }

    fn grading_scheme(&mut self, grade: &Grade, rest: Section<'a>) {
        let Coded { scheme, value, .. } = &grade.scale.code;
        self.json.key("gradingScheme");
        self.node("gradingScheme", "GradingScheme");
        if grade.scale.title.is_empty() {
            self.text("title", value);
        } else {
            self.unique_texts("title", &grade.scale.title);
        }
        self.joined("identifier", true, rest, |w| {
            w.node("identifier", "Identifier");
            w.json.key("notation").string(value).key("schemeName").string(&[terms::SCALE, scheme].concat());
            w.end();
        });
        self.rest(rest, &["identifier"]);
        self.end();
    }

    /// The grade as a reader knows it: the code its key stands for on an institution's own scale.
    fn shown(&self, grade: &Grade, a: &'a Attainment, facts: &Facts<'_>) -> SmolStr {
        let institution = a.awarding_body.as_ref().map_or(&facts.head.key.institution, |body| &body.value);
        grade.resolve(institution, &self.ctx.mappings.grades).map_or(&grade.value, |g| &g.code).clone()
    }

    /// The awarding process of a claim; its number.
    fn awarded_by(
        &mut self,
        body: Option<&'a Coded>,
        country: Option<&'a Coded>,
        on: Option<Date>,
        extensions: &'a Extensions,
    ) -> u32 {
        let rest = Section::of(extensions, rest::AWARDING_PROCESS);
        self.json.key("awardedBy");
        let number = self.node(AWARDING_PROCESS, "AwardingProcess");
        self.joined("awardingBody", true, rest, |w| {
            w.organisation(body, country, Section::of(extensions, rest::AWARDING_BODY));
        });
        self.date("awardingDate", on);
        self.rest(rest, &["awardingBody"]);
        self.end();
        number
    }
}

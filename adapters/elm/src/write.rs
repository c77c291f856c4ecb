//! A projection as a credential: EDC v3 compacted JSON-LD, written straight into bytes.

use crate::compose::Claim;
use crate::json::Json;
use crate::project::{Projection, graded};
use crate::terms::{self, CATEGORY, DEGREE, ESCO_SKILLS, SHORT_PROGRAMME, UNDETERMINED};
use silta_adapter::adapter::EncodeContext;
use silta_adapter::mapping::{CodeList, Institution};
use silta_adapter::record::{
    Activity, Amount, Assessment, Attainment, Body, Coded, Date, Grade, Head, Learner, LearningOutcome, RecordKey,
    Text, Texts,
};
use smol_str::SmolStr;
use std::collections::HashMap;
use std::ops::Range;
use uuid::Uuid;

/// The namespace of credential ids (a version 5 UUID's).
const NAMESPACE: Uuid = Uuid::from_u128(0x51_17_a0_0e_1d_00_4c_0d_9a_3e_5c_1e_d3_27_11_a1);

/// One credential.
pub(crate) fn credential(projection: &Projection<'_>, ctx: &EncodeContext<'_>) -> Vec<u8> {
    let mut writer = Writer {
        json: Json::with_capacity(8 << 10),
        ctx,
        projection,
        counts: Vec::new(),
        organisations: HashMap::new(),
    };
    writer.credential();
    writer.json.into_bytes()
}

/// What identifies a credential: the same for every retry of one debt.
fn credential_id(key: &RecordKey, generation: u64) -> Uuid {
    let RecordKey { tenant, source, kind, institution, id } = key;
    let name = [tenant, source, kind.name(), institution, id].map(|part| format!("{}:{part}", part.len())).concat();
    Uuid::new_v5(&NAMESPACE, format!("{name}#{generation}").as_bytes())
}

struct Writer<'a, 'c> {
    json: Json,
    ctx: &'a EncodeContext<'c>,
    projection: &'a Projection<'a>,
    /// How many nodes of a kind there are already.
    counts: Vec<(&'static str, u32)>,
    /// Where an organisation was written first: every other mention repeats it byte for byte, id and all.
    organisations: HashMap<SmolStr, Range<usize>>,
}

/// The facts a claim needs wherever it mentions itself.
struct Facts<'a> {
    head: &'a Head,
    title: &'a Texts,
    /// The awarding process, once written: repeated in what belongs to the claim.
    awarded_by: Range<usize>,
}

impl<'a, 'c> Writer<'a, 'c> {
    fn list(&self, name: &str) -> &'c CodeList {
        self.ctx.mappings.list(name)
    }

    /// Starts a node of its own id and type.
    fn node(&mut self, kind: &'static str, node_type: &str) {
        let number = match self.counts.iter_mut().find(|(k, _)| *k == kind) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                self.counts.push((kind, 1));
                1
            }
        };
        self.json.open(b'{').key("id").plain(format_args!("urn:epass:{kind}:{number}"));
        self.json.key("type").string(node_type);
    }

    fn end(&mut self) {
        self.json.close(b'}');
    }

    fn array<T>(&mut self, name: &str, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_none() {
            return;
        }
        self.json.key(name).open(b'[');
        for item in items {
            self.json.element();
            write(self, item);
        }
        self.json.close(b']');
    }

    fn texts(&mut self, name: &str, texts: &Texts) {
        if texts.is_empty() {
            return;
        }
        self.json.key(name).open(b'{');
        for Text { lang, value } in texts {
            self.json.key(lang.as_deref().unwrap_or(UNDETERMINED)).string(value);
        }
        self.json.close(b'}');
    }

    /// Text of which nobody says the language.
    fn text(&mut self, name: &str, value: &str) {
        self.json.key(name).open(b'{').key(UNDETERMINED).string(value).close(b'}');
    }

    fn note(&mut self, name: &str, texts: &Texts) {
        if !texts.is_empty() {
            self.json.key(name);
            self.node("note", "Note");
            self.texts("noteLiteral", texts);
            self.end();
        }
    }

    fn date(&mut self, name: &str, date: Option<Date>) {
        if let Some(Date { day, .. }) = date {
            let (y, m, d) = (day.year(), day.month(), day.day());
            self.json.key(name).plain(format_args!("{y:04}-{m:02}-{d:02}T00:00:00Z"));
        }
    }

    /// A value of a controlled list. Labels come from the list alone, so that one id never has two contents.
    fn concept(&mut self, id: &str, scheme: &str, list: &CodeList) {
        self.json.open(b'{').key("id").string(id).key("type").string("Concept");
        self.json.key("inScheme").open(b'{').key("id").string(scheme);
        self.json.key("type").string("ConceptScheme").close(b'}');
        if let Some(entry) = list.get(id).filter(|entry| !entry.label.is_empty()) {
            self.json.key("prefLabel").open(b'{');
            for (lang, label) in &entry.label {
                self.json.key(lang).string(label);
            }
            self.json.close(b'}');
        }
        self.json.close(b'}');
    }

    fn code(&mut self, name: &str, code: Option<&Coded>, list: &str) {
        if let Some(code) = code {
            self.json.key(name);
            self.concept(&code.value, &code.scheme, self.list(list));
        }
    }

    fn codes<'s>(&mut self, name: &str, codes: impl IntoIterator<Item = &'s Coded>, list: &str) {
        let list = self.list(list);
        self.array(name, codes, |w, code| w.concept(&code.value, &code.scheme, list));
    }

    fn identifier(&mut self, scheme: &str, rest: &str, notation: &str) {
        self.json.element();
        self.node("identifier", "Identifier");
        self.json.key("notation").string(notation).key("schemeName");
        if rest.is_empty() {
            self.json.string(scheme)
        } else {
            self.json.string(&[scheme, rest].concat())
        };
        self.end();
    }

    fn record_key(&mut self, key: &RecordKey) {
        self.identifier(terms::RECORD, &format!("{}:{}", key.kind, key.institution), &key.id);
    }

    fn credential(&mut self) {
        let Some((head, body)) = &self.projection.records[self.projection.root.record] else { return };
        self.json.open(b'{').key("@context").open(b'[');
        terms::CONTEXTS.iter().for_each(|context| {
            self.json.element().string(context);
        });
        self.json.close(b']').key("id");
        self.json.plain(format_args!("urn:credential:{}", credential_id(&head.key, self.ctx.generation)));
        self.json.key("type").open(b'[');
        terms::TYPES.iter().for_each(|t| {
            self.json.element().string(t);
        });
        self.json.close(b']').key("credentialProfiles");
        let profiles = self.list("credential");
        self.concept(terms::GENERIC, &profiles.scheme, profiles);
        self.json.key("credentialSchema").open(b'{').key("id").string(terms::SCHEMA);
        self.json.key("type").string("ShaclValidator2017").close(b'}');
        for name in ["validFrom", "issuanceDate", "issued"] {
            let instant = self.ctx.instant.strftime("%Y-%m-%dT%H:%M:%SZ");
            self.json.key(name).plain(format_args!("{instant}"));
        }
        let (title, awarding_body) = match body {
            Body::Attainment(a) => {
                self.date("validUntil", a.expires_on.map(|end| end.0));
                (&a.title, &a.awarding_body)
            }
            Body::Activity(a) => (&a.title, &a.awarding_body),
            _ => return,
        };
        self.display(title);
        self.json.key("issuer");
        self.organisation(awarding_body.as_ref());
        self.json.key("credentialSubject");
        self.person(head);
        self.end();
    }

    fn display(&mut self, title: &Texts) {
        self.json.key("displayParameter");
        self.node("displayParameter", "DisplayParameter");
        self.texts("title", title);
        let list = self.list("language");
        let meaning = |text: &Text| list.meaning("iso-639-1", text.lang.as_deref()?);
        let mut languages: Vec<&str> = title.iter().filter_map(meaning).map(|code| code.value.as_str()).collect();
        if languages.is_empty() {
            languages.extend(list.meaning("iso-639-2", UNDETERMINED).map(|code| code.value.as_str()));
        }
        self.array("language", &languages, |w, language| w.concept(language, &list.scheme, list));
        if let Some(language) = languages.first() {
            self.json.key("primaryLanguage");
            self.concept(language, &list.scheme, list);
        }
        self.end();
    }

    fn person(&mut self, head: &Head) {
        self.node("person", "Person");
        let learner = self.projection.learner.and_then(|at| self.projection.records[at].as_ref());
        let learner = learner.and_then(|(head, body)| match body {
            Body::Learner(learner) => Some((*head, &**learner)),
            _ => None,
        });
        let national = learner.and_then(|(_, l)| l.identifiers.iter().position(|i| i.scheme == Learner::HETU));
        self.json.key("identifier").open(b'[');
        self.identifier(terms::LEARNER, "", &head.learner);
        if let Some((head, learner)) = learner {
            self.record_key(&head.key);
            for (_, i) in learner.identifiers.iter().enumerate().filter(|(nth, _)| Some(*nth) != national) {
                self.identifier(&i.scheme, "", &i.value);
            }
        }
        self.json.close(b']');
        if let Some((_, learner)) = learner {
            self.particulars(learner, national);
        }
        let root = &self.projection.root;
        self.json.key("hasClaim");
        self.claim(root);
        self.end();
    }

    fn particulars(&mut self, learner: &Learner, national: Option<usize>) {
        for (name, value) in [
            ("givenName", &learner.given_names),
            ("familyName", &learner.family_name),
            ("fullName", &learner.full_name),
        ] {
            if let Some(value) = value {
                self.text(name, value);
            }
        }
        self.date("dateOfBirth", learner.date_of_birth);
        let countries = self.list("country");
        let finland = countries.meaning("iso-3166-1-alpha-2", "FI");
        if let (Some(nth), Some(finland)) = (national, finland) {
            self.json.key("nationalID");
            self.node("legalIdentifier", "LegalIdentifier");
            self.json.key("notation").string(&learner.identifiers[nth].value);
            self.json.key("schemeName").string(Learner::HETU).key("spatial");
            self.concept(&finland.value, &countries.scheme, countries);
            self.end();
        }
        self.codes("citizenshipCountry", &learner.citizenships, "country");
        if let Some(email) = &learner.email {
            self.json.key("contactPoint");
            self.node("contactPoint", "ContactPoint");
            self.json.key("emailAddress").open(b'{').key("id").plain(format_args!("mailto:{email}"));
            self.json.key("type").string("Mailbox").close(b'}');
            self.end();
        }
    }

    fn organisation(&mut self, code: Option<&Coded>) {
        // The projection refused what is unknown.
        let Some(institution) = code.and_then(|c| self.ctx.mappings.institutions.get(&c.value)) else { return };
        if let Some(range) = self.organisations.get(&institution.code) {
            self.json.again(range.clone());
            return;
        }
        let start = self.json.position();
        self.institution(institution);
        self.organisations.insert(institution.code.clone(), start..self.json.position());
    }

    fn institution(&mut self, institution: &Institution) {
        self.node("org", "Organisation");
        self.json.key("legalName").open(b'{');
        for (lang, name) in &institution.name {
            self.json.key(lang).string(name);
        }
        self.json.close(b'}').key("identifier");
        self.node("identifier", "Identifier");
        self.json.key("notation").string(&institution.code).key("schemeName").string(terms::ORGANISATION);
        self.end();
        self.json.key("location");
        self.node("location", "Location");
        self.json.key("address");
        self.node("address", "Address");
        let countries = self.list("country");
        if let Some(country) = countries.meaning("iso-3166-1-alpha-2", &institution.country) {
            self.json.key("countryCode");
            self.concept(&country.value, &countries.scheme, countries);
        }
        self.end();
        self.end();
        self.end();
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

    fn claim(&mut self, claim: &Claim) {
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
        self.array("homepage", &a.links, |w, link| {
            w.node("webResource", "WebResource");
            w.json.key("contentURL").string(link);
            w.end();
        });
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
        }
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
}

/// A degree, or what says something that only qualifications can hold.
fn is_qualification(a: &Attainment) -> bool {
    a.category.as_ref().is_some_and(|c| c.scheme == CATEGORY && c.value == DEGREE)
        || a.eqf_level.is_some()
        || !a.nqf_levels.is_empty()
        || a.stackability.as_ref().is_some_and(|s| s.partial.is_some())
        || a.achievement_type.as_ref().is_some_and(|t| t.value == SHORT_PROGRAMME)
}

//! What of an item the format can hold: each record without what it cannot, and a loss for each difference.

use crate::compose::{self, Claim, is_partial};
use crate::losses::Losses;
use crate::rest::{self, Section};
use crate::terms::{self, Meaning, ORGANISATION, OWN, UNDETERMINED, meaning};
use silta_adapter::adapter::{EncodeContext, Refusal};
use silta_adapter::canonical;
use silta_adapter::fidelity::Loss;
use silta_adapter::mapping::CodeList;
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::record::{
    Accreditation, Activity, Assessment, Attainment, Body, Coded, Duration, Extensions, FieldShare, Head, Learner,
    LearningOutcome, Record, RecordKind, Set, Text, Texts,
};

/// Lists beside which the shapes allow anybody's own.
const OPEN: [&str; 4] = ["assessment", "learning-activity", "learning-opportunity", "mode"];

/// An item as the format holds it.
pub(crate) struct Projection<'a> {
    /// The records, by their place in the item; `None` for those that are not in the credential.
    pub(crate) records: Vec<Option<(&'a Head, Body)>>,
    /// The learner's own record, by its place.
    pub(crate) learner: Option<usize>,
    /// The root with its parts.
    pub(crate) root: Claim,
}

/// Projects an item, the root first.
pub(crate) fn item<'a>(item: &'a [Record], ctx: &EncodeContext<'_>) -> Result<(Projection<'a>, Vec<Loss>), Refusal> {
    compose::check_root(item)?;
    let mut found = Vec::new();
    let root = compose::nest(item, &mut found);
    let learner = item.iter().position(|r| matches!(r.body, Some(Body::Learner(_))) && !r.head.state.is_tombstone());
    let mut records: Vec<Option<(&Head, Body)>> = item.iter().map(|_| None).collect();
    let mut problems = Vec::new();
    let mut project = |at: usize, nested: bool| {
        let record = &item[at];
        let mut p =
            Projector { ctx, losses: Losses { key: &record.head.key, found: &mut found }, problems: &mut problems };
        if let (None, Some(body)) = (&records[at], &record.body) {
            records[at] = Some((&record.head, p.body(&record.head, body, nested)));
        }
    };
    project(0, false);
    learner.into_iter().for_each(|at| project(at, true));
    let mut claims: Vec<&Claim> = root.parts.iter().rev().collect();
    while let Some(claim) = claims.pop() {
        project(claim.record, true);
        claims.extend(claim.parts.iter().rev());
    }
    if !problems.is_empty() {
        return Err(Refusal(problems));
    }
    for (record, _) in item.iter().zip(&records).filter(|(_, projected)| projected.is_none()) {
        Losses { key: &record.head.key, found: &mut found }.dropped("", "not_in_item");
    }
    Ok((Projection { records, learner, root }, found))
}

struct Projector<'a, 'c> {
    ctx: &'a EncodeContext<'c>,
    losses: Losses<'a>,
    problems: &'a mut Vec<Problem>,
}

impl<'c> Projector<'_, 'c> {
    fn list(&self, name: &str) -> &'c CodeList {
        self.ctx.mappings.list(name)
    }

    fn body(&mut self, head: &Head, body: &Body, nested: bool) -> Body {
        let mut body = body.clone();
        if head.non_disclosure {
            self.losses.dropped("/non_disclosure", "non_disclosure");
        }
        match &mut body {
            Body::Learner(b) => self.learner(b),
            Body::Attainment(b) => self.attainment(b, nested),
            Body::Activity(b) => self.activity(b),
            // Checked before: nothing else is a member of an item.
            Body::StudyRight(_) | Body::Enrolment(_) | Body::MobilityPeriod(_) => {}
        }
        let kind = body.kind();
        self.extensions(body.extensions_mut(), kind);
        body
    }

    fn learner(&mut self, l: &mut Learner) {
        keep(&mut l.identifiers, |nth, i| {
            let fits = !i.scheme.starts_with(OWN);
            if !fits {
                self.losses.dropped(format!("/body/identifiers/{nth}"), "reserved_scheme");
            }
            fits
        });
        self.losses.drop(&mut l.gender, "/body/gender", "gender");
        self.losses.drop(&mut l.first_language, "/body/first_language", "first_language");
        self.losses.drop(&mut l.municipality, "/body/municipality", "municipality");
        self.losses.drop(&mut l.registered_on, "/body/registered_on", "learner_registered");
        self.codes(&mut l.citizenships, "country", "/body/citizenships");
        if l.email.as_deref().is_some_and(|email| !terms::is_email(email)) {
            self.losses.drop(&mut l.email, "/body/email", "not_an_email");
        }
    }

    fn activity(&mut self, a: &mut Activity) {
        self.texts(&mut a.title, "/body/title");
        if a.title.is_empty() {
            self.refuse("no_title", Fixer::Sender, "a claim needs a title".into());
        }
        self.texts(&mut a.description, "/body/description");
        self.duration(&mut a.workload);
        self.known_body(&mut a.awarding_body);
        self.awarding_body(a.awarding_body.as_ref(), None, &a.extensions);
        self.code(&mut a.activity_type, "learning-activity", "/body/activity_type");
        self.codes(&mut a.modes, "mode", "/body/modes");
        self.code(&mut a.language, "language", "/body/language");
    }

    fn attainment(&mut self, a: &mut Attainment, nested: bool) {
        self.title(a);
        self.texts(&mut a.description, "/body/description");
        self.texts(&mut a.additional_info, "/body/additional_info");
        self.texts(&mut a.entry_requirements, "/body/entry_requirements");
        self.texts(&mut a.learning_outcome_summary, "/body/learning_outcome_summary");
        self.losses.drop(&mut a.registered_on, "/body/registered_on", "registered_on");
        self.losses.drop(&mut a.recognised_on, "/body/recognised_on", "recognised_on");
        if a.grade.is_none() {
            self.losses.drop(&mut a.assessed_on, "/body/assessed_on", "assessed_ungraded");
        }
        if nested {
            self.losses.drop(&mut a.expires_on, "/body/expires_on", "part_expires");
        }
        let partial = is_partial(a);
        if let Some(credits) = &mut a.credits {
            self.losses.drop(&mut credits.credit_weeks, "/body/credits/credit_weeks", "credit_weeks");
            if partial {
                self.losses.drop(&mut credits.ects, "/body/credits/ects", "partial_credits");
            }
        }
        self.duration(&mut a.workload);
        self.known_body(&mut a.awarding_body);
        if a.awarding_body.as_ref().is_some_and(|body| body.scheme == ORGANISATION) {
            self.losses.drop(&mut a.country, "/body/country", "country");
        }
        self.code(&mut a.country, "country", "/body/country");
        self.awarding_body(a.awarding_body.as_ref(), a.country.as_ref(), &a.extensions);
        self.losses.drop_all(&mut a.organisations, "/body/organisations", "organisations");
        self.losses.drop(&mut a.research, "/body/research", "research");
        self.code(&mut a.achievement_type, "learning-opportunity", "/body/achievement_type");
        self.code(&mut a.language, "language", "/body/language");
        self.code(&mut a.eqf_level, "eqf", "/body/eqf_level");
        self.code(&mut a.learning_setting, "learning-setting", "/body/learning_setting");
        self.codes(&mut a.nqf_levels, "nqf", "/body/nqf_levels");
        self.codes(&mut a.modes, "mode", "/body/modes");
        self.fields(&mut a.fields_of_study);
        self.outcomes(&mut a.learning_outcomes);
        self.assessments(a);
        self.quality_assurance(&mut a.quality_assurance);
        keep(&mut a.links, |nth, link| {
            let fits = terms::is_iri(link);
            if !fits {
                self.losses.dropped(format!("/body/links/{nth}"), "not_a_link");
            }
            fits
        });
        if let Some(stackability) = &mut a.stackability {
            self.losses.drop_all(&mut stackability.note, "/body/stackability/note", "stackability_note");
        }
    }

    fn title(&mut self, a: &mut Attainment) {
        self.texts(&mut a.title, "/body/title");
        if !a.title.is_empty() {
            return;
        }
        match [&a.code, &a.national_code].into_iter().flatten().find(|code| !code.trim().is_empty()) {
            Some(code) => {
                a.title = vec![Text { lang: None, value: code.to_string() }].into();
                self.losses.added("/body/title", &a.title, "title_from_code");
            }
            None => self.refuse("no_title", Fixer::Sender, "a claim needs a title, or a code to stand for it".into()),
        }
    }

    fn fields(&mut self, fields: &mut Set<FieldShare>) {
        let list = self.list("isced-f");
        keep(fields, |nth, field| {
            let path = format!("/body/fields_of_study/{nth}");
            if !self.take_code(&mut field.field, list, &path, "/field") {
                return false;
            }
            self.losses.drop(&mut field.share, &format!("{path}/share"), "field_share");
            true
        });
    }

    fn outcomes(&mut self, outcomes: &mut Set<LearningOutcome>) {
        keep(outcomes, |nth, outcome| {
            let path = format!("/body/learning_outcomes/{nth}");
            if outcome.title.is_empty() {
                self.losses.dropped(path, "untitled_outcome");
                return false;
            }
            self.texts(&mut outcome.title, &format!("{path}/title"));
            self.texts(&mut outcome.description, &format!("{path}/description"));
            keep(&mut outcome.skills, |nth, skill| {
                let fits = terms::is_concept(skill);
                if !fits {
                    self.losses.dropped(format!("{path}/skills/{nth}"), "unmapped_code");
                }
                fits
            });
            self.code(&mut outcome.reusability, "skill-reuse-level", &format!("{path}/reusability"));
            true
        });
    }

    /// One assessment goes with the grade; the others are specifications, which have titles and no supervision.
    fn assessments(&mut self, a: &mut Attainment) {
        let supervisions = self.list("supervision-verification");
        let mut graded = a.grade.is_some();
        for (nth, assessment) in a.assessments.0.iter_mut().enumerate() {
            let path = format!("/body/assessments/{nth}");
            self.texts(&mut assessment.title, &format!("{path}/title"));
            self.code(&mut assessment.assessment_type, "assessment", &format!("{path}/assessment_type"));
            self.code(&mut assessment.mode, "mode", &format!("{path}/mode"));
            let supervised = |s: &Coded| !matches!(meaning(supervisions, s), Meaning::None);
            let says = assessment.assessment_type.is_some() || assessment.mode.is_some();
            if graded && (says || assessment.supervision.as_ref().is_some_and(supervised)) {
                self.code(&mut assessment.supervision, "supervision-verification", &format!("{path}/supervision"));
                graded = false;
            } else {
                self.losses.drop(&mut assessment.supervision, &format!("{path}/supervision"), "ungraded_supervision");
            }
            if assessment.title.is_empty() {
                assessment.title = a.title.clone();
                self.losses.added(format!("{path}/title"), &assessment.title, "untitled_assessment");
            }
        }
    }

    fn quality_assurance(&mut self, assurances: &mut Set<Accreditation>) {
        let (types, countries) = (self.list("accreditation"), self.list("country"));
        let means =
            |code: &Option<Coded>, list| code.as_ref().is_some_and(|c| !matches!(meaning(list, c), Meaning::None));
        keep(assurances, |nth, assurance| {
            let path = format!("/body/quality_assurance/{nth}");
            let said = !assurance.title.is_empty() && !assurance.agent.is_empty();
            if !(said && means(&assurance.accreditation_type, types) && means(&assurance.agent_country, countries)) {
                if !canonical::is_absent(assurance) {
                    self.losses.dropped(path, "quality_assurance");
                }
                return false;
            }
            self.texts(&mut assurance.title, &format!("{path}/title"));
            self.texts(&mut assurance.agent, &format!("{path}/agent"));
            self.code(&mut assurance.accreditation_type, "accreditation", &format!("{path}/accreditation_type"));
            self.code(&mut assurance.agent_country, "country", &format!("{path}/agent_country"));
            if assurance.link.as_deref().is_some_and(|link| !terms::is_iri(link)) {
                self.losses.drop(&mut assurance.link, &format!("{path}/link"), "quality_assurance_link");
            }
            true
        });
    }

    /// An institution by another system's code is the one that a crosswalk says it means.
    fn known_body(&mut self, body: &mut Option<Coded>) {
        let Some(body) = body.as_mut().filter(|body| body.scheme != ORGANISATION) else { return };
        let known = self.ctx.mappings.crosswalks.meaning(&body.scheme, &body.value, ORGANISATION);
        if let Some(code) = known {
            let other = Coded::new(ORGANISATION, code);
            self.losses.became("/body/awarding_body", &other, "mapped_code");
            *body = other;
        }
    }

    /// An awarding body is known by the facts about it, or the record says its name and country.
    fn awarding_body(&mut self, body: Option<&Coded>, country: Option<&Coded>, extensions: &Extensions) {
        let located = country.is_some() || Section::of(extensions, rest::AWARDING_BODY).has("location");
        match body {
            Some(b) if terms::institution(b, self.ctx.mappings).is_some() => {}
            Some(b) if b.scheme != ORGANISATION && !b.label.is_empty() && located => {}
            Some(b) => {
                let message =
                    format!("the awarding body {} of {} is not among the known institutions", b.value, b.scheme);
                self.refuse("unknown_awarding_body", Fixer::Configuration, message);
            }
            None => self.refuse("no_awarding_body", Fixer::Sender, "a claim needs an awarding body".into()),
        }
    }

    fn refuse(&mut self, code: &'static str, fixer: Fixer, message: String) {
        self.problems.push(Problem::new(code, Severity::Error, fixer, message).about(self.losses.key));
    }

    fn duration(&mut self, workload: &mut Option<Duration>) {
        if workload.as_deref().is_some_and(|w| !terms::is_duration(w)) {
            self.losses.drop(workload, "/body/workload", "not_a_duration");
        }
    }

    fn extensions(&mut self, extensions: &mut Extensions, kind: RecordKind) {
        for (namespace, value) in std::mem::take(&mut extensions.0) {
            if namespace == rest::NAMESPACE && rest::is_sound(&value, kind) {
                extensions.0.insert(namespace, value);
            } else if !namespace.ends_with(".document") && !canonical::is_absent(&value) {
                let segment = namespace.replace('~', "~0").replace('/', "~1");
                self.losses.dropped(format!("/body/extensions/{segment}"), "extensions");
            }
        }
    }

    /// Texts as a language map can hold them: one per language, under a language tag or none.
    fn texts(&mut self, texts: &mut Texts, path: &str) {
        let mut languages: Vec<String> = Vec::with_capacity(texts.len());
        keep(texts, |nth, text| {
            let fits = |lang: &str| terms::is_language(lang) && !lang.eq_ignore_ascii_case(UNDETERMINED);
            let odd = text.lang.as_deref().is_some_and(|lang| !fits(lang));
            if odd {
                text.lang = None;
            }
            let language = text.lang.as_deref().unwrap_or_default().to_ascii_lowercase();
            if languages.contains(&language) {
                self.losses.dropped(format!("{path}/{nth}"), "same_language");
                return false;
            }
            if odd {
                self.losses.dropped(format!("{path}/{nth}/lang"), "language_tag");
            }
            languages.push(language);
            true
        });
    }

    fn code(&mut self, code: &mut Option<Coded>, list: &str, path: &str) {
        if OPEN.contains(&list) && code.as_ref().is_some_and(terms::is_concept) {
            return;
        }
        let list = self.list(list);
        if code.as_mut().is_some_and(|c| !self.take_code(c, list, path, "")) {
            *code = None;
        }
    }

    fn codes(&mut self, codes: &mut Set<Coded>, list: &str, path: &str) {
        let open = OPEN.contains(&list);
        let list = self.list(list);
        keep(codes, |nth, code| {
            (open && terms::is_concept(code)) || self.take_code(code, list, &format!("{path}/{nth}"), "")
        });
    }

    /// Turns a code into the list's; false if that cannot be, which drops what stands at `path`.
    fn take_code(&mut self, code: &mut Coded, list: &CodeList, path: &str, within: &str) -> bool {
        match meaning(list, code) {
            Meaning::Same => {}
            Meaning::Becomes(other) => {
                self.losses.became(format!("{path}{within}"), &other, "mapped_code");
                *code = other;
            }
            Meaning::None => {
                self.losses.dropped(path, "unmapped_code");
                return false;
            }
        }
        true
    }
}

/// The assessment that goes with the grade: the first that says more than a title.
pub(crate) fn graded(a: &Attainment) -> Option<usize> {
    let says = |s: &Assessment| s.assessment_type.is_some() || s.mode.is_some() || s.supervision.is_some();
    a.grade.as_ref().and(a.assessments.iter().position(says))
}

/// Keeps what `keep` wants, telling it the place each element had.
fn keep<T>(set: &mut Set<T>, mut keep: impl FnMut(usize, &mut T) -> bool) {
    let mut nth = 0;
    set.0.retain_mut(|element| {
        let kept = keep(nth, element);
        nth += 1;
        kept
    });
}

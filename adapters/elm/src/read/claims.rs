//! A credential's subject and its claims as records.

use crate::node::Node;
use crate::read::Reader;
use crate::rest::{self, Rest};
use crate::terms::{self, CATEGORY_CODE, CLASSIFICATION, COMPETENCE, CYCLE, EDUCATION, GRADE, MASTERY, RECORD, SCALE};
use serde_json::Value;
use silta_adapter::canonical;
use silta_adapter::problem::Problem;
use silta_adapter::record::{
    Accreditation, Activity, Amount, Assessment, Attainment, Body, Coded, Credits, Date, EndDate, FieldShare, Grade,
    GradeScale, Identifier, Learner, LearningOutcome, Part, Record, RecordKey, RecordKind, ScaleGrade, Set,
    Stackability, Text, Texts,
};
use smol_str::{SmolStr, ToSmolStr, format_smolstr};

/// The scheme of a grading scheme known by its title alone.
const GRADING_SCHEME: &str = "elm:gradingScheme";

/// What a claim needs to know of the credential around it.
struct Around {
    learner: SmolStr,
    expires_on: Option<EndDate>,
    /// The day the credential was issued: of a claim from elsewhere that names no day of awarding.
    issued_on: Option<Date>,
}

/// The learner, if the credential holds a record of her, then its claims with their parts.
pub(crate) fn subject(
    reader: &mut Reader<'_>,
    mut node: Node<'_>,
    expires_on: Option<EndDate>,
    issued_on: Option<Date>,
) {
    let claims = node.nodes("hasClaim");
    let (mut local, mut key) = (None, None);
    let mut learner = Learner::default();
    node.identifiers(|scheme, notation| {
        match scheme.strip_prefix(RECORD).and_then(|rest| rest.strip_prefix("learner:")) {
            _ if scheme == terms::LEARNER => local = Some(notation.to_smolstr()),
            Some(institution) => key = Some((institution.to_smolstr(), notation.to_smolstr())),
            None => learner.identifiers.0.push(Identifier { scheme: scheme.into(), value: notation.into() }),
        }
        true
    });
    // A credential from elsewhere names its learner by itself, never by what it says about her.
    if local.is_none() {
        key = Some((SmolStr::default(), reader.id.to_smolstr()));
    }
    let local = local.unwrap_or_else(|| reader.id.to_smolstr());
    if let Some((institution, id)) = key {
        particulars(&mut node, &mut learner);
        let mut rest = Rest::default();
        rest.keep(rest::PERSON, node.rest());
        rest.into(&mut learner.extensions);
        let key = reader.key(RecordKind::Learner, institution, id);
        reader.found.records.push(Record::current(key, local.clone(), Body::Learner(Box::new(learner))));
    }
    for (nth, claim) in claims.into_iter().enumerate() {
        let around = Around { learner: local.clone(), expires_on, issued_on };
        let name = format!("{}#claim-{}", reader.id, nth + 1);
        if claim.is("LearningAchievement") {
            reader.achievement(claim, &around, &name);
        } else if claim.is("LearningActivity") {
            reader.activity(claim, &around, &name);
        } else {
            reader.found.problems.push(
                Problem::error("unknown_claim", "a claim is neither a learning achievement nor a learning activity")
                    .at("/credentialSubject/hasClaim"),
            );
        }
    }
}

fn particulars(node: &mut Node<'_>, learner: &mut Learner) {
    learner.given_names = node.text("givenName");
    learner.family_name = node.text("familyName");
    learner.full_name = node.text("fullName");
    learner.date_of_birth = node.certain_date("dateOfBirth");
    if let Some(mut national) = node.node("nationalID") {
        let country = national.code("spatial").map(|country| country.value);
        let country = country.as_deref().and_then(|iri| iri.rsplit('/').next()).unwrap_or_default();
        let scheme = national.string("schemeName").map(SmolStr::from);
        let scheme = scheme.unwrap_or_else(|| format_smolstr!("{}:national-id", country.to_ascii_lowercase()));
        if let Some(value) = national.string("notation") {
            learner.identifiers.0.push(Identifier { scheme, value: value.into() });
        }
    }
    learner.citizenships = node.codes("citizenshipCountry");
    if let Some(mut contact) = node.node("contactPoint") {
        let mailbox = contact.node("emailAddress");
        learner.email = mailbox.and_then(|m| m.id().strip_prefix("mailto:").map(str::to_owned));
    }
}

/// What a claim says of who awarded it, and the raw text by which its dependants repeat it.
struct Awarded {
    title: Option<Value>,
    process: Option<Value>,
    body: Option<Coded>,
}

impl Awarded {
    /// Reads who awarded a claim and when; and into `country`, if the record has a place for it, where that body is,
    /// unless mappings know.
    fn read(node: &mut Node<'_>, rest: &mut Rest, country: Option<&mut Option<Coded>>) -> (Self, Option<Date>) {
        let (title, process) = (node.get("title").cloned(), node.get("awardedBy").cloned());
        let (mut on, mut body) = (None, None);
        if let Some(mut process) = node.first("awardedBy") {
            on = process.date("awardingDate");
            body = process.first("awardingBody").map(|body| organisation(body, rest, country));
            rest.keep(rest::AWARDING_PROCESS, process.rest());
        }
        (Self { title, process, body }, on)
    }

    /// Reads what a dependant repeats.
    fn repeated(&self, node: &mut Node<'_>) {
        node.expect("title", self.title.as_ref());
        node.repeats("awardedBy", self.process.as_ref());
    }
}

/// An organisation by its first identifier, else by its name.
fn organisation(mut node: Node<'_>, rest: &mut Rest, at: Option<&mut Option<Coded>>) -> Coded {
    let label = node.texts("legalName");
    let mut code: Option<Coded> = None;
    node.identifiers(|scheme, notation| {
        let first = code.is_none() && !scheme.is_empty();
        if first {
            code = Some(Coded::new(scheme.to_owned(), notation));
        }
        first
    });
    let name = || label.first().map(|text| text.value.to_smolstr()).unwrap_or_default();
    let code = code.unwrap_or_else(|| Coded::new(terms::LEGAL_NAME, name()));
    match at {
        // Its country is a fact about the institution, which mappings know.
        _ if code.scheme == terms::ORGANISATION => drop(country(&mut node)),
        Some(at) => *at = country(&mut node),
        None => {}
    }
    rest.keep(rest::AWARDING_BODY, node.rest());
    Coded { label, ..code }
}

/// The country of an organisation. A location that says more is left as it is.
fn country(node: &mut Node<'_>) -> Option<Coded> {
    let location = node.get("location")?;
    let location = if let Value::Array(locations) = location { locations.first()? } else { location };
    let address = location.get("address")?;
    let address = if let Value::Array(addresses) = address { addresses.first()? } else { address };
    let only = |value: &Value, name: &str| {
        let own = |member: &str| matches!(member, "id" | "type") || member == name;
        value.as_object().is_some_and(|members| members.keys().all(|member| own(member)))
    };
    let whole = node.get("location").is_some_and(Value::is_object)
        && only(location, "address")
        && location.get("address").is_some_and(Value::is_object)
        && only(address, "countryCode");
    if whole {
        return node.node("location")?.node("address")?.code("countryCode");
    }
    let id = |value: &Value| value.get("id").and_then(Value::as_str).map(str::to_owned);
    let code = address.get("countryCode")?;
    Some(Coded::new(code.get("inScheme").and_then(id)?, id(code)?))
}

impl Reader<'_> {
    fn key(&self, kind: RecordKind, institution: SmolStr, id: SmolStr) -> RecordKey {
        RecordKey { tenant: self.ctx.tenant.clone(), source: self.ctx.source.clone(), kind, institution, id }
    }

    /// The key a claim names; else one made of the credential's id, the claim's place and its awarding body.
    fn claim_key(
        &self,
        kind: RecordKind,
        named: Option<(SmolStr, SmolStr)>,
        body: Option<&Coded>,
        name: &str,
    ) -> RecordKey {
        let (institution, id) =
            named.unwrap_or_else(|| (body.map(|body| body.value.clone()).unwrap_or_default(), name.into()));
        self.key(kind, institution, id)
    }

    fn activity(&mut self, mut node: Node<'_>, around: &Around, name: &str) {
        let mut rest = Rest::default();
        let (awarded, _) = Awarded::read(&mut node, &mut rest, None);
        let mut named = None;
        node.identifiers(|scheme, notation| {
            named = named.take().or(record_key(RecordKind::Activity, scheme, notation));
            record_key(RecordKind::Activity, scheme, notation).is_some()
        });
        let mut body = Activity {
            title: node.texts("title"),
            description: node.texts("description"),
            workload: node.string("workload").map(SmolStr::from),
            ..Activity::default()
        };
        if let Some(mut period) = node.first("temporal") {
            (body.start, body.end) = (period.date("startDate"), period.date("endDate").map(EndDate));
        }
        if let Some(mut spec) = node.first("specifiedBy") {
            spec.expect("title", awarded.title.as_ref());
            body.activity_type = spec.code("dcType");
            body.modes = spec.codes("mode");
            body.language = spec.code("language");
            rest.keep(rest::SPECIFICATION, spec.rest());
        }
        rest.keep(rest::CLAIM, node.rest());
        rest.into(&mut body.extensions);
        let key = self.claim_key(RecordKind::Activity, named, awarded.body.as_ref(), name);
        body.awarding_body = awarded.body;
        self.found.records.push(Record::current(key, around.learner.clone(), Body::Activity(Box::new(body))));
    }

    /// Reads an attainment with its parts; its source key.
    fn achievement(&mut self, mut node: Node<'_>, around: &Around, name: &str) -> SmolStr {
        let parts = node.nodes("hasPart");
        let mut rest = Rest::default();
        let mut country = None;
        let (awarded, issued_on) = Awarded::read(&mut node, &mut rest, Some(&mut country));
        let mut body = Attainment { issued_on, country, expires_on: around.expires_on, ..Attainment::default() };
        let mut named = None;
        node.identifiers(|scheme, notation| match record_key(RecordKind::Attainment, scheme, notation) {
            Some(key) => {
                named = Some(key);
                true
            }
            None => own_identifier(&mut body, scheme, notation),
        });
        if named.is_none() {
            body.issued_on = body.issued_on.or(around.issued_on);
        }
        body.title = node.texts("title");
        body.description = node.texts("description");
        body.additional_info = node.note("additionalNote");
        if let Some(spec) = node.first("specifiedBy") {
            specification(spec, &mut body, &awarded, &mut rest);
        }
        if let Some(proof) = node.first("provenBy") {
            assessment(proof, &mut body, &awarded, &mut rest);
        }
        if let Some(mut activity) = node.first("influencedBy") {
            awarded.repeated(&mut activity);
            if let Some(mut period) = activity.first("temporal") {
                (body.started_on, body.completed_on) = (period.date("startDate"), period.date("endDate"));
            }
            rest.keep(rest::ACTIVITY, activity.rest());
        }
        rest.keep(rest::CLAIM, node.rest());
        rest.into(&mut body.extensions);
        let key = self.claim_key(RecordKind::Attainment, named, awarded.body.as_ref(), name);
        body.awarding_body = awarded.body;
        let id = key.id.clone();
        let record = Record::current(key.clone(), around.learner.clone(), Body::Attainment(Box::new(body)));
        let at = self.found.records.len();
        match self.found.by_key.get(&key) {
            Some(first) if repeats(&self.found.records[*first], &record) => return id,
            Some(_) => {
                let problem =
                    Problem::error("duplicate_key", "two achievements with one key differ; the first is kept");
                self.found.problems.push(problem.about(&key));
                return id;
            }
            None => {
                self.found.by_key.insert(key, at);
                self.found.records.push(record);
            }
        }
        let around = Around { learner: around.learner.clone(), expires_on: None, issued_on: None };
        let mut contained = Set::default();
        for (nth, mut part) in parts.into_iter().enumerate() {
            if !part.is("LearningAchievement") {
                let problem = Problem::error("unknown_claim", "a part is no learning achievement");
                self.found.problems.push(problem.about(&self.found.records[at].head.key));
                continue;
            }
            let ects = part.node("creditReceived").and_then(credits);
            contained.0.push(Part { id: self.achievement(part, &around, &format!("{name}-{}", nth + 1)), ects });
        }
        if let Some(Body::Attainment(body)) = &mut self.found.records[at].body {
            body.parts = contained;
        }
        id
    }
}

/// Institution and source key, if an identifier is the key of a record of this kind.
fn record_key(kind: RecordKind, scheme: &str, notation: &str) -> Option<(SmolStr, SmolStr)> {
    let institution = scheme.strip_prefix(RECORD)?.strip_prefix(kind.name())?.strip_prefix(':')?;
    Some((institution.into(), notation.into()))
}

/// True if a later mention of a record says what the first said, less credits and parts.
fn repeats(first: &Record, later: &Record) -> bool {
    let bare = |record: &Record| {
        let mut record = record.clone();
        if let Some(Body::Attainment(body)) = &mut record.body {
            body.credits = None;
            body.parts.0.clear();
        }
        canonical::record_text(&record)
    };
    bare(first) == bare(later)
}

/// Reads one of the gateway's own identifiers of an attainment; false if it is none.
fn own_identifier(body: &mut Attainment, scheme: &str, notation: &str) -> bool {
    match scheme {
        terms::STUDY_RIGHT => body.study_right = Some(notation.into()),
        terms::CODE => body.code = Some(notation.into()),
        terms::NATIONAL_CODE => body.national_code = Some(notation.into()),
        terms::THESIS => body.thesis = notation.parse().ok(),
        _ => {
            let code = |prefix: &str| Some(Coded::new(scheme.strip_prefix(prefix)?.to_owned(), notation));
            let single = [
                (CATEGORY_CODE, &mut body.category),
                (EDUCATION, &mut body.education),
                (CYCLE, &mut body.cycle),
                (MASTERY, &mut body.mastery),
            ];
            for (prefix, field) in single {
                if let Some(code) = code(prefix) {
                    *field = Some(code);
                    return true;
                }
            }
            for (prefix, field) in [(COMPETENCE, &mut body.competences), (CLASSIFICATION, &mut body.classifications)] {
                if let Some(code) = code(prefix) {
                    field.0.push(code);
                    return true;
                }
            }
            return false;
        }
    }
    true
}

/// The ECTS credits of a credit point; `None`, unread, in another framework.
fn credits(mut node: Node<'_>) -> Option<Amount> {
    let ects = node.get("framework").and_then(|f| f.get("id")).and_then(Value::as_str) == Some(terms::ECTS);
    let point = match node.get("point")? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    };
    if !ects || point.is_none() {
        return None;
    }
    node.take("framework");
    node.take("point");
    point
}

fn specification(mut spec: Node<'_>, body: &mut Attainment, awarded: &Awarded, rest: &mut Rest) {
    spec.expect("title", awarded.title.as_ref());
    body.achievement_type = spec.code("dcType");
    let ects = spec.first("creditPoint").and_then(credits);
    body.credits = ects.map(|ects| Credits { ects: Some(ects), credit_weeks: None });
    body.workload = spec.string("volumeOfLearning").map(SmolStr::from);
    body.language = spec.code("language");
    body.modes = spec.codes("mode");
    body.learning_setting = spec.code("learningSetting");
    body.fields_of_study =
        spec.codes("thematicArea").0.into_iter().map(|field| FieldShare { field, share: None }).collect();
    body.entry_requirements = spec.note("entryRequirement");
    body.learning_outcome_summary = spec.note("learningOutcomeSummary");
    body.learning_outcomes = spec.nodes("learningOutcome").into_iter().map(outcome).collect();
    body.links = spec.nodes("homepage").into_iter().filter_map(|mut page| page.string("contentURL")).collect();
    body.assessments = spec.nodes("provenBy").into_iter().map(|mut node| assessment_kind(&mut node)).collect();
    body.eqf_level = spec.code("eqfLevel");
    body.nqf_levels = spec.codes("nqfLevel");
    let partial = spec.boolean("isPartialQualification");
    body.stackability = partial.map(|partial| Stackability { partial: Some(partial), note: Texts::default() });
    body.quality_assurance = spec.nodes("accreditation").into_iter().map(accreditation).collect();
    let qualification = spec.is(terms::QUALIFICATION) && !terms::is_qualification(body);
    let mut members = spec.rest();
    if qualification {
        members.insert("type".into(), terms::QUALIFICATION.into());
    }
    rest.keep(rest::SPECIFICATION, members);
}

fn accreditation(mut node: Node<'_>) -> Accreditation {
    let mut agent = node.node("accreditingAgent");
    Accreditation {
        accreditation_type: node.code("dcType"),
        title: node.texts("title"),
        agent: agent.as_mut().map(|agent| agent.texts("legalName")).unwrap_or_default(),
        agent_country: agent.as_mut().and_then(country),
        link: node.node("homepage").and_then(|mut page| page.string("contentURL")),
    }
}

fn outcome(mut node: Node<'_>) -> LearningOutcome {
    let mut skills = node.codes("relatedESCOSkill");
    skills.0.extend(node.codes("relatedSkill").0);
    LearningOutcome {
        title: node.texts("title"),
        description: node.note("additionalNote"),
        skills,
        reusability: node.code("reusabilityLevel"),
    }
}

fn assessment_kind(node: &mut Node<'_>) -> Assessment {
    Assessment {
        assessment_type: node.code("dcType"),
        title: node.texts("title"),
        mode: node.code("mode"),
        supervision: None,
    }
}

/// The grade, and the assessment that gave it if anything is said of it.
fn assessment(mut node: Node<'_>, body: &mut Attainment, awarded: &Awarded, rest: &mut Rest) {
    awarded.repeated(&mut node);
    let shown = node.node("grade").and_then(|mut note| note.text("noteLiteral"));
    let mut value = None;
    node.identifiers(|scheme, notation| {
        let is_value = scheme == GRADE;
        if is_value {
            value = Some(notation.to_smolstr());
        }
        is_value
    });
    body.assessed_on = node.date("dateIssued");
    let supervision = node.code("idVerification");
    let mut scale =
        GradeScale { code: Coded::new(GRADING_SCHEME, ""), title: Texts::default(), grades: Vec::new().into() };
    if let Some(mut spec) = node.first("specifiedBy") {
        if let Some(scheme) = spec.first("gradingScheme") {
            grading_scheme(scheme, &mut scale, rest);
        }
        if supervision.is_some() || spec.get("dcType").is_some() || spec.get("mode").is_some() {
            let said = Assessment { supervision, ..assessment_kind(&mut spec) };
            body.assessments.0.insert(0, said);
        } else {
            spec.expect("title", awarded.title.as_ref());
        }
        rest.keep(rest::ASSESSMENT_SPECIFICATION, spec.rest());
    }
    rest.keep(rest::ASSESSMENT, node.rest());
    let Some(shown) = shown else { return };
    if let Some(key) = &value {
        let grade = ScaleGrade { key: key.clone(), code: shown.to_smolstr(), name: None, numeric: None };
        scale.grades.0.push(grade);
    }
    body.grade = Some(Grade { scale, value: value.unwrap_or_else(|| shown.into()) });
}

fn grading_scheme(mut node: Node<'_>, scale: &mut GradeScale, rest: &mut Rest) {
    scale.title = node.texts("title");
    let mut code = None;
    node.identifiers(|scheme, notation| {
        let own = scheme.strip_prefix(SCALE);
        if let Some(scheme) = own {
            code = Some(Coded::new(scheme.to_owned(), notation));
        }
        own.is_some()
    });
    let title = || scale.title.first().map(|Text { value, .. }| value.to_smolstr()).unwrap_or_default();
    scale.code = code.unwrap_or_else(|| Coded::new(GRADING_SCHEME, title()));
    rest.keep(rest::GRADING_SCHEME, node.rest());
}

//! Whether an attainment is documented as a micro-credential: the elements of Annex I of the Council Recommendation
//! 2022/C 243/02, the national definition of the Finnish universities of applied sciences, and the finer level that
//! employers asked for.
//!
//! A pure function over records: what is asked of a document on a command line is asked of records at intake too.

use crate::mapping::{CodeList, Mappings};
use crate::problem::Problem;
use crate::record::{Accreditation, Assessment, Attainment, Body, Coded, Learner, Record, RecordKey, Texts};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Serialize;
use smol_str::SmolStr;

/// Fewest and most ECTS credits of a micro-credential.
const EXTENT: [i64; 2] = [1, 60];
/// The value of the list `learning-opportunity` that says so: "short learning programme".
const SHORT_PROGRAMME: &str = "http://data.europa.eu/snb/learning-opportunity/74a4a268e8";
/// The classification whose value 1 is a degree.
const CATEGORY: (&str, &str) = ("virta:opintosuorituslaji", "1");

/// How an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is there.
    Present,
    /// Something is there that does not do.
    Weak,
    /// It is not there.
    Missing,
}

/// What an element is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The mandatory elements of Annex I.
    Mandatory,
    /// Its optional elements.
    Optional,
    /// The national definition.
    Definition,
    /// What goes beyond both.
    Extra,
}

/// One element of one attainment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Element {
    /// `M1`–`M11` and `O1`–`O5` of Annex I in its order, `D1`–`D5` of the definition, `X1`.
    pub id: &'static str,
    /// What it is.
    pub name: &'static str,
    /// What it is part of.
    pub part: Part,
    /// How it stands.
    pub standing: Standing,
    /// Why it is weak or missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
    /// Where to supply it: JSON pointers into the record, or into the learner's.
    pub supply: &'static str,
}

/// How an attainment stands as a micro-credential.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MicroCredential {
    /// The attainment.
    pub key: RecordKey,
    /// True if every mandatory element and all of the definition are present.
    pub complete: bool,
    /// All elements.
    pub elements: Vec<Element>,
}

impl MicroCredential {
    /// What is asked for and does not do, as warnings to the sender.
    pub fn warnings(&self) -> Vec<Problem> {
        let lacking = self.elements.iter().filter(|e| e.is_asked() && e.standing != Standing::Present);
        let problem = |element: &Element| {
            let why = element.why.unwrap_or_default();
            let problem = Problem::warning("micro_credential", format!("{} {}: {why}", element.id, element.name));
            problem.about(&self.key).at(element.supply)
        };
        lacking.map(problem).collect()
    }
}

impl Element {
    fn is_asked(&self) -> bool {
        matches!(self.part, Part::Mandatory | Part::Definition)
    }
}

/// How an attainment stands as a micro-credential; `None` for what is no standing attainment.
pub fn assess(record: &Record, learner: Option<&Learner>, mappings: &Mappings) -> Option<MicroCredential> {
    let Some(Body::Attainment(a)) = record.body.as_ref().filter(|_| !record.head.state.is_tombstone()) else {
        return None;
    };
    let elements = Judge { a, learner, mappings }.elements();
    let complete = elements.iter().all(|element| !element.is_asked() || element.standing == Standing::Present);
    Some(MicroCredential { key: record.head.key.clone(), complete, elements })
}

/// True for an attainment whose type says that it is a micro-credential.
pub fn is_declared(attainment: &Attainment, mappings: &Mappings) -> bool {
    attainment.achievement_type.as_ref().is_some_and(|kind| {
        let meaning = mappings.list("learning-opportunity").meaning(&kind.scheme, &kind.value);
        kind.value == SHORT_PROGRAMME || meaning.is_some_and(|code| code.value == SHORT_PROGRAMME)
    })
}

/// How one element stands, and why.
type Found = (Standing, Option<&'static str>);
const PRESENT: Found = (Standing::Present, None);
const fn weak(why: &'static str) -> Found {
    (Standing::Weak, Some(why))
}
const fn missing(why: &'static str) -> Found {
    (Standing::Missing, Some(why))
}
/// Present, or missing without a reason to give.
fn there(is: bool) -> Found {
    if is { PRESENT } else { missing("nothing is said of it") }
}

struct Judge<'a> {
    a: &'a Attainment,
    learner: Option<&'a Learner>,
    mappings: &'a Mappings,
}

impl Judge<'_> {
    fn elements(&self) -> Vec<Element> {
        use Part::{Definition, Extra, Mandatory, Optional};
        let a = self.a;
        let [outcomes, extent] = [self.outcomes(), self.extent()];
        let row = |id, name, part, supply, (standing, why)| Element { id, name, part, standing, why, supply };
        vec![
            row("M1", "learner", Mandatory, "learner: /body/family_name, /body/identifiers", self.learner()),
            row("M2", "title", Mandatory, "/body/title", title(&a.title)),
            row("M3", "country of the issuer", Mandatory, "/body/country", self.country()),
            row("M4", "awarding body", Mandatory, "/body/awarding_body", self.awarding_body()),
            row("M5", "date of issuing", Mandatory, "/body/issued_on", self.issued()),
            row("M6", "learning outcomes", Mandatory, "/body/learning_outcomes", outcomes),
            row("M7", "workload", Mandatory, "/body/credits/ects", self.workload()),
            row("M8", "level", Mandatory, "/body/eqf_level, /body/nqf_levels", self.level()),
            row("M9", "type of assessment", Mandatory, "/body/assessments/*/assessment_type", self.assessment()),
            row("M10", "form of participation", Mandatory, "/body/modes", self.codes(&a.modes, "mode")),
            row("M11", "quality assurance", Mandatory, "/body/quality_assurance", self.quality_assurance()),
            row("O1", "prerequisites", Optional, "/body/entry_requirements", there(!a.entry_requirements.is_empty())),
            row(
                "O2",
                "supervision and identity check",
                Optional,
                "/body/assessments/*/supervision",
                self.supervision(),
            ),
            row("O3", "grade", Optional, "/body/grade", there(a.grade.is_some())),
            row("O4", "stackability", Optional, "/body/stackability, /body/parts", self.stackability()),
            row("O5", "further information", Optional, "/body/description, /body/links", self.information()),
            row("D1", "smaller than a degree", Definition, "/body/category, /body/credits/ects", self.small()),
            row("D2", "outcomes described", Definition, "/body/learning_outcomes", outcomes),
            row("D3", "extent defined, 1–60 ECTS", Definition, "/body/credits/ects", extent),
            row("D4", "assessed reliably", Definition, "/body/assessments, /body/grade", self.reliably()),
            row("D5", "electronic certificate", Definition, "/body/awarding_body, /body/title", self.certificate()),
            row("X1", "finer level", Extra, "/body/mastery", self.mastery()),
        ]
    }

    fn is_listed(&self, code: &Coded, list: &CodeList) -> bool {
        (code.scheme == list.scheme.as_str() && list.contains(&code.value))
            || list.meaning(&code.scheme, &code.value).is_some()
    }

    /// A code of one of the lists that all of Europe reads.
    fn code(&self, code: Option<&Coded>, list: &str) -> Found {
        match code {
            None => missing("nothing is said of it"),
            Some(code) if self.is_listed(code, self.mappings.list(list)) => PRESENT,
            Some(_) => weak("the code is in no European list, so nobody else can compare it"),
        }
    }

    /// The best of several codes.
    fn codes<'c>(&self, codes: impl IntoIterator<Item = &'c Coded>, list: &str) -> Found {
        let found: Vec<Found> = codes.into_iter().map(|code| self.code(Some(code), list)).collect();
        let present = found.iter().find(|found| **found == PRESENT);
        present.or(found.first()).copied().unwrap_or_else(|| self.code(None, list))
    }

    fn learner(&self) -> Found {
        let Some(l) = self.learner else { return missing("there is no record of the learner") };
        let said = |name: &Option<String>| name.as_deref().is_some_and(|name| !name.trim().is_empty());
        let named = said(&l.full_name) || (said(&l.family_name) && said(&l.given_names));
        let identified = !l.identifiers.is_empty() || l.date_of_birth.is_some();
        match (named, identified) {
            (true, true) => PRESENT,
            (true, false) => {
                weak("a name alone does not tell people apart: an identifier or the date of birth is needed")
            }
            (false, true) => weak("there is an identifier or date of birth, but no full name"),
            (false, false) => missing("the learner has neither name nor identifier"),
        }
    }

    fn country(&self) -> Found {
        if self.a.country.is_some() {
            return self.code(self.a.country.as_ref(), "country");
        }
        there(self.institution_is_known())
    }

    fn institution_is_known(&self) -> bool {
        self.a.awarding_body.as_ref().is_some_and(|body| self.mappings.institutions.get(&body.value).is_some())
    }

    fn awarding_body(&self) -> Found {
        match &self.a.awarding_body {
            None => missing("nobody is named"),
            Some(body) if !body.label.is_empty() || self.institution_is_known() => PRESENT,
            Some(_) => weak("there is a code of an institution that is not known, and no name"),
        }
    }

    fn issued(&self) -> Found {
        let a = self.a;
        match (a.issued_on, a.completed_on.or(a.assessed_on).or(a.registered_on)) {
            (Some(_), _) => PRESENT,
            (None, Some(_)) => weak("a day of completion is known, not the day of issuing"),
            (None, None) => missing("no date is given"),
        }
    }

    fn outcomes(&self) -> Found {
        match (self.a.learning_outcomes.iter().any(|o| !o.title.is_empty()), &self.a.learning_outcome_summary) {
            (true, _) => PRESENT,
            (false, summary) if !summary.is_empty() => weak("one text in place of listed outcomes"),
            (false, _) if !self.a.learning_outcomes.is_empty() => weak("the outcomes have no titles"),
            _ => missing("no outcomes are described"),
        }
    }

    fn ects(&self) -> Option<Decimal> {
        self.a.credits.as_ref().and_then(|credits| credits.ects).map(|ects| ects.0)
    }

    fn workload(&self) -> Found {
        match (self.ects(), &self.a.workload) {
            (Some(ects), _) if ects > Decimal::ZERO => PRESENT,
            (_, Some(_)) => weak("hours are given, but no ECTS credits"),
            _ => missing("neither credits nor hours are given"),
        }
    }

    fn extent(&self) -> Found {
        match self.ects() {
            Some(ects) if ects < EXTENT[0].into() => weak("less than one ECTS credit"),
            Some(ects) if ects > EXTENT[1].into() => weak("more than 60 ECTS credits"),
            Some(_) => PRESENT,
            None => missing("no ECTS credits are given"),
        }
    }

    fn level(&self) -> Found {
        let eqf = self.code(self.a.eqf_level.as_ref(), "eqf");
        let found = [eqf, self.codes(&self.a.nqf_levels, "nqf")];
        match found.iter().find(|found| **found == PRESENT).or(found.iter().find(|f| f.0 == Standing::Weak)) {
            Some(found) => *found,
            None if self.a.cycle.is_some() => weak("a cycle is given, but no EQF or national level"),
            None => missing("no level is given"),
        }
    }

    fn assessment(&self) -> Found {
        let types = self.a.assessments.iter().filter_map(|assessment| assessment.assessment_type.as_ref());
        match self.codes(types, "assessment") {
            (Standing::Missing, _) if !self.a.assessments.is_empty() => weak("the assessment has no type"),
            (Standing::Missing, _) if self.a.grade.is_some() => weak("there is a grade, but not how it was earned"),
            found => found,
        }
    }

    fn quality_assurance(&self) -> Found {
        let whole = |assurance: &Accreditation| {
            !assurance.agent.is_empty() && self.code(assurance.accreditation_type.as_ref(), "accreditation") == PRESENT
        };
        match &self.a.quality_assurance {
            none if none.is_empty() => missing("nothing is said of quality assurance"),
            some if some.iter().any(whole) => PRESENT,
            _ => weak("its type, or who assures it, is not said"),
        }
    }

    fn supervision(&self) -> Found {
        let supervised = |assessment: &Assessment| assessment.supervision.is_some();
        there(self.a.assessments.iter().any(supervised))
    }

    fn stackability(&self) -> Found {
        there(self.a.stackability.is_some() || !self.a.parts.is_empty())
    }

    fn information(&self) -> Found {
        there(!(self.a.description.is_empty() && self.a.additional_info.is_empty() && self.a.links.is_empty()))
    }

    fn small(&self) -> Found {
        let degree = |c: &Coded| c.scheme == CATEGORY.0 && c.value == CATEGORY.1;
        if self.a.category.as_ref().is_some_and(degree) {
            return weak("it is a degree");
        }
        match self.ects() {
            Some(ects) if ects > EXTENT[1].into() => weak("more than 60 ECTS credits"),
            _ => PRESENT,
        }
    }

    fn reliably(&self) -> Found {
        let judged = self.a.grade.is_some() || self.supervision() == PRESENT;
        match (self.a.assessments.is_empty(), judged) {
            (false, true) => PRESENT,
            (false, false) => weak("neither a grade nor supervision vouches for the assessment"),
            (true, true) => weak("there is a grade, but not how it was earned"),
            (true, false) => missing("no assessment is described"),
        }
    }

    fn certificate(&self) -> Found {
        if self.a.title.is_empty() || self.awarding_body() != PRESENT || self.country() != PRESENT {
            return weak("a credential needs a title, and an awarding body with its name and country");
        }
        PRESENT
    }

    fn mastery(&self) -> Found {
        match &self.a.mastery {
            Some(code) if !self.is_listed(code, self.mappings.list("mastery")) => {
                weak("the code is none of basic, applied, expert")
            }
            mastery => there(mastery.is_some()),
        }
    }
}

fn title(title: &Texts) -> Found {
    match title.iter().find(|text| !text.value.trim().is_empty()) {
        None => missing("there is no title"),
        Some(_) if title.iter().all(|text| text.lang.is_none()) => weak("the title does not say its language"),
        Some(_) => PRESENT,
    }
}

/// The records that stand for themselves: attainments that are part of no other of the records.
pub fn wholes(records: &[Record]) -> impl Iterator<Item = &Record> {
    let parts: std::collections::HashSet<&SmolStr> = records
        .iter()
        .filter_map(|record| match &record.body {
            Some(Body::Attainment(a)) => Some(a),
            _ => None,
        })
        .flat_map(|a| a.parts.iter().map(|part| &part.id))
        .collect();
    let whole = move |record: &&Record| !parts.contains(&record.head.key.id);
    records.iter().filter(|record| matches!(record.body, Some(Body::Attainment(_)))).filter(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn judged(body: Value) -> MicroCredential {
        let line = json!({"kind": "attainment", "tenant": "t", "source": "s", "institution": "10122", "id": "1",
            "learner": "L", "body": body});
        let record: Record = serde_json::from_value(line).expect("a record");
        let learner = Learner {
            full_name: Some("Testi Taru".into()),
            date_of_birth: "1999-10-02".parse().ok(),
            ..Learner::default()
        };
        assess(&record, Some(&learner), &Mappings::builtin().expect("mappings")).expect("an attainment")
    }

    fn complete() -> Value {
        let concept = |list: &str, value: &str| json!({"scheme": format!("http://data.europa.eu/snb/{list}/25831c2"), "value": format!("http://data.europa.eu/snb/{list}/{value}")});
        json!({"title": [{"lang": "en", "value": "Data"}], "awarding_body": {"scheme": "virta:organisaatio", "value": "10122"},
            "issued_on": "2025-06-01", "learning_outcomes": [{"title": [{"lang": "en", "value": "Knows"}]}], "credits": {"ects": "5"},
            "eqf_level": {"scheme": "eqf", "value": "6"}, "modes": [concept("learning-assessment", "920fbb3cbe")],
            "assessments": [{"assessment_type": concept("assessment", "6e6cb2cc78")}],
            "grade": {"scale": {"code": {"scheme": "virta:arvosana", "value": "Viisiportainen"}}, "value": "4"},
            "quality_assurance": [{"accreditation_type": concept("accreditation", "bb4618238e"), "agent": [{"value": "Karvi"}]}]})
    }

    #[test]
    fn what_has_everything_is_complete_without_the_optional() {
        let found = judged(complete());
        assert!(found.complete && found.warnings().is_empty(), "{found:#?}");
        assert_eq!(found.elements.iter().filter(|e| e.part == Part::Mandatory).count(), 11);
        assert_eq!(found.elements.iter().filter(|e| e.part == Part::Optional).count(), 5);
    }

    #[test]
    fn each_element_is_weak_or_missing_by_itself() {
        for (member, value, id, standing) in [
            ("title", json!([{"value": "Data"}]), "M2", Standing::Weak),
            ("awarding_body", json!({"scheme": "x", "value": "1"}), "M4", Standing::Weak),
            ("issued_on", Value::Null, "M5", Standing::Missing),
            ("learning_outcomes", json!([]), "M6", Standing::Missing),
            ("credits", json!({"ects": "0.5"}), "D3", Standing::Weak),
            ("credits", json!({"ects": "60.5"}), "D1", Standing::Weak),
            ("eqf_level", json!({"scheme": "eqf", "value": "9"}), "M8", Standing::Weak),
            ("modes", json!([{"scheme": "own", "value": "x"}]), "M10", Standing::Weak),
            ("assessments", json!([]), "M9", Standing::Weak),
            ("grade", Value::Null, "D4", Standing::Weak),
            ("quality_assurance", json!([]), "M11", Standing::Missing),
        ] {
            let mut body = complete();
            match value {
                Value::Null => drop(body.as_object_mut().expect("an object").remove(member)),
                value => body[member] = value,
            }
            let found = judged(body);
            let element = found.elements.iter().find(|e| e.id == id).expect(id);
            assert_eq!((element.standing, found.complete), (standing, false), "{member}: {element:?}");
            assert!(element.why.is_some() && !found.warnings().is_empty());
        }
        let mut boundary = complete();
        boundary["credits"] = json!({"ects": "60.0"});
        assert!(judged(boundary).complete);
    }
}

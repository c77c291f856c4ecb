//! Records as credentials and back.

use serde_json::{Value, json};
use silta_adapter::adapter::{Adapter, DecodeContext, Decoded, Encode, EncodeContext, Encoded, Limits, Refusal};
use silta_adapter::canonical;
use silta_adapter::fidelity::apply;
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::Problem;
use silta_adapter::record::Record;
use silta_elm::Elm;
use std::sync::LazyLock;

static MAPPINGS: LazyLock<Mappings> = LazyLock::new(|| Mappings::builtin().expect("the built-in mappings read"));

fn ctx(generation: u64) -> EncodeContext<'static> {
    let instant = "2026-11-21T10:00:00Z".parse().expect("an instant");
    EncodeContext { mappings: &MAPPINGS, generation, instant }
}

fn record(kind: &str, id: &str, body: Value) -> Record {
    let line = json!({"kind": kind, "tenant": "uni", "source": "sis", "institution": "10122", "id": id,
        "learner": "L1", "body": body});
    serde_json::from_value(line).expect("a record")
}

fn course(id: &str, body: Value) -> Record {
    let mut whole = json!({"title": [{"lang": "en", "value": format!("Course {id}")}],
        "awarding_body": {"scheme": "virta:organisaatio", "value": "10122"},
        "category": {"scheme": "virta:opintosuorituslaji", "value": "2"}, "credits": {"ects": "5"}});
    for (name, value) in body.as_object().expect("an object") {
        whole[name] = value.clone();
    }
    record("attainment", id, whole)
}

fn parts(ids: &[&str]) -> Value {
    json!({"parts": ids.iter().map(|id| json!({"id": id, "ects": "5"})).collect::<Vec<_>>()})
}

fn encode(item: &[Record]) -> Result<Encoded, Refusal> {
    Elm.encode(item, ctx(1))
}

fn decode(document: &[u8]) -> (Vec<Record>, Vec<Problem>, Vec<String>) {
    let ctx = DecodeContext { tenant: "uni".into(), source: "sis".into(), limits: Limits::default() };
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    let mut sink = |found: Decoded| {
        match found {
            Decoded::Record(record, _) => records.push(*record),
            Decoded::Problem(problem) => problems.push(problem),
        }
        Ok(())
    };
    let reading = Elm.decoder().expect("decodes").decode(&mut &*document, &ctx, &mut sink).expect("well formed");
    (records, problems, reading.unread)
}

fn forms(records: &[Record]) -> Vec<String> {
    let mut forms: Vec<String> = records.iter().map(|r| canonical::record_form(r).to_string()).collect();
    forms.sort();
    forms
}

/// L1, L2's table and L3 for one item; its losses as `rule path`.
fn lawful(item: &[Record]) -> Vec<String> {
    let Encoded { document, losses } = encode(item).expect("encodes");
    let (read, problems, unread) = decode(&document);
    assert_eq!((problems, unread), (vec![], Vec::<String>::new()));
    assert_eq!(forms(&read), forms(&apply(&losses, item).expect("losses apply")), "L1");
    for loss in &losses {
        let rule = Elm.descriptor().losses.iter().find(|rule| rule.id == loss.rule).expect("a declared rule");
        assert!(rule.covers(loss.key.kind, &loss.path), "L2: {} does not cover {}", rule.id, loss.path);
    }
    let mut projection = read.clone();
    projection.sort_by_key(|r| r.head.key != item[0].head.key);
    let again = encode(&projection).expect("encodes again");
    assert_eq!(again.losses, vec![], "L3");
    assert_eq!(forms(&decode(&again.document).0), forms(&read), "L3");
    losses.iter().map(|loss| format!("{} {}", loss.rule, loss.path)).collect()
}

fn learner() -> Record {
    record("learner", "L1", json!({"given_names": "Testi Taru", "family_name": "Esimerkki", "date_of_birth": "1999-10-02",
        "identifiers": [{"scheme": "fi:hetu", "value": "021099-900C"}, {"scheme": "fi:oppijanumero", "value": "1.2.246.562.24.90000000001"}],
        "citizenships": [{"scheme": "virta:maa", "value": "246"}], "email": "taru@example.org",
        "gender": {"scheme": "virta:sukupuoli", "value": "2"}}))
}

fn rich() -> Value {
    json!({
        "study_right": "SR-3", "code": "CS.210", "national_code": "N1",
        "achievement_type": {"scheme": "http://data.europa.eu/snb/learning-opportunity/25831c2",
            "value": "http://data.europa.eu/snb/learning-opportunity/74a4a268e8"},
        "description": [{"value": "Lists, trees and graphs"}],
        "completed_on": "2025-05-14+03:00", "assessed_on": "2025-05-20", "registered_on": "2025-05-21",
        "issued_on": "2025-06-01", "started_on": "2025-01-10", "expires_on": "2030-12-31",
        "credits": {"ects": "5.0", "credit_weeks": "3"}, "workload": "PT135H",
        "grade": {"scale": {"code": {"scheme": "virta:muu", "value": "S1"}, "title": [{"lang": "fi", "value": "Asteikko"}],
            "grades": [{"key": "k5", "code": "5"}]}, "value": "k5"},
        "country": {"scheme": "virta:maa", "value": "246"}, "language": {"scheme": "virta:kieli", "value": "en"},
        "education": {"scheme": "virta:koulutuskoodi", "value": "612101"},
        "fields_of_study": [{"field": {"scheme": "isced-f-2013", "value": "0613"}, "share": "0.5"},
            {"field": {"scheme": "virta:ohjausala", "value": "7"}}],
        "thesis": false, "competences": [{"scheme": "virta:patevyys", "value": "ab"}],
        "classifications": [{"scheme": "virta:luokittelu", "value": "1"}, {"scheme": "virta:luokittelu", "value": "3"}],
        "additional_info": [{"lang": "fi", "value": "Lisätieto"}, {"lang": "fi", "value": "Toinen"}, {"lang": "??", "value": "?"}],
        "links": ["https://example.org/course", "not a link"],
        "learning_outcomes": [{"title": [{"lang": "en", "value": "Chooses data structures"}],
            "skills": [{"scheme": "http://data.europa.eu/esco/concept-scheme/skills", "value": "http://data.europa.eu/esco/skill/11111111-2222-3333-4444-555555555555"}]},
            {"description": [{"value": "untitled"}]}],
        "learning_outcome_summary": [{"lang": "en", "value": "Data structures"}],
        "eqf_level": {"scheme": "eqf", "value": "6"},
        "nqf_levels": [{"scheme": "http://data.europa.eu/snb/qdr/25831c2", "value": "http://data.europa.eu/snb/qdr/c_2d1fde14"}],
        "cycle": {"scheme": "qf-ehea", "value": "1"}, "mastery": {"scheme": "silta:mastery", "value": "applied"},
        "assessments": [
            {"assessment_type": {"scheme": "http://data.europa.eu/snb/assessment/25831c2", "value": "http://data.europa.eu/snb/assessment/6e6cb2cc78"},
             "supervision": {"scheme": "http://data.europa.eu/snb/supervision-verification/25831c2", "value": "http://data.europa.eu/snb/supervision-verification/70be69aaf9"}},
            {"title": [{"lang": "en", "value": "Portfolio"}],
             "supervision": {"scheme": "http://data.europa.eu/snb/supervision-verification/25831c2", "value": "http://data.europa.eu/snb/supervision-verification/c598449d64"}}],
        "modes": [{"scheme": "http://data.europa.eu/snb/learning-assessment/25831c2", "value": "http://data.europa.eu/snb/learning-assessment/920fbb3cbe"}],
        "learning_setting": {"scheme": "http://data.europa.eu/snb/learning-setting/25831c2", "value": "http://data.europa.eu/snb/learning-setting/6fd4685715"},
        "quality_assurance": [{"title": [{"value": "Audit"}]}],
        "entry_requirements": [{"lang": "en", "value": "Programming"}],
        "stackability": {"partial": true, "note": [{"value": "A degree"}]},
        "extensions": {"virta": {"x": 1}, "virta.document": {"order": 3}}
    })
}

#[test]
fn a_degree_with_parts_is_one_credential() {
    let degree = course("D", json!({"category": {"scheme": "virta:opintosuorituslaji", "value": "1"},
        "title": [{"lang": "fi", "value": "Luonnontieteiden kandidaatti"}, {"lang": "en", "value": "Bachelor of Science"}],
        "completed_on": "2025-06-01", "parts": [{"id": "M", "ects": "10"}, {"id": "T"}]}));
    let module = course("M", json!({"parts": [{"id": "C", "ects": "5"}]}));
    let part = course("C", json!({"grade": {"scale": {"code": {"scheme": "virta:arvosana", "value": "Viisiportainen"}}, "value": "4"},
        "completed_on": "2024-12-12", "language": {"scheme": "virta:kieli", "value": "fi"}}));
    let item = [degree, learner(), module, part, course("T", json!({"title": [], "code": "THESIS-1", "thesis": true}))];
    assert_eq!(lawful(&item), ["title_from_code /body/title", "gender /body/gender",
        "mapped_code /body/citizenships/0", "mapped_code /body/language"].map(str::to_owned).to_vec().sorted_like(lawful(&item)));
    let document: Value = serde_json::from_slice(&encode(&item).expect("encodes").document).expect("one JSON object");
    insta::assert_json_snapshot!("degree", document);
}

/// Compares lists whatever their order: the expectation, if it has the same elements, else sorted.
trait SortedLike {
    fn sorted_like(self, other: Vec<String>) -> Vec<String>;
}
impl SortedLike for Vec<String> {
    fn sorted_like(mut self, other: Vec<String>) -> Vec<String> {
        self.sort();
        let mut sorted = other.clone();
        sorted.sort();
        if self == sorted { other } else { self }
    }
}

//! The Open Education API adapter against the standard's own OpenAPI files and against what partners really send.
#![expect(clippy::expect_used, reason = "a test ends with what broke it")]

use contract_tests::{script, shared_dir};
use serde_json::{Value, json};
use silta::registry;
use silta_adapter::adapter::{
    About, Adapter, Call, DecodeContext, Decoded, EncodeContext, Limits, Received, Unreadable,
};
use silta_adapter::conformance::check_reading;
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::{Problem, Severity};
use silta_adapter::record::{Body, Record, State};
use silta_ooapi::OpenEducation;

const VERSIONS: [(&str, OpenEducation); 2] = [("5", OpenEducation::V5), ("6", OpenEducation::V6)];
const ID: &str = "11111111-1111-4111-8111-111111111111";

fn mappings() -> Mappings {
    Mappings::builtin().expect("mappings")
}

fn ctx(mappings: &Mappings) -> EncodeContext<'_> {
    EncodeContext { mappings, generation: 1, instant: "2026-11-22T00:00:00Z".parse().expect("a time") }
}

/// What the standard's own files say is wrong with objects; `None` if the tools are missing.
fn errors(questions: &[Value]) -> Option<Vec<Vec<String>>> {
    let input = questions.iter().map(|question| format!("{question}\n")).collect();
    let answers = script("schemas/sis/ooapi", "openapi.py", &[], input)?;
    let answers: Vec<Vec<String>> = answers.lines().map(|line| serde_json::from_str(line).expect("a list")).collect();
    assert_eq!(answers.len(), questions.len());
    Some(answers)
}

fn read(adapter: OpenEducation, document: &[u8]) -> Result<(Vec<Record>, Vec<Problem>), Unreadable> {
    let ctx = DecodeContext { tenant: "10089".into(), source: "partner".into(), limits: Limits::default() };
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    adapter.decoder().expect("reads").decode(&mut &*document, &ctx, &mut |found| {
        match found {
            Decoded::Record(record, _) => records.push(*record),
            Decoded::Problem(problem) => problems.push(problem),
        }
        Ok(())
    })?;
    Ok((records, problems))
}

fn records() -> Vec<Record> {
    let head = |kind: &str, id: &str, body: Value| {
        json!({ "kind": kind, "tenant": "10088", "source": "sisu", "institution": "10088", "id": id, "learner": "p1",
            "source_revision": 7, "body": body })
    };
    let attainment = |category: &str, rest: Value| {
        let mut body = json!({ "category": { "scheme": "virta:opintosuorituslaji", "value": category },
            "title": [{ "lang": "fi", "value": "Biologia" }, { "lang": "en", "value": "Biology" }], "completed_on": "2026-05-12",
            "credits": { "ects": "2.5" } });
        let (Value::Object(members), Value::Object(more)) = (&mut body, rest) else { return body };
        members.extend(more);
        body
    };
    let grade = |scale: &str, value: &str| json!({ "scale": { "code": { "scheme": "virta:arvosana", "value": scale } }, "value": value });
    [
        head("learner", "p1", json!({ "given_names": "Testi", "family_name": "Esimerkki", "email": "nobody@a.example",
            "date_of_birth": "1990-01-01", "identifiers": [{ "scheme": "esi", "value": "urn:schac:personalUniqueCode:int:esi:fi:1" },
            { "scheme": "fi:oppijanumero", "value": "1.2.246.562.98.90000000019" }] })),
        head("attainment", "a1", attainment("2", json!({ "code": "BIO-1", "grade": grade("Viisiportainen", "4"),
            "language": { "scheme": "virta:kieli", "value": "fi" }, "started_on": "2026-01-12", "description": [{ "value": "x" }],
            "awarding_body": { "scheme": "virta:organisaatio", "value": "01901" }, "links": ["https://a.example/bio"],
            "additional_info": [{ "value": "well done" }] }))),
        head("attainment", "a2", attainment("2", json!({ "grade": grade("Hyvaksytty", "HYV"),
            "awarding_body": { "scheme": "own:body", "value": "x" } }))),
        head("attainment", "a3", attainment("1", json!({}))),
    ]
    .into_iter()
    .map(|record| serde_json::from_value(record).expect("a record"))
    .collect()
}

#[test]
fn what_is_written_is_valid_by_the_standard() {
    let mappings = mappings();
    let mut questions = Vec::new();
    for (version, adapter) in VERSIONS {
        for record in records() {
            for state in [State::Current, State::Misregistered] {
                let mut record = record.clone();
                record.head.state = state;
                let encoder = adapter.encoder().expect("writes");
                let encoded = encoder.encode(std::slice::from_ref(&record), ctx(&mappings)).expect("encodes");
                let object: Value = serde_json::from_slice(&encoded.document).expect("JSON");
                let schema = match (object.get("personId").is_some() && object.get("role").is_none(), version) {
                    (true, _) => "Person",
                    (false, "5") if object["associationType"] == "programOfferingAssociation" => {
                        "ProgramOfferingAssociation"
                    }
                    (false, "6") if object.get("programmeOffering").is_some() => "ProgrammeOfferingAssociation",
                    _ => "CourseOfferingAssociation",
                };
                questions.push(json!({ "version": version, "schema": schema, "instance": object }));
                let offering = match schema {
                    "ProgramOfferingAssociation" => ("ProgramOffering", "offering"),
                    "ProgrammeOfferingAssociation" => ("ProgrammeOffering", "programmeOffering"),
                    "CourseOfferingAssociation" if version == "5" => ("CourseOffering", "offering"),
                    "CourseOfferingAssociation" => ("CourseOffering", "courseOffering"),
                    _ => continue,
                };
                questions.push(json!({ "version": version, "schema": offering.0, "instance": object[offering.1] }));
                let organisation = if version == "5" { "organization" } else { "organisation" };
                if let Some(body) = object[offering.1].get(organisation) {
                    let schema = if version == "5" { "Organization" } else { "Organisation" };
                    questions.push(json!({ "version": version, "schema": schema, "instance": body }));
                }
            }
        }
    }
    assert!(questions.len() > 24, "{}", questions.len());
    let Some(answers) = errors(&questions) else { return };
    for (question, wrong) in questions.iter().zip(answers) {
        assert!(wrong.is_empty(), "{wrong:?} in {question:#}");
    }
}

/// The document that a call brings, as the interface of the home institution makes it.
fn arrived(adapter: OpenEducation, method: &str, path: &[&str], body: &[u8], held: &[Record]) -> Vec<u8> {
    let mappings = mappings();
    let receiver = adapter.receiver().expect("receives");
    let call = Call { method, path, body };
    assert!(receiver.about(&call).is_some(), "{method} {path:?}");
    match receiver.receive(&call, held, ctx(&mappings)) {
        Received::Document(document, reply) => {
            assert!(matches!(reply.status, 200 | 201), "{reply:?}");
            document
        }
        Received::Answer(reply) => unreachable!("{}", String::from_utf8_lossy(&reply.body)),
    }
}

#[test]
fn real_calls_are_read_with_their_deviations() {
    let Some(cases) = shared_dir("cases/sis/ooapi") else { return };
    let case = |name: &str| std::fs::read(cases.join(name)).expect(name);

    // A student enrols: nothing is achieved yet, no id, no type, an issuer without an id.
    let post = case("eduxchange-post-association.json");
    let (records, problems) = read(OpenEducation::V5, &post).expect("reads");
    assert!(records.is_empty() && problems.iter().any(|p| p.code == "no_identity" && p.severity == Severity::Error));
    let document = arrived(OpenEducation::V5, "POST", &["associations", "external", "me"], &post, &[]);
    assert_eq!(
        document,
        arrived(OpenEducation::V5, "POST", &["associations", "external", "me"], &post, &[]),
        "the same id"
    );
    let (records, problems) = read(OpenEducation::V5, &document).expect("reads");
    assert!(records.is_empty(), "nothing is achieved");
    let told = |problems: &[Problem]| -> Vec<String> {
        let mut told: Vec<_> =
            problems.iter().map(|p| format!("{} {}", p.code, p.path.as_deref().unwrap_or_default())).collect();
        told.sort();
        told
    };
    assert_eq!(
        told(&problems),
        ["deviation /associationType", "deviation /issuer/organizationId", "no_result /result"]
    );

    // The grade comes as a patch: what it is about is named by the address alone.
    let patch = case("eduxchange-patch-grade.json");
    let (records, problems) = read(OpenEducation::V5, &patch).expect("reads");
    assert!(records.is_empty() && problems.iter().any(|p| p.code == "no_identity"));
    let enrolled = {
        let mut tree: Value = serde_json::from_slice(&document).expect("JSON");
        tree["result"] = json!({ "state": "completed", "resultDate": "2020-01-01" });
        tree["associationId"] = ID.into();
        read(OpenEducation::V5, tree.to_string().as_bytes()).expect("reads").0
    };
    let document = arrived(OpenEducation::V5, "PATCH", &["associations", ID], &patch, &enrolled);
    let (records, problems) = read(OpenEducation::V5, &document).expect("reads");
    let Some(Body::Attainment(body)) = &records[0].body else { unreachable!("an attainment") };
    assert_eq!(body.grade.as_ref().map(|g| (g.scale.code.value.as_str(), g.value.as_str())), Some(("1-10", "9")));
    assert_eq!(body.title[0].value, "Introduction to Bio-Informatics", "the course's own name");
    assert_eq!(body.completed_on.map(|day| day.to_string()).as_deref(), Some("2020-09-28"));
    assert_eq!(body.credits.as_ref().and_then(|c| c.ects).map(|e| e.to_string()).as_deref(), Some("15"));
    assert_eq!(told(&problems), ["deviation /issuer/organizationId"]);
    assert!(check_reading(&OpenEducation::V5, &mappings(), &document).is_ok());

    // As it was published it is no JSON.
    let broken = case("eduxchange-patch-grade.as-published-invalid.json");
    assert!(matches!(read(OpenEducation::V5, &broken), Err(Unreadable::Malformed(_))));

    let six = case("self-v6-patch-result.json");
    let mut tree: Value = serde_json::from_slice(&six).expect("JSON");
    tree["associationId"] = ID.into();
    tree["result"]["resultDateTime"] = "2026-05-12T09:30:00+03:00".into();
    let (records, _) = read(OpenEducation::V6, tree.to_string().as_bytes()).expect("reads");
    let Some(Body::Attainment(body)) = &records[0].body else { unreachable!("an attainment") };
    assert_eq!(body.grade.as_ref().map(|g| g.scale.code.value.as_str()), Some("x-fi_0_5"));
}

#[test]
fn a_partner_s_credit_goes_on_to_the_national_store() {
    let mappings = mappings();
    let registry = registry::adapters();
    let virta = registry.get("virta").expect("virta");
    let mut tree: Value = json!({ "associationId": ID, "role": "student", "state": "finished", "personId": ID,
        "courseOffering": { "courseOfferingId": ID, "primaryCode": { "codeType": "offering_code", "code": "A" },
            "name": [{ "language": "en", "value": "Biology" }] },
        "result": { "state": "completed", "score": "4", "resultDateTime": "2026-05-12T00:00:00Z",
            "studyLoad": { "studyLoadUnit": "ects", "value": 5 }, "ext": { "resultValueType": "x-fi_0_5" } } });
    let (records, _) = read(OpenEducation::V6, tree.to_string().as_bytes()).expect("reads");
    let Some(Body::Attainment(body)) = &records[0].body else { unreachable!("an attainment") };
    let grade = body.grade.as_ref().expect("a grade");
    let crosswalks = &mappings.crosswalks;
    let scale = crosswalks.meaning(&grade.scale.code.scheme, &grade.scale.code.value, "virta:arvosana");
    assert_eq!(scale.as_deref(), Some("Viisiportainen"));
    assert!(virta.encoder().is_some());
    tree["result"]["pass"] = "failed".into();
    let (records, problems) = read(OpenEducation::V6, tree.to_string().as_bytes()).expect("reads");
    assert!(records.is_empty() && problems.iter().any(|p| p.code == "failed"), "a failed attempt is no credit");
    let about = OpenEducation::V6.receiver().expect("receives");
    let call = Call { method: "GET", path: &["persons", ID, "course-offering-associations"], body: b"" };
    assert_eq!(about.about(&call), Some(About::Learner(ID.into())));
}

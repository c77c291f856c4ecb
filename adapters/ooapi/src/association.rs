//! What a record of an attainment and the JSON of an association say alike: the tree that the record's own fields make,
//! and the fields read off a tree.

use crate::dialect::{CARRIER, Carrier, Dialect};
use crate::words::{
    UNDETERMINED, amount_at, code, code_at, day, day_at, language, number, some, tag, text_at, texts_at, written,
};
use serde_json::{Map, Value, json};
use silta_adapter::record::{Attainment, Coded, Credits, Grade, GradeScale, Set, Text, Texts};

/// What the fields say.
pub(crate) fn template(body: &Attainment, dialect: &Dialect, carrier: &Carrier) -> Value {
    let mut tree = Map::new();
    tree.insert("role".into(), "student".into());
    tree.insert("state".into(), if dialect.old { "associated" } else { "finished" }.into());
    tree.insert("remoteState".into(), "associated".into());
    if dialect.old {
        tree.insert("associationType".into(), carrier.types.1.into());
    } else {
        some(&mut tree, "startDateTime", body.started_on.map(|date| day(date, dialect)));
    }
    tree.insert(carrier.offering.into(), offering(body, dialect, carrier));
    tree.insert("result".into(), result(body, dialect));
    Value::Object(tree)
}

fn offering(body: &Attainment, dialect: &Dialect, carrier: &Carrier) -> Value {
    let mut offering = Map::new();
    let texts = |texts: &Texts| (!texts.is_empty()).then(|| written(texts));
    let own_code = |code: &silta_adapter::SmolStr| json!({ "codeType": dialect.offering_code, "code": code });
    some(&mut offering, "name", texts(&body.title));
    some(&mut offering, "description", texts(&body.description));
    some(&mut offering, "primaryCode", body.code.as_ref().map(own_code));
    some(&mut offering, "link", body.links.first().cloned());
    some(&mut offering, dialect.organisation, body.awarding_body.as_ref().map(|body| organisation(body, dialect)));
    let language = body.language.as_ref().and_then(tag);
    match dialect.old {
        true => {
            offering.insert("offeringType".into(), carrier.types.0.into());
            some(&mut offering, "teachingLanguage", language);
            some(&mut offering, "startDate", body.started_on.map(|date| day(date, dialect)));
        }
        false => {
            some(&mut offering, "teachingLanguages", language.map(|tag| json!([tag])));
            some(&mut offering, "resultValueType", body.grade.as_ref().map(|grade| scale(grade, dialect)));
        }
    }
    Value::Object(offering)
}

fn organisation(body: &Coded, dialect: &Dialect) -> Value {
    let name = match body.label.is_empty() {
        true => json!([{ "language": UNDETERMINED, "value": body.value }]),
        false => written(&body.label),
    };
    json!({ "primaryCode": code(body, dialect), "name": name })
}

fn result(body: &Attainment, dialect: &Dialect) -> Value {
    let mut result = Map::new();
    result.insert("state".into(), "completed".into());
    result.insert("pass".into(), "passed".into());
    let ects = body.credits.as_ref().and_then(|credits| credits.ects).and_then(number);
    some(&mut result, "studyLoad", ects.map(|value| json!({ "studyLoadUnit": "ects", "value": value })));
    some(&mut result, "score", body.grade.as_ref().map(|grade| grade.value.as_str()));
    some(&mut result, "ext", body.grade.as_ref().map(|grade| json!({ "resultValueType": scale(grade, dialect) })));
    some(&mut result, "comment", body.additional_info.first().map(|text| text.value.as_str()));
    some(&mut result, dialect.result_day, body.completed_on.map(|date| day(date, dialect)));
    if !dialect.old {
        result.insert("final".into(), true.into());
    }
    Value::Object(result)
}

/// The scale of a grade: the standard's own by its name, any other marked as an extension.
fn scale(grade: &Grade, dialect: &Dialect) -> String {
    let code = &grade.scale.code;
    match code.scheme == dialect.scales {
        true => code.value.to_string(),
        false => format!("x-{}={}", code.scheme, code.value),
    }
}

/// The fields, as far as a tree says them in the form that [`template`] writes.
pub(crate) fn fields(tree: &Value, dialect: &Dialect, carrier: &Carrier) -> Attainment {
    let at = |name: &str| format!("/{}/{name}", carrier.offering);
    let course = at(if carrier.name == "course" { "course/name" } else { "programme/name" });
    let title = Some(texts_at(tree, &course)).filter(|title| !title.is_empty());
    let ects = text_at(tree, "/result/studyLoad/studyLoadUnit").filter(|unit| *unit == "ects");
    let primary = tree.pointer(&at("primaryCode"));
    let own_code = primary.filter(|code| code["codeType"] == dialect.offering_code);
    let started = if dialect.old { at("startDate") } else { "/startDateTime".to_owned() };
    let tag = if dialect.old { at("teachingLanguage") } else { at("teachingLanguages/0") };
    Attainment {
        category: Some(Coded::new(CARRIER, carrier.name)),
        title: title.unwrap_or_else(|| texts_at(tree, &at("name"))),
        description: texts_at(tree, &at("description")),
        code: own_code.and_then(|code| code["code"].as_str()).map(Into::into),
        links: text_at(tree, &at("link")).map(str::to_owned).into_iter().collect(),
        awarding_body: awarding_body(tree, &at(dialect.organisation)),
        language: text_at(tree, &tag).filter(|tag| *tag != UNDETERMINED).map(language),
        started_on: day_at(tree, &started),
        completed_on: day_at(tree, &format!("/result/{}", dialect.result_day)),
        credits: ects
            .and_then(|_| amount_at(tree, "/result/studyLoad/value"))
            .map(|ects| Credits { ects: Some(ects), credit_weeks: None }),
        grade: grade(tree, dialect, carrier),
        additional_info: text_at(tree, "/result/comment")
            .map(|comment| Text { lang: None, value: comment.to_owned() })
            .into_iter()
            .collect(),
        ..Attainment::default()
    }
}

fn awarding_body(tree: &Value, organisation: &str) -> Option<Coded> {
    let label = texts_at(tree, &format!("{organisation}/name"));
    code_at(tree, &format!("{organisation}/primaryCode")).map(|body| Coded { label, ..body })
}

/// The places where partners say what scale a score is on. The standard has it in the offering; profiles put it beside
/// the score, and version 6.1 does so in two spellings.
fn scales(carrier: &Carrier) -> [String; 4] {
    [
        "/result/ext/resultValueType".to_owned(),
        "/result/resultValueType".to_owned(),
        "/result/resultvaluetype".to_owned(),
        format!("/{}/resultValueType", carrier.offering),
    ]
}

/// True if there is a score and nothing says what scale it is on.
pub(crate) fn lacks_scale(tree: &Value, carrier: &Carrier) -> bool {
    text_at(tree, "/result/score").is_some() && !scales(carrier).iter().any(|place| text_at(tree, place).is_some())
}

fn grade(tree: &Value, dialect: &Dialect, carrier: &Carrier) -> Option<Grade> {
    let scale = scales(carrier).iter().find_map(|place| text_at(tree, place).map(str::to_owned))?;
    let code = match scale.strip_prefix("x-").and_then(|named| named.split_once('=')) {
        Some((scheme, value)) => Coded::new(scheme.to_owned(), value),
        None => Coded::new(dialect.scales, scale),
    };
    let value = text_at(tree, "/result/score")?.into();
    Some(Grade { scale: GradeScale { code, title: Texts::default(), grades: Set::default() }, value })
}

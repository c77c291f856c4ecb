//! The images where a credential has its place for them: `displayParameter.individualDisplay`.

use crate::{Language, images};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use silta_adapter::seal::Show;

const LANGUAGES: &str = "http://publications.europa.eu/resource/authority/language";
const FILE_TYPES: &str = "http://publications.europa.eu/resource/authority/file-type";
const ENCODINGS: &str = "http://data.europa.eu/snb/encoding/25831c2";
const BASE64: &str = "http://data.europa.eu/snb/encoding/6146cde7dd";

/// Shows credentials as pages, in each of their languages that pages can be in, else in English.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pages;

impl Show for Pages {
    fn show(&self, credential: &Value) -> Result<Value, String> {
        let languages = languages(credential);
        let display = |language| individual(credential, language).map_err(|e| e.to_string());
        languages.into_iter().map(display).collect::<Result<Vec<_>, _>>().map(Value::Array)
    }
}

/// The languages a credential says that it is displayed in.
pub(crate) fn languages(credential: &Value) -> Vec<Language> {
    let display = &credential["displayParameter"]["language"];
    let concepts = display.as_array().map_or(std::slice::from_ref(display), Vec::as_slice);
    let names = |language: &Language| {
        let own = format!("{LANGUAGES}/{}", language.authority());
        concepts.iter().any(|concept| concept["id"] == own)
    };
    let languages: Vec<Language> = Language::ALL.into_iter().filter(names).collect();
    if languages.is_empty() { vec![Language::English] } else { languages }
}

fn individual(credential: &Value, language: Language) -> Result<Value, crate::NotDrawn> {
    let code = language.code();
    let details = images(credential, language)?.into_iter().enumerate().map(|(nth, png)| {
        let page = nth + 1;
        json!({
            "id": format!("urn:epass:displayDetail:{code}-{page}"),
            "type": "DisplayDetail",
            "page": page,
            "image": {
                "id": format!("urn:epass:mediaObject:page-{code}-{page}"),
                "type": "MediaObject",
                "contentType": concept(&format!("{FILE_TYPES}/PNG"), FILE_TYPES),
                "contentEncoding": concept(BASE64, ENCODINGS),
                "content": STANDARD.encode(png),
            },
        })
    });
    Ok(json!({
        "id": format!("urn:epass:individualDisplay:{code}"),
        "type": "IndividualDisplay",
        "language": concept(&format!("{LANGUAGES}/{}", language.authority()), LANGUAGES),
        "displayDetail": details.collect::<Value>(),
    }))
}

/// A value of a controlled list, by its name alone: of one that the credential names elsewhere with a label, this says
/// nothing else.
fn concept(id: &str, scheme: &str) -> Value {
    json!({ "id": id, "type": "Concept", "inScheme": { "id": scheme, "type": "ConceptScheme" } })
}

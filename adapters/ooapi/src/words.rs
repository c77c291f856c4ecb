//! Texts, days, codes and numbers as the standard writes them.

use crate::dialect::Dialect;
use serde_json::{Map, Value, json};
use silta_adapter::json::{amount, exact_number};
use silta_adapter::record::{Amount, Coded, Date, Text, Texts};

/// The scheme of institutions known by their home domain.
pub(crate) const SCHAC_HOME: &str = "schac-home";
/// The EU authority table of languages, whose last three letters are the code.
pub(crate) const LANGUAGE: &str = "http://publications.europa.eu/resource/authority/language";
/// The scheme of other language tags.
const TAG: &str = "bcp47";
/// What stands for a language nobody names.
pub(crate) const UNDETERMINED: &str = "und";

pub(crate) fn some(tree: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    value.map(|value| tree.insert(name.to_owned(), value.into()));
}

pub(crate) fn text_at<'a>(tree: &'a Value, pointer: &str) -> Option<&'a str> {
    tree.pointer(pointer).and_then(Value::as_str)
}

/// The day of a date or of a date and time.
pub(crate) fn day_at(tree: &Value, pointer: &str) -> Option<Date> {
    let text = text_at(tree, pointer)?;
    text.get(..10)?.parse().ok()
}

/// A day as the standard's date, or as its date and time.
pub(crate) fn day(date: Date, dialect: &Dialect) -> String {
    match dialect.old {
        true => date.day.to_string(),
        false => format!("{}T00:00:00Z", date.day),
    }
}

/// True if every version takes a language tag.
pub(crate) fn is_language(tag: &str) -> bool {
    let (primary, region) = tag.split_once('-').map_or((tag, None), |(primary, region)| (primary, Some(region)));
    (2..=3).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_lowercase())
        && region.is_none_or(|region| region.len() == 2 && region.bytes().all(|b| b.is_ascii_uppercase()))
}

pub(crate) fn written(texts: &Texts) -> Value {
    let one = |text: &Text| json!({ "language": text.lang.as_deref().unwrap_or(UNDETERMINED), "value": text.value });
    texts.iter().map(one).collect()
}

/// Texts, if that is all that stands there.
pub(crate) fn texts_at(tree: &Value, pointer: &str) -> Texts {
    let one = |value: &Value| {
        let lang = value.get("language").map(Value::as_str);
        let lang = match lang {
            None | Some(Some(UNDETERMINED)) => None,
            Some(lang) => Some(lang?.into()),
        };
        Some(Text { lang, value: value["value"].as_str()?.to_owned() })
    };
    let list = tree.pointer(pointer).and_then(Value::as_array);
    list.and_then(|list| list.iter().map(one).collect()).unwrap_or_default()
}

/// A code of a person or an organisation with its type: the standard's own types have schemes of their own, others are
/// marked as extensions, as the standard asks for.
pub(crate) fn code(code: &Coded, dialect: &Dialect) -> Value {
    let kind = match code.scheme.as_ref() {
        SCHAC_HOME => dialect.schac_home.to_owned(),
        "esi" => "esi".to_owned(),
        scheme => match scheme.strip_prefix("ooapi:") {
            Some(own) => own.to_owned(),
            None => format!("x-{scheme}"),
        },
    };
    json!({ "codeType": kind, "code": code.value })
}

/// Reads what [`code`] writes.
pub(crate) fn code_at(tree: &Value, pointer: &str) -> Option<Coded> {
    let entry = tree.pointer(pointer)?;
    let value = entry["code"].as_str()?;
    Some(match entry["codeType"].as_str()? {
        "schacHome" | "schac_home" => Coded::new(SCHAC_HOME, value),
        "esi" => Coded::new("esi", value),
        kind => match kind.strip_prefix("x-") {
            Some(scheme) => Coded::new(scheme.to_owned(), value),
            None => Coded::new(format!("ooapi:{kind}"), value),
        },
    })
}

/// A language of teaching: three letters where the table of the EU has it.
pub(crate) fn language(tag: &str) -> Coded {
    let is_code = tag.len() == 3 && tag.bytes().all(|b| b.is_ascii_lowercase());
    match is_code {
        true => Coded::new(LANGUAGE, format!("{LANGUAGE}/{}", tag.to_ascii_uppercase())),
        false => Coded::new(TAG, tag),
    }
}

/// The tag of a language that [`language`] gives.
pub(crate) fn tag(language: &Coded) -> Option<String> {
    let tag = match language.scheme.as_ref() {
        LANGUAGE => language.value.strip_prefix(LANGUAGE)?.strip_prefix('/')?.to_ascii_lowercase(),
        TAG => language.value.to_string(),
        _ => return None,
    };
    Some(tag)
}

/// A decimal that a JSON number holds exactly.
pub(crate) fn number(amount: Amount) -> Option<Value> {
    exact_number(&amount.to_string()).map(Value::Number)
}

pub(crate) fn amount_at(tree: &Value, pointer: &str) -> Option<Amount> {
    match tree.pointer(pointer)? {
        Value::Number(number) => amount(&number.to_string()),
        Value::String(text) => amount(text),
        _ => None,
    }
}

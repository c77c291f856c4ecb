//! A record's JSON in readable form: a definition list that nests.

use super::view::words;
use askama::Template;
use askama::filters::HtmlSafe;
use serde_json::{Map, Value};

/// A value as shown.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "content.html")]
pub enum Shown {
    /// Text, and what qualifies it: its language, its code list, its label.
    Text(String, String),
    /// Several values.
    Items(Vec<Shown>),
    /// Named values.
    Fields(Vec<Field>),
}
impl HtmlSafe for Shown {}

/// A named value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in words.
    pub term: String,
    /// What it is.
    pub value: Shown,
}

/// Deeper values are shown as JSON.
const DEEPEST: usize = 16;

/// A JSON value in readable form. Codes, identifiers and texts in a language become one line each.
pub fn shown(value: &Value) -> Shown {
    at_depth(value, 0)
}

fn at_depth(value: &Value, depth: usize) -> Shown {
    let text = |text: String| Shown::Text(text, String::new());
    match value {
        Value::Null => text("none".into()),
        Value::Bool(yes) => text(if *yes { "yes" } else { "no" }.into()),
        Value::Number(n) => text(n.to_string()),
        Value::String(s) => text(s.clone()),
        deep if depth >= DEEPEST => text(deep.to_string()),
        Value::Array(items) => match items.as_slice() {
            [one] => at_depth(one, depth + 1),
            items => Shown::Items(items.iter().map(|item| at_depth(item, depth + 1)).collect()),
        },
        Value::Object(map) => qualified(map).unwrap_or_else(|| {
            let field = |(name, value): (&String, &Value)| Field { term: words(name), value: at_depth(value, depth + 1) };
            Shown::Fields(map.iter().map(field).collect())
        }),
    }
}

/// `{value, lang?}` and `{scheme, value, label?}` as one line.
fn qualified(map: &Map<String, Value>) -> Option<Shown> {
    let value = map.get("value")?.as_str()?;
    let known = |name: &String| matches!(name.as_str(), "value" | "lang" | "scheme" | "label");
    if !map.keys().all(known) {
        return None;
    }
    let labels = map.get("label").and_then(Value::as_array).into_iter().flatten();
    let label = labels.filter_map(|text| text.get("value")?.as_str()).next();
    let notes = [label, map.get("scheme").and_then(Value::as_str), map.get("lang").and_then(Value::as_str)];
    Some(Shown::Text(value.to_owned(), notes.into_iter().flatten().collect::<Vec<_>>().join(", ")))
}

/// A JSON pointer in words: `/body/credits/ects` → `Credits › ECTS`. A set's element is named by its set.
pub fn place(pointer: &str) -> String {
    let segments: Vec<String> = pointer
        .split('/')
        .filter(|s| !s.is_empty() && *s != "-" && *s != "body")
        .map(|s| words(&s.replace("~1", "/").replace("~0", "~")))
        .collect();
    if segments.is_empty() { "The whole record".to_owned() } else { segments.join(" › ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn codes_and_texts_are_one_line_each() {
        let text = |a: &str, b: &str| Shown::Text(a.into(), b.into());
        assert_eq!(shown(&json!({"scheme": "virta:laji", "value": "2"})), text("2", "virta:laji"));
        assert_eq!(
            shown(&json!({"scheme": "s", "value": "2", "label": [{"lang": "fi", "value": "Kurssi"}]})),
            text("2", "Kurssi, s")
        );
        assert_eq!(shown(&json!([{"lang": "fi", "value": "Algebra"}])), text("Algebra", "fi"));
        assert_eq!(shown(&json!({"value": "5", "scale": "0-5"})).fields(), ["Value", "Scale"]);
        assert_eq!(shown(&json!(true)), text("yes", ""));
    }

    impl Shown {
        fn fields(&self) -> Vec<&str> {
            match self {
                Shown::Fields(fields) => fields.iter().map(|f| f.term.as_str()).collect(),
                _ => Vec::new(),
            }
        }
    }

    #[test]
    fn nesting_is_bounded_and_content_is_escaped() {
        let deep = (0..200).fold(json!("<script>"), |inner, _| json!({ "part": inner, "n": 1 }));
        let html = shown(&deep).to_string();
        assert!(!html.contains("<script>") && html.contains("&#60;script&#62;"), "{html}");
        assert_eq!(html.matches("<dl").count(), DEEPEST);
    }

    #[test]
    fn pointers_are_places() {
        assert_eq!(place("/body/credits/ects"), "Credits › ECTS");
        assert_eq!(place("/body/title/-"), "Title");
        assert_eq!(place(""), "The whole record");
    }
}

//! A record's JSON in readable form: a definition list that nests.

use super::view::words;
use askama::Template;
use askama::filters::HtmlSafe;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

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

/// A JSON value in readable form.
pub fn shown(value: &Value) -> Shown {
    // Reading a `Shown` refuses nothing that JSON can be.
    Shown::deserialize(value).unwrap_or_else(|_| Shown::text(""))
}

impl Shown {
    fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into(), String::new())
    }

    /// `{value, lang?}` and `{scheme, value, label?}` as one line: a text in a language, an identifier, a code.
    fn qualified(fields: &[Field]) -> Option<Self> {
        let get = |term: &str| fields.iter().find(|f| f.term == term).map(|f| &f.value);
        let plain = |term: &str| match get(term) {
            Some(Self::Text(text, _)) => Some(text.clone()),
            _ => None,
        };
        let value = plain("Value")?;
        let label = match get("Label") {
            Some(Self::Items(labels)) => labels.first(),
            other => other,
        };
        let label = label.and_then(|l| if let Self::Text(text, _) = l { Some(text.clone()) } else { None });
        let notes = [label, plain("Scheme"), plain("Lang")];
        let known = |f: &Field| matches!(f.term.as_str(), "Value" | "Lang" | "Scheme" | "Label");
        let note = || notes.into_iter().flatten().collect::<Vec<_>>().join(", ");
        fields.iter().all(known).then(|| Self::Text(value, note()))
    }
}

/// Reads any JSON, fields in the order of the text. How deep it nests was bounded when it was taken.
impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Shown;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Shown, E> {
        Ok(Shown::text("none"))
    }
    fn visit_bool<E>(self, yes: bool) -> Result<Shown, E> {
        Ok(Shown::text(if yes { "yes" } else { "no" }))
    }
    fn visit_i64<E>(self, n: i64) -> Result<Shown, E> {
        Ok(Shown::text(n.to_string()))
    }
    fn visit_u64<E>(self, n: u64) -> Result<Shown, E> {
        Ok(Shown::text(n.to_string()))
    }
    fn visit_f64<E>(self, n: f64) -> Result<Shown, E> {
        Ok(Shown::text(n.to_string()))
    }
    fn visit_str<E>(self, text: &str) -> Result<Shown, E> {
        Ok(Shown::text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shown, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(if items.len() == 1 { items.remove(0) } else { Shown::Items(items) })
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shown, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Shown>()? {
            fields.push(Field { term: words(&name), value });
        }
        Ok(Shown::qualified(&fields).unwrap_or(Shown::Fields(fields)))
    }
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
        assert_eq!(shown(&json!(true)), text("yes", ""));
    }

    #[test]
    fn fields_stay_in_the_order_of_the_text() {
        let shown: Shown =
            serde_json::from_str(r#"{"value": "5", "scale": {"b": 1, "a": [true, null]}}"#).expect("read");
        let html = shown.to_string();
        let terms: Vec<&str> = html.split("<dt>").skip(1).filter_map(|part| part.split('<').next()).collect();
        assert_eq!(terms, ["Value", "Scale", "B", "A"], "and what is more than a code stays whole");
        assert!(html.contains("<li>yes</li><li>none</li>"), "{html}");
    }

    #[test]
    fn what_nests_stays_escaped() {
        let deep = (0..100).fold(json!("<script>"), |inner, _| json!({ "part": inner, "n": 1 }));
        let html = shown(&deep).to_string();
        assert!(!html.contains("<script>") && html.contains("&#60;script&#62;"), "{html}");
        assert_eq!(html.matches("<dl").count(), 100);
    }

    #[test]
    fn pointers_are_places() {
        assert_eq!(place("/body/credits/ects"), "Credits › ECTS");
        assert_eq!(place("/body/title/-"), "Title");
        assert_eq!(place(""), "The whole record");
    }
}

//! The Commission's SHACL shapes, asked by way of pyshacl.
#![expect(clippy::expect_used, reason = "a test ends with what broke it")]

use serde_json::{Value, json};

/// Longer texts are images, which no shape looks into.
const LONG: usize = 400;

/// A credential, and the edition and shapes to judge it by.
#[derive(Debug, Clone)]
pub struct Question {
    /// `3.1`, `3.2` or `upload`.
    pub edition: String,
    /// `generic-full`, `accredited` …
    pub shapes: String,
    /// The credential itself.
    pub credential: Value,
}

/// What a script of this crate prints; `None` if the tools are missing.
///
/// # Panics
/// If it fails.
#[must_use]
pub fn script(name: &str, arguments: &[&str], input: String) -> Option<String> {
    crate::script("schemas/elm", name, arguments, input)
}

/// The verdicts on credentials, in their order; `None` if the tools are missing.
///
/// # Panics
/// If the validator fails.
#[must_use]
pub fn verdicts(questions: &[Question]) -> Option<Vec<Value>> {
    let line = |question: &Question| {
        let mut credential = question.credential.clone();
        shorten(&mut credential);
        json!({"edition": question.edition, "shapes": question.shapes, "credential": credential}).to_string() + "\n"
    };
    let answers = script("shacl.py", &[], questions.iter().map(line).collect())?;
    let verdicts: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).expect("a verdict")).collect();
    assert_eq!(verdicts.len(), questions.len());
    Some(verdicts)
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > LONG => *text = text.chars().take(LONG).collect(),
        Value::Array(values) => values.iter_mut().for_each(shorten),
        Value::Object(members) => members.values_mut().for_each(shorten),
        _ => {}
    }
}

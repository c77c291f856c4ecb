//! What is wrong with a record that cannot be read, in our own words: a parser's message may repeat what was sent.

use serde_json::error::Category;
use silta_adapter::problem::Problem;

/// The problem with a unit that starts on `line`.
pub(crate) fn complaint(text: &str, line: u64, error: &serde_json::Error) -> Problem {
    let line = line + (error.line() as u64).saturating_sub(1);
    let place = format!("(column {})", error.column());
    match error.classify() {
        Category::Data => {
            let words = words(error);
            let mut end = offset(text, error.line(), error.column());
            // What our own types complain of is placed after the object around it, if it came last there.
            if FIXED.contains(&words.as_str()) && text[..end].ends_with('}') {
                end -= 1;
            }
            Problem::error("bad_record", format!("not a record: {words} {place}")).at(path_at(text, end)).on_line(line)
        }
        Category::Eof => Problem::error("bad_json", format!("the JSON ends too early {place}")).on_line(line),
        _ => Problem::error("bad_json", format!("not well-formed JSON {place}")).on_line(line),
    }
}

/// Messages of the record model that hold nothing of the input.
const FIXED: [&str; 2] = ["not an exact decimal of at most 28 digits", "not a calendar date (YYYY-MM-DD)"];

/// The part of a message that names the schema and not the input.
pub(crate) fn words(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = message.strip_suffix(&place).unwrap_or(&message);
    if FIXED.contains(&message) || message.starts_with("missing field `") {
        return message.to_owned();
    }
    let what = match message {
        m if m.starts_with("unknown field") => "an unknown field",
        m if m.starts_with("unknown variant") => "an unknown value",
        m if m.starts_with("duplicate field") => return "a field that is there twice".to_owned(),
        m if m.starts_with("invalid value") => "a value out of range",
        _ => "a value of another type",
    };
    // What is expected comes last and from us, whatever the input holds before it.
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{what}, expected {expected}"),
        None => what.to_owned(),
    }
}

/// The byte at a line and column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    text.floor_char_boundary(before + column)
}

/// JSON pointer to the value that well-formed JSON holds at or right before a byte. Member names that no record has
/// are shown as `*`: they may be anything.
fn path_at(text: &str, end: usize) -> String {
    enum Level {
        Object(String),
        Array(usize),
    }
    let mut levels: Vec<Level> = Vec::new();
    let (mut name, mut in_text, mut escaped) = (0..0, false, false);
    for (at, byte) in text.bytes().enumerate().take(end) {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => (name.end, in_text) = (at, false),
                _ => {}
            }
            continue;
        }
        match (byte, levels.last_mut()) {
            (b'"', _) => (name, in_text) = (at + 1..at + 1, true),
            (b'{', _) => levels.push(Level::Object(String::new())),
            (b'[', _) => levels.push(Level::Array(0)),
            (b'}' | b']', _) => drop(levels.pop()),
            (b':', Some(Level::Object(member))) => *member = text.get(name.clone()).unwrap_or_default().to_owned(),
            (b',', Some(Level::Array(index))) => *index += 1,
            // Not between members: the member before was the one complained about.
            (b',', Some(Level::Object(member))) if at + 1 < end => member.clear(),
            _ => {}
        }
    }
    let known = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    levels.iter().fold(String::new(), |path, level| match level {
        Level::Object(member) if member.is_empty() => path,
        Level::Object(member) if known(member) => format!("{path}/{member}"),
        Level::Object(_) => format!("{path}/*"),
        Level::Array(index) => format!("{path}/{index}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use silta_adapter::record::Record;

    #[test]
    fn a_complaint_names_the_place_and_repeats_nothing() {
        let head = r#"{"kind":"attainment","id":"A1","learner":"L1","body":"#;
        for (body, message, path) in [
            (
                r#"{"credits":{"ects":"five 010190-900P"}}}"#,
                "not an exact decimal of at most 28 digits",
                "/body/credits/ects",
            ),
            (r#"{"completed_on":"010190-900P"}}"#, "not a calendar date (YYYY-MM-DD)", "/body/completed_on"),
            (
                r#"{"title":[{"value":"a"},{"value":5}]}}"#,
                "a value of another type, expected a string",
                "/body/title/1/value",
            ),
            (r#"{"grade":{"value":"5"}}}"#, "missing field `scale`", "/body/grade"),
            (r#"{"parts":[{"id":"B"},{}]}}"#, "missing field `id`", "/body/parts/1"),
            (r#"{"thesis":"010190-900P, expected"}}"#, "a value of another type, expected a boolean", "/body/thesis"),
            (
                r#"{"research":{"thesis":5}}}"#,
                "a value of another type, expected struct Credits",
                "/body/research/thesis",
            ),
            (r#"{"010190-900P":1}}"#, "an unknown field, expected one of `study_right`", "/body"),
        ] {
            let line = format!("{head}{body}");
            let error = serde_json::from_str::<Record>(&line).expect_err("not a record");
            let problem = complaint(&line, 7, &error);
            assert!(problem.message.starts_with(&format!("not a record: {message}")), "{body}: {problem}");
            assert_eq!((problem.path.as_deref(), problem.line), (Some(path), Some(7)), "{body}: {problem}");
            assert!(!problem.to_string().contains("010190"), "{problem}");
        }
    }

    #[test]
    fn a_member_that_no_record_has_is_not_shown() {
        let text = r#"{"body":{"extensions":{"010190-900P":[1,{"x":"#;
        assert_eq!(path_at(text, text.len()), "/body/extensions/*/1/x");
    }

    #[test]
    fn a_complaint_about_a_later_line_counts_from_the_first() {
        let text = "{\n \"kind\": \"learner\",\n \"id\": 5\n}";
        let error = serde_json::from_str::<Record>(text).expect_err("not a record");
        let problem = complaint(text, 10, &error);
        assert_eq!((problem.line, problem.path.as_deref()), (Some(12), Some("/id")), "{problem}");
    }
}

//! Single JSON values out of a stream, within bounds: values after each other, one per line, or the elements of one
//! array. Memory holds one value at a time. And values whose numbers stay exact ([`Json`]).

mod exact;

pub use exact::{Json, Members, amount, exact as exact_number};

use crate::adapter::{Limits, Unreadable};
use crate::problem::Problem;
use serde_json::{Map, Value};
use std::io::BufRead;

/// Calls `each` with the bytes of each value and the line it starts on.
///
/// # Errors
/// If the input breaks a bound or is no sequence or array of objects, or `each` fails.
pub fn values(
    input: &mut dyn BufRead,
    limits: &Limits,
    mut each: impl FnMut(&[u8], u64) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut scanner = Scanner {
        limits,
        value: Vec::new(),
        depth: 0,
        state: State::Between,
        line: 1,
        start: 1,
        array: Array::Unknown,
    };
    let mut total = 0u64;
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return scanner.end();
        }
        let length = chunk.len();
        total += length as u64;
        if total > limits.bytes {
            return Err(scanner.error("too_large", "the input is larger than allowed"));
        }
        for &byte in chunk {
            if scanner.take(byte)? {
                each(&scanner.value, scanner.start)?;
                scanner.value.clear();
            }
        }
        input.consume(length);
    }
}

/// The object that a value's bytes are; `line` is where it starts.
///
/// # Errors
/// If it is not well-formed.
pub fn object(bytes: &[u8], line: u64) -> Result<Map<String, Value>, Unreadable> {
    serde_json::from_slice(bytes).map_err(|error| {
        // The parser counts lines from the start of the value; its own text could quote the document.
        let line = line + (error.line() as u64).saturating_sub(1);
        Problem::error("not_json", "the input is not well-formed JSON").on_line(line).into()
    })
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Outside of any value.
    Between,
    /// In an object or array, outside of strings.
    Inside,
    /// In a string.
    Text,
    /// After a backslash in a string.
    Escape,
}

/// Whether the values are elements of one array that is the whole input.
#[derive(Clone, Copy, PartialEq)]
enum Array {
    /// Nothing was read yet.
    Unknown,
    /// They follow each other.
    No,
    /// The array was opened.
    Open,
    /// A comma was read: another element has to come.
    Comma,
    /// An element was read.
    Element,
    /// The array was closed.
    Closed,
}

struct Scanner<'a> {
    limits: &'a Limits,
    value: Vec<u8>,
    depth: usize,
    state: State,
    line: u64,
    start: u64,
    array: Array,
}

impl Scanner<'_> {
    fn error(&self, code: &'static str, message: &str) -> Unreadable {
        Problem::error(code, message).on_line(self.line).into()
    }

    /// Takes a byte; true if it ends a value.
    fn take(&mut self, byte: u8) -> Result<bool, Unreadable> {
        self.line += u64::from(byte == b'\n');
        if self.state == State::Between {
            return self.between(byte).map(|()| false);
        }
        if self.value.len() >= self.limits.record_bytes {
            return Err(self.error("too_large", "one value is larger than allowed"));
        }
        self.value.push(byte);
        match (self.state, byte) {
            (State::Text, b'\\') => self.state = State::Escape,
            (State::Text, b'"') | (State::Escape, _) => {
                self.state = if self.state == State::Escape { State::Text } else { State::Inside };
            }
            (State::Inside, b'"') => self.state = State::Text,
            (State::Inside, b'{' | b'[') => self.deeper()?,
            (State::Inside, b'}' | b']') => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.state = State::Between;
                    if self.array != Array::No {
                        self.array = Array::Element;
                    }
                    return Ok(true);
                }
            }
            _ => {}
        }
        Ok(false)
    }

    fn deeper(&mut self) -> Result<(), Unreadable> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(self.error("too_deep", "the input is nested deeper than allowed"));
        }
        Ok(())
    }

    fn between(&mut self, byte: u8) -> Result<(), Unreadable> {
        match (byte, self.array) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => {}
            (b'{', Array::Unknown | Array::No | Array::Open | Array::Comma) => {
                if self.array == Array::Unknown {
                    self.array = Array::No;
                }
                self.value.push(byte);
                (self.state, self.start) = (State::Inside, self.line);
                self.deeper()?;
            }
            (b'[', Array::Unknown) => self.array = Array::Open,
            (b',', Array::Element) => self.array = Array::Comma,
            (b']', Array::Open | Array::Element) => self.array = Array::Closed,
            _ => return Err(self.error("not_json", "the input is no sequence or array of JSON objects")),
        }
        Ok(())
    }

    fn end(&self) -> Result<(), Unreadable> {
        match (self.state, self.array) {
            (State::Between, Array::Unknown | Array::No | Array::Closed) => Ok(()),
            _ => Err(self.error("truncated", "the input ends inside a JSON value")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, limits: &Limits) -> Result<Vec<(String, u64)>, String> {
        let mut found = Vec::new();
        values(&mut text.as_bytes(), limits, |value, line| {
            found.push((String::from_utf8_lossy(value).into_owned(), line));
            Ok(())
        })
        .map_err(|e| e.to_string())?;
        Ok(found)
    }

    #[test]
    fn values_are_cut_where_they_end() {
        let limits = Limits::default();
        let expected = vec![("{\"a\":\"}\\\"\"}".to_owned(), 1), ("{}".to_owned(), 2)];
        assert_eq!(cut("{\"a\":\"}\\\"\"}\n{}\n", &limits), Ok(expected.clone()));
        assert_eq!(cut("[{\"a\":\"}\\\"\"},\n{}]", &limits), Ok(expected));
        assert_eq!(cut("", &limits), Ok(vec![]));
        assert_eq!(cut("[]", &limits), Ok(vec![]));
    }

    #[test]
    fn what_is_not_a_sequence_of_objects_is_refused() {
        let limits = Limits::default();
        for bad in ["<xml/>", "{", "[{}", "[{},]", "[{}{}]", "{},{}", "[{}] {}", "{} [{}]", "1", "{\"a\":\""] {
            assert!(cut(bad, &limits).is_err(), "{bad}");
        }
        let small = Limits { depth: 2, record_bytes: 10, bytes: 30, problems: 1 };
        assert!(cut("{\"a\":{}}", &small).is_ok());
        assert!(cut("{\"a\":[{}]}", &small).is_err_and(|e| e.contains("too_deep")));
        assert!(cut("{\"a\":\"bcdefghi\"}", &small).is_err_and(|e| e.contains("too_large")));
        assert!(cut(&"{} ".repeat(20), &small).is_err_and(|e| e.contains("too_large")));
    }
}

//! JSON, streamed element by element, and lines of JSON. Numbers keep their digits.

use super::tree::{Lists, Node, Unfolding};
use super::{Each, Source, failed};
use crate::mapping::{Format, Input};
use crate::row::Cell;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{Limits, Unreadable};
use silta_adapter::problem::Problem;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

pub(super) fn rows(
    input: &mut dyn BufRead,
    options: &Input,
    limits: &Limits,
    each: &mut Each<'_>,
) -> Result<Source, Unreadable> {
    let mut unfolding = Unfolding::new(each);
    skip_mark(input)?;
    match options.format {
        Format::Ndjson => lines(input, options, limits, &mut unfolding)?,
        _ => document(input, options, limits, &mut unfolding)?,
    }
    Ok(unfolding.finish())
}

fn skip_mark(input: &mut dyn BufRead) -> Result<(), Unreadable> {
    // The first chunk comes from memory and holds the mark whole.
    if input.fill_buf().map_err(failed)?.starts_with(b"\xEF\xBB\xBF") {
        input.consume(3);
    }
    Ok(())
}

fn lines(
    input: &mut dyn BufRead,
    options: &Input,
    limits: &Limits,
    unfolding: &mut Unfolding<'_, '_>,
) -> Result<(), Unreadable> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let count = (&mut *input).take(limits.record_bytes as u64 + 2).read_until(b'\n', &mut line).map_err(failed)?;
        if count == 0 {
            break;
        }
        let text = line.trim_ascii();
        if text.len() > limits.record_bytes {
            return Err(too_long(limits, number));
        }
        if text.is_empty() {
            continue;
        }
        let raw: &RawValue = serde_json::from_slice(text).map_err(|e| not_json(number, &e))?;
        let unit = node(raw, limits.depth).map_err(|fault| fault.at(number))?;
        unfolding.unit(number, &unit, &options.rows)?;
    }
    Ok(())
}

fn document(
    input: &mut dyn BufRead,
    options: &Input,
    limits: &Limits,
    unfolding: &mut Unfolding<'_, '_>,
) -> Result<(), Unreadable> {
    let here = Rc::new(Here { line: 1.into(), left: limits.record_bytes.into() });
    let reader = Watched { input, here: here.clone() };
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let (path, inner) = match options.rows.split_first() {
        Some((path, inner)) => (&path[..], inner),
        None => (&[][..], &[][..]),
    };
    let mut halted = None;
    let seed = Descent { path, inner, limits, here: &here, unfolding, halted: &mut halted };
    let result = seed.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (halted, result) {
        (Some(halted), _) => Err(halted),
        (None, Ok(())) => Ok(()),
        (None, Err(_)) if here.left.get() == 0 => Err(too_long(limits, here.line.get())),
        (None, Err(e)) if e.is_io() => Err(failed(e.into())),
        (None, Err(e)) => Err(not_json(here.line.get(), &e)),
    }
}

fn not_json(line: u64, e: &serde_json::Error) -> Unreadable {
    let message = match e.is_data() {
        true => "the rows are not where the mapping looks for them".to_owned(),
        false => format!("not well-formed JSON (column {})", e.column()),
    };
    Problem::error("malformed", message).on_line(line).into()
}

fn too_long(limits: &Limits, line: u64) -> Unreadable {
    let message = format!("an element is longer than {} bytes", limits.record_bytes);
    Problem::error("too_long", message).on_line(line).into()
}

/// Where reading is, and how many bytes it may still take before the next element.
struct Here {
    line: std::cell::Cell<u64>,
    left: std::cell::Cell<usize>,
}

struct Watched<'a> {
    input: &'a mut dyn BufRead,
    here: Rc<Here>,
}

impl Read for Watched<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.here.left.get();
        if left == 0 {
            return Err(io::Error::other("an element is too long"));
        }
        let most = out.len().min(left);
        let count = self.input.fill_buf()?.read(&mut out[..most])?;
        self.input.consume(count);
        let breaks = out[..count].iter().filter(|byte| **byte == b'\n').count();
        self.here.line.set(self.here.line.get() + breaks as u64);
        self.here.left.set(left - count);
        Ok(count)
    }
}

/// Goes down a path to the list of units, and reads them.
struct Descent<'a, 'u, 'e> {
    path: &'a [SmolStr],
    inner: &'a Lists,
    limits: &'a Limits,
    here: &'a Here,
    unfolding: &'a mut Unfolding<'u, 'e>,
    /// Why reading was stopped, if not by the JSON.
    halted: &'a mut Option<Unreadable>,
}

impl<'de> DeserializeSeed<'de> for Descent<'_, '_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        match self.path.is_empty() {
            true => d.deserialize_seq(self),
            false => d.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Descent<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((name, path)) = self.path.split_first() else { return Err(A::Error::custom("no list")) };
        let mut found = false;
        while let Some(key) = map.next_key::<SmolStr>()? {
            self.here.left.set(self.limits.record_bytes);
            if key != *name || found {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            found = true;
            map.next_value_seed(Descent {
                path,
                inner: self.inner,
                limits: self.limits,
                here: self.here,
                unfolding: &mut *self.unfolding,
                halted: &mut *self.halted,
            })?;
        }
        if found { Ok(()) } else { Err(A::Error::custom("no list")) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        loop {
            self.here.left.set(self.limits.record_bytes);
            // The element begins on the line the reader has come to, white space before it aside.
            let Some(raw) = seq.next_element::<Box<RawValue>>()? else { return Ok(()) };
            let line = self.here.line.get() - raw.get().bytes().filter(|b| *b == b'\n').count() as u64;
            let done = node(&raw, self.limits.depth)
                .map_err(|fault| fault.at(line))
                .and_then(|unit| self.unfolding.unit(line, &unit, self.inner));
            if let Err(halt) = done {
                *self.halted = Some(halt);
                return Err(A::Error::custom("halted"));
            }
        }
    }
}

/// Why a value is no node.
enum Fault {
    TooDeep,
    /// A text that is none: half of a surrogate pair.
    Text,
}

impl Fault {
    fn at(&self, line: u64) -> Unreadable {
        let problem = match self {
            Self::TooDeep => Problem::error("too_deep", "values nest deeper than allowed"),
            Self::Text => Problem::error("malformed", "not well-formed JSON (a text is no Unicode)"),
        };
        problem.on_line(line).into()
    }
}

fn node(raw: &RawValue, depth: usize) -> Result<Node, Fault> {
    let text = raw.get();
    if depth == 0 && matches!(text.as_bytes().first(), Some(b'{' | b'[')) {
        return Err(Fault::TooDeep);
    }
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(text).map_err(|_| Fault::Text)?;
            let member = |(name, raw)| Ok((name, node(raw, depth - 1)?));
            Node::Map(members.into_iter().map(member).collect::<Result<_, _>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| Fault::Text)?;
            Node::List(items.into_iter().map(|raw| node(raw, depth - 1)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Node::Leaf(Cell::typed(&serde_json::from_str::<String>(text).map_err(|_| Fault::Text)?)),
        Some(b't' | b'f') => Node::Leaf(Cell::Truth(text == "true")),
        Some(b'n') | None => Node::Leaf(Cell::Empty),
        Some(_) => Node::Leaf(Cell::Number(text.to_owned())),
    })
}

/// The members of an object, unread.
struct Members<'a>(Vec<(SmolStr, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        d.deserialize_map(Visit)
    }
}

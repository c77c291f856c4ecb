//! JSON, lines of JSON and XML: each row an element of the outermost list, with whatever the row stands in around it.

use super::Container;
use crate::mapping::{Format, Mapping};
use crate::row::Cell;
use encoding_rs::Encoding;
use serde_json::{Map, Value, json};
use silta_adapter::SmolStr;
use silta_adapter::adapter::NotWritten;
use std::io::{self, Write};

pub(super) struct Structured<'a> {
    out: &'a mut dyn Write,
    format: Format,
    names: Vec<String>,
    /// The names that lead to each list, from the outermost.
    lists: Vec<Vec<SmolStr>>,
    encoding: Option<&'static Encoding>,
    first: bool,
}

impl<'a> Structured<'a> {
    pub(super) fn new(out: &'a mut dyn Write, mapping: &Mapping) -> io::Result<Self> {
        let input = &mapping.input;
        let mut document = Self {
            out,
            format: input.format,
            names: mapping.written().into_iter().map(str::to_owned).collect(),
            lists: input.rows.clone(),
            encoding: input.encoding.filter(|e| e.output_encoding() == *e && input.format == Format::Xml),
            first: true,
        };
        document.begin()?;
        Ok(document)
    }

    fn begin(&mut self) -> io::Result<()> {
        let outer = self.outer();
        match self.format {
            Format::Xml => {
                let encoding = self.encoding.map_or("UTF-8", Encoding::name);
                self.put(&format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>\n"))?;
                let tags: String = outer.iter().map(|name| format!("<{name}>")).collect();
                self.put(&format!("{tags}\n"))
            }
            Format::Json => {
                let opened: String = outer.iter().map(|name| format!("{{{}:", json!(name))).collect();
                self.put(&format!("{opened}[\n"))
            }
            _ => Ok(()),
        }
    }

    /// The names around the list of units; in XML the last name is that of the units themselves.
    fn outer(&self) -> Vec<SmolStr> {
        let names = self.lists.first().cloned().unwrap_or_default();
        match (self.format, names.split_last()) {
            (Format::Xml, Some((_, around))) => around.to_vec(),
            (Format::Xml, None) => Vec::new(),
            _ => names,
        }
    }

    /// A row as a unit: itself, inside each list it stands in.
    fn unit(&self, cells: &[Cell]) -> Value {
        let inner = match self.format {
            Format::Ndjson => &self.lists[..],
            _ => self.lists.get(1..).unwrap_or_default(),
        };
        let mut unit = Value::Null;
        for up in 0..=inner.len() {
            let mut level = Value::Object(Map::new());
            for (name, cell) in self.names.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
                let (depth, path) = above(name);
                // What would stand outside the unit has no place.
                if depth == up {
                    put(&mut level, path, value(cell));
                }
            }
            if up > 0 {
                let path = inner[inner.len() - up].join("/");
                put(&mut level, &path, Value::Array(vec![unit]));
            }
            unit = level;
        }
        unit
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        match self.encoding {
            None => self.out.write_all(text.as_bytes()),
            Some(encoding) => self.out.write_all(&encoding.encode(text).0),
        }
    }
}

impl Container for Structured<'_> {
    fn row(&mut self, cells: Vec<Cell>) -> Result<(), NotWritten> {
        let unit = self.unit(&cells);
        let first = std::mem::replace(&mut self.first, false);
        let text = match self.format {
            Format::Xml => {
                let name = self.lists.first().and_then(|names| names.last()).cloned().unwrap_or_default();
                let mut text = String::new();
                element(&name, &unit, &mut text);
                text + "\n"
            }
            Format::Json if first => unit.to_string(),
            Format::Json => format!(",\n{unit}"),
            _ => format!("{unit}\n"),
        };
        Ok(self.put(&text)?)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let outer = self.outer();
        match self.format {
            Format::Xml => {
                let tags: String = outer.iter().rev().map(|name| format!("</{name}>")).collect();
                self.put(&format!("{tags}\n"))?;
            }
            Format::Json => self.put(&format!("\n]{}\n", "}".repeat(outer.len())))?,
            _ => {}
        }
        self.out.flush()
    }
}

/// How far up a column stands, and its path there.
fn above(name: &str) -> (usize, &str) {
    let (mut depth, mut rest) = (0, name);
    while let Some(below) = rest.strip_prefix("../") {
        (depth, rest) = (depth + 1, below);
    }
    (depth, rest)
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Truth(truth) => json!(truth),
        Cell::Many(items) => json!(items),
        other => json!(other.text()),
    }
}

/// Puts a value at a path of names and places (`parts[0]/code`).
fn put(tree: &mut Value, path: &str, value: Value) {
    let mut here = tree;
    for part in path.split('/') {
        let (name, place) = match part.strip_suffix(']').and_then(|part| part.rsplit_once('[')) {
            Some((name, place)) => (name, place.parse::<usize>().ok().filter(|place| *place < 1000)),
            None => (part, None),
        };
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        here = &mut here[name];
        if let Some(place) = place {
            if !here.is_array() {
                *here = Value::Array(Vec::new());
            }
            if let Some(list) = here.as_array_mut() {
                list.resize(list.len().max(place + 1), Value::Null);
            }
            here = &mut here[place];
        }
    }
    *here = value;
}

fn element(name: &str, value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| element(name, item, out)),
        Value::Object(members) => {
            out.push_str(&format!("<{name}"));
            for (member, value) in members.iter().filter(|(member, _)| member.starts_with('@')) {
                out.push_str(&format!(" {}=\"{}\"", &member[1..], escaped(&text(value))));
            }
            out.push('>');
            for (member, value) in members.iter().filter(|(member, _)| !member.starts_with('@')) {
                match member.as_str() {
                    "#text" => out.push_str(&escaped(&text(value))),
                    member => element(member, value, out),
                }
            }
            out.push_str(&format!("</{name}>"));
        }
        leaf => out.push_str(&format!("<{name}>{}</{name}>", escaped(&text(leaf)))),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

//! A sample: its format, and the first cells of each column.

use super::recognise;
use crate::mapping::{Format, HeaderRow, Input};
use crate::row::{Cell, Columns, Row};
use crate::source;
use quick_xml::events::Event;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{Limits, Unreadable};
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::Problem;
use std::io::{BufRead, Read as _};

/// Rows looked at.
const ROWS: usize = 2000;
/// Bytes of a sample at most.
const MOST: u64 = 64 << 20;
/// Rows among which the header is looked for.
const DEPTH: usize = 30;

/// A sample of documents of a format.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) format: Format,
    /// The path of rows, in JSON and XML.
    pub(super) rows: Option<String>,
    pub(super) columns: Vec<(String, Vec<Cell>)>,
}

impl Sample {
    pub(super) fn read(input: &mut dyn BufRead, mappings: &Mappings) -> Result<Self, Unreadable> {
        let mut bytes = Vec::new();
        input.take(MOST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST {
            return Err(Problem::error("too_long", "the sample is too long; some hundred rows are enough").into());
        }
        let (format, lists) = recognise_format(&bytes)?;
        let options = Input { format, header: HeaderRow::None, rows: lists.clone(), ..Input::default() };
        let (mut kept, mut count): (Vec<Row>, usize) = (Vec::new(), 0);
        source::rows(&mut &bytes[..], &options, &[], &Limits::default(), &mut |row| {
            count += 1;
            if count <= ROWS {
                kept.push(row);
            }
            Ok(())
        })?;
        let columns = if format.is_table() { of_table(kept, mappings) } else { of_tree(kept) };
        if columns.iter().all(|(_, cells)| cells.is_empty()) {
            return Err(Problem::error("no_rows", "the sample has no rows below a header").into());
        }
        Ok(Self { format, rows: path(format, &lists), columns })
    }
}

fn of_table(rows: Vec<Row>, mappings: &Mappings) -> Vec<(String, Vec<Cell>)> {
    // The row with most known names, else — the one of `max_by_key` being the last — the first with most texts.
    let score = |row: &&Row| {
        let names = row.cells.iter().filter(|cell| recognise::is_known(&cell.text(), mappings)).count();
        (names, row.cells.iter().filter(|cell| matches!(cell, Cell::Text(_))).count())
    };
    let best = rows.iter().take(DEPTH).enumerate().rev().max_by_key(|(_, row)| score(row)).map(|(at, _)| at);
    let Some(header) = best.and_then(|at| rows.get(at)) else { return Vec::new() };
    let width = header.cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |at| at + 1);
    let names = Columns::of_table(header.cells[..width].iter().map(Cell::text));
    let below = || rows.iter().filter(|row| row.number > header.number);
    let cells = |at: usize| below().filter_map(|row| row.cells.get(at)).filter(|c| !c.is_empty()).cloned().collect();
    names.names().iter().enumerate().map(|(at, name)| (name.to_string(), cells(at))).collect()
}

fn of_tree(rows: Vec<Row>) -> Vec<(String, Vec<Cell>)> {
    let mut columns: Vec<(String, Vec<Cell>)> = Vec::new();
    for row in rows {
        for (name, cell) in row.columns.names().iter().zip(row.cells) {
            let at = columns.iter().position(|(n, _)| n == name).unwrap_or_else(|| {
                columns.push((name.to_string(), Vec::new()));
                columns.len() - 1
            });
            if !cell.is_empty() {
                columns[at].1.push(cell);
            }
        }
    }
    columns
}

/// The format of a sample by its first bytes, and where its rows are.
fn recognise_format(bytes: &[u8]) -> Result<(Format, Vec<Vec<SmolStr>>), Unreadable> {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let no_rows = || Problem::error("no_rows", "the sample has no list of elements that could be rows");
    Ok(match text.first() {
        Some(b'<') => (Format::Xml, vec![repeated(text).ok_or_else(no_rows)?]),
        Some(b'[') => (Format::Json, vec![Vec::new()]),
        Some(b'{') => match serde_json::from_slice::<serde_json::Value>(text) {
            Ok(document) => (Format::Json, vec![list_in(&document, 0).ok_or_else(no_rows)?]),
            Err(_) => (Format::Ndjson, Vec::new()),
        },
        _ => (source::table_format(bytes), Vec::new()),
    })
}

/// The path of the first list of objects in a JSON document.
fn list_in(value: &serde_json::Value, depth: usize) -> Option<Vec<SmolStr>> {
    let members = value.as_object().filter(|_| depth < 8)?;
    let direct = members.iter().find(|(_, v)| v.as_array().is_some_and(|list| list.iter().any(|e| e.is_object())));
    if let Some((name, _)) = direct {
        return Some(vec![name.as_str().into()]);
    }
    members.iter().find_map(|(name, below)| {
        let mut path = list_in(below, depth + 1)?;
        path.insert(0, name.as_str().into());
        Some(path)
    })
}

/// The path of the first XML element that has a sibling of the same name.
fn repeated(text: &[u8]) -> Option<Vec<SmolStr>> {
    let mut reader = quick_xml::Reader::from_reader(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut path, mut before): (Vec<SmolStr>, Vec<Option<SmolStr>>) = (Vec::new(), vec![None]);
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).ok()? {
            Event::Start(tag) => {
                let name = SmolStr::new(tag.local_name().as_ref());
                path.push(name.clone());
                if path.len() > 1 && before.last()?.as_ref() == Some(&name) {
                    return Some(path);
                }
                *before.last_mut()? = Some(name);
                before.push(None);
            }
            Event::End(_) => {
                path.pop();
                before.pop();
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn path(format: Format, lists: &[Vec<SmolStr>]) -> Option<String> {
    let list = lists.first()?;
    (!format.is_table() && !list.is_empty()).then(|| format!("{}[]", list.join("/")))
}

//! XML, streamed element by element. Names are local, attributes are `@name`, text beside attributes or elements is
//! `#text`. Document types and entities of one's own are refused.

use super::encoding::{Transcoded, by_mark};
use super::tree::{Node, Unfolding};
use super::{Each, Source, failed, malformed};
use crate::mapping::Input;
use crate::row::Cell;
use encoding_rs::{Encoding, UTF_8};
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{Limits, Unreadable};
use silta_adapter::problem::Problem;
use std::cell::Cell as Counter;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

pub(super) fn rows(
    input: &mut dyn BufRead,
    options: &Input,
    limits: &Limits,
    each: &mut Each<'_>,
) -> Result<Source, Unreadable> {
    // The first chunk comes from memory and holds the declaration whole.
    let head = input.fill_buf().map_err(failed)?;
    let marked = by_mark(head);
    let encoding = options.encoding.or(marked.map(|(e, _)| e)).or_else(|| declared(head)).unwrap_or(UTF_8);
    let mut unfolding = Unfolding::new(each);
    if encoding == UTF_8 {
        input.consume(marked.map_or(0, |(_, length)| length));
        document(input, options, limits, &mut unfolding)?;
    } else {
        document(&mut Transcoded::new(input, encoding), options, limits, &mut unfolding)?;
    }
    Ok(unfolding.finish())
}

/// The encoding an XML declaration names.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let text = String::from_utf8_lossy(&head[..head.len().min(200)]);
    let declaration = text.strip_prefix("<?xml")?.split("?>").next()?;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next()?;
    Encoding::for_label(value[1..].split(quote).next()?.as_bytes())
}

/// Where reading is, and how many bytes the unit being read may still take.
struct Here {
    line: Counter<u64>,
    left: Counter<usize>,
}

/// An input that fails when a unit takes too much.
struct Watched<'a> {
    input: &'a mut dyn BufRead,
    here: Rc<Here>,
}

impl Read for Watched<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Watched<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = self.here.left.get();
        if left == 0 {
            return Err(io::Error::other("an element is too long"));
        }
        let chunk = self.input.fill_buf()?;
        Ok(&chunk[..chunk.len().min(left)])
    }

    fn consume(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        // `fill_buf` gives the same bytes again until they are consumed.
        if let Ok(chunk) = self.input.fill_buf() {
            let breaks = chunk[..count.min(chunk.len())].iter().filter(|byte| **byte == b'\n').count();
            self.here.line.set(self.here.line.get() + breaks as u64);
        }
        self.here.left.set(self.here.left.get().saturating_sub(count));
        self.input.consume(count);
    }
}

/// An element being read.
struct Open {
    name: SmolStr,
    members: Vec<(SmolStr, Node)>,
    text: String,
}

impl Open {
    fn close(self) -> (SmolStr, Node) {
        let text = Cell::typed(&self.text);
        let mut members = self.members;
        if members.is_empty() {
            return (self.name, Node::Leaf(text));
        }
        if !text.is_empty() {
            members.push((SmolStr::new_static("#text"), Node::Leaf(text)));
        }
        (self.name, Node::Map(members))
    }

    /// Adds a child; one whose name is there already makes a list.
    fn add(&mut self, (name, node): (SmolStr, Node)) {
        match self.members.iter_mut().find(|(n, _)| *n == name) {
            None => self.members.push((name, node)),
            Some((_, Node::List(items))) => items.push(node),
            Some((_, there)) => *there = Node::List(vec![std::mem::replace(there, Node::List(Vec::new())), node]),
        }
    }
}

fn document(
    input: &mut dyn BufRead,
    options: &Input,
    limits: &Limits,
    unfolding: &mut Unfolding<'_, '_>,
) -> Result<(), Unreadable> {
    let here = Rc::new(Here { line: 1.into(), left: limits.record_bytes.into() });
    let mut reader = Reader::from_reader(Watched { input, here: here.clone() });
    reader.config_mut().expand_empty_elements = true;
    let (path, inner) = match options.rows.split_first() {
        Some((path, inner)) => (&path[..], inner),
        None => (&[][..], &[][..]),
    };
    let bad = |code, message: &str| Unreadable::from(Problem::error(code, message).on_line(here.line.get()));
    // Names of the elements open around units, and the unit being read with what is open in it.
    let (mut around, mut open): (Vec<SmolStr>, Vec<Open>) = (Vec::new(), Vec::new());
    let (mut rooted, mut start, mut buffer) = (false, 1, Vec::new());
    loop {
        buffer.clear();
        if open.is_empty() {
            here.left.set(limits.record_bytes);
        }
        match reader.read_event_into(&mut buffer) {
            Err(quick_xml::Error::Io(_)) if here.left.get() == 0 => {
                return Err(bad("too_long", &format!("an element is longer than {} bytes", limits.record_bytes)));
            }
            Err(quick_xml::Error::Io(e)) => return Err(failed(io::Error::other(e.to_string()))),
            Err(_) => return Err(bad("malformed", "not well-formed XML")),
            Ok(Event::DocType(_)) => return Err(bad("dtd", "a document type declaration is refused")),
            Ok(Event::Start(tag)) => {
                if around.len() + open.len() >= limits.depth {
                    return Err(bad("too_deep", "elements nest deeper than allowed"));
                }
                let name = SmolStr::new(tag.local_name().as_ref());
                if around.is_empty() && open.is_empty() && std::mem::replace(&mut rooted, true) {
                    return Err(bad("malformed", "a second root element"));
                }
                let is_unit = path.split_last().is_some_and(|(last, above)| *last == name && above == &around[..]);
                if !open.is_empty() || is_unit {
                    if open.is_empty() {
                        start = here.line.get();
                    }
                    let members = attributes(&tag).ok_or_else(|| bad("malformed", "attributes are not well-formed"))?;
                    open.push(Open { name, members, text: String::new() });
                } else {
                    around.push(name);
                }
            }
            Ok(Event::End(_)) => match open.pop() {
                None => drop(around.pop()),
                Some(done) => {
                    let done = done.close();
                    match open.last_mut() {
                        Some(parent) => parent.add(done),
                        None => unfolding.unit(start, &done.1, inner)?,
                    }
                }
            },
            Ok(Event::Text(text)) => push(&mut open, &text.xml10_content(), rooted && !around.is_empty())
                .ok_or_else(|| bad("malformed", "text outside the root element"))?,
            Ok(Event::CData(text)) => push(&mut open, &text.xml10_content(), rooted && !around.is_empty())
                .ok_or_else(|| bad("malformed", "text outside the root element"))?,
            Ok(Event::GeneralRef(reference)) => {
                let text = resolve(&reference).ok_or_else(|| bad("entity", "an entity that XML does not define"))?;
                push(&mut open, &text, rooted && !around.is_empty())
                    .ok_or_else(|| bad("malformed", "text outside the root element"))?;
            }
            Ok(Event::Eof) if !rooted => return Err(malformed("malformed", "there is no root element")),
            Ok(Event::Eof) if !around.is_empty() || !open.is_empty() => {
                return Err(bad("malformed", "the document ends too early"));
            }
            Ok(Event::Eof) => return Ok(()),
            Ok(Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::Empty(_)) => {}
        }
    }
}

/// Adds text to the innermost element; `None` if it stands where no text may.
fn push(open: &mut [Open], text: &str, inside: bool) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if inside || text.trim().is_empty() => {}
        None => return None,
    }
    Some(())
}

fn attributes(tag: &BytesStart<'_>) -> Option<Vec<(SmolStr, Node)>> {
    let mut members = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.ok()?;
        let name = attribute.key.as_ref();
        if name == "xmlns" || name.starts_with("xmlns:") {
            continue;
        }
        let value = attribute.normalized_value(XmlVersion::Explicit1_0).ok()?;
        let name = SmolStr::from(format!("@{}", attribute.key.local_name().as_ref()));
        members.push((name, Node::Leaf(Cell::typed(&value))));
    }
    Some(members)
}

fn resolve(reference: &BytesRef<'_>) -> Option<String> {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => Some(character.to_string()),
        Ok(None) => resolve_predefined_entity(reference).map(str::to_owned),
        Err(_) => None,
    }
}

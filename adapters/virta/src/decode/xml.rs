//! A bounded, well-formed stream of tags and text with line numbers.

use super::input::{Input, count_lines, has_illegal};
use crate::shape::name_key;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use silta_adapter::adapter::{Limits, Stop, Unreadable};
use silta_adapter::problem::Problem;
use std::borrow::Cow;
use std::io::{self, BufRead};

/// Why reading stopped.
pub(super) enum Halt {
    /// The document cannot be read.
    Unreadable(Unreadable),
    /// One record takes more bytes than it may; the document goes on.
    TooLarge,
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.into())
    }
}
impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        Self::Unreadable(problem.into())
    }
}
impl From<Stop> for Halt {
    fn from(_: Stop) -> Self {
        Self::Unreadable(Unreadable::Stopped)
    }
}

/// What comes next in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// A start tag; its name and attributes can be asked for until the next token.
    Start,
    /// An end tag.
    End,
    /// Text, appended to [`Xml::text`].
    Text,
    /// The end of the document.
    Eof,
}

/// A start tag taken out of the stream.
pub(super) struct Tag {
    bytes: Vec<u8>,
    name: usize,
}

/// A document being read.
pub(super) struct Xml<'i> {
    reader: Reader<Input<'i>>,
    tag: Tag,
    /// The local name starts here in the tag.
    local: usize,
    /// Prefixes that open elements declare, with the depth of each.
    prefixes: Vec<(usize, String)>,
    /// Text read since it was last cleared.
    pub(super) text: String,
    /// [`name_key`] of the start tag.
    pub(super) key: u64,
    depth: usize,
    rooted: bool,
    limits: Limits,
    /// Where the record being read has to end.
    record_end: u64,
}

impl<'i> Xml<'i> {
    pub(super) fn open(input: &'i mut dyn BufRead, limits: &Limits) -> Result<Self, Halt> {
        let mut reader = Reader::from_reader(Input::open(input, limits.record_bytes)?);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        Ok(Self {
            reader,
            tag: Tag { bytes: Vec::with_capacity(1024), name: 0 },
            local: 0,
            prefixes: Vec::new(),
            text: String::with_capacity(1024),
            key: 0,
            depth: 0,
            rooted: false,
            limits: *limits,
            record_end: u64::MAX,
        })
    }

    /// The line on which the current token begins.
    pub(super) fn line(&self) -> u64 {
        self.reader.get_ref().line() - count_lines(&self.tag.bytes)
    }

    /// How many elements are open.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Bounds what is read from here on to so many bytes ([`Halt::TooLarge`]), or stops doing so.
    pub(super) fn bound(&mut self, bytes: Option<u64>) {
        self.record_end = bytes.map_or(u64::MAX, |bytes| self.position().saturating_add(bytes));
    }

    /// Bytes read so far, as UTF-8.
    pub(super) fn position(&self) -> u64 {
        self.reader.buffer_position()
    }

    /// A problem that makes the whole document unreadable, at the current line.
    pub(super) fn broken(&self, code: &'static str, message: impl Into<String>) -> Halt {
        Problem::error(code, message).on_line(self.line()).into()
    }

    /// Reads the next token, skipping comments and instructions.
    pub(super) fn next(&mut self) -> Result<Token, Halt> {
        loop {
            self.tag.bytes.clear();
            self.reader.get_mut().mark_token();
            let first = self.position() == 0;
            let fault = match self.reader.read_event_into(&mut self.tag.bytes) {
                Err(error) => Some(Fault::of(&error)),
                Ok(Event::Text(text)) => {
                    let seen = self.reader.get_ref().seen();
                    if self.depth == 0 {
                        if text.trim_matches(is_space).is_empty() {
                            continue;
                        }
                        Some(Fault::Outside)
                    } else if seen.bracket() && text.contains("]]>") {
                        Some(Fault::Syntax)
                    } else {
                        match seen.carriage_return() {
                            true => self.text.push_str(&text.xml10_content()),
                            false => self.text.push_str(&text),
                        }
                        None
                    }
                }
                Ok(Event::CData(text)) => {
                    self.text.push_str(&text.xml10_content());
                    (self.depth == 0).then_some(Fault::Outside)
                }
                Ok(Event::GeneralRef(reference)) => match resolve(&reference) {
                    Some(text) => {
                        self.text.push_str(&text);
                        (self.depth == 0).then_some(Fault::Outside)
                    }
                    None => Some(Fault::Reference),
                },
                Ok(Event::Start(tag)) => {
                    let name = tag.name().0.as_bytes();
                    let prefix = name.iter().position(|byte| *byte == b':').map_or(0, |colon| colon + 1);
                    (self.tag.name, self.local) = (name.len(), 1 + prefix);
                    return self.started();
                }
                Ok(Event::End(_)) => {
                    self.depth -= 1;
                    return self.checked(Token::End);
                }
                Ok(Event::Eof) if self.depth > 0 => Some(Fault::Truncated),
                Ok(Event::Eof) if !self.rooted => Some(Fault::Empty),
                Ok(Event::Eof) => return self.checked(Token::Eof),
                Ok(Event::DocType(_)) => Some(Fault::Dtd),
                Ok(Event::Decl(_)) if !first => Some(Fault::Declaration),
                Ok(Event::Decl(_) | Event::Comment(_) | Event::PI(_)) => {
                    self.checked(Token::Text)?;
                    continue;
                }
                Ok(Event::Empty(_)) => Some(Fault::Syntax),
            };
            return match fault {
                None => self.checked(Token::Text),
                Some(fault) => Err(self.fault(fault)),
            };
        }
    }

    fn started(&mut self) -> Result<Token, Halt> {
        if self.depth == 0 && std::mem::replace(&mut self.rooted, true) {
            return Err(self.fault(Fault::Outside));
        }
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(self.broken("too_deep", format!("elements are nested deeper than {}", self.limits.depth)));
        }
        self.key = name_key(self.name());
        let named = self.name().first().is_some_and(|c| c.is_ascii_alphabetic() || *c == b'_' || *c >= 0x80);
        if !named {
            return Err(self.fault(Fault::Syntax));
        }
        self.bind()?;
        self.checked(Token::Start)
    }

    /// Notes the prefixes that the start tag declares, and checks that those it uses are declared and that no attribute
    /// holds a `<`.
    fn bind(&mut self) -> Result<(), Halt> {
        while self.prefixes.last().is_some_and(|(depth, _)| *depth >= self.depth) {
            self.prefixes.pop();
        }
        let mut used = Vec::new();
        let attributes = self.tag.bytes.get(1 + self.tag.name..).unwrap_or_default();
        let (colon, less) = (attributes.contains(&b':'), attributes.contains(&b'<'));
        if less {
            return Err(self.fault(Fault::Attribute));
        }
        if colon {
            let (tag, mut declared) = (self.take_tag(), Vec::new());
            self.attributes(&tag, |name, value| {
                match name.split_once(':') {
                    Some(("xmlns", prefix)) if !value.is_empty() => declared.push((self.depth, prefix.to_owned())),
                    Some((prefix, _)) => used.push(prefix.to_owned()),
                    None => {}
                }
                Ok(())
            })?;
            self.put_tag(tag);
            self.prefixes.append(&mut declared);
        }
        let known = |prefix: &[u8]| prefix == b"xml" || self.prefixes.iter().any(|(_, p)| p.as_bytes() == prefix);
        let bound = (self.local == 1 || known(self.prefix())) && used.iter().all(|prefix| known(prefix.as_bytes()));
        if bound { Ok(()) } else { Err(self.fault(Fault::Prefix)) }
    }

    /// Checks what holds for every token.
    #[inline]
    fn checked(&self, token: Token) -> Result<Token, Halt> {
        let bytes = &self.tag.bytes;
        let within =
            self.position() <= self.record_end.min(self.limits.bytes) && bytes.len() <= self.limits.record_bytes;
        if within && !self.reader.get_ref().seen().illegal() { Ok(token) } else { self.examined(token) }
    }

    /// Says which bound was broken, if one was, and looks at every character.
    #[cold]
    fn examined(&self, token: Token) -> Result<Token, Halt> {
        let bytes = &self.tag.bytes;
        if self.reader.get_ref().seen().illegal() && has_illegal(bytes) {
            return Err(self.fault(Fault::Character));
        }
        if self.position() > self.limits.bytes {
            return Err(self.broken("too_long", format!("the document is longer than {} bytes", self.limits.bytes)));
        }
        if bytes.len() > self.limits.record_bytes {
            return Err(self.fault(Fault::TooLarge));
        }
        if self.position() > self.record_end {
            return Err(Halt::TooLarge);
        }
        Ok(token)
    }

    fn fault(&self, fault: Fault) -> Halt {
        match fault {
            Fault::Io(_) if self.reader.get_ref().is_too_long() => self.fault(Fault::TooLarge),
            Fault::Io(error) => error.into(),
            fault => {
                let (code, message) = fault.said();
                self.broken(code, message)
            }
        }
    }

    /// The local name of the start tag.
    pub(super) fn name(&self) -> &[u8] {
        self.tag.bytes.get(self.local..1 + self.tag.name).unwrap_or_default()
    }

    /// True if the start tag has this local name.
    #[inline]
    pub(super) fn is(&self, name: &str) -> bool {
        self.name() == name.as_bytes()
    }

    /// The prefix of the start tag, empty if it has none.
    pub(super) fn prefix(&self) -> &[u8] {
        self.tag.bytes.get(1..self.local.saturating_sub(1)).unwrap_or_default()
    }

    /// True if the start tag has attributes.
    pub(super) fn has_attributes(&self) -> bool {
        // `<`, name, `>`, and a `/` or white space.
        self.tag.bytes.len() > self.tag.name + 3
    }

    /// Takes the start tag out, so that its attributes can be read while the stream is used.
    pub(super) fn take_tag(&mut self) -> Tag {
        let name = self.tag.name;
        std::mem::replace(&mut self.tag, Tag { bytes: Vec::new(), name })
    }

    /// Puts the start tag back.
    pub(super) fn put_tag(&mut self, tag: Tag) {
        self.tag = tag;
    }

    /// Calls back with name and value of every attribute of a tag.
    pub(super) fn attributes(
        &self,
        tag: &Tag,
        mut each: impl FnMut(&str, Cow<'_, str>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        let inside = tag.bytes.strip_prefix(b"<").and_then(|t| t.strip_suffix(b">")).unwrap_or_default();
        let inside = inside.strip_suffix(b"/").unwrap_or(inside);
        let inside = std::str::from_utf8(inside).map_err(|_| self.fault(Fault::Encoding))?;
        // Values without references and white space other than blanks are what they stand for.
        let plain = !inside.bytes().fold(false, |odd, byte| odd | (byte == b'&') | (byte < b' '));
        for attribute in BytesStart::from_content(inside, tag.name).attributes() {
            let attribute = attribute.map_err(|_| self.fault(Fault::Attribute))?;
            if plain {
                each(attribute.key.as_ref(), attribute.value)?;
                continue;
            }
            let value =
                attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|_| self.fault(Fault::Reference))?;
            // Only a reference can have brought in what the bytes do not hold.
            if matches!(value, Cow::Owned(_)) && value.chars().any(crate::shape::is_illegal) {
                return Err(self.fault(Fault::Character));
            }
            each(attribute.key.as_ref(), value)?;
        }
        Ok(())
    }

    /// Checks the attributes of the start tag.
    pub(super) fn check_attributes(&mut self) -> Result<(), Halt> {
        if !self.has_attributes() {
            return Ok(());
        }
        let tag = self.take_tag();
        self.attributes(&tag, |_, _| Ok(()))?;
        self.put_tag(tag);
        Ok(())
    }

    /// Reads on to the end tag that leaves so many elements open.
    pub(super) fn leave(&mut self, depth: usize) -> Result<(), Halt> {
        while self.depth > depth {
            if self.next()? == Token::Start {
                self.check_attributes()?;
            }
            self.text.clear();
        }
        Ok(())
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// True if there is nothing but white space.
pub(super) fn is_white(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_whitespace())
}

/// The text that a character reference or a predefined entity stands for.
fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Option<Cow<'static, str>> {
    match reference.resolve_char_ref() {
        Ok(Some(c)) if !crate::shape::is_illegal(c) => Some(c.to_string().into()),
        Ok(None) => resolve_predefined_entity(reference).map(Cow::Borrowed),
        _ => None,
    }
}

/// Why a document is not well formed.
enum Fault {
    Syntax,
    Tags,
    Attribute,
    Prefix,
    Reference,
    Character,
    Encoding,
    Outside,
    Truncated,
    Empty,
    Dtd,
    Declaration,
    TooLarge,
    Io(io::Error),
}

impl Fault {
    fn of(error: &quick_xml::Error) -> Self {
        use quick_xml::Error;
        use quick_xml::errors::IllFormedError;
        match error {
            Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => Self::Encoding,
            Error::Io(error) => Self::Io(io::Error::new(error.kind(), error.to_string())),
            Error::Encoding(_) => Self::Encoding,
            Error::IllFormed(IllFormedError::MismatchedEndTag { .. } | IllFormedError::UnmatchedEndTag(_)) => {
                Self::Tags
            }
            Error::IllFormed(IllFormedError::UnclosedReference) | Error::Escape(_) => Self::Reference,
            Error::InvalidAttr(_) => Self::Attribute,
            _ => Self::Syntax,
        }
    }

    fn said(&self) -> (&'static str, &'static str) {
        match self {
            Self::Syntax => ("malformed", "not well-formed XML"),
            Self::Tags => ("malformed", "an end tag does not match its start tag"),
            Self::Attribute => ("malformed", "an attribute is not well formed"),
            Self::Prefix => ("malformed", "a namespace prefix is not declared"),
            Self::Reference => ("malformed", "a reference names no character and no predefined entity"),
            Self::Character => ("malformed", "a character that XML does not allow"),
            Self::Encoding => ("bad_encoding", "bytes that are not text in the document's encoding"),
            Self::Outside => ("malformed", "something stands outside the root element"),
            Self::Truncated => ("truncated", "the document ends inside an element"),
            Self::Empty => ("malformed", "the document has no root element"),
            Self::Dtd => ("dtd_refused", "document type declarations are not accepted"),
            Self::Declaration => ("malformed", "an XML declaration stands inside the document"),
            Self::TooLarge => ("too_large", "one piece of the document is larger than a record may be"),
            Self::Io(_) => ("malformed", "the input failed"),
        }
    }
}

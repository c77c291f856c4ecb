//! The forms of a document, cut into entities.

use serde::Deserialize;
use serde_json::value::RawValue;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{Limits, Unreadable};
use silta_adapter::json::Members;
use silta_adapter::problem::Problem;
use std::io::{BufRead, Read};

/// An import: the attainments in an array.
pub(crate) const IMPORT: &str = "import";
/// A page of an export of attainments.
pub(crate) const PAGE: &str = "page";
/// Pages or arrays by resource, with what they refer to.
const BUNDLE: &str = "bundle";

/// Documents are pages; the versions in one are compared with each other, so all of it is in memory.
const LARGEST: u64 = 256 << 20;

/// What a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Persons,
    StudyRights,
    TermRegistrations,
    MobilityPeriods,
    Attainments,
    CourseUnits,
    Modules,
    Organisations,
    GradeScales,
}

impl Resource {
    /// All of them, in the order in which records are given.
    pub(crate) const ALL: [(&str, Self); 9] = [
        ("persons", Self::Persons),
        ("studyRights", Self::StudyRights),
        ("termRegistrations", Self::TermRegistrations),
        ("mobilityPeriods", Self::MobilityPeriods),
        ("attainments", Self::Attainments),
        ("courseUnits", Self::CourseUnits),
        ("modules", Self::Modules),
        ("organisations", Self::Organisations),
        ("gradeScales", Self::GradeScales),
    ];
}

/// The entities of one resource.
pub(crate) struct List<'a> {
    pub(crate) resource: Resource,
    /// Path of the array in the document.
    pub(crate) path: String,
    pub(crate) entities: Vec<&'a RawValue>,
}

/// A document cut into entities.
pub(crate) struct Document<'a> {
    text: &'a str,
    pub(crate) form: &'static str,
    pub(crate) lists: Vec<List<'a>>,
    /// The instant whose state the document shows, as its text.
    pub(crate) as_of: Option<String>,
    /// Paths that mean nothing to us.
    pub(crate) unread: Vec<String>,
}

/// Reads all of the input within bounds, and sees that it is text that nests no deeper than allowed.
pub(crate) fn text(input: &mut dyn BufRead, limits: &Limits) -> Result<String, Unreadable> {
    let most = limits.bytes.min(LARGEST);
    let mut bytes = Vec::new();
    input.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Problem::error("too_long", format!("the document is longer than {most} bytes")).into());
    }
    shallow(&bytes, limits.depth)?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Problem::error("bad_encoding", "not valid UTF-8").on_line(line_at(e.as_bytes(), at))
    })?;
    Ok(text)
}

/// Refuses what nests deeper than allowed, whatever the bytes are.
fn shallow(bytes: &[u8], deepest: usize) -> Result<(), Unreadable> {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > deepest {
            let problem = Problem::error("too_deep", "values nest deeper than allowed");
            return Err(problem.on_line(line_at(bytes, at)).into());
        }
    }
    Ok(())
}

/// The line a byte stands on, from 1.
fn line_at(bytes: &[u8], at: usize) -> u64 {
    1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64
}

impl<'a> Document<'a> {
    /// Cuts a document into entities.
    ///
    /// # Errors
    /// If it is not JSON of one of the forms, or an entity is longer than a record may be.
    pub(crate) fn parse(text: &'a str, limits: &Limits) -> Result<Self, Unreadable> {
        let content = text.trim_start_matches('\u{FEFF}').trim_start();
        let mut document = Self { text, form: IMPORT, lists: Vec::new(), as_of: None, unread: Vec::new() };
        match content.as_bytes().first() {
            Some(b'[') => {
                let entities = document.array(content)?;
                document.lists.push(List { resource: Resource::Attainments, path: String::new(), entities });
            }
            Some(b'{') => document.object(content)?,
            _ => return Err(Problem::error("malformed", "neither a JSON object nor an array").on_line(1).into()),
        }
        let long = |raw: &&RawValue| raw.get().len() > limits.record_bytes;
        match document.lists.iter().flat_map(|list| &list.entities).find(|raw| long(raw)) {
            None => Ok(document),
            Some(raw) => {
                let message = format!("an entity is longer than {} bytes", limits.record_bytes);
                Err(Problem::error("too_long", message).on_line(document.line(raw)).into())
            }
        }
    }

    /// The line an entity starts on, from 1.
    pub(crate) fn line(&self, raw: &RawValue) -> u64 {
        self.line_of(raw.get(), 0)
    }

    fn line_of(&self, part: &str, lines_before: u64) -> u64 {
        let at = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        line_at(self.text.as_bytes(), at.min(self.text.len())) + lines_before
    }

    fn json<T: Deserialize<'a>>(&self, part: &'a str) -> Result<T, Unreadable> {
        serde_json::from_str(part).map_err(|e| {
            let message = format!("not well-formed JSON (column {})", e.column());
            let line = self.line_of(part, (e.line() as u64).saturating_sub(1));
            Problem::error("malformed", message).on_line(line).into()
        })
    }

    fn array(&self, part: &'a str) -> Result<Vec<&'a RawValue>, Unreadable> {
        self.json(part)
    }

    fn object(&mut self, part: &'a str) -> Result<(), Unreadable> {
        let Members(members) = self.json(part)?;
        if members.iter().any(|(name, _)| name == "entities") {
            self.form = PAGE;
            return self.page(Resource::Attainments, String::new(), members);
        }
        self.form = BUNDLE;
        for (name, raw) in members {
            match Resource::ALL.iter().find(|(known, _)| *known == name) {
                Some((_, resource)) => self.resource(*resource, format!("/{name}"), raw)?,
                None if name == "asOf" => self.as_of = self.json(raw.get())?,
                None => self.unread.push(format!("/{}", escaped(&name))),
            }
        }
        match self.lists.is_empty() {
            true => Err(Problem::error("unknown_form", "the document holds none of the resources of a Sisu").into()),
            false => Ok(()),
        }
    }

    fn resource(&mut self, resource: Resource, path: String, raw: &'a RawValue) -> Result<(), Unreadable> {
        if raw.get().starts_with('{') {
            let Members(members) = self.json(raw.get())?;
            return self.page(resource, path, members);
        }
        let entities = self.array(raw.get())?;
        self.lists.push(List { resource, path, entities });
        Ok(())
    }

    fn page(
        &mut self,
        resource: Resource,
        path: String,
        members: Vec<(std::borrow::Cow<'a, str>, &'a RawValue)>,
    ) -> Result<(), Unreadable> {
        for (name, raw) in members {
            match name.as_ref() {
                "entities" => {
                    let entities = self.array(raw.get())?;
                    self.lists.push(List { resource, path: format!("{path}/entities"), entities });
                }
                // Where the reader stands in the feed; nothing of what the entities say.
                "hasMore" | "greatestOrdinal" => {}
                other => self.unread.push(format!("{path}/{}", escaped(other))),
            }
        }
        Ok(())
    }
}

/// The form of a document by its first bytes.
pub(crate) fn form(head: &[u8]) -> Option<SmolStr> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    match head.first()? {
        b'[' => Some(SmolStr::new_static(IMPORT)),
        b'{' => {
            let rest = head[1..].trim_ascii_start();
            let page = [&b"\"entities\""[..], b"\"hasMore\"", b"\"greatestOrdinal\""];
            let form = if page.iter().any(|name| rest.starts_with(name)) { PAGE } else { BUNDLE };
            Some(SmolStr::new_static(form))
        }
        _ => None,
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

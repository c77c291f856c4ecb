//! VIRTA documents into records, streaming.
//!
//! Read are the answers of the SOAP service (in their envelope or bare), `Virta` documents, lists of one kind, and
//! single rows; with the namespace of 1.06 or 1.05 or none. An element's own learner key says whose a row is; where it
//! stood is kept beside its content ([`Place`]), so that the document can be written again as it was.

mod fault;
mod fingerprint;
mod index;
mod input;
mod notes;
mod read;
mod xml;

pub use fault::{SOAP_FAULT, SoapFault};

use crate::extensions::{DOCUMENT, Place};
use crate::names::{ALL_DATA, LEARNER, LEARNERS, List, NAMESPACE, NAMESPACE_2013};
use crate::shape::{Node as _, Row, RowKind};
use index::Index;
use notes::Notes;
use read::{Attributes, Read};
use silta_adapter::SmolStr;
use silta_adapter::adapter::{DecodeContext, Decoded, Limits, Reading, Sink, Unreadable};
use silta_adapter::problem::Problem;
use silta_adapter::record::{
    Attainment, Body, Enrolment, Learner, MobilityPeriod, Record, RecordKey, RecordKind, StudyRight,
};
use std::io::BufRead;
use xml::{Halt, Token, Xml};

/// Reads a whole document for well-formedness and bounds.
pub(crate) fn probe(input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
    let walk = |input| -> Result<(), Halt> {
        let mut xml = Xml::open(input, limits)?;
        let mut opening = Opening::default();
        loop {
            match xml.next()? {
                Token::Start => {
                    if opening.open(&mut xml)?.is_some() {
                        xml.leave(xml.depth() - 1)?;
                    }
                }
                Token::Text | Token::End => {}
                Token::Eof => return opening.close(&xml),
            }
            xml.text.clear();
        }
    };
    walk(input).map_err(unreadable)
}

/// Reads a document into records.
pub(crate) fn decode(input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
    let mut document = Document {
        template: RecordKey {
            tenant: ctx.tenant.clone(),
            source: ctx.source.clone(),
            kind: RecordKind::Learner,
            institution: SmolStr::default(),
            id: SmolStr::default(),
        },
        limits: ctx.limits,
        index: Index::default(),
        notes: Notes::new(ctx.limits.problems),
        attributes: Attributes::default(),
        told: 0,
        sink,
    };
    let form = Xml::open(input, &ctx.limits).and_then(|mut xml| document.read(&mut xml)).map_err(unreadable)?;
    Ok(Reading { form: form.map(SmolStr::new_static), unread: document.notes.unread.into_iter().collect() })
}

/// The form of a document by its first bytes.
pub(crate) fn form(mut head: &[u8]) -> Option<&'static str> {
    let limits = Limits::default();
    let mut xml = Xml::open(&mut head, &limits).ok()?;
    let mut opening = Opening::default();
    loop {
        match xml.next().ok()? {
            Token::Start => {
                if let Some(payload) = opening.open(&mut xml).ok()? {
                    return Some(payload.form());
                }
            }
            Token::Text | Token::End => {}
            Token::Eof => return None,
        }
        xml.text.clear();
    }
}

fn unreadable(halt: Halt) -> Unreadable {
    match halt {
        Halt::Unreadable(unreadable) => unreadable,
        Halt::TooLarge => Problem::error("too_large", "a record is larger than it may be").into(),
    }
}

/// What stands around the data of a document: envelope and answer, with the namespaces they declare.
#[derive(Default)]
struct Opening {
    namespaces: Vec<(String, String)>,
    /// The root is a SOAP envelope.
    envelope: bool,
    /// There was an answer or data.
    answered: bool,
}

/// The root of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payload {
    AllData,
    Learners,
    Learner,
    List(List),
    Row(List),
}

impl Payload {
    fn of(name: &[u8]) -> Option<Self> {
        let list = |name_of: fn(List) -> &'static str| List::ALL.into_iter().find(|l| name_of(*l).as_bytes() == name);
        match name {
            b"Virta" | b"virta" => Some(Self::AllData),
            b"Opiskelijat" => Some(Self::Learners),
            b"Opiskelija" => Some(Self::Learner),
            _ => list(List::name).map(Self::List).or_else(|| list(List::row).map(Self::Row)),
        }
    }

    /// The form of the document, as it can be written.
    fn form(self) -> &'static str {
        match self {
            Self::AllData => ALL_DATA,
            Self::Learners | Self::Learner => LEARNERS,
            Self::List(list) | Self::Row(list) => list.name(),
        }
    }
}

/// The answers of the SOAP service's operations.
const ANSWERS: [&[u8]; 8] = [
    b"OpiskelijanKaikkiTiedotResponse",
    b"OpiskelijanKaikkiTiedotListaResponse",
    b"OpintosuorituksetResponse",
    b"TutkinnotResponse",
    b"OpiskeluoikeudetResponse",
    b"LukukausiIlmoittautumisetResponse",
    b"LiikkuvuusjaksotResponse",
    b"OpiskelijanTiedotResponse",
];

impl Opening {
    /// Takes the start tag that was just read: of an envelope or answer, or of the root of the data.
    fn open(&mut self, xml: &mut Xml<'_>) -> Result<Option<Payload>, Halt> {
        self.declare(xml)?;
        let name = xml.name();
        match (name, xml.depth()) {
            (b"Envelope", 1) => self.envelope = true,
            (b"Body", 2) if self.envelope => {}
            (b"Header", 2) if self.envelope => xml.leave(1)?,
            (b"Fault", 3) if self.envelope => return Err(fault::read(xml)),
            (_, depth) if ANSWERS.contains(&name) && depth == if self.envelope { 3 } else { 1 } => self.answered = true,
            _ => {
                let payload = Payload::of(name);
                if payload.is_none() {
                    return Err(xml.broken("unknown_root", "this is no VIRTA document: its root is another one"));
                }
                self.check_namespace(xml)?;
                self.answered = true;
                return Ok(payload);
            }
        }
        Ok(None)
    }

    /// Ends the document.
    fn close(&self, xml: &Xml<'_>) -> Result<(), Halt> {
        if self.answered { Ok(()) } else { Err(xml.broken("unknown_root", "the envelope holds no answer of VIRTA")) }
    }

    fn declare(&mut self, xml: &mut Xml<'_>) -> Result<(), Halt> {
        let tag = xml.take_tag();
        xml.attributes(&tag, |name, value| {
            if let Some(prefix) = name.strip_prefix("xmlns") {
                self.namespaces.push((prefix.trim_start_matches(':').to_owned(), value.into_owned()));
            }
            Ok(())
        })?;
        xml.put_tag(tag);
        Ok(())
    }

    fn check_namespace(&self, xml: &Xml<'_>) -> Result<(), Halt> {
        let declared = self.namespaces.iter().rev().find(|(prefix, _)| prefix.as_bytes() == xml.prefix());
        match declared.map_or("", |(_, namespace)| namespace.as_str()) {
            NAMESPACE | NAMESPACE_2013 => Ok(()),
            "" if xml.prefix().is_empty() => Ok(()),
            _ => Err(xml.broken("unknown_namespace", "the data is not in a namespace of VIRTA")),
        }
    }
}

/// A document being read.
struct Document<'s, 'f> {
    template: RecordKey,
    limits: Limits,
    index: Index,
    notes: Notes,
    /// The attributes of the element being read: kept so that every element uses the same memory.
    attributes: Attributes,
    /// Problems found so far.
    told: usize,
    sink: &'s mut Sink<'f>,
}

impl Document<'_, '_> {
    fn read(&mut self, xml: &mut Xml<'_>) -> Result<Option<&'static str>, Halt> {
        let mut form = None;
        let mut opening = Opening::default();
        loop {
            match xml.next()? {
                Token::Start => {
                    if let Some(payload) = opening.open(xml)? {
                        form = Some(payload.form());
                        self.payload(xml, payload)?;
                    }
                }
                Token::Text | Token::End => {}
                Token::Eof => break opening.close(xml)?,
            }
            xml.text.clear();
        }
        for problem in std::mem::take(&mut self.index).graph(&self.template) {
            self.tell(problem)?;
        }
        let more = self.told.saturating_sub(self.limits.problems);
        if more > 0 {
            let message = format!("{more} further problems are not reported");
            (self.sink)(Decoded::Problem(Problem::error("too_many_problems", message)))?;
        }
        Ok(form)
    }

    fn payload(&mut self, xml: &mut Xml<'_>, payload: Payload) -> Result<(), Halt> {
        match payload {
            Payload::Row(list) => self.row(xml, list, None),
            Payload::List(list) => self.rows(xml, list, None),
            Payload::Learner => self.block(xml),
            Payload::AllData | Payload::Learners => {
                let inside = xml.depth();
                while self.next_child(xml, inside)? {
                    match Payload::of(xml.name()) {
                        Some(Payload::Learner) => self.block(xml)?,
                        Some(Payload::Row(list)) => self.row(xml, list, None)?,
                        _ => self.unknown(xml, payload.form())?,
                    }
                }
                Ok(())
            }
        }
    }

    /// Goes to the next child of the container that leaves `inside` elements open; false at its end.
    fn next_child(&mut self, xml: &mut Xml<'_>, inside: usize) -> Result<bool, Halt> {
        loop {
            xml.text.clear();
            match xml.next()? {
                Token::Start => return Ok(true),
                Token::End if xml.depth() < inside => return Ok(false),
                Token::Eof => return Ok(false),
                Token::Text | Token::End => {}
            }
        }
    }

    /// Notes and skips an element that has no place in a container.
    fn unknown(&mut self, xml: &mut Xml<'_>, container: &'static str) -> Result<(), Halt> {
        let name = String::from_utf8_lossy(xml.name()).into_owned();
        self.notes.enter(container);
        self.notes.unknown(&name, xml.line());
        self.notes.leave();
        xml.check_attributes()?;
        xml.leave(xml.depth() - 1)?;
        self.flush(None)
    }

    /// Reads the rows of a list whose start tag was just read.
    fn rows(&mut self, xml: &mut Xml<'_>, list: List, block: Option<&Block>) -> Result<(), Halt> {
        xml.check_attributes()?;
        let inside = xml.depth();
        while self.next_child(xml, inside)? {
            if xml.name() == list.row().as_bytes() {
                self.row(xml, list, block)?
            } else {
                self.unknown(xml, list.name())?
            }
        }
        Ok(())
    }

    fn row(&mut self, xml: &mut Xml<'_>, list: List, block: Option<&Block>) -> Result<(), Halt> {
        match list {
            List::StudyRights => self.row_of::<StudyRight>(xml, list, block),
            List::Enrolments => self.row_of::<Enrolment>(xml, list, block),
            List::Attainments => self.row_of::<Attainment>(xml, list, block),
            List::MobilityPeriods => self.row_of::<MobilityPeriod>(xml, list, block),
        }
    }

    fn row_of<B: RowKind>(&mut self, xml: &mut Xml<'_>, list: List, block: Option<&Block>) -> Result<(), Halt> {
        let (line, outside, path) = (xml.line(), xml.depth() - 1, self.notes.depth());
        xml.bound(Some(self.limits.record_bytes as u64));
        let mut row = Row::<B>::blank();
        let read = Read::new(xml, &mut self.notes, &mut self.attributes).element(list.row(), &mut row, ());
        xml.bound(None);
        match read {
            Ok(true) => self.take(row, line, block),
            Ok(false) => self.flush(None),
            Err(Halt::TooLarge) => {
                self.notes.leave_to(path);
                xml.leave(outside)?;
                self.flush(None)?;
                self.tell(too_large(list.row(), line))
            }
            Err(halt) => Err(halt),
        }
    }

    /// Reads a learner's block, whose start tag was just read.
    fn block(&mut self, xml: &mut Xml<'_>) -> Result<(), Halt> {
        let (line, inside, path) = (xml.line(), xml.depth(), self.notes.depth());
        let mut budget = self.limits.record_bytes as u64;
        let mut learner = Row::<Learner>::blank();
        let mut block: Option<Block> = None;
        let (mut given_up, mut late) = (false, false);
        let mut read = Read::new(xml, &mut self.notes, &mut self.attributes);
        read.open(LEARNER, &mut learner, ())?;
        let mut frame = read.pause();
        while self.next_child(xml, inside)? {
            if let Some(list) = List::ALL.into_iter().find(|list| list.name().as_bytes() == xml.name()) {
                let block = match &mut block {
                    Some(block) => block,
                    none => none.insert(self.learner(&learner, line, given_up)?),
                };
                self.notes.leave_to(path);
                self.rows(xml, list, Some(block))?;
                self.notes.enter(LEARNER);
                continue;
            }
            if given_up {
                xml.check_attributes()?;
                xml.leave(inside)?;
                continue;
            }
            late |= block.is_some();
            let from = xml.position();
            xml.bound(Some(budget));
            let mut read = Read::resume(xml, &mut self.notes, &mut self.attributes, frame);
            let offered = read.offer(&mut learner, ());
            frame = read.pause();
            xml.bound(None);
            budget = budget.saturating_sub(xml.position() - from);
            match offered {
                Err(Halt::TooLarge) => {
                    given_up = true;
                    xml.leave(inside)?;
                    self.notes.leave_to(path + 1);
                }
                other => other?,
            }
        }
        Read::resume(xml, &mut self.notes, &mut self.attributes, frame).close(&mut learner, ())?;
        match block {
            None => drop(self.learner(&learner, line, given_up)?),
            // Parts of the learner stood behind her rows: she is told again, now whole.
            Some(block) if late => self.give(learner, line, &block.place())?,
            Some(_) => {}
        }
        self.flush(None)
    }

    /// Gives a learner, and says which of her blocks this is.
    fn learner(&mut self, learner: &Row<Learner>, line: u64, given_up: bool) -> Result<Block, Halt> {
        let number = learner.id.as_deref().map_or(1, |id| self.index.block(id));
        let block = Block { avain: learner.id.clone(), number };
        if given_up {
            self.flush(None)?;
            self.tell(too_large(LEARNER, line))?;
        } else {
            self.give(learner.clone(), line, &block.place())?;
        }
        Ok(block)
    }

    fn take<B: RowKind>(&mut self, row: Row<B>, line: u64, block: Option<&Block>) -> Result<(), Halt> {
        let place = block.map(|block| block.place_of(row.learner.as_ref())).unwrap_or_default();
        self.give(row, line, &place)
    }

    /// Gives a record that was read, with its problems.
    fn give<B: RowKind>(&mut self, mut row: Row<B>, line: u64, place: &Place) -> Result<(), Halt> {
        let fingerprint = fingerprint::of(&mut row, ());
        let id = B::natural_id(&row).or(row.id);
        let learner = if B::KIND == RecordKind::Learner { id.clone() } else { row.learner };
        let (Some(id), Some(learner)) = (id, learner) else {
            self.flush(None)?;
            let message = "without its key, or its learner's, it was not taken";
            return self.tell(Problem::error("missing_key", message).on_line(line));
        };
        let institution = row.body.awarding_body().map(|code| code.value.clone()).unwrap_or_default();
        let key = RecordKey { kind: B::KIND, institution, id, ..self.template.clone() };
        self.flush(Some(&key))?;
        let earlier = self.index.record(&key, fingerprint, line);
        row.body.absorb(row.own);
        let mut body = row.body.boxed();
        if *place != Place::default() {
            body.extensions_mut().set(DOCUMENT, place);
        }
        if let Body::Attainment(attainment) = &body {
            self.index.attainment(&key, attainment, line);
        }
        let duplicate = earlier.map(|earlier| {
            let message = "an earlier record has the same key and says something else";
            Problem::error("duplicate_key", message).about(&key).on_line(line).and_line(earlier)
        });
        (self.sink)(Decoded::Record(Box::new(Record::current(key, learner, body)), line))?;
        duplicate.map_or(Ok(()), |duplicate| self.tell(duplicate))
    }

    /// Tells what was noted, about a record if it has a key.
    fn flush(&mut self, key: Option<&RecordKey>) -> Result<(), Halt> {
        for problem in std::mem::take(&mut self.notes.waiting) {
            self.tell(match key {
                Some(key) => problem.about(key),
                None => problem,
            })?;
        }
        self.told += std::mem::take(&mut self.notes.beyond);
        Ok(())
    }

    fn tell(&mut self, problem: Problem) -> Result<(), Halt> {
        self.told += 1;
        if self.told <= self.limits.problems {
            (self.sink)(Decoded::Problem(problem))?;
        }
        Ok(())
    }
}

/// A learner's block: its key, and how many blocks with that key there have been.
struct Block {
    avain: Option<SmolStr>,
    number: u32,
}

impl Block {
    fn place(&self) -> Place {
        Place { under: None, block: (self.number > 1).then_some(self.number) }
    }

    /// Where a row of a learner stands if it stands in this block.
    fn place_of(&self, learner: Option<&SmolStr>) -> Place {
        Place { under: self.avain.clone().filter(|avain| Some(avain) != learner), ..self.place() }
    }
}

fn too_large(element: &'static str, line: u64) -> Problem {
    Problem::error("record_too_large", "it is larger than a record may be and was not taken").at(element).on_line(line)
}

#[cfg(test)]
mod tests;

//! Reads an element into its node by walking the element's shape for every attribute and child.

use super::input::count_lines;
use super::notes::Notes;
use super::xml::{Halt, Token, Xml, is_white};
use crate::shape::{At, Need, Node, Slot, SpecOf, Value, Visit, name_key};
use std::mem;
use std::ops::Range;

/// The reader of one record.
pub(super) struct Read<'x, 'i, 'n> {
    pub(super) xml: &'x mut Xml<'i>,
    pub(super) notes: &'n mut Notes,
    frame: Frame,
    attributes: &'n mut Attributes,
}

/// The attributes of a start tag, end to end, and the one being offered to the shape.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    names: String,
    values: String,
    /// Where each ends in the names and in the values.
    ends: Vec<(usize, usize)>,
    current: (Range<usize>, Range<usize>),
    /// [`name_key`] of the one being offered.
    key: u64,
}

impl Attributes {
    fn name(&self) -> &str {
        &self.names[self.current.0.clone()]
    }

    fn value(&self) -> &str {
        &self.values[self.current.1.clone()]
    }

    /// Offers the next one, by its index.
    fn offer(&mut self, index: usize) {
        let (name, value) = (self.current.0.end, self.current.1.end);
        let end = self.ends[index];
        self.current = (name..end.0, value..end.1);
        self.key = name_key(self.name().as_bytes());
    }

    fn read(&mut self, xml: &mut Xml<'_>) -> Result<(), Halt> {
        self.current = Default::default();
        self.names.clear();
        self.values.clear();
        self.ends.clear();
        let tag = xml.take_tag();
        xml.attributes(&tag, |name, value| {
            self.names.push_str(name);
            self.values.push_str(&value);
            self.ends.push((self.names.len(), self.values.len()));
            Ok(())
        })?;
        xml.put_tag(tag);
        Ok(())
    }
}

/// What the shape is being walked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// An attribute looks for its place.
    #[default]
    Attribute,
    /// A child element looks for its place.
    Child,
    /// The element is over: its text is taken, what is missing is noted.
    End,
}

/// An element being read.
#[derive(Debug, Default)]
pub(super) struct Frame {
    phase: Phase,
    /// The name key of the attribute or child that looks for its place; 0 once it has found it, and at the end.
    attribute: u64,
    child: u64,
    /// Which part of the shape the walk is at.
    part: u32,
    /// Parts that stood, one bit each.
    seen: u64,
    /// Parts that were read, one bit each.
    good: u64,
    /// The attribute, child or text found its place.
    taken: bool,
    /// The element lacks what it cannot do without.
    broken: bool,
    /// There was text between child elements.
    stray: bool,
    line: u64,
}

impl Frame {
    fn walk(&mut self, phase: Phase, key: u64) {
        (self.phase, self.part, self.taken) = (phase, 0, false);
        self.attribute = if phase == Phase::Attribute { key } else { 0 };
        self.child = if phase == Phase::Child { key } else { 0 };
    }

    /// What looked for its place has found it.
    fn take(&mut self, bit: u64) {
        (self.taken, self.attribute, self.child) = (true, 0, 0);
        self.seen |= bit;
    }

    /// The bit of the next part.
    fn next(&mut self) -> u64 {
        self.part += 1;
        1 << (self.part - 1)
    }
}

impl<'x, 'i, 'n> Read<'x, 'i, 'n> {
    pub(super) fn new(xml: &'x mut Xml<'i>, notes: &'n mut Notes, attributes: &'n mut Attributes) -> Self {
        Self { xml, notes, frame: Frame::default(), attributes }
    }

    /// Goes on with an element that was paused.
    pub(super) fn resume(
        xml: &'x mut Xml<'i>,
        notes: &'n mut Notes,
        attributes: &'n mut Attributes,
        frame: Frame,
    ) -> Self {
        Self { frame, ..Self::new(xml, notes, attributes) }
    }

    /// Pauses in the middle of an element.
    pub(super) fn pause(self) -> Frame {
        self.frame
    }

    /// Reads the element whose start tag was just read into a blank node; false if it lacks what it cannot do without.
    pub(super) fn element<N: Node>(&mut self, name: &'static str, node: &mut N, spec: N::Spec) -> Result<bool, Halt> {
        let outer = mem::take(&mut self.frame);
        self.open(name, node, spec)?;
        while self.child()? {
            self.offer(node, spec)?;
        }
        let whole = self.close(node, spec)?;
        self.frame = outer;
        Ok(whole)
    }

    /// Reads the attributes of an element whose start tag was just read.
    pub(super) fn open<N: Node>(&mut self, name: &'static str, node: &mut N, spec: N::Spec) -> Result<(), Halt> {
        self.frame.line = self.xml.line();
        self.notes.enter(name);
        self.xml.text.clear();
        if !self.xml.has_attributes() {
            return Ok(());
        }
        self.attributes.read(self.xml)?;
        for index in 0..self.attributes.ends.len() {
            self.attributes.offer(index);
            if is_of_xml(self.attributes.name()) {
                continue;
            }
            self.frame.walk(Phase::Attribute, self.attributes.key);
            node.walk(spec, self)?;
            if !self.frame.taken {
                self.notes.unknown(&format!("@{}", self.attributes.name()), self.frame.line);
            }
        }
        Ok(())
    }

    /// Goes to the next child element; false at the end of the element.
    pub(super) fn child(&mut self) -> Result<bool, Halt> {
        loop {
            match self.xml.next()? {
                Token::Start => {
                    self.frame.stray |= !is_white(&self.xml.text);
                    return Ok(true);
                }
                Token::Text => {}
                Token::End | Token::Eof => return Ok(false),
            }
        }
    }

    /// Offers the child element whose start tag was just read to a node. A child without a place is noted and skipped.
    pub(super) fn offer<N: Node>(&mut self, node: &mut N, spec: N::Spec) -> Result<(), Halt> {
        self.frame.walk(Phase::Child, self.xml.key);
        node.walk(spec, self)?;
        if !self.frame.taken { self.skip() } else { Ok(()) }
    }

    /// Notes the child element whose start tag was just read as unknown, and skips it.
    fn skip(&mut self) -> Result<(), Halt> {
        let line = self.xml.line();
        let name = String::from_utf8_lossy(self.xml.name()).into_owned();
        self.notes.unknown(&name, line);
        let text = mem::take(&mut self.xml.text);
        self.xml.check_attributes()?;
        self.xml.leave(self.xml.depth() - 1)?;
        self.xml.text = text;
        Ok(())
    }

    /// Ends an element: takes its text and notes what is missing. False if it cannot do without that.
    pub(super) fn close<N: Node>(&mut self, node: &mut N, spec: N::Spec) -> Result<bool, Halt> {
        self.frame.walk(Phase::End, 0);
        node.walk(spec, self)?;
        if !self.frame.taken && (self.frame.stray || !is_white(&self.xml.text)) {
            self.notes.unknown("text()", self.frame.line);
        }
        self.xml.text.clear();
        self.notes.leave();
        Ok(!self.frame.broken)
    }

    /// Reads the text of the leaf element whose start tag was just read into [`Xml::text`].
    fn leaf_text(&mut self, name: &'static str, wrapped: bool) -> Result<(), Halt> {
        if self.xml.has_attributes() {
            self.leaf_attributes(name)?;
        }
        let depth = self.xml.depth();
        self.xml.text.clear();
        loop {
            match self.xml.next()? {
                Token::Text => {}
                Token::Start if wrapped && self.xml.name() == b"Koodi" => self.xml.check_attributes()?,
                Token::Start => {
                    self.notes.enter(name);
                    self.skip()?;
                    self.notes.leave();
                }
                Token::End if self.xml.depth() < depth => return Ok(()),
                Token::End | Token::Eof => {}
            }
        }
    }

    /// The line of the leaf that was just read.
    fn leaf_line(&self) -> u64 {
        self.xml.line().saturating_sub(count_lines(self.xml.text.as_bytes()))
    }

    /// A leaf has no attributes; those that stand are noted.
    fn leaf_attributes(&mut self, name: &'static str) -> Result<(), Halt> {
        let (line, tag) = (self.xml.line(), self.xml.take_tag());
        let notes = &mut *self.notes;
        notes.enter(name);
        self.xml.attributes(&tag, |key, _| {
            if !is_of_xml(key) {
                notes.unknown(&format!("@{key}"), line);
            }
            Ok(())
        })?;
        notes.leave();
        self.xml.put_tag(tag);
        Ok(())
    }

    /// Notes what is missing of a part when its element ends.
    #[inline(always)]
    fn ended<S: Slot>(&mut self, at: At, bit: u64) {
        if S::BARE && self.frame.good & bit == 0 {
            self.frame.broken = true;
        }
        if at.need != Need::Opt && self.frame.seen & bit == 0 {
            self.notes.missing(at.name, self.frame.line, S::BARE);
        }
    }

    /// Takes the attribute being offered.
    fn take_attribute<S: Slot>(&mut self, at: At, bit: u64, spec: SpecOf<S>, slot: &mut S)
    where
        S::Item: Value,
    {
        if self.attributes.name() != at.name {
            return;
        }
        self.frame.take(bit);
        if at.need == Need::Opt && self.attributes.value().is_empty() {
            return;
        }
        match S::Item::parse(self.attributes.value(), spec) {
            Some(value) => {
                self.frame.good |= bit;
                slot.put(value);
            }
            None => self.notes.bad_value(&format!("@{}", at.name), self.frame.line),
        }
    }

    /// Takes the child being offered as a leaf.
    fn take_leaf<S: Slot>(&mut self, at: At, bit: u64, spec: SpecOf<S>, slot: &mut S) -> Result<(), Halt>
    where
        S::Item: Value,
    {
        if !self.is_next::<S>(at, bit)? {
            return Ok(());
        }
        self.leaf_text(at.name, S::Item::WRAPPED)?;
        match S::Item::parse(&self.xml.text, spec) {
            Some(value) => {
                self.frame.good |= bit;
                slot.put(value);
            }
            None if is_white(&self.xml.text) => self.notes.empty(at.name, self.leaf_line()),
            None => self.notes.bad_value(at.name, self.leaf_line()),
        }
        self.xml.text.clear();
        Ok(())
    }

    /// Takes the child being offered as a node.
    fn take_node<S: Slot>(&mut self, at: At, bit: u64, spec: <S::Item as Node>::Spec, slot: &mut S) -> Result<(), Halt>
    where
        S::Item: Node,
    {
        if !self.is_next::<S>(at, bit)? {
            return Ok(());
        }
        let mut node = S::Item::blank();
        if self.element(at.name, &mut node, spec)? {
            self.frame.good |= bit;
            slot.put(node);
        }
        Ok(())
    }

    /// True if the child whose start tag was just read is this part, and is to be read: not a repeated single one.
    fn is_next<S: Slot>(&mut self, at: At, bit: u64) -> Result<bool, Halt> {
        if !self.xml.is(at.name) {
            return Ok(false);
        }
        let again = self.frame.seen & bit != 0;
        self.frame.take(bit);
        if !S::LIST && again {
            self.repeated(at);
            self.xml.check_attributes()?;
            self.xml.leave(self.xml.depth() - 1)?;
            return Ok(false);
        }
        Ok(true)
    }
}

/// True for attributes that are about XML itself.
fn is_of_xml(name: &str) -> bool {
    name == "xmlns" || name.starts_with("xmlns:") || name.starts_with("xsi:")
}

// Every part is asked for every attribute and child, and nearly always says no: that much is inlined.
impl Visit for Read<'_, '_, '_> {
    type Stop = Halt;

    #[inline(always)]
    fn attr<S: Slot>(&mut self, at: At, spec: SpecOf<S>, slot: &mut S) -> Result<(), Halt>
    where
        S::Item: Value,
    {
        let bit = self.frame.next();
        if self.frame.attribute == at.key {
            self.take_attribute(at, bit, spec, slot);
        } else if self.frame.phase == Phase::End {
            self.ended::<S>(at, bit);
        }
        Ok(())
    }

    #[inline(always)]
    fn leaf<S: Slot>(&mut self, at: At, spec: SpecOf<S>, slot: &mut S) -> Result<(), Halt>
    where
        S::Item: Value,
    {
        let bit = self.frame.next();
        if self.frame.child == at.key {
            self.take_leaf(at, bit, spec, slot)?;
        } else if self.frame.phase == Phase::End {
            self.ended::<S>(at, bit);
        }
        Ok(())
    }

    fn content<T: Value>(&mut self, _: &'static str, spec: T::Spec, slot: &mut T) -> Result<(), Halt> {
        if self.frame.phase == Phase::End {
            self.frame.taken = true;
            match T::parse(&self.xml.text, spec) {
                Some(value) => *slot = value,
                None => {
                    self.frame.broken = true;
                    self.notes.empty("", self.frame.line);
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn node<S: Slot>(&mut self, at: At, spec: <S::Item as Node>::Spec, slot: &mut S) -> Result<(), Halt>
    where
        S::Item: Node,
    {
        let bit = self.frame.next();
        if self.frame.child == at.key {
            self.take_node(at, bit, spec, slot)?;
        } else if self.frame.phase == Phase::End {
            self.ended::<S>(at, bit);
        }
        Ok(())
    }

    fn require(&mut self, holds: bool, at: At, _: &'static str) {
        if self.frame.phase == Phase::End && !holds {
            self.frame.broken = true;
            self.notes.missing(at.name, self.frame.line, true);
        }
    }

    fn repeated(&mut self, at: At) {
        self.notes.repeated(at.name, self.xml.line());
    }
}

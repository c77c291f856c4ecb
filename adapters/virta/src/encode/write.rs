//! Writes a node as its element.

use crate::shape::{At, Node, Slot, SpecOf, Value, Visit};
use std::convert::Infallible;

/// Writes an element with everything in it.
pub(super) fn element<N: Node>(out: &mut Vec<u8>, name: &str, node: &mut N, spec: N::Spec) {
    Write::new(out).element(name, node, spec);
}

/// Writes an element without its end tag.
pub(super) fn open<N: Node>(out: &mut Vec<u8>, name: &str, node: &mut N, spec: N::Spec) {
    Write::new(out).open(name, node, spec);
}

/// Writes an end tag.
pub(super) fn end(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

/// An element being written: its attributes first, then what is in it.
struct Write<'o> {
    out: &'o mut Vec<u8>,
    /// The lexical form of a value, before escapes.
    text: String,
    attributes: bool,
}

impl<'o> Write<'o> {
    fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, text: String::with_capacity(64), attributes: false }
    }

    fn element<N: Node>(&mut self, name: &str, node: &mut N, spec: N::Spec) {
        self.open(name, node, spec);
        end(self.out, name);
    }

    fn open<N: Node>(&mut self, name: &str, node: &mut N, spec: N::Spec) {
        self.out.push(b'<');
        self.out.extend_from_slice(name.as_bytes());
        self.attributes = true;
        let Ok(()) = node.walk(spec, self);
        self.out.push(b'>');
        self.attributes = false;
        let Ok(()) = node.walk(spec, self);
    }

    fn value<T: Value>(&mut self, value: &T) {
        self.text.clear();
        value.text(&mut self.text);
        escape(self.out, &self.text, self.attributes);
    }
}

/// Appends text with everything escaped that a reader would not give back as it is.
fn escape(out: &mut Vec<u8>, text: &str, attribute: bool) {
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escaped: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'\r' => b"&#13;",
            b'"' if attribute => b"&quot;",
            b'\n' if attribute => b"&#10;",
            b'\t' if attribute => b"&#9;",
            _ => continue,
        };
        out.extend_from_slice(&bytes[written..at]);
        out.extend_from_slice(escaped);
        written = at + 1;
    }
    out.extend_from_slice(&bytes[written..]);
}

/// Appends an attribute.
pub(super) fn attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    escape(out, value, true);
    out.push(b'"');
}

impl Visit for Write<'_> {
    type Stop = Infallible;

    fn attr<S: Slot>(&mut self, at: At, _: SpecOf<S>, slot: &mut S) -> Result<(), Infallible>
    where
        S::Item: Value,
    {
        if self.attributes {
            slot.retain(|_, item| {
                self.text.clear();
                item.text(&mut self.text);
                attribute(self.out, at.name, &self.text);
                true
            });
        }
        Ok(())
    }

    fn leaf<S: Slot>(&mut self, at: At, _: SpecOf<S>, slot: &mut S) -> Result<(), Infallible>
    where
        S::Item: Value,
    {
        if !self.attributes {
            slot.retain(|_, item| {
                self.out.push(b'<');
                self.out.extend_from_slice(at.name.as_bytes());
                self.out.push(b'>');
                self.value(item);
                end(self.out, at.name);
                true
            });
        }
        Ok(())
    }

    fn content<T: Value>(&mut self, _: &'static str, _: T::Spec, slot: &mut T) -> Result<(), Infallible> {
        if !self.attributes {
            self.value(slot);
        }
        Ok(())
    }

    fn node<S: Slot>(&mut self, at: At, spec: <S::Item as Node>::Spec, slot: &mut S) -> Result<(), Infallible>
    where
        S::Item: Node,
    {
        if !self.attributes {
            slot.retain(|_, item| {
                self.element(at.name, item, spec);
                true
            });
        }
        Ok(())
    }

    fn require(&mut self, _: bool, _: At, _: &'static str) {}
}

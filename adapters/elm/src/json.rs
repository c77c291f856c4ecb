//! A writer of compact JSON that keeps the commas.

/// JSON being written.
#[derive(Default)]
pub(crate) struct Json {
    out: Vec<u8>,
}

impl Json {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Where the next byte goes.
    pub(crate) fn position(&self) -> usize {
        self.out.len()
    }

    /// Starts an element of an array.
    pub(crate) fn element(&mut self) -> &mut Self {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
        self
    }

    /// Starts a member; names are plain ASCII.
    pub(crate) fn key(&mut self, name: &str) -> &mut Self {
        self.element();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self
    }

    pub(crate) fn open(&mut self, bracket: u8) -> &mut Self {
        self.out.push(bracket);
        self
    }

    pub(crate) fn close(&mut self, bracket: u8) -> &mut Self {
        self.out.push(bracket);
        self
    }

    /// A string value, escaped.
    pub(crate) fn string(&mut self, value: &str) -> &mut Self {
        // Writing to memory cannot fail, and text always serialises.
        let _ = serde_json::to_writer(&mut self.out, value);
        self
    }

    /// A string value made of pieces that need no escaping.
    pub(crate) fn plain(&mut self, value: std::fmt::Arguments<'_>) -> &mut Self {
        use std::io::Write;
        self.out.push(b'"');
        let _ = self.out.write_fmt(value);
        self.out.push(b'"');
        self
    }

    pub(crate) fn boolean(&mut self, value: bool) -> &mut Self {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// What was written before, or elsewhere.
    pub(crate) fn raw(&mut self, written: &[u8]) -> &mut Self {
        self.out.extend_from_slice(written);
        self
    }

    /// What was written from a position on.
    pub(crate) fn since(&self, start: usize) -> &[u8] {
        &self.out[start..]
    }
}

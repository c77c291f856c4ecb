//! Cuts the input into units — lines, or the elements of a JSON document — within bounds, whatever the bytes are.

use silta_adapter::adapter::{Limits, Unreadable};
use silta_adapter::problem::Problem;
use std::io::{BufRead, Read};

/// How records stand in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One per line; a bad line spoils nothing but itself.
    Lines,
    /// Elements of one JSON array.
    Array,
    /// Objects after each other, the first of which is pretty-printed.
    Objects,
}

/// Cuts the input into units.
pub(crate) struct Units<'a> {
    input: &'a mut dyn BufRead,
    limits: Limits,
    form: Form,
    /// Bytes read so far.
    read: u64,
    /// The line that the next byte stands on, from 1.
    line: u64,
    unit: Vec<u8>,
    /// What the first bytes already said: they stay in `unit` until it is complete.
    begun: bool,
    first: bool,
}

/// One unit and the line it starts on.
pub(crate) struct Unit<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) line: u64,
}

const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

impl<'a> Units<'a> {
    pub(crate) fn new(input: &'a mut dyn BufRead, limits: Limits) -> Result<Self, Unreadable> {
        let mut units =
            Self { input, limits, form: Form::Lines, read: 0, line: 1, unit: Vec::new(), begun: false, first: true };
        units.recognise()?;
        Ok(units)
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Looks at the first bytes: skips a byte-order mark and white space, and sees which form this is.
    fn recognise(&mut self) -> Result<(), Unreadable> {
        while self.unit.len() < BOM.len() && self.peek()? == Some(BOM[self.unit.len()]) {
            self.take()?;
        }
        self.begun = !self.unit.is_empty() && self.unit != BOM;
        if self.begun {
            return Ok(());
        }
        self.unit.clear();
        self.skip_space()?;
        match self.peek()? {
            Some(b'[') => {
                self.take()?;
                self.unit.clear();
                self.form = Form::Array;
            }
            Some(b'{') => {
                self.begun = true;
                self.take()?;
                while let Some(b' ' | b'\t' | b'\r') = self.peek()? {
                    self.take()?;
                }
                if self.peek()? == Some(b'\n') {
                    self.form = Form::Objects;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The next unit, never empty; `None` at the end, after which nobody asks again.
    pub(crate) fn next(&mut self) -> Result<Option<Unit<'_>>, Unreadable> {
        if !std::mem::take(&mut self.begun) {
            self.unit.clear();
        }
        let line = match self.form {
            Form::Lines => self.next_line()?,
            Form::Array => self.next_element()?,
            Form::Objects => self.next_object()?,
        };
        Ok(line.map(|line| Unit { bytes: self.unit.trim_ascii(), line }))
    }

    fn next_line(&mut self) -> Result<Option<u64>, Unreadable> {
        loop {
            let left = self.limits.bytes.saturating_sub(self.read).saturating_add(1);
            let room = (self.limits.record_bytes.saturating_sub(self.unit.len()) as u64).saturating_add(2);
            let count = (&mut self.input).take(left.min(room)).read_until(b'\n', &mut self.unit)?;
            self.count(count as u64)?;
            let line = self.line;
            let ended = self.unit.ends_with(b"\n");
            if self.unit.len() - usize::from(ended) > self.limits.record_bytes {
                return Err(self.too_long());
            }
            self.line += u64::from(ended);
            if !self.unit.trim_ascii().is_empty() {
                // Most lines open fewer values than may nest, and counting is ten times faster than following.
                if self.unit.iter().filter(|b| matches!(b, b'{' | b'[')).count() > self.limits.depth {
                    Nesting::default().run(&self.unit, self.limits.depth).map_err(|_| too_deep(line))?;
                }
                return Ok(Some(line));
            }
            if !ended {
                return Ok(None);
            }
            self.unit.clear();
        }
    }

    fn next_element(&mut self) -> Result<Option<u64>, Unreadable> {
        self.skip_space()?;
        let first = std::mem::take(&mut self.first);
        match self.peek()? {
            Some(b']') => return self.end_of_array(),
            Some(b',') if !first => {
                self.skip()?;
                self.skip_space()?;
            }
            Some(_) if first => {}
            _ => return Err(self.malformed("the array is not ended or an element not parted from the next")),
        }
        self.value().map(Some)
    }

    fn end_of_array(&mut self) -> Result<Option<u64>, Unreadable> {
        self.skip()?;
        self.skip_space()?;
        match self.peek()? {
            None => Ok(None),
            Some(_) => Err(self.malformed("something follows the end of the array")),
        }
    }

    fn next_object(&mut self) -> Result<Option<u64>, Unreadable> {
        if self.unit.is_empty() {
            self.skip_space()?;
            if self.peek()?.is_none() {
                return Ok(None);
            }
        }
        self.value().map(Some)
    }

    /// Reads one JSON value, as far as brackets and quotes tell, behind what `unit` already holds of it.
    fn value(&mut self) -> Result<u64, Unreadable> {
        let line = self.line;
        let mut nesting = Nesting::default();
        nesting.run(&self.unit, self.limits.depth).map_err(|_| too_deep(line))?;
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            let (used, ended) = nesting.run(chunk, self.limits.depth).map_err(|_| too_deep(line))?;
            self.unit.extend_from_slice(&chunk[..used]);
            self.line += chunk[..used].iter().filter(|b| **b == b'\n').count() as u64;
            self.input.consume(used);
            self.count(used as u64)?;
            if self.unit.len() > self.limits.record_bytes {
                return Err(self.too_long());
            }
            if ended {
                break;
            }
        }
        if self.unit.is_empty() { Err(self.malformed("a value is missing")) } else { Ok(line) }
    }

    fn peek(&mut self) -> Result<Option<u8>, Unreadable> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    /// Moves the next byte into the unit.
    fn take(&mut self) -> Result<(), Unreadable> {
        let byte = self.peek()?;
        self.unit.extend(byte);
        match self.unit.len() > self.limits.record_bytes {
            true => Err(self.too_long()),
            false => self.skip(),
        }
    }

    fn skip(&mut self) -> Result<(), Unreadable> {
        self.line += u64::from(self.peek()? == Some(b'\n'));
        self.input.consume(1);
        self.count(1)
    }

    fn skip_space(&mut self) -> Result<(), Unreadable> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek()? {
            self.skip()?;
        }
        Ok(())
    }

    fn count(&mut self, bytes: u64) -> Result<(), Unreadable> {
        self.read += bytes;
        if self.read > self.limits.bytes {
            let message = format!("the input is longer than {} bytes", self.limits.bytes);
            return Err(Problem::error("too_long", message).on_line(self.line).into());
        }
        Ok(())
    }

    fn too_long(&self) -> Unreadable {
        let message = format!("a record is longer than {} bytes", self.limits.record_bytes);
        Problem::error("too_long", message).on_line(self.line).into()
    }

    fn malformed(&self, message: &str) -> Unreadable {
        Problem::error("malformed", message).on_line(self.line).into()
    }
}

fn too_deep(line: u64) -> Unreadable {
    Problem::error("too_deep", "values nest deeper than allowed").on_line(line).into()
}

/// Follows brackets and quotes, right for any well-formed JSON and harmless for anything else.
#[derive(Debug, Default)]
struct Nesting {
    depth: usize,
    in_text: bool,
    escaped: bool,
    begun: bool,
}

/// It nests deeper than allowed.
struct TooDeep;

impl Nesting {
    /// Follows bytes until the value they belong to ends: how many are part of it, and whether it ended.
    fn run(&mut self, bytes: &[u8], deepest: usize) -> Result<(usize, bool), TooDeep> {
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                if self.in_text || self.depth > 0 {
                    continue;
                }
                return Ok((at + 1, true));
            }
            match byte {
                b'"' => self.in_text = true,
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' if self.depth == 1 => return Ok((at + 1, true)),
                b']' | b'}' if self.depth > 0 => self.depth -= 1,
                b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 && self.begun => return Ok((at, true)),
                b']' | b',' if self.depth == 0 => return Ok((at, true)),
                _ => {}
            }
            self.begun = true;
            if self.depth > deepest {
                return Err(TooDeep);
            }
        }
        Ok((bytes.len(), false))
    }
}

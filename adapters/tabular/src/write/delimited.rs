//! Delimited text, with a byte-order mark so that spreadsheets know it is UTF-8, and no cell they take for a formula.

use super::{Container, Layout};
use crate::mapping::Mapping;
use crate::row::Cell;
use crate::source::armed;
use encoding_rs::Encoding;
use silta_adapter::adapter::NotWritten;
use std::io::{self, Write};

pub(super) struct Delimited<'a> {
    out: &'a mut dyn Write,
    layout: Layout,
    delimiter: char,
    /// Another encoding than UTF-8.
    encoding: Option<&'static Encoding>,
}

impl<'a> Delimited<'a> {
    pub(super) fn new(out: &'a mut dyn Write, mapping: &Mapping) -> io::Result<Self> {
        let encoding = mapping.input.encoding.filter(|e| *e != encoding_rs::UTF_8 && e.output_encoding() == *e);
        if encoding.is_none() {
            out.write_all(b"\xEF\xBB\xBF")?;
        }
        let delimiter = char::from(mapping.input.delimiter.unwrap_or(b';'));
        let mut document = Self { out, layout: Layout::of(mapping), delimiter, encoding };
        for _ in 0..document.layout.above {
            document.put("\r\n")?;
        }
        if let Some(names) = document.layout.header.clone() {
            document.line(names.iter().map(String::as_str))?;
        }
        Ok(document)
    }

    fn line<'c>(&mut self, cells: impl Iterator<Item = &'c str>) -> io::Result<()> {
        let mut line = String::new();
        for (at, text) in cells.enumerate() {
            if at > 0 {
                line.push(self.delimiter);
            }
            let harmless = if armed(text) { format!("'{text}") } else { text.to_owned() };
            let quoted = harmless.contains([self.delimiter, '"', '\n', '\r']) || (at == 0 && harmless.is_empty());
            if quoted {
                line.push('"');
                line.push_str(&harmless.replace('"', "\"\""));
                line.push('"');
            } else {
                line.push_str(&harmless);
            }
        }
        line.push_str("\r\n");
        self.put(&line)
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        match self.encoding {
            None => self.out.write_all(text.as_bytes()),
            Some(encoding) => self.out.write_all(&encoding.encode(text).0),
        }
    }
}

impl Container for Delimited<'_> {
    fn row(&mut self, cells: Vec<Cell>) -> Result<(), NotWritten> {
        let cells = self.layout.placed(cells);
        let texts: Vec<_> = cells.iter().map(Cell::text).collect();
        Ok(self.line(texts.iter().map(|text| text.as_ref()))?)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

//! Sources: a document of any format as rows, streaming and within bounds.

mod csv;
mod encoding;
mod header;
mod json;
mod sheet;
mod tree;
mod xml;

use crate::mapping::{Format, Input};
use crate::row::{Columns, Row};
use header::Header;
use silta_adapter::adapter::{Limits, Unreadable};
use silta_adapter::problem::Problem;
use std::io::{BufRead, Read};

pub(crate) use csv::armed;

/// Where rows go.
pub(crate) type Each<'a> = dyn FnMut(Row) -> Result<(), Unreadable> + 'a;

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// The format recognised, where the mapping reads several.
    pub(crate) format: Option<Format>,
    /// Columns, or paths of leaves, that occurred; of trees at most [`MOST_PATHS`].
    pub(crate) columns: Columns,
}

/// Paths of a tree that are remembered.
const MOST_PATHS: usize = 10_000;

/// Bytes looked at to recognise a format, an encoding or a delimiter.
pub(crate) const HEAD: usize = 1 << 16;

/// Reads a document as rows. A table is any of the table formats, whichever of them the mapping names: a spreadsheet
/// saved as CSV is still the same rows.
///
/// # Errors
/// If the document is malformed, breaks a bound, or lacks columns that `wanted` names; or what `each` returns.
pub(crate) fn rows(
    input: &mut dyn BufRead,
    options: &Input,
    wanted: &[&str],
    limits: &Limits,
    each: &mut Each<'_>,
) -> Result<Source, Unreadable> {
    let mut head = Vec::with_capacity(HEAD);
    input.take(HEAD as u64).read_to_end(&mut head)?;
    let format = match options.format.is_table() {
        true => table_format(&head),
        false => options.format,
    };
    let mut input = (&head[..]).chain(input).take(limits.bytes.saturating_add(1));
    let input: &mut dyn BufRead = &mut input;
    let mut counted = Counted { input, left: limits.bytes };
    match format {
        Format::Csv | Format::Xlsx | Format::Ods => {
            let mut header = Header::new(options, wanted, each);
            let mut put = |number, cells| header.row(number, cells);
            match format {
                Format::Csv => csv::rows(&mut counted, &head, options, wanted, limits, &mut put)?,
                Format::Xlsx => sheet::xlsx(&mut counted, options, limits, &mut put)?,
                _ => sheet::ods(&mut counted, options, limits, &mut put)?,
            }
            Ok(Source { format: Some(format), columns: header.finish()? })
        }
        Format::Json | Format::Ndjson => json::rows(&mut counted, options, limits, each),
        Format::Xml => xml::rows(&mut counted, options, limits, each),
    }
}

/// The table format of a document by its first bytes: spreadsheets are zip archives, and an OpenDocument says at once
/// what it is.
pub(crate) fn table_format(head: &[u8]) -> Format {
    match head {
        [b'P', b'K', 3 | 5, ..] => {
            let start = &head[..head.len().min(200)];
            let ods = b"application/vnd.oasis.opendocument.spreadsheet";
            if start.windows(ods.len()).any(|w| w == ods) { Format::Ods } else { Format::Xlsx }
        }
        _ => Format::Csv,
    }
}

/// An input that fails when it is longer than it may be.
struct Counted<'a> {
    input: &'a mut dyn BufRead,
    left: u64,
}

/// How [`Counted`] fails; told apart from a failure of the input itself by its text.
const TOO_LONG: &str = "the input is longer than it may be";

impl Read for Counted<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        let left = self.left;
        let chunk = self.input.fill_buf()?;
        match (chunk.is_empty(), left) {
            (false, 0) => Err(std::io::Error::other(TOO_LONG)),
            _ => Ok(&chunk[..chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX))]),
        }
    }

    fn consume(&mut self, count: usize) {
        self.left -= count as u64;
        self.input.consume(count);
    }
}

/// An I/O error as it is told: a broken bound is the document's fault, not the input's.
fn failed(error: std::io::Error) -> Unreadable {
    match error.kind() {
        std::io::ErrorKind::Other if error.to_string().contains(TOO_LONG) => {
            Problem::error("too_long", TOO_LONG).into()
        }
        _ => error.into(),
    }
}

fn malformed(code: &'static str, message: impl Into<String>) -> Unreadable {
    Problem::error(code, message).into()
}

//! Delimited text.
//!
//! Rows are counted as a spreadsheet counts them: an empty line is a row, a line break inside quotes is not. Without a
//! stated encoding a byte-order mark tells it, and else each row is UTF-8 if it can be and Windows-1252 if it cannot.

use super::encoding::{Transcoded, by_mark};
use super::header::columns_of;
use super::{failed, malformed};
use crate::mapping::Input;
use crate::row::Cell;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use encoding_rs::{UTF_8, WINDOWS_1252};
use silta_adapter::adapter::{Limits, Unreadable};
use silta_adapter::problem::Problem;
use std::io::BufRead;

/// Delimiters that are recognised.
const DELIMITERS: [u8; 4] = [b';', b'\t', b',', b'|'];
/// Most fields in a row: as many as a spreadsheet has columns.
const MOST_FIELDS: usize = 16_384;

pub(super) fn rows(
    input: &mut dyn BufRead,
    head: &[u8],
    options: &Input,
    wanted: &[&str],
    limits: &Limits,
    put: &mut dyn FnMut(u64, Vec<Cell>) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let marked = by_mark(head);
    let encoding = options.encoding.or(marked.map(|(encoding, _)| encoding).filter(|e| *e != UTF_8));
    let start = match encoding {
        Some(encoding) => encoding.decode(head).0.into_owned().into_bytes(),
        None => head[marked.map_or(0, |(_, length)| length)..].to_vec(),
    };
    let (stated, skipped) = separator_line(&start);
    let delimiter = options.delimiter.or(stated).unwrap_or_else(|| recognise(&start[skipped..], wanted));
    match encoding {
        Some(encoding) => {
            let mut input = Transcoded::new(input, encoding);
            input.skip(skipped)?;
            split(&mut input, delimiter, u64::from(skipped > 0), limits, put)
        }
        None => {
            let mut input = input;
            input.skip(skipped + marked.map_or(0, |(_, length)| length))?;
            split(&mut input, delimiter, u64::from(skipped > 0), limits, put)
        }
    }
}

trait Skip {
    fn skip(&mut self, count: usize) -> Result<(), Unreadable>;
}

impl<T: BufRead> Skip for T {
    fn skip(&mut self, mut count: usize) -> Result<(), Unreadable> {
        while count > 0 {
            let there = self.fill_buf().map_err(failed)?.len().min(count);
            if there == 0 {
                break;
            }
            self.consume(there);
            count -= there;
        }
        Ok(())
    }
}

/// A first line `sep=;`, by which Excel is told the delimiter: the delimiter, and the length of the line.
fn separator_line(start: &[u8]) -> (Option<u8>, usize) {
    match start {
        [b's', b'e', b'p', b'=', delimiter, b'\r', b'\n', ..] => (Some(*delimiter), 7),
        [b's', b'e', b'p', b'=', delimiter, b'\n', ..] => (Some(*delimiter), 6),
        _ => (None, 0),
    }
}

/// The delimiter under which a row names most of the wanted columns; of equals the one under which most rows have the
/// same number of fields, and the more the better.
fn recognise(start: &[u8], wanted: &[&str]) -> u8 {
    let score = |delimiter: u8| {
        let rows = first_rows(start, delimiter);
        let named = |row: &Vec<Cell>| {
            let columns = columns_of(row);
            wanted.iter().filter(|name| columns.position(name).is_some()).count()
        };
        let same = |row: &&Vec<Cell>| (rows.iter().filter(|other| other.len() == row.len()).count(), row.len());
        (rows.iter().map(named).max(), rows.iter().filter(|row| row.len() > 1).map(|row| same(&row)).max())
    };
    // Of equals the first wins.
    DELIMITERS.into_iter().rev().max_by_key(|delimiter| score(*delimiter)).unwrap_or(b',')
}

fn first_rows(start: &[u8], delimiter: u8) -> Vec<Vec<Cell>> {
    let mut reader = reader(delimiter);
    let (mut out, mut ends) = (vec![0; start.len() + 1], vec![0; 1024]);
    let (mut from, mut rows) = (0, Vec::new());
    while rows.len() < 50 {
        let (result, read, written, count) = reader.read_record(&start[from..], &mut out, &mut ends);
        from += read;
        match result {
            ReadRecordResult::Record => rows.push(cells(&out[..written], &ends[..count])),
            _ => break,
        }
    }
    rows
}

fn reader(delimiter: u8) -> Reader {
    ReaderBuilder::new().delimiter(delimiter).build()
}

fn split(
    input: &mut dyn BufRead,
    delimiter: u8,
    before: u64,
    limits: &Limits,
    put: &mut dyn FnMut(u64, Vec<Cell>) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut reader = reader(delimiter);
    let (mut out, mut ends) = (vec![0; 1 << 12], vec![0; 64]);
    let (mut length, mut count) = (0, 0);
    // Line breaks inside fields so far: what physical lines are ahead of rows.
    let mut inside = 0;
    loop {
        let chunk = input.fill_buf().map_err(failed)?;
        let (result, read, written, fields) = reader.read_record(chunk, &mut out[length..], &mut ends[count..]);
        let terminated = read > 0 && chunk[read - 1] == b'\n';
        input.consume(read);
        length += written;
        count += fields;
        match result {
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::OutputFull if out.len() > limits.record_bytes => {
                let row = reader.line() + before - inside;
                let message =
                    format!("a row is longer than {} bytes; is a quotation mark not closed?", limits.record_bytes);
                return Err(Problem::error("too_long", message).on_line(row).into());
            }
            ReadRecordResult::OutputFull => out.resize((out.len() * 2).min(limits.record_bytes + 1), 0),
            ReadRecordResult::OutputEndsFull if ends.len() >= MOST_FIELDS => {
                return Err(malformed("too_many_columns", format!("a row has more than {MOST_FIELDS} columns")));
            }
            ReadRecordResult::OutputEndsFull => ends.resize((ends.len() * 2).min(MOST_FIELDS), 0),
            ReadRecordResult::Record => {
                let here = out[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
                inside += here;
                let row = (reader.line() + before).saturating_sub(inside + u64::from(terminated));
                put(row.max(1), cells(&out[..length], &ends[..count]))?;
                (length, count) = (0, 0);
            }
            ReadRecordResult::End => return Ok(()),
        }
    }
}

fn cells(bytes: &[u8], ends: &[usize]) -> Vec<Cell> {
    let utf8 = std::str::from_utf8(bytes).is_ok();
    let mut from = 0;
    ends.iter()
        .map(|end| {
            let field = &bytes[from..*end];
            from = *end;
            let text =
                if utf8 { String::from_utf8_lossy(field) } else { WINDOWS_1252.decode_without_bom_handling(field).0 };
            Cell::typed(disarmed(&text))
        })
        .collect()
}

/// Characters with which a spreadsheet takes a cell for a formula.
const ARMED: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Text as it was before [`armed`] was answered with an apostrophe.
fn disarmed(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.trim_start_matches('\'').starts_with(ARMED) => rest,
        _ => text,
    }
}

/// True for text that a spreadsheet would take for a formula, or that reading would take for such text made harmless.
/// An apostrophe in front makes it text again.
pub(crate) fn armed(text: &str) -> bool {
    let plain_number = text
        .strip_prefix(['+', '-'])
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',')));
    text.trim_start_matches('\'').starts_with(ARMED) && !plain_number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &Input, document: &[u8]) -> Vec<(u64, Vec<String>)> {
        let mut found = Vec::new();
        let mut put = |number, cells: Vec<Cell>| {
            found.push((number, cells.iter().map(|c| c.text().into_owned()).collect()));
            Ok(())
        };
        rows(&mut &document[..], document, options, &[], &Limits::default(), &mut put).expect("reads");
        found
    }

    fn row(number: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (number, cells.iter().map(|c| (*c).to_owned()).collect())
    }

    #[test]
    fn rows_are_counted_as_a_spreadsheet_counts_them() {
        let document = b"a;b\r\n\r\n\"x\ny\";2\r\n3;4\r\n\n5;6";
        let expected = [row(1, &["a", "b"]), row(3, &["x\ny", "2"]), row(4, &["3", "4"]), row(6, &["5", "6"])];
        assert_eq!(read(&Input::default(), document), expected);
        assert_eq!(read(&Input::default(), b"sep=|\na|b;c\n"), [row(2, &["a", "b;c"])]);
    }

    #[test]
    fn encodings_and_delimiters_are_recognised() {
        let utf16: Vec<u8> = "\u{FEFF}\u{e4}\t1\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for document in ["\u{FEFF}\u{e4};1\n".as_bytes(), "\u{e4};1\n".as_bytes(), b"\xe4;1\n", b"\xe4,1\n", &utf16] {
            assert_eq!(read(&Input::default(), document), [row(1, &["\u{e4}", "1"])], "{document:?}");
        }
        let stated = Input { encoding: Some(encoding_rs::WINDOWS_1252), delimiter: Some(b','), ..Input::default() };
        assert_eq!(read(&stated, b"\xc3\xa4;2,5"), [row(1, &["\u{c3}\u{a4};2", "5"])]);
        assert_eq!(recognise(b"a;b,c\n1,5;2\n2,5;3\n", &[]), b';', "decimal commas");
        assert_eq!(recognise(b"Title, long\na|b c\n1,5|2\n2,5|3\n3,5|x\n", &["b c"]), b'|', "the columns asked for");
    }

    #[test]
    fn an_apostrophe_takes_a_formula_its_power() {
        for (text, is_armed) in [
            ("=cmd()", true),
            ("'=x", true),
            ("@x", true),
            ("-5", false),
            ("-5,5", false),
            ("a=b", false),
            ("'s", false),
            ("-", true),
        ] {
            assert_eq!(armed(text), is_armed, "{text}");
            let written = if is_armed { format!("'{text}") } else { text.to_owned() };
            assert_eq!(disarmed(&written), text);
        }
    }
}

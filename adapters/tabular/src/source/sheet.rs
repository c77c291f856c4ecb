//! Spreadsheets. An `xlsx` sheet is streamed, its shared texts are held; an `ods` document is held whole. Archives are
//! measured before they are read, by unpacking them into nothing.

use super::{failed, malformed};
use crate::mapping::Input;
use crate::row::Cell;
use calamine::{Data, DataRef, DataType as _, Ods, Reader as _, Xlsx};
use jiff::civil;
use quick_xml::events::Event;
use silta_adapter::adapter::{Limits, Unreadable};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write as _};

/// Most bytes of an archive, packed; the sheet itself may unpack to [`MOST_UNPACKED`].
const MOST_PACKED: u64 = 256 << 20;
/// Most bytes an archive may unpack to.
const MOST_UNPACKED: u64 = 1 << 30;
/// Most bytes of what is held in memory: shared texts and styles of `xlsx`, all of `ods`.
const MOST_HELD: u64 = 128 << 20;
/// Most cells of an `ods` document, repetitions counted.
const MOST_CELLS: u64 = 4_000_000;
/// Columns of the widest sheet.
const WIDEST: u32 = 16_384;
/// Most parts of an archive.
const MOST_PARTS: usize = 10_000;

type Put<'a> = dyn FnMut(u64, Vec<Cell>) -> Result<(), Unreadable> + 'a;

pub(super) fn xlsx(
    input: &mut dyn BufRead,
    options: &Input,
    limits: &Limits,
    put: &mut Put<'_>,
) -> Result<(), Unreadable> {
    let file = measured(input, limits, |name| !name.starts_with("xl/worksheets/") && !name.starts_with("xl/media/"))?;
    let mut book = Xlsx::new(BufReader::new(file)).map_err(|_| bad())?;
    let sheet = sheet_name(options, &book.sheet_names())?;
    let mut cells = book.worksheet_cells_reader(&sheet).map_err(|_| bad())?;
    let mut row: Vec<Cell> = Vec::new();
    let (mut number, mut bytes) = (0u32, 0usize);
    while let Some(cell) = cells.next_cell().map_err(|_| bad())? {
        let (at, column) = cell.get_position();
        if at < number || column >= WIDEST {
            return Err(malformed("malformed", "cells of the sheet are out of order"));
        }
        if at > number {
            if !row.is_empty() {
                put(u64::from(number) + 1, std::mem::take(&mut row))?;
            }
            (number, bytes) = (at, 0);
        }
        let value = of_reference(cell.get_value());
        bytes += value.text().len();
        if bytes > limits.record_bytes {
            return Err(malformed("too_long", format!("row {} is longer than {} bytes", at + 1, limits.record_bytes)));
        }
        row.resize(row.len().max(column as usize), Cell::Empty);
        match row.get_mut(column as usize) {
            Some(there) => *there = value,
            None => row.push(value),
        }
    }
    if row.is_empty() { Ok(()) } else { put(u64::from(number) + 1, row) }
}

pub(super) fn ods(
    input: &mut dyn BufRead,
    options: &Input,
    limits: &Limits,
    put: &mut Put<'_>,
) -> Result<(), Unreadable> {
    let mut file = measured(input, limits, |name| !name.starts_with("Pictures/"))?;
    count_cells(&mut file)?;
    file.seek(SeekFrom::Start(0))?;
    let mut book = Ods::new(BufReader::new(file)).map_err(|_| bad())?;
    let sheet = sheet_name(options, &book.sheet_names())?;
    let range = book.worksheet_range(&sheet).map_err(|_| bad())?;
    let (top, left) = range.start().unwrap_or_default();
    for (at, cells) in range.rows().enumerate() {
        let mut row = vec![Cell::Empty; left as usize];
        row.extend(cells.iter().map(of_data));
        let bytes: usize = row.iter().map(|cell| cell.text().len()).sum();
        if bytes > limits.record_bytes {
            return Err(malformed("too_long", format!("a row is longer than {} bytes", limits.record_bytes)));
        }
        put(u64::from(top) + at as u64 + 1, row)?;
    }
    Ok(())
}

fn bad() -> Unreadable {
    malformed("malformed", "not a spreadsheet that can be read: the file is damaged or protected by a password")
}

/// The sheet to read: the one the mapping names, else the first.
fn sheet_name(options: &Input, there: &[String]) -> Result<String, Unreadable> {
    let found = match &options.sheet {
        None => there.first(),
        Some(name) => there.iter().find(|sheet| sheet.trim() == name.trim()),
    };
    found.cloned().ok_or_else(|| match &options.sheet {
        Some(name) => malformed("no_sheet", format!("there is no sheet {name}; there are {}", there.join(", "))),
        None => malformed("no_sheet", "the document has no sheet"),
    })
}

/// The archive in a private file, its bounds kept: unpacked into nothing once, since what it says of itself proves
/// nothing.
fn measured(input: &mut dyn BufRead, limits: &Limits, held: impl Fn(&str) -> bool) -> Result<File, Unreadable> {
    let mut file = tempfile::tempfile()?;
    let packed = std::io::copy(&mut input.take(MOST_PACKED + 1), &mut file).map_err(failed)?;
    if packed > MOST_PACKED {
        return Err(malformed("too_long", format!("the spreadsheet is longer than {MOST_PACKED} bytes")));
    }
    file.flush()?;
    let mut archive = zip::ZipArchive::new(BufReader::new(&mut file)).map_err(|_| bad())?;
    if archive.len() > MOST_PARTS {
        return Err(malformed("too_long", format!("the spreadsheet has more than {MOST_PARTS} parts")));
    }
    let most = MOST_UNPACKED.min(limits.bytes);
    let (mut unpacked, mut in_memory) = (0, 0);
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(|_| bad())?;
        let counts = held(&part.name().map_err(|_| bad())?);
        let size = std::io::copy(&mut part.take(most + 1), &mut std::io::sink()).map_err(|_| bad())?;
        unpacked += size;
        in_memory += if counts { size } else { 0 };
        if unpacked > most || in_memory > MOST_HELD {
            let message = format!(
                "the spreadsheet unpacks to more than {most} bytes, or to more than {MOST_HELD} that must be held"
            );
            return Err(malformed("too_long", message));
        }
    }
    drop(archive);
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// Counts the cells of an OpenDocument, since a few bytes can say "a million rows of this".
fn count_cells(file: &mut File) -> Result<(), Unreadable> {
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|_| bad())?;
    let part = archive.by_name("content.xml").map_err(|_| bad())?;
    let mut reader = quick_xml::Reader::from_reader(BufReader::new(part));
    let (mut buffer, mut cells, mut rows, mut row, mut trailing) = (Vec::new(), 0u64, 1u64, 0u64, 0u64);
    loop {
        buffer.clear();
        let (tag, opened) = match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) => (tag, true),
            Ok(Event::Empty(tag)) => (tag, false),
            Ok(Event::DocType(_)) => return Err(malformed("dtd", "a document type declaration is refused")),
            Ok(Event::End(tag)) if tag.name().as_ref() == "table:table-row" => {
                cells = cells.saturating_add(rows.saturating_mul(row));
                if cells > MOST_CELLS {
                    return Err(malformed("too_long", format!("the spreadsheet has more than {MOST_CELLS} cells")));
                }
                continue;
            }
            Ok(Event::Eof) => return Ok(()),
            Ok(_) => continue,
            Err(_) => return Err(bad()),
        };
        let repeated = |name: &str| {
            let found = tag.attributes().flatten().find(|a| a.key.as_ref() == name);
            found.and_then(|a| a.value.parse::<u64>().ok()).unwrap_or(1)
        };
        match tag.name().as_ref() {
            "table:table-row" => (rows, row, trailing) = (repeated("table:number-rows-repeated"), 0, 0),
            "table:table-cell" | "table:covered-table-cell" => {
                let count = repeated("table:number-columns-repeated");
                match opened {
                    // Empty cells at the end of a row are not kept.
                    false => trailing = trailing.saturating_add(count),
                    true => (row, trailing) = (row.saturating_add(trailing).saturating_add(count), 0),
                }
            }
            _ => {}
        }
    }
}

fn of_reference(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::String(text) => Cell::typed(text),
        DataRef::SharedString(text) => Cell::typed(text),
        other => of_data(&Data::from(other.clone())),
    }
}

fn of_data(value: &Data) -> Cell {
    match value {
        Data::Empty => Cell::Empty,
        Data::String(text) => Cell::typed(text),
        Data::Int(number) => Cell::Number(number.to_string()),
        Data::Float(number) => number_cell(*number),
        Data::Bool(truth) => Cell::Truth(*truth),
        Data::DateTime(moment) if moment.is_datetime() => {
            let (year, month, day, ..) = moment.to_ymd_hms_milli();
            match civil::Date::new(year as i16, month as i8, day as i8) {
                Ok(day) => Cell::Day(day),
                Err(_) => number_cell(moment.as_f64()),
            }
        }
        Data::DateTime(duration) => number_cell(duration.as_f64()),
        Data::DateTimeIso(text) => match text.get(..10).and_then(|day| day.parse().ok()) {
            Some(day) => Cell::Day(day),
            None => Cell::typed(text),
        },
        Data::Error(fault) => Cell::Fault(fault.to_string()),
        other => Cell::typed(&other.as_string().unwrap_or_default()),
    }
}

/// A number as a spreadsheet shows it: 15 significant digits, no exponent.
fn number_cell(number: f64) -> Cell {
    let shown = format!("{number:.14e}");
    let parsed = shown.parse::<f64>().ok().filter(|n| n.is_finite());
    match parsed {
        Some(number) => Cell::Number(format!("{number}")),
        None => Cell::Fault("#NUM!".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zip::write::SimpleFileOptions;

    /// An OpenDocument with one sheet.
    fn open_document(rows: &str) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let manifest = "<manifest:manifest xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\"/>";
        let content = format!(
            "<office:document-content xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
             xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" \
             xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\"><office:body><office:spreadsheet>\
             <table:table table:name=\"S\">{rows}</table:table></office:spreadsheet></office:body>\
             </office:document-content>"
        );
        for (name, part) in [
            ("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
            ("META-INF/manifest.xml", manifest),
            ("content.xml", content.as_str()),
        ] {
            archive
                .start_file(name, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored))
                .expect("a part");
            archive.write_all(part.as_bytes()).expect("written");
        }
        archive.finish().expect("finished").into_inner()
    }

    fn read_ods(document: &[u8]) -> Result<Vec<(u64, Vec<Cell>)>, Unreadable> {
        assert_eq!(crate::source::table_format(document), crate::mapping::Format::Ods);
        let mut found = Vec::new();
        let mut put = |number, cells| {
            found.push((number, cells));
            Ok(())
        };
        ods(&mut &document[..], &Input::default(), &Limits::default(), &mut put)?;
        Ok(found)
    }

    #[test]
    fn an_open_document_is_read_and_its_repetitions_are_bounded() {
        let cell = |inside: &str| format!("<table:table-cell {inside}</table:table-cell>");
        let text = |text: &str| cell(&format!("office:value-type=\"string\"><text:p>{text}</text:p>"));
        let day = cell("office:value-type=\"date\" office:date-value=\"2025-05-14\"><text:p>14.5.25</text:p>");
        let rest = "<table:table-cell table:number-columns-repeated=\"16000\"/>";
        let row = |cells: &str| format!("<table:table-row>{cells}{rest}</table:table-row>");
        let empty = "<table:table-row table:number-rows-repeated=\"2\"><table:table-cell/></table:table-row>";
        let document = open_document(&format!("{}{empty}{}", row(&text("Nimi")), row(&(text("a") + &day))));
        let rows = read_ods(&document).expect("reads");
        assert_eq!(rows.first().map(|(n, cells)| (*n, cells[0].clone())), Some((1, Cell::typed("Nimi"))));
        let day = civil::date(2025, 5, 14);
        assert_eq!(
            rows.last().map(|(n, cells)| (*n, cells.clone())),
            Some((4, vec![Cell::typed("a"), Cell::Day(day)]))
        );
        let bomb = format!(
            "<table:table-row table:number-rows-repeated=\"1000000\">{}</table:table-row>",
            cell("table:number-columns-repeated=\"16000\" office:value-type=\"string\"><text:p>x</text:p>")
        );
        let refused = read_ods(&open_document(&bomb)).expect_err("too many cells").to_string();
        assert!(refused.contains("more than 4000000 cells"), "{refused}");
    }

    #[test]
    fn numbers_are_those_a_spreadsheet_shows() {
        for (number, shown) in
            [(2.5, "2.5"), (0.1 + 0.2, "0.3"), (123_456_789_012_345.0, "123456789012345"), (5.0, "5"), (-0.25, "-0.25")]
        {
            assert_eq!(number_cell(number), Cell::Number(shown.to_owned()));
        }
    }
}

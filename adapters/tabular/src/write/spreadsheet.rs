//! An Excel workbook. Rows go to a private file while they come; the workbook is written at the end.

use super::{Container, Layout};
use crate::mapping::Mapping;
use crate::row::Cell;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, Worksheet, XlsxError};
use silta_adapter::adapter::{NotWritten, Refusal};
use silta_adapter::problem::Problem;
use silta_adapter::record::Amount;
use std::io::{self, Write};

/// Characters in a cell, and rows in a sheet, at most.
const LONGEST: usize = 32_767;
const MOST_ROWS: u32 = 1_048_576;

pub(super) struct Spreadsheet<'a> {
    out: &'a mut dyn Write,
    book: Workbook,
    layout: Layout,
    next: u32,
}

impl<'a> Spreadsheet<'a> {
    pub(super) fn new(out: &'a mut dyn Write, mapping: &Mapping, instant: jiff::Timestamp) -> io::Result<Self> {
        let mut book = Workbook::new();
        // Without a stated time the workbook would carry the machine's.
        let made = ExcelDateTime::from_timestamp(instant.as_second()).map_err(failed)?;
        book.set_properties(&DocProperties::new().set_creation_datetime(&made));
        let sheet = book.add_worksheet_with_constant_memory().map_err(failed)?;
        if let Some(name) = &mapping.input.sheet {
            sheet.set_name(name).map_err(failed)?;
        }
        let layout = Layout::of(mapping);
        let mut next = u32::try_from(layout.above).unwrap_or(MOST_ROWS).min(MOST_ROWS - 1);
        if let Some(names) = &layout.header {
            for (at, name) in names.iter().enumerate() {
                sheet.write_string(next, column(at), name).map_err(failed)?;
            }
            sheet.set_freeze_panes(next + 1, 0).map_err(failed)?;
            next += 1;
        }
        Ok(Self { out, book, layout, next })
    }
}

impl Container for Spreadsheet<'_> {
    fn row(&mut self, cells: Vec<Cell>) -> Result<(), NotWritten> {
        let cells = self.layout.placed(cells);
        if self.next >= MOST_ROWS {
            let message = format!("a sheet has at most {MOST_ROWS} rows");
            return Err(Refusal::from(Problem::error("too_many_rows", message)).into());
        }
        if cells.iter().any(|cell| cell.text().encode_utf16().count() > LONGEST) {
            let message = format!("a cell of a spreadsheet holds at most {LONGEST} characters");
            return Err(Refusal::from(Problem::error("too_long", message)).into());
        }
        let sheet = self.book.worksheet_from_index(0).map_err(failed)?;
        for (at, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            put(sheet, self.next, column(at), cell).map_err(failed)?;
        }
        self.next += 1;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let document = self.book.save_to_buffer().map_err(failed)?;
        self.out.write_all(&document)?;
        self.out.flush()
    }
}

fn column(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// Numbers as such where a spreadsheet keeps all their digits, the rest as text, which is never a formula.
fn put(sheet: &mut Worksheet, row: u32, column: u16, cell: &Cell) -> Result<(), XlsxError> {
    let text = cell.text();
    let exact = match cell {
        Cell::Number(digits) => digits.parse::<f64>().ok().filter(|number| {
            let shown = format!("{number}").parse::<Amount>();
            digits.bytes().filter(u8::is_ascii_digit).count() <= 15
                && shown.is_ok_and(|s| digits.parse().ok() == Some(s))
        }),
        _ => None,
    };
    match exact {
        Some(number) => sheet.write_number(row, column, number).map(|_| ()),
        None => sheet.write_string(row, column, text.as_ref()).map(|_| ()),
    }
}

fn failed(e: XlsxError) -> io::Error {
    io::Error::other(e.to_string())
}

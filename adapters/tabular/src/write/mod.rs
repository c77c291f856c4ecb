//! Records into rows.
//!
//! What a row does not hold of its records is found by reading it back: the difference is the loss. A row that would be
//! read as other records than it was made of is refused.

mod compose;
mod delimited;
mod losses;
mod spreadsheet;
mod structured;

use crate::Tabular;
use crate::mapping::{Format, HeaderRow, Mapping};
use crate::row::{Cell, letters};
use compose::Composer;
use silta_adapter::adapter::{DocumentWriter, Encode, EncodeContext, ItemPlan, NotWritten};
use silta_adapter::fidelity::Loss;
use silta_adapter::problem::Problem;
use silta_adapter::record::Record;
use std::io::{self, Write};

/// A document of rows being written.
trait Container {
    /// Adds a row; nothing of it is written if it is refused.
    fn row(&mut self, cells: Vec<Cell>) -> Result<(), NotWritten>;
    fn finish(self: Box<Self>) -> io::Result<()>;
}

impl Encode for Tabular {
    fn items(&self, records: &[Record]) -> (Vec<ItemPlan>, Vec<Problem>) {
        (compose::items(&self.mapping, records), Vec::new())
    }

    /// An OpenDocument is written as an Excel workbook, which every spreadsheet program opens.
    fn document<'a>(
        &'a self,
        out: &'a mut dyn Write,
        form: Option<&str>,
        ctx: EncodeContext<'a>,
    ) -> io::Result<Box<dyn DocumentWriter + 'a>> {
        let mapping = &self.mapping;
        let asked = [Format::Csv, Format::Xlsx, Format::Ods].into_iter().find(|f| form == Some(f.name()));
        let format = asked.filter(|_| mapping.input.format.is_table()).unwrap_or(mapping.input.format);
        let container: Box<dyn Container + 'a> = match format {
            Format::Csv => Box::new(delimited::Delimited::new(out, mapping)?),
            Format::Xlsx | Format::Ods => Box::new(spreadsheet::Spreadsheet::new(out, mapping, ctx.instant)?),
            Format::Json | Format::Ndjson | Format::Xml => Box::new(structured::Structured::new(out, mapping)?),
        };
        Ok(Box::new(Rows { mapping, container }))
    }
}

struct Rows<'a> {
    mapping: &'a Mapping,
    container: Box<dyn Container + 'a>,
}

impl DocumentWriter for Rows<'_> {
    fn write(&mut self, item: &[Record]) -> Result<Vec<Loss>, NotWritten> {
        let (cells, losses) = Composer::of(self.mapping, item).item(item)?;
        self.container.row(cells)?;
        Ok(losses)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.container.finish()
    }
}

/// Where the columns of a mapping stand in a table, and the rows above its records.
struct Layout {
    /// The place of each column.
    places: Vec<usize>,
    header: Option<Vec<String>>,
    /// Empty rows above the header.
    above: u64,
}

impl Layout {
    fn of(mapping: &Mapping) -> Layout {
        let names = mapping.written();
        let header = || Some(names.iter().map(|name| (*name).to_owned()).collect());
        match mapping.input.header {
            HeaderRow::Found => Layout { places: (0..names.len()).collect(), header: header(), above: 0 },
            HeaderRow::At(row) => Layout { places: (0..names.len()).collect(), header: header(), above: row - 1 },
            HeaderRow::None => {
                let place = |name: &&str| (0..702).find(|at| letters(*at).eq_ignore_ascii_case(name.trim()));
                Layout { places: names.iter().filter_map(place).collect(), header: None, above: 0 }
            }
        }
    }

    /// The cells of a row in their places.
    fn placed(&self, cells: Vec<Cell>) -> Vec<Cell> {
        let width = self.places.iter().max().map_or(0, |last| last + 1);
        let mut row = vec![Cell::Empty; width];
        for (place, cell) in self.places.iter().zip(cells) {
            row[*place] = cell;
        }
        row
    }
}

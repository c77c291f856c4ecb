//! The header row of a table: stated, or found below titles and merged cells.

use super::Each;
use crate::mapping::{HeaderRow, Input, nearest};
use crate::row::{Cell, Columns, Row};
use silta_adapter::adapter::Unreadable;
use silta_adapter::problem::Problem;
use std::rc::Rc;

/// Rows among which the header is looked for.
const DEPTH: usize = 30;

/// Waits for the header, then gives the rows below it.
pub(super) struct Header<'a, 'e> {
    options: &'a Input,
    wanted: &'a [&'a str],
    each: &'a mut Each<'e>,
    found: Option<Rc<Columns>>,
    waiting: Vec<(u64, Vec<Cell>)>,
}

impl<'a, 'e> Header<'a, 'e> {
    pub(super) fn new(options: &'a Input, wanted: &'a [&'a str], each: &'a mut Each<'e>) -> Self {
        Self { options, wanted, each, found: None, waiting: Vec::new() }
    }

    /// Takes the next row of cells.
    pub(super) fn row(&mut self, number: u64, cells: Vec<Cell>) -> Result<(), Unreadable> {
        if self.found.is_some() {
            return self.put(number, cells);
        }
        match self.options.header {
            HeaderRow::None => {
                self.found = Some(Rc::new(Columns::of_table(vec!["".into(); WIDEST.max(cells.len())])));
                self.put(number, cells)
            }
            HeaderRow::At(row) if number < row => Ok(()),
            HeaderRow::At(_) => self.settle(number, &cells),
            HeaderRow::Found => {
                self.waiting.push((number, cells));
                if self.waiting.len() < DEPTH { Ok(()) } else { self.find() }
            }
        }
    }

    /// Ends the table: its columns.
    pub(super) fn finish(mut self) -> Result<Columns, Unreadable> {
        if self.found.is_none() {
            match self.options.header {
                HeaderRow::None => return Ok(Columns::default()),
                HeaderRow::At(row) => {
                    return Err(Problem::error("no_header", format!("there is no header row {row}")).into());
                }
                HeaderRow::Found => self.find()?,
            }
        }
        Ok(self.found.map(Rc::unwrap_or_clone).unwrap_or_default())
    }

    /// The header is the row that names most of the wanted columns; of equals the first.
    fn find(&mut self) -> Result<(), Unreadable> {
        let rows = std::mem::take(&mut self.waiting);
        let named = |cells: &[Cell]| {
            let columns = columns_of(cells);
            self.wanted.iter().filter(|name| columns.position(name).is_some()).count()
        };
        let best = rows.iter().enumerate().rev().max_by_key(|(_, (_, cells))| named(cells));
        let Some((at, (number, cells))) = best.filter(|(_, (_, cells))| self.wanted.is_empty() || named(cells) > 0)
        else {
            let message = format!(
                "none of the first {DEPTH} rows is a header with the columns of the mapping: {}",
                self.wanted.join(", ")
            );
            return Err(Problem::error("no_header", message).into());
        };
        self.settle(*number, cells)?;
        rows.into_iter().skip(at + 1).try_for_each(|(number, cells)| self.put(number, cells))
    }

    fn settle(&mut self, number: u64, cells: &[Cell]) -> Result<(), Unreadable> {
        let columns = columns_of(cells);
        let missing: Vec<String> = self
            .wanted
            .iter()
            .filter(|name| columns.position(name).is_none())
            .map(|name| match nearest(name, columns.names().iter().map(|n| n.as_str())) {
                Some(near) => format!("{name} (is it {near}?)"),
                None => (*name).to_owned(),
            })
            .collect();
        if !missing.is_empty() {
            let message = format!("the header lacks columns the mapping reads: {}", missing.join(", "));
            return Err(Problem::error("no_column", message).on_line(number).into());
        }
        self.found = Some(Rc::new(columns));
        Ok(())
    }

    fn put(&mut self, number: u64, cells: Vec<Cell>) -> Result<(), Unreadable> {
        match &self.found {
            Some(columns) if cells.iter().any(|cell| !cell.is_empty()) => {
                (self.each)(Row { number, columns: columns.clone(), cells })
            }
            _ => Ok(()),
        }
    }
}

/// Columns that a table without a header has at least.
const WIDEST: usize = 702;

pub(super) fn columns_of(cells: &[Cell]) -> Columns {
    // Cells to the right of the last name are no columns.
    let width = cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |at| at + 1);
    Columns::of_table(cells[..width].iter().map(Cell::text))
}

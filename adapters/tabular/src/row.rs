//! A row of any source: cells under named columns, and where the row stands.

use jiff::civil;
use silta_adapter::SmolStr;
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// What stands in a cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Cell {
    /// Nothing, or white space only.
    #[default]
    Empty,
    /// Text without surrounding white space; in files without types also numbers and dates.
    Text(String),
    /// A number a spreadsheet or JSON holds as such, in plain decimal digits.
    Number(String),
    /// A day a spreadsheet holds as such.
    Day(civil::Date),
    /// A truth value.
    Truth(bool),
    /// A list, as JSON and XML have them.
    Many(Vec<String>),
    /// An error value of a spreadsheet (`#N/A`).
    Fault(String),
}

impl Cell {
    /// A cell of text as typed.
    pub(crate) fn typed(text: &str) -> Self {
        match text.trim() {
            "" => Self::Empty,
            text => Self::Text(text.to_owned()),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Many(items) => items.is_empty(),
            _ => false,
        }
    }

    /// The cell as text, dates in ISO 8601.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Empty => Cow::Borrowed(""),
            Self::Text(text) | Self::Number(text) | Self::Fault(text) => Cow::Borrowed(text),
            Self::Day(day) => Cow::Owned(day.to_string()),
            Self::Truth(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
            Self::Many(items) => Cow::Owned(items.join(", ")),
        }
    }
}

/// The names of a source's columns, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Columns {
    names: Vec<SmolStr>,
    /// Places by name, as it is and folded.
    index: HashMap<String, usize>,
    /// True where columns have letters, as in spreadsheets.
    lettered: bool,
}

impl Columns {
    /// Columns of a table: a name that comes again is numbered (`Nimi (2)`), one without a name goes by its letter.
    pub(crate) fn of_table<'a>(names: impl IntoIterator<Item = Cow<'a, str>>) -> Self {
        let mut columns = Self { lettered: true, ..Self::default() };
        for (at, name) in names.into_iter().enumerate() {
            let name = match name.split_whitespace().collect::<Vec<_>>().join(" ") {
                name if name.is_empty() => letters(at),
                name => name,
            };
            let mut unique = name.clone();
            let mut count = 1;
            while columns.index.contains_key(&folded(&unique)) {
                count += 1;
                unique = format!("{name} ({count})");
            }
            columns.add(unique.into());
        }
        columns
    }

    /// Columns of a tree: the paths of its leaves.
    pub(crate) fn of_tree(names: Vec<SmolStr>) -> Self {
        let mut columns = Self::default();
        names.into_iter().for_each(|name| columns.add(name));
        columns
    }

    fn add(&mut self, name: SmolStr) {
        self.index.entry(folded(&name)).or_insert(self.names.len());
        self.index.entry(name.to_string()).or_insert(self.names.len());
        self.names.push(name);
    }

    pub(crate) fn names(&self) -> &[SmolStr] {
        &self.names
    }

    /// The place of a column; case and inner white space do not matter.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        // Most are written as they are there, and folding is the dear part.
        self.index.get(name).or_else(|| self.index.get(&folded(name))).copied()
    }

    /// A column for people: its name and, in a spreadsheet, its letter.
    pub(crate) fn shown(&self, name: &str) -> String {
        match self.position(name) {
            Some(at) if self.lettered && letters(at) != name => format!("{name} (column {})", letters(at)),
            _ => name.to_owned(),
        }
    }
}

/// A name as it is compared: without case, white space collapsed.
pub(crate) fn folded(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The letters a spreadsheet gives a column, counted from 0.
pub(crate) fn letters(at: usize) -> String {
    let mut text = Vec::new();
    let mut rest = at + 1;
    while rest > 0 {
        rest -= 1;
        text.push((b'A' + (rest % 26) as u8) as char);
        rest /= 26;
    }
    text.iter().rev().collect()
}

/// A row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    /// Where it stands: the row as a spreadsheet counts it, or the line in JSON and XML; from 1.
    pub(crate) number: u64,
    pub(crate) columns: Rc<Columns>,
    pub(crate) cells: Vec<Cell>,
}

static EMPTY: Cell = Cell::Empty;

impl Row {
    pub(crate) fn cell(&self, column: &str) -> &Cell {
        self.columns.position(column).and_then(|at| self.cells.get(at)).unwrap_or(&EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_letters_as_in_a_spreadsheet() {
        for (at, expected) in [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (701, "ZZ"), (702, "AAA")] {
            assert_eq!(letters(at), expected);
        }
    }

    #[test]
    fn names_are_told_apart_and_found_however_they_are_typed() {
        let columns = Columns::of_table(["Nimi", "", " Nimi ", "Suoritus-\npäivä  (pvm)"].map(Cow::Borrowed));
        assert_eq!(columns.names(), ["Nimi", "B", "Nimi (2)", "Suoritus- päivä (pvm)"]);
        assert_eq!(columns.position("suoritus- päivä (PVM)"), Some(3));
        assert_eq!(columns.shown("Nimi (2)"), "Nimi (2) (column C)");
        assert_eq!(columns.shown("B"), "B");
    }
}

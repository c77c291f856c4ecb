//! The mapping file: which cells make which fields of which records. Everything in it is checked when it is read, each
//! complaint with its line.

mod codes;
mod convert;
mod example;
mod expression;
mod file;
mod path;

pub(crate) use convert::{Conversion, DatePattern, Fault};
pub(crate) use example::{ExpectedProblem, Test};
pub(crate) use expression::Expression;
pub(crate) use path::{Paths, Target, nearest};

use crate::row::{Cell, Row, folded};
use encoding_rs::Encoding;
use serde::Deserialize;
use silta_adapter::SmolStr;
use silta_adapter::mapping::Mappings;
use silta_adapter::record::RecordKind;
use std::collections::BTreeSet;

/// A mapping file that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{file}, line {line}: {reason}")]
pub struct BadMappingFile {
    /// Which file.
    pub file: String,
    /// Which line of it, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// A mapping, ready to use.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) summary: Option<String>,
    pub(crate) input: Input,
    pub(crate) blocks: Vec<Block>,
    pub(crate) tests: Vec<Test>,
    read: BTreeSet<String>,
}

/// The format of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Csv,
    Xlsx,
    Ods,
    Json,
    Ndjson,
    Xml,
}

impl Format {
    /// True for rows and columns, false for trees.
    pub(crate) fn is_table(self) -> bool {
        matches!(self, Self::Csv | Self::Xlsx | Self::Ods)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Ods => "ods",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Xml => "xml",
        }
    }
}

/// Where the header of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderRow {
    /// Wherever the columns of the mapping are named.
    Found,
    /// In this row.
    At(u64),
    /// Nowhere: columns go by their letters.
    None,
}

/// How a document is read.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) format: Format,
    /// Recognised, if not stated.
    pub(crate) delimiter: Option<u8>,
    /// Recognised, if not stated.
    pub(crate) encoding: Option<&'static Encoding>,
    /// The first, if not stated.
    pub(crate) sheet: Option<String>,
    pub(crate) header: HeaderRow,
    /// Of trees: the names that lead to each list, from the outermost to the rows.
    pub(crate) rows: Vec<Vec<SmolStr>>,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            format: Format::Csv,
            delimiter: None,
            encoding: None,
            sheet: None,
            header: HeaderRow::Found,
            rows: Vec::new(),
        }
    }
}

/// The fields of one kind of record.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) kind: RecordKind,
    /// Which rows hold such a record; without it those with a value in a column of its own.
    pub(crate) when: Option<Expression>,
    /// The head: what makes up the key comes first.
    pub(crate) head: Vec<Field>,
    pub(crate) body: Vec<Field>,
    /// Columns whose values say that a row holds such a record, where no condition does.
    pub(crate) telling: Vec<String>,
}

impl Block {
    pub(crate) fn new(kind: RecordKind, when: Option<Expression>, head: Vec<Field>, body: Vec<Field>) -> Self {
        let of = |fields: &mut dyn Iterator<Item = &Field>| -> BTreeSet<String> {
            fields.flat_map(Field::columns).map(str::to_owned).collect()
        };
        // What other records of the row share says nothing of this one: whose it is, and who says it.
        let shared = of(&mut head.iter().filter(|field| field.target.name != "id"));
        let all = of(&mut head.iter().filter(|field| field.target.name == "id").chain(&body));
        let own: Vec<String> = all.difference(&shared).cloned().collect();
        let telling = if own.is_empty() { all.into_iter().collect() } else { own };
        Self { kind, when, head, body, telling }
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.head.iter().chain(&self.body)
    }
}

/// Where a value comes from and what becomes of it.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) target: Target,
    pub(crate) from: From,
    pub(crate) conversion: Conversion,
    /// Stands where the cell is empty.
    pub(crate) default: Option<String>,
    /// The field is there only in rows for which this is true.
    pub(crate) when: Option<Expression>,
    /// An empty cell refuses the record.
    pub(crate) required: bool,
    /// A table may lack the column.
    pub(crate) optional: bool,
}

/// Where a value comes from.
#[derive(Debug)]
pub(crate) enum From {
    /// One column.
    Column(String),
    /// Text with columns in it: `{Koodi}-{Versio}`.
    Text(Vec<Piece>),
    /// The same for all rows.
    Value(String),
    /// An expression over the row.
    Expression(Expression),
}

/// A piece of a text with columns in it.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    Literal(String),
    Column(String),
}

impl Field {
    /// The columns it reads, those of expressions left out.
    pub(crate) fn columns(&self) -> Vec<&str> {
        match &self.from {
            From::Column(name) => vec![name],
            From::Text(pieces) => pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Column(name) => Some(name.as_str()),
                    Piece::Literal(_) => None,
                })
                .collect(),
            From::Value(_) | From::Expression(_) => Vec::new(),
        }
    }

    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let own = match &self.from {
            From::Expression(expression) => Some(expression),
            _ => None,
        };
        own.into_iter().chain(&self.when)
    }

    /// The cell a row gives, before conversion. A text is empty if all of its columns are, or — in a key — any.
    pub(crate) fn cell(&self, row: &Row, key: bool) -> Result<Cell, Fault> {
        match &self.from {
            From::Column(name) => Ok(row.cell(name).clone()),
            From::Value(value) => Ok(Cell::typed(value)),
            From::Expression(expression) => expression.value(row),
            From::Text(pieces) => {
                let columns = self.columns();
                let empty = columns.iter().filter(|name| row.cell(name).is_empty()).count();
                if (key && empty > 0) || empty == columns.len() {
                    return Ok(Cell::Empty);
                }
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Literal(literal) => text.push_str(literal),
                        Piece::Column(name) => text.push_str(&self.conversion.inside(row.cell(name))),
                    }
                }
                Ok(Cell::typed(&text))
            }
        }
    }
}

impl Mapping {
    /// Reads a mapping file; `name` is for complaints.
    ///
    /// # Errors
    /// If it is not TOML of the right shape, or names a field, a code list or an expression that cannot be.
    pub(crate) fn read(name: &str, text: &str, mappings: &Mappings) -> Result<Self, BadMappingFile> {
        file::read(text, mappings).map_err(|(line, reason)| BadMappingFile { file: name.to_owned(), line, reason })
    }

    /// The columns a table must have.
    pub(crate) fn wanted(&self) -> Vec<&str> {
        let mut wanted: Vec<&str> = Vec::new();
        for field in self.blocks.iter().flat_map(Block::fields).filter(|field| !field.optional) {
            for name in field.columns() {
                if !wanted.contains(&name) {
                    wanted.push(name);
                }
            }
        }
        wanted
    }

    /// All columns that are written, in the order of the file.
    pub(crate) fn written(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.blocks.iter().flat_map(Block::fields).flat_map(Field::columns) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// True if some field or expression reads a column.
    pub(crate) fn reads(&self, column: &str) -> bool {
        self.read.contains(&folded(column))
    }
}

/// All columns that fields and expressions read, folded.
fn read_columns(blocks: &[Block]) -> BTreeSet<String> {
    let fields = || blocks.iter().flat_map(Block::fields);
    let expressions = fields().flat_map(Field::expressions).chain(blocks.iter().flat_map(|block| &block.when));
    let quoted = expressions.flat_map(Expression::quoted);
    fields().flat_map(Field::columns).chain(quoted).map(folded).collect()
}

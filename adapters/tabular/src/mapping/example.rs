//! The tests in a mapping file: rows, and the records and problems they should give.

use super::file::{Complaint, Entry, Reader, scalar};
use super::path::{Leaf, Paths, Target};
use crate::row::Cell;
use serde::Deserialize;
use silta_adapter::SmolStr;
use silta_adapter::record::RecordKind;
use std::collections::BTreeMap;

/// A test in a mapping file.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) rows: Vec<Vec<(String, Cell)>>,
    /// The records the rows give, in order; of each the fields that are looked at.
    pub(crate) records: Vec<Expected>,
    /// The problems they give, in order.
    pub(crate) problems: Vec<ExpectedProblem>,
}

/// A record that a test expects.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) kind: RecordKind,
    pub(crate) fields: Vec<(Target, toml::Value)>,
}

/// A problem that a test expects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedProblem {
    pub(crate) code: String,
    pub(crate) column: Option<String>,
    /// The row of the test it is on, from 1.
    pub(crate) row: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestFile {
    name: String,
    row: Option<BTreeMap<String, toml::Value>>,
    #[serde(default)]
    rows: Vec<BTreeMap<String, toml::Value>>,
    #[serde(default)]
    records: Vec<toml::Table>,
    #[serde(default)]
    problems: Vec<ExpectedProblem>,
}

impl<'t> Reader<'t> {
    /// A `[[test]]` entry.
    pub(super) fn test(&self, entry: &Entry<'t>) -> Result<Test, Complaint> {
        let line = self.at(entry);
        let file: TestFile = self.typed(entry)?;
        let cells = |row: BTreeMap<String, toml::Value>| row.into_iter().map(|(n, v)| (n, cell(&v))).collect();
        let rows: Vec<Vec<(String, Cell)>> = file.row.into_iter().chain(file.rows).map(cells).collect();
        if rows.is_empty() {
            return Err((line, format!("the test {} has no row", file.name)));
        }
        let records = file.records.into_iter().map(|record| self.expected(record)).collect::<Result<_, _>>();
        Ok(Test {
            records: records.map_err(|reason| (line, format!("the test {}: {reason}", file.name)))?,
            name: file.name,
            line,
            rows,
            problems: file.problems,
        })
    }

    fn expected(&self, mut record: toml::Table) -> Result<Expected, String> {
        let kind = record.remove("kind").and_then(|kind| RecordKind::from_name(kind.as_str()?));
        let kind = kind.ok_or("an expected record needs its kind")?;
        let mut fields = Vec::new();
        for name in ["id", "learner", "institution", "state"] {
            if let Some(value) = record.remove(name) {
                fields.push((Paths::head(name, Leaf::Text), value));
            }
        }
        self.expected_below(kind, record, &mut Vec::new(), &mut fields)?;
        Ok(Expected { kind, fields })
    }

    fn expected_below(
        &self,
        kind: RecordKind,
        table: toml::Table,
        above: &mut Vec<SmolStr>,
        out: &mut Vec<(Target, toml::Value)>,
    ) -> Result<(), String> {
        for (name, value) in table {
            let depth = above.len();
            above.extend(name.split('.').map(SmolStr::new));
            match value {
                toml::Value::Table(below) => self.expected_below(kind, below, above, out)?,
                value => out.push((self.paths.body(kind, above)?, value)),
            }
            above.truncate(depth);
        }
        Ok(())
    }
}

/// A cell of a test's row.
fn cell(value: &toml::Value) -> Cell {
    match value {
        toml::Value::Integer(number) => Cell::Number(number.to_string()),
        toml::Value::Float(number) => Cell::Number(number.to_string()),
        toml::Value::Boolean(truth) => Cell::Truth(*truth),
        toml::Value::Datetime(moment) => match moment.to_string().get(..10).and_then(|day| day.parse().ok()) {
            Some(day) => Cell::Day(day),
            None => Cell::typed(&moment.to_string()),
        },
        toml::Value::Array(items) => Cell::Many(items.iter().map(scalar).collect()),
        other => Cell::typed(&scalar(other)),
    }
}

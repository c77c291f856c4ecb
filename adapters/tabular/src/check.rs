//! The tests inside a mapping file.

use crate::Tabular;
use crate::mapping::{ExpectedProblem, Test};
use crate::read;
use crate::row::{Cell, Columns, Row};
use serde_json::Value;
use silta_adapter::adapter::{DecodeContext, Limits};
use silta_adapter::problem::Problem;
use silta_adapter::record::Record;
use std::borrow::Cow;
use std::rc::Rc;

/// How a test of a mapping file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The name of the test.
    pub name: String,
    /// Its line in the file, from 1.
    pub line: usize,
    /// What was not as expected; nothing if it passed.
    pub failures: Vec<String>,
}

/// Runs the tests of a mapping file, in their order.
pub fn check(mapping: &Tabular) -> Vec<Verdict> {
    let verdict = |test: &Test| Verdict { name: test.name.clone(), line: test.line, failures: run(mapping, test) };
    mapping.mapping.tests.iter().map(verdict).collect()
}

fn run(mapping: &Tabular, test: &Test) -> Vec<String> {
    let mapping = &mapping.mapping;
    let ctx = DecodeContext { tenant: "tenant".into(), source: "source".into(), limits: Limits::default() };
    let (mut records, mut problems, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for (at, cells) in test.rows.iter().enumerate() {
        if let Some((name, _)) = cells.iter().find(|(name, _)| !mapping.reads(name)) {
            failures.push(format!("the row has a column that the mapping does not read: {name}"));
        }
        let row = row(at as u64 + 1, cells, mapping.input.format.is_table());
        for block in &mapping.blocks {
            match read::record(block, &row, &ctx) {
                Ok(record) => records.extend(record),
                Err(more) => problems.extend(more),
            }
        }
    }
    compare_problems(&test.problems, &problems, &mut failures);
    if records.len() != test.records.len() {
        failures.push(format!("{} records were expected, there are {}", test.records.len(), records.len()));
    }
    for (at, (expected, record)) in test.records.iter().zip(&records).enumerate() {
        let kind = record.head.key.kind;
        if kind != expected.kind {
            failures.push(format!("record {}: a {} was expected, it is a {kind}", at + 1, expected.kind));
            continue;
        }
        let tree = serde_json::to_value::<&Record>(record).unwrap_or_default();
        for (target, wanted) in &expected.fields {
            let there = target.get(&tree, 0);
            let list = (0..target.count(&tree)).map(|at| shown(target.get(&tree, at))).collect::<Vec<_>>();
            let (wanted, there) = match wanted {
                toml::Value::Array(items) => (items.iter().map(said).collect::<Vec<_>>().join(", "), list.join(", ")),
                one => (said(one), shown(there)),
            };
            if wanted != there {
                failures.push(format!("record {}, {}: {wanted} was expected, it is {there}", at + 1, target.name));
            }
        }
    }
    failures
}

fn compare_problems(expected: &[ExpectedProblem], problems: &[Problem], failures: &mut Vec<String>) {
    for (at, problem) in problems.iter().enumerate() {
        let is = |expected: &ExpectedProblem| {
            let path = problem.path.as_deref().unwrap_or_default();
            let column = path.split(" (column ").next().unwrap_or_default();
            expected.code == problem.code
                && expected.column.as_ref().is_none_or(|name| name == column || name == path)
                && expected.row.is_none_or(|row| Some(row) == problem.line)
        };
        if !expected.get(at).is_some_and(is) {
            failures.push(format!("not expected: {problem}"));
        }
    }
    for missing in expected.iter().skip(problems.len()) {
        failures.push(format!("the problem {} was expected", missing.code));
    }
}

fn row(number: u64, cells: &[(String, Cell)], table: bool) -> Row {
    let names = cells.iter().map(|(name, _)| name.as_str());
    let columns = match table {
        true => Columns::of_table(names.map(Cow::Borrowed)),
        false => Columns::of_tree(names.map(Into::into).collect()),
    };
    Row { number, columns: Rc::new(columns), cells: cells.iter().map(|(_, cell)| cell.clone()).collect() }
}

/// A value of a record as a test writes it: a code by its value.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => match value.get("value").and_then(Value::as_str) {
            Some(code) => code.to_owned(),
            None => value.to_string(),
        },
    }
}

fn said(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

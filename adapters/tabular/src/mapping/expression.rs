//! Expressions over a row, in CEL without its loops: no input but the row, no clock, and an end.

use super::Fault;
use crate::row::{Cell, Row};
use cel::common::ast::{EntryExpr, Expr};
use cel::{Context, Env, Program, Value};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// Longest expression, in bytes.
const LONGEST: usize = 2000;

/// A compiled expression. `row` holds the cells as text, by column; a column the row does not have is empty there if
/// the expression names it.
pub(crate) struct Expression {
    source: String,
    program: Program,
    /// Columns it names in quotation marks.
    quoted: Vec<String>,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Expression({})", self.source)
    }
}

static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// If it is not CEL, is too long, loops, or names another variable than `row`.
    pub(crate) fn new(source: &str) -> Result<Self, String> {
        if source.len() > LONGEST {
            return Err(format!("the expression is longer than {LONGEST} bytes"));
        }
        let program = Program::compile(source).map_err(|e| {
            let text = e.to_string();
            format!("not an expression: {}", text.lines().next().unwrap_or_default())
        })?;
        if loops(&program.expression().expr) {
            return Err("expressions that loop (map, filter, all, exists) are not allowed".to_owned());
        }
        if let Some(other) = program.references().variables().iter().find(|name| **name != "row") {
            return Err(format!("the expression names {other}; the columns are row[\"{other}\"]"));
        }
        let mut quoted = Vec::new();
        literals(&program.expression().expr, &mut quoted);
        Ok(Self { source: source.to_owned(), program, quoted })
    }

    /// The texts in it, among them the columns it names.
    pub(crate) fn quoted(&self) -> impl Iterator<Item = &str> {
        self.quoted.iter().map(String::as_str)
    }

    /// What the expression says about a row, as a cell.
    pub(crate) fn value(&self, row: &Row) -> Result<Cell, Fault> {
        match self.evaluate(row)? {
            Value::String(text) => Ok(Cell::typed(&text)),
            Value::Bool(truth) => Ok(Cell::Truth(truth)),
            Value::Int(number) => Ok(Cell::Number(number.to_string())),
            Value::UInt(number) => Ok(Cell::Number(number.to_string())),
            Value::Float(number) if number.is_finite() => Ok(Cell::Number(number.to_string())),
            Value::Null => Ok(Cell::Empty),
            _ => Err(ours("the expression gives no text, number or truth value")),
        }
    }

    /// Whether the expression is true for a row.
    pub(crate) fn holds(&self, row: &Row) -> Result<bool, Fault> {
        match self.evaluate(row)? {
            Value::Bool(truth) => Ok(truth),
            _ => Err(ours("the condition is neither true nor false")),
        }
    }

    fn evaluate(&self, row: &Row) -> Result<Value, Fault> {
        let mut cells: HashMap<String, String> =
            self.quoted.iter().map(|name| (name.clone(), row.cell(name).text().into_owned())).collect();
        for (name, cell) in row.columns.names().iter().zip(&row.cells) {
            cells.entry(name.to_string()).or_insert_with(|| cell.text().into_owned());
        }
        let mut context = Context::with_env(STANDARD.clone());
        context.add_variable("row", cells).map_err(|_| ours("the expression cannot be evaluated"))?;
        // What CEL says of a failure may repeat the row.
        self.program.execute(&context).map_err(|_| ours("the expression cannot be evaluated for this row"))
    }
}

fn ours(message: &str) -> Fault {
    Fault { code: "bad_expression", message: message.to_owned(), ours: true }
}

/// The expressions inside one.
fn inner(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Call(call) => call.target.iter().map(|t| &t.expr).chain(call.args.iter().map(|a| &a.expr)).collect(),
        Expr::List(list) => list.elements.iter().map(|e| &e.expr).collect(),
        Expr::Select(select) => vec![&select.operand.expr],
        Expr::Map(map) => map
            .entries
            .iter()
            .flat_map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => vec![&entry.key.expr, &entry.value.expr],
                EntryExpr::StructField(field) => vec![&field.value.expr],
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn loops(expr: &Expr) -> bool {
    matches!(expr, Expr::Comprehension(_) | Expr::Struct(_)) || inner(expr).into_iter().any(loops)
}

fn literals(expr: &Expr, out: &mut Vec<String>) {
    if let Expr::Literal(cel::common::ast::LiteralValue::String(text)) = expr {
        out.push(text.inner().to_owned());
    }
    inner(expr).into_iter().for_each(|inner| literals(inner, out));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Columns;
    use std::rc::Rc;

    fn row(cells: &[(&'static str, &str)]) -> Row {
        let columns = Rc::new(Columns::of_tree(cells.iter().map(|(name, _)| (*name).into()).collect()));
        Row { number: 1, columns, cells: cells.iter().map(|(_, text)| Cell::typed(text)).collect() }
    }

    #[test]
    fn expressions_see_the_row_and_nothing_else() {
        let row = row(&[("Tila", "OK"), ("Op", "5")]);
        for (source, expected) in [
            (r#"row["Tila"] == "OK" && row.Op != """#, true),
            (r#"row["Puuttuu"] == """#, true),
            (r#"row["tila"].matches("^[a-z]+$")"#, false),
            (r#"double(row["Op"]) > 4.5 && row.Tila in ["OK", "ok"]"#, true),
        ] {
            assert_eq!(Expression::new(source).expect(source).holds(&row), Ok(expected), "{source}");
        }
        let text = Expression::new(r#"row["Tila"] == "OK" ? "HYV" : "HYL""#).expect("compiles");
        assert_eq!(text.value(&row), Ok(Cell::typed("HYV")));
        assert_eq!(text.quoted().next(), Some("Tila"));
        let fault = Expression::new(r#"int(row["Tila"]) > 1"#).expect("compiles").holds(&row).expect_err("no number");
        assert!(fault.ours && !fault.message.contains("OK"), "{fault:?}");
    }

    #[test]
    fn what_loops_or_is_no_expression_is_refused() {
        let long = format!("\"{}\" == \"\"", "x".repeat(LONGEST));
        for (source, reason) in [
            ("row.all(k, row.all(l, k == l))", "loop"),
            ("row[", "not an expression"),
            ("Tila == 'OK'", "row[\"Tila\"]"),
            (long.as_str(), "longer"),
        ] {
            let refused = Expression::new(source).expect_err(source);
            assert!(refused.contains(reason), "{refused}");
        }
    }
}

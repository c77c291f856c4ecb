//! Which records share a row, and the cells of a row.

use super::losses::losses;
use crate::mapping::{Block, Conversion, Field, Format, From, Mapping, Piece};
use crate::read;
use crate::row::{Cell, Columns, Row};
use serde_json::Value;
use silta_adapter::adapter::{DecodeContext, ItemPlan, Limits, Refusal};
use silta_adapter::canonical::record_text;
use silta_adapter::fidelity::Loss;
use silta_adapter::problem::Problem;
use silta_adapter::record::Record;
use std::rc::Rc;

/// Makes rows of records and reads them back.
pub(super) struct Composer<'a> {
    mapping: &'a Mapping,
    names: Vec<&'a str>,
    columns: Rc<Columns>,
    ctx: DecodeContext,
}

/// The cells of a record, and the place of the block that made them.
struct Part {
    block: usize,
    cells: Vec<Cell>,
}

/// Which records of a learner share a row: those whose cells agree where they share columns, and which together are
/// read back as apart. The last block of the mapping leads: its records have a row each, and the others join them.
pub(super) fn items(mapping: &Mapping, records: &[Record]) -> Vec<ItemPlan> {
    let composer = Composer::of(mapping, records);
    let live: Vec<usize> = (0..records.len())
        .filter(|at| {
            let head = &records[*at].head;
            !head.state.is_tombstone() && mapping.blocks.iter().any(|block| block.kind == head.key.kind)
        })
        .collect();
    let mut parts: Vec<(usize, Option<Part>)> =
        live.into_iter().map(|at| (at, composer.part(&records[at]).ok())).collect();
    let place = |part: &Option<Part>| part.as_ref().map_or(0, |part| part.block);
    parts.sort_by_key(|(at, part)| (std::cmp::Reverse(place(part)), *at));
    let mut carried = vec![false; records.len()];
    let mut plans = Vec::new();
    for (root, part) in &parts {
        if carried[*root] {
            continue;
        }
        let mut members = vec![*root];
        if let Some(part) = part {
            let mut cells = part.cells.clone();
            for block in (0..mapping.blocks.len()).filter(|block| *block != part.block) {
                let candidates = parts.iter().filter(|(_, p)| p.as_ref().is_some_and(|p| p.block == block));
                let joined = candidates.filter_map(|(at, p)| Some((*at, p.as_ref()?))).find_map(|(at, other)| {
                    let merged = merge(&cells, &other.cells, true)?;
                    composer.agree(&merged, &[&cells, &other.cells]).then_some((at, merged))
                });
                if let Some((at, merged)) = joined {
                    members.push(at);
                    cells = merged;
                }
            }
        }
        members.iter().for_each(|at| carried[*at] = true);
        plans.push(ItemPlan { root: records[*root].head.key.clone(), members });
    }
    plans
}

/// The cells of two records in one row, if they do not contradict each other; `shared` asks that a column says the
/// same of both, so that strangers do not meet.
fn merge(left: &[Cell], right: &[Cell], shared: bool) -> Option<Vec<Cell>> {
    let mut met = !shared;
    let cells = left.iter().zip(right).map(|(l, r)| match (l.is_empty(), r.is_empty()) {
        (true, _) => Some(r.clone()),
        (false, true) => Some(l.clone()),
        (false, false) => {
            met = true;
            (l == r).then(|| l.clone())
        }
    });
    let cells = cells.collect::<Option<Vec<Cell>>>()?;
    met.then_some(cells)
}

impl<'a> Composer<'a> {
    pub(super) fn of(mapping: &'a Mapping, records: &[Record]) -> Self {
        let names = mapping.written();
        let columns = Rc::new(Columns::of_tree(names.iter().map(|name| (*name).into()).collect()));
        let key = records.first().map(|record| &record.head.key);
        let ctx = DecodeContext {
            tenant: key.map(|k| k.tenant.clone()).unwrap_or_default(),
            source: key.map(|k| k.source.clone()).unwrap_or_default(),
            limits: Limits::default(),
        };
        Self { mapping, names, columns, ctx }
    }

    /// The row of an item, and what it does not hold.
    pub(super) fn item(&self, item: &[Record]) -> Result<(Vec<Cell>, Vec<Loss>), Refusal> {
        let (cells, projection) = self.row(item)?;
        let (_, again) = self.row(&projection)?;
        if forms(&again) != forms(&projection) {
            let problem = Problem::error("not_stable", "what the row is read as would be written as another row");
            return Err(item.first().map_or(problem.clone(), |root| problem.about(&root.head.key)).into());
        }
        let mut lost = Vec::new();
        for record in item {
            if let Some(held) = projection.iter().find(|held| held.head.key == record.head.key) {
                losses(record, held, &mut lost);
            }
        }
        Ok((cells, lost))
    }

    /// The row of some records and what it is read as: the same keys.
    fn row(&self, item: &[Record]) -> Result<(Vec<Cell>, Vec<Record>), Refusal> {
        let mut cells = vec![Cell::Empty; self.names.len()];
        for record in item {
            let part = self.part(record)?;
            cells = merge(&cells, &part.cells, false).ok_or_else(|| {
                Problem::error("other_row", "the record contradicts others of its row").about(&record.head.key)
            })?;
        }
        let back = self.read(&cells).map_err(Refusal)?;
        let same = back.len() == item.len() && item.iter().all(|record| back.iter().any(|b| same_head(b, record)));
        match (same, item.first()) {
            (false, Some(root)) => {
                let message = "the row would be read as other records than it is made of";
                Err(Problem::error("other_row", message).about(&root.head.key).into())
            }
            _ => Ok((cells, back)),
        }
    }

    /// The cells of a record, by the first block that reads it back.
    fn part(&self, record: &Record) -> Result<Part, Refusal> {
        let about = |problem: Problem| problem.about(&record.head.key);
        let tree = serde_json::to_value(record).unwrap_or_default();
        let mut reason = None;
        for (at, block) in self.mapping.blocks.iter().enumerate().filter(|(_, b)| b.kind == record.head.key.kind) {
            let cells = self.cells(block, &tree);
            match self.read(&cells) {
                Ok(back) if back.len() == 1 && same_head(&back[0], record) => return Ok(Part { block: at, cells }),
                Ok(back) if back.is_empty() => {
                    reason.get_or_insert(Problem::error("nothing_to_write", "no column takes what the record says"));
                }
                Ok(_) => {}
                Err(problems) => reason = reason.or(problems.into_iter().next()),
            }
        }
        let unlike = || Problem::error("key_not_written", "the mapping cannot write the record's key or head");
        Err(about(reason.unwrap_or_else(unlike)).into())
    }

    /// True if a row is read as what its parts are read as.
    fn agree(&self, merged: &[Cell], parts: &[&[Cell]]) -> bool {
        let Ok(together) = self.read(merged) else { return false };
        let apart: Result<Vec<Vec<Record>>, _> = parts.iter().map(|cells| self.read(cells)).collect();
        apart.is_ok_and(|apart| forms(&apart.concat()) == forms(&together))
    }

    fn read(&self, cells: &[Cell]) -> Result<Vec<Record>, Vec<Problem>> {
        let row = Row { number: 1, columns: self.columns.clone(), cells: cells.to_vec() };
        let found = read::records(self.mapping, &row, &self.ctx);
        // The place in a row that is not written yet means nothing.
        found.map_err(|problems| problems.into_iter().map(|p| Problem { line: None, ..p }).collect())
    }

    /// The cells that a block writes. Where fields share a column, values come before the words of look-ups, and
    /// look-ups that tell more apart before others: a grade is written before its scale. If no word says the same of
    /// all of them, the column stays empty: better nothing than something false.
    fn cells(&self, block: &Block, tree: &Value) -> Vec<Cell> {
        let mut cells = vec![Cell::Empty; self.names.len()];
        let mut fields: Vec<&Field> = block.fields().collect();
        fields.sort_by_key(|field| field.conversion.codes.as_ref().map(|codes| std::cmp::Reverse(codes.count())));
        let key: Vec<&str> = block.head.iter().flat_map(Field::columns).collect();
        let mut contradicted = Vec::new();
        for field in fields {
            for (name, cell) in self.written(field, tree) {
                let Some(at) = self.names.iter().position(|n| *n == name) else { continue };
                let same =
                    || field.conversion.read(field.target.leaf, &cells[at]).ok().as_ref() == field.target.get(tree, 0);
                if cells[at].is_empty() {
                    cells[at] = cell;
                } else if cells[at] != cell && !key.contains(&name) && !same() {
                    contradicted.push(at);
                }
            }
        }
        contradicted.into_iter().for_each(|at| cells[at] = Cell::Empty);
        cells
    }

    /// The columns that a field fills.
    fn written<'f>(&self, field: &'f Field, tree: &Value) -> Vec<(&'f str, Cell)> {
        let format = self.mapping.input.format;
        let cell = |at| {
            let value = field.target.get(tree, at)?;
            field.conversion.write(field.target.leaf, value)
        };
        match &field.from {
            From::Column(name) if field.target.is_list() => {
                let pieces = (0..field.target.count(tree)).map(|at| cell(at).unwrap_or_default()).collect();
                vec![(name, self.fitted(joined(&field.conversion, pieces, format)))]
            }
            From::Column(name) => cell(0).map(|cell| (name.as_str(), self.fitted(cell))).into_iter().collect(),
            From::Text(pieces) => {
                let text = cell(0).map(|cell| self.fitted(cell).text().into_owned());
                text.and_then(|text| taken_apart(pieces, &field.conversion, &text)).unwrap_or_default()
            }
            From::Value(_) | From::Expression(_) => Vec::new(),
        }
    }

    /// A cell as the format and its encoding can hold it.
    fn fitted(&self, cell: Cell) -> Cell {
        let fit = |text: String| match self.mapping.input.format {
            Format::Json | Format::Ndjson => text,
            _ => in_encoding(self.mapping, &plain(&text)),
        };
        match cell {
            Cell::Text(text) => Cell::typed(&fit(text)),
            Cell::Many(items) => Cell::Many(items.into_iter().map(|text| fit(text).trim().to_owned()).collect()),
            other => other,
        }
    }
}

fn joined(conversion: &Conversion, pieces: Vec<Cell>, format: Format) -> Cell {
    conversion.joined(pieces, format.is_table())
}

/// Text without what XML, of which spreadsheets are made too, cannot hold: control characters; one sort of line end.
fn plain(text: &str) -> String {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    unified.chars().map(|c| if allowed(c) { c } else { '\u{FFFD}' }).collect()
}

fn in_encoding(mapping: &Mapping, text: &str) -> String {
    match mapping.input.encoding.filter(|encoding| encoding.output_encoding() == *encoding) {
        None => text.to_owned(),
        Some(encoding) => {
            text.chars().map(|c| if encoding.encode(c.encode_utf8(&mut [0; 4])).2 { '?' } else { c }).collect()
        }
    }
}

/// The columns that a text was made of, where the literals between them tell.
fn taken_apart<'f>(pieces: &'f [Piece], conversion: &Conversion, text: &str) -> Option<Vec<(&'f str, Cell)>> {
    let (mut rest, mut found) = (text, Vec::new());
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Literal(literal) => rest = rest.strip_prefix(literal.as_str())?,
            Piece::Column(name) => {
                let end = match pieces.get(at + 1) {
                    Some(Piece::Literal(literal)) => rest.find(literal.as_str())?,
                    Some(Piece::Column(_)) => return None,
                    None => rest.len(),
                };
                found.push((name.as_str(), conversion.outside(&rest[..end])));
                rest = &rest[end..];
            }
        }
    }
    Some(found)
}

fn same_head(back: &Record, record: &Record) -> bool {
    back.head.key == record.head.key && back.head.learner == record.head.learner
}

fn forms(records: &[Record]) -> Vec<Vec<u8>> {
    let mut forms: Vec<Vec<u8>> = records.iter().map(record_text).collect();
    forms.sort_unstable();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart_where_literals_tell() {
        let pieces = [Piece::Column("A".into()), Piece::Literal("-".into()), Piece::Column("B".into())];
        let expected = vec![("A", Cell::typed("1")), ("B", Cell::typed("2-3"))];
        let plain = Conversion::default();
        assert_eq!(taken_apart(&pieces, &plain, "1-2-3"), Some(expected));
        assert_eq!(taken_apart(&pieces, &plain, "12"), None);
    }
}

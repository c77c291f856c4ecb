//! Rows into records: the good ones kept, the bad ones told with row, column, reason and who can fix it.

use crate::Tabular;
use crate::mapping::{Block, Fault, Field, Mapping};
use crate::row::{Cell, Row};
use crate::source;
use serde_json::{Value, json};
use silta_adapter::SmolStr;
use silta_adapter::adapter::{Decode, DecodeContext, Decoded, Limits, Reading, Sink, Unreadable};
use silta_adapter::canonical::DigestKey;
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::record::{Record, RecordKey};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::BufRead;

impl Decode for Tabular {
    fn probe(&self, input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
        source::rows(input, &self.mapping.input, &self.mapping.wanted(), limits, &mut |_| Ok(())).map(|_| ())
    }

    fn decode(&self, input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
        let mapping = &self.mapping;
        let mut reader =
            Reader { ctx, sink, seen: HashMap::new(), digests: DigestKey::new([0; 32]), told: 0, untold: 0 };
        let found = source::rows(input, &mapping.input, &mapping.wanted(), &ctx.limits, &mut |row| {
            let mut silent = mapping.blocks.iter().all(|block| block.when.is_none());
            for block in &mapping.blocks {
                match record(block, &row, ctx) {
                    Ok(None) => continue,
                    Ok(Some(record)) => reader.take(record, row.number)?,
                    Err(problems) => problems.into_iter().try_for_each(|problem| reader.tell(problem))?,
                }
                silent = false;
            }
            match silent {
                true => reader.tell(Problem::warning("no_record", "the row says nothing").on_line(row.number)),
                false => Ok(()),
            }
        })?;
        reader.finish()?;
        let unread = found.columns.names().iter().filter(|name| !mapping.reads(name));
        let form = found.format.filter(|f| *f != mapping.input.format).map(|f| SmolStr::new_static(f.name()));
        Ok(Reading { form, unread: unread.map(|name| name.to_string()).collect() })
    }

    fn form(&self, head: &[u8]) -> Option<SmolStr> {
        let format = self.mapping.input.format;
        let found = if format.is_table() { source::table_format(head) } else { format };
        (found != format).then(|| SmolStr::new_static(found.name()))
    }
}

/// The records a row holds, each or what is wrong with it.
pub(crate) fn records(mapping: &Mapping, row: &Row, ctx: &DecodeContext) -> Result<Vec<Record>, Vec<Problem>> {
    let mut found = Vec::new();
    for block in &mapping.blocks {
        found.extend(record(block, row, ctx)?);
    }
    Ok(found)
}

/// The record of a block in a row, if the row holds one.
pub(crate) fn record(block: &Block, row: &Row, ctx: &DecodeContext) -> Result<Option<Record>, Vec<Problem>> {
    let there = match &block.when {
        Some(when) => when.holds(row).map_err(|fault| vec![problem(row, None, &fault)])?,
        None => block.telling.iter().any(|column| !row.cell(column).is_empty()),
    };
    if !there {
        return Ok(None);
    }
    let mut tree = json!({ "kind": block.kind, "tenant": ctx.tenant, "source": ctx.source, "body": {} });
    let mut problems = Vec::new();
    for (field, key) in block.head.iter().map(|f| (f, true)).chain(block.body.iter().map(|f| (f, false))) {
        if let Err(fault) = fill(field, key, row, &mut tree) {
            let problem = problem(row, Some(field), &fault);
            // Several fields of one cell complain once.
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() {
        let bad = |e: serde_json::Error| Fault {
            // Only the model's own words: what it expects, never what was there.
            message: format!("not a record: {}", e.to_string().split(" at line").next().unwrap_or_default()),
            code: "bad_record",
            ours: true,
        };
        return match serde_json::from_value(tree) {
            Ok(record) => Ok(Some(record)),
            Err(e) => Err(vec![problem(row, None, &bad(e))]),
        };
    }
    let key = key_of(block, &tree, ctx);
    Err(problems
        .into_iter()
        .map(|problem| match &key {
            Some(key) => problem.about(key),
            None => problem,
        })
        .collect())
}

fn key_of(block: &Block, tree: &Value, ctx: &DecodeContext) -> Option<RecordKey> {
    let text = |name: &str| tree[name].as_str().map(SmolStr::from);
    Some(RecordKey {
        tenant: ctx.tenant.clone(),
        source: ctx.source.clone(),
        kind: block.kind,
        institution: text("institution").unwrap_or_default(),
        id: text("id")?,
    })
}

/// Fills a field of a record from a row.
fn fill(field: &Field, key: bool, row: &Row, tree: &mut Value) -> Result<(), Fault> {
    if let Some(when) = &field.when
        && !when.holds(row)?
    {
        return Ok(());
    }
    let mut cell = field.cell(row, key)?;
    if cell.is_empty() {
        cell = field.default.as_deref().map_or(Cell::Empty, Cell::typed);
    }
    let pieces = field.conversion.pieces(cell, field.target.is_list());
    let needed = field.required || matches!(field.target.name.as_str(), "id" | "learner");
    if pieces.is_empty() && needed {
        return Err(Fault::new("missing_value", format!("the {} is missing", field.target.name)));
    }
    for (at, piece) in pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty()) {
        let value = field.conversion.read(field.target.leaf, piece)?;
        field.target.put(tree, at, value);
    }
    Ok(())
}

fn problem(row: &Row, field: Option<&Field>, fault: &Fault) -> Problem {
    let fixer = if fault.ours { Fixer::Configuration } else { Fixer::Sender };
    let problem = Problem::new(fault.code, Severity::Error, fixer, fault.message.clone()).on_line(row.number);
    match field {
        None => problem,
        Some(field) => {
            let columns = field.columns();
            let shown: Vec<String> = columns.iter().map(|name| row.columns.shown(name)).collect();
            problem.at(if shown.is_empty() { field.target.name.clone() } else { shown.join(", ") })
        }
    }
}

struct Reader<'a, 's> {
    ctx: &'a DecodeContext,
    sink: &'a mut Sink<'s>,
    /// Where each key was first said, and a hash of what was said: 40 bytes per record.
    seen: HashMap<[u8; 16], (u64, [u8; 8])>,
    digests: DigestKey,
    told: usize,
    untold: u64,
}

impl Reader<'_, '_> {
    /// Gives a record. One that many rows repeat — the learner of several attainments — is given once; if they say
    /// different things of it, all are given and the sender is told.
    fn take(&mut self, record: Record, row: u64) -> Result<(), Unreadable> {
        let key = &record.head.key;
        let pseudonym = self.digests.pseudonym("key", &[key.kind.name(), &key.institution, &key.id]);
        let content = self.digests.record(&record).hash.first_chunk().copied().unwrap_or_default();
        let before = match self.seen.entry(pseudonym) {
            Entry::Vacant(place) => {
                place.insert((row, content));
                None
            }
            Entry::Occupied(place) if place.get().1 == content => return Ok(()),
            Entry::Occupied(place) => Some(place.get().0),
        };
        let twice = before.map(|before| {
            let message = "two rows say different things about the same record; neither is taken";
            Problem::error("duplicate_key", message).about(key).on_line(row).and_line(before)
        });
        self.put(Decoded::Record(Box::new(record), row))?;
        twice.map_or(Ok(()), |problem| self.tell(problem))
    }

    fn tell(&mut self, problem: Problem) -> Result<(), Unreadable> {
        if self.told == self.ctx.limits.problems {
            self.untold += 1;
            return Ok(());
        }
        self.told += 1;
        self.put(Decoded::Problem(problem))
    }

    fn put(&mut self, found: Decoded) -> Result<(), Unreadable> {
        (self.sink)(found).map_err(|_| Unreadable::Stopped)
    }

    fn finish(mut self) -> Result<(), Unreadable> {
        match self.untold {
            0 => Ok(()),
            more => {
                let message = format!("{more} more problems are not told");
                self.put(Decoded::Problem(Problem::error("more_problems", message)))
            }
        }
    }
}

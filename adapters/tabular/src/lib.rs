//! The tabular adapter: a mapping file turns CSV, a spreadsheet, JSON or XML into records and back, so that an
//! institution without an adapter of its own needs no programmer.
//!
//! | module | what it does |
//! |---|---|
//! | `mapping` | the mapping file: typed paths, conversions, look-ups, expressions, all checked when it is read |
//! | `source` | documents of every format as rows, streaming and within bounds |
//! | `row` | a row: cells under named columns |
//! | `read` | rows into records |
//! | `write` | records into rows; what a document does not hold is found by reading it back |
//! | `check` | the tests inside a mapping file |
//! | `draft` | a mapping drafted from a sample |

mod check;
mod draft;

mod mapping;
mod read;
mod row;
mod source;
mod write;

pub use check::{Verdict, check};
pub use draft::{Draft, Question, draft};

pub use mapping::BadMappingFile;

use mapping::{Block, Field, Mapping};
use silta_adapter::adapter::{Adapter, Decode, Descriptor, Effect, Encode, Grouping, Withdraw};
use silta_adapter::fidelity::LossRule;
use silta_adapter::mapping::Mappings;
use silta_adapter::record::RecordKind;
use std::collections::BTreeSet;

/// How mapping files end; what stands before is the name of the format.
pub const ENDING: &str = ".mapping.toml";

/// A format that a mapping file describes: an adapter of its own.
#[derive(Debug)]
pub struct Tabular {
    mapping: Mapping,
    descriptor: Descriptor,
}

impl Tabular {
    /// The format of a mapping file. `name` is its name in configuration and `--from`, `file` stands in complaints.
    ///
    /// A descriptor lives as long as the program: load a file once, at the start.
    ///
    /// # Errors
    /// If the text is not a mapping; the complaint names the line.
    pub fn load(name: &str, file: &str, text: &str, mappings: &Mappings) -> Result<Self, BadMappingFile> {
        let mapping = Mapping::read(file, text, mappings)?;
        let descriptor = descriptor(name, &mapping);
        Ok(Self { mapping, descriptor })
    }

    /// The media type of a format, by its name: what a push of such a document calls it.
    pub fn media_type(name: &str) -> String {
        format!("application/vnd.silta.{name}")
    }
}

impl Adapter for Tabular {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn decoder(&self) -> Option<&dyn Decode> {
        Some(self)
    }
    fn encoder(&self) -> Option<&dyn Encode> {
        Some(self)
    }
}

fn descriptor(name: &str, mapping: &Mapping) -> Descriptor {
    let format = mapping.input.format.name();
    let summary = mapping.summary.clone().unwrap_or_else(|| format!("{format} by a mapping file"));
    let kinds: BTreeSet<RecordKind> = mapping.blocks.iter().map(|block| block.kind).collect();
    let media_type: &'static str = Tabular::media_type(name).leak();
    Descriptor {
        name: name.to_owned().leak(),
        summary: summary.leak(),
        media_types: vec![media_type].leak(),
        settings: None,
        grouping: Grouping::Learner,
        effect: Effect::Upsert,
        withdraw: Withdraw::None,
        readback: false,
        honours_key: false,
        losses: losses(mapping, &kinds).leak(),
        kinds: kinds.into_iter().collect::<Vec<_>>().leak(),
    }
}

/// The id of the rule for a member of a record's head or body.
pub(crate) fn rule_id(kind: RecordKind, member: &str) -> String {
    format!("{kind}-{member}")
}

/// One rule for each member of each kind: it has no column, or a column that cannot hold everything.
fn losses(mapping: &Mapping, kinds: &BTreeSet<RecordKind>) -> Vec<LossRule> {
    let paths = mapping::Paths::new();
    let mut rules = Vec::new();
    for kind in kinds {
        let kind_of_rule: &'static [RecordKind] = vec![*kind].leak();
        let fields: Vec<&Field> = mapping.blocks.iter().filter(|b| b.kind == *kind).flat_map(Block::fields).collect();
        let head = ["state", "non_disclosure"].map(|name| (name, format!("/{name}/**")));
        let body = paths.members(*kind).into_iter().map(|name| (name, format!("/body/{name}/**")));
        for (member, pattern) in head.into_iter().chain(body) {
            let columns: BTreeSet<String> = fields
                .iter()
                .filter(|field| field.target.top == member)
                .map(|field| match field.columns() {
                    columns if columns.is_empty() => format!("{} (the same for all rows)", field.target.name),
                    columns => columns.join(", "),
                })
                .collect();
            let (when, reason) = match columns.is_empty() {
                true => ("the record has it".to_owned(), "the mapping has no column for it".to_owned()),
                false => {
                    let columns = columns.into_iter().collect::<Vec<_>>().join(", ");
                    (
                        "its value is not one that the columns are read as".to_owned(),
                        format!("it is made of: {columns}"),
                    )
                }
            };
            rules.push(LossRule {
                id: rule_id(*kind, member).leak(),
                kinds: kind_of_rule,
                pattern: pattern.leak(),
                when: when.leak(),
                reason: reason.leak(),
            });
        }
    }
    rules
}

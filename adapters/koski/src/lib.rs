//! The Koski adapter: national competence badges (*osaamismerkit*) at Finland's national store of study rights and
//! attainments.
//!
//! At Koski a badge is a study right with one attainment, under the person's identity code or OID. A document is what
//! the transfer interface takes and the reading one answers: a learner (`oppija`) with her study rights. Any study right
//! is read; only badges, and what came from Koski, are written.
//!
//! | module | what it does |
//! |---|---|
//! | `shape` | what records and Koski's JSON say alike |
//! | `tree` | JSON trees laid over each other, so that the rest of a document is kept |
//! | `key` | the key of a study right, made of the record's keys |
//! | `read`, `write` | documents into records, and items into documents |
//! | `losses` | the table of what is lost, and how it is found out |
//! | `client` | sending, taking back, and reading what is held |
//! | `sandbox` | (feature `sandbox`) a simulated Koski |

mod client;
mod key;
mod losses;
mod read;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod shape;
mod tree;
mod write;

pub use client::Settings;

use silta_adapter::adapter::{
    Adapter, BadSettings, Connected, Decode, DecodeContext, Descriptor, DocumentWriter, Effect, Encode, EncodeContext,
    Grouping, ItemPlan, Limits, NotWritten, Reading, Sink, Unreadable, Withdraw,
};
use silta_adapter::fidelity::Loss;
use silta_adapter::problem::Problem;
use silta_adapter::record::{Record, RecordKind};
use std::io::{self, BufRead, Write};

/// The Koski adapter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Koski;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "koski",
    summary: "Koski: national competence badges, one JSON learner with a study right per line",
    media_types: &["application/vnd.oph.koski+json"],
    settings: Some(Settings::schema),
    grouping: Grouping::Learner,
    effect: Effect::Upsert,
    withdraw: Withdraw::Delete,
    readback: true,
    honours_key: true,
    kinds: &[RecordKind::Learner, RecordKind::Attainment],
    losses: losses::TABLE,
};

impl Adapter for Koski {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    fn decoder(&self) -> Option<&dyn Decode> {
        Some(self)
    }

    fn encoder(&self) -> Option<&dyn Encode> {
        Some(self)
    }

    fn connect(&self, settings: &serde_json::Value) -> Result<Connected, BadSettings> {
        client::connect(settings)
    }
}

impl Encode for Koski {
    fn items(&self, records: &[Record]) -> (Vec<ItemPlan>, Vec<Problem>) {
        write::items(records)
    }

    fn document<'a>(
        &'a self,
        out: &'a mut dyn Write,
        _form: Option<&str>,
        ctx: EncodeContext<'a>,
    ) -> io::Result<Box<dyn DocumentWriter + 'a>> {
        Ok(Box::new(Learners { out, ctx }))
    }
}

/// Learners being written, one per line.
struct Learners<'a> {
    out: &'a mut dyn Write,
    ctx: EncodeContext<'a>,
}

impl DocumentWriter for Learners<'_> {
    fn write(&mut self, item: &[Record]) -> Result<Vec<Loss>, NotWritten> {
        let (mut line, losses) = write::item(item, &self.ctx)?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        Ok(losses)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

impl Decode for Koski {
    fn probe(&self, input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
        read::probe(input, limits)
    }

    fn decode(&self, input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
        read::documents(input, ctx, sink)
    }
}

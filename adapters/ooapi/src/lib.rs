//! The Open Education API adapter: what a host institution tells a student's home institution of her results, in
//! versions 5 and 6 of the standard.
//!
//! A document is one JSON object per line as the standard's calls carry them: a person, or an association of a person
//! with the offering of a course or a programme, and its result. Both versions are read by both adapters; each writes its
//! own. What the standard lacks, the gateway adds where the standard has room for it: whose record an object is, which
//! version, and whether it stands.
//!
//! | module | what it does |
//! |---|---|
//! | `dialect` | what differs between the versions |
//! | `identity` | ids, and what the gateway adds to an object |
//! | `words` | texts, days, codes and numbers as the standard writes them |
//! | `association`, `person` | what records and the standard's JSON say alike |
//! | `object` | one object and the record it is |
//! | `read`, `write` | documents into records, and records into documents |
//! | `losses` | the table of what is lost |
//! | `receive` | the calls by which a partner brings results, as the home institution offers them |
//! | `client` | sending, taking back, and reading what is held |
//! | `sandbox` | (feature `sandbox`) a simulated partner |

mod association;
mod client;
mod dialect;
mod identity;
mod losses;
mod object;
mod person;
mod read;
mod receive;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod words;
mod write;

pub use client::Settings;

use dialect::Dialect;
use silta_adapter::adapter::{
    Adapter, BadSettings, Connected, Decode, DecodeContext, Descriptor, DocumentWriter, Effect, Encode, EncodeContext,
    Grouping, Limits, NotWritten, Reading, Receive, Sink, Unreadable, Withdraw,
};
use silta_adapter::fidelity::Loss;
use silta_adapter::record::{Record, RecordKind};
use std::io::{self, BufRead, Write};

/// The adapter of one version of the standard.
#[derive(Debug, Clone, Copy)]
pub struct OpenEducation {
    dialect: &'static Dialect,
    descriptor: &'static Descriptor,
}

impl OpenEducation {
    /// Version 5.
    pub const V5: Self = Self { dialect: &dialect::V5, descriptor: &DESCRIPTOR_5 };
    /// Version 6.
    pub const V6: Self = Self { dialect: &dialect::V6, descriptor: &DESCRIPTOR_6 };
}

static DESCRIPTOR_5: Descriptor = VERSION_5;

static DESCRIPTOR_6: Descriptor = Descriptor {
    name: "ooapi",
    summary: "Open Education API 6: persons and associations with their results, one JSON object per line; a withdrawal ends as a cancelled association without a result.",
    media_types: &["application/vnd.ooapi.v6+json"],
    ..VERSION_5
};

const VERSION_5: Descriptor = Descriptor {
    name: "ooapi-v5",
    summary: "Open Education API 5: persons and associations with their results, one JSON object per line; a withdrawal ends as a cancelled association without credits.",
    media_types: &["application/vnd.ooapi.v5+json"],
    settings: Some(Settings::schema),
    grouping: Grouping::Record,
    effect: Effect::Upsert,
    withdraw: Withdraw::Update,
    readback: true,
    honours_key: false,
    kinds: KINDS,
    losses: losses::TABLE,
};

const KINDS: &[RecordKind] = &[RecordKind::Learner, RecordKind::Attainment];

impl Adapter for OpenEducation {
    fn descriptor(&self) -> &Descriptor {
        self.descriptor
    }

    fn decoder(&self) -> Option<&dyn Decode> {
        Some(self)
    }

    fn encoder(&self) -> Option<&dyn Encode> {
        Some(self)
    }

    fn receiver(&self) -> Option<&dyn Receive> {
        Some(self)
    }

    fn connect(&self, settings: &serde_json::Value) -> Result<Connected, BadSettings> {
        client::connect(self.dialect, settings)
    }
}

impl Encode for OpenEducation {
    fn document<'a>(
        &'a self,
        out: &'a mut dyn Write,
        _form: Option<&str>,
        ctx: EncodeContext<'a>,
    ) -> io::Result<Box<dyn DocumentWriter + 'a>> {
        Ok(Box::new(Objects { out, ctx, dialect: self.dialect }))
    }
}

/// Objects being written, one per line.
struct Objects<'a> {
    out: &'a mut dyn Write,
    ctx: EncodeContext<'a>,
    dialect: &'static Dialect,
}

impl DocumentWriter for Objects<'_> {
    fn write(&mut self, item: &[Record]) -> Result<Vec<Loss>, NotWritten> {
        let mut losses = Vec::new();
        let mut lines = Vec::new();
        for record in item {
            let (line, lost) = write::record(record, self.dialect, &self.ctx)?;
            lines.extend(line);
            lines.push(b'\n');
            losses.extend(lost);
        }
        self.out.write_all(&lines)?;
        Ok(losses)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

impl Decode for OpenEducation {
    fn probe(&self, input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
        read::probe(input, limits)
    }

    fn decode(&self, input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
        read::documents(input, ctx, sink)
    }
}

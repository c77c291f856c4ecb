//! The VIRTA adapter: Finland's national store of higher-education study records.
//!
//! | module | what it holds |
//! |---|---|
//! | [`names`] | names of code lists and documents |
//! | [`extensions`] | what only VIRTA has, as typed extensions of a record |
//! | `shape` | which element holds which field, said once for reading and writing |
//! | [`decode`] | documents into records |
//! | `encode` | records into documents |
//! | `checks` | what the store's keeper counts against a sender |
//! | `schema` | the official schema, in the operator's copy |
//! | [`settings`] | the settings of a connection, and opening one |
//! | [`drop`](mod@drop), [`sftp`] | sending loads: into a directory, to a server |
//! | `reports` | what the store says later is wrong with what it was sent |
//! | [`soap`] | reading the store |
//! | `sandbox` | (feature `sandbox`) the simulated store |

mod checks;
pub mod decode;
pub mod drop;
mod encode;
pub mod extensions;
mod load_name;
pub mod names;
mod reports;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod schema;
pub mod settings;
pub mod sftp;
mod shape;
pub mod soap;
#[cfg(test)]
#[cfg(feature = "sandbox")]
mod testing;
mod verdicts;

pub use shape::enrolment_id;

use silta_adapter::SmolStr;
use silta_adapter::adapter::{
    Adapter, BadSettings, Connected, Decode, DecodeContext, Descriptor, DocumentWriter, Effect, Encode, EncodeContext,
    Grouping, Limits, Reading, Sink, Unreadable, Withdraw,
};
use silta_adapter::check::{Check, CheckContext};
use silta_adapter::problem::Problem;
use silta_adapter::record::{Record, RecordKind};
use std::io::{self, BufRead, Write};
use std::sync::Arc;

/// The VIRTA adapter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Virta;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "virta",
    summary: "VIRTA, Finland's national store of higher-education study records: XML, read by SOAP, replaced as a whole",
    media_types: &["application/xml", "text/xml"],
    settings: Some(settings::schema),
    grouping: Grouping::Record,
    effect: Effect::ReplaceAll,
    withdraw: Withdraw::Absence,
    readback: true,
    honours_key: false,
    kinds: &[
        RecordKind::Learner,
        RecordKind::StudyRight,
        RecordKind::Enrolment,
        RecordKind::MobilityPeriod,
        RecordKind::Attainment,
    ],
    losses: encode::LOSSES,
};

impl Adapter for Virta {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    fn decoder(&self) -> Option<&dyn Decode> {
        Some(self)
    }

    fn encoder(&self) -> Option<&dyn Encode> {
        Some(self)
    }

    fn checker(&self) -> Option<&dyn Check> {
        Some(self)
    }

    fn connect(&self, settings: &serde_json::Value) -> Result<Connected, BadSettings> {
        settings::connect(settings, Arc::new(*self))
    }

    fn advice(&self, settings: &serde_json::Value) -> Vec<String> {
        settings::advice(settings)
    }
}

impl Decode for Virta {
    fn probe(&self, input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
        decode::probe(input, limits)
    }

    fn decode(&self, input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
        decode::decode(input, ctx, sink)
    }

    fn form(&self, head: &[u8]) -> Option<SmolStr> {
        decode::form(head).map(SmolStr::new_static)
    }
}

impl Check for Virta {
    fn check(&self, learner: &[&Record], ctx: CheckContext<'_>) -> Vec<Problem> {
        checks::check(learner, ctx)
    }
}

impl Encode for Virta {
    fn form_for(&self, kinds: &[RecordKind]) -> Option<SmolStr> {
        Some(SmolStr::new_static(encode::form_for(kinds)))
    }

    fn document<'a>(
        &'a self,
        out: &'a mut dyn Write,
        form: Option<&str>,
        ctx: EncodeContext<'a>,
    ) -> io::Result<Box<dyn DocumentWriter + 'a>> {
        Ok(Box::new(encode::Writer::new(out, form)?.translating(&ctx.mappings.crosswalks)))
    }
}

//! The VIRTA adapter: Finland's national store of higher-education study records.
//!
//! | module | what it holds |
//! |---|---|
//! | [`names`] | names of code lists and documents |
//! | [`extensions`] | what only VIRTA has, as typed extensions of a record |
//! | `shape` | which element holds which field, said once for reading and writing |
//! | [`decode`] | documents into records |
//! | `encode` | records into documents |

pub mod decode;
mod encode;
pub mod extensions;
pub mod names;
mod shape;

pub use shape::enrolment_id;

use silta_adapter::adapter::{
    Adapter, Decode, DecodeContext, Descriptor, DocumentWriter, Effect, Encode, EncodeContext, Grouping, Limits,
    Reading, Sink, Unreadable, Withdraw,
};
use silta_adapter::record::RecordKind;
use std::io::{self, BufRead, Write};

/// The VIRTA adapter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Virta;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "virta",
    summary: "VIRTA, Finland's national store of higher-education study records: XML, read by SOAP, replaced as a whole",
    media_types: &["application/xml", "text/xml"],
    settings: None,
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
}

impl Decode for Virta {
    fn probe(&self, input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
        decode::probe(input, limits)
    }

    fn decode(&self, input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
        decode::decode(input, ctx, sink)
    }
}

impl Encode for Virta {
    fn document<'a>(
        &'a self,
        out: &'a mut dyn Write,
        form: Option<&str>,
        _: EncodeContext<'a>,
    ) -> io::Result<Box<dyn DocumentWriter + 'a>> {
        Ok(Box::new(encode::Writer::new(out, form)?))
    }
}

//! The Sisu adapter: the student information system of Finnish universities.
//!
//! | module | what it holds |
//! |---|---|
//! | [`names`] | names of code lists |
//! | `json` | JSON with exact numbers |
//! | `ids` | ids of attainments, which the sender chooses |
//! | `decode` | exports and imports into records |
//! | `encode` | records into imports |
//! | [`settings`] | the settings of a connection, and opening one |
//! | `client` | requests |
//! | `export` | pulling the feeds |
//! | `import` | importing attainments |
//! | `readback` | what it holds |
//! | `sandbox` | (feature `sandbox`) the simulated Sisu |

mod client;
mod decode;
mod encode;
mod export;
mod ids;
mod import;
pub mod names;
mod readback;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod settings;

use silta_adapter::SmolStr;
use silta_adapter::adapter::{
    Adapter, BadSettings, Connected, Decode, DecodeContext, Descriptor, DocumentWriter, Effect, Encode, EncodeContext,
    Grouping, Limits, Reading, Sink, Unreadable, Withdraw,
};
use silta_adapter::record::RecordKind;
use std::io::{self, BufRead, Write};

/// The Sisu adapter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sisu;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "sisu",
    summary: "Sisu, the student information system of Finnish universities: JSON, pulled from its export feeds, imported attainment by attainment",
    media_types: &["application/vnd.sisu+json"],
    settings: Some(settings::schema),
    grouping: Grouping::Record,
    effect: Effect::Create,
    withdraw: Withdraw::Delete,
    readback: true,
    honours_key: false,
    kinds: &[RecordKind::Attainment],
    losses: encode::LOSSES,
};

impl Adapter for Sisu {
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
        settings::connect(settings)
    }
}

impl Decode for Sisu {
    fn probe(&self, input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
        decode::probe(input, limits)
    }

    fn decode(&self, input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
        decode::decode(input, ctx, sink)
    }

    fn form(&self, head: &[u8]) -> Option<SmolStr> {
        decode::form(head)
    }
}

impl Encode for Sisu {
    fn document<'a>(
        &'a self,
        out: &'a mut dyn Write,
        form: Option<&str>,
        ctx: EncodeContext<'a>,
    ) -> io::Result<Box<dyn DocumentWriter + 'a>> {
        Ok(Box::new(encode::Writer::new(out, form, ctx)?))
    }
}

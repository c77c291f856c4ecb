//! The ELM adapter: European Learning Model v3 credentials (European Digital Credentials for Learning, EDC).
//!
//! One credential per root attainment or activity, its parts nested in it, as compacted JSON-LD that conforms to the
//! upload shapes of the Commission's issuer. Sealing is not done here; what was sealed is deposited.
//!
//! | module | what it does |
//! |---|---|
//! | `compose` | which records make an item, and how its parts nest |
//! | `project` | what of a record the format can hold; the rest becomes losses |
//! | `losses` | the table of what is lost, and why |
//! | `write` | a projection as JSON-LD |
//! | `node` | a JSON-LD node that reports what was not read of it |
//! | `read` | credentials back into records |
//! | `rest` | what a record has no field for, kept as it was |
//! | `check` | whether a credential is what the Commission's shapes, contexts and code lists ask for |
//! | `deposit` | sealed credentials into wallets and directories |
//! | `sandbox` | a simulated wallet (feature `sandbox`) |
//! | `terms` | the fixed IRIs and the gateway's own identifier schemes |

pub mod check;
mod compose;
mod deposit;
mod json;
mod losses;
mod node;
mod project;
mod read;
mod rest;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod terms;
mod write;

use silta_adapter::adapter::{
    Adapter, BadSettings, Connected, Decode, DecodeContext, Descriptor, DocumentWriter, Effect, Encode, EncodeContext,
    Grouping, ItemPlan, Limits, NotWritten, Reading, Sink, Unreadable, Withdraw,
};
use silta_adapter::fidelity::Loss;
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::Problem;
use silta_adapter::record::{Record, RecordKind};
use silta_adapter::validate::{Reports, Validate};
use std::io::{self, BufRead, Write};

/// The ELM adapter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Elm;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "elm",
    summary: "European Learning Model v3: European Digital Credentials for Learning, one JSON-LD document per line",
    media_types: &["application/ld+json"],
    settings: Some(deposit::Settings::schema),
    grouping: Grouping::Learner,
    effect: Effect::Create,
    withdraw: Withdraw::Revoke,
    readback: false,
    // A wallet knows a credential that it has by its id, which a retry repeats.
    honours_key: true,
    kinds: &[RecordKind::Learner, RecordKind::Attainment, RecordKind::Activity],
    losses: losses::TABLE,
};

impl Adapter for Elm {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }
    fn decoder(&self) -> Option<&dyn Decode> {
        Some(self)
    }
    fn encoder(&self) -> Option<&dyn Encode> {
        Some(self)
    }
    fn validator(&self) -> Option<&dyn Validate> {
        Some(self)
    }
    fn connect(&self, settings: &serde_json::Value) -> Result<Connected, BadSettings> {
        deposit::connect(settings)
    }
}

impl Validate for Elm {
    fn profiles(&self) -> &'static [&'static str] {
        &["edc", "edc-3.2", "edc-upload"]
    }

    fn validate(
        &self,
        input: &mut dyn BufRead,
        profile: &str,
        limits: &Limits,
        mappings: &Mappings,
        each: &mut Reports<'_>,
    ) -> Result<(), Unreadable> {
        let unknown = || Problem::error("unknown_profile", "there is no such profile of credentials");
        let edition = check::Edition::of_profile(profile).ok_or_else(unknown)?;
        check::documents(input, edition, limits, mappings, each)
    }
}

impl Encode for Elm {
    fn items(&self, records: &[Record]) -> (Vec<ItemPlan>, Vec<Problem>) {
        compose::items(records)
    }

    fn document<'a>(
        &'a self,
        out: &'a mut dyn Write,
        _form: Option<&str>,
        ctx: EncodeContext<'a>,
    ) -> io::Result<Box<dyn DocumentWriter + 'a>> {
        Ok(Box::new(Credentials { out, ctx }))
    }
}

/// Credentials being written, one per line.
struct Credentials<'a> {
    out: &'a mut dyn Write,
    ctx: EncodeContext<'a>,
}

impl DocumentWriter for Credentials<'_> {
    fn write(&mut self, item: &[Record]) -> Result<Vec<Loss>, NotWritten> {
        let (projection, losses) = project::item(item, &self.ctx)?;
        let mut line = write::credential(&projection, &self.ctx);
        line.push(b'\n');
        self.out.write_all(&line)?;
        Ok(losses)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

impl Decode for Elm {
    fn probe(&self, input: &mut dyn BufRead, limits: &Limits) -> Result<(), Unreadable> {
        read::probe(input, limits)
    }

    fn decode(&self, input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
        read::documents(input, ctx, sink)
    }
}

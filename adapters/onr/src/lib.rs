//! The Oppijanumerorekisteri adapter: Finland's register of learners as a source of identities.
//!
//! A person may have had several OIDs there; one of them is the master, to which the others are linked. The master can
//! change and links can be undone, so that nothing learned here is for ever. An identity code is looked up with the
//! person's names, which lets the register say that it is somebody else's; nobody is found by a name.
//!
//! The register carries no records: the adapter neither reads nor writes documents.
//!
//! | module | what it does |
//! |---|---|
//! | `client` | the calls |
//! | `sandbox` | (feature `sandbox`) a simulated register |

mod client;
#[cfg(feature = "sandbox")]
pub mod sandbox;

pub use client::Settings;

use silta_adapter::adapter::{Adapter, BadSettings, Connected, Descriptor, Effect, Grouping, Withdraw};

/// The register of learners.
#[derive(Debug, Clone, Copy, Default)]
pub struct Onr;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "onr",
    summary: "Oppijanumerorekisteri: asked which identifiers are one person's; it carries no records.",
    media_types: &[],
    settings: Some(Settings::schema),
    grouping: Grouping::Record,
    effect: Effect::Upsert,
    withdraw: Withdraw::None,
    readback: false,
    honours_key: false,
    kinds: &[],
    losses: &[],
};

impl Adapter for Onr {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    fn connect(&self, settings: &serde_json::Value) -> Result<Connected, BadSettings> {
        client::connect(settings)
    }
}

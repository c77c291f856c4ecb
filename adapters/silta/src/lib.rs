//! The record adapter: Silta's own format, and another gateway as a destination: its push API, and what it says it holds.
//!
//! The format is NDJSON, one [record](silta_adapter::record::Record) per line. A JSON array of records and
//! pretty-printed objects (the first line holds `{` alone) are read too. It holds every record exactly, tombstones
//! included, so its loss table is empty.

mod complaint;
mod decode;
mod encode;
mod held;
mod push;
mod units;

pub use push::Settings;

use silta_adapter::adapter::{
    Adapter, BadSettings, Connected, Decode, Descriptor, Effect, Encode, Grouping, Inventory, Withdraw,
};
use silta_adapter::record::RecordKind;
use std::sync::Arc;

/// Silta's own format.
#[derive(Debug, Clone, Copy, Default)]
pub struct SiltaRecord;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "record",
    summary: "Silta's own format, one JSON record per line; pushed to another gateway and read back from it.",
    media_types: &["application/x-ndjson", "application/json"],
    settings: Some(Settings::schema),
    grouping: Grouping::Record,
    effect: Effect::Upsert,
    withdraw: Withdraw::Update,
    readback: true,
    honours_key: true,
    kinds: &RecordKind::ALL,
    losses: &[],
};

impl Adapter for SiltaRecord {
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
        let settings = Settings::read(settings)?;
        let peer = Arc::new(push::Push::open(&settings)?);
        let inventory = settings.read_back.then(|| peer.clone() as Arc<dyn Inventory>);
        Ok(Connected { deliver: Some(peer), inventory, ..Connected::default() })
    }
}

//! What everything that reads foreign bytes has to survive.

use jiff::Timestamp;
use silta_adapter::adapter::{Adapter, DecodeContext, Limits};
use silta_adapter::mapping::Mappings;
use silta_seal::{Bounds, StatusList, Trust, Verdict, Verifier};
use std::sync::LazyLock;

/// Bounds small enough that the fuzzer reaches them.
const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 16, record_bytes: 1 << 16, problems: 100 };

/// Probes and decodes the bytes. Neither may panic, and they must agree: the gateway writes nothing for a malformed
/// document because the probe said so first.
pub fn decode(adapter: &dyn Adapter, data: &[u8]) {
    let decoder = adapter.decoder().expect("the adapter decodes");
    let ctx = DecodeContext { tenant: "02535".into(), source: "fuzz".into(), limits: LIMITS };
    let probed = decoder.probe(&mut &data[..], &LIMITS);
    let decoded = decoder.decode(&mut &data[..], &ctx, &mut |_| Ok(()));
    assert_eq!(probed.is_ok(), decoded.is_ok(), "probing and decoding disagree: {probed:?} {decoded:?}");
}

static MAPPINGS: LazyLock<Mappings> = LazyLock::new(|| Mappings::builtin().expect("mappings"));

/// Verifies the bytes. Whatever they are, there is a verdict, and without anybody to trust it is never "trusted".
pub fn verify(data: &[u8]) {
    let verifier = Verifier { trust: &Trust::default(), mappings: &MAPPINGS, lists: &[], bounds: BOUNDS };
    let report = verifier.verify(data, Timestamp::UNIX_EPOCH);
    assert_ne!(report.verdict(), Verdict::Trusted, "{report:?}");
}

/// Reads the bytes as a time-stamp over nothing: none that a fuzzer makes is signed by anybody.
pub fn time_stamp(data: &[u8]) {
    assert!(silta_seal::timestamp::verify(data, b"", &[]).is_err());
}

/// Reads the bytes as a status list; what is read can be asked.
pub fn status_list(data: &[u8]) {
    if let Ok(list) = StatusList::read(data, BOUNDS) {
        assert_eq!(list.get(list.entries()), None);
    }
}

const BOUNDS: Bounds = Bounds { bytes: 1 << 20, depth: 16 };

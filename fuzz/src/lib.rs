//! What every decoder has to survive.

use silta_adapter::adapter::{Adapter, DecodeContext, Limits};

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

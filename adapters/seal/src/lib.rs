//! Seals credentials and verifies seals.
//!
//! A sealed European Digital Credential is a JAdES signature (ETSI TS 119 182-1): a JWS in JSON whose payload is the
//! credential's own text, not base64 (RFC 7797). Nothing is ever canonicalised or written again before it is verified:
//! what is signed are the bytes that were found. Time-stamps are RFC 3161 tokens.
//!
//! This crate knows bytes, keys, certificates and time-stamps. It knows no records and no network: a time-stamp
//! service is handed in, and so is the time.
//!
//! | module | what it holds |
//! |---|---|
//! | [`verify`] | [`Verifier`]: the checks, in order |
//! | [`report`] | what a verification found, and the verdict |
//! | [`trust`] | anchors and pins, and the chain to them at a given time |
//! | [`seal`] | [`Sealer`]: a credential in, a sealed one out |
//! | [`key`] | private keys out of PEM, PKCS#12 and PKCS#11 |
//! | [`timestamp`] | RFC 3161: tokens verified, time-stamps asked for |
//! | [`certificate`] | certificates and what they say of their holder |
//! | [`status`] | status lists: who asks learns whether a credential was revoked |

mod algorithm;
pub mod certificate;
mod credential;
mod issuer;
mod json;
mod jws;
pub mod key;
mod ocsp;
pub mod report;
pub mod seal;
pub mod status;
pub mod timestamp;
pub mod trust;
pub mod verify;

pub use certificate::Certificate;
pub use key::Key;
pub use report::{Report, Verdict};
pub use seal::Sealer;
pub use status::StatusList;
pub use timestamp::TimeStampService;
pub use trust::Trust;
pub use verify::Verifier;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// How large and how deep a document may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most bytes.
    pub bytes: usize,
    /// Deepest nesting, at most 127.
    pub depth: usize,
}

impl Default for Bounds {
    /// 15 MB, what the Commission's issuer takes.
    fn default() -> Self {
        Self { bytes: 15 << 20, depth: 64 }
    }
}

/// Strict: no padding, no stray bits, so that no other text means the same bytes.
fn base64url(text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "is not base64url".to_owned())
}

fn to_base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn base64(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|_| "is not base64".to_owned())
}

fn to_base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

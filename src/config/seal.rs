//! A seal: the key and certificate that credentials are sealed with, and the time-stamp service.

use serde::Deserialize;
use std::path::PathBuf;

/// What credentials are sealed with. Without a time-stamp service a seal is of level JAdES BASELINE-B, with one
/// BASELINE-T.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// The private key: a file in PEM or PKCS#12, or a `pkcs11:` URI (RFC 7512).
    pub key: String,
    /// File with the certificate in PEM, then those that lead on from it. PKCS#12 brings its own.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// File with the passphrase of an encrypted key.
    #[serde(default)]
    pub passphrase_file: Option<PathBuf>,
    /// Signature algorithm (RFC 7518); the usual one of the key if absent.
    #[serde(default)]
    pub algorithm: Option<String>,
    /// Address of a time-stamp service (RFC 3161); none if absent.
    #[serde(default)]
    pub tsa_url: Option<String>,
    /// Longest time for one time-stamp, in seconds.
    #[serde(default = "ten")]
    pub tsa_timeout_secs: u64,
}

fn ten() -> u64 {
    10
}

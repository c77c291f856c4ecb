//! Sealing and verifying beside a bare signature over the same bytes.
//!
//! Arguments: the kilobytes of the credential (default 130, a micro-credential with its page image).

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark measures time and stops when it cannot"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, RsaKeyPair, UnparsedPublicKey};
use common::{Authority, Holder, Kind, credential, now, seal_params, verify_at};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use silta_seal::Verdict;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The median time of one call, over at least a second.
fn time(what: &str, mut call: impl FnMut()) -> Duration {
    call();
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 20 || start.elapsed() < Duration::from_secs(1) {
        let before = Instant::now();
        call();
        times.push(before.elapsed());
    }
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!("{what:<32} {:>9.1} µs", median.as_secs_f64() * 1e6);
    median
}

/// Signs and verifies bytes with nothing around it.
fn bare(kind: Kind, holder: &Holder, bytes: &[u8]) -> (Duration, Duration) {
    let der = PrivateKeyDer::from_pem_slice(holder.key.as_bytes()).expect("a key");
    let random = SystemRandom::new();
    if kind == Kind::Rsa2048 {
        let key = RsaKeyPair::from_pkcs8(der.secret_der()).expect("a key");
        let mut by = vec![0; key.public_modulus_len()];
        let sign = time("bare RSA-2048 sign", || {
            key.sign(&signature::RSA_PKCS1_SHA256, &random, bytes, &mut by).expect("signs");
        });
        use aws_lc_rs::signature::KeyPair;
        let public = UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
        (sign, time("bare RSA-2048 verify", || public.verify(bytes, &by).expect("verifies")))
    } else {
        let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, der.secret_der()).expect("a key");
        let by = key.sign(&random, bytes).expect("signs");
        let sign = time("bare P-256 sign", || {
            black_box(key.sign(&random, bytes).expect("signs"));
        });
        use aws_lc_rs::signature::KeyPair;
        let public = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, key.public_key().as_ref());
        (sign, time("bare P-256 verify", || public.verify(bytes, by.as_ref()).expect("verifies")))
    }
}

fn main() {
    let kilobytes = std::env::args().filter_map(|a| a.parse::<usize>().ok()).next().unwrap_or(130);
    let mut credential = credential();
    credential["displayParameter"] = json!({ "image": "iVBORw0KGgo".repeat(kilobytes * 1000 / 11) });
    let credential = credential.to_string();
    let authority = Authority::new("Juuri");
    let trust = authority.trust();
    println!("a credential of {} bytes", credential.len());
    for kind in [Kind::Rsa2048, Kind::P256] {
        let holder = authority.holder(kind, seal_params());
        let (sign, verify) = bare(kind, &holder, credential.as_bytes());
        let sealer = holder.sealer();
        let document = sealer.sign(credential.as_bytes(), now()).expect("seals").document(None);
        let sealing = time(&format!("seal {kind:?}"), || {
            black_box(sealer.sign(credential.as_bytes(), now()).expect("seals").document(None));
        });
        let verifying = time(&format!("verify {kind:?}"), || {
            assert_eq!(verify_at(&document, &trust, now()).verdict(), Verdict::Trusted);
        });
        let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
        println!("{kind:?}: seal {:.2} × bare, verify {:.2} × bare\n", ratio(sealing, sign), ratio(verifying, verify));
    }
}

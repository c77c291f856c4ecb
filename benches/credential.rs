//! A credential validated, drawn, sealed and verified, beside a bare signature over the same bytes.
//!
//! The credential is that of a micro-credential with its learner, as the ELM adapter writes it, with its page drawn in.
//! `pyshacl` and the Rust `shacl` crate on the same credential: `benches/peers`.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark measures time and stops when it cannot"
)]

#[path = "../adapters/seal/tests/common/mod.rs"]
mod common;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, RsaKeyPair, UnparsedPublicKey};
use common::{Authority, Holder, Kind, now, seal_params, verify_at};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use silta_adapter::adapter::{Encode, EncodeContext, Limits};
use silta_adapter::mapping::Mappings;
use silta_adapter::record::Record;
use silta_adapter::seal::Show;
use silta_elm::Elm;
use silta_elm::check::{Edition, check};
use silta_page::{Language, Pages};
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

/// A micro-credential as the adapter writes it.
fn credential(mappings: &Mappings) -> Value {
    let concept = |list: &str, value: &str| json!({"scheme": format!("http://data.europa.eu/snb/{list}/25831c2"), "value": format!("http://data.europa.eu/snb/{list}/{value}")});
    let record = |kind: &str, body: Value| -> Record {
        let line = json!({"kind": kind, "tenant": "uni", "source": "sis", "institution": "02535", "id": kind, "learner": "L1", "body": body});
        serde_json::from_value(line).expect("a record")
    };
    let text = |fi: &str, en: &str| json!([{"lang": "fi", "value": fi}, {"lang": "en", "value": en}]);
    let outcome =
        |n: u32| json!({"title": text(&format!("Osaa arvioida tapausta {n}"), &format!("Assesses case {n}"))});
    let records = [
        record(
            "attainment",
            json!({"title": text("Hyvinvointiteknologian perusteet", "Foundations of welfare technology"),
            "awarding_body": {"scheme": "virta:organisaatio", "value": "02535"}, "issued_on": "2026-06-01", "completed_on": "2026-05-20",
            "achievement_type": concept("learning-opportunity", "74a4a268e8"), "credits": {"ects": "5"}, "workload": "PT135H",
            "eqf_level": concept("eqf", "6"), "modes": [concept("learning-assessment", "920fbb3cbe")],
            "learning_outcomes": (1..=6).map(outcome).collect::<Vec<_>>(),
            "assessments": [{"assessment_type": concept("assessment", "6e6cb2cc78")}],
            "grade": {"scale": {"code": {"scheme": "virta:arvosana", "value": "Viisiportainen"}}, "value": "4"}}),
        ),
        record(
            "learner",
            json!({"given_names": "Testi Taru", "family_name": "Esimerkki", "date_of_birth": "1999-10-02"}),
        ),
    ];
    let ctx = EncodeContext { mappings, generation: 1, instant: now() };
    serde_json::from_slice(&Elm.encode(&records, ctx).expect("written").document).expect("JSON")
}

/// The credential as it is sealed: with its issuer, which the published shapes ask for.
fn published(holder: &Holder, credential: &str) -> Value {
    let document = holder.sealer().sign(credential.as_bytes(), now()).expect("seals").document(None);
    let document: Value = serde_json::from_slice(&document).expect("JSON");
    serde_json::from_str(document["payload"].as_str().expect("a payload")).expect("JSON")
}

fn main() {
    let mappings = Mappings::builtin().expect("mappings");
    let mut credential = credential(&mappings);
    println!("a credential of {} bytes without its page", credential.to_string().len());
    time("draw its page (fi)", || {
        black_box(silta_page::images(&credential, Language::Finnish).expect("drawn"));
    });
    time("write its page as PDF (fi)", || {
        black_box(silta_page::pdf(&credential, Language::Finnish).expect("written"));
    });
    credential["displayParameter"]["individualDisplay"] = Pages.show(&credential).expect("drawn");
    let credential = credential.to_string();
    let authority = Authority::new("Juuri");
    let trust = authority.trust();
    let published = published(&authority.holder(Kind::P256, seal_params()), &credential);
    let object = published.as_object().expect("an object");
    let conforms = || check(object.clone(), Edition::Published31, &Limits::default(), &mappings).expect("readable");
    assert_eq!(conforms().official, Some(true));
    time("validate (copy and published 3.1)", || {
        black_box(conforms());
    });
    if let Some(folder) = std::env::var_os("SILTA_BENCH_OUT") {
        std::fs::write(std::path::Path::new(&folder).join("credential.json"), published.to_string()).expect("writes");
    }
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

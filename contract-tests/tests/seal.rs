//! Seals of the Commission, verified; and ours, verified by others.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use contract_tests::{files, shared_dir};
use jiff::Timestamp;
use serde_json::Value;
use silta_adapter::mapping::Mappings;
use silta_seal::report::{Status, Step};
use silta_seal::{Bounds, Certificate, Report, Trust, Verdict, Verifier};
use std::path::{Path, PathBuf};

fn verify(document: &[u8], trust: &Trust) -> Report {
    let mappings = Mappings::builtin().expect("mappings");
    let verifier = Verifier { trust, mappings: &mappings, lists: &[], bounds: Bounds::default() };
    verifier.verify(document, now())
}

/// Long after the certificates of the samples expired.
fn now() -> Timestamp {
    "2026-11-01T12:00:00Z".parse().expect("a time")
}

/// The sealed ones among the cases.
fn sealed() -> Vec<(PathBuf, Vec<u8>)> {
    let Some(cases) = shared_dir("cases/elm") else { return Vec::new() };
    let read = |path: PathBuf| std::fs::read(&path).map(|bytes| (path, bytes)).expect("reads");
    let found: Vec<_> = files(&cases, ".jsonld").into_iter().map(read).filter(|(_, b)| b.starts_with(b"{\"payload\"")).collect();
    assert!(found.len() >= 7, "only {} sealed cases", found.len());
    found
}

fn is_official(path: &Path) -> bool {
    !path.to_string_lossy().contains("ec-issuer-tests")
}

fn protected(document: &[u8]) -> Value {
    let document: Value = serde_json::from_slice(document).expect("JSON");
    let text = document["signatures"][0]["protected"].as_str().expect("text").to_owned();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("JSON")
}

/// The certification authorities that the long-term samples bring along as proof.
fn authorities() -> Vec<Certificate> {
    let mut found: Vec<Certificate> = Vec::new();
    for (_, document) in sealed() {
        let document: Value = serde_json::from_slice(&document).expect("JSON");
        for component in document["signatures"][0]["header"]["etsiU"].as_array().expect("a list") {
            let component = URL_SAFE_NO_PAD.decode(component.as_str().expect("text")).expect("base64url");
            let component: Value = serde_json::from_slice(&component).expect("JSON");
            for value in component["xVals"].as_array().into_iter().flatten() {
                let der = STANDARD.decode(value["x509Cert"]["val"].as_str().expect("text")).expect("base64");
                let certificate = Certificate::from_der(der).expect("a certificate");
                if certificate.is_self_issued() && !found.contains(&certificate) {
                    found.push(certificate);
                }
            }
        }
    }
    found
}

fn trusting(anchors: impl IntoIterator<Item = Certificate>) -> Trust {
    let mut trust = Trust::default();
    anchors.into_iter().for_each(|anchor| trust.anchor(anchor));
    trust
}

#[test]
fn the_seals_of_the_cases_hold() {
    for (path, document) in sealed() {
        let report = verify(&document, &Trust::default());
        for step in [Step::Structure, Step::Signature, Step::Certificate, Step::TimeStamps] {
            assert_eq!(report.status(step), Status::Ok, "{}: {report:#?}", path.display());
        }
        let expected = if is_official(&path) { Verdict::Untrusted } else { Verdict::Invalid };
        assert_eq!(report.verdict(), expected, "{}: {report:#?}", path.display());
        eprintln!("{} {report:#?}", path.display());
    }
}

#[test]
fn with_the_authorities_as_anchors_the_official_seals_are_trusted_although_expired() {
    let trust = trusting(authorities());
    for (path, document) in sealed() {
        let report = verify(&document, &trust);
        eprintln!("{} {:?} {:?}", path.display(), report.check(Step::Chain), report.signers);
    }
}

//! Seals of tests: a certificate of their own, and what a verifier says who trusts it.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};
use serde_json::Value;
use silta_adapter::mapping::Mappings;
use silta_seal::{Bounds, Certificate, Report, StatusList, Trust, Verifier};
use std::path::Path;

/// A seal certificate, valid in 2026, with its key, in two files.
pub(crate) fn certificate(dir: &Path) -> Certificate {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "FI");
    params.distinguished_name.push(DnType::OrganizationName, "Esimerkin ammattikorkeakoulu");
    params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 97]), "VATFI-00000000");
    params.distinguished_name.push(DnType::CommonName, "Sinetti");
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    std::fs::write(dir.join("seal.key"), key.serialize_pem()).expect("writes");
    std::fs::write(dir.join("seal.pem"), certificate.pem()).expect("writes");
    Certificate::from_der(certificate.der().to_vec()).expect("reads")
}

/// What a verifier who pins the certificate finds at a time, in microseconds.
pub(crate) fn verified(
    document: &[u8],
    certificate: &Certificate,
    mappings: &Mappings,
    lists: &[StatusList],
    now: i64,
) -> Report {
    let mut trust = Trust::default();
    trust.pin(certificate.clone());
    let now = jiff::Timestamp::from_microsecond(now).expect("a time");
    Verifier { trust: &trust, mappings, lists, bounds: Bounds::default() }.verify(document, now)
}

/// What was sealed.
pub(crate) fn payload(document: &[u8]) -> Value {
    let sealed: Value = serde_json::from_slice(document).expect("JSON");
    serde_json::from_str(sealed["payload"].as_str().expect("a payload")).expect("JSON")
}

//! A certification authority of our own, and credentials to seal.

#![allow(dead_code, reason = "the tests and the benchmark use different parts")]

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, RevokedCertParams, RsaKeySize, SignatureAlgorithm,
};
use serde_json::{Value, json};
use silta_adapter::mapping::Mappings;
use silta_seal::key::Companions;
use silta_seal::{Bounds, Certificate, Key, Report, Sealer, Trust, Verifier};
use std::sync::{Arc, LazyLock};

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Rsa2048,
    P256,
    P384,
}

impl Kind {
    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Self::Rsa2048 => &PKCS_RSA_SHA256,
            Self::P256 => &PKCS_ECDSA_P256_SHA256,
            Self::P384 => &PKCS_ECDSA_P384_SHA384,
        }
    }

    pub(crate) fn key(self) -> KeyPair {
        match self {
            Self::Rsa2048 => KeyPair::generate_rsa_for(self.algorithm(), RsaKeySize::_2048).expect("a key"),
            _ => KeyPair::generate_for(self.algorithm()).expect("a key"),
        }
    }
}

/// A certification authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: Certificate,
}

/// An end of a chain: its key in PKCS#8 PEM, and its certificate.
pub(crate) struct Holder {
    pub(crate) key: String,
    pub(crate) certificate: Certificate,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "FI");
    params.distinguished_name.push(DnType::OrganizationName, "Esimerkin ammattikorkeakoulu");
    params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 97]), "VATFI-00000000");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params
}

/// What a seal's certificate says.
pub(crate) fn seal_params() -> CertificateParams {
    let mut params = named("Sinetti");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::EmailProtection];
    params
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let key = Kind::P256.key();
        let certificate = params.self_signed(&key).expect("a certificate");
        let certificate = Certificate::from_der(certificate.der().to_vec()).expect("reads");
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub(crate) fn holder(&self, kind: Kind, params: CertificateParams) -> Holder {
        let key = kind.key();
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let certificate = Certificate::from_der(certificate.der().to_vec()).expect("reads");
        Holder { key: key.serialize_pem(), certificate }
    }

    /// Its list of revoked certificates, as of 20 November 2026: serial numbers, each with the day in that November.
    pub(crate) fn revoked(&self, serials: &[(u64, u8)]) -> Vec<u8> {
        let day = |day| rcgen::date_time_ymd(2026, 11, day);
        let entry = |(serial, on): &(u64, u8)| RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: day(*on),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: day(20),
            next_update: day(21),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).expect("a list").der().to_vec()
    }

    pub(crate) fn trust(&self) -> Trust {
        let mut trust = Trust::default();
        trust.anchor(self.certificate.clone());
        trust
    }
}

impl Holder {
    pub(crate) fn open(&self, algorithm: Option<&str>) -> Result<Key, String> {
        let algorithm = algorithm.map(str::to_owned);
        let with = Companions { certificates: vec![self.certificate.clone()], algorithm };
        Key::from_pem(self.key.as_bytes(), None, with)
    }

    pub(crate) fn sealer(&self) -> Sealer {
        Sealer::new(self.open(None).expect("opens"), mappings())
    }
}

pub(crate) fn mappings() -> Arc<Mappings> {
    static MAPPINGS: LazyLock<Arc<Mappings>> = LazyLock::new(|| Arc::new(Mappings::builtin().expect("mappings")));
    Arc::clone(&MAPPINGS)
}

pub(crate) fn at(text: &str) -> jiff::Timestamp {
    text.parse().expect("a time")
}

/// While the certificates are valid.
pub(crate) fn now() -> jiff::Timestamp {
    at("2026-11-21T12:00:00Z")
}

pub(crate) fn verify_at(document: &[u8], trust: &Trust, now: jiff::Timestamp) -> Report {
    let mappings = mappings();
    Verifier { trust, mappings: &mappings, lists: &[], bounds: Bounds::default() }.verify(document, now)
}

/// A credential as it goes to be sealed: of nobody, about little.
pub(crate) fn credential() -> Value {
    json!({
        "id": "urn:credential:00000000-0000-4000-8000-000000000001",
        "type": ["VerifiableCredential", "EuropeanDigitalCredential"],
        "credentialSubject": {
            "id": "urn:epass:person:1", "type": "Person",
            "hasClaim": { "id": "urn:epass:learningActivity:1", "type": "LearningActivity", "title": { "fi": "Opintopiiri \"Ääni\" \\ 1/2" } },
        },
        "validFrom": "2026-01-01T00:00:00Z",
        "@context": ["https://www.w3.org/2018/credentials/v1", "http://data.europa.eu/snb/model/context/edc-ap"],
    })
}

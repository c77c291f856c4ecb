//! Certificates and what they say of their holder.

use crate::algorithm::{digest_by, sha256};
use aws_lc_rs::digest::Digest;
use der::asn1::{Any, ObjectIdentifier};
use der::{Decode, Encode, Sequence, Tag, Tagged};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_cert::attr::AttributeValue;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName, GeneralNames};
use x509_cert::ext::pkix::{CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::Time;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const ORGANISATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const ORGANISATION_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.97");
const OCSP_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9");
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

/// An X.509 certificate: its bytes as found, and what they say.
#[derive(Debug, Clone)]
pub struct Certificate {
    der: CertificateDer<'static>,
    parsed: x509_cert::Certificate,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// If it is none.
    pub fn from_der(der: Vec<u8>) -> Result<Self, String> {
        let parsed = x509_cert::Certificate::from_der(&der).map_err(|_| "is not an X.509 certificate".to_owned())?;
        Ok(Self { der: der.into(), parsed })
    }

    /// Reads a file of certificates: one in DER, or any number in PEM.
    ///
    /// # Errors
    /// If it holds none, or something that is none.
    pub fn from_file(bytes: &[u8]) -> Result<Vec<Self>, String> {
        let found = if bytes.first() == Some(&0x30) {
            vec![Self::from_der(bytes.to_vec())?]
        } else {
            CertificateDer::pem_slice_iter(bytes)
                .map(|der| Self::from_der(der.map_err(|_| "is not PEM".to_owned())?.to_vec()))
                .collect::<Result<_, _>>()?
        };
        if found.is_empty() { Err("holds no certificate".into()) } else { Ok(found) }
    }

    /// The certificate in DER, as found.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// The name of its holder (RFC 4514).
    pub fn subject(&self) -> String {
        self.parsed.tbs_certificate.subject.to_string()
    }

    /// The name of its issuer (RFC 4514).
    pub fn issuer(&self) -> String {
        self.parsed.tbs_certificate.issuer.to_string()
    }

    /// True if it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.parsed.tbs_certificate.subject == self.parsed.tbs_certificate.issuer
    }

    /// First instant of its validity.
    pub fn not_before(&self) -> Timestamp {
        instant(self.parsed.tbs_certificate.validity.not_before)
    }

    /// Last instant of its validity.
    pub fn not_after(&self) -> Timestamp {
        instant(self.parsed.tbs_certificate.validity.not_after)
    }

    /// Whether it is within its validity.
    ///
    /// # Errors
    /// If not: says so.
    pub fn valid_at(&self, at: Timestamp) -> Result<(), String> {
        if at < self.not_before() {
            return Err(format!("the certificate is valid only from {}", self.not_before()));
        }
        if at > self.not_after() {
            return Err(format!("the certificate expired at {}", self.not_after()));
        }
        Ok(())
    }

    /// SHA-256 of the certificate.
    pub fn thumbprint(&self) -> Digest {
        sha256(&self.der)
    }

    pub(crate) fn digest(&self, algorithm: ObjectIdentifier) -> Option<Digest> {
        digest_by(algorithm, &self.der)
    }

    /// Organisation (O).
    pub fn organisation(&self) -> Option<String> {
        self.attribute(ORGANISATION)
    }

    /// Common name (CN).
    pub fn common_name(&self) -> Option<String> {
        self.attribute(COMMON_NAME)
    }

    /// Country (C), ISO 3166-1 alpha-2.
    pub fn country(&self) -> Option<String> {
        self.attribute(COUNTRY)
    }

    /// Organisation identifier (2.5.4.97; ETSI EN 319 412-1, 5.1.4): `VATFI-12345678`.
    pub fn organisation_identifier(&self) -> Option<String> {
        self.attribute(ORGANISATION_IDENTIFIER)
    }

    fn attribute(&self, kind: ObjectIdentifier) -> Option<String> {
        let subject = &self.parsed.tbs_certificate.subject;
        subject.0.iter().flat_map(|rdn| rdn.0.iter()).find(|a| a.oid == kind).and_then(|a| text(&a.value))
    }

    /// Addresses over HTTP of lists of revoked certificates that its issuer keeps (RFC 5280, 4.2.1.13).
    pub fn revocation_lists(&self) -> Vec<String> {
        let points = self.parsed.tbs_certificate.get::<CrlDistributionPoints>();
        let points = points.ok().flatten().map(|(_, points)| points.0).unwrap_or_default();
        let names = points.into_iter().filter_map(|point| match point.distribution_point {
            Some(DistributionPointName::FullName(names)) => Some(names),
            _ => None,
        });
        let url = |name: GeneralName| match name {
            GeneralName::UniformResourceIdentifier(url) => Some(url.to_string()),
            _ => None,
        };
        names.flatten().filter_map(url).filter(|url| url.starts_with("http")).collect()
    }

    pub(crate) fn serial(&self) -> &[u8] {
        self.parsed.tbs_certificate.serial_number.as_bytes()
    }

    pub(crate) fn key(&self) -> &SubjectPublicKeyInfoOwned {
        &self.parsed.tbs_certificate.subject_public_key_info
    }

    pub(crate) fn is_named(&self, issuer: &Name, serial: &SerialNumber) -> bool {
        self.parsed.tbs_certificate.issuer == *issuer && self.parsed.tbs_certificate.serial_number == *serial
    }

    pub(crate) fn has_key_id(&self, id: &SubjectKeyIdentifier) -> bool {
        matches!(self.parsed.tbs_certificate.get::<SubjectKeyIdentifier>(), Ok(Some((_, own))) if own == *id)
    }

    /// Whether its key may sign documents (RFC 5280, 4.2.1.3).
    pub(crate) fn may_sign(&self) -> Result<(), String> {
        match self.parsed.tbs_certificate.get::<KeyUsage>() {
            Ok(Some((_, usage))) if !usage.digital_signature() && !usage.non_repudiation() => {
                Err("the certificate's key usage does not allow signatures".into())
            }
            Ok(_) => Ok(()),
            Err(_) => Err("the certificate's key usage cannot be read".into()),
        }
    }

    /// Whether its key may sign time-stamps, and nothing else (RFC 3161, 2.3).
    pub(crate) fn may_time_stamp(&self) -> Result<(), String> {
        self.may_sign()?;
        match self.parsed.tbs_certificate.get::<ExtendedKeyUsage>() {
            Ok(Some((true, usage))) if usage.0 == [TIME_STAMPING] => Ok(()),
            _ => Err("the certificate is not one for time-stamping".into()),
        }
    }

    /// Whether its authority lets its key answer what was revoked (RFC 6960, 4.2.2.2).
    pub(crate) fn may_answer(&self) -> bool {
        let usage = self.parsed.tbs_certificate.get::<ExtendedKeyUsage>();
        usage.is_ok_and(|usage| usage.is_some_and(|(_, usage)| usage.0.contains(&OCSP_SIGNING)))
    }

    /// The name of its issuer in DER.
    pub(crate) fn issuer_der(&self) -> Option<Vec<u8>> {
        self.parsed.tbs_certificate.issuer.to_der().ok()
    }

    /// Names it by issuer and serial number, as JAdES `kid` does.
    pub(crate) fn issuer_serial(&self) -> Result<Vec<u8>, String> {
        let tbs = &self.parsed.tbs_certificate;
        let issuer = vec![GeneralName::DirectoryName(tbs.issuer.clone())];
        IssuerSerial { issuer, serial: tbs.serial_number.clone() }
            .to_der()
            .map_err(|_| "the certificate's issuer cannot be written".into())
    }

    /// Whether an `IssuerSerial` names it; `None` if these bytes are none.
    pub(crate) fn is_issuer_serial(&self, der: &[u8]) -> Option<bool> {
        let found = IssuerSerial::from_der(der).ok()?;
        Some(
            found
                .issuer
                .iter()
                .any(|name| matches!(name, GeneralName::DirectoryName(issuer) if self.is_named(issuer, &found.serial))),
        )
    }
}

/// `IssuerSerial` (RFC 5035, 4).
#[derive(Clone, Sequence)]
struct IssuerSerial {
    issuer: GeneralNames,
    serial: SerialNumber,
}

/// The instant of an X.509 time.
pub(crate) fn instant(time: Time) -> Timestamp {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

/// The contents of one DER value.
pub(crate) fn contents(der: &[u8]) -> Option<&[u8]> {
    der::asn1::AnyRef::from_der(der).ok().map(|any| any.value())
}

/// A directory string (RFC 5280, 4.1.2.4).
fn text(value: &AttributeValue) -> Option<String> {
    let bytes = Any::value(value);
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => String::from_utf8(bytes.to_vec()).ok(),
        Tag::TeletexString => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let units: Vec<u16> = bytes.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

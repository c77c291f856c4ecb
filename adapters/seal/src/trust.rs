//! Whom to trust: anchors, pins, and the chain to them at a given time.

use crate::certificate::{Certificate, instant};
use der::Decode;
use jiff::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use std::sync::Arc;
use std::time::Duration;
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, ExtendedKeyUsageValidator, KeyPurposeIdIter,
    OwnedCertRevocationList, RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder, UnknownStatusPolicy,
    anchor_from_trusted_cert,
};
use x509_cert::crl::CertificateList;

/// Whom to trust. Empty, it trusts nobody.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    anchors: Vec<Certificate>,
    pins: Vec<Certificate>,
    revoked: Vec<Arc<CertRevocationList<'static>>>,
}

/// What is known of whether a certificate was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Revocation {
    /// Nothing covers it.
    Unknown,
    /// It was not revoked by then.
    Good,
    /// It was revoked.
    Revoked,
}

impl Trust {
    /// Trusts this certificate and what it certifies, directly or through others: a certification authority, or a
    /// single seal or time-stamp unit.
    pub fn anchor(&mut self, certificate: Certificate) {
        self.anchors.push(certificate);
    }

    /// Trusts seals of this certificate and of no other, and what its holder says about when they sealed.
    pub fn pin(&mut self, certificate: Certificate) {
        self.pins.push(certificate);
    }

    /// Knows lists of revoked certificates (CRL, RFC 5280) from a file: one in DER, or any number in PEM. A list counts
    /// for certificates of the authority that signed it.
    ///
    /// # Errors
    /// If it holds none, or something that is none.
    pub fn revocations(&mut self, bytes: &[u8]) -> Result<(), String> {
        let read = |der: &[u8]| {
            let list = OwnedCertRevocationList::from_der(der);
            list.map_err(|_| "is not a list of revoked certificates".to_owned())
        };
        let before = self.revoked.len();
        if bytes.first() == Some(&0x30) {
            self.revoked.push(Arc::new(read(bytes)?.into()));
        } else {
            for der in CertificateRevocationListDer::pem_slice_iter(bytes) {
                let der = der.map_err(|_| "is not PEM".to_owned())?;
                self.revoked.push(Arc::new(read(&der)?.into()));
            }
        }
        if self.revoked.len() == before { Err("holds no list of revoked certificates".into()) } else { Ok(()) }
    }

    /// The same anchors with other lists of revoked certificates, in DER: those that still counted at a time. What is none
    /// is left out.
    pub(crate) fn with_lists(&self, lists: &[Vec<u8>], at: Timestamp) -> Self {
        let current = |der: &&Vec<u8>| {
            let until = CertificateList::from_der(der).ok().and_then(|list| list.tbs_cert_list.next_update);
            until.is_some_and(|until| at <= instant(until))
        };
        let read = |der: &Vec<u8>| OwnedCertRevocationList::from_der(der).ok().map(|list| Arc::new(list.into()));
        let revoked = lists.iter().filter(current).filter_map(read).collect();
        Self { anchors: self.anchors.clone(), pins: self.pins.clone(), revoked }
    }

    /// What the lists say of a certificate that leads to an anchor: whether it was revoked by a time. A list that has
    /// run out still tells what was revoked before.
    pub(crate) fn revocation(
        &self,
        leaf: &Certificate,
        others: &[Certificate],
        at: Timestamp,
    ) -> Result<Revocation, String> {
        let lists: Vec<&CertRevocationList<'_>> = self.revoked.iter().map(AsRef::as_ref).collect();
        let Ok(options) = RevocationOptionsBuilder::new(&lists) else { return Ok(Revocation::Unknown) };
        let options = options
            .with_depth(RevocationCheckDepth::EndEntity)
            .with_status_policy(UnknownStatusPolicy::Deny)
            .with_expiration_policy(ExpirationPolicy::Ignore)
            .build();
        match self.path(leaf, others, at, Some(options)) {
            Ok(_) => Ok(Revocation::Good),
            Err(webpki::Error::UnknownRevocationStatus) => Ok(Revocation::Unknown),
            Err(webpki::Error::CertRevoked) => {
                let by = u64::try_from(at.as_second()).unwrap_or(0);
                let entries = lists.iter().filter_map(|list| list.find_serial(leaf.serial()).ok().flatten());
                let early = entries.map(|entry| entry.revocation_date.as_secs()).any(|date| date <= by);
                Ok(if early { Revocation::Revoked } else { Revocation::Good })
            }
            Err(e) => Err(why(&e)),
        }
    }

    /// True if seals have to be of pinned certificates.
    pub(crate) fn is_pinned(&self) -> bool {
        !self.pins.is_empty()
    }

    pub(crate) fn pins(&self, certificate: &Certificate) -> bool {
        self.pins.contains(certificate)
    }

    pub(crate) fn has_anchors(&self) -> bool {
        !self.anchors.is_empty()
    }

    /// Whether a certificate leads to an anchor through some of these, all valid at a time.
    pub(crate) fn chain(&self, leaf: &Certificate, others: &[Certificate], at: Timestamp) -> Result<(), String> {
        leaf.valid_at(at)?;
        if self.anchors.contains(leaf) {
            return Ok(());
        }
        self.path(leaf, others, at, None).map(drop).map_err(|e| why(&e))
    }

    /// The authority that certified a certificate, by the chain that leads from it to an anchor.
    pub(crate) fn authority(&self, leaf: &Certificate, others: &[Certificate], at: Timestamp) -> Option<Certificate> {
        self.path(leaf, others, at, None).ok().flatten()
    }

    /// Follows a chain to an anchor; the authority at its beginning.
    fn path(
        &self,
        leaf: &Certificate,
        others: &[Certificate],
        at: Timestamp,
        revocation: Option<RevocationOptions<'_>>,
    ) -> Result<Option<Certificate>, webpki::Error> {
        let anchors: Vec<_> = self.anchors.iter().filter_map(|a| anchor_from_trusted_cert(a.der()).ok()).collect();
        let others: Vec<CertificateDer<'_>> = others.iter().map(|c| CertificateDer::from(c.der().as_ref())).collect();
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let leaf = EndEntityCert::try_from(leaf.der())?;
        let path = leaf.verify_for_usage(algorithms, &anchors, &others, at, AnyUsage, revocation, None)?;
        let is_end = |a: &&Certificate| anchor_from_trusted_cert(a.der()).is_ok_and(|own| own == *path.anchor());
        Ok(match path.intermediate_certificates().next() {
            Some(authority) => Certificate::from_der(authority.der().to_vec()).ok(),
            None => self.anchors.iter().find(is_end).cloned(),
        })
    }
}

/// Extended key usage is judged where it matters, on the end of the chain: seal certificates have none of their own.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

fn why(error: &webpki::Error) -> String {
    use webpki::Error;
    match error {
        Error::UnknownIssuer => "no chain leads to a trust anchor".into(),
        Error::CertExpired { .. } => "a certificate of the chain had expired by then".into(),
        Error::CertNotValidYet { .. } => "a certificate of the chain was not yet valid then".into(),
        Error::InvalidSignatureForPublicKey => "a certificate of the chain is not signed by its issuer".into(),
        other => format!("the chain does not hold: {other}"),
    }
}

//! Whom to trust: anchors, pins, and the chain to them at a given time.

use crate::certificate::Certificate;
use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert};

/// Whom to trust. Empty, it trusts nobody.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    anchors: Vec<Certificate>,
    pins: Vec<Certificate>,
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
        let anchors: Vec<_> = self.anchors.iter().filter_map(|a| anchor_from_trusted_cert(a.der()).ok()).collect();
        let others: Vec<CertificateDer<'_>> = others.iter().map(|c| CertificateDer::from(c.der().as_ref())).collect();
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        EndEntityCert::try_from(leaf.der())
            .and_then(|cert| cert.verify_for_usage(algorithms, &anchors, &others, at, AnyUsage, None, None).map(|_| ()))
            .map_err(|e| why(&e))
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

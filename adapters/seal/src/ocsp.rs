//! Answers of OCSP responders (RFC 6960), as seals bring them along: what an authority said of a certificate, and when.

use crate::algorithm::{digest_by, verify_x509};
use crate::certificate::{self, Certificate};
use crate::trust::{Revocation, Trust};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use der::asn1::{AnyRef, BitString, ObjectIdentifier};
use der::{Decode, Encode, Sequence};
use jiff::Timestamp;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;
use x509_ocsp::{CertId, CertStatus, OcspGeneralizedTime, OcspResponse, ResponseData, SingleResponse};

const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
/// More certificates than any answer needs.
const MOST: usize = 8;
const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");

/// `BasicOCSPResponse` (RFC 6960, 4.2.1), what is signed as found.
#[derive(Sequence)]
struct Basic<'a> {
    data: AnyRef<'a>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
    #[asn1(context_specific = "0", optional = "true", tag_mode = "EXPLICIT")]
    certificates: Option<Vec<AnyRef<'a>>>,
}

/// What an answer says of a certificate, which `authority` certified: whether it was revoked by a time.
///
/// # Errors
/// If it is none, or is not signed by whom the authority lets answer: why.
pub(crate) fn status(
    answer: &[u8],
    certificate: &Certificate,
    authority: &Certificate,
    at: Timestamp,
) -> Result<Revocation, String> {
    let unreadable = |_| "is not an answer of an OCSP responder".to_owned();
    let answer = OcspResponse::from_der(answer).map_err(unreadable)?;
    let bytes = answer.response_bytes.filter(|bytes| bytes.response_type == BASIC).ok_or("answers nothing")?;
    let basic = Basic::from_der(bytes.response.as_bytes()).map_err(unreadable)?;
    let signed = basic.data.to_der().map_err(unreadable)?;
    let data = ResponseData::from_der(&signed).map_err(unreadable)?;
    is_signed(&basic, &signed, authority, instant(&data.produced_at))?;
    let said = data.responses.iter().filter(|one| is_about(&one.cert_id, certificate, authority));
    Ok(said.map(|one| revocation(one, certificate, at)).max().unwrap_or(Revocation::Unknown))
}

/// An answer is signed by the authority itself, or by whom it lets answer.
fn is_signed(basic: &Basic<'_>, signed: &[u8], authority: &Certificate, produced: Timestamp) -> Result<(), String> {
    let mut trust = Trust::default();
    trust.anchor(authority.clone());
    let others = basic.certificates.iter().flatten().take(MOST);
    let others = others.filter_map(|any| Certificate::from_der(any.to_der().ok()?).ok());
    let mut delegates = others.filter(|c| c.may_answer() && trust.chain(c, &[], produced).is_ok());
    let by = |signer: &Certificate| {
        let signature = basic.signature.raw_bytes();
        verify_x509(&basic.algorithm, basic.algorithm.oid, signer.key(), signed, signature).is_ok()
    };
    match by(authority) || delegates.any(|delegate| by(&delegate)) {
        true => Ok(()),
        false => Err("is not signed by whom the certificate's authority lets answer".into()),
    }
}

/// Whether a certificate is meant. The digests say which one; that the answer is true is for its signature to say, so that
/// SHA-1 does no harm.
fn is_about(id: &CertId, certificate: &Certificate, authority: &Certificate) -> bool {
    let is = |stated: &[u8], bytes: &[u8]| match id.hash_algorithm.oid {
        SHA_1 => digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref() == stated,
        other => digest_by(other, bytes).is_some_and(|own| own.as_ref() == stated),
    };
    id.serial_number.as_bytes() == certificate.serial()
        && certificate.issuer_der().is_some_and(|name| is(id.issuer_name_hash.as_bytes(), &name))
        && is(id.issuer_key_hash.as_bytes(), authority.key().subject_public_key.raw_bytes())
}

fn revocation(one: &SingleResponse, certificate: &Certificate, at: Timestamp) -> Revocation {
    let said = instant(&one.this_update);
    match &one.cert_status {
        CertStatus::Revoked(info) if instant(&info.revocation_time) <= at => Revocation::Revoked,
        CertStatus::Revoked(_) => Revocation::Good,
        // A responder may forget what it said of a certificate that has expired.
        CertStatus::Good(_) if said <= certificate.not_after() => {
            let until = one.next_update.as_ref().map_or(said, instant);
            if at <= until { Revocation::Good } else { Revocation::Unknown }
        }
        _ => Revocation::Unknown,
    }
}

fn instant(time: &OcspGeneralizedTime) -> Timestamp {
    certificate::instant(Time::GeneralTime(time.0))
}

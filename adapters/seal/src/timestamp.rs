//! Time-stamps (RFC 3161): proof by a third party that some bytes existed at a time.

use crate::algorithm::{digest_by, sha256, verify_x509};
use crate::certificate::Certificate;
use async_trait::async_trait;
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedAttributes, SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{AnyRef, Int, ObjectIdentifier, OctetString};
use der::{Any, Choice, Decode, DecodeValue, Encode, Sequence};
use jiff::Timestamp;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_tsp::{MessageImprint, TimeStampReq, TspVersion, TstInfo};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// A time-stamp service.
#[async_trait]
pub trait TimeStampService: Send + Sync {
    /// Sends a request (`application/timestamp-query`) and returns the response (`application/timestamp-reply`).
    ///
    /// # Errors
    /// If there was no answer: why, for an operator.
    async fn ask(&self, request: &[u8]) -> Result<Vec<u8>, String>;
}

/// A time-stamp whose signature and imprint hold. Whether its authority is trusted is another question.
#[derive(Debug, Clone)]
pub struct TimeStamp {
    /// When the bytes existed.
    pub at: Timestamp,
    /// The certificate of the unit that signed it.
    pub signer: Certificate,
    /// Further certificates in the token.
    pub others: Vec<Certificate>,
    nonce: Option<Int>,
}

/// Checks a time-stamp token over some bytes. The signer's certificate may be in the token or among `known` ones.
///
/// # Errors
/// If it is none, is over other bytes, or is not signed as RFC 3161 demands.
pub fn verify(token: &[u8], stamped: &[u8], known: &[Certificate]) -> Result<TimeStamp, String> {
    let unreadable = |_| "is not a time-stamp token".to_owned();
    let content = ContentInfo::from_der(token).map_err(unreadable)?;
    if content.content_type != SIGNED_DATA {
        return Err("is not a time-stamp token".into());
    }
    let signed: SignedData = content.content.decode_as().map_err(unreadable)?;
    let encapsulated = signed.encap_content_info.econtent.as_ref().map(Any::value).unwrap_or_default();
    if signed.encap_content_info.econtent_type != TST_INFO {
        return Err("is not a time-stamp token".into());
    }
    let info = TstInfo::from_der(encapsulated).map_err(unreadable)?;
    let imprint = digest_by(info.message_imprint.hash_algorithm.oid, stamped)
        .ok_or("has an imprint by a digest that is not accepted")?;
    if imprint.as_ref() != info.message_imprint.hashed_message.as_bytes() {
        return Err("is over other bytes".into());
    }
    let [by] = signed.signer_infos.0.as_slice() else { return Err("does not have one signer".into()) };
    let mut others = certificates(&signed);
    let signer =
        others.iter().chain(known).find(|c| is_signer(c, &by.sid)).cloned().ok_or("comes without its certificate")?;
    others.retain(|other| *other != signer);
    signature(by, encapsulated, &signer)?;
    signer.may_time_stamp()?;
    let seconds = i64::try_from(info.gen_time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    let at = Timestamp::from_second(seconds).map_err(|_| "has no time".to_owned())?;
    signer.valid_at(at)?;
    Ok(TimeStamp { at, signer, others, nonce: info.nonce })
}

fn certificates(signed: &SignedData) -> Vec<Certificate> {
    let choices = signed.certificates.iter().flat_map(|set| set.0.iter());
    let ders = choices.filter_map(|choice| match choice {
        CertificateChoices::Certificate(certificate) => certificate.to_der().ok(),
        CertificateChoices::Other(_) => None,
    });
    ders.filter_map(|der| Certificate::from_der(der).ok()).collect()
}

fn is_signer(certificate: &Certificate, named: &SignerIdentifier) -> bool {
    match named {
        SignerIdentifier::IssuerAndSerialNumber(name) => certificate.is_named(&name.issuer, &name.serial_number),
        SignerIdentifier::SubjectKeyIdentifier(id) => certificate.has_key_id(id),
    }
}

/// The signature is over the signed attributes, which hold the content's digest (RFC 5652, 5.4) and name the signer's
/// certificate (RFC 3161, 2.4.2).
fn signature(by: &SignerInfo, content: &[u8], signer: &Certificate) -> Result<(), String> {
    let attributes = by.signed_attrs.as_ref().ok_or("has no signed attributes")?;
    let content_type: ObjectIdentifier =
        attribute(attributes, CONTENT_TYPE)?.ok_or("does not sign its content type")?;
    let digest: OctetString = attribute(attributes, MESSAGE_DIGEST)?.ok_or("does not sign its content's digest")?;
    let found = digest_by(by.digest_alg.oid, content).ok_or("is signed over a digest that is not accepted")?;
    if content_type != TST_INFO || digest.as_bytes() != found.as_ref() {
        return Err("has another content than was signed".into());
    }
    names_signer(attributes, signer)?;
    let signed = attributes.to_der().map_err(|_| "has attributes that cannot be written".to_owned())?;
    verify_x509(&by.signature_algorithm, by.digest_alg.oid, signer.key(), &signed, by.signature.as_bytes())
}

fn attribute<'a, T: Choice<'a> + DecodeValue<'a>>(
    attributes: &'a SignedAttributes,
    kind: ObjectIdentifier,
) -> Result<Option<T>, String> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == kind);
    let (Some(attribute), None) = (found.next(), found.next()) else { return Ok(None) };
    match attribute.values.as_slice() {
        [one] => one.decode_as().map(Some).map_err(|_| "has an attribute that cannot be read".to_owned()),
        _ => Err("has an attribute without its one value".into()),
    }
}

fn names_signer(attributes: &SignedAttributes, signer: &Certificate) -> Result<(), String> {
    let foreign = || "does not name the certificate it is signed with".to_owned();
    let named = if let Some(list) = attribute::<SigningCertificateV2>(attributes, SIGNING_CERTIFICATE_V2)? {
        let first = list.certificates.first().ok_or_else(foreign)?;
        let algorithm = first.algorithm.as_ref().map_or(SHA_256, |algorithm| algorithm.oid);
        signer.digest(algorithm).is_some_and(|digest| digest.as_ref() == first.digest.as_bytes())
    } else if let Some(list) = attribute::<SigningCertificate>(attributes, SIGNING_CERTIFICATE)? {
        // The older attribute knows SHA-1 only. It only says which certificate is meant; the signature is over more.
        use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
        let own = digest(&SHA1_FOR_LEGACY_USE_ONLY, signer.der());
        list.certificates.first().is_some_and(|first| first.digest.as_bytes() == own.as_ref())
    } else {
        false
    };
    if named { Ok(()) } else { Err(foreign()) }
}

/// `SigningCertificateV2` (RFC 5035, 3).
#[derive(Sequence)]
struct SigningCertificateV2 {
    certificates: Vec<EssCertIdV2>,
    #[asn1(optional = "true")]
    _policies: Option<Any>,
}

/// `ESSCertIDv2` (RFC 5035, 4); the digest is SHA-256 unless it says otherwise.
#[derive(Sequence)]
struct EssCertIdV2 {
    #[asn1(optional = "true")]
    algorithm: Option<AlgorithmIdentifierOwned>,
    digest: OctetString,
    #[asn1(optional = "true")]
    _issuer_serial: Option<Any>,
}

/// `SigningCertificate` (RFC 2634, 5.4).
#[derive(Sequence)]
struct SigningCertificate {
    certificates: Vec<EssCertId>,
    #[asn1(optional = "true")]
    _policies: Option<Any>,
}

/// `ESSCertID` (RFC 2634, 5.4.1).
#[derive(Sequence)]
struct EssCertId {
    digest: OctetString,
    #[asn1(optional = "true")]
    _issuer_serial: Option<Any>,
}

/// Why no time-stamp was had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the time-stamp service {0}")]
pub struct NotStamped(pub String);

/// `TimeStampResp` (RFC 3161, 2.4.2), its token as found.
#[derive(Sequence)]
struct Response<'a> {
    status: StatusInfo<'a>,
    #[asn1(optional = "true")]
    token: Option<AnyRef<'a>>,
}

/// `PKIStatusInfo` (RFC 3161, 2.4.2): 0 and 1 are granted. Text and reason are not shown: they are the other side's.
#[derive(Sequence)]
struct StatusInfo<'a> {
    status: u8,
    #[asn1(optional = "true")]
    _text: Option<der::asn1::SequenceRef<'a>>,
    #[asn1(optional = "true")]
    _reason: Option<der::asn1::BitStringRef<'a>>,
}

/// Asks a service for a time-stamp over some bytes and checks what it gives. Returns the token.
///
/// # Errors
/// If the service does not answer, refuses, or gives anything but a valid time-stamp over these bytes.
pub async fn stamp(service: &dyn TimeStampService, bytes: &[u8]) -> Result<Vec<u8>, NotStamped> {
    let (request, nonce) = request(bytes).map_err(|e| NotStamped(format!("cannot be asked: {e}")))?;
    let response = service.ask(&request).await.map_err(NotStamped)?;
    read(&response, bytes, &nonce).map_err(NotStamped)
}

fn request(bytes: &[u8]) -> Result<(Vec<u8>, Int), der::Error> {
    let imprint = sha256(bytes);
    // The nonce ties the answer to this request. What is stamped is a signature made a moment ago, so a number made
    // from it has not been used before either; nothing needs it to be secret.
    let mut nonce = [0x40; 9];
    nonce[1..].copy_from_slice(&sha256(imprint.as_ref()).as_ref()[..8]);
    let nonce = Int::new(&nonce)?;
    let hash_algorithm = AlgorithmIdentifierOwned { oid: SHA_256, parameters: Some(Any::null()) };
    let request = TimeStampReq {
        version: TspVersion::V1,
        message_imprint: MessageImprint { hash_algorithm, hashed_message: OctetString::new(imprint.as_ref())? },
        req_policy: None,
        nonce: Some(nonce.clone()),
        cert_req: true,
        extensions: None,
    };
    Ok((request.to_der()?, nonce))
}

fn read(response: &[u8], bytes: &[u8], nonce: &Int) -> Result<Vec<u8>, String> {
    let response = Response::from_der(response).map_err(|_| "answers with something else".to_owned())?;
    if response.status.status > 1 {
        return Err(format!("refuses (status {})", response.status.status));
    }
    let token = response.token.and_then(|token| token.to_der().ok()).ok_or("answers without a time-stamp")?;
    let stamp = verify(&token, bytes, &[]).map_err(|e| format!("gives a time-stamp that {e}"))?;
    if stamp.nonce.as_ref() != Some(nonce) {
        return Err("answers another request".into());
    }
    Ok(token)
}

//! Verifies sealed credentials.

use crate::algorithm::digest_by;
use crate::certificate::Certificate;
use crate::jws::{Sealed, Signature, Unsigned};
use crate::report::{Report, Signer, Status, Step};
use crate::status::{self, StatusList};
use crate::timestamp::{self, TimeStamp};
use crate::trust::{Revocation, Trust};
use crate::{Bounds, base64, credential, issuer, json, jws, ocsp, to_base64url};
use der::asn1::ObjectIdentifier;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use silta_adapter::mapping::Mappings;

/// How far the clocks of signers, time-stamp services and ours may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Verifies sealed credentials against what it was given; it asks nobody.
#[derive(Debug, Clone, Copy)]
pub struct Verifier<'a> {
    /// Whom to trust.
    pub trust: &'a Trust,
    /// Code lists: countries.
    pub mappings: &'a Mappings,
    /// Status lists to look credentials up in.
    pub lists: &'a [StatusList],
    /// How large and deep a document may be.
    pub bounds: Bounds,
}

/// Where more can be learnt about a sealed credential.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Addresses of the status lists it stands in.
    pub status_lists: Vec<String>,
    /// Addresses of lists of revoked certificates, of its seals' authorities.
    pub revocation_lists: Vec<String>,
}

/// Where more can be learnt about a sealed credential; nowhere if it is none. What it names is not checked.
pub fn sources(document: &[u8], bounds: Bounds) -> Sources {
    let Ok(sealed) = jws::parse(document, bounds) else { return Sources::default() };
    let credential = json::parse(&sealed.payload, bounds.depth).unwrap_or_default();
    let entries = match &credential["credentialStatus"] {
        Value::Array(several) => several.as_slice(),
        one => std::slice::from_ref(one),
    };
    let url =
        |entry: &Value| entry["statusListCredential"].as_str().filter(|url| url.starts_with("http")).map(str::to_owned);
    let certificates = sealed.signatures.iter().map(Signature::certificate);
    Sources {
        status_lists: entries.iter().filter_map(url).collect(),
        revocation_lists: certificates.flat_map(Certificate::revocation_lists).collect(),
    }
}

impl Verifier<'_> {
    /// Verifies a document at a time. Whatever is wrong with it is in the report.
    pub fn verify(&self, document: &[u8], now: Timestamp) -> Report {
        let mut report = Report::default();
        match jws::parse(document, self.bounds) {
            Ok(sealed) => {
                report.add(Step::Structure, Status::Ok, "a JWS in JSON that signs the credential as it is");
                for signature in &sealed.signatures {
                    self.seal(&sealed, signature, now, &mut report);
                }
                self.content(&sealed, now, &mut report);
            }
            Err(e) => report.add(Step::Structure, Status::Error, e),
        }
        for step in Step::ALL {
            if report.check(step).is_none() {
                report.add(step, Status::Skipped, "not reached");
            }
        }
        report
    }

    /// One signature: who made it, and whether it holds.
    fn seal(&self, sealed: &Sealed, signature: &Signature, now: Timestamp, report: &mut Report) {
        let certificate = signature.certificate();
        let header = &signature.header;
        let input = signature.input(&sealed.payload);
        let verified = header.algorithm.verify(certificate.key(), &input, &signature.bytes);
        report.outcome(
            Step::Signature,
            verified.map(|()| format!("{} over the payload as it is", header.algorithm.name)),
        );
        report.outcome(Step::Certificate, named(signature).map(|()| "the header names the certificate it brings"));

        let mut known = header.chain.clone();
        known.extend(signature.unsigned.iter().filter(|u| u.name == "xVals").flat_map(Unsigned::certificates));
        let stamps = stamps(sealed, signature, &known);
        let (proofs, description) = match &stamps {
            Ok(stamps) => (stamps.proofs.as_slice(), stamps.description()),
            Err(_) => (&[][..], String::new()),
        };
        let times = Times { claimed: header.claimed, proofs, now };
        match stamps.as_ref().map_err(Clone::clone).and_then(|_| times.consistent()) {
            Ok(()) if proofs.is_empty() => report.add(Step::TimeStamps, Status::Skipped, "there are none"),
            outcome => report.outcome(Step::TimeStamps, outcome.map(|()| description)),
        }

        let proven_at = self.proven(&times, &known);
        self.chain(signature, &known, &times, proven_at, report);
        report.signers.push(Signer {
            organisation: certificate.organisation(),
            identifier: certificate.organisation_identifier(),
            subject: certificate.subject(),
            issuer: certificate.issuer(),
            thumbprint: to_base64url(certificate.thumbprint()),
            algorithm: header.algorithm.name,
            claimed_at: Some(header.claimed),
            proven_at,
        });
    }

    /// The time by which the seal is proven to have existed: only a time-stamp of a trusted authority proves anything.
    fn proven(&self, times: &Times<'_>, known: &[Certificate]) -> Timestamp {
        let trusted = |stamp: &&TimeStamp| {
            let others: Vec<_> = stamp.others.iter().chain(known).cloned().collect();
            self.trust.chain(&stamp.signer, &others, stamp.at).is_ok()
        };
        times.proofs.iter().filter(trusted).map(|stamp| stamp.at).min().unwrap_or(times.now).min(times.now)
    }

    fn chain(
        &self,
        signature: &Signature,
        known: &[Certificate],
        times: &Times<'_>,
        at: Timestamp,
        report: &mut Report,
    ) {
        let leaf = signature.certificate();
        let outcome = if self.trust.is_pinned() {
            report.add(Step::CertificateStatus, Status::Skipped, "a pinned certificate is trusted by itself");
            // Who is trusted themselves is trusted about when they sealed.
            match self.trust.pins(leaf) {
                true => leaf.valid_at(times.stated()).map(|()| "the certificate is pinned".to_owned()),
                false => Err("the seal is not of a pinned certificate".into()),
            }
        } else if self.trust.has_anchors() {
            match self.trust.chain(leaf, known, at) {
                Ok(()) => {
                    self.certificate_status(signature, known, at, report);
                    Ok(format!("a chain leads to a trust anchor at {at}"))
                }
                Err(e) if at == times.now && !times.proofs.is_empty() => {
                    Err(format!("{e}; its time-stamps prove nothing, for no authority of them is trusted"))
                }
                Err(e) => Err(e),
            }
        } else {
            report.add(Step::CertificateStatus, Status::Skipped, "no trust anchors were given");
            return report.add(Step::Chain, Status::Skipped, "no trust anchors were given");
        };
        report.outcome(Step::Chain, outcome);
    }

    /// Whether the certificate was revoked, as far as lists that were given cover it, or what the seal brings along of
    /// what authorities said.
    fn certificate_status(&self, signature: &Signature, known: &[Certificate], at: Timestamp, report: &mut Report) {
        let (leaf, step) = (signature.certificate(), Step::CertificateStatus);
        let given = match self.trust.revocation(leaf, known, at) {
            Ok(given) => given,
            Err(e) => return report.add(step, Status::Error, e),
        };
        let (brought, unused) = self.brought(signature, known, at);
        match given.max(brought) {
            Revocation::Good => {
                let by =
                    if given == Revocation::Good { "a list of its authority" } else { "what the seal brings along" };
                report.add(step, Status::Ok, format!("the certificate was not revoked by then, says {by}"));
            }
            Revocation::Revoked => {
                report.add(step, Status::Error, "the certificate was revoked before the seal was made")
            }
            Revocation::Unknown => {
                report.add(step, Status::Skipped, format!("no list of revoked certificates covers it{unused}"))
            }
        }
    }

    /// What lists and answers say that a seal brings along; and why not, where there are some that say nothing.
    fn brought(&self, signature: &Signature, known: &[Certificate], at: Timestamp) -> (Revocation, String) {
        let leaf = signature.certificate();
        let proofs = signature.revocations();
        let lists = self.trust.with_lists(&proofs.lists, at).revocation(leaf, known, at);
        let mut found = lists.unwrap_or(Revocation::Unknown);
        let mut unused = String::new();
        let authority = self.trust.authority(leaf, known, at);
        for answer in &proofs.answers {
            let said = authority.as_ref().ok_or("cannot be judged without its authority".to_owned());
            match said.and_then(|authority| ocsp::status(answer, leaf, authority, at)) {
                Ok(Revocation::Unknown) => {
                    unused = "; the seal's OCSP answer is about another certificate or time".into()
                }
                Ok(said) => found = found.max(said),
                Err(e) => unused = format!("; the seal's OCSP answer {e}"),
            }
        }
        (found, unused)
    }

    /// What was sealed.
    fn content(&self, sealed: &Sealed, now: Timestamp, report: &mut Report) {
        let credential = match json::parse(&sealed.payload, self.bounds.depth) {
            Ok(credential) => credential,
            Err(e) => return report.add(Step::Format, Status::Error, format!("the payload {e}")),
        };
        for signature in &sealed.signatures {
            let holder = issuer::is_holder(&credential["issuer"], signature.certificate(), self.mappings);
            report.outcome(Step::Issuer, holder.map(|()| "the issuer is the certificate's holder"));
        }
        let form = credential::form(&credential);
        report.outcome(Step::Format, form.map(|()| "one European Digital Credential with its contexts"));
        report.outcome(Step::Validity, credential::validity(&credential, now));
        self.status(sealed, &credential, now, report);
    }

    fn status(&self, sealed: &Sealed, credential: &Value, now: Timestamp, report: &mut Report) {
        let believed = |list: &StatusList| self.believes(list, sealed, now);
        match status::look_up(credential, self.lists, believed, now) {
            Ok(status::Found::NotRevocable) => {
                report.add(Step::Status, Status::Skipped, "the credential has no status")
            }
            Ok(status::Found::NoList) => {
                report.add(Step::Status, Status::Skipped, "the credential has a status, but no status list was given");
            }
            Ok(status::Found::Foreign) => {
                let reason = "the credential has a status, but its list is not sealed by the credential's issuer";
                report.add(Step::Status, Status::Skipped, reason);
            }
            Ok(status::Found::Good) => report.add(Step::Status, Status::Ok, "neither revoked nor suspended"),
            Err(e) => report.add(Step::Status, Status::Error, e),
        }
    }

    /// Whether a status list is of those who sealed the credential: sealed with the same certificate, or with another one of
    /// the same holder that is trusted. Any other list could hide or invent a revocation.
    fn believes(&self, list: &StatusList, sealed: &Sealed, now: Timestamp) -> bool {
        let sealers = match list.word() {
            status::Word::Given => return true,
            status::Word::Nobody => return false,
            status::Word::Sealed(sealers) => sealers,
        };
        let same = |by: &status::Sealer, own: &Certificate| {
            let holder = |c: &Certificate| c.organisation_identifier().map(|id| (id, c.country()));
            let trusted =
                || self.trust.pins(&by.certificate) || self.trust.chain(&by.certificate, &by.chain, now).is_ok();
            by.certificate == *own || (holder(own).is_some() && holder(&by.certificate) == holder(own) && trusted())
        };
        sealers.iter().any(|by| sealed.signatures.iter().any(|signature| same(by, signature.certificate())))
    }
}

/// The signed header names the certificate that is there (JAdES, 5.1.4 and 5.1.7), and its key could sign then.
pub(crate) fn named(signature: &Signature) -> Result<(), String> {
    let certificate = signature.certificate();
    let (algorithm, stated) = signature.header.thumbprint.as_ref().ok_or("the header has no certificate thumbprint")?;
    let algorithm = match algorithm.as_str() {
        "S256" => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"),
        "S384" => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"),
        "S512" => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"),
        _ => return Err("the certificate's thumbprint is by a digest that is not accepted".into()),
    };
    let own = digest_by(algorithm, certificate.der()).ok_or("the digest is not accepted")?;
    if own.as_ref() != stated.as_slice() {
        return Err("the certificate is not the one whose thumbprint the header states".into());
    }
    // A kid of another form is a name and says nothing.
    let kid = signature.header.kid.as_deref().and_then(|kid| base64(kid).ok());
    if kid.and_then(|kid| certificate.is_issuer_serial(&kid)) == Some(false) {
        return Err("the certificate is not the one that kid names".into());
    }
    certificate.may_sign()?;
    certificate.valid_at(signature.header.claimed).map_err(|e| format!("sealed outside of its validity: {e}"))
}

/// What the time-stamps of a signature say.
struct Stamps {
    /// Those that prove when the seal existed.
    proofs: Vec<TimeStamp>,
    /// How many were over the payload alone, made before sealing.
    before: usize,
    /// Components that this version cannot check.
    unchecked: Vec<String>,
}

impl Stamps {
    fn description(&self) -> String {
        let mut text = format!("{} over the seal, {} over the payload", self.proofs.len(), self.before);
        if !self.unchecked.is_empty() {
            text.push_str("; not checked: ");
            text.push_str(&self.unchecked.join(", "));
        }
        text
    }
}

/// Checks every time-stamp of a signature: `adoTst` over the payload (JAdES, 5.2.6), `sigTst` over the signature value
/// (5.3.4), `arcTst` over everything before it (5.3.6).
fn stamps(sealed: &Sealed, signature: &Signature, known: &[Certificate]) -> Result<Stamps, String> {
    let check = |name: &str, tokens: Vec<Vec<u8>>, stamped: &[u8]| -> Result<Vec<TimeStamp>, String> {
        let verify = |token: &Vec<u8>| timestamp::verify(token, stamped, known);
        tokens.iter().map(verify).collect::<Result<_, _>>().map_err(|e| format!("{name}: a time-stamp {e}"))
    };
    let before = check("adoTst", signature.header.payload_stamps.clone(), sealed.payload.as_bytes())?;
    let mut stamps = Stamps { proofs: Vec::new(), before: before.len(), unchecked: Vec::new() };
    let mut archived = Some(format!("{}.{}.{}.", sealed.payload, signature.protected, signature.text));
    for component in &signature.unsigned {
        match (component.name.as_str(), &archived) {
            ("sigTst", _) => stamps.proofs.extend(check("sigTst", component.stamps()?, signature.text.as_bytes())?),
            ("arcTst", Some(archived)) => {
                stamps.proofs.extend(check("arcTst", component.stamps()?, archived.as_bytes())?);
            }
            ("xVals" | "rVals", _) => {}
            (name, _) => stamps.unchecked.push(name.chars().filter(char::is_ascii_alphanumeric).take(20).collect()),
        }
        // What is written as an object was canonicalised to be stamped, and cannot be checked as found.
        archived = archived.zip(component.text.as_ref()).map(|(archived, text)| archived + text);
    }
    Ok(stamps)
}

/// The times that a signature states and proves.
struct Times<'a> {
    claimed: Timestamp,
    proofs: &'a [TimeStamp],
    now: Timestamp,
}

impl Times<'_> {
    /// When the seal was made, as far as it says so itself.
    fn stated(&self) -> Timestamp {
        self.proofs.iter().map(|stamp| stamp.at).min().unwrap_or(self.claimed)
    }

    /// Nobody sealed in the future, or after their own time-stamp.
    fn consistent(&self) -> Result<(), String> {
        let latest = self.stated().max(self.claimed);
        if latest > self.now + SKEW {
            return Err("the seal says that it was made in the future".into());
        }
        if self.proofs.iter().any(|stamp| self.claimed > stamp.at + SKEW) {
            return Err("the seal says that it was made after its own time-stamp".into());
        }
        Ok(())
    }
}

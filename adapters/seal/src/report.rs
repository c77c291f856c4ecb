//! What a verification found, and the verdict.

use jiff::Timestamp;
use serde::Serialize;

/// How a check ended, in the Commission's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Not done: not asked for, or nothing there to check.
    Skipped,
    /// Not as it should be.
    Error,
}

impl Status {
    /// The concept of the Commission's list `verification-status`.
    pub fn concept(self) -> &'static str {
        match self {
            Self::Ok => "http://data.europa.eu/snb/verification-status/9895008394",
            Self::Skipped => "http://data.europa.eu/snb/verification-status/641f0c5e5d",
            Self::Error => "http://data.europa.eu/snb/verification-status/9d26eb9a37",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Error => "error",
        }
    }
}

/// A step of the verification, in the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The document is a JWS in JSON of the kind that seals credentials, and everything critical in it is understood.
    Structure,
    /// The signature belongs to the payload's bytes and the certificate's key.
    Signature,
    /// The signed header names the certificate that is there, and its key may sign.
    Certificate,
    /// The certificate led to a trust anchor when the seal was made. The one step that decides trust, not validity.
    Chain,
    /// The certificate was not revoked when the seal was made.
    CertificateStatus,
    /// Time-stamps are over the right bytes and signed by their authority.
    TimeStamps,
    /// The credential's issuer is the certificate's holder.
    Issuer,
    /// The payload is one European Digital Credential, and its terms mean what they say.
    Format,
    /// The credential is within its own validity.
    Validity,
    /// The credential was not revoked or suspended.
    Status,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::Structure,
        Self::Signature,
        Self::Certificate,
        Self::Chain,
        Self::CertificateStatus,
        Self::TimeStamps,
        Self::Issuer,
        Self::Format,
        Self::Validity,
        Self::Status,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Signature => "signature",
            Self::Certificate => "certificate",
            Self::TimeStamps => "time_stamps",
            Self::Chain => "chain",
            Self::CertificateStatus => "certificate_status",
            Self::Issuer => "issuer",
            Self::Format => "format",
            Self::Validity => "validity",
            Self::Status => "status",
        }
    }

    /// The Commission's check that it is part of: name, and concept of the list `verification`.
    pub fn check(self) -> (&'static str, &'static str) {
        match self {
            Self::Format => ("format", "http://data.europa.eu/snb/verification/2f5b89b96f"),
            Self::Validity => ("expiry", "http://data.europa.eu/snb/verification/94d828f160"),
            Self::Status => ("revocation", "http://data.europa.eu/snb/verification/271aef9eb4"),
            _ => ("seal", "http://data.europa.eu/snb/verification/f9c2016fe9"),
        }
    }
}

/// What one step found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Which step.
    pub step: Step,
    /// How it ended.
    pub status: Status,
    /// What was found, without personal data.
    pub description: String,
}

/// What the checks come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Valid, and sealed by someone who is trusted.
    Trusted,
    /// Valid, but nothing shows that its seal can be trusted.
    Untrusted,
    /// Not valid.
    Invalid,
}

/// Who sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signer {
    /// Organisation (O) of the certificate's holder.
    pub organisation: Option<String>,
    /// Its identifier (2.5.4.97).
    pub identifier: Option<String>,
    /// The certificate's holder in full (RFC 4514).
    pub subject: String,
    /// Who issued the certificate (RFC 4514).
    pub issuer: String,
    /// SHA-256 of the certificate, base64url.
    pub thumbprint: String,
    /// The signature algorithm (RFC 7518).
    pub algorithm: &'static str,
    /// When they say they sealed.
    pub claimed_at: Option<Timestamp>,
    /// The time by which the seal is proven to have existed: of its first trusted time-stamp, else of verification.
    pub proven_at: Timestamp,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The checks, in order.
    pub checks: Vec<Check>,
    /// Who sealed; one for each signature.
    pub signers: Vec<Signer>,
}

impl Report {
    /// What the checks come to.
    pub fn verdict(&self) -> Verdict {
        let error = |check: &&Check| check.status == Status::Error && check.step != Step::Chain;
        if self.checks.iter().any(|check| error(&check)) {
            return Verdict::Invalid;
        }
        match self.status(Step::Chain) {
            Status::Ok => Verdict::Trusted,
            _ => Verdict::Untrusted,
        }
    }

    /// How a step ended; `skipped` if it was not reached.
    pub fn status(&self, step: Step) -> Status {
        self.check(step).map_or(Status::Skipped, |check| check.status)
    }

    /// What a step found, if it was reached.
    pub fn check(&self, step: Step) -> Option<&Check> {
        self.checks.iter().find(|check| check.step == step)
    }

    /// Adds a finding. A step that several signatures go through, or several rules, ends as the worst of them does.
    pub fn add(&mut self, step: Step, status: Status, description: impl Into<String>) {
        let description = description.into();
        match self.checks.iter_mut().find(|check| check.step == step) {
            None => {
                self.checks.push(Check { step, status, description });
                self.checks.sort_by_key(|check| check.step);
            }
            Some(check) if check.status < status => *check = Check { step, status, description },
            Some(check) if check.status == status && check.description != description => {
                check.description = format!("{}; {description}", check.description);
            }
            Some(_) => {}
        }
    }

    pub(crate) fn outcome(&mut self, step: Step, outcome: Result<impl Into<String>, String>) {
        match outcome {
            Ok(description) => self.add(step, Status::Ok, description),
            Err(description) => self.add(step, Status::Error, description),
        }
    }
}

//! Whether a credential holds, as it is told on its page.

use super::link::Shown;
use crate::gateway::Gateway;
use crate::sealing;
use silta_seal::report::{Status, Step};
use silta_seal::{Bounds, Report, Trust, Verdict, Verifier};

/// What a page says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It holds, and its seal is the institution's.
    Valid,
    /// It holds; its seal is not the one that the institution uses now.
    Sealed,
    /// The institution withdrew it, or issued another in its place.
    Withdrawn,
    /// It does not hold.
    Invalid,
}

/// Verifies what a link leads to, as anybody could, and looks up whether it was withdrawn, as only we can.
pub fn judge(gateway: &Gateway, shown: &Shown) -> (Standing, Report) {
    let connection = gateway.connection(&shown.issued.connection);
    let mut trust = Trust::default();
    if let Some(sealer) = connection.and_then(|connection| connection.sealer.as_ref()) {
        trust.pin(sealer.certificate().clone());
    }
    let verifier = Verifier { trust: &trust, mappings: &gateway.mappings, lists: &[], bounds: Bounds::default() };
    let now = jiff::Timestamp::from_microsecond(gateway.now()).unwrap_or_default();
    let mut report = verifier.verify(&shown.document, now);
    if report.status(Step::Format) == Status::Ok {
        sealing::conforms(&gateway.registry, &shown.document, &gateway.mappings, &mut report);
    }
    let withdrawn = shown.issued.withdrawn.is_some();
    match withdrawn {
        true => report.add(Step::Status, Status::Error, "the credential was withdrawn"),
        // What a list would say is known here without it.
        false => {
            report.checks.retain(|check| check.step != Step::Status);
            report.add(Step::Status, Status::Ok, "the credential was not withdrawn");
        }
    }
    let standing = match report.verdict() {
        _ if withdrawn => Standing::Withdrawn,
        Verdict::Trusted => Standing::Valid,
        Verdict::Untrusted => Standing::Sealed,
        Verdict::Invalid => Standing::Invalid,
    };
    (standing, report)
}

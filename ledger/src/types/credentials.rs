//! Credentials that were issued, and the links by which learners show them.

use super::{Micros, RecordId, Sealed};
use smol_str::SmolStr;

/// A credential that is to be issued: one for each generation of what a connection is owed for an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuing {
    /// Whose record it is about.
    pub tenant: SmolStr,
    /// Over which connection it is issued.
    pub connection: SmolStr,
    /// The record that names the item.
    pub item: RecordId,
    /// The generation of the debt.
    pub generation: i64,
    /// When.
    pub at: Micros,
}

/// A credential that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Its number.
    pub id: i64,
    /// Whose record it is about.
    pub tenant: SmolStr,
    /// Over which connection it was issued.
    pub connection: SmolStr,
    /// The record that names the item.
    pub item: RecordId,
    /// The generation of the debt.
    pub generation: i64,
    /// Its place in the connection's status list, from 0.
    pub place: i64,
    /// When it was first to be issued.
    pub at: Micros,
    /// When it was withdrawn, or another took its place.
    pub withdrawn: Option<Micros>,
    /// The sealed credential; `None` before it was sealed, and after the learner was erased.
    pub document: Option<Sealed>,
}

/// A new link to a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewShare {
    /// The credential's number.
    pub credential: i64,
    /// BLAKE3 of the token in the link; the token itself is not kept.
    pub hash: [u8; 32],
    /// When it was made.
    pub created: Micros,
    /// When it ends.
    pub expires: Micros,
    /// True if the learner wants search engines to read what the page says.
    pub public: bool,
}

/// A link to a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Its number.
    pub id: i64,
    /// The credential's number.
    pub credential: i64,
    /// When it was made.
    pub created: Micros,
    /// When it ends.
    pub expires: Micros,
    /// When it was revoked.
    pub revoked: Option<Micros>,
    /// True if the learner wants search engines to read what the page says.
    pub public: bool,
}

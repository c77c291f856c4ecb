//! Status lists: one bit for each credential, by which anyone learns whether it was revoked or suspended, and nobody
//! learns who asked about which.
//!
//! Written as W3C *Bitstring Status List* 1.0, read as that and as its draft *Status List 2021*.

use crate::certificate::Certificate;
use crate::verify::named;
use crate::{Bounds, base64url, json, jws, to_base64url};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::{Read, Write};

/// Fewest entries of a list, so that an entry does not tell which credential is meant.
const LEAST: usize = 131_072;
/// Most bytes that a list may unfold to.
const MOST_BYTES: u64 = 16 << 20;
/// What a set bit may mean that makes a credential unusable, and the words for it.
const PURPOSES: [(&str, &str); 2] = [("revocation", "revoked"), ("suspension", "suspended")];

/// A status list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusList {
    id: String,
    purpose: String,
    until: Option<Timestamp>,
    bits: Vec<u8>,
    word: Word,
}

/// On whose word a list stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// Of whoever hands it in.
    Given,
    /// Of whoever sealed it.
    Sealed(Vec<Sealer>),
    /// Nobody's.
    Nobody,
}

/// Who sealed a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealer {
    pub(crate) certificate: Certificate,
    /// What it brings along to lead to an anchor.
    pub(crate) chain: Vec<Certificate>,
}

impl StatusList {
    /// An empty list for a purpose (`revocation`, `suspension`) at an address, with room for so many credentials.
    pub fn new(id: impl Into<String>, purpose: impl Into<String>, entries: usize) -> Self {
        let bits = vec![0; entries.max(LEAST).div_ceil(8)];
        Self { id: id.into(), purpose: purpose.into(), until: None, bits, word: Word::Given }
    }

    /// How many credentials it has room for.
    pub fn entries(&self) -> usize {
        self.bits.len() * 8
    }

    /// Whether the bit of a credential is set; `None` beyond the end.
    pub fn get(&self, index: usize) -> Option<bool> {
        // The first bit of the list is the highest of its first byte.
        Some(self.bits.get(index / 8)? & (0x80 >> (index % 8)) != 0)
    }

    /// Sets or clears the bit of a credential; false beyond the end.
    pub fn set(&mut self, index: usize, on: bool) -> bool {
        let Some(byte) = self.bits.get_mut(index / 8) else { return false };
        let bit = 0x80 >> (index % 8);
        *byte = if on { *byte | bit } else { *byte & !bit };
        true
    }

    /// What a credential says of its place in this list, to be its `credentialStatus`. It has two types: its own, and the
    /// class that the Commission's shapes want.
    pub fn entry(&self, index: usize) -> Value {
        json!({
            "id": format!("{}#{index}", self.id),
            "type": ["CredentialStatus", "BitstringStatusListEntry"],
            "statusPurpose": self.purpose,
            "statusListIndex": index.to_string(),
            "statusListCredential": self.id,
        })
    }

    /// The list as a credential, to be sealed and served at its address.
    ///
    /// # Errors
    /// If it cannot be compressed.
    pub fn credential(&self, issuer: &str, from: Timestamp, until: Timestamp) -> std::io::Result<Value> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&self.bits)?;
        Ok(json!({
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "id": self.id,
            "type": ["VerifiableCredential", "BitstringStatusListCredential"],
            "issuer": issuer,
            "validFrom": from.to_string(),
            "validUntil": until.to_string(),
            "credentialSubject": {
                "id": format!("{}#list", self.id),
                "type": "BitstringStatusList",
                "statusPurpose": self.purpose,
                "encodedList": format!("u{}", to_base64url(gzip.finish()?)),
            },
        }))
    }

    /// Reads a list, sealed or not. Of a sealed one the signature has to hold; whose it is, a verification judges. One that
    /// is not sealed is nobody's word, and not believed.
    ///
    /// # Errors
    /// If it is none, its signature does not hold, or it breaks a bound.
    pub fn read(document: &[u8], bounds: Bounds) -> Result<Self, String> {
        if document.len() > bounds.bytes {
            return Err(format!("is larger than {} bytes", bounds.bytes));
        }
        let text = std::str::from_utf8(document).map_err(|_| "is not UTF-8".to_owned())?;
        let mut list = json::parse(text, bounds.depth)?;
        let mut word = Word::Nobody;
        if list.get("payload").is_some() {
            let sealed = jws::parse(document, bounds)?;
            for signature in &sealed.signatures {
                let key = signature.certificate().key();
                signature.header.algorithm.verify(key, &signature.input(&sealed.payload), &signature.bytes)?;
                named(signature)?;
            }
            list = json::parse(&sealed.payload, bounds.depth)?;
            let sealer = |s: jws::Signature| Sealer { certificate: s.header.certificate, chain: s.header.chain };
            word = Word::Sealed(sealed.signatures.into_iter().map(sealer).collect());
        }
        Self::from_credential(&list, word)
    }

    /// The list on the word of whoever hands it in, if it is nobody else's.
    #[must_use]
    pub fn vouched(mut self) -> Self {
        if self.word == Word::Nobody {
            self.word = Word::Given;
        }
        self
    }

    /// On whose word it stands.
    pub(crate) fn word(&self) -> &Word {
        &self.word
    }

    fn from_credential(list: &Value, word: Word) -> Result<Self, String> {
        let subject = &list["credentialSubject"];
        let text = |value: &Value, name: &str| {
            value[name].as_str().map(str::to_owned).ok_or_else(|| format!("has no {name} as a status list has"))
        };
        let encoded = text(subject, "encodedList")?;
        // Bitstring Status List writes multibase (`u`); a gzip stream in base64url begins with H.
        let gzip = base64url(encoded.strip_prefix('u').unwrap_or(&encoded).trim_end_matches('='))?;
        let mut bits = Vec::new();
        let read = GzDecoder::new(gzip.as_slice()).take(MOST_BYTES + 1).read_to_end(&mut bits);
        if read.is_err() || bits.len() as u64 > MOST_BYTES {
            return Err("is not compressed as a status list, or too large".into());
        }
        let until = list["validUntil"].as_str().or(list["expirationDate"].as_str());
        let until = until.map(|t| t.parse().map_err(|_| "ends at something that is no time".to_owned())).transpose()?;
        Ok(Self { id: text(list, "id")?, purpose: text(subject, "statusPurpose")?, until, bits, word })
    }
}

/// What the lists say of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// It has no status.
    NotRevocable,
    /// It has one, and none of the lists is the one it stands in, or it is out of date.
    NoList,
    /// It has one, and who sealed the list that is there has no say about it.
    Foreign,
    /// It is neither revoked nor suspended.
    Good,
}

/// Looks a credential up in all lists that are believed: one is enough to revoke it. An error says that it is revoked, or
/// where its status cannot be meant.
pub(crate) fn look_up(
    credential: &Value,
    lists: &[StatusList],
    believed: impl Fn(&StatusList) -> bool,
    now: Timestamp,
) -> Result<Found, String> {
    let entries = match &credential["credentialStatus"] {
        Value::Null => return Ok(Found::NotRevocable),
        Value::Array(several) => several.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut found = Found::Good;
    for entry in entries {
        let purpose = PURPOSES.iter().find(|(name, _)| entry["statusPurpose"] == *name);
        let index = match &entry["statusListIndex"] {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|n| usize::try_from(n).ok()),
        };
        let meant = lists.iter().filter(|list| {
            entry["statusListCredential"] == list.id
                && entry["statusPurpose"] == list.purpose
                && list.until.is_none_or(|until| now <= until)
        });
        let mut judged = Found::NoList;
        for list in meant {
            match (purpose, believed(list), index.and_then(|index| list.get(index))) {
                (Some((_, word)), true, Some(true)) => return Err(format!("the credential is {word}")),
                (Some(_), true, Some(false)) => judged = Found::Good,
                (Some(_), true, None) => return Err("the credential's place is not in its status list".into()),
                (Some(_), false, _) if judged != Found::Good => judged = Found::Foreign,
                _ => {}
            }
        }
        if judged != Found::Good {
            found = judged;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://silta.example/status/1";

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_revoked_credential_is_found_and_no_other() {
        let mut list = StatusList::new(URL, "revocation", 1);
        assert!(list.set(94_567, true));
        assert!(!list.set(list.entries(), true));
        let written = list.credential("urn:issuer", at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        let text = serde_json::to_vec(&written.expect("compresses")).expect("JSON");
        assert!(text.len() < 1000, "an almost empty list is small");
        let read = [StatusList::read(&text, Bounds::default()).expect("reads")];
        let now = at("2026-01-15T00:00:00Z");
        let status = |index| look_up(&json!({ "credentialStatus": list.entry(index) }), &read, |_| true, now);
        assert_eq!(status(94_567), Err("the credential is revoked".into()));
        assert_eq!(status(94_566), Ok(Found::Good));
        assert_eq!(status(94_568), Ok(Found::Good));
        assert!(status(list.entries()).is_err());
        assert_eq!(look_up(&json!({}), &read, |_| true, now), Ok(Found::NotRevocable));
        let late = at("2026-02-02T00:00:00Z");
        assert_eq!(
            look_up(&json!({ "credentialStatus": list.entry(94_567) }), &read, |_| true, late),
            Ok(Found::NoList)
        );
        let elsewhere = StatusList::new("https://silta.example/status/2", "revocation", 1);
        assert_eq!(
            look_up(&json!({ "credentialStatus": elsewhere.entry(0) }), &read, |_| true, now),
            Ok(Found::NoList)
        );
        let doubted = look_up(&json!({ "credentialStatus": list.entry(94_567) }), &read, |_| false, now);
        assert_eq!(doubted, Ok(Found::Foreign));
    }

    #[test]
    fn a_list_that_unfolds_beyond_its_bound_is_refused() {
        let list = StatusList { bits: vec![0; 17 << 20], ..StatusList::new(URL, "revocation", 1) };
        let written = list.credential("urn:issuer", Timestamp::UNIX_EPOCH, Timestamp::MAX).expect("compresses");
        let text = serde_json::to_vec(&written).expect("JSON");
        assert!(StatusList::read(&text, Bounds::default()).expect_err("refused").contains("too large"));
    }

    #[test]
    fn status_list_2021_is_read() {
        let mut list = StatusList::new(URL, "suspension", 1);
        list.set(7, true);
        let mut written = list.credential("urn:issuer", Timestamp::UNIX_EPOCH, Timestamp::MAX).expect("compresses");
        let encoded = written["credentialSubject"]["encodedList"].as_str().expect("text")[1..].to_owned();
        written["credentialSubject"]["encodedList"] = json!(encoded);
        let read = StatusList::read(&serde_json::to_vec(&written).expect("JSON"), Bounds::default()).expect("reads");
        let entry = json!({ "credentialStatus": [{
            "type": "StatusList2021Entry", "statusPurpose": "suspension", "statusListIndex": 7,
            "statusListCredential": URL,
        }]});
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(look_up(&entry, &[read], |_| true, now), Err("the credential is suspended".into()));
    }
}

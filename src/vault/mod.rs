//! Personal data sealed (AES-256-GCM-SIV), pseudonyms and digests made, all from one secret.
//!
//! The secret is a file of 64 hexadecimal digits, readable by the gateway alone. From it are derived the key that
//! seals contents and the key of digests and pseudonyms. Whoever has the database without the secret learns how many
//! records there are, of which kind and institution, and nothing about anybody.

use crate::env::Rng;
use crate::ledger::{LearnerId, Lookup, PersonId, RecordId, Sealed, StoredRecord};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use silta_adapter::canonical::DigestKey;
use silta_adapter::record::{LearnerKey, Record, RecordKey};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// Seals and opens personal data; makes pseudonyms.
pub struct Vault {
    seal: LessSafeKey,
    digest: DigestKey,
    rng: Rng,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(…)")
    }
}

/// The vault cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The secret's file cannot be used.
    #[error("the key file {file} cannot be used: {reason}")]
    KeyFile {
        /// Which file.
        file: String,
        /// Why.
        reason: String,
    },
    /// Sealed bytes were not made with this secret, or were changed.
    #[error("sealed content cannot be opened: wrong key file, or the content was changed")]
    NotOurs,
}

const NONCE: usize = 12;

impl Vault {
    /// A vault from a secret.
    pub fn new(secret: &[u8; 32], rng: Rng) -> Result<Self, VaultError> {
        let derive = |context: &str| Zeroizing::new(blake3::derive_key(context, secret));
        let key = UnboundKey::new(&AES_256_GCM_SIV, &*derive("silta 2026 seal")).map_err(|_| VaultError::NotOurs)?;
        Ok(Self { seal: LessSafeKey::new(key), digest: DigestKey::new(*derive("silta 2026 digest")), rng })
    }

    /// A vault from a key file, which is made (readable by the owner alone) if it is not there and `create` allows.
    ///
    /// # Errors
    /// If the file cannot be read or made, or does not hold 64 hexadecimal digits.
    pub fn open(file: &Path, create: bool, rng: Rng) -> Result<Self, VaultError> {
        let bad = |reason: String| VaultError::KeyFile { file: file.display().to_string(), reason };
        let text = match fs::read_to_string(file) {
            Ok(text) => Zeroizing::new(text),
            Err(e) if e.kind() == io::ErrorKind::NotFound && create => {
                let secret = Zeroizing::new(rng.bytes::<32>());
                let text = Zeroizing::new(secret.iter().map(|b| format!("{b:02x}")).collect::<String>());
                write_private(file, &text).map_err(|e| bad(e.to_string()))?;
                text
            }
            Err(e) => return Err(bad(e.to_string())),
        };
        let digits = text.trim();
        let mut secret = Zeroizing::new([0; 32]);
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(bad("it does not hold 64 hexadecimal digits".into()));
        }
        for (at, byte) in secret.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16)
                .map_err(|_| bad("it does not hold 64 hexadecimal digits".into()))?;
        }
        Self::new(&secret, rng)
    }

    /// Seals bytes.
    pub fn seal(&self, plain: &[u8]) -> Sealed {
        let nonce = self.rng.bytes::<NONCE>();
        let mut out = Vec::with_capacity(NONCE + plain.len() + AES_256_GCM_SIV.tag_len());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let (head, body) = out.split_at_mut(NONCE);
        let _ = head;
        // Sealing fails only for more than 64 GiB.
        if let Ok(tag) = self.seal.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), body) {
            out.extend_from_slice(tag.as_ref());
        }
        out
    }

    /// Opens sealed bytes.
    ///
    /// # Errors
    /// If they were not sealed with this secret, or were changed.
    pub fn open_sealed(&self, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (nonce, body) = sealed.split_at_checked(NONCE).ok_or(VaultError::NotOurs)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::NotOurs)?;
        let mut body = body.to_vec();
        let plain = self.seal.open_in_place(nonce, Aad::empty(), &mut body).map_err(|_| VaultError::NotOurs)?.len();
        body.truncate(plain);
        Ok(body)
    }

    /// Seals anything that serialises to JSON.
    pub fn seal_json<T: serde::Serialize + ?Sized>(&self, value: &T) -> Sealed {
        // Record types always serialise.
        self.seal(&serde_json::to_vec(value).unwrap_or_default())
    }

    /// Opens sealed JSON.
    ///
    /// # Errors
    /// If the bytes were not sealed with this secret, or are not what is asked for.
    pub fn open_json<T: serde::de::DeserializeOwned>(&self, sealed: &[u8]) -> Result<T, VaultError> {
        serde_json::from_slice(&self.open_sealed(sealed)?).map_err(|_| VaultError::NotOurs)
    }

    /// The key of digests and pseudonyms.
    pub fn digest_key(&self) -> &DigestKey {
        &self.digest
    }

    /// The opaque id of a record.
    pub fn record_id(&self, key: &RecordKey) -> RecordId {
        RecordId(
            self.digest.pseudonym("record", &[&key.tenant, &key.source, key.kind.name(), &key.institution, &key.id]),
        )
    }

    /// The pseudonym of a learner.
    pub fn learner_id(&self, key: &LearnerKey) -> LearnerId {
        LearnerId(self.digest.pseudonym("learner", &[&key.tenant, &key.source, &key.id]))
    }

    /// The pseudonym of a person, by what tells her from all others.
    pub fn person_id(&self, tenant: &str, who: &str) -> PersonId {
        PersonId(self.digest.pseudonym("person", &[tenant, who]))
    }

    /// The pseudonym of a source key, to find records by it.
    pub fn lookup(&self, tenant: &str, id: &str) -> Lookup {
        Lookup(self.digest.pseudonym("lookup", &[tenant, id]))
    }

    /// Opens a record as the ledger has it. Its head's state is the ledger's: a withdrawal by id leaves the sealed
    /// content as it was. `None` if it has no content (erased, or a tombstone that never had any).
    ///
    /// # Errors
    /// If it was not sealed with this secret, or was changed.
    pub fn record(&self, stored: &StoredRecord) -> Result<Option<Record>, VaultError> {
        let Some(content) = &stored.content else { return Ok(None) };
        let mut record: Record = self.open_json(content)?;
        record.head.state = stored.state;
        Ok(Some(record))
    }

    /// A record as the ledger takes it.
    pub fn incoming(&self, record: &Record) -> crate::ledger::Incoming {
        let key = &record.head.key;
        crate::ledger::Incoming {
            id: self.record_id(key),
            learner: self.learner_id(&record.learner_key()),
            lookup: self.lookup(&key.tenant, &key.id),
            source: key.source.clone(),
            kind: key.kind,
            institution: key.institution.clone(),
            state: record.head.state,
            revision: record.head.source_revision,
            digest: self.digest.record(record),
            content: record.body.as_ref().map(|_| self.seal_json(record)),
        }
    }
}

fn write_private(file: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(parent) = file.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(secret: u8) -> Vault {
        Vault::new(&[secret; 32], Rng::from_seed(1)).expect("a vault")
    }

    #[test]
    fn what_is_sealed_opens_only_with_the_same_secret_and_unchanged() {
        let sealed = vault(1).seal(b"content");
        assert_eq!(vault(1).open_sealed(&sealed).expect("opens"), b"content");
        assert!(vault(2).open_sealed(&sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(vault(1).open_sealed(&changed).is_err(), "byte {at}");
        }
        assert!(vault(1).open_sealed(b"short").is_err());
    }

    #[test]
    fn a_key_file_is_made_once_and_private() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("silta.key");
        let sealed = Vault::open(&file, true, Rng::from_seed(1)).expect("made").seal(b"x");
        assert_eq!(
            Vault::open(&file, false, Rng::from_seed(2)).expect("read").open_sealed(&sealed).expect("opens"),
            b"x"
        );
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    }
}

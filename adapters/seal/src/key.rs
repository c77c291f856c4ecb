//! Private keys with their certificates: out of PEM, PKCS#12, and tokens that speak PKCS#11.
//!
//! Key material is wiped when it is dropped and never shown. A key that does not belong to its certificate is refused
//! when it is opened, not by whoever verifies the first seal.

mod pkcs11;

pub use pkcs11::Pkcs11Uri;

use crate::algorithm::{Algorithm, Signing};
use crate::certificate::Certificate;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, RsaKeyPair};
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use std::fmt;
use zeroize::Zeroizing;

/// A private key, its certificate, and the certificates that lead on from it.
pub struct Key {
    private: Private,
    algorithm: &'static Algorithm,
    certificate: Certificate,
    chain: Vec<Certificate>,
}

enum Private {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Token(pkcs11::TokenKey),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, {})", self.algorithm.name, self.certificate.subject())
    }
}

/// What goes with a private key.
#[derive(Debug, Clone, Default)]
pub struct Companions {
    /// The certificate of the key, then those that lead on from it. PKCS#12 may bring them itself.
    pub certificates: Vec<Certificate>,
    /// The signature algorithm (RFC 7518, 3.1); the usual one of the key if not given: RS256, ES256, ES384, ES512.
    pub algorithm: Option<String>,
}

impl Key {
    /// A key in PEM: PKCS#8, encrypted or not, PKCS#1 or SEC 1.
    ///
    /// # Errors
    /// If it cannot be read, or does not go with the certificate or the algorithm.
    pub fn from_pem(pem: &[u8], passphrase: Option<&str>, with: Companions) -> Result<Self, String> {
        const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
        let text = std::str::from_utf8(pem).map_err(|_| "the key is not PEM".to_owned())?;
        if let Some(at) = text.find(ENCRYPTED) {
            let passphrase = passphrase.ok_or("the key is encrypted, and no passphrase was given")?;
            return Self::from_private(&decrypted(&text[at..], passphrase)?, with);
        }
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "the file holds no private key in PEM".to_owned())?;
        Self::from_private(key.secret_der(), with)
    }

    /// A key in PKCS#12, which brings its certificates unless others are given.
    ///
    /// # Errors
    /// If it cannot be read with this passphrase, holds no key or several, or they do not go together.
    pub fn from_pkcs12(bytes: &[u8], passphrase: &str, mut with: Companions) -> Result<Self, String> {
        let store = KeyStore::from_pkcs12(bytes, passphrase, Pkcs12ImportPolicy::Strict)
            .map_err(|_| "the key is not PKCS#12, or has another passphrase".to_owned())?;
        let keys: Vec<_> = store
            .entries()
            .filter_map(|(_, entry)| match entry {
                p12_keystore::KeyStoreEntry::PrivateKeyChain(chain) => Some(chain),
                _ => None,
            })
            .collect();
        let [chain] = keys.as_slice() else {
            return Err("the PKCS#12 file does not hold one key with its certificate".into());
        };
        if with.certificates.is_empty() {
            let certificates = chain.certs().iter().map(|c| Certificate::from_der(c.as_der().to_vec()));
            with.certificates = certificates.collect::<Result<_, _>>()?;
        }
        Self::from_private(chain.key().as_der(), with)
    }

    /// A key that stays in a token: a smart card or hardware security module.
    ///
    /// # Errors
    /// If it is not found, cannot be used, or does not go with the certificate or the algorithm.
    pub fn from_pkcs11(uri: &Pkcs11Uri, pin: Zeroizing<String>, with: Companions) -> Result<Self, String> {
        let key = pkcs11::TokenKey::open(uri, pin)?;
        Self::of(with, |_| Ok(Private::Token(key)))
    }

    fn from_private(der: &[u8], with: Companions) -> Result<Self, String> {
        Self::of(with, |algorithm| {
            let unfit = |_| "the key is not of the kind that its certificate names, or too weak".to_owned();
            match algorithm.signing {
                Signing::Rsa(_) => {
                    RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)).map(Private::Rsa).map_err(unfit)
                }
                Signing::Ecdsa(kind) => {
                    EcdsaKeyPair::from_private_key_der(kind, der).map(Private::Ecdsa).map_err(unfit)
                }
            }
        })
    }

    fn of(with: Companions, private: impl FnOnce(&Algorithm) -> Result<Private, String>) -> Result<Self, String> {
        let mut certificates = with.certificates.into_iter();
        let certificate = certificates.next().ok_or("there is no certificate for the key")?;
        let algorithm = match with.algorithm {
            Some(name) => Algorithm::named(&name).ok_or("there is no such signature algorithm")?,
            None => Algorithm::usual(certificate.key()).ok_or("the certificate's kind of key cannot seal")?,
        };
        if !algorithm.fits(certificate.key()) {
            return Err(format!("{} does not go with the certificate's kind of key", algorithm.name));
        }
        // An anchor comes from whoever verifies; bringing it along proves nothing.
        let chain = certificates.filter(|c| !c.is_self_issued()).collect();
        let key = Self { private: private(algorithm)?, algorithm, certificate, chain };
        key.sign(b"does this key belong to that certificate?")?;
        Ok(key)
    }

    /// The certificate of the key.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The certificates that lead on from it, without the last one's own.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The name of its signature algorithm (RFC 7518, 3.1).
    pub fn algorithm(&self) -> &'static str {
        self.algorithm.name
    }

    /// Signs some bytes, and checks that the certificate's key verifies them: a faulty signature never leaves.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let random = SystemRandom::new();
        let failed = |_| "the key cannot sign".to_owned();
        let signature = match (&self.private, self.algorithm.signing) {
            (Private::Rsa(key), Signing::Rsa(padding)) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, bytes, &mut signature).map_err(failed)?;
                signature
            }
            (Private::Ecdsa(key), Signing::Ecdsa(_)) => key.sign(&random, bytes).map_err(failed)?.as_ref().to_vec(),
            (Private::Token(key), _) => key.sign(self.algorithm.name, bytes)?,
            _ => return Err("the key is of another kind than its algorithm".into()),
        };
        self.algorithm
            .verify(self.certificate.key(), bytes, &signature)
            .map_err(|_| "the key does not belong to the certificate".to_owned())?;
        Ok(signature)
    }
}

fn decrypted(pem: &str, passphrase: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let wrong = "the encrypted key cannot be read, or has another passphrase";
    let (_, der) = pkcs8::Document::from_pem(pem).map_err(|_| wrong.to_owned())?;
    let key = EncryptedPrivateKeyInfoRef::try_from(der.as_bytes()).map_err(|_| wrong.to_owned())?;
    let clear = key.decrypt(passphrase).map_err(|_| wrong.to_owned())?;
    Ok(clear.to_bytes())
}

//! Signature algorithms: those of JWS (RFC 7518), and those of certificates and time-stamps.
//!
//! What is not listed does not exist here: no `none`, no shared secrets, no SHA-1, no RSA key below 2048 bits. An
//! algorithm goes with one kind of key, so that a name cannot be played against a key of another kind.

use crate::certificate::contents;
use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{self, EcdsaSigningAlgorithm, UnparsedPublicKey, VerificationAlgorithm};
use der::Encode;
use der::asn1::ObjectIdentifier;
use rustls_pki_types::{AlgorithmIdentifier, alg_id};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

/// A signature algorithm of JWS.
pub(crate) struct Algorithm {
    /// Its name in a protected header.
    pub(crate) name: &'static str,
    key: AlgorithmIdentifier,
    verification: &'static dyn VerificationAlgorithm,
    /// How a key of ours signs by it.
    pub(crate) signing: Signing,
}

/// How a key signs.
#[derive(Clone, Copy)]
pub(crate) enum Signing {
    Rsa(&'static dyn signature::RsaEncoding),
    Ecdsa(&'static EcdsaSigningAlgorithm),
}

impl std::fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! algorithm {
    ($name:literal, $key:ident, $verification:ident, $kind:ident $signing:ident) => {
        Algorithm {
            name: $name,
            key: alg_id::$key,
            verification: &signature::$verification,
            signing: Signing::$kind(&signature::$signing),
        }
    };
}

/// For sealing, the first one that fits a key is its default.
static ALGORITHMS: [Algorithm; 9] = [
    algorithm!("RS256", RSA_ENCRYPTION, RSA_PKCS1_2048_8192_SHA256, Rsa RSA_PKCS1_SHA256),
    algorithm!("RS384", RSA_ENCRYPTION, RSA_PKCS1_2048_8192_SHA384, Rsa RSA_PKCS1_SHA384),
    algorithm!("RS512", RSA_ENCRYPTION, RSA_PKCS1_2048_8192_SHA512, Rsa RSA_PKCS1_SHA512),
    algorithm!("PS256", RSA_ENCRYPTION, RSA_PSS_2048_8192_SHA256, Rsa RSA_PSS_SHA256),
    algorithm!("PS384", RSA_ENCRYPTION, RSA_PSS_2048_8192_SHA384, Rsa RSA_PSS_SHA384),
    algorithm!("PS512", RSA_ENCRYPTION, RSA_PSS_2048_8192_SHA512, Rsa RSA_PSS_SHA512),
    algorithm!("ES256", ECDSA_P256, ECDSA_P256_SHA256_FIXED, Ecdsa ECDSA_P256_SHA256_FIXED_SIGNING),
    algorithm!("ES384", ECDSA_P384, ECDSA_P384_SHA384_FIXED, Ecdsa ECDSA_P384_SHA384_FIXED_SIGNING),
    algorithm!("ES512", ECDSA_P521, ECDSA_P521_SHA512_FIXED, Ecdsa ECDSA_P521_SHA512_FIXED_SIGNING),
];

impl Algorithm {
    /// The algorithm of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALGORITHMS.iter().find(|algorithm| algorithm.name == name)
    }

    /// The usual algorithm for a key.
    pub(crate) fn usual(key: &SubjectPublicKeyInfoOwned) -> Option<&'static Self> {
        ALGORITHMS.iter().find(|algorithm| algorithm.fits(key))
    }

    /// True if it goes with this kind of key.
    pub(crate) fn fits(&self, key: &SubjectPublicKeyInfoOwned) -> bool {
        is(&key.algorithm, &self.key)
    }

    /// Checks a signature.
    pub(crate) fn verify(&self, key: &SubjectPublicKeyInfoOwned, signed: &[u8], by: &[u8]) -> Result<(), String> {
        if !self.fits(key) {
            return Err(format!("{} does not go with the kind of key in the certificate", self.name));
        }
        UnparsedPublicKey::new(self.verification, key.subject_public_key.raw_bytes()).verify(signed, by).map_err(|_| {
            "the signature does not belong to these bytes and this key (or the key is too weak)".to_owned()
        })
    }
}

fn is(found: &AlgorithmIdentifierOwned, wanted: &AlgorithmIdentifier) -> bool {
    found.to_der().is_ok_and(|der| contents(&der) == Some(wanted.as_ref()))
}

/// Checks a signature whose algorithm is an X.509 identifier; `digest` is the digest stated beside it.
pub(crate) fn verify_x509(
    algorithm: &AlgorithmIdentifierOwned,
    digest: ObjectIdentifier,
    key: &SubjectPublicKeyInfoOwned,
    signed: &[u8],
    by: &[u8],
) -> Result<(), String> {
    // CMS may name the key's algorithm alone (RFC 3370, 3.2): the digest beside it completes it.
    let completed = match digest {
        _ if !is(algorithm, &alg_id::RSA_ENCRYPTION) => None,
        SHA_256 => Some(alg_id::RSA_PKCS1_SHA256),
        SHA_384 => Some(alg_id::RSA_PKCS1_SHA384),
        SHA_512 => Some(alg_id::RSA_PKCS1_SHA512),
        _ => None,
    };
    let named = |candidate: &AlgorithmIdentifier| match &completed {
        Some(completed) => candidate == completed,
        None => is(algorithm, candidate),
    };
    let candidate = webpki::ALL_VERIFICATION_ALGS
        .iter()
        .find(|candidate| named(&candidate.signature_alg_id()) && is(&key.algorithm, &candidate.public_key_alg_id()))
        .ok_or("is signed by an algorithm that is not accepted")?;
    candidate
        .verify_signature(key.subject_public_key.raw_bytes(), signed, by)
        .map_err(|_| "does not have the signature of its certificate's key (or the key is too weak)".to_owned())
}

const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// The digest of some bytes by an algorithm; SHA-2 only.
pub(crate) fn digest_by(algorithm: ObjectIdentifier, bytes: &[u8]) -> Option<Digest> {
    let algorithm = match algorithm {
        SHA_256 => &digest::SHA256,
        SHA_384 => &digest::SHA384,
        SHA_512 => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, bytes))
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    digest::digest(&digest::SHA256, bytes)
}

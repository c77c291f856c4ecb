//! Keys in tokens, by PKCS#11. A key is named by a URI (RFC 7512):
//! `pkcs11:token=Seals;object=seal-2026?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/silta/pin`.

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// Where a key is: which library, which token, which object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pkcs11Uri {
    /// Label of the token.
    pub token: String,
    /// Label of the private key.
    pub object: String,
    /// The library that speaks to the token.
    pub module: PathBuf,
    /// File that holds the PIN.
    pub pin_file: PathBuf,
}

impl Pkcs11Uri {
    /// True if a key is given as a URI of this kind, not as a file.
    pub fn is_one(text: &str) -> bool {
        text.starts_with("pkcs11:")
    }

    /// Reads a URI. `token`, `object`, `module-path` and `pin-source` have to be there, and nothing else.
    ///
    /// # Errors
    /// If something is missing or not known. A PIN within the URI is refused: command lines and files are read by others.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("pkcs11:").ok_or("is not a pkcs11: URI")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut parts = [None, None, None, None];
        const NAMES: [&str; 4] = ["token", "object", "module-path", "pin-source"];
        for pair in path.split(';').chain(query.split('&')).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or("has a part that is not name=value")?;
            let at = NAMES.iter().position(|known| *known == name);
            let at = at.ok_or_else(|| format!("knows {}, and nothing else", NAMES.join(", ")))?;
            let value = percent_decode_str(value).decode_utf8().map_err(|_| "is not UTF-8".to_owned())?;
            if parts[at].replace(value.into_owned()).is_some() {
                return Err(format!("has {name} twice"));
            }
        }
        let [Some(token), Some(object), Some(module), Some(pin)] = parts else {
            return Err(format!("needs {}", NAMES.join(", ")));
        };
        let pin = pin.strip_prefix("file:").unwrap_or(&pin);
        Ok(Self { token, object, module: module.into(), pin_file: pin.trim_start_matches("//").into() })
    }
}

/// A key in a token, with an open session.
pub(super) struct TokenKey {
    session: Mutex<Session>,
    key: ObjectHandle,
}

impl TokenKey {
    pub(super) fn open(uri: &Pkcs11Uri, pin: Zeroizing<String>) -> Result<Self, String> {
        let failed = |what: &'static str| move |e: Error| format!("the token {what}: {}", name(&e));
        let library = Pkcs11::new(&uri.module).map_err(|_| "the PKCS#11 library cannot be loaded".to_owned())?;
        match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another key of the same library was opened before.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(e) => return Err(failed("cannot be used")(e)),
        }
        let slots = library.get_slots_with_token().map_err(failed("cannot be listed"))?;
        let of_label = |slot: &cryptoki::slot::Slot| {
            library.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == uri.token)
        };
        let slot = slots.into_iter().find(of_label).ok_or("there is no token of this label")?;
        let session = library.open_ro_session(slot).map_err(failed("opens no session"))?;
        match session.login(UserType::User, Some(&pin.as_str().into())) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(e) => return Err(failed("lets nobody in")(e)),
        }
        let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(uri.object.clone().into_bytes())];
        let found = session.find_objects(&wanted).map_err(failed("cannot be searched"))?;
        match found.as_slice() {
            [key] => Ok(Self { key: *key, session: Mutex::new(session) }),
            [] => Err("the token has no private key of this label".into()),
            _ => Err("the token has several private keys of this label".into()),
        }
    }

    pub(super) fn sign(&self, algorithm: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let pss = |hash_alg, mgf, s_len: u64| PkcsPssParams { hash_alg, mgf, s_len: s_len.into() };
        // Not every token digests for ECDSA itself; all sign a digest.
        let ecdsa = |by| (Mechanism::Ecdsa, Cow::Owned(digest(by, bytes).as_ref().to_vec()));
        let whole = |mechanism| (mechanism, Cow::Borrowed(bytes));
        let (mechanism, data) = match algorithm {
            "RS256" => whole(Mechanism::Sha256RsaPkcs),
            "RS384" => whole(Mechanism::Sha384RsaPkcs),
            "RS512" => whole(Mechanism::Sha512RsaPkcs),
            "PS256" => whole(Mechanism::Sha256RsaPkcsPss(pss(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32))),
            "PS384" => whole(Mechanism::Sha384RsaPkcsPss(pss(MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48))),
            "PS512" => whole(Mechanism::Sha512RsaPkcsPss(pss(MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64))),
            "ES256" => ecdsa(&SHA256),
            "ES384" => ecdsa(&SHA384),
            "ES512" => ecdsa(&SHA512),
            _ => return Err("tokens do not know the algorithm".into()),
        };
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.sign(&mechanism, self.key, &data).map_err(|e| format!("the token does not sign: {}", name(&e)))
    }
}

/// The return code alone: what libraries write around it may hold anything.
fn name(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, _) => format!("{code:?}"),
        _ => "the library failed".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::Pkcs11Uri;

    #[test]
    fn a_uri_names_library_token_object_and_pin() {
        let uri = "pkcs11:token=My%20seals;object=seal?module-path=/usr/lib/x.so&pin-source=file:/etc/silta/pin";
        let parsed = Pkcs11Uri::parse(uri).expect("reads");
        assert_eq!((parsed.token.as_str(), parsed.object.as_str()), ("My seals", "seal"));
        assert_eq!((parsed.module.to_str(), parsed.pin_file.to_str()), (Some("/usr/lib/x.so"), Some("/etc/silta/pin")));
        for wrong in ["pkcs11:token=a;object=b", "pkcs11:token=a;token=b", "key.pem", "pkcs11:token"] {
            assert!(Pkcs11Uri::parse(wrong).is_err(), "{wrong}");
        }
        let told = Pkcs11Uri::parse("pkcs11:token=a?pin-value=1234").expect_err("a PIN");
        assert!(!told.contains("1234"));
    }
}

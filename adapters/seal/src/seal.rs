//! Seals credentials as the Commission's issuer does: JAdES BASELINE-B offline, BASELINE-T with a time-stamp service.

use crate::certificate::Certificate;
use crate::key::Key;
use crate::timestamp::{self, TimeStampService};
use crate::{Bounds, credential, issuer, json, jws, to_base64, to_base64url};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use silta_adapter::mapping::Mappings;
use silta_adapter::problem::{Fixer, Problem, Severity};
use silta_adapter::seal::{NotSealed, Seal, Show};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Seals European Digital Credentials with one key.
#[derive(Clone)]
pub struct Sealer {
    key: Arc<Key>,
    mappings: Arc<Mappings>,
    service: Option<Arc<dyn TimeStampService>>,
    show: Option<Arc<dyn Show>>,
    bounds: Bounds,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = if self.service.is_some() { "BASELINE-T" } else { "BASELINE-B" };
        write!(f, "Sealer({:?}, {level})", self.key)
    }
}

impl Sealer {
    /// A sealer without time-stamps: JAdES BASELINE-B.
    pub fn new(key: Key, mappings: Arc<Mappings>) -> Self {
        Self { key: Arc::new(key), mappings, service: None, show: None, bounds: Bounds::default() }
    }

    /// The same with time-stamps: JAdES BASELINE-T.
    #[must_use]
    pub fn with_time_stamps(mut self, service: Arc<dyn TimeStampService>) -> Self {
        self.service = Some(service);
        self
    }

    /// The same with images of the credential, which the published shapes ask for, where it comes without.
    #[must_use]
    pub fn with_images(mut self, show: Arc<dyn Show>) -> Self {
        self.show = Some(show);
        self
    }

    /// The certificate it seals with.
    pub fn certificate(&self) -> &Certificate {
        self.key.certificate()
    }

    /// Signs a credential: what a time-stamp is then taken of. Blocks while a token signs.
    ///
    /// # Errors
    /// If it is not sealed.
    pub fn sign(&self, document: &[u8], now: Timestamp) -> Result<Signed, NotSealed> {
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let certificate = self.key.certificate();
        certificate.may_sign().and_then(|()| certificate.valid_at(now)).map_err(|e| refused(Fixer::Operator, e))?;
        self.sign_text(self.payload(document, now)?, now)
    }

    /// Seals a status list ([`crate::StatusList::credential`]) as it is. Blocks while a token signs.
    ///
    /// # Errors
    /// If it is not sealed.
    pub fn seal_list(&self, list: &Value, now: Timestamp) -> Result<Vec<u8>, NotSealed> {
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Ok(self.sign_text(list.to_string(), now)?.document(None))
    }

    fn sign_text(&self, payload: String, now: Timestamp) -> Result<Signed, NotSealed> {
        let header = self.header(now).map_err(|e| refused(Fixer::Configuration, e))?;
        let protected = to_base64url(header);
        let signature = self.key.sign(&jws::signing_input(&protected, &payload));
        let signature = signature.map_err(|e| NotSealed::Unavailable(problem(Fixer::Operator, e)))?;
        Ok(Signed { payload, protected, signature: to_base64url(signature) })
    }

    /// The credential with the certificate's holder as its issuer, issued now. Every other member stays as it was, byte
    /// for byte.
    fn payload(&self, document: &[u8], now: Timestamp) -> Result<String, NotSealed> {
        let sender = |e: String| refused(Fixer::Sender, e);
        if document.len() > self.bounds.bytes {
            return Err(sender(format!("the credential is larger than {} bytes", self.bounds.bytes)));
        }
        let text = std::str::from_utf8(document).map_err(|_| sender("the credential is not UTF-8".into()))?;
        let read = |text: &str| json::parse(text, self.bounds.depth).map_err(|e| sender(format!("the credential {e}")));
        let mut credential = read(text)?;
        if credential.get("payload").is_some() {
            return Err(sender("the credential is sealed already".into()));
        }
        let mut members = Members::of(text).map_err(sender)?;
        // The form in which the Commission's issuer takes uploads.
        if credential.get("credential").is_some() {
            let wrapped = members.take("credential").unwrap_or_default();
            members = Members::of(wrapped).map_err(sender)?;
            credential = credential["credential"].take();
        }
        credential::form(&credential).map_err(sender)?;
        let present = credential.get_mut("issuer").map(Value::take);
        let issuer = issuer::issuer(present, self.key.certificate(), &self.mappings)
            .map_err(|e| refused(Fixer::Configuration, e))?;
        if let (Some(show), Some(display)) = (&self.show, members.get("displayParameter").map(ToOwned::to_owned)) {
            credential["issuer"] = issuer.clone();
            credential["issued"] = json!(now.to_string());
            self.display(show.as_ref(), &credential, &display, &mut members)?;
        }
        let now = json!(now.to_string()).to_string();
        members.put("issuanceDate", &now);
        members.put("issued", &now);
        members.put("issuer", &issuer.to_string());
        if credential.get("validFrom").is_none() {
            members.put("validFrom", &now);
        }
        Ok(members.write())
    }

    /// Adds the credential's images where it has none.
    fn display(
        &self,
        show: &dyn Show,
        credential: &Value,
        display: &str,
        members: &mut Members<'_>,
    ) -> Result<(), NotSealed> {
        if !credential["displayParameter"]["individualDisplay"].is_null() {
            return Ok(());
        }
        let mut display = Members::of(display).map_err(|e| refused(Fixer::Sender, e))?;
        let images = show.show(credential).map_err(|e| refused(Fixer::Operator, e))?;
        display.put("individualDisplay", &images.to_string());
        members.put("displayParameter", &display.write());
        Ok(())
    }

    /// The protected header, its parameters in the order of the Commission's.
    fn header(&self, now: Timestamp) -> Result<String, String> {
        let certificate = self.key.certificate();
        let certificates = std::iter::once(certificate).chain(self.key.chain());
        let parts = [
            ("alg", json!(self.key.algorithm())),
            ("cty", json!("octet-stream")),
            ("kid", json!(to_base64(certificate.issuer_serial()?))),
            ("x5t#S256", json!(to_base64url(certificate.thumbprint()))),
            ("x5c", certificates.map(|c| to_base64(c.der())).collect()),
            ("typ", json!("jose+json")),
            ("b64", json!(false)),
            ("sigT", json!(now.to_string())),
            ("crit", json!(["b64", "sigT"])),
        ];
        Ok(object(&parts.map(|(name, value)| (name, value.to_string()))))
    }
}

#[async_trait]
impl Seal for Sealer {
    async fn seal(&self, document: &[u8], now: Timestamp) -> Result<Vec<u8>, NotSealed> {
        let (sealer, owned) = (self.clone(), document.to_vec());
        let signing = tokio::task::spawn_blocking(move || sealer.sign(&owned, now)).await;
        let signed = signing.map_err(|_| refused(Fixer::Operator, "signing was broken off"))??;
        let Some(service) = &self.service else { return Ok(signed.document(None)) };
        let token = timestamp::stamp(service.as_ref(), signed.signature.as_bytes())
            .await
            .map_err(|e| NotSealed::Unavailable(problem(Fixer::OtherSide, e.to_string())))?;
        Ok(signed.document(Some(&token)))
    }
}

/// A signed credential, to be written with or without a time-stamp.
#[derive(Debug, Clone)]
pub struct Signed {
    payload: String,
    protected: String,
    signature: String,
}

impl Signed {
    /// The document; with a time-stamp token over the signature, or without.
    pub fn document(&self, time_stamp: Option<&[u8]>) -> Vec<u8> {
        let text = |text: &str| Value::from(text).to_string();
        let mut signature = vec![("protected", text(&self.protected))];
        if let Some(token) = time_stamp {
            let component = json!({ "sigTst": { "tstTokens": [{ "val": to_base64(token) }] } });
            let component = to_base64url(component.to_string());
            signature.push(("header", json!({ "etsiU": [component] }).to_string()));
        }
        signature.push(("signature", text(&self.signature)));
        let signatures = format!("[{}]", object(&signature));
        object(&[("payload", text(&self.payload)), ("signatures", signatures)]).into_bytes()
    }
}

fn problem(fixer: Fixer, message: impl Into<String>) -> Box<Problem> {
    Box::new(Problem::new("not_sealed", Severity::Error, fixer, message))
}

fn refused(fixer: Fixer, message: impl Into<String>) -> NotSealed {
    NotSealed::Refused(problem(fixer, message))
}

/// An object of values that are JSON already, in this order.
fn object(members: &[(&str, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{}:{value}", Value::from(*name))).collect();
    format!("{{{}}}", members.join(","))
}

/// The members of an object, in their order, each value as it was written.
struct Members<'a>(Vec<(String, Cow<'a, str>)>);

impl<'a> Members<'a> {
    fn of(text: &'a str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|_| "the credential is not a JSON object".to_owned())
    }

    fn take(&mut self, name: &str) -> Option<&'a str> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        match self.0.swap_remove(at).1 {
            Cow::Borrowed(text) => Some(text),
            Cow::Owned(_) => None,
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_ref())
    }

    fn put(&mut self, name: &str, json: &str) {
        let value = json.to_owned().into();
        match self.0.iter_mut().find(|(own, _)| own == name) {
            Some(member) => member.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    fn write(&self) -> String {
        let members: Vec<_> = self.0.iter().map(|(name, value)| (name.as_str(), value.clone().into_owned())).collect();
        object(&members)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, Cow<'de, str>)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = access.next_entry::<String, &'de RawValue>()? {
                    members.push((name, value.get().into()));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(InOrder).map(Members)
    }
}

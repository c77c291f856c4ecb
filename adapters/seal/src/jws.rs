//! The form of a seal: JWS in JSON (RFC 7515, 7.2) with an unencoded payload (RFC 7797) and the header parameters of
//! JAdES (ETSI TS 119 182-1).

use crate::algorithm::Algorithm;
use crate::certificate::Certificate;
use crate::{Bounds, base64, base64url, json};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// More certificates and components than any seal needs.
const MOST: usize = 32;
/// Most signatures, and most tokens of one time-stamp: each has the whole payload digested again.
const MOST_DIGESTED: usize = 4;

/// Parameters that must be understood when a header calls them critical, and are here.
const UNDERSTOOD: [&str; 5] = ["b64", "sigT", "adoTst", "x5t#S256", "x5t#o"];

/// A sealed document.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// The text that is signed, without the escapes it has inside JSON: its bytes are what is signed.
    pub(crate) payload: String,
    /// One signature or several.
    pub(crate) signatures: Vec<Signature>,
}

/// One signature.
#[derive(Debug)]
pub(crate) struct Signature {
    /// The protected header as found; its characters are what is signed.
    pub(crate) protected: String,
    /// What the protected header says.
    pub(crate) header: Header,
    /// The signature as found.
    pub(crate) text: String,
    /// The signature.
    pub(crate) bytes: Vec<u8>,
    /// What was added later and is not signed.
    pub(crate) unsigned: Vec<Unsigned>,
}

impl Signature {
    /// What is signed.
    pub(crate) fn input(&self, payload: &str) -> Vec<u8> {
        signing_input(&self.protected, payload)
    }

    /// What it brings along of what authorities said (JAdES `rVals`); what cannot be read is left out.
    pub(crate) fn revocations(&self) -> Revocations {
        let mut found = Revocations::default();
        for component in self.unsigned.iter().filter(|component| component.name == "rVals") {
            let values = |name: &str| component.value[name].as_array().map(Vec::as_slice).unwrap_or_default();
            let der = |value: &Value| base64(value["val"].as_str()?).ok();
            found.lists.extend(values("crlVals").iter().filter_map(der).take(MOST));
            found.answers.extend(values("ocspVals").iter().filter_map(der).take(MOST));
        }
        found
    }

    /// The certificate of the key that signed.
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.header.certificate
    }
}

/// The protected header.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) algorithm: &'static Algorithm,
    /// First of `x5c`.
    pub(crate) certificate: Certificate,
    /// The rest of `x5c`.
    pub(crate) chain: Vec<Certificate>,
    /// The digest of the certificate that the header states: by which algorithm, and what.
    pub(crate) thumbprint: Option<(String, Vec<u8>)>,
    pub(crate) kid: Option<String>,
    /// When the signer says they signed: `sigT`, or `iat` of later versions.
    pub(crate) claimed: Timestamp,
    /// Time-stamps of the payload, taken before signing.
    pub(crate) payload_stamps: Vec<Vec<u8>>,
}

/// A component of `etsiU`.
#[derive(Debug)]
pub(crate) struct Unsigned {
    /// As found, if it was base64url: later time-stamps cover these characters.
    pub(crate) text: Option<String>,
    /// Its name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: Value,
}

impl Unsigned {
    /// The time-stamp tokens it holds (JAdES `tstContainer`).
    pub(crate) fn stamps(&self) -> Result<Vec<Vec<u8>>, String> {
        stamps(&self.value).map_err(|e| format!("{}: {e}", self.name))
    }

    /// The certificates it holds (JAdES `xVals`); what cannot be read is left out, since nothing depends on it.
    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        let values = self.value.as_array().map(Vec::as_slice).unwrap_or_default().iter();
        let value = |v: &Value| base64(v["x509Cert"]["val"].as_str()?).ok();
        values.filter_map(value).filter_map(|der| Certificate::from_der(der).ok()).take(MOST).collect()
    }
}

/// What authorities said of certificates, in DER, as a seal brings it along. Nothing protects it: it counts as far as an
/// authority signed it.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    /// Lists of revoked certificates.
    pub(crate) lists: Vec<Vec<u8>>,
    /// Answers of OCSP responders.
    pub(crate) answers: Vec<Vec<u8>>,
}

/// What is signed: the characters of the header, a dot, the bytes of the payload (RFC 7797, 3).
pub(crate) fn signing_input(protected: &str, payload: &str) -> Vec<u8> {
    [protected.as_bytes(), b".", payload.as_bytes()].concat()
}

/// Reads a sealed document.
pub(crate) fn parse(document: &[u8], bounds: Bounds) -> Result<Sealed, String> {
    if document.len() > bounds.bytes {
        return Err(format!("is larger than {} bytes", bounds.bytes));
    }
    let text = std::str::from_utf8(document).map_err(|_| "is not UTF-8".to_owned())?;
    let Value::Object(mut members) = json::parse(text, bounds.depth)? else {
        return Err("is not a JSON object".into());
    };
    let payload = match members.remove("payload") {
        Some(Value::String(payload)) if !payload.is_empty() => payload,
        Some(_) => return Err("its payload is not a text".into()),
        None => return Err("is not sealed: it has no payload".into()),
    };
    // Flattened JSON holds the one signature in the document itself (RFC 7515, 7.2.2).
    let signatures = match members.remove("signatures") {
        Some(Value::Array(signatures)) if !signatures.is_empty() && members.is_empty() => signatures,
        None if members.contains_key("signature") => vec![Value::Object(members)],
        _ => return Err("does not hold payload and signatures, and nothing else".into()),
    };
    if signatures.len() > MOST_DIGESTED {
        return Err(format!("has more than {MOST_DIGESTED} signatures"));
    }
    let signatures = signatures.into_iter().map(|value| signature(value, bounds)).collect::<Result<_, _>>()?;
    Ok(Sealed { payload, signatures })
}

fn signature(value: Value, bounds: Bounds) -> Result<Signature, String> {
    let Value::Object(mut members) = value else { return Err("a signature is not an object".into()) };
    let protected = take_text(&mut members, "protected")?;
    let text = take_text(&mut members, "signature")?;
    let bytes = base64url(&text).map_err(|e| format!("signature {e}"))?;
    let unsigned = match members.remove("header") {
        None => Vec::new(),
        Some(Value::Object(header)) => unsigned(header, bounds)?,
        Some(_) => return Err("header is not an object".into()),
    };
    if !members.is_empty() {
        return Err("a signature has members that are not known".into());
    }
    let header = object(&protected, bounds).map_err(|e| format!("protected {e}"))?;
    let header = self::header(&header).map_err(|e| format!("protected header: {e}"))?;
    Ok(Signature { protected, header, text, bytes, unsigned })
}

fn take_text(members: &mut Map<String, Value>, name: &str) -> Result<String, String> {
    match members.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(format!("a signature has no text {name}")),
    }
}

/// The JSON object in base64url.
fn object(text: &str, bounds: Bounds) -> Result<Map<String, Value>, String> {
    let text = String::from_utf8(base64url(text)?).map_err(|_| "is not UTF-8".to_owned())?;
    match json::parse(&text, bounds.depth)? {
        Value::Object(members) => Ok(members),
        _ => Err("is not a JSON object".into()),
    }
}

fn header(header: &Map<String, Value>) -> Result<Header, String> {
    critical(header)?;
    if header.get("b64") != Some(&Value::Bool(false)) {
        return Err("b64 is not false: the payload of a credential is signed as it is".into());
    }
    if header.contains_key("sigD") {
        return Err("sigD points to something outside of the document".into());
    }
    let name = header.get("alg").and_then(Value::as_str).ok_or("has no alg")?;
    let algorithm = Algorithm::named(name).ok_or("its alg is not accepted")?;
    let mut certificates = texts(header.get("x5c")).ok_or("x5c is not a list of certificates")?.into_iter();
    let mut next = || -> Option<Result<Certificate, String>> {
        let der = |text: &str| Certificate::from_der(base64(text)?);
        certificates.next().map(|text| der(text).map_err(|e| format!("a certificate of x5c {e}")))
    };
    let certificate = next().ok_or("x5c is empty")??;
    let chain = std::iter::from_fn(next).collect::<Result<_, _>>()?;
    let payload_stamps = match header.get("adoTst") {
        None => Vec::new(),
        Some(value) => stamps(value).map_err(|e| format!("adoTst: {e}"))?,
    };
    Ok(Header {
        algorithm,
        certificate,
        chain,
        thumbprint: thumbprint(header)?,
        kid: header.get("kid").and_then(Value::as_str).map(str::to_owned),
        claimed: claimed(header)?,
        payload_stamps,
    })
}

/// Everything that is critical has to be understood (RFC 7515, 4.1.11), and `b64` has to be critical (RFC 7797, 6).
fn critical(header: &Map<String, Value>) -> Result<(), String> {
    let names = texts(header.get("crit")).filter(|names| !names.is_empty()).ok_or("crit is not a list of names")?;
    if let Some(name) = names.iter().find(|name| !UNDERSTOOD.contains(name)) {
        let shown: String = name.chars().filter(char::is_ascii_graphic).take(40).collect();
        return Err(format!("crit names {shown}, which is not understood"));
    }
    if names.iter().any(|name| !header.contains_key(*name)) {
        return Err("crit names a parameter that is not there".into());
    }
    if (1..names.len()).any(|at| names[..at].contains(&names[at])) {
        return Err("crit names a parameter twice".into());
    }
    if !names.contains(&"b64") {
        return Err("b64 is not critical".into());
    }
    Ok(())
}

fn texts(value: Option<&Value>) -> Option<Vec<&str>> {
    let values = value?.as_array().filter(|values| values.len() <= MOST)?;
    values.iter().map(Value::as_str).collect()
}

fn thumbprint(header: &Map<String, Value>) -> Result<Option<(String, Vec<u8>)>, String> {
    let read = |value: Option<&Value>| value.and_then(Value::as_str).and_then(|text| base64url(text).ok());
    if header.contains_key("x5t#S256") {
        let digest = read(header.get("x5t#S256")).ok_or("x5t#S256 is not base64url")?;
        return Ok(Some(("S256".into(), digest)));
    }
    let Some(other) = header.get("x5t#o") else { return Ok(None) };
    let algorithm = other["digAlg"].as_str().ok_or("x5t#o has no digAlg")?;
    let digest = read(other.get("digVal")).ok_or("x5t#o has no digVal in base64url")?;
    Ok(Some((algorithm.to_owned(), digest)))
}

fn claimed(header: &Map<String, Value>) -> Result<Timestamp, String> {
    if let Some(text) = header.get("sigT") {
        return text.as_str().and_then(|t| t.parse().ok()).ok_or_else(|| "sigT is not a time".into());
    }
    let seconds = header.get("iat").and_then(Value::as_i64).ok_or("has neither sigT nor iat")?;
    Timestamp::from_second(seconds).map_err(|_| "iat is not a time".into())
}

fn unsigned(mut header: Map<String, Value>, bounds: Bounds) -> Result<Vec<Unsigned>, String> {
    let components = match header.remove("etsiU") {
        None => Vec::new(),
        Some(Value::Array(components)) if components.len() <= MOST => components,
        Some(_) => return Err("etsiU is not a list, or too long a one".into()),
    };
    if !header.is_empty() {
        return Err("header has members besides etsiU that nothing protects".into());
    }
    components.into_iter().map(|component| one_unsigned(component, bounds)).collect()
}

fn one_unsigned(component: Value, bounds: Bounds) -> Result<Unsigned, String> {
    let (text, members) = match component {
        Value::String(text) => {
            let members = object(&text, bounds).map_err(|e| format!("a component of etsiU {e}"))?;
            (Some(text), members)
        }
        Value::Object(members) => (None, members),
        _ => return Err("a component of etsiU is neither text nor object".into()),
    };
    let mut members = members.into_iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => Ok(Unsigned { text, name, value }),
        _ => Err("a component of etsiU is not one named value".into()),
    }
}

/// The tokens of a JAdES `tstContainer`.
fn stamps(container: &Value) -> Result<Vec<Vec<u8>>, String> {
    let tokens = container["tstTokens"].as_array().filter(|tokens| (1..=MOST_DIGESTED).contains(&tokens.len()));
    let tokens = tokens.ok_or("has no tstTokens")?.iter();
    tokens.map(|token| base64(token["val"].as_str().unwrap_or("-")).map_err(|e| format!("a token {e}"))).collect()
}

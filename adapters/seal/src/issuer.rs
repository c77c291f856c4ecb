//! The issuer of a sealed credential is the holder of the sealing certificate: made of it when sealing, compared with it
//! when verifying.

use crate::certificate::Certificate;
use serde_json::{Map, Value, json};
use silta_adapter::mapping::{Code, Mappings};
use uuid::Uuid;

/// Ids of the nodes made of a certificate, as the Commission's issuer names them.
const IDENTIFIER: &str = "urn:certificateIdentifier:1";
const LOCATION: &str = "urn:certificateLocation:1";
const ADDRESS: &str = "urn:certificateAddress:1";

fn country<'a>(certificate: &Certificate, mappings: &'a Mappings) -> Result<&'a Code, String> {
    let code = certificate.country().ok_or("the certificate names no country (C)")?;
    mappings
        .list("country")
        .meaning("iso-3166-1-alpha-2", &code)
        .ok_or_else(|| "the certificate's country (C) is in no country list".into())
}

/// The issuer of a credential to be sealed: what was there, with the certificate's identity in place of its own.
pub(crate) fn issuer(present: Option<Value>, certificate: &Certificate, mappings: &Mappings) -> Result<Value, String> {
    let mut issuer = match present {
        None => Map::new(),
        Some(Value::Object(members)) => members,
        Some(_) => return Err("the credential's issuer is not an object".into()),
    };
    let name = certificate.organisation().ok_or("the certificate names no organisation (O)")?;
    let identifier = certificate
        .organisation_identifier()
        .ok_or("the certificate has no organisation identifier (2.5.4.97), which the issuer is known by")?;
    if let Some(own) = issuer.get("eIDASIdentifier").and_then(|e| e["notation"].as_str())
        && own != identifier
    {
        return Err("the credential names an issuer other than the certificate's holder".into());
    }
    let spatial = concept(country(certificate, mappings)?, mappings);
    // An id of its own: the same organisation may stand elsewhere in the credential under its own name, and two nodes
    // that share an id and differ are one wrong node.
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, certificate.thumbprint().as_ref());
    let location = json!({
        "id": LOCATION,
        "type": "Location",
        "address": { "id": ADDRESS, "type": "Address", "countryCode": spatial },
    });
    let identifier = json!({ "id": IDENTIFIER, "type": "LegalIdentifier", "notation": identifier, "spatial": spatial });
    issuer.insert("id".into(), json!(format!("urn:epass:org:{id}")));
    issuer.insert("type".into(), json!("Organisation"));
    issuer.insert("eIDASIdentifier".into(), identifier);
    issuer.insert("legalName".into(), json!({ "en": name }));
    if let Some(name) = certificate.common_name() {
        issuer.insert("altLabel".into(), json!({ "en": name }));
    }
    let locations = match issuer.remove("location") {
        None => location,
        Some(Value::Array(mut several)) => {
            several.retain(|l| l["id"] != LOCATION);
            several.push(location);
            Value::Array(several)
        }
        Some(one) if one["id"] == LOCATION => location,
        Some(one) => Value::Array(vec![one, location]),
    };
    issuer.insert("location".into(), locations);
    Ok(Value::Object(issuer))
}

fn concept(code: &Code, mappings: &Mappings) -> Value {
    let scheme = mappings.list("country").scheme.as_str();
    let mut concept = json!({
        "id": code.value,
        "type": "Concept",
        "inScheme": { "id": scheme, "type": "ConceptScheme" },
        "notation": "country",
    });
    if let Some(label) = code.label.get("en") {
        concept["prefLabel"] = json!({ "en": label });
    }
    concept
}

/// Whether a credential's issuer is the certificate's holder: identifier, country and name.
pub(crate) fn is_holder(issuer: &Value, certificate: &Certificate, mappings: &Mappings) -> Result<(), String> {
    let identifier = &issuer["eIDASIdentifier"];
    let own = certificate.organisation_identifier();
    if own.is_none() || identifier["notation"].as_str() != own.as_deref() {
        return Err("the issuer's eIDAS identifier is not the certificate's organisation identifier (2.5.4.97)".into());
    }
    if identifier["spatial"]["id"].as_str() != Some(country(certificate, mappings)?.value.as_str()) {
        return Err("the country of the issuer's eIDAS identifier is not the certificate's (C)".into());
    }
    let name = certificate.organisation().ok_or("the certificate names no organisation (O)")?;
    let names = issuer["legalName"].as_object().into_iter().flat_map(Map::values);
    let same = |value: &Value| match value {
        Value::Array(several) => several.iter().any(|one| one == &name),
        one => one == &name,
    };
    if names.into_iter().any(same) {
        Ok(())
    } else {
        Err("the issuer's legal name is not the certificate's organisation (O)".into())
    }
}

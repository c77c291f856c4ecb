//! What an import must be. These are the vendor's rules as far as they were seen, checked apart from the encoder.

use crate::ids::is_sisu;
use rust_decimal::Decimal;
use serde_json::Value;
use silta_adapter::json::Json;
use std::collections::{BTreeMap, HashSet};

/// Members every attainment must have.
const REQUIRED: [&str; 13] = [
    "type",
    "personId",
    "registrationDate",
    "attainmentDate",
    "attainmentLanguageUrn",
    "acceptorPersons",
    "organisations",
    "state",
    "misregistration",
    "primary",
    "credits",
    "gradeScaleId",
    "gradeId",
];

/// True if no two attainments of a batch have the same id.
pub(super) fn distinct(batch: &[Value]) -> bool {
    let mut ids = HashSet::new();
    batch.iter().all(|entity| ids.insert(entity["id"].as_str().unwrap_or_default()))
}

/// True if an attainment may be imported.
pub(super) fn allowed(entity: &Value) -> bool {
    let is = |name: &str| entity[name] == Value::Bool(true);
    let listed = |name: &str| entity[name].as_array().is_some_and(|items| !items.is_empty());
    let state = entity["state"].as_str().unwrap_or_default();
    let transferred = entity["creditTransferInfo"].is_object();
    entity["id"].as_str().is_some_and(is_sisu)
        && REQUIRED.iter().all(|name| !entity[*name].is_null())
        && entity["gradeId"].is_u64()
        && listed("acceptorPersons")
        && listed("organisations")
        && !(is("primary") && (is("misregistration") || state == "FAILED"))
        && (state != "ATTAINED" || !transferred)
        && (state != "SUBSTITUTED" || transferred)
        && shares_are_whole(&entity["organisations"])
}

fn shares_are_whole(organisations: &Value) -> bool {
    let mut sums: BTreeMap<&str, Option<Decimal>> = BTreeMap::new();
    for organisation in organisations.as_array().into_iter().flatten() {
        let share = Json::of(&organisation["share"]).to_amount().map(|share| share.0);
        let sum = sums.entry(organisation["roleUrn"].as_str().unwrap_or_default()).or_insert(Some(Decimal::ZERO));
        *sum = sum.zip(share).map(|(sum, share)| sum + share);
    }
    sums.values().all(|sum| *sum == Some(Decimal::ONE))
}

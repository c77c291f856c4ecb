//! Sends a badge, or takes it back.

use super::http::Http;
use async_trait::async_trait;
use reqwest::Method;
use serde_json::Value;
use silta_adapter::adapter::{Deliver, Document, Load};
use silta_adapter::delivery::Judgement;
use std::sync::Arc;

/// Sends badges. Sending the same again makes no new version, so a lost answer costs nothing.
pub(super) struct Sender(pub(super) Arc<Http>);

/// Longest document of one badge.
const LONGEST: u64 = 4 << 20;

#[async_trait]
impl Deliver for Sender {
    async fn deliver(&self, load: &Load) -> Judgement {
        let Some(request) = read(&load.document).await.filter(|request| right(request).is_some()) else {
            return self.0.judge("load");
        };
        let done = match load.withdrawal {
            true => self.withdraw(request).await,
            false => self.place(request).await.map(|_| "stored"),
        };
        done.map_or_else(|judgement| judgement, |cause| self.0.judge(cause))
    }
}

/// The one study right of a request.
fn right(request: &Value) -> Option<&Value> {
    let rights = request.get("opiskeluoikeudet")?.as_array()?;
    if let [right @ Value::Object(_)] = rights.as_slice() { Some(right) } else { None }
}

async fn read(document: &Document) -> Option<Value> {
    match document {
        Document::Bytes(bytes) => serde_json::from_slice(bytes).ok(),
        Document::File(path) => {
            let length = tokio::fs::metadata(path).await.ok()?.len();
            let bytes = if length <= LONGEST { tokio::fs::read(path).await.ok()? } else { return None };
            serde_json::from_slice(&bytes).ok()
        }
    }
}

impl Sender {
    /// Places a badge; its OID at Koski. Where somebody changed it meanwhile, it is read and sent once more on top of
    /// that: what is owed is what our records say.
    async fn place(&self, mut request: Value) -> Result<String, Judgement> {
        match self.put(&request).await {
            Err(judgement) if judgement.cause == "key:conflict.versionumero" => {
                let Some(version) = self.version(&request).await? else { return Err(judgement) };
                request["opiskeluoikeudet"][0]["versionumero"] = version;
                self.put(&request).await
            }
            other => other,
        }
    }

    async fn put(&self, request: &Value) -> Result<String, Judgement> {
        let answer = self.0.call(Method::PUT, &["oppija"], Some(request)).await?;
        let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let stored = same(&answer, request).and_then(|stored| stored["oid"].as_str());
        stored.map(str::to_owned).ok_or_else(|| self.0.judge("answer"))
    }

    /// The version that Koski has of the study right of a request.
    async fn version(&self, request: &Value) -> Result<Option<Value>, Judgement> {
        let held = match right(request).and_then(|right| right["oid"].as_str()) {
            Some(oid) => Some(self.get(&["opiskeluoikeus", oid]).await?),
            None => match request["henkilö"]["oid"].as_str() {
                Some(person) => same(&self.get(&["oppija", person]).await?, request).cloned(),
                None => None,
            },
        };
        Ok(held.and_then(|held| held.get("versionumero").filter(|version| version.is_u64()).cloned()))
    }

    async fn get(&self, path: &[&str]) -> Result<Value, Judgement> {
        let answer = self.0.call(Method::GET, path, None).await?;
        serde_json::from_slice(&answer.body).map_err(|_| self.0.judge("answer"))
    }

    /// Has a badge invalidated. Who knows neither its OID nor the learner's learns it by sending the badge again, which
    /// changes nothing where it is held.
    async fn withdraw(&self, request: Value) -> Result<&'static str, Judgement> {
        let found = match (right(&request).and_then(|right| right["oid"].as_str()), request["henkilö"]["oid"].as_str())
        {
            (Some(oid), _) => Ok(Some(oid.to_owned())),
            (None, Some(person)) => {
                let held = self.get(&["oppija", person]).await;
                held.map(|held| Some(same(&held, &request)?["oid"].as_str()?.to_owned()))
            }
            (None, None) => self.place(request).await.map(Some),
        };
        let oid = match found {
            Ok(Some(oid)) => oid,
            Ok(None) => return Ok("gone"),
            Err(judgement) if is_gone(&judgement) => return Ok("gone"),
            Err(judgement) => return Err(judgement),
        };
        match self.0.call(Method::DELETE, &["opiskeluoikeus", &oid], None).await {
            Ok(_) => Ok("invalidated"),
            Err(judgement) if is_gone(&judgement) => Ok("gone"),
            Err(judgement) => Err(judgement),
        }
    }
}

/// True if there is nothing to take back: not there, or erased because the learner withdrew her consent.
fn is_gone(judgement: &Judgement) -> bool {
    judgement.cause.starts_with("key:notFound")
        || judgement.cause == "http:404"
        || judgement.cause == "key:forbidden.suostumusPeruttu"
}

/// The study right of an answer that has the same key as that of the request.
fn same<'a>(answer: &'a Value, request: &Value) -> Option<&'a Value> {
    let key = right(request)?.pointer("/lähdejärjestelmänId/id")?;
    let rights = answer.get("opiskeluoikeudet")?.as_array()?;
    rights.iter().find(|right| right.pointer("/lähdejärjestelmänId/id") == Some(key))
}

//! Sends a person or an association, or takes it back.
//!
//! Version 6 replaces the whole object under its id. Version 5 lays a patch over an association that is there, and posts
//! one that is not; a person can only be posted.

use super::http::{Http, Request, is_unknown};
use crate::dialect::Dialect;
use crate::object::person_member;
use crate::person::is_person;
use async_trait::async_trait;
use reqwest::Method;
use serde_json::Value;
use silta_adapter::adapter::{Deliver, Document, Load};
use silta_adapter::delivery::Judgement;
use std::sync::Arc;

/// Sends to a partner. Ids are ours, so sending the same again changes nothing.
pub(super) struct Sender {
    pub(super) http: Arc<Http>,
    pub(super) dialect: &'static Dialect,
}

/// Longest document of one object.
const LONGEST: u64 = 4 << 20;

#[async_trait]
impl Deliver for Sender {
    async fn deliver(&self, load: &Load) -> Judgement {
        let Some(object) = read(&load.document).await else { return self.http.judge("load") };
        let done = match (is_person(&object), self.dialect.old) {
            (true, false) => self.put(&["persons", id(&object, "personId")], &object, load).await,
            (true, true) => self.person(&object, load).await,
            (false, false) => self.put(&[self.path(&object), id(&object, "associationId")], &object, load).await,
            (false, true) => self.association(&object, load).await,
        };
        done.map_or_else(|judgement| judgement, |cause| self.http.judge(cause))
    }
}

fn id<'a>(object: &'a Value, member: &str) -> &'a str {
    object[member].as_str().unwrap_or_default()
}

async fn read(document: &Document) -> Option<Value> {
    let object: Value = match document {
        Document::Bytes(bytes) => serde_json::from_slice(bytes).ok()?,
        Document::File(path) => {
            let length = tokio::fs::metadata(path).await.ok()?.len();
            let bytes = if length <= LONGEST { tokio::fs::read(path).await.ok()? } else { return None };
            serde_json::from_slice(&bytes).ok()?
        }
    };
    let named = ["personId", "associationId"].iter().any(|member| !id(&object, member).is_empty());
    named.then_some(object)
}

/// What a call that went well comes to.
fn cause(load: &Load) -> &'static str {
    if load.withdrawal { "cancelled" } else { "stored" }
}

impl Sender {
    fn path(&self, object: &Value) -> &'static str {
        self.dialect.carrier_of(object).path
    }

    async fn put(&self, path: &[&str], object: &Value, load: &Load) -> Result<&'static str, Judgement> {
        let key = Some(load.idempotency_key.as_str());
        self.http.call(Request { method: Method::PUT, path, query: &[], body: Some(object), key }).await?;
        Ok(cause(load))
    }

    /// A person of version 5: whoever is known there cannot be changed by us.
    async fn person(&self, object: &Value, load: &Load) -> Result<&'static str, Judgement> {
        let id = id(object, "personId");
        match self.http.call(Request::get(&["persons", id])).await {
            Ok(_) if load.withdrawal => return Ok("person:stays"),
            Ok(_) => return Ok("person:known"),
            Err(judgement) if is_unknown(&judgement) && load.withdrawal => return Ok("gone"),
            Err(judgement) if is_unknown(&judgement) => {}
            Err(judgement) => return Err(judgement),
        }
        let key = Some(load.idempotency_key.as_str());
        let answer = self
            .http
            .call(Request { method: Method::POST, path: &["persons"], query: &[], body: Some(object), key })
            .await?;
        Ok(if same_id(&answer, "personId", id) { "stored" } else { "renamed" })
    }

    /// An association of version 5.
    async fn association(&self, object: &Value, load: &Load) -> Result<&'static str, Judgement> {
        let id = id(object, "associationId");
        let key = Some(load.idempotency_key.as_str());
        let mut patch = object.clone();
        if let Value::Object(members) = &mut patch {
            members.remove("associationId");
            members.remove(person_member(self.dialect));
        }
        let request =
            Request { method: Method::PATCH, path: &["associations", id], query: &[], body: Some(&patch), key };
        match self.http.call(request).await {
            Ok(_) => return Ok(cause(load)),
            Err(judgement) if is_unknown(&judgement) && load.withdrawal => return Ok("gone"),
            Err(judgement) if is_unknown(&judgement) => {}
            Err(judgement) => return Err(judgement),
        }
        let mut posted = object.clone();
        let issuer = object.pointer(&format!("/offering/{}", self.dialect.organisation));
        if let Some(issuer) = issuer {
            posted["issuer"] = issuer.clone();
        }
        let path: &[&str] = &["associations", "external", "me"];
        let answer =
            self.http.call(Request { method: Method::POST, path, query: &[], body: Some(&posted), key }).await?;
        Ok(if same_id(&answer, "associationId", id) { "stored" } else { "renamed" })
    }
}

/// True unless the partner says that it gave an id of its own.
fn same_id(answer: &Value, member: &str, id: &str) -> bool {
    answer[member].as_str().is_none_or(|given| given == id)
}

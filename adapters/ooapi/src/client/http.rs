//! Single calls, and what their answers mean.

use super::Settings;
use reqwest::header;
use reqwest::{Client, Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use silta_adapter::adapter::BadSettings;
use silta_adapter::delivery::{Judgement, VerdictTable};
use silta_adapter::http;

/// What the answers mean.
const VERDICTS: &str = include_str!("../../../../mappings/verdicts-ooapi.toml");

/// An open connection.
pub(super) struct Http {
    client: Client,
    url: Url,
    token: SecretString,
    longest: usize,
    verdicts: VerdictTable,
}

/// A call.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<&'a Value>,
    pub(super) key: Option<&'a str>,
}

impl<'a> Request<'a> {
    pub(super) fn get(path: &'a [&'a str]) -> Self {
        Self { method: Method::GET, path, query: &[], body: None, key: None }
    }
}

impl Http {
    pub(super) fn new(settings: &Settings) -> Result<Self, BadSettings> {
        let url = http::address(&settings.url, "url")?;
        let client = http::client(http::limit(settings.timeout_secs)?)?;
        Ok(Self {
            client,
            url,
            token: settings.secret()?,
            longest: settings.max_answer_bytes,
            verdicts: VerdictTable::from_toml(VERDICTS).map_err(|e| BadSettings(e.to_string()))?,
        })
    }

    pub(super) fn judge(&self, cause: &str) -> Judgement {
        self.verdicts.judge(cause, None)
    }

    /// Makes a call. The answer's own text is never repeated: it may hold personal data.
    ///
    /// # Errors
    /// If it did not do what it was to do; the judgement says why.
    pub(super) async fn call(&self, request: Request<'_>) -> Result<Value, Judgement> {
        let url = http::below(&self.url, request.path).ok_or_else(|| self.judge("request"))?;
        let patch = request.method == Method::PATCH;
        let mut call = self
            .client
            .request(request.method, url)
            .query(request.query)
            .header(header::ACCEPT, "application/json")
            .bearer_auth(self.token.expose_secret());
        if let Some(key) = request.key {
            call = call.header("Idempotency-Key", key);
        }
        if let Some(body) = request.body {
            let media_type = if patch { "application/merge-patch+json" } else { "application/json" };
            call = call.header(header::CONTENT_TYPE, media_type).body(body.to_string());
        }
        let mut response = call.send().await.map_err(|e| self.judge(http::cause_of(&e)))?;
        let (status, wait) = (response.status(), http::retry_after(response.headers()));
        let body = http::body(&mut response, self.longest).await.map_err(|cause| self.judge(cause))?;
        match status.is_success() {
            // Version 6 answers a PUT with nothing.
            true if body.is_empty() => Ok(Value::Null),
            true => serde_json::from_slice(&body).map_err(|_| self.judge("answer")),
            false => Err(self.verdicts.judge(&format!("http:{}", status.as_u16()), wait)),
        }
    }
}

/// True if a call found nothing under its address.
pub(super) fn is_unknown(judgement: &Judgement) -> bool {
    judgement.cause == "http:404"
}

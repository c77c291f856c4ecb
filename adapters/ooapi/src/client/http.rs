//! Single calls, and what their answers mean.

use super::Settings;
use reqwest::header::{self, HeaderMap};
use reqwest::{Client, Method, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use silta_adapter::adapter::BadSettings;
use silta_adapter::delivery::{Judgement, VerdictTable};
use std::time::Duration;

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
        let bad = |reason: &str| BadSettings(reason.to_owned());
        let url = Url::parse(&settings.url).map_err(|_| bad("url is not a web address"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
            return Err(bad("url must be an http or https address without credentials"));
        }
        if !(1..=3600).contains(&settings.timeout_secs) {
            return Err(bad("timeout_secs must be between 1 and 3600"));
        }
        // A redirect would carry the token elsewhere.
        let client = Client::builder()
            .timeout(Duration::from_secs(settings.timeout_secs))
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|_| bad("no HTTP client can be made here"))?;
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
        let mut url = self.url.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(request.path),
            Err(()) => return Err(self.judge("request")),
        };
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
        let mut response = call.send().await.map_err(|e| self.judge(cause_of(&e)))?;
        let (status, wait) = (response.status(), retry_after(response.headers()));
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= self.longest => body.extend_from_slice(&chunk),
                Ok(Some(_)) => return Err(self.judge("answer")),
                Ok(None) => break,
                Err(e) => return Err(self.judge(cause_of(&e))),
            }
        }
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

/// Only a failed connection is known not to have brought the request over.
fn cause_of(error: &reqwest::Error) -> &'static str {
    match error {
        e if e.is_connect() => "connect",
        e if e.is_builder() => "request",
        e if e.is_timeout() => "timeout",
        _ => "lost",
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

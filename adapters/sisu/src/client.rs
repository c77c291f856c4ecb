//! Requests to a Sisu.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use silta_adapter::SmolStr;
use silta_adapter::adapter::BadSettings;
use silta_adapter::delivery::VerdictTable;
use std::time::Duration;

/// What the answers mean.
pub(crate) fn verdicts() -> Result<VerdictTable, BadSettings> {
    VerdictTable::from_toml(include_str!("../../../mappings/verdicts-sisu.toml"))
        .map_err(|e| BadSettings(e.to_string()))
}

/// Asks a Sisu as one of its users.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    user: String,
    password: SecretString,
    max_answer_bytes: usize,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    /// When it was given, by the clock over there.
    pub(crate) at: Option<Timestamp>,
    /// How long we are asked to wait.
    pub(crate) wait: Option<Duration>,
}

/// No answer came: the cause to judge by.
pub(crate) struct NoAnswer(pub(crate) &'static str);

impl Client {
    pub(crate) fn open(
        url: &str,
        user: &str,
        password: SecretString,
        limit: Duration,
        max_answer_bytes: usize,
    ) -> Result<Self, BadSettings> {
        let bad = |reason: &str| BadSettings(reason.into());
        let base = Url::parse(url).map_err(|_| bad("url is not a web address"))?;
        if !matches!(base.scheme(), "http" | "https") || !base.username().is_empty() || base.password().is_some() {
            return Err(bad("url must be an http or https address without credentials"));
        }
        // A redirect would carry the password elsewhere.
        let http = reqwest::Client::builder().timeout(limit).redirect(redirect::Policy::none()).build();
        let http = http.map_err(|_| bad("no HTTP client can be made here"))?;
        Ok(Self { http, base, user: user.to_owned(), password, max_answer_bytes })
    }

    fn address(&self, path: &[&str]) -> Option<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(path);
        Some(url)
    }

    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Answer, NoAnswer> {
        let url = self.address(path).ok_or(NoAnswer("request"))?;
        self.ask(self.http.get(url).query(query)).await
    }

    pub(crate) async fn post(&self, path: &[&str], body: Vec<u8>) -> Result<Answer, NoAnswer> {
        let url = self.address(path).ok_or(NoAnswer("request"))?;
        self.ask(self.http.post(url).header("content-type", "application/json").body(body)).await
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Answer, NoAnswer> {
        let request = request.basic_auth(&self.user, Some(self.password.expose_secret()));
        let mut response = request.send().await.map_err(|e| NoAnswer(cause_of(&e)))?;
        let mut answer = Answer {
            status: response.status(),
            body: Vec::new(),
            at: date(response.headers()),
            wait: wait(response.headers()),
        };
        while let Some(chunk) = response.chunk().await.map_err(|e| NoAnswer(cause_of(&e)))? {
            if answer.body.len() + chunk.len() > self.max_answer_bytes {
                return Err(NoAnswer("answer"));
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }
}

impl Answer {
    /// The cause that its status is.
    pub(crate) fn cause(&self) -> SmolStr {
        SmolStr::from(format!("http:{}", self.status.as_u16()))
    }
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    rfc2822::parse(headers.get(DATE)?.to_str().ok()?).ok().map(|zoned| zoned.timestamp())
}

fn wait(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
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

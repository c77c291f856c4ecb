//! Requests to a Sisu.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap};
use reqwest::{RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use silta_adapter::SmolStr;
use silta_adapter::adapter::BadSettings;
use silta_adapter::delivery::VerdictTable;
use silta_adapter::http;
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
        let base = http::address(url, "url")?;
        Ok(Self { http: http::client(limit)?, base, user: user.to_owned(), password, max_answer_bytes })
    }

    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Answer, NoAnswer> {
        let url = http::below(&self.base, path).ok_or(NoAnswer("request"))?;
        self.ask(self.http.get(url).query(query)).await
    }

    pub(crate) async fn post(&self, path: &[&str], body: Vec<u8>) -> Result<Answer, NoAnswer> {
        let url = http::below(&self.base, path).ok_or(NoAnswer("request"))?;
        self.ask(self.http.post(url).header("content-type", "application/json").body(body)).await
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Answer, NoAnswer> {
        let request = request.basic_auth(&self.user, Some(self.password.expose_secret()));
        let mut response = request.send().await.map_err(|e| NoAnswer(http::cause_of(&e)))?;
        let body = http::body(&mut response, self.max_answer_bytes).await.map_err(NoAnswer)?;
        let headers = response.headers();
        Ok(Answer { status: response.status(), body, at: date(headers), wait: http::retry_after(headers) })
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

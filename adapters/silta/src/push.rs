//! Another gateway's push API as a destination.

use crate::complaint::words;
use async_trait::async_trait;
use jiff::fmt::rfc2822;
use reqwest::header::{self, HeaderMap};
use reqwest::{Body, Client, RequestBuilder, StatusCode, Url};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use silta_adapter::adapter::{BadSettings, Deliver, Document, Load};
use silta_adapter::delivery::{Judgement, Verdict, VerdictTable};
use silta_adapter::http;
use smol_str::SmolStr;
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a connection to another gateway.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The other gateway's address (`https://silta.example`).
    url: String,
    /// The tenant there; the load's own if left out.
    tenant: Option<SmolStr>,
    /// A token that may push for that tenant.
    token: Option<String>,
    /// A file that holds the token instead.
    token_file: Option<PathBuf>,
    /// Whether the other gateway is asked what it holds, so that what was sent can be proved. Its token has to be for every
    /// kind of record.
    #[serde(default = "yes")]
    pub(crate) read_back: bool,
    /// Longest time one send may take, in seconds.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 3600))]
    timeout_secs: u64,
}

fn thirty() -> u64 {
    30
}

fn yes() -> bool {
    true
}

impl Settings {
    /// The JSON Schema of the settings.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    pub(crate) fn read(value: &serde_json::Value) -> Result<Self, BadSettings> {
        let settings = Self::deserialize(value).map_err(|e| bad(words(&e)))?;
        match settings.timeout_secs {
            1..=3600 => Ok(settings),
            _ => Err(bad("timeout_secs must be between 1 and 3600")),
        }
    }

    fn secret(&self) -> Result<SecretString, BadSettings> {
        let token = match (&self.token, &self.token_file) {
            (Some(token), None) => token.clone(),
            (None, Some(file)) => {
                std::fs::read_to_string(file).map_err(|e| bad(format!("token_file cannot be read: {}", e.kind())))?
            }
            _ => return Err(bad("one of token and token_file must be given")),
        };
        match token.trim() {
            "" => Err(bad("the token is empty")),
            token => Ok(token.into()),
        }
    }
}

fn bad(reason: impl Display) -> BadSettings {
    BadSettings(reason.to_string())
}

/// What the answers mean.
const VERDICTS: &str = include_str!("../../../mappings/verdicts-push.toml");

/// Longest answer to a push that is read.
const ANSWER_BYTES: usize = 1 << 20;

/// An open connection to another gateway.
pub(crate) struct Push {
    client: Client,
    url: Url,
    tenant: Option<SmolStr>,
    token: SecretString,
    pub(crate) verdicts: VerdictTable,
}

/// The part of an answer that decides. Its problems are not read: their texts are the other side's own.
#[derive(Deserialize)]
struct Answer {
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    outcome: SmolStr,
}

impl Push {
    pub(crate) fn open(settings: &Settings) -> Result<Self, BadSettings> {
        Ok(Self {
            url: http::address(&settings.url, "url")?,
            client: http::client(Duration::from_secs(settings.timeout_secs))?,
            token: settings.secret()?,
            tenant: settings.tenant.clone(),
            verdicts: VerdictTable::from_toml(VERDICTS).map_err(bad)?,
        })
    }

    /// A request about a tenant's records, to what `more` leads to from their address; `None` if there is no such address.
    pub(crate) fn request(&self, tenant: &SmolStr, more: &[&str]) -> Option<RequestBuilder> {
        let url = self.address(tenant, more)?;
        Some(self.client.post(url).bearer_auth(self.token.expose_secret()))
    }

    fn address(&self, tenant: &SmolStr, more: &[&str]) -> Option<Url> {
        let tenant = self.tenant.as_ref().unwrap_or(tenant);
        http::below(&self.url, &[&["v1", "tenants", tenant, "records"], more].concat())
    }

    /// Sends the load: the cause to judge by, and how long we are asked to wait.
    async fn send(&self, load: &Load) -> Cause {
        let body = match &load.document {
            Document::Bytes(bytes) => Body::from(bytes.clone()),
            Document::File(path) => match tokio::fs::File::open(path).await {
                Ok(file) => Body::from(file),
                Err(_) => return plain("load"),
            },
        };
        let Some(request) = self.request(&load.tenant, &[]) else { return plain("request") };
        let request = request
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .header("Idempotency-Key", &load.idempotency_key)
            .body(body);
        match answer(request, ANSWER_BYTES).await {
            Ok((body, wait)) => (self.cause_in(&body), wait),
            Err(cause) => cause,
        }
    }

    /// The cause named by an answer: the first outcome that is not accepted, else the first.
    fn cause_in(&self, body: &[u8]) -> SmolStr {
        let Ok(answer) = serde_json::from_slice::<Answer>(body) else { return SmolStr::new_static("answer") };
        let causes: Vec<SmolStr> =
            answer.outcomes.iter().map(|o| smol_str::format_smolstr!("outcome:{}", o.outcome)).collect();
        let refused = causes.iter().find(|cause| self.verdicts.judge(cause, None).verdict != Verdict::Accepted);
        refused.or(causes.first()).cloned().unwrap_or(SmolStr::new_static("answer"))
    }
}

#[async_trait]
impl Deliver for Push {
    async fn deliver(&self, load: &Load) -> Judgement {
        let (cause, wait) = self.send(load).await;
        let judgement = self.verdicts.judge(&cause, wait);
        // An outcome's name is the other side's own text; only those the table knows are repeated.
        let known = self.verdicts.rows().iter().any(|row| row.cause == cause.as_str()) || cause.starts_with("http:");
        if known { judgement } else { Judgement { cause: SmolStr::new_static("outcome:other"), ..judgement } }
    }
}

/// What to judge by, and how long we are asked to wait.
pub(crate) type Cause = (SmolStr, Option<Duration>);

fn plain(cause: &'static str) -> Cause {
    (SmolStr::new_static(cause), None)
}

/// The body of an answer that says 200, up to a length, and how long we are asked to wait.
///
/// # Errors
/// The cause, if there is no such answer.
pub(crate) async fn answer(request: RequestBuilder, most: usize) -> Result<(Vec<u8>, Option<Duration>), Cause> {
    let mut response = request.send().await.map_err(|e| plain(http::cause_of(&e)))?;
    let wait = retry_after(response.headers());
    match response.status() {
        StatusCode::OK => {}
        status => return Err((smol_str::format_smolstr!("http:{}", status.as_u16()), wait)),
    }
    Ok((http::body(&mut response, most).await.map_err(plain)?, wait))
}

/// `Retry-After` in seconds, or as a date, which is read against the answer's own `Date`: the clocks may differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(seconds) = http::retry_after(headers) {
        return Some(seconds);
    }
    let instant = |text| rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let wait = instant(text(header::RETRY_AFTER)?)?.duration_since(instant(text(header::DATE)?)?);
    Some(Duration::try_from(wait).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let wait = |retry: &'static str, date: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, retry.parse().expect("a header"));
            date.map(|date| headers.insert(header::DATE, date.parse().expect("a header")));
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        let now = Some("Sat, 21 Nov 2026 10:00:00 GMT");
        assert_eq!(wait("120", None), Some(120));
        assert_eq!(wait("Sat, 21 Nov 2026 10:01:30 GMT", now), Some(90));
        assert_eq!(wait("Sat, 21 Nov 2026 09:00:00 GMT", now), Some(0), "in the past");
        assert_eq!(wait("Sat, 21 Nov 2026 10:01:30 GMT", None), None);
        assert_eq!(wait("soon", now), None);
    }

    #[test]
    fn settings_are_checked_and_never_repeated() {
        let open = |value| Settings::read(&value).and_then(|settings| Push::open(&settings)).map(|_| ());
        open(json!({ "url": "https://silta.example/base/", "token": "t" })).expect("opens");
        for (value, reason) in [
            (json!({ "token": "t" }), "missing field `url`"),
            (json!({ "url": "https://a.example" }), "one of token and token_file must be given"),
            (
                json!({ "url": "https://a.example", "token": "s3cret", "tokens": 1 }),
                "an unknown field, expected one of",
            ),
            (json!({ "url": "https://a.example", "token": ["s3cret"] }), "a value of another type, expected a string"),
            (json!({ "url": "a", "timeout_secs": ", expected s3cret at line 1" }), "of another type, expected u64"),
            (json!({ "url": "https://u:s3cret@a.example", "token": "t" }), "without credentials"),
            (json!({ "url": "ftp://a.example", "token": "t" }), "http or https"),
            (json!({ "url": "https://a.example", "token": " " }), "the token is empty"),
            (json!({ "url": "https://a.example", "token": "t", "timeout_secs": 0 }), "between 1 and 3600"),
            (json!({ "url": "https://a.example", "token_file": "/nowhere/s3cret" }), "token_file cannot be read"),
        ] {
            let error = open(value).expect_err(reason).to_string();
            assert!(error.contains(reason) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn the_tenant_is_one_segment_of_the_address() {
        let settings = Settings::read(&json!({ "url": "https://a.example/base/", "token": "t" })).expect("settings");
        let push = Push::open(&settings).expect("opens");
        let address = push.address(&"a/../b?".into(), &["held"]).expect("an address");
        assert_eq!(address.as_str(), "https://a.example/base/v1/tenants/a%2F..%2Fb%3F/records/held");
    }
}

//! Single calls, and what their answers mean.

use super::Settings;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use silta_adapter::SmolStr;
use silta_adapter::adapter::BadSettings;
use silta_adapter::delivery::{Judgement, Verdict, VerdictTable};
use smol_str::format_smolstr;
use std::time::Duration;

/// What the answers mean.
const VERDICTS: &str = include_str!("../../../../mappings/verdicts-koski.toml");

/// Koski asks for a value that comes both as a header and as a cookie, which a page of somebody else cannot send. There
/// is no page here, so any value does.
const CSRF: &str = "silta";

/// An open connection.
pub(super) struct Http {
    client: Client,
    url: Url,
    user: String,
    password: SecretString,
    caller: HeaderValue,
    longest: usize,
    verdicts: VerdictTable,
}

/// An answer with a status that says the call did what it was to do.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// When the other side answered, by its own clock.
    pub(super) at: Option<Timestamp>,
}

/// One of the errors of an answer. Its text is not read: it changes, and may repeat personal data.
#[derive(Deserialize)]
struct KoskiError {
    key: String,
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
        // A redirect would carry the password elsewhere.
        let client = Client::builder()
            .timeout(Duration::from_secs(settings.timeout_secs))
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|_| bad("no HTTP client can be made here"))?;
        Ok(Self {
            client,
            url,
            user: settings.user.clone(),
            password: settings.secret()?,
            caller: HeaderValue::from_str(&settings.caller_id).map_err(|_| bad("caller_id is no value of a header"))?,
            longest: settings.max_answer_bytes,
            verdicts: VerdictTable::from_toml(VERDICTS).map_err(|e| BadSettings(e.to_string()))?,
        })
    }

    pub(super) fn judge(&self, cause: &str) -> Judgement {
        self.verdicts.judge(cause, None)
    }

    /// Makes a call. Path segments and queries never hold identity codes: they end up in logs.
    ///
    /// # Errors
    /// If it did not do what it was to do; the judgement says why.
    pub(super) async fn call(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Answer, Judgement> {
        self.ask(method, path, &[], body).await
    }

    /// As [`Http::call`], with a query.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Judgement> {
        let mut url = self.url.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().push("api").extend(path),
            Err(()) => return Err(self.judge("request")),
        };
        let mut request = self
            .client
            .request(method.clone(), url)
            .query(query)
            .basic_auth(&self.user, Some(self.password.expose_secret()))
            .header("Caller-Id", self.caller.clone());
        if method != Method::GET {
            request = request.header("CSRF", CSRF).header(header::COOKIE, format!("CSRF={CSRF}"));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(|e| self.judge(cause_of(&e)))?;
        let (status, wait, at) = (response.status(), retry_after(response.headers()), date(response.headers()));
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
            true => Ok(Answer { body, at }),
            false => Err(self.refused(status.as_u16(), &body, wait)),
        }
    }

    /// What an answer with errors means: the gravest of them decides, and the status where none is known.
    fn refused(&self, status: u16, body: &[u8], wait: Option<Duration>) -> Judgement {
        let errors: Vec<KoskiError> = serde_json::from_slice(body).unwrap_or_default();
        let known = |cause: &SmolStr| {
            let matches =
                |row: &str| row.strip_suffix('*').map_or(row == cause.as_str(), |start| cause.starts_with(start));
            self.verdicts.rows().iter().any(|row| row.cause.starts_with("key:") && matches(&row.cause))
        };
        let causes = errors.iter().filter(|error| is_key(&error.key)).map(|error| format_smolstr!("key:{}", error.key));
        let gravest =
            causes.filter(known).map(|cause| self.verdicts.judge(&cause, wait)).min_by_key(|j| grave(j.verdict));
        gravest.unwrap_or_else(|| self.verdicts.judge(&format!("http:{status}"), wait))
    }
}

/// A key is made of words; anything else may be somebody's data.
fn is_key(key: &str) -> bool {
    key.len() <= 120 && key.chars().all(|c| c.is_alphabetic() || c == '.')
}

/// The order in which verdicts decide about one answer with several errors.
fn grave(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Barred => 0,
        Verdict::Auth | Verdict::Misconfigured => 1,
        Verdict::Refused => 2,
        Verdict::Uncertain => 3,
        Verdict::RetryAfter | Verdict::Transient => 4,
        Verdict::Accepted | Verdict::AcceptedPending => 5,
    }
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

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(headers.get(header::DATE)?.to_str().ok()?).ok()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

//! Single calls, and what their answers mean.

use super::Settings;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use silta_adapter::SmolStr;
use silta_adapter::adapter::BadSettings;
use silta_adapter::delivery::{Judgement, Verdict, VerdictTable};
use silta_adapter::http;
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
        let url = http::address(&settings.url, "url")?;
        let client = http::client(http::limit(settings.timeout_secs)?)?;
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
        let url = http::below(&self.url, &[&["api"], path].concat()).ok_or_else(|| self.judge("request"))?;
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
        let mut response = request.send().await.map_err(|e| self.judge(http::cause_of(&e)))?;
        let (status, wait, at) = (response.status(), http::retry_after(response.headers()), date(response.headers()));
        let body = http::body(&mut response, self.longest).await.map_err(|cause| self.judge(cause))?;
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

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(headers.get(header::DATE)?.to_str().ok()?).ok()
}

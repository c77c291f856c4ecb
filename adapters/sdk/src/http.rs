//! Calls over HTTP as adapters make them: what settings say is checked, answers are read up to a bound, and what failed
//! has the name by which verdict tables judge it.

use crate::adapter::BadSettings;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, Url, redirect};
use std::time::Duration;

/// The address that a setting holds.
///
/// # Errors
/// If it is none of the web, or holds credentials: addresses end up in logs.
pub fn address(text: &str, setting: &str) -> Result<Url, BadSettings> {
    let url = Url::parse(text).map_err(|_| BadSettings(format!("{setting} is not a web address")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(BadSettings(format!("{setting} must be an http or https address without credentials")));
    }
    Ok(url)
}

/// An address below another; `None` if nothing can be below it.
pub fn below(base: &Url, path: &[&str]) -> Option<Url> {
    let mut url = base.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(path);
    Some(url)
}

/// The longest time one request may take, from a setting in seconds.
///
/// # Errors
/// If it is nothing, or more than an hour.
pub fn limit(timeout_secs: u64) -> Result<Duration, BadSettings> {
    match timeout_secs {
        1..=3600 => Ok(Duration::from_secs(timeout_secs)),
        _ => Err(BadSettings("timeout_secs must be between 1 and 3600".into())),
    }
}

/// A client that gives up after a time and follows no redirect, which would carry credentials and content elsewhere.
///
/// # Errors
/// If none can be made on this machine.
pub fn client(limit: Duration) -> Result<Client, BadSettings> {
    let client = Client::builder().timeout(limit).redirect(redirect::Policy::none()).build();
    client.map_err(|_| BadSettings("no HTTP client can be made here".into()))
}

/// The cause that a failed call is judged by: only a failed connection is known not to have brought the request over.
pub fn cause_of(error: &reqwest::Error) -> &'static str {
    match error {
        e if e.is_connect() => "connect",
        e if e.is_builder() => "request",
        e if e.is_timeout() => "timeout",
        _ => "lost",
    }
}

/// How long an answer asks to wait, where it says so in seconds.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The body of an answer, of so many bytes at most.
///
/// # Errors
/// The cause to judge by: `answer` if it is longer, else why it broke off.
pub async fn body(response: &mut Response, most: usize) -> Result<Vec<u8>, &'static str> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| cause_of(&e))? {
        if body.len() + chunk.len() > most {
            return Err("answer");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

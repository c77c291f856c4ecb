//! Reading the national store over SOAP 1.1.
//!
//! | module | what it holds |
//! |---|---|
//! | [`operation`] | the eight operations and what each takes |
//! | `request` | writing a request |
//! | `inventory` | what the store holds about learners: which calls to make, whose each answer is |

mod inventory;
pub mod operation;
mod request;
#[cfg(test)]
#[cfg(feature = "sandbox")]
mod tests;

pub use operation::{Criteria, IdentifierKind, OPERATIONS, Operation};

use crate::decode::SoapFault;
use crate::settings::SoapSettings;
use crate::verdicts;
use backon::{ExponentialBuilder, Retryable};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use secrecy::SecretString;
use silta_adapter::adapter::{BadSettings, Decode, DecodeContext, Limits, Unreadable};
use silta_adapter::delivery::{Judgement, VerdictTable};
use silta_adapter::{SmolStr, http};
use std::sync::Arc;
use std::time::Duration;

/// The namespace of the reading service.
pub const SERVICE_NAMESPACE: &str = "http://tietovaranto.csc.fi/luku";
/// The namespace of a SOAP 1.1 envelope.
pub const ENVELOPE_NAMESPACE: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// Bytes of a fault that are looked at.
const FAULT_BYTES: u64 = 64 << 10;
/// The longest pause a service may ask for that is still waited for within one reading.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A client of the reading service.
///
/// Identity codes travel in the body of a request and nowhere else; what the service says in words is never repeated.
pub struct SoapReader {
    http: Client,
    url: Url,
    caller: Caller,
    organisation: Option<String>,
    max_answer_bytes: u64,
    backoff: ExponentialBuilder,
    decoder: Arc<dyn Decode>,
    verdicts: VerdictTable,
}

/// Who asks: the `Kutsuja` of every request.
struct Caller {
    system: String,
    user: String,
    password: SecretString,
}

impl SoapReader {
    /// A client with these settings that reads answers with this decoder.
    ///
    /// # Errors
    /// If the address is not one, or the password cannot be read.
    pub fn new(settings: &SoapSettings, decoder: Arc<dyn Decode>) -> Result<Self, BadSettings> {
        let bad = |reason: &str| BadSettings(format!("soap: {reason}"));
        let url = Url::parse(&settings.url).map_err(|_| bad("url is not an address"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("url must be http or https"));
        }
        if url.password().is_some() || !url.username().is_empty() {
            return Err(bad("url must hold no credentials: use user and password_file"));
        }
        if settings.timeout_secs == 0 {
            return Err(bad("timeout_secs must be at least 1"));
        }
        let http = Client::builder()
            .timeout(Duration::from_secs(settings.timeout_secs))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| bad("no HTTP client can be made on this machine"))?;
        Ok(Self {
            http,
            url,
            caller: Caller {
                system: settings.system.clone(),
                user: settings.user.clone(),
                password: settings.secret()?,
            },
            organisation: settings.organisation.clone(),
            max_answer_bytes: settings.max_answer_bytes,
            backoff: ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(200))
                .with_jitter()
                .with_max_times(3),
            decoder,
            verdicts: verdicts::of_soap()?,
        })
    }

    /// Asks one operation and returns the answer as it came, at most `limit` bytes of it. What passes by itself is
    /// tried up to three times more: reading changes nothing.
    ///
    /// # Errors
    /// If there is no answer; the judgement says why, and whether asking again later makes sense.
    pub async fn ask(
        &self,
        operation: &Operation,
        criteria: Criteria<'_>,
        organisation: Option<&str>,
        limit: u64,
    ) -> Result<Vec<u8>, Judgement> {
        if !criteria.suits(operation) {
            return Err(self.verdicts.judge("request:criteria", None));
        }
        if operation.needs_organisation && organisation.is_none() {
            return Err(self.verdicts.judge("request:organisation", None));
        }
        let body = request::write(operation, &self.caller, criteria, organisation);
        (|| self.call(body.clone(), limit.min(self.max_answer_bytes)))
            .retry(self.backoff)
            .when(|judgement: &Judgement| judgement.verdict.retries())
            .adjust(|judgement, pause| match (judgement.retry_after, pause) {
                (Some(asked), _) if asked > LONGEST_PAUSE => None,
                (Some(asked), Some(pause)) => Some(pause.max(asked)),
                (_, pause) => pause,
            })
            .notify(|judgement, _| tracing::debug!(cause = %judgement.cause, "the reading service is asked again"))
            .await
    }

    async fn call(&self, body: Vec<u8>, limit: u64) -> Result<Vec<u8>, Judgement> {
        let request = self.http.post(self.url.clone()).header(CONTENT_TYPE, "text/xml; charset=utf-8");
        let mut answer = request
            .header("SOAPAction", "\"\"")
            .body(body)
            .send()
            .await
            .map_err(|e| self.verdicts.judge(cause(&e), None))?;
        match answer.status() {
            StatusCode::OK => self.read(&mut answer, limit).await,
            status => {
                let pause = http::retry_after(answer.headers());
                let said = match status {
                    StatusCode::INTERNAL_SERVER_ERROR => self.read(&mut answer, FAULT_BYTES).await.unwrap_or_default(),
                    _ => Vec::new(),
                };
                Err(match self.fault(&said) {
                    Some(fault) => self.verdicts.judge(fault, pause),
                    None => self.verdicts.judge(&format!("http:{}", status.as_u16()), pause),
                })
            }
        }
    }

    /// The cause that a fault is judged by, if the service said one.
    fn fault(&self, said: &[u8]) -> Option<&'static str> {
        let limits = Limits { bytes: FAULT_BYTES, ..Limits::default() };
        let ctx = DecodeContext { tenant: SmolStr::default(), source: SmolStr::default(), limits };
        fault_cause(&self.decoder.decode(&mut &*said, &ctx, &mut |_| Ok(())).err()?)
    }

    async fn read(&self, answer: &mut Response, limit: u64) -> Result<Vec<u8>, Judgement> {
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.verdicts.judge(cause(&e), None))? {
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(self.verdicts.judge("answer:too-large", None));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// The cause that a document is judged by if it is a fault.
fn fault_cause(unreadable: &Unreadable) -> Option<&'static str> {
    let Unreadable::Malformed(problem) = unreadable else { return None };
    Some(match SoapFault::of(problem)? {
        SoapFault { validation: true, .. } => "fault:validation",
        SoapFault { code: "Client", .. } => "fault:client",
        _ => "fault:server",
    })
}

/// Why a call came to nothing. The error itself names the address and is not repeated.
fn cause(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        return "timeout";
    }
    if !error.is_connect() {
        return "answer:lost";
    }
    let mut reason: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = reason {
        let text = error.to_string();
        if text.starts_with("dns error") {
            return "dns";
        }
        if text.contains("certificate") || text.contains("tls") {
            return "tls";
        }
        reason = error.source();
    }
    "connect"
}

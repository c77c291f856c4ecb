//! Opens seals: keys, certificates and time-stamp services as the configuration names them.

use crate::config;
use async_trait::async_trait;
use silta_adapter::adapter::{Limits, Registry};
use silta_adapter::http;
use silta_adapter::mapping::Mappings;
use silta_page::Pages;
use silta_seal::key::{Companions, Pkcs11Uri};
use silta_seal::report::{Report, Status, Step};
use silta_seal::{Certificate, Key, Sealer, TimeStampService};
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Most bytes of a key, certificate or passphrase file.
const MOST_FILE: u64 = 1 << 20;
/// How long something that others publish may take to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most bytes of a time-stamp service's answer.
const MOST_ANSWER: usize = 1 << 20;

/// Profiles of the editions by which credentials are published, the stricter first.
const PUBLISHED: [&str; 2] = ["edc", "edc-3.2"];

/// A seal cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotOpened(String);

impl From<String> for NotOpened {
    fn from(reason: String) -> Self {
        Self(reason)
    }
}

/// An open seal.
#[derive(Debug)]
pub struct Opened {
    /// Seals credentials.
    pub sealer: Sealer,
    /// What an operator should look at: secrets that others can read.
    pub warnings: Vec<String>,
}

/// Opens a seal.
///
/// # Errors
/// If a file cannot be read, or key, certificate and algorithm do not go together.
pub fn open(seal: &config::Seal, mappings: Arc<Mappings>) -> Result<Opened, NotOpened> {
    let mut warnings = Vec::new();
    let certificates = match &seal.certificate {
        Some(file) => certificates(file)?,
        None => Vec::new(),
    };
    let with = Companions { certificates, algorithm: seal.algorithm.clone() };
    let key = if Pkcs11Uri::is_one(&seal.key) {
        let uri = Pkcs11Uri::parse(&seal.key).map_err(|e| format!("the key's URI {e}"))?;
        let pin = passphrase(&uri.pin_file, &mut warnings)?;
        Key::from_pkcs11(&uri, pin, with)
    } else {
        let bytes = secret(Path::new(&seal.key), &mut warnings)?;
        let passphrase = seal.passphrase_file.as_deref().map(|file| passphrase(file, &mut warnings)).transpose()?;
        let passphrase = passphrase.as_ref().map(|text| text.as_str());
        // PKCS#12 is DER, a sequence; PEM is text.
        if bytes.first() == Some(&0x30) {
            Key::from_pkcs12(&bytes, passphrase.unwrap_or_default(), with)
        } else {
            Key::from_pem(&bytes, passphrase, with)
        }
    }?;
    let mut sealer = Sealer::new(key, mappings).with_images(Arc::new(Pages));
    if let Some(url) = &seal.tsa_url {
        let timeout = Duration::from_secs(seal.tsa_timeout_secs);
        sealer = sealer.with_time_stamps(Arc::new(HttpTimeStamps::new(url, timeout)?));
    }
    Ok(Opened { sealer, warnings })
}

/// Fetches something that others publish over HTTP.
///
/// # Errors
/// If it cannot be had, or has too many bytes.
pub async fn fetch(url: &str, most: usize) -> Result<Vec<u8>, String> {
    let failed = |e: reqwest::Error| if e.is_timeout() { "did not come in time" } else { "cannot be fetched" };
    let http = http::client(PATIENCE).map_err(|_| "cannot be fetched")?;
    let mut answer = http.get(url).send().await.map_err(failed)?;
    if !answer.status().is_success() {
        return Err(format!("is answered with HTTP {}", answer.status().as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > most {
            return Err("is too large".into());
        }
    }
    Ok(bytes)
}

/// Reads a file of certificates, in PEM or DER.
///
/// # Errors
/// If it cannot be read or holds none.
pub fn certificates(file: &Path) -> Result<Vec<Certificate>, NotOpened> {
    let bytes = read(file)?;
    Ok(Certificate::from_file(&bytes).map_err(|e| format!("{} {e}", file.display()))?)
}

/// Adds to a verification what the shapes say of the credential: those of either edition that credentials are published
/// by.
pub fn conforms(registry: &Registry, document: &[u8], mappings: &Mappings, report: &mut Report) {
    let validators = registry.iter().filter_map(|adapter| adapter.validator());
    let Some(validator) = validators.into_iter().find(|v| PUBLISHED.iter().all(|p| v.profiles().contains(p))) else {
        return;
    };
    let limits = Limits { bytes: document.len() as u64, record_bytes: document.len(), ..Limits::default() };
    let mut broken = None;
    for profile in PUBLISHED {
        let mut official = None;
        let validated = validator.validate(&mut &*document, profile, &limits, mappings, &mut |found, _| {
            let first = found.findings.iter().find(|finding| finding.is_error());
            broken = broken.take().or_else(|| first.map(|finding| format!("{} ({})", finding.message, finding.path)));
            official = found.official;
        });
        if validated.is_ok() && official == Some(true) {
            return report.add(Step::Format, Status::Ok, format!("it conforms to the shapes of {profile}"));
        }
    }
    let broken = broken.unwrap_or_else(|| "no shapes apply to it".into());
    report.add(Step::Format, Status::Error, format!("it does not conform to the published shapes: {broken}"));
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let failed = |e: std::io::Error| format!("{} cannot be read: {e}", file.display());
    let opened = std::fs::File::open(file).map_err(failed)?;
    // Room from the start: growing would leave copies of a secret behind.
    let length = opened.metadata().map_err(failed)?.len().min(MOST_FILE);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    opened.take(MOST_FILE).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn secret(file: &Path, warnings: &mut Vec<String>) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    use std::os::unix::fs::PermissionsExt;
    let bytes = read(file)?;
    if std::fs::metadata(file).is_ok_and(|m| m.permissions().mode() & 0o077 != 0) {
        warnings.push(format!("{} can be read by others than its owner; chmod 600 keeps it secret", file.display()));
    }
    Ok(bytes)
}

fn passphrase(file: &Path, warnings: &mut Vec<String>) -> Result<Zeroizing<String>, NotOpened> {
    let bytes = secret(file, warnings)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{} is not UTF-8", file.display()))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A time-stamp service over HTTP (RFC 3161, 3.4).
struct HttpTimeStamps {
    http: reqwest::Client,
    url: reqwest::Url,
}

impl fmt::Debug for HttpTimeStamps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpTimeStamps")
    }
}

impl HttpTimeStamps {
    fn new(url: &str, timeout: Duration) -> Result<Self, NotOpened> {
        let url = reqwest::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| "the time-stamp service's address is not an http or https URL".to_owned())?;
        let http = http::client(timeout).map_err(|_| "no HTTP client can be made".to_owned())?;
        Ok(Self { http, url })
    }
}

#[async_trait]
impl TimeStampService for HttpTimeStamps {
    async fn ask(&self, request: &[u8]) -> Result<Vec<u8>, String> {
        let failed = |e: reqwest::Error| if e.is_timeout() { "did not answer in time" } else { "cannot be reached" };
        let question = self.http.post(self.url.clone()).header("content-type", "application/timestamp-query");
        let mut answer = question.body(request.to_vec()).send().await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(format!("answers with HTTP {}", answer.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MOST_ANSWER {
                return Err("answers with too much".into());
            }
        }
        Ok(bytes)
    }
}

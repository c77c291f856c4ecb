//! Deposits in a wallet with the interface of the Commission's, version 1 or 2.
//!
//! A wallet takes a credential from anybody who can prove by a seal whose it is, once for each id: a second time it
//! answers 409, by which a lost answer is found. It gives one back to whoever has the owner's token only.

use super::{Sealed, verdicts};
use async_trait::async_trait;
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use silta_adapter::adapter::{BadSettings, Deliver, Load};
use silta_adapter::delivery::{Judgement, VerdictTable};
use silta_adapter::http;
use std::path::PathBuf;

/// A wallet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The service's address, before `/api`.
    url: String,
    /// Version of its interface, 1 or 2. Version 2 takes the address of the wallet in the body.
    #[serde(default = "Settings::version")]
    #[schemars(range(min = 1, max = 2))]
    version: u8,
    /// Scheme of the learners' identifier that is the address of their wallet.
    #[serde(default = "Settings::scheme")]
    wallet_scheme: String,
    /// True if a learner without such an identifier is addressed by e-mail, which makes a temporary wallet. Version 1 wants
    /// the address in the URL, where others may log it.
    #[serde(default)]
    by_email: bool,
    /// File with a token that may take credentials back; without one they are only revoked by their status.
    token_file: Option<PathBuf>,
    /// Longest time one request may take, in seconds.
    #[serde(default = "Settings::timeout_secs")]
    #[schemars(range(min = 1, max = 3600))]
    timeout_secs: u64,
}

impl Settings {
    fn version() -> u8 {
        1
    }

    fn scheme() -> String {
        "europass:wallet".into()
    }

    fn timeout_secs() -> u64 {
        60
    }
}

/// An open wallet service.
pub(super) struct Wallet {
    http: Client,
    base: Url,
    version: Version,
    scheme: String,
    by_email: bool,
    token: Option<SecretString>,
    verdicts: VerdictTable,
}

/// A version of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Where a learner's credentials go.
#[derive(Debug, PartialEq, Eq)]
enum Address {
    /// The wallet of a user.
    User(String),
    /// An e-mail address.
    Email(String),
}

impl Wallet {
    pub(super) fn open(settings: &Settings) -> Result<Self, BadSettings> {
        let base = http::address(&settings.url, "url")?;
        let version = match settings.version {
            1 => Version::One,
            2 => Version::Two,
            _ => return Err(BadSettings("version must be 1 or 2".into())),
        };
        let limit = http::limit(settings.timeout_secs)?;
        let token = settings.token_file.as_ref().map(|file| {
            std::fs::read_to_string(file)
                .map(|text| SecretString::from(text.trim_end_matches(['\r', '\n'])))
                .map_err(|e| BadSettings(format!("token_file cannot be read: {}", e.kind())))
        });
        Ok(Self {
            http: http::client(limit)?,
            base,
            version,
            scheme: settings.wallet_scheme.clone(),
            by_email: settings.by_email,
            token: token.transpose()?,
            verdicts: verdicts()?,
        })
    }

    fn url(&self, path: &[&str]) -> Option<Url> {
        http::below(&self.base, &[&["api"], path].concat())
    }

    fn address(&self, credential: &Map<String, Value>) -> Option<Address> {
        let subject = credential.get("credentialSubject")?;
        let wallet = all(&subject["identifier"]).iter().find(|i| i["schemeName"].as_str() == Some(&self.scheme));
        if let Some(user) = wallet.and_then(|identifier| identifier["notation"].as_str()) {
            return Some(Address::User(user.to_owned()));
        }
        let mailboxes = all(&subject["contactPoint"]).iter().flat_map(|contact| all(&contact["emailAddress"]));
        let email = mailboxes.filter_map(|mailbox| mailbox["id"].as_str()?.strip_prefix("mailto:")).next();
        email.filter(|_| self.by_email).map(|email| Address::Email(email.to_owned()))
    }

    fn deposit(&self, sealed: Sealed, address: &Address) -> Option<RequestBuilder> {
        let file = Part::bytes(sealed.bytes).file_name(format!("{}.jsonld", sealed.uuid));
        let form = Form::new().part("_credential", file.mime_str("application/json").ok()?);
        if self.version == Version::Two {
            let form = match address {
                Address::User(user) => form.text("walletAddress", user.clone()),
                Address::Email(email) => form.text("userEmail", email.clone()),
            };
            let url = self.url(&["v2", "credentials"])?;
            return Some(self.http.post(url).multipart(form.text("sendEmail", "false")));
        }
        let url = match address {
            Address::User(user) => self.url(&["v1", "wallets", user, "credentials"]),
            Address::Email(email) => self.url(&["v1", "wallets", "email", email, "credentials"]),
        }?;
        Some(self.http.post(url).query(&[("sendEmail", "false")]).multipart(form))
    }

    fn removal(&self, user: &str, uuid: &str, token: &SecretString) -> Option<RequestBuilder> {
        let request = match self.version {
            Version::One => self.http.delete(self.url(&["v1", "wallets", user, "credentials", uuid])?),
            Version::Two => self.http.delete(self.url(&["v2", "credentials", uuid])?).query(&[("walletAddress", user)]),
        };
        Some(request.bearer_auth(token.expose_secret()))
    }

    async fn send(&self, request: RequestBuilder, done: &str, settled: (StatusCode, &str)) -> Judgement {
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(e) => return self.verdicts.judge(http::cause_of(&e), None),
        };
        let status = answer.status();
        let wait = http::retry_after(answer.headers());
        // What it says is read, so that an answer that breaks off is one that was lost; its words are not.
        let mut answer = answer;
        loop {
            match answer.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(e) => return self.verdicts.judge(http::cause_of(&e), None),
            }
        }
        match status {
            status if status.is_success() => self.verdicts.judge(done, None),
            status if status == settled.0 => self.verdicts.judge(settled.1, None),
            status => self.verdicts.judge(&format!("http:{}", status.as_u16()), wait),
        }
    }
}

#[async_trait]
impl Deliver for Wallet {
    async fn deliver(&self, load: &Load) -> Judgement {
        let judge = |cause| self.verdicts.judge(cause, None);
        let Some(sealed) = Sealed::of(load).await else { return judge("load") };
        let address = self.address(&sealed.credential);
        if !load.withdrawal {
            let Some(address) = address else { return judge("wallet:no-address") };
            let Some(request) = self.deposit(sealed, &address) else { return judge("request") };
            return self.send(request, "wallet:deposited", (StatusCode::CONFLICT, "wallet:duplicate")).await;
        }
        let (Some(Address::User(user)), Some(token)) = (address, &self.token) else { return judge("wallet:not-ours") };
        let Some(request) = self.removal(&user, &sealed.uuid, token) else { return judge("request") };
        self.send(request, "wallet:removed", (StatusCode::NOT_FOUND, "wallet:removed")).await
    }
}

fn all(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(values) => values,
        one => std::slice::from_ref(one),
    }
}

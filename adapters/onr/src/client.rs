//! The calls of the register.

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::header::HeaderValue;
use reqwest::{Client, RequestBuilder, Url};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use silta_adapter::SmolStr;
use silta_adapter::adapter::{BadSettings, Connected, Identity, NotRead, People, PersonQuery};
use silta_adapter::delivery::{Judgement, VerdictTable};
use silta_adapter::http;
use silta_adapter::record::{Identifier, Learner};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// What the answers mean.
const VERDICTS: &str = include_str!("../../../mappings/verdicts-onr.toml");

/// Most OIDs that one call may ask about.
const MOST: usize = 5000;

/// How many changes one page may have.
const PAGE: usize = 1000;

/// How many of them the next page repeats: the order of changes may shift while they are read.
const REPEATED: usize = 100;

/// Most pages of changes. Where more changed it is no more work to ask about everybody.
const MOST_PAGES: usize = 100;

/// Longest answer that is read.
const ANSWER_BYTES: usize = 64 << 20;

/// Settings of a connection to the register.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The register's address (`https://virkailija.opintopolku.fi/oppijanumerorekisteri-service`).
    url: String,
    /// Where access tokens are given (OAuth 2 client credentials).
    token_url: String,
    /// The service's client id.
    client_id: String,
    /// Its secret.
    #[serde(default, deserialize_with = "secret")]
    #[schemars(with = "Option<String>")]
    client_secret: Option<SecretString>,
    /// A file that holds the secret instead.
    client_secret_file: Option<PathBuf>,
    /// Who calls: the organisation's OID and the system's name.
    caller_id: String,
    /// Longest time one call may take, in seconds.
    #[serde(default = "Settings::timeout_secs")]
    #[schemars(range(min = 1, max = 3600))]
    timeout_secs: u64,
}

impl Settings {
    fn timeout_secs() -> u64 {
        60
    }

    /// The JSON Schema of the settings.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn secret(&self) -> Result<SecretString, BadSettings> {
        match (&self.client_secret, &self.client_secret_file) {
            (Some(secret), None) => Ok(secret.clone()),
            (None, Some(file)) => std::fs::read_to_string(file)
                .map(|text| SecretString::from(text.trim()))
                .map_err(|e| BadSettings(format!("client_secret_file cannot be read: {}", e.kind()))),
            _ => Err(BadSettings("one of client_secret and client_secret_file must be given".into())),
        }
    }
}

fn secret<'de, D: Deserializer<'de>>(d: D) -> Result<Option<SecretString>, D::Error> {
    use serde::de::Error as _;
    // The usual message would repeat the value.
    let text = Option::<String>::deserialize(d).map_err(|_| D::Error::custom("client_secret must be text"))?;
    Ok(text.map(SecretString::from))
}

/// Opens a connection.
pub(crate) fn connect(settings: &Value) -> Result<Connected, BadSettings> {
    let settings = Settings::deserialize(settings).map_err(|e| BadSettings(e.to_string()))?;
    Ok(Connected { people: Some(Arc::new(Register::open(&settings)?)), ..Connected::default() })
}

/// An open connection.
struct Register {
    client: Client,
    url: Url,
    token_url: Url,
    client_id: String,
    secret: SecretString,
    caller: HeaderValue,
    verdicts: VerdictTable,
}

/// What an identity code leads to.
#[derive(Deserialize)]
struct Found {
    oid: SmolStr,
}

/// A person as the register answers; what else it says is not read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Master {
    oid_henkilo: SmolStr,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

impl Register {
    fn open(settings: &Settings) -> Result<Self, BadSettings> {
        let bad = |reason: &str| BadSettings(reason.to_owned());
        Ok(Self {
            client: http::client(http::limit(settings.timeout_secs)?)?,
            url: http::address(&settings.url, "url")?,
            token_url: http::address(&settings.token_url, "token_url")?,
            client_id: settings.client_id.clone(),
            secret: settings.secret()?,
            caller: HeaderValue::from_str(&settings.caller_id).map_err(|_| bad("caller_id is no value of a header"))?,
            verdicts: VerdictTable::from_toml(VERDICTS).map_err(|e| BadSettings(e.to_string()))?,
        })
    }

    fn judge(&self, cause: &str) -> Judgement {
        self.verdicts.judge(cause, None)
    }

    async fn token(&self) -> Result<SecretString, Judgement> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.secret.expose_secret()),
        ];
        let mut body = Url::parse("form://x").map_err(|_| self.judge("request"))?;
        body.query_pairs_mut().extend_pairs(form);
        let request = self
            .client
            .post(self.token_url.clone())
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body.query().unwrap_or_default().to_owned());
        let (status, body) = self.send(request).await?;
        match status {
            200 => {
                let granted: Granted = serde_json::from_slice(&body).map_err(|_| self.judge("answer"))?;
                Ok(granted.access_token.into())
            }
            400 | 401 => Err(self.judge("token")),
            status => Err(self.judge(&format!("http:{status}"))),
        }
    }

    /// Posts a request: the status and the answer. Identity codes go into the body: addresses end up in logs.
    async fn post(&self, token: &SecretString, path: &[&str], body: &Value) -> Result<(u16, Vec<u8>), Judgement> {
        let url = http::below(&self.url, path).ok_or_else(|| self.judge("request"))?;
        self.send(self.signed(self.client.post(url), token).json(body)).await
    }

    fn signed(&self, request: RequestBuilder, token: &SecretString) -> RequestBuilder {
        request.bearer_auth(token.expose_secret()).header("Caller-Id", self.caller.clone())
    }

    /// A page of the OIDs of people who changed since a time, in milliseconds; `None` if the register does not tell us.
    async fn changes(
        &self,
        token: &SecretString,
        since: &str,
        offset: usize,
    ) -> Result<Option<Vec<SmolStr>>, Judgement> {
        let mut url = http::below(&self.url, &["s2s", "changedSince", since]).ok_or_else(|| self.judge("request"))?;
        let (offset, amount) = (offset.to_string(), PAGE.to_string());
        url.query_pairs_mut().extend_pairs([("offset", offset), ("amount", amount)]);
        match self.send(self.signed(self.client.get(url), token)).await? {
            (200, answer) => serde_json::from_slice(&answer).map(Some).map_err(|_| self.judge("answer")),
            // Its calls between services are not open to every client that may look people up.
            (403 | 404, _) => Ok(None),
            (status, _) => Err(self.judge(&format!("http:{status}"))),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<(u16, Vec<u8>), Judgement> {
        let mut response = request.send().await.map_err(|e| self.judge(http::cause_of(&e)))?;
        let body = http::body(&mut response, ANSWER_BYTES).await.map_err(|cause| self.judge(cause))?;
        Ok((response.status().as_u16(), body))
    }

    /// What the register says of an identity code. It answers nothing without the names.
    async fn by_code(&self, token: &SecretString, code: &str, asked: &PersonQuery) -> Result<Option<Code>, Judgement> {
        let (Some(given), Some(family)) = (&asked.given_names, &asked.family_name) else { return Ok(None) };
        let called = given.split_whitespace().next().unwrap_or(given);
        let body = json!({ "hetu": code, "etunimet": given, "kutsumanimi": called, "sukunimi": family });
        match self.post(token, &["yleistunniste", "hae"], &body).await? {
            (200, answer) => {
                let found: Found = serde_json::from_slice(&answer).map_err(|_| self.judge("answer"))?;
                Ok(Some(Code::Of(found.oid)))
            }
            (404, _) => Ok(Some(Code::Unknown)),
            (409, _) => Ok(Some(Code::Contradicted)),
            (status, _) => Err(self.judge(&format!("http:{status}"))),
        }
    }

    /// The master of each OID that the register knows.
    async fn masters(&self, token: &SecretString, oids: &[SmolStr]) -> Result<BTreeMap<SmolStr, SmolStr>, Judgement> {
        let mut masters = BTreeMap::new();
        for page in oids.chunks(MOST) {
            match self.post(token, &["henkilo", "masterHenkilosByOidList"], &json!(page)).await? {
                (200, answer) => {
                    let found: BTreeMap<SmolStr, Master> =
                        serde_json::from_slice(&answer).map_err(|_| self.judge("answer"))?;
                    masters.extend(found.into_iter().map(|(oid, master)| (oid, master.oid_henkilo)));
                }
                (status, _) => return Err(self.judge(&format!("http:{status}"))),
            }
        }
        Ok(masters)
    }
}

/// What the register says of an identity code.
enum Code {
    Of(SmolStr),
    Unknown,
    Contradicted,
}

fn is_oid(identifier: &Identifier) -> bool {
    matches!(identifier.scheme.as_str(), Learner::PERSON_OID | Learner::LEARNER_NUMBER)
}

#[async_trait]
impl People for Register {
    fn batch(&self) -> usize {
        // One call for each identity code: a batch is as long as one may want to wait.
        500
    }

    /// Identity codes lead to OIDs, and all OIDs to their masters of today.
    async fn identify(&self, asked: &[PersonQuery]) -> Result<Vec<Vec<(Identifier, Identity)>>, NotRead> {
        let token = self.token().await.map_err(NotRead)?;
        let mut codes: Vec<Vec<(Identifier, Code)>> = Vec::with_capacity(asked.len());
        let mut oids: BTreeSet<SmolStr> = BTreeSet::new();
        for one in asked {
            let mut of_one = Vec::new();
            for identifier in one.identifiers.iter().filter(|identifier| identifier.validity().identifies()) {
                if is_oid(identifier) {
                    oids.insert(identifier.normal().into());
                } else if identifier.scheme == Learner::HETU
                    && let Some(code) = self.by_code(&token, &identifier.normal(), one).await.map_err(NotRead)?
                {
                    if let Code::Of(oid) = &code {
                        oids.insert(oid.clone());
                    }
                    of_one.push((identifier.clone(), code));
                }
            }
            codes.push(of_one);
        }
        let oids: Vec<SmolStr> = oids.into_iter().collect();
        let masters = self.masters(&token, &oids).await.map_err(NotRead)?;
        let person = |oid: &str| {
            let master = masters.get(oid)?;
            Some(Identity::Person(Identifier { scheme: Learner::PERSON_OID.into(), value: master.clone() }))
        };
        let said = asked.iter().zip(codes).map(|(one, codes)| {
            let by_code = codes.into_iter().map(|(identifier, code)| {
                let said = match code {
                    // An OID the register just named is somebody's, whether it has a master or is one.
                    Code::Of(oid) => person(&oid).unwrap_or_else(|| {
                        Identity::Person(Identifier { scheme: Learner::PERSON_OID.into(), value: oid })
                    }),
                    Code::Unknown => Identity::Unknown,
                    Code::Contradicted => Identity::Contradicted,
                };
                (identifier, said)
            });
            let usable = one.identifiers.iter().filter(|identifier| identifier.validity().identifies());
            let by_oid = usable
                .filter(|identifier| is_oid(identifier))
                .map(|identifier| (identifier.clone(), person(&identifier.normal()).unwrap_or(Identity::Unknown)));
            by_code.chain(by_oid).collect()
        });
        Ok(said.collect())
    }

    async fn changed(&self, since: Timestamp) -> Result<Option<Vec<Identifier>>, NotRead> {
        let token = self.token().await.map_err(NotRead)?;
        let since = since.as_millisecond().max(0).to_string();
        let mut oids: BTreeSet<SmolStr> = BTreeSet::new();
        for page in 0..MOST_PAGES {
            let offset = page * (PAGE - REPEATED);
            let Some(changes) = self.changes(&token, &since, offset).await.map_err(NotRead)? else { return Ok(None) };
            let last = changes.len() < PAGE;
            oids.extend(changes);
            if last {
                let person = |value| Identifier { scheme: Learner::PERSON_OID.into(), value };
                return Ok(Some(oids.into_iter().map(person).collect()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_and_secrets_never_repeated() {
        let whole = json!({ "url": "https://onr.example", "token_url": "https://otuva.example/token", "client_id": "silta",
            "client_secret": "s3cret", "caller_id": "1.2.246.562.10.90000000001.silta" });
        assert!(connect(&whole).is_ok_and(|connected| connected.people.is_some()));
        for (name, value, reason) in [
            ("url", json!("ftp://onr.example"), "http or https"),
            ("token_url", json!("https://u:s3cret@onr.example"), "without credentials"),
            ("client_secret", json!(["s3cret"]), "client_secret must be text"),
            ("client_secret_file", json!("/nowhere"), "one of client_secret and client_secret_file"),
            ("caller_id", json!("a\nb"), "caller_id"),
            ("timeout_secs", json!(0), "between 1 and 3600"),
            ("colour", json!(1), "unknown field `colour`"),
        ] {
            let mut settings = whole.clone();
            settings[name] = value;
            let refusal = connect(&settings).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(refusal.contains(reason) && !refusal.contains("s3cret"), "{name}: {refusal}");
        }
    }
}

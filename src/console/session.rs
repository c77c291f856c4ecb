//! Who sits at the console: sessions in memory, each bound to a token that is checked again on every request.
//!
//! A session's id travels in an HttpOnly cookie and is kept only as its hash. Forms carry the session's own random
//! token. A restart of the gateway ends all sessions.

use super::App;
use super::error::Trouble;
use crate::access::{Actor, Right};
use crate::env::Rng;
use crate::gateway::Connection;
use crate::ledger::{LedgerError, Micros};
use axum::Form;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;

const COOKIE: &str = "silta_session";
const LENGTH_SECS: i64 = 8 * 3600;
/// More than ever sit at one gateway; the session that ends first makes room.
const MOST: usize = 1000;

/// BLAKE3 of a session's id.
pub type Key = [u8; 32];

struct Session {
    token: [u8; 32],
    csrf: String,
    ends: Micros,
    said: Option<String>,
}

/// All sessions.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<Key, Session>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session for the token of this hash and returns its id.
    pub fn open(&self, rng: &Rng, now: Micros, token: [u8; 32]) -> String {
        let (id, csrf) = (hex(&rng.bytes::<32>()), hex(&rng.bytes::<32>()));
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.ends > now);
        if sessions.len() >= MOST
            && let Some(first) = sessions.iter().min_by_key(|(_, s)| s.ends).map(|(key, _)| *key)
        {
            sessions.remove(&first);
        }
        sessions.insert(key(&id), Session { token, csrf, ends: now + LENGTH_SECS * 1_000_000, said: None });
        id
    }

    /// Token hash and form token of a session that has not ended.
    fn find(&self, key: &Key, now: Micros) -> Option<([u8; 32], String)> {
        self.lock().get(key).filter(|s| s.ends > now).map(|s| (s.token, s.csrf.clone()))
    }

    /// Ends a session.
    pub fn close(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// Leaves a message for the session's next page.
    pub fn say(&self, key: &Key, text: impl Into<String>) {
        if let Some(session) = self.lock().get_mut(key) {
            session.said = Some(text.into());
        }
    }

    /// Takes the message that was left.
    pub fn said(&self, key: &Key) -> Option<String> {
        self.lock().get_mut(key)?.said.take()
    }
}

fn key(id: &str) -> Key {
    *blake3::hash(id.as_bytes()).as_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The cookie that opens (or, with an empty id, ends) a session.
pub fn cookie(id: &str, headers: &HeaderMap) -> Option<HeaderValue> {
    let secure = headers
        .get("x-forwarded-proto")
        .and_then(|v| v.to_str().ok())
        .is_some_and(|proto| proto.split(',').next().is_some_and(|p| p.trim().eq_ignore_ascii_case("https")));
    let age = if id.is_empty() { 0 } else { LENGTH_SECS };
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{COOKIE}={id}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")).ok()
}

fn id(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Somebody at the console.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Who.
    pub actor: Actor,
    /// What the session's forms carry.
    pub csrf: String,
    /// The session.
    pub key: Key,
}

impl Seat {
    /// Who sits there by the request's cookie. A token that was revoked or has expired ends the session.
    ///
    /// # Errors
    /// If the ledger fails.
    pub async fn by_cookie(app: &App, headers: &HeaderMap) -> Result<Option<Self>, LedgerError> {
        let Some(key) = id(headers).map(key) else { return Ok(None) };
        let Some((token, csrf)) = app.sessions.find(&key, app.gateway.now()) else { return Ok(None) };
        match Actor::from_hash(&app.gateway, &token).await? {
            Ok(actor) => Ok(Some(Self { actor, csrf, key })),
            Err(_) => {
                app.sessions.close(&key);
                Ok(None)
            }
        }
    }

    /// Checks a right. What belongs to another tenant does not exist for the actor.
    ///
    /// # Errors
    /// [`Trouble::Forbidden`] or [`Trouble::NotFound`].
    pub fn may(&self, right: Right, tenant: Option<&str>) -> Result<(), Trouble> {
        Ok(self.actor.may(right, tenant)?)
    }

    /// True if the actor has a right at all.
    pub fn can(&self, right: Right) -> bool {
        self.actor.may(right, self.actor.tenant().map(|t| t.as_str())).is_ok()
    }

    /// The connections the actor may see and steer.
    ///
    /// # Errors
    /// If the actor's role steers none.
    pub fn connections(&self, app: &App) -> Result<Vec<Arc<Connection>>, Trouble> {
        self.may(Right::Operate, self.actor.tenant().map(|t| t.as_str()))?;
        let seen = |c: &&Arc<Connection>| self.actor.may(Right::Operate, Some(&c.config.tenant)).is_ok();
        Ok(app.gateway.connections.iter().filter(seen).cloned().collect())
    }

    /// A connection the actor may see and steer.
    ///
    /// # Errors
    /// If there is no such connection, or not for the actor.
    pub fn connection(&self, app: &App, name: &str) -> Result<Arc<Connection>, Trouble> {
        self.connections(app)?.into_iter().find(|c| c.config.name == name).ok_or(Trouble::NotFound)
    }
}

impl FromRequestParts<App> for Seat {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Trouble> {
        parts.extensions.get::<Self>().cloned().ok_or(Trouble::NoSession)
    }
}

/// A form of the session: its token was compared.
pub struct Posted<T>(pub Seat, pub T);

impl<T: DeserializeOwned> FromRequest<App> for Posted<T> {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        #[derive(Deserialize)]
        struct Token {
            #[serde(default)]
            csrf: String,
        }
        let (mut parts, body) = request.into_parts();
        let seat = Seat::from_request_parts(&mut parts, app).await?;
        let again = |body: Body| Request::from_parts(parts.clone(), body);
        let bytes = Bytes::from_request(again(body), app).await.map_err(|_| Trouble::BadForm)?;
        let token: Form<Token> =
            Form::from_request(again(bytes.clone().into()), app).await.map_err(|_| Trouble::BadForm)?;
        if !bool::from(token.csrf.as_bytes().ct_eq(seat.csrf.as_bytes())) {
            return Err(Trouble::Forged);
        }
        let form: Form<T> = Form::from_request(again(bytes.into()), app).await.map_err(|_| Trouble::BadForm)?;
        Ok(Self(seat, form.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_time_or_by_hand() {
        let (sessions, rng) = (Sessions::default(), Rng::from_seed(1));
        let first = key(&sessions.open(&rng, 0, [1; 32]));
        let second = key(&sessions.open(&rng, 0, [2; 32]));
        let (token, csrf) = sessions.find(&first, 1).expect("open");
        assert_eq!((token, csrf.len()), ([1; 32], 64));
        assert_ne!(csrf, sessions.find(&second, 1).expect("open").1);
        assert!(sessions.find(&first, LENGTH_SECS * 1_000_000 - 1).is_some());
        assert!(sessions.find(&first, LENGTH_SECS * 1_000_000).is_none());
        sessions.close(&second);
        assert!(sessions.find(&second, 1).is_none());
    }

    #[test]
    fn sessions_are_bounded() {
        let (sessions, rng) = (Sessions::default(), Rng::from_seed(1));
        let ids: Vec<Key> = (0..=MOST as i64).map(|now| key(&sessions.open(&rng, now, [1; 32]))).collect();
        assert!(sessions.find(&ids[0], 0).is_none(), "the oldest made room");
        assert!(ids[1..].iter().all(|id| sessions.find(id, 0).is_some()));
    }

    #[test]
    fn a_message_is_said_once() {
        let (sessions, rng) = (Sessions::default(), Rng::from_seed(1));
        let key = key(&sessions.open(&rng, 0, [1; 32]));
        sessions.say(&key, "done");
        assert_eq!(sessions.said(&key).as_deref(), Some("done"));
        assert_eq!(sessions.said(&key), None);
    }

    #[test]
    fn the_cookie_is_secure_behind_https() {
        let text = |proto: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(proto) = proto {
                headers.insert("x-forwarded-proto", HeaderValue::from_static(proto));
            }
            cookie("abc", &headers).expect("a cookie").to_str().expect("text").to_owned()
        };
        assert!(text(None).contains("HttpOnly; SameSite=Strict") && !text(None).contains("Secure"));
        assert!(text(Some("https")).ends_with("; Secure"));
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("a=b; silta_session=xyz; silta_session2=no"));
        assert_eq!(id(&headers), Some("xyz"));
    }
}

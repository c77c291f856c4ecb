//! A simulated wallet: takes sealed credentials over HTTP by the rules of the Commission's, keeps them, and does wrong
//! what it is told to.
//!
//! `POST /api/v1/wallets/{user}/credentials` and `POST /api/v1/wallets/email/{email}/credentials` (multipart,
//! `_credential`), `DELETE` and `GET /api/v1/wallets/{user}/credentials/{uuid}` with a bearer token. Version 2:
//! `POST /api/v2/credentials` (multipart, `_credential` with either `walletAddress` or `userEmail`), `DELETE` and
//! `GET /api/v2/credentials/{uuid}?walletAddress=…`. Beside them `GET` and `POST /faults`, and `/health`.
//!
//! It differs from the real one in this: a wallet comes into being with its first credential, unless its name begins
//! with `nobody`; and whose seal it trusts is told from outside.

use crate::check::{self, Edition};
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Multipart, Path, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use silta_adapter::adapter::Limits;
use silta_adapter::mapping::Mappings;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;

/// Most bytes of a credential.
const LONGEST: usize = 15 << 20;

/// Whether the seal of a document holds.
pub type SealHolds = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// What a sandbox does wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Answers 503 to everything.
    pub unavailable: bool,
    /// Statuses of the next answers to changes, nothing being done; 0 lets one through.
    pub fail: Vec<u16>,
    /// How many of the next changes are made and their answers lost.
    pub lose: u32,
}

/// How a sandbox is run.
#[derive(Clone)]
pub struct SandboxOptions {
    /// Whether a seal holds.
    pub seal_holds: SealHolds,
    /// Code lists.
    pub mappings: Arc<Mappings>,
    /// The token of whoever may take credentials back.
    pub token: String,
    /// By which shapes credentials have to conform.
    pub edition: Edition,
}

/// A simulated wallet.
pub struct Sandbox {
    options: SandboxOptions,
    /// Credential's UUID → wallet and document.
    held: Mutex<BTreeMap<String, (String, Vec<u8>)>>,
    faults: Mutex<Faults>,
}

type Wallet = State<Arc<Sandbox>>;

impl Sandbox {
    /// An empty one.
    pub fn new(options: SandboxOptions) -> Self {
        Self { options, held: Mutex::default(), faults: Mutex::default() }
    }

    /// Answers on `listener` until `shutdown`.
    ///
    /// # Errors
    /// If the listener is open to other machines, or fails.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        if !listener.local_addr()?.ip().is_loopback() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a sandbox listens on a loopback address only"));
        }
        axum::serve(listener, router(self)).with_graceful_shutdown(shutdown).await
    }

    /// What it holds: wallet and sealed credential, by the credential's UUID.
    pub fn held(&self) -> BTreeMap<String, (String, Vec<u8>)> {
        lock(&self.held).clone()
    }

    /// What it does wrong.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    fn take(&self, wallet: &str, document: &[u8]) -> StatusCode {
        if wallet.starts_with("nobody") {
            return StatusCode::NOT_FOUND;
        }
        let Some(uuid) = self.sealed(document) else { return StatusCode::BAD_REQUEST };
        let mut held = lock(&self.held);
        if held.contains_key(&uuid) {
            return StatusCode::CONFLICT;
        }
        held.insert(uuid, (wallet.to_owned(), document.to_vec()));
        StatusCode::CREATED
    }

    /// The UUID of a credential whose seal holds and that conforms.
    fn sealed(&self, document: &[u8]) -> Option<String> {
        let parsed: Map<String, Value> = serde_json::from_slice(document).ok()?;
        let payload: Value = serde_json::from_str(parsed.get("payload")?.as_str()?).ok()?;
        let SandboxOptions { seal_holds, mappings, edition, .. } = &self.options;
        let report = check::check(parsed, *edition, &Limits::default(), mappings).ok()?;
        let uuid = payload["id"].as_str()?.strip_prefix("urn:credential:")?.to_owned();
        (report.conforms && seal_holds(document)).then_some(uuid)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn router(sandbox: Arc<Sandbox>) -> Router {
    let wallets = Router::new()
        .route("/email/{email}/credentials", post(deposit))
        .route("/{user}/credentials", post(deposit))
        .route("/{user}/credentials/{uuid}", get(held).delete(remove))
        .layer(DefaultBodyLimit::max(LONGEST + (1 << 16)))
        .layer(middleware::from_fn_with_state(sandbox.clone(), entrance));
    let second = Router::new()
        .route("/", post(deposit_by_form))
        .route("/{uuid}", get(held_of).delete(remove_of))
        .layer(DefaultBodyLimit::max(LONGEST + (1 << 16)))
        .layer(middleware::from_fn_with_state(sandbox.clone(), entrance));
    Router::new()
        .nest("/api/v1/wallets", wallets)
        .nest("/api/v2/credentials", second)
        .route("/faults", get(faults).post(change_faults))
        .route("/health", get(|| async { Json(json!({ "status": "up" })) }))
        .with_state(sandbox)
}

/// What goes wrong on the way.
async fn entrance(State(sandbox): Wallet, request: Request, next: Next) -> Response {
    if sandbox.faults().unavailable {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let changes = request.method() != Method::GET;
    let fail = if changes { pop(&mut sandbox.faults().fail) } else { None };
    if let Some(status) = fail.filter(|status| *status != 0).and_then(|status| StatusCode::from_u16(status).ok()) {
        return status.into_response();
    }
    let response = next.run(request).await;
    let lost = {
        let mut faults = sandbox.faults();
        let lost = changes && faults.lose > 0;
        faults.lose -= u32::from(lost);
        lost
    };
    match lost {
        false => response,
        // A body that breaks off is an answer that never came.
        true => Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::from(io::ErrorKind::BrokenPipe))]))
            .into_response(),
    }
}

fn pop(statuses: &mut Vec<u16>) -> Option<u16> {
    (!statuses.is_empty()).then(|| statuses.remove(0))
}

/// What a form says, by name.
async fn fields(mut form: Multipart) -> Result<BTreeMap<String, Bytes>, StatusCode> {
    let mut fields = BTreeMap::new();
    while let Some(field) = form.next_field().await.map_err(|_| StatusCode::BAD_REQUEST)? {
        let name = field.name().unwrap_or_default().to_owned();
        fields.insert(name, field.bytes().await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?);
    }
    Ok(fields)
}

async fn deposit(State(sandbox): Wallet, Path(wallet): Path<String>, form: Multipart) -> StatusCode {
    match fields(form).await {
        Ok(fields) => fields.get("_credential").map_or(StatusCode::BAD_REQUEST, |file| sandbox.take(&wallet, file)),
        Err(status) => status,
    }
}

async fn deposit_by_form(State(sandbox): Wallet, form: Multipart) -> StatusCode {
    let fields = match fields(form).await {
        Ok(fields) => fields,
        Err(status) => return status,
    };
    let wallet = match (fields.get("walletAddress"), fields.get("userEmail")) {
        (Some(one), None) | (None, Some(one)) if !one.is_empty() => String::from_utf8_lossy(one).into_owned(),
        _ => return StatusCode::BAD_REQUEST,
    };
    fields.get("_credential").map_or(StatusCode::BAD_REQUEST, |file| sandbox.take(&wallet, file))
}

/// Whose wallet is meant.
#[derive(Debug, Deserialize)]
struct Whose {
    #[serde(rename = "walletAddress")]
    wallet: String,
}

async fn held_of(wallet: Wallet, Path(uuid): Path<String>, whose: Query<Whose>, headers: HeaderMap) -> Response {
    held(wallet, Path((whose.0.wallet, uuid)), headers).await
}

async fn remove_of(wallet: Wallet, Path(uuid): Path<String>, whose: Query<Whose>, headers: HeaderMap) -> StatusCode {
    remove(wallet, Path((whose.0.wallet, uuid)), headers).await
}

fn is_owner(sandbox: &Sandbox, headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.and_then(|given| given.strip_prefix("Bearer ")) == Some(sandbox.options.token.as_str())
}

async fn held(State(sandbox): Wallet, Path((user, uuid)): Path<(String, String)>, headers: HeaderMap) -> Response {
    if !is_owner(&sandbox, &headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match lock(&sandbox.held).get(&uuid) {
        Some((wallet, document)) if *wallet == user => document.clone().into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn remove(State(sandbox): Wallet, Path((user, uuid)): Path<(String, String)>, headers: HeaderMap) -> StatusCode {
    if !is_owner(&sandbox, &headers) {
        return StatusCode::UNAUTHORIZED;
    }
    let mut held = lock(&sandbox.held);
    if held.get(&uuid).is_none_or(|(wallet, _)| *wallet != user) {
        return StatusCode::NOT_FOUND;
    }
    held.remove(&uuid);
    StatusCode::NO_CONTENT
}

async fn faults(State(sandbox): Wallet) -> Json<Faults> {
    Json(sandbox.faults().clone())
}

async fn change_faults(State(sandbox): Wallet, Json(faults): Json<Faults>) -> StatusCode {
    *sandbox.faults() = faults;
    StatusCode::NO_CONTENT
}

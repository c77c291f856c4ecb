//! In with a token, and out.

use super::{Nothing, page};
use crate::access::{Actor, audit};
use crate::console::App;
use crate::console::error::Trouble;
use crate::console::layout::Frame;
use crate::console::session::{Posted, Seat, cookie};
use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "login.html")]
struct Page {
    frame: Frame,
    complaint: Option<&'static str>,
}

fn form(status: StatusCode, complaint: Option<&'static str>) -> Result<Response, Trouble> {
    Ok((status, page(&Page { frame: Frame::outside("Log in"), complaint })?).into_response())
}

/// The form.
pub async fn show() -> Result<Response, Trouble> {
    form(StatusCode::OK, None)
}

/// What the form carries.
#[derive(Deserialize)]
pub struct Entry {
    token: String,
}

/// Exchanges a token for a session.
pub async fn enter(
    State(app): State<App>,
    headers: HeaderMap,
    before: Option<axum::Extension<Seat>>,
    entry: Result<Form<Entry>, FormRejection>,
) -> Result<Response, Trouble> {
    if app.logins.check().is_err() {
        return form(StatusCode::TOO_MANY_REQUESTS, Some("Too many attempts. Wait a minute and try again."));
    }
    let Form(Entry { token }) = entry.map_err(|_| Trouble::BadForm)?;
    let Ok(actor) = Actor::identify(&app.gateway, token.trim()).await? else {
        return form(StatusCode::UNAUTHORIZED, Some("You could not be logged in with that."));
    };
    if let Some(axum::Extension(seat)) = before {
        app.sessions.close(&seat.key);
    }
    let tenant = actor.tenant().map_or("", |t| t.as_str());
    audit(&app.gateway, actor.name(), "console_login", tenant, "", "").await?;
    let id = app.sessions.open(&app.gateway.rng, app.gateway.now(), *actor.token_hash());
    Ok(with_cookie(Redirect::to("/").into_response(), &id, &headers))
}

/// Ends the session.
pub async fn leave(State(app): State<App>, headers: HeaderMap, Posted(seat, Nothing {}): Posted<Nothing>) -> Response {
    app.sessions.close(&seat.key);
    with_cookie(Redirect::to("/login").into_response(), "", &headers)
}

fn with_cookie(mut response: Response, id: &str, headers: &HeaderMap) -> Response {
    if let Some(value) = cookie(id, headers) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

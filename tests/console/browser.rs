//! What a browser does with the console, without one.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use silta::gateway::Gateway;
use std::sync::Arc;
use tower::ServiceExt;

pub(crate) struct Browser {
    router: Router,
    pub(crate) cookie: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) cookie: Option<String>,
    pub(crate) policy: String,
    pub(crate) cache: String,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new(gateway: &Arc<Gateway>) -> Self {
        Self { router: silta::console::router(gateway.clone()), cookie: None }
    }

    /// The same console seen by somebody else.
    pub(crate) fn another(&self) -> Self {
        Self { router: self.router.clone(), cookie: None }
    }

    /// A browser in which somebody is logged in.
    pub(crate) async fn with(gateway: &Arc<Gateway>, token: &str) -> Self {
        let mut browser = Self::new(gateway);
        browser.log_in(token).await;
        browser
    }

    pub(crate) async fn log_in(&mut self, token: &str) -> Seen {
        let seen = self.post("/login", &[("token", token)], &[]).await;
        if let Some(cookie) = &seen.cookie {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        seen
    }

    pub(crate) async fn get(&self, path: &str) -> Seen {
        self.send(Request::get(path).header(header::ACCEPT, "text/html"), Body::empty()).await
    }

    /// Posts a form with these fields and headers, without a form token of its own accord.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Seen {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, body.join("&").into()).await
    }

    /// Presses the button of a page that posts to this address, with more fields typed in.
    pub(crate) async fn press(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Seen {
        let html = self.get(page).await.body;
        let form = html.split("<form").find(|f| f.contains(&format!("action=\"{action}\"")));
        let form = form.unwrap_or_else(|| panic!("{page} has no form for {action}: {html}"));
        let csrf = form.split("name=\"csrf\" value=\"").nth(1).expect("a form token").split('"').next();
        let mut all = vec![("csrf", csrf.expect("a value"))];
        all.extend_from_slice(fields);
        self.post(action, &all, &[]).await
    }

    async fn send(&self, mut request: axum::http::request::Builder, body: Body) -> Seen {
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let response = self.router.clone().oneshot(request.body(body).expect("a request")).await.expect("an answer");
        let text = |name| response.headers().get(name).map(|v| v.to_str().expect("text").to_owned());
        let (status, location, cookie) = (response.status(), text(header::LOCATION), text(header::SET_COOKIE));
        let policy = text(header::CONTENT_SECURITY_POLICY).unwrap_or_default();
        let cache = text(header::CACHE_CONTROL).unwrap_or_default();
        let body = to_bytes(response.into_body(), 4 << 20).await.expect("a body");
        Seen { status, location, cookie, policy, cache, body: String::from_utf8(body.to_vec()).expect("text") }
    }
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

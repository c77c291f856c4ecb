//! The commands' way to a running gateway.

use super::Failure;
use clap::Args;
use reqwest::{Method, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// Where the gateway is, and the token to use.
#[derive(Debug, Args)]
pub(super) struct Client {
    /// Address of the gateway.
    #[arg(long, env = "SILTA_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Token; better given by SILTA_TOKEN or --token-file than on the command line.
    #[arg(long, env = "SILTA_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
    /// File whose first line is the token.
    #[arg(long, env = "SILTA_TOKEN_FILE", value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
}

impl Client {
    /// A request to the gateway.
    pub(super) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .build()?;
        let request = http.request(method, format!("{}{path}", self.url.trim_end_matches('/')));
        Ok(match self.token()? {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        })
    }

    fn token(&self) -> Result<Option<SecretString>, Failure> {
        let Some(file) = &self.token_file else { return Ok(self.token.clone()) };
        let text = std::fs::read_to_string(file).map_err(|e| format!("{} cannot be read: {e}", file.display()))?;
        Ok(Some(text.lines().next().unwrap_or_default().trim().into()))
    }

    /// Gets JSON.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        answer(self.request(Method::GET, path)?.send().await?).await
    }

    /// Posts JSON and gets JSON.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        answer(self.request(Method::POST, path)?.json(body).send().await?).await
    }

    /// True if the gateway says it is ready.
    pub(super) async fn ready(&self) -> bool {
        match self.request(Method::GET, "/readyz") {
            Ok(request) => request.send().await.is_ok_and(|r| r.status().is_success()),
            Err(_) => false,
        }
    }
}

/// The JSON of an answer; an error tells what the gateway's problem document says.
pub(super) async fn answer(response: Response) -> Result<Value, Failure> {
    let status = response.status();
    let text = response.text().await?;
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if status.is_success() {
        return Ok(body);
    }
    let detail = body["detail"].as_str().unwrap_or("the gateway gave no reason");
    let mut message = format!("{}: {detail}", status.as_u16());
    for problem in body["problems"].as_array().into_iter().flatten() {
        let line = problem["line"].as_u64().map(|n| format!(" line {n}")).unwrap_or_default();
        message.push_str(&format!("\n  {}{line}: {}", text_of(&problem["code"]), text_of(&problem["message"])));
    }
    Err(message.into())
}

/// A JSON value as text, without quotes.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A table of JSON objects.
pub(super) fn table(rows: &[Value], columns: &[(&str, &str)]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(columns.iter().map(|(title, _)| *title));
    for row in rows {
        table.add_row(columns.iter().map(|(_, pointer)| text_of(row.pointer(pointer).unwrap_or(&Value::Null))));
    }
    table.to_string()
}

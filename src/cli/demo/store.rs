//! The simulated national store, as a process of its own.

use super::Failure;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running store.
pub(super) struct Store {
    process: Child,
    url: String,
    http: reqwest::Client,
}

impl Store {
    /// Starts a store on what a directory holds. One that a killed demo left behind ends by itself; until then the
    /// new one waits for the directory.
    pub(super) async fn start(dir: &Path) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["sandbox", "virta", "--listen", "127.0.0.1:0", "--poll-ms", "200"])
            .args(["--linger-secs", "2", "--wait-secs", "15", "--dir"])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = process.stdout.take().ok_or("the store has no output")?;
        let mut line = String::new();
        let read = BufReader::new(out);
        let mut read = std::pin::pin!(read);
        tokio::time::timeout(Duration::from_secs(30), read.read_line(&mut line))
            .await
            .map_err(|_| "the store did not start in time")??;
        if line.trim().is_empty() {
            return Err("the store did not start".into());
        }
        Ok(Self { process, url: line.trim().to_owned(), http: reqwest::Client::new() })
    }

    /// Address of its reading service.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    fn control(&self) -> Result<reqwest::Url, Failure> {
        let mut url = reqwest::Url::parse(&self.url)?;
        url.set_path("/faults");
        Ok(url)
    }

    /// Makes it do something wrong.
    pub(super) async fn harm(&self, faults: &Value) -> Result<(), Failure> {
        self.http.post(self.control()?).json(faults).send().await?.error_for_status()?;
        Ok(())
    }

    /// True when the damage that was asked for is done.
    pub(super) async fn harmed(&self) -> Result<bool, Failure> {
        let faults: Value = self.http.get(self.control()?).send().await?.error_for_status()?.json().await?;
        Ok(["alter_rows", "lose_rows"].iter().all(|name| faults[name] == json!(0)))
    }

    /// Ends it.
    pub(super) async fn stop(mut self) {
        // Closing its input ends it; if it does not, it is killed.
        drop(self.process.stdin.take());
        if tokio::time::timeout(Duration::from_secs(5), self.process.wait()).await.is_err() {
            let _ = self.process.kill().await;
        }
    }
}

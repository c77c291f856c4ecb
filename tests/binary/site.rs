//! An installation of the gateway: a configuration, a store, tokens, a running process.

use crate::process::{Done, Process, done, run, silta, until};
use serde_json::Value;
use silta_ledger_postgres::throwaway::Database;
use std::path::PathBuf;
use tempfile::TempDir;

/// The tenant of most tests.
pub(crate) const TENANT: &str = "02469";

/// A directory with a configuration and all a gateway keeps.
pub(crate) struct Site {
    pub(crate) dir: TempDir,
    /// The URL of its store.
    pub(crate) store: String,
}

impl Site {
    /// A site whose store is ready.
    pub(crate) fn new() -> Self {
        Self::bare().ready()
    }

    /// A site without a configuration or store.
    pub(crate) fn bare() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = format!("sqlite:{}", dir.path().join("silta.db").display());
        Self { dir, store }
    }

    /// A site on a database of a server.
    pub(crate) fn shared(database: &Database) -> Self {
        Self::on(database.url())
    }

    /// A site on the database of a URL.
    pub(crate) fn on(url: &str) -> Self {
        Self { store: url.to_owned(), ..Self::bare() }.ready()
    }

    fn ready(self) -> Self {
        self.configure("");
        run(&["migrate", "--config", &self.config()]).expect(0);
        self
    }

    /// Writes the configuration: any port, nothing by schedule, and what else is given.
    pub(crate) fn configure(&self, more: &str) {
        self.listening("127.0.0.1:0", more);
    }

    /// Writes the configuration with an address to listen on.
    pub(crate) fn listening(&self, address: &str, more: &str) {
        let (store, key) = (&self.store, self.path("silta.key"));
        let text = format!(
            "[server]\nlisten = '{address}'\n[store]\nurl = '{store}'\n[vault]\nkey_file = '{key}'\n\
             [delivery]\npoll_secs = 1\nlease_secs = 3\nmax_backoff_secs = 1\nbreaker_cooldown_secs = 1\n\
             [reconcile]\nevery_secs = 0\nsettle_secs = 0\n[[tenant]]\ncode = '{TENANT}'\n{more}\n"
        );
        std::fs::write(self.config(), text).expect("written");
    }

    /// A path in its directory.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// A file in its directory.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        std::fs::write(self.dir.path().join(name), content).expect("written");
        self.path(name)
    }

    pub(crate) fn config(&self) -> String {
        self.path("silta.toml")
    }

    /// A new token.
    pub(crate) fn token(&self, name: &str, role: &str) -> String {
        let args = ["token", "create", name, "--role", role, "--tenant", TENANT, "--config", &self.config()];
        run(&args).expect(0).out.trim().to_owned()
    }

    /// Starts the gateway and waits until it serves.
    pub(crate) fn serve(&self, token: &str) -> Gateway {
        let mut process = Process::start(&["serve", "--config", &self.config()]);
        let line: Value = serde_json::from_str(&process.err.wait_for("\"serving\"")).expect("a JSON line");
        let address = line["fields"]["address"].as_str().expect("an address").to_owned();
        Gateway { process, address, token: token.to_owned() }
    }
}

/// A running gateway and a token for it.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Gateway {
    /// Runs a command against it.
    pub(crate) fn silta(&self, args: &[&str]) -> Done {
        let mut command = silta(args);
        command.env("SILTA_URL", format!("http://{}", self.address)).env("SILTA_TOKEN", &self.token);
        done(command, Vec::new())
    }

    /// Pushes a file.
    pub(crate) fn push(&self, file: &str, more: &[&str]) -> Done {
        self.silta(&[&["push", "--tenant", TENANT, "--source", "sis", file], more].concat())
    }

    /// Asks over HTTP: with a body it posts.
    pub(crate) fn ask(&self, path: &str, body: Option<Value>) -> Value {
        ask(&format!("http://{}{path}", self.address), &self.token, body)
    }

    /// The status and `Retry-After` of an answer.
    pub(crate) fn status(&self, path: &str) -> (u16, Option<String>) {
        let asked = async {
            let request = reqwest::Client::new().get(format!("http://{}{path}", self.address));
            let answer = request.bearer_auth(&self.token).send().await.expect("an answer");
            let again = answer.headers().get("retry-after").and_then(|value| value.to_str().ok().map(str::to_owned));
            (answer.status().as_u16(), again)
        };
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(asked)
    }

    /// Every line of the change feed.
    pub(crate) fn feed(&self) -> Vec<Value> {
        let feed = text(&format!("http://{}/v1/feed?limit=1000", self.address), &self.token, None);
        feed.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    /// The first connection's figures.
    pub(crate) fn figures(&self) -> Value {
        let status = self.silta(&["status", "--json"]).expect(0).out;
        serde_json::from_str::<Value>(&status).expect("JSON")["connections"][0].take()
    }

    /// Waits until the first connection's figures are so.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, so: impl Fn(&Value) -> bool) {
        until(what, || so(&self.figures()).then_some(()));
    }

    /// Ends it as a service manager does; what it said is returned.
    pub(crate) fn stop(mut self) -> String {
        self.process.signal("TERM");
        assert_eq!(self.process.end(), 0);
        self.process.err.rest()
    }
}

/// Asks over HTTP: with a body it posts.
pub(crate) fn ask(url: &str, token: &str, body: Option<Value>) -> Value {
    serde_json::from_str(&text(url, token, body)).expect("JSON")
}

fn text(url: &str, token: &str, body: Option<Value>) -> String {
    let http = reqwest::Client::new();
    let request = match body {
        Some(body) => http.post(url).json(&body),
        None => http.get(url),
    };
    let asked = async { request.bearer_auth(token).send().await?.error_for_status()?.text().await };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(asked).expect("an answer")
}

/// A file of the sample institutions.
pub(crate) fn fixture(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo").join(name).display().to_string()
}

/// A learner with everything personal, as a line.
pub(crate) fn learner() -> String {
    r#"{"kind":"learner","id":"L1","learner":"L1","body":{"identifiers":[{"scheme":"fi:henkilotunnus","value":"010190-999W"}],"family_name":"Kanarialintu","given_names":"Pulu"}}"#.to_owned() + "\n"
}

/// An attainment, as a line.
pub(crate) fn attainment(id: &str) -> String {
    format!(
        r#"{{"kind":"attainment","institution":"{TENANT}","id":"{id}","learner":"L1","body":{{"code":"C","category":{{"scheme":"virta:opintosuorituslaji","value":"2"}},"title":[{{"lang":"fi","value":"Kurssi"}}],"completed_on":"2026-05-12","credits":{{"ects":"5"}},"grade":{{"scale":{{"code":{{"scheme":"virta:arvosana","value":"Viisiportainen"}}}},"value":"4"}},"awarding_body":{{"scheme":"virta:organisaatio","value":"{TENANT}"}},"language":{{"scheme":"virta:kieli","value":"fi"}}}}}}"#
    ) + "\n"
}

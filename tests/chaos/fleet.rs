//! Gateway processes on one store, and what can be done to them.

use crate::database::Database;
use crate::process::{Process, run, silta};
use crate::sink::Sink;
use serde_json::Value;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// Whose records everything is about.
pub(crate) const TENANT: &str = "02469";

/// How long a lease lasts; a destination has half of it to answer.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

/// Where the gateways' store is.
pub(crate) enum Store {
    /// In a file, for one process.
    Sqlite,
    /// On a server, for many.
    Postgres(Database),
}

/// Addresses at which pushes are taken; some may lead to a process that has died.
pub(crate) type Doors = Arc<Mutex<Vec<String>>>;

/// The processes.
pub(crate) struct Fleet {
    dir: TempDir,
    pub(crate) store: Store,
    members: Vec<Process>,
    /// How many of them serve; the others are workers.
    serving: usize,
    pub(crate) doors: Doors,
    pub(crate) token: String,
}

impl Fleet {
    /// Starts all processes that a store allows, with a connection to each destination.
    pub(crate) fn start(store: Store, sink: &Sink, destinations: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name).display().to_string();
        let (url, serving, workers) = match &store {
            Store::Sqlite => (format!("sqlite:{}", path("silta.db")), 1, 0),
            Store::Postgres(database) => (database.url(), 2, 1),
        };
        let half = LEASE.as_secs() / 2;
        let mut config = format!(
            "[server]\nlisten = '127.0.0.1:0'\n[store]\nurl = '{url}'\n[vault]\nkey_file = '{}'\n\
             [telemetry]\nlog = 'error,silta::cli=info'\n\
             [delivery]\npoll_secs = 1\nlease_secs = {}\nmax_backoff_secs = 1\nbreaker_cooldown_secs = 1\n\
             [reconcile]\nevery_secs = 0\nsettle_secs = 0\n[[tenant]]\ncode = '{TENANT}'\n",
            path("silta.key"),
            LEASE.as_secs(),
        );
        for n in 0..destinations {
            config += &format!(
                "[[connection]]\nname = '{}'\ntenant = '{TENANT}'\nadapter = 'record'\nconcurrency = 2\n\
                 [connection.settings]\nurl = '{}'\ntoken = 'any'\ntimeout_secs = {half}\n",
                name_of(n),
                sink.url(n)
            );
        }
        std::fs::write(path("silta.toml"), config).expect("written");
        run(&["migrate", "--config", &path("silta.toml")]).expect(0);
        let token = run(&["token", "create", "chaos", "--role", "admin", "--config", &path("silta.toml")]).expect(0);
        let doors = Doors::new(Mutex::new(vec![String::new(); serving]));
        let token = token.out.trim().to_owned();
        let mut fleet = Self { dir, store, members: Vec::new(), serving, doors, token };
        for n in 0..serving + workers {
            let started = fleet.launch(n, fleet.command(n));
            fleet.members.push(started);
        }
        fleet
    }

    /// How many processes there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// How many of them, from the first, serve.
    pub(crate) fn serving(&self) -> usize {
        self.serving
    }

    /// Ends a process as by `kill -9`.
    pub(crate) fn kill(&mut self, n: usize) {
        self.members[n].signal("KILL");
        self.members[n].end();
    }

    /// Starts a process again that has ended.
    pub(crate) fn revive(&mut self, n: usize) {
        self.members[n] = self.launch(n, self.command(n));
    }

    /// Starts a process again that has ended, and lets it write hardly anything.
    pub(crate) fn revive_limited(&mut self, n: usize) {
        let inner = self.command(n);
        // A file's store cannot be opened without writing something; on a server's, only pushes need a file.
        let limit: u64 = if matches!(self.store, Store::Sqlite) { 64 << 10 } else { 0 };
        // Who reaches the limit is sent a signal; ignored, the write fails as on a full disk.
        let script = r#"trap '' XFSZ; exec /usr/bin/prlimit --fsize="$0" -- "$@""#;
        let mut limited = Command::new("/bin/sh");
        limited.args(["-c", script, &limit.to_string()]).arg(inner.get_program()).args(inner.get_args());
        limited.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.members[n] = self.launch(n, limited);
    }

    /// Sends a process a signal.
    pub(crate) fn signal(&self, n: usize, name: &str) {
        self.members[n].signal(name);
    }

    fn command(&self, n: usize) -> Command {
        let config = self.dir.path().join("silta.toml").display().to_string();
        silta(&[if n < self.serving { "serve" } else { "worker" }, "--config", &config])
    }

    fn launch(&self, n: usize, command: Command) -> Process {
        let mut process = Process::of(command);
        if n >= self.serving {
            process.err.wait_for("\"working\"");
            return process;
        }
        let line: Value = serde_json::from_str(&process.err.wait_for("\"serving\"")).expect("a JSON line");
        let address = line["fields"]["address"].as_str().expect("an address");
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)[n] = format!("http://{address}");
        process
    }

    /// Asks the first gateway over HTTP; with `post` it posts. `None` if there is no good answer.
    pub(crate) async fn ask(&self, path: &str, post: bool) -> Option<Value> {
        let url = format!("{}{path}", self.doors.lock().unwrap_or_else(PoisonError::into_inner)[0]);
        let http = reqwest::Client::new();
        let request = if post { http.post(url) } else { http.get(url) };
        request.bearer_auth(&self.token).send().await.ok()?.error_for_status().ok()?.json().await.ok()
    }
}

/// The name of the connection to a destination.
pub(crate) fn name_of(n: usize) -> String {
    format!("to-{n}")
}

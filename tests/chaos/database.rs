//! A PostgreSQL server of a run's own. Its commits are synced, unlike those of the server that tests share: what it says
//! is kept survives its being killed.

use silta_ledger_postgres::throwaway::programs;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

use crate::process::until;

/// The user the server runs as if the tests run as root, which it refuses: `nobody`.
const NOBODY: u32 = 65534;

/// `$1` is the server's program, `$2` its directory. It is shut down at once, without a checkpoint, when standard input
/// ends: however the test ends, the server does not stay behind.
const SERVE: &str = r#"
"$1" -D "$2/data" -c unix_socket_directories="$2" -c listen_addresses= -c max_connections=200 >>"$2/log" 2>&1 &
server=$!
read -r _
kill -QUIT $server
wait $server
"#;

/// A running server.
pub(crate) struct Database {
    dir: TempDir,
    programs: PathBuf,
    running: Option<Child>,
}

impl Database {
    /// Starts a server with an empty database.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        if is_root() {
            chown(dir.path(), Some(NOBODY), Some(NOBODY)).expect("a directory of its own");
        }
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("a directory");
        let programs = programs();
        let mut initdb = unprivileged(&programs.join("initdb"), dir.path());
        initdb.args(["-D", "data", "-U", "silta", "-A", "trust", "-E", "UTF8", "--locale=C"]);
        assert!(initdb.stdout(Stdio::null()).status().expect("initdb runs").success(), "initdb failed");
        let mut database = Self { dir, programs, running: None };
        database.serve();
        database
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("postgres://silta@localhost/postgres?host={}", self.dir.path().display())
    }

    /// Shuts it down in immediate mode — connections are cut, nothing is written any more — and starts it again, which
    /// recovers it from its log.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.serve();
    }

    fn serve(&mut self) {
        let mut shell = unprivileged(Path::new("/bin/sh"), self.dir.path());
        shell.args(["-c", SERVE, "serve"]).arg(self.programs.join("postgres")).arg(self.dir.path());
        // A group of its own: an interrupt at the terminal does not end it before the test.
        self.running = Some(shell.stdin(Stdio::piped()).process_group(0).spawn().expect("a shell"));
        until("the database answers", || {
            let mut asked = unprivileged(&self.programs.join("pg_isready"), self.dir.path());
            asked.arg("-q").arg("-h").arg(self.dir.path()).status().is_ok_and(|s| s.success()).then_some(())
        });
    }

    fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            drop(running.stdin.take());
            // It may have ended by itself.
            let _ = running.wait();
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("our user").uid() == 0
}

fn unprivileged(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).stdin(Stdio::null());
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

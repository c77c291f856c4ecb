//! A PostgreSQL server for tests, and databases on it.
//!
//! The server is started by the first test that needs it, from the machine's own PostgreSQL (Debian: `postgresql`), and
//! shared by all test processes of a user. Each holds a lock as long as it lives, which the operating system takes away
//! however it ends; a watchdog stops the server and removes its files once nobody holds it. Nothing is kept: commits
//! are not synced, and the server listens on a socket in its own directory only.
#![expect(clippy::expect_used, clippy::panic, reason = "test support: without a server there is no test")]

use crate::PostgresLedger;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// The user a server runs as if the tests run as root, which it refuses: `nobody`.
const NOBODY: u32 = 65534;

/// `$1` is the server's directory, `$2` its program. A test that begins while the server is being stopped waits for the
/// lock on `users`, and starts another.
const WATCHDOG: &str = r#"
cd "$1" || exit 1
(
    "$2" -D data -c unix_socket_directories="$1" -c listen_addresses= -c fsync=off -c full_page_writes=off \
        -c synchronous_commit=off -c max_connections=400 -c shared_buffers=64MB -c autovacuum_naptime=5s >log 2>&1 &
    server=$!
    exec 9<users
    while kill -0 $server 2>/dev/null; do
        sleep 2
        if flock -x -n 9; then
            kill -QUIT $server
            wait $server
            rm -rf data
            break
        fi
    done
    rm -f started
) &
"#;

/// A database for one test. Another may use it, emptied, when this value is gone.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
}

/// Databases of this process that no test uses.
static FREE: Mutex<Vec<String>> = Mutex::new(Vec::new());
static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Database {
    /// A database with the tables of this version, and nothing in them.
    pub async fn new() -> Self {
        let mut admin = connect("postgres").await;
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let used = match free {
            Some(name) => Some(name),
            None => adopt(&mut admin).await,
        };
        let name = match used {
            Some(name) => {
                sqlx::raw_sql(EMPTY).execute(&mut connect(&name).await).await.expect("emptied");
                name
            }
            None => {
                let name = own_name();
                let create = format!("CREATE DATABASE {name} TEMPLATE {}", template(&mut admin).await);
                sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await.expect("a database");
                name
            }
        };
        Self { url: url(&name), name }
    }

    /// A database without tables.
    pub async fn blank() -> Self {
        let name = format!("blank{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let create = format!("CREATE DATABASE {name} TEMPLATE template0");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connect("postgres").await).await.expect("a database");
        Self { url: url(&name), name }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A ledger on it.
    pub async fn ledger(&self) -> PostgresLedger {
        PostgresLedger::open(&self.url).await.expect("a ledger")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !self.name.starts_with("blank") {
            FREE.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.name));
        }
    }
}

/// Whoever was still connected is not any more, and all rows are gone.
const EMPTY: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations' LOOP
            EXECUTE format('DELETE FROM %I', name);
        END LOOP;
    END $$";

/// A name that tells the version of the tables and the process.
fn own_name() -> String {
    format!("t{:016x}_{}_{}", version(), std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Takes over a database of a process that has ended.
async fn adopt(admin: &mut PgConnection) -> Option<String> {
    let prefix = format!("t{:016x}_", version());
    let query = sqlx::query_scalar::<_, String>("SELECT datname FROM pg_database WHERE starts_with(datname, $1)");
    for name in query.bind(&prefix).fetch_all(&mut *admin).await.expect("names") {
        let process = name.trim_start_matches(&prefix).split('_').next().unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            let ours = own_name();
            let rename = format!("ALTER DATABASE {name} RENAME TO {ours}");
            // Another process may be faster, or a last connection still ending.
            if sqlx::raw_sql(AssertSqlSafe(rename)).execute(&mut *admin).await.is_ok() {
                return Some(ours);
            }
        }
    }
    None
}

/// Names the tables of this version.
fn version() -> u64 {
    let checksums = crate::MIGRATIONS.iter().flat_map(|m| m.checksum.iter());
    checksums.fold(0, |sum: u64, byte| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte))
}

/// The database with this version's tables, made by whoever needs it first; its name tells the version.
async fn template(admin: &mut PgConnection) -> String {
    let version = version();
    let name = format!("template_{version:016x}");
    let known = async |admin: &mut PgConnection| {
        let query = sqlx::query_scalar::<_, bool>("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)");
        query.bind(&name).fetch_one(admin).await.expect("an answer")
    };
    if known(admin).await {
        return name;
    }
    sqlx::raw_sql("SELECT pg_advisory_lock(7)").execute(&mut *admin).await.expect("a lock");
    if !known(admin).await {
        let making = format!("making_{version:016x}");
        for sql in [format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)"), format!("CREATE DATABASE {making}")] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *admin).await.expect("a template");
        }
        let ledger = PostgresLedger::open(&url(&making)).await.expect("a ledger");
        ledger.migrate().await.expect("migrated");
        ledger.close().await;
        let rename = format!("ALTER DATABASE {making} RENAME TO {name}");
        sqlx::raw_sql(AssertSqlSafe(rename)).execute(&mut *admin).await.expect("a template");
    }
    sqlx::raw_sql("SELECT pg_advisory_unlock(7)").execute(admin).await.expect("unlocked");
    name
}

fn url(database: &str) -> String {
    format!("postgres://silta@localhost/{database}?host={}", server().display())
}

async fn connect(database: &str) -> PgConnection {
    let options = PgConnectOptions::from_str(&url(database)).expect("a URL").disable_statement_logging();
    PgConnection::connect_with(&options).await.expect("the server answers")
}

/// The directory of the running server.
fn server() -> &'static Path {
    static SERVER: OnceLock<(PathBuf, File)> = OnceLock::new();
    &SERVER
        .get_or_init(|| {
            let us = fs::metadata("/proc/self").expect("our user").uid();
            let dir = std::env::temp_dir().join(format!("silta-postgres-{us}"));
            fs::create_dir_all(&dir).expect("a directory");
            if us == 0 {
                chown(&dir, Some(NOBODY), Some(NOBODY)).expect("a directory of its own");
            }
            fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("a directory");
            let users = open(&dir.join("users"));
            users.lock_shared().expect("a lock");
            let starting = open(&dir.join("starting"));
            starting.lock().expect("a lock");
            if !dir.join("started").exists() {
                start(&dir, us);
            }
            (dir, users)
        })
        .0
}

/// A server of one test alone, which stops and starts it. It keeps what it has over that.
#[derive(Debug)]
pub struct Server(PathBuf);

impl Server {
    /// A running server with an empty database.
    pub fn new() -> Self {
        let us = fs::metadata("/proc/self").expect("our user").uid();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("silta-postgres-{us}-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        if us == 0 {
            chown(&dir, Some(NOBODY), Some(NOBODY)).expect("a directory of its own");
        }
        let server = Self(dir);
        server.run("initdb", &["-D", "data", "-U", "silta", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        server.start();
        server
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        format!("postgres://silta@localhost/postgres?host={}", self.0.display())
    }

    /// Starts it.
    pub fn start(&self) {
        let options = format!("-c unix_socket_directories='{}' -c listen_addresses= -c fsync=off", self.0.display());
        self.run("pg_ctl", &["-D", "data", "-w", "-l", "log", "-o", &options, "start"]);
    }

    /// Stops it at once: whoever is connected is not any more.
    pub fn stop(&self) {
        self.run("pg_ctl", &["-D", "data", "-w", "-m", "fast", "stop"]);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        assert!(self.command(program, arguments).status().expect("it runs").success(), "{program} {arguments:?}");
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs().join(program));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0) {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be stopped already.
        let _ = self.command("pg_ctl", &["-D", "data", "-w", "-m", "immediate", "stop"]).status();
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(path: &Path) -> File {
    File::options().create(true).truncate(false).write(true).open(path).expect("a lock file")
}

fn start(dir: &Path, us: u32) {
    let _ = fs::remove_dir_all(dir.join("data"));
    let programs = programs();
    let unprivileged = |command: &mut Command| {
        command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if us == 0 {
            command.uid(NOBODY).gid(NOBODY);
        }
    };
    let mut initdb = Command::new(programs.join("initdb"));
    initdb.args(["-D", "data", "-U", "silta", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
    unprivileged(&mut initdb);
    assert!(initdb.status().expect("initdb runs").success(), "initdb failed");
    let mut watchdog = Command::new("sh");
    watchdog.args(["-c", WATCHDOG, "watchdog"]).arg(dir).arg(programs.join("postgres"));
    unprivileged(&mut watchdog);
    // A group of its own: an interrupt at the terminal does not end it before the tests.
    assert!(watchdog.process_group(0).status().expect("a shell").success(), "the watchdog did not start");
    let ready = || {
        let mut command = Command::new(programs.join("pg_isready"));
        unprivileged(&mut command);
        command.arg("-q").arg("-h").arg(dir).status().is_ok_and(|status| status.success())
    };
    for _ in 0..600 {
        if ready() {
            fs::write(dir.join("started"), "").expect("noted");
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the server did not start: see {}", dir.join("log").display());
}

/// Where the machine's PostgreSQL has its programs: the newest of Debian's, or wherever the path leads.
pub fn programs() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = debian
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|bin| bin.join("initdb").exists());
    versions.pop().map(|(_, bin)| bin).or(on_path).expect("PostgreSQL on this machine (Debian package postgresql)")
}

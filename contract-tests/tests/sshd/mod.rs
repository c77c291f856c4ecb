//! A real OpenSSH server on a loopback port, and a way to it that breaks where it is told to.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

const SERVER: &str = "/usr/sbin/sshd";
const SFTP: &str = "/usr/lib/openssh/sftp-server";

/// True if there is an OpenSSH server on this machine. Says so if not; under `CI=true` that is a failure.
pub(crate) fn is_there() -> bool {
    let there = Path::new(SERVER).exists() && Path::new(SFTP).exists();
    assert!(there || std::env::var("CI").as_deref() != Ok("true"), "no {SERVER} (Debian package openssh-server)");
    if !there {
        eprintln!("\n*** SKIPPED: there is no {SERVER} (Debian package openssh-server) ***\n");
    }
    there
}

/// An OpenSSH server with keys and a configuration of its own. Each connection gets a process, which ends with it or
/// with this.
pub(crate) struct Sshd {
    /// Where everything of it is.
    pub(crate) dir: tempfile::TempDir,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    children: Arc<Mutex<Vec<Child>>>,
}

impl Sshd {
    /// A server that works.
    pub(crate) fn start() -> Self {
        Self::with("", "")
    }

    /// A server whose SFTP runs behind shell commands (`ulimit -f 8;`), with arguments of its own.
    pub(crate) fn with(before: &str, arguments: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name).display().to_string();
        for name in ["host_key", "user_key", "other_key"] {
            keygen(&dir.path().join(name), "");
        }
        keygen(&dir.path().join("locked_key"), "open sesame");
        fs::write(at("passphrase"), "open sesame\n").expect("writes");
        let keys = ["user_key.pub", "locked_key.pub"].map(|name| fs::read_to_string(at(name)).expect("a key"));
        fs::write(at("authorized_keys"), keys.concat()).expect("writes");
        fs::create_dir(at("inbox")).expect("a directory");
        // As root the server drops its privileges into this directory.
        let _ = fs::create_dir("/run/sshd");
        let log = at("sftp.log");
        // Without the trap it may die of a lost connection before it notes what it closed.
        let sftp = format!("#!/bin/sh\ntrap '' PIPE\n{before}\nexec {SFTP} {arguments} -e -l INFO 2>>{log}\n");
        fs::write(at("sftp.sh"), sftp).expect("writes");
        let config = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\nLogLevel VERBOSE\n\
             Subsystem sftp /bin/sh {}\n",
            at("host_key"),
            at("authorized_keys"),
            at("sftp.sh"),
        );
        fs::write(at("config"), config).expect("writes");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let children: Arc<Mutex<Vec<Child>>> = Arc::default();
        let (config, own_log, started) = (at("config"), at("sshd.log"), children.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let socket = || Stdio::from(OwnedFd::from(stream.try_clone().expect("a socket")));
                let child = Command::new(SERVER)
                    .args(["-i", "-f", &config, "-E", &own_log])
                    .stdin(socket())
                    .stdout(socket())
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("starts");
                started.lock().expect("a lock").push(child);
            }
        });
        Self { dir, address, children }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The line of `known_hosts` for its key.
    pub(crate) fn host_key(&self) -> String {
        format!("127.0.0.1 {}", fs::read_to_string(self.path("host_key.pub")).expect("a key"))
    }

    /// What its SFTP said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("sftp.log")).unwrap_or_default()
    }

    /// Files in its inbox.
    pub(crate) fn inbox(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("inbox")).expect("a directory");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for child in self.children.lock().expect("a lock").iter_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn keygen(file: &Path, passphrase: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f"])
        .arg(file)
        .status()
        .expect("ssh-keygen");
    assert!(made.success());
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("permissions");
}

/// A way to a server that passes each connection on until it has carried so many bytes towards the server.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Bytes that the last connection carried towards the server.
    pub(crate) carried: Arc<AtomicU64>,
}

impl Proxy {
    /// `budget(n)` is asked for the bytes of the connection of that number, from 0, before it is passed on.
    pub(crate) fn start(to: SocketAddr, budget: impl Fn(usize) -> u64 + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let carried = Arc::new(AtomicU64::default());
        let counter = carried.clone();
        thread::spawn(move || {
            for (number, client) in listener.incoming().map_while(Result::ok).enumerate() {
                let budget = budget(number);
                let Ok(server) = TcpStream::connect(to) else { break };
                counter.store(0, Ordering::SeqCst);
                let (back_from, back_to) =
                    (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
                thread::spawn(move || pass(back_from, back_to, u64::MAX, &AtomicU64::default()));
                let counter = counter.clone();
                thread::spawn(move || pass(client, server, budget, &counter));
            }
        });
        Self { address, carried }
    }
}

/// Cuts the first connection after so many bytes, and no other.
pub(crate) fn cut_once(after: u64) -> impl Fn(usize) -> u64 {
    move |number| if number == 0 { after } else { u64::MAX }
}

/// Passes bytes on until the budget is used up, then ends both ways.
fn pass(mut from: TcpStream, mut to: TcpStream, mut budget: u64, counter: &AtomicU64) {
    let mut buffer = vec![0; 16 << 10];
    while budget > 0 {
        let room = buffer.len().min(usize::try_from(budget).unwrap_or(usize::MAX));
        let read = match from.read(&mut buffer[..room]) {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
        budget -= read as u64;
        counter.fetch_add(read as u64, Ordering::SeqCst);
    }
    let ended: [io::Result<()>; 2] = [from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)];
    drop(ended);
}

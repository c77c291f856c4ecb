//! A way to the server that can be cut: before a message gets there, or before its answer comes back.

use super::PostgresLedger;
use super::throwaway::Database;
use async_trait::async_trait;
use silta_ledger::conformance::Fault;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// A `Sync`.
const ALIVE: [u8; 5] = [b'S', 0, 0, 0, 4];
const SOCKET: &str = ".s.PGSQL.5432";

/// A socket beside the server's, and what is cut on it.
pub(super) struct Way {
    dir: PathBuf,
    cut: Arc<Cut>,
}

struct Cut {
    /// Messages that still get through.
    left: AtomicI64,
    struck: AtomicBool,
    /// The message that is cut arrives, and its answer does not.
    late: bool,
}

impl Way {
    /// A way to the server of a database, and a ledger at the end of it.
    pub(super) async fn to(database: &Database, late: bool) -> (Self, PostgresLedger) {
        let (bare, server) = database.url().split_once("?host=").expect("a socket");
        let server = PathBuf::from(server).join(SOCKET);
        let name = format!("silta-way-{}-{late}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).expect("a directory");
        // What an earlier run left.
        let _ = std::fs::remove_file(dir.join(SOCKET));
        let listener = UnixListener::bind(dir.join(SOCKET)).expect("a socket");
        let cut = Arc::new(Cut { left: AtomicI64::new(i64::MAX), struck: AtomicBool::new(false), late });
        let cutting = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.expect("the server");
                tokio::spawn(carry(client, server, Arc::clone(&cutting)));
            }
        });
        let ledger = PostgresLedger::open(&format!("{bare}?host={}", dir.display())).await.expect("a ledger");
        (Self { dir, cut }, ledger)
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[async_trait]
impl Fault for Way {
    async fn after(&self, steps: Option<u32>) {
        self.cut.left.store(steps.map_or(i64::MAX, i64::from), Ordering::SeqCst);
    }

    fn struck(&self) -> bool {
        self.cut.struck.swap(false, Ordering::SeqCst)
    }
}

/// Carries what both say until one of them stops, or the way is cut.
async fn carry(mut client: UnixStream, mut server: UnixStream, cut: Arc<Cut>) {
    let (mut asked, mut told) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                // Whether a connection still lives is asked before each call, by a message of its own that nothing follows.
                let asks_only = asked[..length] == ALIVE;
                let cut_here = !asks_only && cut.left.fetch_sub(1, Ordering::SeqCst) == 0;
                if cut_here {
                    cut.struck.store(true, Ordering::SeqCst);
                }
                if cut_here && !cut.late {
                    return;
                }
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
                if cut_here {
                    // It was done when it is answered.
                    let _ = server.read(&mut told).await;
                    return;
                }
            }
            read = server.read(&mut told) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&told[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

//! One file on its way, from its first byte to its closing, across lost connections.

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use silta_adapter::adapter::Document;
use std::io::{self, Cursor, SeekFrom};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt};

/// Bytes of one write: what every server takes.
const CHUNK: u64 = 32 << 10;
/// Writes on their way at once; with [`CHUNK`], the memory a load takes (2 MiB).
const WINDOW: usize = 64;

/// Why an upload did not come to its end over a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The connection was lost, or the file changed under our hands: it may go on over another one.
    Lost,
    /// It will not go on, for this cause.
    For(&'static str),
}

/// One file on its way.
pub(super) struct Upload<'a> {
    source: Box<dyn Source + 'a>,
    length: u64,
    target: String,
    /// Bytes from the start that the server confirmed without a gap.
    confirmed: u64,
    begun: bool,
    whole: bool,
}

trait Source: AsyncRead + AsyncSeek + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncSeek + Unpin + Send + Sync> Source for T {}

impl<'a> Upload<'a> {
    /// A document on its way to a path on the server.
    pub(super) async fn new(document: &'a Document, target: String) -> io::Result<Self> {
        let (source, length): (Box<dyn Source + 'a>, u64) = match document {
            Document::Bytes(bytes) => (Box::new(Cursor::new(bytes.as_slice())), bytes.len() as u64),
            Document::File(path) => {
                let file = File::open(path).await?;
                let length = file.metadata().await?.len();
                (Box::new(file), length)
            }
        };
        Ok(Self { source, length, target, confirmed: 0, begun: false, whole: false })
    }

    /// The path on the server.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Bytes from the start that the server confirmed.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// True if something of it may be on the server.
    pub(super) fn begun(&self) -> bool {
        self.begun
    }

    /// True if it was whole on the server, so that it may have been taken.
    pub(super) fn whole(&self) -> bool {
        self.whole
    }

    /// What it comes to if it is given up now.
    pub(super) fn given_up(&self) -> &'static str {
        match (self.begun, self.whole) {
            (false, _) => "sftp:connect",
            (true, false) => "sftp:lost",
            (true, true) => "sftp:unanswered",
        }
    }

    /// Writes what is missing and closes the file. What fails for good is removed and never closed by us.
    pub(super) async fn advance(&mut self, sftp: &RawSftpSession) -> Result<&'static str, Broken> {
        let done = self.write(sftp).await;
        if let Err(Broken::For(_)) = done
            && self.begun
            && sftp.remove(self.target.as_str()).await.is_ok()
        {
            (self.begun, self.whole) = (false, false);
        }
        done
    }

    async fn write(&mut self, sftp: &RawSftpSession) -> Result<&'static str, Broken> {
        let Some(handle) = self.open(sftp).await? else { return Ok("sftp:taken") };
        self.pump(sftp, &handle).await?;
        match sftp.fsync(handle.as_str()).await {
            // Not every server offers it.
            Err(Error::Status(status)) if status.status_code == StatusCode::OpUnsupported => {}
            other => drop(other.map_err(broken)?),
        }
        // If a part of it was taken meanwhile, or somebody changed it, then what we wrote is not there.
        if self.size(sftp).await? != Some(self.length) {
            self.confirmed = 0;
            return Err(Broken::Lost);
        }
        self.whole = true;
        sftp.close(handle).await.map_err(broken)?;
        Ok("sftp:uploaded")
    }

    /// Opens the file to go on behind what is confirmed, or anew. None if it was whole and is gone.
    async fn open(&mut self, sftp: &RawSftpSession) -> Result<Option<String>, Broken> {
        if self.begun {
            let there = self.size(sftp).await?;
            match there {
                None if self.whole => return Ok(None),
                Some(size) if size >= self.confirmed && size <= self.length => {
                    let opened = sftp.open(self.target.as_str(), OpenFlags::WRITE, FileAttributes::empty()).await;
                    if let Ok(handle) = opened {
                        // Something is written even if nothing is missing: a file that is only opened and closed may
                        // not count as arrived.
                        self.confirmed = self.confirmed.min(self.length.saturating_sub(CHUNK));
                        return Ok(Some(handle.handle));
                    }
                }
                _ => {}
            }
        }
        self.confirmed = 0;
        self.whole = false;
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let opened = sftp.open(self.target.as_str(), flags, FileAttributes::empty()).await;
        self.begun |= !matches!(&opened, Err(Error::Status(_)));
        Ok(Some(opened.map_err(broken)?.handle))
    }

    /// Bytes of the file on the server, if it is there.
    async fn size(&self, sftp: &RawSftpSession) -> Result<Option<u64>, Broken> {
        match sftp.stat(self.target.as_str()).await {
            Ok(found) => Ok(found.attrs.size),
            Err(Error::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(None),
            Err(e) => Err(broken(e)),
        }
    }

    /// Writes from what is confirmed to the end, several writes at a time.
    async fn pump(&mut self, sftp: &RawSftpSession, handle: &str) -> Result<(), Broken> {
        let mut at = self.confirmed;
        self.source.seek(SeekFrom::Start(at)).await.map_err(|_| Broken::For("sftp:no-document"))?;
        let mut writes = FuturesOrdered::new();
        loop {
            while writes.len() < WINDOW && at < self.length {
                let mut chunk = vec![0; CHUNK.min(self.length - at) as usize];
                self.source.read_exact(&mut chunk).await.map_err(|_| Broken::For("sftp:no-document"))?;
                let end = at + chunk.len() as u64;
                let start = std::mem::replace(&mut at, end);
                writes.push_back(async move { sftp.write(handle, start, chunk).await.map(|_| end) });
            }
            match writes.next().await {
                Some(Ok(end)) => self.confirmed = end,
                Some(Err(e)) => return Err(broken(e)),
                None => return Ok(()),
            }
        }
    }
}

/// What an error means. The server's own words are not repeated.
fn broken(error: Error) -> Broken {
    let Error::Status(status) = error else { return Broken::Lost };
    Broken::For(match status.status_code {
        StatusCode::NoSuchFile => "sftp:no-directory",
        StatusCode::PermissionDenied => "sftp:denied",
        StatusCode::OpUnsupported | StatusCode::BadMessage => "sftp:unsupported",
        StatusCode::Ok | StatusCode::Eof | StatusCode::Failure => "sftp:failed",
        StatusCode::NoConnection | StatusCode::ConnectionLost => return Broken::Lost,
    })
}

//! Reading the newest file of a directory on the server.

use super::login::{Login, Session};
use crate::reports::{Found, REPORT_BYTES};
use crate::settings::SftpSettings;
use crate::verdicts;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use silta_adapter::adapter::BadSettings;
use silta_adapter::delivery::{Judgement, VerdictTable};
use std::time::Duration;

/// Entries of a directory that are looked at.
const ENTRIES: usize = 100_000;
/// Bytes of one read.
const CHUNK: u32 = 32 << 10;

/// A directory on the server.
pub(crate) struct Listing {
    login: Login,
    directory: String,
    limit: Duration,
    verdicts: VerdictTable,
}

impl Listing {
    pub(crate) fn new(settings: &SftpSettings, directory: &str) -> Result<Self, BadSettings> {
        Ok(Self {
            login: Login::new(settings)?,
            directory: directory.trim_end_matches('/').to_owned(),
            limit: Duration::from_secs(settings.load_secs),
            verdicts: verdicts::of_sftp()?,
        })
    }

    /// The newest file of those that are asked for, and its bytes, unless it is not wanted.
    pub(crate) async fn newest(
        &self,
        is: impl Fn(&str) -> bool + Send,
        wanted: impl Fn(&Found) -> bool + Send,
    ) -> Result<Option<(Found, Vec<u8>)>, Judgement> {
        let reading = async {
            let session = self.login.open().await?;
            let newest = self.find(&session, is).await.map_err(cause)?.filter(wanted);
            let file = match newest {
                Some(found) => {
                    let bytes = self.read(&session, &found).await.map_err(cause)?;
                    Some((found, bytes))
                }
                None => None,
            };
            session.end().await;
            Ok(file)
        };
        match tokio::time::timeout(self.limit, reading).await {
            Ok(read) => read.map_err(|cause| self.verdicts.judge(cause, None)),
            Err(_) => Err(self.verdicts.judge("sftp:connect", None)),
        }
    }

    async fn find(&self, session: &Session, is: impl Fn(&str) -> bool) -> Result<Option<Found>, Error> {
        let handle = session.sftp.opendir(self.directory.as_str()).await?.handle;
        let (mut newest, mut seen) = (None, 0);
        while seen < ENTRIES {
            let page = match session.sftp.readdir(handle.as_str()).await {
                Err(Error::Status(status)) if status.status_code == StatusCode::Eof => break,
                page => page?,
            };
            for file in page.files {
                seen += 1;
                if is(&file.filename) && !file.attrs.is_dir() {
                    let at = file.attrs.mtime.unwrap_or_default().into();
                    newest = newest.max(Some(Found { at, name: file.filename, bytes: file.attrs.len() }));
                }
            }
        }
        session.sftp.close(handle).await?;
        Ok(newest)
    }

    async fn read(&self, session: &Session, found: &Found) -> Result<Vec<u8>, Error> {
        let path = format!("{}/{}", self.directory, found.name);
        let handle = session.sftp.open(path, OpenFlags::READ, FileAttributes::empty()).await?.handle;
        let mut bytes = Vec::new();
        while bytes.len() as u64 <= REPORT_BYTES {
            match session.sftp.read(handle.as_str(), bytes.len() as u64, CHUNK).await {
                Err(Error::Status(status)) if status.status_code == StatusCode::Eof => break,
                read => bytes.extend(read?.data),
            }
        }
        session.sftp.close(handle).await?;
        Ok(bytes)
    }
}

fn cause(error: Error) -> &'static str {
    match error {
        Error::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => "sftp:no-directory",
            StatusCode::PermissionDenied => "sftp:denied",
            StatusCode::OpUnsupported | StatusCode::BadMessage => "sftp:unsupported",
            _ => "sftp:connect",
        },
        _ => "sftp:connect",
    }
}

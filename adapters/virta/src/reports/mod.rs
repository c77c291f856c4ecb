//! What the store says later is wrong with what it was sent: its reports of defects, of which the newest counts.

mod read;

use crate::settings::{ReportSettings, SftpSettings};
use crate::sftp::Listing;
use crate::verdicts;
use async_trait::async_trait;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{BadSettings, NotRead};
use silta_adapter::delivery::{Judgement, VerdictTable};
use silta_adapter::report::{Report, Reports};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

/// Bytes a report may have.
pub(crate) const REPORT_BYTES: u64 = 64 << 20;

/// Reads the reports in a directory, here or on the server that loads are sent to.
pub(crate) struct ReportReader {
    place: Place,
    prefix: String,
    verdicts: VerdictTable,
}

enum Place {
    Here(PathBuf),
    There(Box<Listing>),
}

/// A report before it is opened. The newest has the latest time, and of those the last name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    /// Seconds since the Unix epoch at which it was written last.
    pub(crate) at: u64,
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

impl ReportReader {
    pub(crate) fn new(settings: &ReportSettings, sftp: Option<&SftpSettings>) -> Result<Self, BadSettings> {
        let place = match sftp {
            Some(sftp) => Place::There(Box::new(Listing::new(sftp, &settings.directory)?)),
            None => Place::Here(PathBuf::from(&settings.directory)),
        };
        Ok(Self { place, prefix: settings.prefix.clone(), verdicts: verdicts::of_reports()? })
    }

    /// The newest report that is not the one behind the cursor, and its bytes.
    async fn fetch(&self, after: Option<&str>) -> Result<Option<(Found, Vec<u8>)>, Judgement> {
        let is_report = |name: &str| name.starts_with(&self.prefix) && name.to_ascii_lowercase().ends_with(".csv");
        let is_new = |found: &Found| Some(cursor(found).as_str()) != after;
        match &self.place {
            Place::There(listing) => listing.newest(is_report, is_new).await,
            Place::Here(directory) => {
                let judge = |e: io::Error| self.verdicts.judge(cause(&e), None);
                let mut newest: Option<Found> = None;
                for entry in fs::read_dir(directory).map_err(judge)? {
                    let entry = entry.map_err(judge)?;
                    let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
                    let about = entry.metadata().map_err(judge)?;
                    if is_report(&name) && about.is_file() {
                        let written = about.modified().map_err(judge)?.duration_since(UNIX_EPOCH).unwrap_or_default();
                        newest = newest.max(Some(Found { at: written.as_secs(), name, bytes: about.len() }));
                    }
                }
                let Some(found) = newest.filter(is_new) else { return Ok(None) };
                let mut bytes = Vec::new();
                let file = File::open(directory.join(&found.name)).map_err(judge)?;
                file.take(REPORT_BYTES + 1).read_to_end(&mut bytes).map_err(judge)?;
                Ok(Some((found, bytes)))
            }
        }
    }
}

fn cursor(found: &Found) -> SmolStr {
    format!("{} {} {}", found.at, found.bytes, found.name).into()
}

fn cause(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "report:no-directory",
        ErrorKind::PermissionDenied => "report:denied",
        _ => "report:io",
    }
}

#[async_trait]
impl Reports for ReportReader {
    async fn newest(&self, after: Option<&str>) -> Result<Option<Report>, NotRead> {
        let Some((found, bytes)) = self.fetch(after).await.map_err(NotRead)? else { return Ok(None) };
        let judged = |cause| NotRead(self.verdicts.judge(cause, None));
        if bytes.len() as u64 > REPORT_BYTES {
            return Err(judged("report:too-large"));
        }
        let (remarks, unread) = read::read(&bytes).ok_or_else(|| judged("report:no-heading"))?;
        let at = i64::try_from(found.at).ok().and_then(|at| jiff::Timestamp::from_second(at).ok()).unwrap_or_default();
        Ok(Some(Report { cursor: cursor(&found), at, remarks, unread }))
    }
}

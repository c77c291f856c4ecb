//! Which loads have arrived, and in which order.

use super::lock;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// How the store learns that a load has arrived.
pub(super) enum Arrivals {
    /// Whatever is in the inbox has arrived. For those who put whole files there.
    Listing,
    /// A file has arrived when the SFTP server notes in its log that it closed it after writing, whether it was asked
    /// to or lost the connection: as the national store does it.
    Log { path: PathBuf, read: Mutex<Reading> },
}

/// How far a log was read: bytes, and the line that is not complete yet.
#[derive(Default)]
pub(super) struct Reading {
    bytes: u64,
    rest: String,
}

impl Arrivals {
    pub(super) fn of(log: Option<PathBuf>) -> Self {
        log.map_or(Self::Listing, |path| Self::Log { path, read: Mutex::default() })
    }

    /// Names of the files in the inbox that have arrived, in their order.
    pub(super) fn take(&self, inbox: &Path) -> io::Result<Vec<String>> {
        let Self::Log { path, read } = self else { return listing(inbox) };
        let mut read = lock(read);
        let mut log = match File::open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            log => log?,
        };
        log.seek(SeekFrom::Start(read.bytes))?;
        let mut news = Vec::new();
        read.bytes += log.read_to_end(&mut news)? as u64;
        read.rest.push_str(&String::from_utf8_lossy(&news));
        let Some((whole, rest)) = read.rest.rsplit_once('\n') else { return Ok(Vec::new()) };
        let mut names: Vec<String> = Vec::new();
        for name in whole.lines().filter_map(closed) {
            if !names.iter().any(|known| known == name) && inbox.join(name).is_file() {
                names.push(name.to_owned());
            }
        }
        read.rest = rest.to_owned();
        Ok(names)
    }
}

/// All loads in the inbox, the oldest first.
fn listing(inbox: &Path) -> io::Result<Vec<String>> {
    let mut waiting = Vec::new();
    for entry in fs::read_dir(inbox)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_load(&name) {
            waiting.push((entry.metadata()?.modified()?, name));
        }
    }
    waiting.sort();
    Ok(waiting.into_iter().map(|(_, name)| name).collect())
}

/// The name of the load that a line says was closed after writing, as OpenSSH's SFTP server writes it:
/// `close "/inbox/load.xml" bytes read 0 written 512`, with `forced` before it where the connection was lost.
fn closed(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("close \"")?;
    let (path, counts) = after.split_once('"')?;
    let (_, written) = counts.trim_end().rsplit_once(' ')?;
    let name = path.rsplit('/').next()?;
    let is_event = before.is_empty() || before.ends_with(' ');
    (is_event && written != "0" && is_load(name)).then_some(name)
}

fn is_load(name: &str) -> bool {
    name.ends_with(".xml") && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_arrives_when_it_is_closed_after_writing() {
        for (line, name) in [
            ("close \"/in/silta-1-a.xml\" bytes read 0 written 512\r", Some("silta-1-a.xml")),
            ("sftp[1]: forced close \"in/silta-1-a.xml\" bytes read 0 written 7", Some("silta-1-a.xml")),
            ("close \"/in/silta-1-a.xml\" bytes read 512 written 0", None),
            ("close \"/in/silta-1-a.xml.filepart\" bytes read 0 written 512", None),
            ("open \"/in/silta-1-a.xml\" flags WRITE mode 0666", None),
            ("closedir \"/in\"", None),
        ] {
            assert_eq!(closed(line), name, "{line}");
        }
    }

    #[test]
    fn a_log_is_read_once_and_in_its_order() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("log");
        let arrivals = Arrivals::of(Some(log.clone()));
        assert_eq!(arrivals.take(dir.path()).expect("reads"), [""; 0]);
        fs::write(dir.path().join("b.xml"), "").expect("writes");
        fs::write(dir.path().join("a.xml"), "").expect("writes");
        let line = |name: &str| format!("close \"/{name}\" bytes read 0 written 1\r\n");
        let both = line("b.xml") + &line("a.xml");
        fs::write(&log, &both[..both.len() - 9]).expect("writes");
        assert_eq!(arrivals.take(dir.path()).expect("reads"), ["b.xml"]);
        fs::write(&log, &both).expect("writes");
        assert_eq!(arrivals.take(dir.path()).expect("reads"), ["a.xml"]);
        assert_eq!(arrivals.take(dir.path()).expect("reads"), [""; 0]);
    }
}

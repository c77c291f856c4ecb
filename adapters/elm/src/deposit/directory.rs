//! A directory that sealed credentials are put into.

use super::{Sealed, verdicts};
use async_trait::async_trait;
use serde_json::json;
use silta_adapter::adapter::{BadSettings, Deliver, Load};
use silta_adapter::delivery::{Judgement, VerdictTable};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Puts each credential into a file that appears whole or not at all, and survives a crash once it has.
pub(super) struct Directory {
    directory: PathBuf,
    verdicts: VerdictTable,
}

impl Directory {
    pub(super) fn open(directory: PathBuf) -> Result<Self, BadSettings> {
        Ok(Self { directory, verdicts: verdicts()? })
    }
}

#[async_trait]
impl Deliver for Directory {
    async fn deliver(&self, load: &Load) -> Judgement {
        let Some(sealed) = Sealed::of(load).await else { return self.verdicts.judge("load", None) };
        let (directory, withdrawal) = (self.directory.clone(), load.withdrawal);
        let placed = tokio::task::spawn_blocking(move || match withdrawal {
            false => place(&directory, &format!("{}.jsonld", sealed.uuid), &sealed.bytes),
            true => withdraw(&directory, &sealed.uuid),
        });
        let cause = match placed.await {
            Ok(Ok(())) => "drop:written",
            Ok(Err(e)) => match e.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => "drop:no-directory",
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "drop:denied",
                _ => "drop:io",
            },
            Err(_) => "drop:io",
        };
        self.verdicts.judge(cause, None)
    }
}

fn place(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".silta-").suffix(".tmp").tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(directory.join(name)).map_err(|e| e.error)?;
    File::open(directory)?.sync_all()
}

/// Says that a credential was withdrawn, and takes it away if nobody has fetched it yet.
fn withdraw(directory: &Path, uuid: &str) -> io::Result<()> {
    let note = json!({ "credential": format!("urn:credential:{uuid}"), "state": "withdrawn" });
    place(directory, &format!("{uuid}.withdrawn.json"), note.to_string().as_bytes())?;
    match fs::remove_file(directory.join(format!("{uuid}.jsonld"))) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{UUID, load};
    use super::*;
    use silta_adapter::delivery::Verdict;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_credential_is_put_there_and_taken_away() {
        let folder = tempfile::tempdir().expect("a directory");
        let directory = Directory::open(folder.path().into()).expect("opens");
        for _ in 0..2 {
            assert_eq!(directory.deliver(&load(json!({}), false)).await.verdict, Verdict::Accepted);
            assert_eq!(names(folder.path()), [format!("{UUID}.jsonld")]);
        }
        for _ in 0..2 {
            assert_eq!(directory.deliver(&load(json!({}), true)).await.verdict, Verdict::Accepted);
            assert_eq!(names(folder.path()), [format!("{UUID}.withdrawn.json")]);
        }
        let missing = Directory::open(folder.path().join("missing")).expect("opens");
        assert_eq!(missing.deliver(&load(json!({}), false)).await.verdict, Verdict::Misconfigured);
    }
}

//! Dropping loads into a directory.

use crate::load_name::file_name;
use crate::verdicts;
use silta_adapter::adapter::{BadSettings, Deliver, Document, Load};
use silta_adapter::delivery::{Judgement, VerdictTable};
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Drops each load into a directory as one file that appears whole or not at all, and survives a crash once it has.
///
/// Files are named `silta-<tenant>-<idempotency key>.xml`: a load that is dropped again takes the place of its twin.
pub struct DirectoryDrop {
    directory: PathBuf,
    verdicts: VerdictTable,
}

impl DirectoryDrop {
    /// A destination in this directory, which need not be there yet.
    ///
    /// # Errors
    /// Never with the verdict table the program was built with.
    pub fn new(directory: PathBuf) -> Result<Self, BadSettings> {
        Ok(Self { directory, verdicts: verdicts::of_directory()? })
    }
}

#[async_trait::async_trait]
impl Deliver for DirectoryDrop {
    async fn deliver(&self, load: &Load) -> Judgement {
        let target = self.directory.join(file_name(&load.tenant, &load.idempotency_key));
        let document = match &load.document {
            Document::Bytes(bytes) => Document::Bytes(bytes.clone()),
            Document::File(path) => Document::File(path.clone()),
        };
        let directory = self.directory.clone();
        let placed = tokio::task::spawn_blocking(move || place(&directory, &target, &document)).await;
        let cause = match placed {
            Ok(Ok(())) => "drop:written",
            Ok(Err(cause)) => cause,
            Err(_) => "drop:io",
        };
        self.verdicts.judge(cause, None)
    }
}

/// Writes the document beside its target under a hidden name, then renames it.
fn place(directory: &Path, target: &Path, document: &Document) -> Result<(), &'static str> {
    let mut file = hidden_file(directory).map_err(|e| cause(&e))?;
    match document {
        Document::Bytes(bytes) => file.write_all(bytes).map_err(|e| cause(&e))?,
        Document::File(path) => {
            let mut source = File::open(path).map_err(|_| "drop:no-document")?;
            io::copy(&mut source, &mut file).map_err(|e| cause(&e))?;
        }
    }
    file.as_file().sync_all().map_err(|e| cause(&e))?;
    file.persist(target).map_err(|e| cause(&e.error))?;
    File::open(directory).and_then(|d| d.sync_all()).map_err(|_| "drop:not-synced")
}

/// A new hidden file that goes away by itself unless it is renamed. Who may read it beyond us and our group is the
/// process mask's affair: whoever carries loads to the store may be another user.
fn hidden_file(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".silta-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o660));
    builder.tempfile_in(directory)
}

fn cause(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "drop:no-directory",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "drop:denied",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "drop:no-space",
        _ => "drop:io",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use silta_adapter::delivery::Verdict;
    use std::fs;

    fn load(key: &str, document: Document) -> Load {
        Load { idempotency_key: key.into(), tenant: "10122".into(), document, withdrawal: false }
    }

    #[tokio::test]
    async fn a_load_becomes_one_whole_file_and_again_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let drop = DirectoryDrop::new(dir.path().into()).expect("a destination");
        for _ in 0..2 {
            let judgement = drop.deliver(&load("load-7", Document::Bytes(b"<Virta/>".to_vec()))).await;
            assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::AcceptedPending, "drop:written"));
        }
        assert_eq!(fs::read(dir.path().join("silta-10122-load-7.xml")).expect("a file"), b"<Virta/>");
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1, "no hidden file stays");
    }

    #[tokio::test]
    async fn a_document_in_a_file_is_copied_and_left_alone() {
        let (dir, own) = (tempfile::tempdir().expect("a directory"), tempfile::NamedTempFile::new().expect("a file"));
        fs::write(own.path(), "<Virta/>").expect("writes");
        let drop = DirectoryDrop::new(dir.path().into()).expect("a destination");
        let judgement = drop.deliver(&load("1", Document::File(own.path().into()))).await;
        assert_eq!(judgement.verdict, Verdict::AcceptedPending);
        assert_eq!(fs::read_to_string(dir.path().join("silta-10122-1.xml")).expect("a file"), "<Virta/>");
        assert!(own.path().exists());
    }

    #[tokio::test]
    async fn what_fails_places_nothing_and_says_who_can_fix_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = DirectoryDrop::new(dir.path().join("missing")).expect("a destination");
        let judgement = missing.deliver(&load("1", Document::Bytes(Vec::new()))).await;
        assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Misconfigured, "drop:no-directory"));
        let drop = DirectoryDrop::new(dir.path().into()).expect("a destination");
        let judgement = drop.deliver(&load("1", Document::File(dir.path().join("gone")))).await;
        assert_eq!((judgement.verdict, judgement.cause.as_str()), (Verdict::Transient, "drop:no-document"));
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
    }
}

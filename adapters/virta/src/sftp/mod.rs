//! Sending loads over SFTP.
//!
//! | module | what it holds |
//! |---|---|
//! | `login` | who we are, which server it must be, and an open session |
//! | `listing` | the newest file of a directory, for reports |
//! | `upload` | one file on its way, from its first byte to its closing, across lost connections |
//!
//! The store's rules: a file's name ends in `.xml` from its first byte and never changes; files are taken, in the order
//! of their arrival, when the server closes them. A server closes a file also when the connection is lost, so a part of
//! a load may be taken. It can never be loaded: an XML document is not well-formed before its last tag, which is the
//! last thing written, and the store takes nothing from a document that is not. What the sender has to see to is that
//! the whole load follows. So it resumes under the same name behind what the server confirmed, starts anew where the
//! part is gone, and closes a file itself only when it is whole.

mod listing;
mod login;
mod upload;

pub(crate) use listing::Listing;

use crate::load_name::file_name;
use crate::settings::SftpSettings;
use crate::verdicts;
use login::{Login, Session};
use silta_adapter::adapter::{BadSettings, Deliver, Load};
use silta_adapter::delivery::{Judgement, VerdictTable};
use std::time::Duration;
use tokio::sync::Mutex;
use upload::{Broken, Upload};

/// Connections in a row that may bring nothing forward before a load is given up.
const FRUITLESS: u32 = 5;

/// Sends each load to a server as one file, and resumes it where a connection was lost.
pub struct SftpDrop {
    login: Login,
    directory: String,
    limit: Duration,
    verdicts: VerdictTable,
    /// The file of a load that was given up, to be removed before the next one.
    unfinished: Mutex<Option<String>>,
}

impl SftpDrop {
    /// A destination with these settings. Nothing is connected yet.
    ///
    /// # Errors
    /// If a key cannot be read, or a time limit is zero.
    pub fn new(settings: &SftpSettings) -> Result<Self, BadSettings> {
        if settings.timeout_secs == 0 || settings.load_secs == 0 {
            return Err(BadSettings("sftp: timeout_secs and load_secs must be at least 1".into()));
        }
        Ok(Self {
            login: Login::new(settings)?,
            directory: settings.directory.trim_end_matches('/').to_owned(),
            limit: Duration::from_secs(settings.load_secs),
            verdicts: verdicts::of_sftp()?,
            unfinished: Mutex::default(),
        })
    }

    /// Sends an upload over as many connections as it takes; says what became of it.
    async fn send(&self, upload: &mut Upload<'_>) -> &'static str {
        let mut fruitless = 0;
        loop {
            let before = upload.confirmed();
            match self.advance(upload).await {
                Ok(cause) | Err(Broken::For(cause)) => return cause,
                Err(Broken::Lost) if !upload.begun() => return "sftp:connect",
                Err(Broken::Lost) => {}
            }
            fruitless = if upload.confirmed() > before { 0 } else { fruitless + 1 };
            if fruitless > FRUITLESS {
                return upload.given_up();
            }
            tracing::info!(confirmed = upload.confirmed(), "the connection was lost; the load is resumed");
            tokio::time::sleep(Duration::from_millis(250) * fruitless.pow(2)).await;
        }
    }

    /// Brings an upload forward over one connection.
    async fn advance(&self, upload: &mut Upload<'_>) -> Result<&'static str, Broken> {
        let session = match self.login.open().await {
            Ok(session) => session,
            Err("sftp:connect") => return Err(Broken::Lost),
            // Who lets us in no longer cannot say what became of a file that was whole.
            Err(cause) => return Err(Broken::For(if upload.whole() { "sftp:unanswered" } else { cause })),
        };
        self.tidy(&session, upload.target()).await;
        let cause = upload.advance(&session.sftp).await?;
        session.end().await;
        Ok(cause)
    }

    /// Removes what is left of a load that was given up. Where that fails it stays, a part that nothing can load.
    async fn tidy(&self, session: &Session, target: &str) {
        if let Some(left) = self.unfinished.lock().await.take().filter(|left| left != target) {
            let removed = session.sftp.remove(left).await.is_ok();
            tracing::info!(removed, "part of a load that was given up");
        }
    }
}

#[async_trait::async_trait]
impl Deliver for SftpDrop {
    async fn deliver(&self, load: &Load) -> Judgement {
        let target = format!("{}/{}", self.directory, file_name(&load.tenant, &load.idempotency_key));
        let Ok(mut upload) = Upload::new(&load.document, target).await else {
            return self.verdicts.judge("sftp:no-document", None);
        };
        let cause = match tokio::time::timeout(self.limit, self.send(&mut upload)).await {
            Ok(cause) => cause,
            Err(_) => upload.given_up(),
        };
        if upload.begun() && !upload.whole() {
            *self.unfinished.lock().await = Some(upload.target().to_owned());
        }
        self.verdicts.judge(cause, None)
    }
}

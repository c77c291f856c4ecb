//! What was changed at Koski since a time.

use super::Settings;
use super::http::Http;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use silta_adapter::SmolStr;
use silta_adapter::adapter::{BadSettings, NotRead};
use smol_str::format_smolstr;

/// The change query, for an institution that takes in what Koski holds of its learners.
///
/// Koski stores while it answers, and a change may become visible a while after the time it carries. So each page
/// reads again a stretch of what was read before; what has not changed since makes no new version here.
pub struct Changes {
    http: Http,
    overlap: SignedDuration,
}

/// What was changed, and where to go on.
#[derive(Debug, Clone)]
pub struct ChangedPage {
    /// The learners, as a document that the adapter's decoder reads; `None` if nothing was changed.
    pub document: Option<Vec<u8>>,
    /// Where the next page begins; to be kept once this one is.
    pub cursor: SmolStr,
}

impl Changes {
    /// Opens the query with the settings of a connection.
    ///
    /// # Errors
    /// If the settings are not usable.
    pub fn open(settings: &Settings) -> Result<Self, BadSettings> {
        let seconds =
            i64::try_from(settings.overlap_secs).map_err(|_| BadSettings("overlap_secs is too long".into()))?;
        Ok(Self { http: Http::new(settings)?, overlap: SignedDuration::from_secs(seconds) })
    }

    /// What was changed since a cursor; everything without one. The cursor is the time of the last answer by Koski's own
    /// clock, so clocks may differ.
    ///
    /// # Errors
    /// If it could not be read, or the answer does not say when it was given.
    pub async fn page(&self, cursor: Option<&str>) -> Result<ChangedPage, NotRead> {
        let unusable = |cause: &str| NotRead(self.http.judge(cause));
        let since = match cursor.map(str::parse::<Timestamp>) {
            None => None,
            Some(Ok(cursor)) => Some(cursor.checked_sub(self.overlap).map_err(|_| unusable("request"))?.to_string()),
            Some(Err(_)) => return Err(unusable("request")),
        };
        let query: Vec<(&str, &str)> = since.iter().map(|since| ("muuttunutJälkeen", since.as_str())).collect();
        let answer = self.http.ask(Method::GET, &["oppija"], &query, None).await.map_err(NotRead)?;
        let at = answer.at.ok_or_else(|| unusable("answer"))?;
        let is_empty = answer.body.iter().filter(|byte| !byte.is_ascii_whitespace()).eq(b"[]");
        Ok(ChangedPage { document: (!is_empty).then_some(answer.body), cursor: format_smolstr!("{at}") })
    }
}

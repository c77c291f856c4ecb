//! What a destination says later, in reports of its own, about what it was sent.

use crate::adapter::NotRead;
use crate::problem::Problem;
use crate::record::RecordKind;
use async_trait::async_trait;
use smol_str::SmolStr;

/// One report: everything that is wrong at its time. What an earlier one told and this one does not is cured.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Where the next reading begins: opaque, and different for each report.
    pub cursor: SmolStr,
    /// When it was written: it says nothing of what was sent later.
    pub at: jiff::Timestamp,
    /// What it says.
    pub remarks: Vec<Remark>,
    /// Rows that could not be read, and are not among the remarks.
    pub unread: u64,
}

/// What a report says about one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Remark {
    /// Kind of the record and its key at the source, where the report names one.
    pub about: Option<(RecordKind, SmolStr)>,
    /// What is wrong, without a record key.
    pub problem: Problem,
}

/// Reads the reports of a destination.
#[async_trait]
pub trait Reports: Send + Sync {
    /// The newest report, unless it is the one behind the cursor. Reports between the two are passed over: each says
    /// everything.
    ///
    /// # Errors
    /// If it could not be read; the judgement says whether asking again makes sense.
    async fn newest(&self, after: Option<&str>) -> Result<Option<Report>, NotRead>;
}

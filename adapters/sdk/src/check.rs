//! What is lacking in records that can be sent all the same.
//!
//! A format's encoder refuses what it cannot hold. A check tells of what it can hold and somebody will miss: a course
//! without a name, a degree without its code. Checks never hold a record back.

use crate::mapping::Mappings;
use crate::problem::Problem;
use crate::record::Record;

/// All that a check may look at besides the records.
#[derive(Debug, Clone, Copy)]
pub struct CheckContext<'a> {
    /// Code lists, institutions, grade dictionaries.
    pub mappings: &'a Mappings,
    /// The day to check on.
    pub today: jiff::civil::Date,
    /// True if the records are all there is of the learner, so that what is not among them is missing.
    pub whole: bool,
}

/// Checks the records of one learner. Pure: a function of the records and the context.
pub trait Check: Send + Sync {
    /// What is lacking: warnings, each with a stable code, the record it is about, the place in it as a JSON pointer,
    /// and who can fix it.
    fn check(&self, learner: &[&Record], ctx: CheckContext<'_>) -> Vec<Problem>;
}

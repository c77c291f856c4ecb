//! What causes mean: the verdict tables, as data with a reason per row.

use silta_adapter::adapter::BadSettings;
use silta_adapter::delivery::VerdictTable;

/// What became of a dropped load.
pub(crate) fn of_directory() -> Result<VerdictTable, BadSettings> {
    table(include_str!("../../../mappings/verdicts-directory.toml"))
}

/// What became of a load sent over SFTP.
pub(crate) fn of_sftp() -> Result<VerdictTable, BadSettings> {
    table(include_str!("../../../mappings/verdicts-sftp.toml"))
}

/// Why a report could not be read.
pub(crate) fn of_reports() -> Result<VerdictTable, BadSettings> {
    table(include_str!("../../../mappings/verdicts-reports.toml"))
}

/// What an answer of the reading service means.
pub(crate) fn of_soap() -> Result<VerdictTable, BadSettings> {
    table(include_str!("../../../mappings/verdicts-soap.toml"))
}

fn table(text: &str) -> Result<VerdictTable, BadSettings> {
    VerdictTable::from_toml(text).map_err(|e| BadSettings(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use silta_adapter::delivery::Verdict;

    #[test]
    fn every_table_is_exhaustive_and_every_row_can_match() {
        for (table, cause, verdict) in [
            (of_directory(), "drop:written", Verdict::AcceptedPending),
            (of_sftp(), "sftp:uploaded", Verdict::AcceptedPending),
            (of_reports(), "report:no-directory", Verdict::Misconfigured),
            (of_soap(), "http:503", Verdict::Transient),
            (table(include_str!("../../../mappings/verdicts-http.toml")), "http:429", Verdict::RetryAfter),
        ] {
            let table = table.expect("a table");
            assert_eq!(table.judge(cause, None).verdict, verdict);
            let causes: Vec<_> = table.rows().iter().map(|row| &row.cause).collect();
            for (at, cause) in causes.iter().enumerate() {
                let shadowed = causes[..at].iter().any(|c| c.strip_suffix('*').is_some_and(|c| cause.starts_with(c)));
                assert!(!shadowed && !causes[..at].contains(cause), "{cause} can never match");
            }
        }
    }
}

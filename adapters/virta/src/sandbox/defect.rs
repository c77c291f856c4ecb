//! What the store's loader says about a load.

use silta_adapter::problem::Problem;
use silta_adapter::record::RecordKind;
use std::fmt::Write;

/// One row of a defect report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// Code of the defect (`virhekoodi`).
    pub code: String,
    /// What is wrong (`virhe`).
    pub message: String,
    /// The value or place at fault (`arvo`).
    pub value: String,
    /// Kind of the row at fault.
    pub kind: Option<RecordKind>,
    /// Its key in the load.
    pub key: String,
}

impl Defect {
    pub(super) fn new(code: &str, message: &str) -> Self {
        let (value, key) = Default::default();
        Self { code: code.into(), message: message.into(), value, kind: None, key }
    }

    pub(super) fn about(mut self, kind: RecordKind, key: &str) -> Self {
        (self.kind, self.key) = (Some(kind), key.into());
        self
    }

    pub(super) fn with(mut self, value: &str) -> Self {
        self.value = value.into();
        self
    }
}

impl From<Problem> for Defect {
    fn from(problem: Problem) -> Self {
        let mut defect = Self::new(&problem.code, &problem.message);
        if let Some(line) = problem.line {
            defect = defect.with(&format!("line {line}"));
        }
        match &problem.key {
            Some(key) => defect.about(key.kind, &key.id),
            None => defect,
        }
    }
}

/// The report of a load as CSV; only its heading if nothing is wrong.
pub(super) fn report(tenant: &str, defects: &[Defect]) -> String {
    let mut out = String::from("db,virhekoodi,virhe,arvo,opiskelijaAvain,opiskeluoikeusAvain,opintosuoritusAvain\n");
    for defect in defects {
        let key = |kind| if defect.kind == Some(kind) { defect.key.as_str() } else { "" };
        let keys = [RecordKind::Learner, RecordKind::StudyRight, RecordKind::Attainment].map(key);
        let cells = [tenant, &defect.code, &defect.message, &defect.value].into_iter().chain(keys);
        let _ = writeln!(out, "{}", cells.map(cell).collect::<Vec<_>>().join(","));
    }
    out
}

fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

//! How completely institutions document their micro-credentials: of how many records each element of Annex I is present,
//! weak or missing. Counted over the ledger, learner by learner, so that memory does not grow with it.

use crate::gateway::Gateway;
use crate::ledger::LedgerError;
use crate::vault::VaultError;
use schemars::JsonSchema;
use serde::Serialize;
use silta_adapter::micro_credential::{self, MicroCredential, Part, Standing};
use silta_adapter::record::{Body, Record};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Learners asked for at once.
const PAGE: u32 = 500;

/// How completely a tenant's institutions document their attainments as micro-credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Completeness {
    /// The tenant.
    pub tenant: SmolStr,
    /// True if all attainments were looked at; otherwise those whose type says that they are micro-credentials.
    pub all: bool,
    /// Its institutions, by code.
    pub institutions: Vec<Institution>,
}

/// How completely an institution documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Institution {
    /// The code of the awarding body, or of the institution that the record names.
    pub institution: SmolStr,
    /// Records looked at.
    pub records: u64,
    /// Those of which every mandatory element and all of the definition are present.
    pub complete: u64,
    /// How each element stands, in the order of Annex I.
    pub elements: Vec<Element>,
}

/// How an element stands in an institution's records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Element {
    /// `M1`–`M11` and `O1`–`O5` of Annex I, `D1`–`D5` of the national definition, `X1`.
    pub id: &'static str,
    /// What it is.
    pub name: &'static str,
    /// What it is part of.
    pub part: Part,
    /// Records in which it is there.
    pub present: u64,
    /// Records in which something is there that does not do.
    pub weak: u64,
    /// Records in which it is not there.
    pub missing: u64,
}

impl Element {
    /// The share of records in which it is there, in thousandths.
    pub fn permille(&self) -> u64 {
        let records = self.present + self.weak + self.missing;
        (self.present * 1000).checked_div(records).unwrap_or(0)
    }
}

/// The records could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum NotCounted {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Content could not be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Counts over a tenant's standing records: those that say they are micro-credentials, or all attainments.
///
/// # Errors
/// If the ledger fails or a content cannot be opened.
pub async fn count(gateway: &Gateway, tenant: &str, all: bool) -> Result<Completeness, NotCounted> {
    let mut counts: BTreeMap<SmolStr, Institution> = BTreeMap::new();
    let mut after = None;
    loop {
        let learners = gateway.ledger.learners(tenant, after, PAGE).await?;
        let Some(last) = learners.last() else { break };
        after = Some(*last);
        for learner in &learners {
            let mut records = Vec::new();
            for stored in gateway.ledger.records_of(tenant, *learner).await? {
                if let Some(content) = stored.content.as_deref().filter(|_| !stored.state.is_tombstone()) {
                    records.push(gateway.vault.open_json::<Record>(content)?);
                }
            }
            look(gateway, &records, all, &mut counts);
        }
    }
    Ok(Completeness { tenant: tenant.into(), all, institutions: counts.into_values().collect() })
}

fn look(gateway: &Gateway, records: &[Record], all: bool, counts: &mut BTreeMap<SmolStr, Institution>) {
    let learner = records.iter().find_map(|record| match &record.body {
        Some(Body::Learner(learner)) => Some(&**learner),
        _ => None,
    });
    for record in records {
        let Some(Body::Attainment(a)) = &record.body else { continue };
        if !all && !micro_credential::is_declared(a, &gateway.mappings) {
            continue;
        }
        let Some(judged) = micro_credential::assess(record, learner, &gateway.mappings) else { continue };
        let code = a.awarding_body.as_ref().map_or(&record.head.key.institution, |body| &body.value);
        counts.entry(code.clone()).or_insert_with(|| Institution::empty(code.clone())).add(&judged);
    }
}

impl Institution {
    fn empty(institution: SmolStr) -> Self {
        Self { institution, records: 0, complete: 0, elements: Vec::new() }
    }

    fn add(&mut self, judged: &MicroCredential) {
        self.records += 1;
        self.complete += u64::from(judged.complete);
        for (nth, element) in judged.elements.iter().enumerate() {
            if self.elements.len() <= nth {
                let (id, name, part) = (element.id, element.name, element.part);
                self.elements.push(Element { id, name, part, present: 0, weak: 0, missing: 0 });
            }
            // Every record has the same elements, in the same order.
            if let Some(count) = self.elements.get_mut(nth) {
                match element.standing {
                    Standing::Present => count.present += 1,
                    Standing::Weak => count.weak += 1,
                    Standing::Missing => count.missing += 1,
                }
            }
        }
    }
}

/// Columns of the export.
const COLUMNS: [&str; 10] =
    ["tenant", "institution", "records", "complete", "element", "name", "present", "weak", "missing", "share"];

impl Completeness {
    /// All figures as CSV (RFC 4180), one line for each institution and element; shares between 0 and 1.
    pub fn to_csv(&self) -> String {
        let mut csv = csv::Writer::from_writer(Vec::new());
        // Writing to memory does not fail.
        let _ = csv.write_record(COLUMNS);
        for institution in &self.institutions {
            for element in &institution.elements {
                let permille = element.permille();
                let _ = csv.write_record([
                    &*self.tenant,
                    &*institution.institution,
                    &institution.records.to_string(),
                    &institution.complete.to_string(),
                    element.id,
                    element.name,
                    &element.present.to_string(),
                    &element.weak.to_string(),
                    &element.missing.to_string(),
                    &format!("{}.{:03}", permille / 1000, permille % 1000),
                ]);
            }
        }
        csv.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

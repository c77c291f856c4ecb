//! Rows as a database tells them, the same in every one, and how they are read.

use crate::stored::{digest_from_bytes, kind_from_number, severity_from_name, wanted_from_name};
use crate::*;
use silta_adapter::canonical::Digest;
use silta_adapter::delivery::Verdict;
use silta_adapter::problem::Fixer;
use silta_adapter::record::{RecordKind, State};

/// A row being read: its table and number, for what is wrong with it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    table: &'static str,
    id: i64,
}

/// A row of (mainly) this table.
pub fn row(table: &'static str, id: i64) -> Row {
    Row { table, id }
}

impl Row {
    /// The row is not what it should be.
    pub fn bad(self, column: &'static str) -> LedgerError {
        LedgerError::Inconsistent { table: self.table, column, row: self.id.to_string() }
    }

    /// A value stored by its name.
    ///
    /// # Errors
    /// If it has no such name.
    pub fn named<T>(self, column: &'static str, name: &str, from_name: fn(&str) -> Option<T>) -> Result<T> {
        from_name(name).ok_or_else(|| self.bad(column))
    }

    /// A value stored by its name, that may be absent.
    ///
    /// # Errors
    /// If it has no such name.
    pub fn opt_named<T>(
        self,
        column: &'static str,
        name: Option<&str>,
        from_name: fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        name.map(|name| self.named(column, name, from_name)).transpose()
    }

    /// A kind of record.
    ///
    /// # Errors
    /// If there is none of this number.
    pub fn kind(self, number: i64) -> Result<RecordKind> {
        kind_from_number(number).ok_or_else(|| self.bad("kind"))
    }

    /// A pseudonym or hash.
    ///
    /// # Errors
    /// If it has another length.
    pub fn bytes<const N: usize>(self, column: &'static str, bytes: &[u8]) -> Result<[u8; N]> {
        bytes.try_into().map_err(|_| self.bad(column))
    }

    /// A digest.
    ///
    /// # Errors
    /// If it has another length.
    pub fn digest(self, column: &'static str, bytes: &[u8]) -> Result<Digest> {
        digest_from_bytes(bytes).ok_or_else(|| self.bad(column))
    }

    /// A digest that may be absent.
    ///
    /// # Errors
    /// If it has another length.
    pub fn opt_digest(self, column: &'static str, bytes: Option<&[u8]>) -> Result<Option<Digest>> {
        bytes.map(|bytes| self.digest(column, bytes)).transpose()
    }
}

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ty),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        #[expect(missing_docs, reason = "the columns of the table")]
        pub struct $name { $(pub $field: $ty),+ }
    )+};
}
rows! {
    /// A record, with the content of its version.
    RecordRow {
        id: i64, key: Vec<u8>, tenant: String, learner: Vec<u8>, source: String, kind: i64, institution: String,
        version: i64, state: String, revision: Option<i64>, digest: Vec<u8>, bytes: Option<Vec<u8>>,
    }
    /// An arrival, or a version.
    ArrivalRow {
        id: i64, at: i64, outcome: String, version: i64, state: String, revision: Option<i64>, digest: Vec<u8>,
    }
    /// A problem.
    ProblemRow {
        id: i64, tenant: String, origin: String, record: Option<Vec<u8>>, code: String, severity: String, fixer: String,
        bytes: Option<Vec<u8>>, opened: i64, closed: Option<i64>, closed_by: Option<i64>,
    }
    /// A debt.
    DebtRow {
        id: i64, connection: String, tenant: String, key: Vec<u8>, kind: i64, state: String, wanted: Option<String>,
        generation: i64, attempts: i64, since: i64, fixer: Option<String>, reason: String,
        wanted_digest: Option<Vec<u8>>, sent_digest: Option<Vec<u8>>, confirmed_digest: Option<Vec<u8>>,
        sent_at: Option<i64>, confirmed_at: Option<i64>, losses: Option<Vec<u8>>,
    }
    /// A debt that is claimed.
    ClaimedRow {
        lane: i64, id: i64, key: Vec<u8>, tenant: String, generation: i64, wanted: Option<String>, state: String,
        wanted_digest: Option<Vec<u8>>, attempts: i64, changed: bool, bytes: Option<Vec<u8>>,
    }
    /// A holding.
    HoldingRow {
        id: i64, key: Vec<u8>, learner: Vec<u8>, rank: i64, kind: i64, state: String, generation: i64,
        wanted: Option<String>, wanted_digest: Option<Vec<u8>>, wanted_bytes: Option<Vec<u8>>,
        sent_digest: Option<Vec<u8>>, sent_bytes: Option<Vec<u8>>, confirmed_digest: Option<Vec<u8>>,
        confirmed_bytes: Option<Vec<u8>>, sent_at: Option<i64>,
    }
    /// A load.
    LoadRow {
        id: i64, connection: String, tenant: String, at: i64, status: String, reason: String, items: i64,
        closed: Option<i64>,
    }
    /// An attempt.
    AttemptRow {
        id: i64, debt: Option<i64>, load: Option<i64>, connection: String, at: i64, took: i64, verdict: String,
        cause: String, reason: String,
    }
    /// A finding.
    FindingRow {
        id: i64, reconciliation: i64, connection: String, item: Vec<u8>, debt: Option<i64>, kind: String,
        status: String, digest: Option<Vec<u8>>, implied_by: Option<Vec<u8>>, bytes: Option<Vec<u8>>, opened: i64,
        seen: i64, sightings: i64, closed: Option<i64>,
    }
    /// An entry of a manifest; of the load of this number.
    EntryRow {
        load: i64, debt: i64, item: Vec<u8>, generation: i64, digest: Option<Vec<u8>>, wanted: bool,
    }
    /// A credential.
    IssuedRow {
        id: i64, tenant: String, connection: String, item: Vec<u8>, generation: i64, place: i64, at: i64,
        withdrawn: Option<i64>, document: Option<Vec<u8>>,
    }
    /// A line of the audit trail.
    AuditRow {
        id: i64, at: i64, actor: String, action: String, tenant: String, subject: String, detail: String,
    }
}

impl RecordRow {
    /// What it says.
    ///
    /// # Errors
    /// If a column holds what it should not.
    pub fn read(self) -> Result<StoredRecord> {
        let row = row("record", self.id);
        Ok(StoredRecord {
            id: RecordId(row.bytes("key", &self.key)?),
            tenant: self.tenant.into(),
            learner: LearnerId(row.bytes("learner", &self.learner)?),
            source: self.source.into(),
            kind: row.kind(self.kind)?,
            institution: self.institution.into(),
            version: self.version,
            state: row.named("state", &self.state, State::from_name)?,
            revision: self.revision.map(i64::cast_unsigned),
            digest: row.digest("digest", &self.digest)?,
            content: self.bytes,
        })
    }
}

impl ArrivalRow {
    /// What it says.
    ///
    /// # Errors
    /// If a column holds what it should not.
    pub fn read(self) -> Result<Arrival> {
        let row = row("arrival", self.id);
        Ok(Arrival {
            at: self.at,
            outcome: row.named("outcome", &self.outcome, Outcome::from_name)?,
            version: self.version,
            state: row.named("state", &self.state, State::from_name)?,
            revision: self.revision.map(i64::cast_unsigned),
            digest: row.digest("digest", &self.digest)?,
        })
    }
}

impl ProblemRow {
    /// What it says.
    ///
    /// # Errors
    /// If a column holds what it should not.
    pub fn read(self) -> Result<StoredProblem> {
        let row = row("problem", self.id);
        Ok(StoredProblem {
            id: self.id,
            tenant: self.tenant.into(),
            origin: self.origin.into(),
            record: self.record.map(|key| row.bytes("record", &key).map(RecordId)).transpose()?,
            code: self.code.into(),
            severity: row.named("severity", &self.severity, severity_from_name)?,
            fixer: row.named("fixer", &self.fixer, Fixer::from_name)?,
            content: self.bytes.unwrap_or_default(),
            opened: self.opened,
            closed: self.closed,
            closed_by: self.closed_by,
        })
    }
}

impl DebtRow {
    /// What it says.
    ///
    /// # Errors
    /// If a column holds what it should not.
    pub fn read(self) -> Result<Debt> {
        let row = row("debt", self.id);
        Ok(Debt {
            id: self.id,
            connection: self.connection.into(),
            tenant: self.tenant.into(),
            item: RecordId(row.bytes("key", &self.key)?),
            kind: row.kind(self.kind)?,
            state: row.named("state", &self.state, DebtState::from_name)?,
            wanted: row.opt_named("wanted", self.wanted.as_deref(), wanted_from_name)?.unwrap_or(Wanted::Present),
            generation: self.generation,
            attempts: self.attempts,
            since: self.since,
            fixer: row.opt_named("fixer", self.fixer.as_deref(), Fixer::from_name)?,
            reason: self.reason,
            wanted_digest: row.opt_digest("wanted_digest", self.wanted_digest.as_deref())?,
            sent_digest: row.opt_digest("sent_digest", self.sent_digest.as_deref())?,
            confirmed_digest: row.opt_digest("confirmed_digest", self.confirmed_digest.as_deref())?,
            sent_at: self.sent_at,
            confirmed_at: self.confirmed_at,
            losses: self.losses,
        })
    }
}

impl IssuedRow {
    /// What it says.
    ///
    /// # Errors
    /// If a column holds what it should not.
    pub fn read(self) -> Result<Issued> {
        Ok(Issued {
            item: RecordId(row("credential", self.id).bytes("item", &self.item)?),
            id: self.id,
            tenant: self.tenant.into(),
            connection: self.connection.into(),
            generation: self.generation,
            place: self.place,
            at: self.at,
            withdrawn: self.withdrawn,
            document: self.document,
        })
    }
}

impl ClaimedRow {
    /// What it says.
    ///
    /// # Errors
    /// If a column holds what it should not.
    pub fn read(self) -> Result<ClaimedDebt> {
        let row = row("debt", self.id);
        let wanted = row.opt_named("wanted", self.wanted.as_deref(), wanted_from_name)?;
        let digest = row.opt_digest("wanted_digest", self.wanted_digest.as_deref())?;
        Ok(ClaimedDebt {
            id: self.id,
            item: RecordId(row.bytes("key", &self.key)?),
            tenant: self.tenant.into(),
            generation: self.generation,
            wanted: wanted.ok_or_else(|| row.bad("wanted"))?,
            record_state: row.named("state", &self.state, State::from_name)?,
            digest: digest.ok_or_else(|| row.bad("wanted_digest"))?,
            content: self.bytes,
            attempts: self.attempts,
            changed: self.changed,
        })
    }
}

impl HoldingRow {
    /// What it says.
    ///
    /// # Errors
    /// If a column holds what it should not.
    pub fn read(self) -> Result<Holding> {
        let row = row("debt", self.id);
        let content = |column, digest: Option<Vec<u8>>, bytes: Option<Vec<u8>>| -> Result<Option<(Digest, Sealed)>> {
            Ok(row.opt_digest(column, digest.as_deref())?.zip(bytes))
        };
        Ok(Holding {
            debt: self.id,
            item: RecordId(row.bytes("key", &self.key)?),
            learner: LearnerId(row.bytes("learner", &self.learner)?),
            rank: u8::try_from(self.rank).map_err(|_| row.bad("rank"))?,
            kind: row.kind(self.kind)?,
            state: row.named("state", &self.state, DebtState::from_name)?,
            generation: self.generation,
            wanted: row.opt_named("wanted", self.wanted.as_deref(), wanted_from_name)?,
            wanted_content: content("wanted_digest", self.wanted_digest, self.wanted_bytes)?,
            sent_content: content("sent_digest", self.sent_digest, self.sent_bytes)?,
            confirmed_content: content("confirmed_digest", self.confirmed_digest, self.confirmed_bytes)?,
            sent_at: self.sent_at,
        })
    }
}

impl LoadRow {
    /// What it says.
    ///
    /// # Errors
    /// If a column holds what it should not.
    pub fn read(self) -> Result<Load> {
        Ok(Load {
            id: self.id,
            connection: self.connection.into(),
            tenant: self.tenant.into(),
            at: self.at,
            status: row("load", self.id).named("status", &self.status, LoadStatus::from_name)?,
            reason: self.reason,
            items: self.items,
            closed: self.closed,
        })
    }
}

impl AttemptRow {
    /// What it says.
    ///
    /// # Errors
    /// If a column holds what it should not.
    pub fn read(self) -> Result<Attempt> {
        Ok(Attempt {
            debt: self.debt,
            load: self.load,
            connection: self.connection.into(),
            at: self.at,
            took: self.took,
            verdict: row("attempt", self.id).named("verdict", &self.verdict, Verdict::from_name)?,
            cause: self.cause.into(),
            reason: self.reason,
        })
    }
}

impl FindingRow {
    /// What it says.
    ///
    /// # Errors
    /// If a column holds what it should not.
    pub fn read(self) -> Result<Finding> {
        let row = row("finding", self.id);
        Ok(Finding {
            id: self.id,
            reconciliation: self.reconciliation,
            connection: self.connection.into(),
            item: RecordId(row.bytes("item", &self.item)?),
            debt: self.debt,
            kind: row.named("kind", &self.kind, FindingKind::from_name)?,
            status: row.named("status", &self.status, FindingStatus::from_name)?,
            digest: row.opt_digest("digest", self.digest.as_deref())?,
            implied_by: self.implied_by.map(|key| row.bytes("implied_by", &key).map(RecordId)).transpose()?,
            evidence: self.bytes.unwrap_or_default(),
            opened: self.opened,
            seen: self.seen,
            sightings: self.sightings,
            closed: self.closed,
        })
    }
}

impl EntryRow {
    /// What it says.
    ///
    /// # Errors
    /// If a column holds what it should not.
    pub fn read(self) -> Result<ManifestEntry> {
        let row = row("manifest", self.load);
        Ok(ManifestEntry {
            debt: self.debt,
            item: RecordId(row.bytes("item", &self.item)?),
            generation: self.generation,
            digest: row.opt_digest("digest", self.digest.as_deref())?,
            wanted: self.wanted,
        })
    }
}

impl AuditRow {
    /// What it says.
    ///
    /// # Errors
    /// If a column holds what it should not.
    pub fn read(self) -> Result<AuditEntry> {
        Ok(AuditEntry {
            id: self.id,
            at: self.at,
            actor: self.actor.into(),
            action: self.action.into(),
            tenant: self.tenant.into(),
            subject: self.subject.into(),
            detail: self.detail,
        })
    }
}

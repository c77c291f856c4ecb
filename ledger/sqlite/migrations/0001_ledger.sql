-- The ledger on SQLite.
--
-- Times are microseconds since the epoch; a digest is two bytes of form and 32 of hash; ids named `key`, `item`,
-- `learner` and `lookup` are keyed pseudonyms of 16 bytes. Enumerations are stored by name, but for `kind`, whose
-- number is its place in the order of sending.

-- `tick` rises with every change that others may race: dirty marks and lease tokens are taken from it. `content` is the
-- next number of a content; none is ever used twice.
CREATE TABLE sequence (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    tick    INTEGER NOT NULL,
    content INTEGER NOT NULL
) STRICT;
INSERT INTO sequence (id, tick, content) VALUES (1, 0, 1);

-- Whatever can name a person lies here, sealed, found by learner: erasing one is one sweep. Other tables refer to a
-- row by its number and say nothing if it is gone, so the references are no foreign keys. `record` is the one it is
-- about, if it is known. `debt` owns projections and losses, which go when none of its columns refers to them any more;
-- contents of versions have no owner and stay.
CREATE TABLE content (
    id      INTEGER PRIMARY KEY,
    learner BLOB,
    record  INTEGER,
    debt    INTEGER,
    bytes   BLOB NOT NULL
) STRICT;
CREATE INDEX content_learner ON content (learner) WHERE learner IS NOT NULL;
CREATE INDEX content_debt ON content (debt) WHERE debt IS NOT NULL;

CREATE TABLE record (
    id          INTEGER PRIMARY KEY,
    key         BLOB NOT NULL UNIQUE,
    tenant      TEXT NOT NULL,
    learner     BLOB NOT NULL,
    lookup      BLOB NOT NULL,
    source      TEXT NOT NULL,
    kind        INTEGER NOT NULL,
    institution TEXT NOT NULL,
    version     INTEGER NOT NULL,
    state       TEXT NOT NULL,
    revision    INTEGER,
    digest      BLOB NOT NULL,
    content     INTEGER
) STRICT;
CREATE INDEX record_learner ON record (tenant, learner, kind, state);
CREATE INDEX record_lookup ON record (tenant, lookup);

-- Versions and, by their position, the change feed: one writer at a time makes the order of positions that of commits.
CREATE TABLE version (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    record   INTEGER NOT NULL REFERENCES record (id),
    version  INTEGER NOT NULL,
    tenant   TEXT NOT NULL,
    at       INTEGER NOT NULL,
    outcome  TEXT NOT NULL,
    state    TEXT NOT NULL,
    revision INTEGER,
    digest   BLOB NOT NULL,
    content  INTEGER,
    UNIQUE (record, version)
) STRICT;
CREATE INDEX version_tenant ON version (tenant, position);

-- Arrivals that wrote no version.
CREATE TABLE arrival (
    id       INTEGER PRIMARY KEY,
    record   INTEGER NOT NULL REFERENCES record (id),
    version  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    outcome  TEXT NOT NULL,
    state    TEXT NOT NULL,
    revision INTEGER,
    digest   BLOB NOT NULL
) STRICT;
CREATE INDEX arrival_record ON arrival (record);

-- `record` is the pseudonym: a problem may be about a record that was never kept.
CREATE TABLE problem (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant    TEXT NOT NULL,
    origin    TEXT NOT NULL,
    record    BLOB,
    code      TEXT NOT NULL,
    severity  TEXT NOT NULL,
    fixer     TEXT NOT NULL,
    content   INTEGER NOT NULL,
    opened    INTEGER NOT NULL,
    closed    INTEGER,
    closed_by INTEGER
) STRICT;
CREATE INDEX problem_tenant ON problem (tenant, id);
CREATE INDEX problem_open ON problem (tenant, id) WHERE closed IS NULL;
CREATE INDEX problem_record ON problem (record, id) WHERE record IS NOT NULL;

CREATE TABLE connection (
    id              INTEGER PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    paused          INTEGER NOT NULL DEFAULT 0,
    failures        INTEGER NOT NULL DEFAULT 0,
    open_until      INTEGER,
    last_load       INTEGER,
    last_reconciled INTEGER,
    planned_under   TEXT NOT NULL DEFAULT ''
) STRICT;

-- `key` is the learner, or 16 zero bytes where a lane is all of a tenant. A lane that is not leased has a `next_at`
-- exactly if a debt in it is owed; one that is leased has none.
CREATE TABLE lane (
    id           INTEGER PRIMARY KEY,
    connection   INTEGER NOT NULL REFERENCES connection (id),
    tenant       TEXT NOT NULL,
    key          BLOB NOT NULL,
    next_at      INTEGER,
    token        INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER,
    UNIQUE (connection, tenant, key)
) STRICT;
CREATE INDEX lane_due ON lane (connection, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX lane_leased ON lane (leased_until) WHERE leased_until IS NOT NULL;

-- What a connection is owed for a record. `wanted_`, `sent_` and `confirmed_` are the watermarks; `unsure` is set
-- from a lost answer to the next accepted one. `shared` is set if its lane is all of the tenant, `turn` is its place
-- there. A debt that is being sent, by a claim or in a load, is not planned: its mark waits.
CREATE TABLE debt (
    id                INTEGER PRIMARY KEY,
    connection        INTEGER NOT NULL REFERENCES connection (id),
    record            INTEGER NOT NULL REFERENCES record (id),
    learner           BLOB NOT NULL,
    rank              INTEGER NOT NULL,
    mark              INTEGER NOT NULL,
    state             TEXT NOT NULL DEFAULT 'unplanned',
    since             INTEGER NOT NULL,
    shared            INTEGER NOT NULL,
    lane              INTEGER,
    turn              INTEGER NOT NULL DEFAULT 0,
    generation        INTEGER NOT NULL DEFAULT 0,
    attempts          INTEGER NOT NULL DEFAULT 0,
    fixer             TEXT,
    reason            TEXT NOT NULL DEFAULT '',
    wanted            TEXT,
    wanted_digest     BLOB,
    wanted_content    INTEGER,
    losses            INTEGER,
    unsure            INTEGER NOT NULL DEFAULT 0,
    sent_at           INTEGER,
    sent_digest       BLOB,
    sent_content      INTEGER,
    confirmed_at      INTEGER,
    confirmed_digest  BLOB,
    confirmed_content INTEGER,
    UNIQUE (record, connection)
) STRICT;
CREATE INDEX debt_holding ON debt (connection, learner, rank);
CREATE INDEX debt_state ON debt (connection, state);
CREATE INDEX debt_dirty ON debt (connection, mark) WHERE mark > 0;
CREATE INDEX debt_owed ON debt (lane, turn, since) WHERE state = 'owed';
CREATE INDEX debt_sending ON debt (lane) WHERE state = 'sending';

CREATE TABLE load (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    connection INTEGER NOT NULL REFERENCES connection (id),
    tenant     TEXT NOT NULL,
    at         INTEGER NOT NULL,
    status     TEXT NOT NULL,
    reason     TEXT NOT NULL,
    items      INTEGER NOT NULL DEFAULT 0,
    closed     INTEGER
) STRICT;
CREATE INDEX load_connection ON load (connection, status);

CREATE TABLE manifest (
    load       INTEGER NOT NULL REFERENCES load (id),
    item       BLOB NOT NULL,
    debt       INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    digest     BLOB,
    wanted     INTEGER NOT NULL,
    PRIMARY KEY (load, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
    id         INTEGER PRIMARY KEY,
    connection INTEGER NOT NULL REFERENCES connection (id),
    debt       INTEGER,
    load       INTEGER,
    at         INTEGER NOT NULL,
    took       INTEGER NOT NULL,
    verdict    TEXT NOT NULL,
    cause      TEXT NOT NULL,
    reason     TEXT NOT NULL
) STRICT;
CREATE INDEX attempt_debt ON attempt (debt) WHERE debt IS NOT NULL;
CREATE INDEX attempt_at ON attempt (connection, at, verdict);

CREATE TABLE reconciliation (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    connection INTEGER NOT NULL REFERENCES connection (id),
    started    INTEGER NOT NULL,
    ended      INTEGER,
    summary    TEXT
) STRICT;
CREATE INDEX reconciliation_connection ON reconciliation (connection);

CREATE TABLE finding (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    reconciliation INTEGER NOT NULL REFERENCES reconciliation (id),
    connection     INTEGER NOT NULL REFERENCES connection (id),
    item           BLOB NOT NULL,
    debt           INTEGER,
    kind           TEXT NOT NULL,
    status         TEXT NOT NULL,
    digest         BLOB,
    implied_by     BLOB,
    evidence       INTEGER NOT NULL,
    opened         INTEGER NOT NULL,
    seen           INTEGER NOT NULL,
    sightings      INTEGER NOT NULL,
    closed         INTEGER
) STRICT;
CREATE UNIQUE INDEX finding_open ON finding (connection, item, kind) WHERE status <> 'closed';
CREATE INDEX finding_item ON finding (item);
CREATE INDEX finding_status ON finding (connection, status);

CREATE TABLE token (
    name    TEXT PRIMARY KEY,
    hash    BLOB NOT NULL UNIQUE,
    role    TEXT NOT NULL,
    tenant  TEXT,
    kinds   TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER
) STRICT;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL
) STRICT;

CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

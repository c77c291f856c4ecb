-- Which learners are one person: a dated overlay over the records, which it never changes. Learners whose links stand
-- (`until` is null) and name the same person are one.
CREATE TABLE link (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant  TEXT NOT NULL,
    learner BLOB NOT NULL,
    person  BLOB NOT NULL,
    why     TEXT NOT NULL,
    since   INTEGER NOT NULL,
    until   INTEGER
) STRICT;
CREATE UNIQUE INDEX link_standing ON link (tenant, learner) WHERE until IS NULL;
CREATE INDEX link_learner ON link (tenant, learner);
CREATE INDEX link_person ON link (tenant, person) WHERE until IS NULL;

-- Credentials that were issued over a connection. They stay when they are withdrawn: their places are those of a
-- public status list. What was sealed goes when the learner is erased.
CREATE TABLE credential (
    id         INTEGER PRIMARY KEY,
    connection INTEGER NOT NULL REFERENCES connection (id),
    place      INTEGER NOT NULL,
    tenant     TEXT NOT NULL,
    item       BLOB NOT NULL,
    generation INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    withdrawn  INTEGER,
    document   BLOB,
    UNIQUE (connection, place),
    UNIQUE (connection, item, generation)
) STRICT;
CREATE INDEX credential_item ON credential (item);
CREATE INDEX credential_withdrawn ON credential (connection, place) WHERE withdrawn IS NOT NULL;

-- Links by which learners show credentials; of what is in them only a hash is kept.
CREATE TABLE share (
    id         INTEGER PRIMARY KEY,
    credential INTEGER NOT NULL REFERENCES credential (id),
    hash       BLOB NOT NULL UNIQUE,
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    revoked    INTEGER,
    public     INTEGER NOT NULL
) STRICT;
CREATE INDEX share_credential ON share (credential);

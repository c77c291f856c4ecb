-- What one process at a time does, whose it is, and until when.
CREATE TABLE duty (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

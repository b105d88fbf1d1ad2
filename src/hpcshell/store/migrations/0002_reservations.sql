-- Parts of the machine set apart for a time, and whether the machine takes new work.
CREATE TABLE reservation (
    name TEXT PRIMARY KEY CHECK (name <> ''),
    start_time REAL NOT NULL,
    end_time REAL NOT NULL,
    record BLOB NOT NULL,
    CHECK (start_time < end_time)
) WITHOUT ROWID;

CREATE TABLE node (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('up', 'drain', 'down')),
    record BLOB NOT NULL
) WITHOUT ROWID;

-- What was submitted to clusters, in which parts, and how it ended. What is alive is the site's to say.

CREATE TABLE entry (
    serial     INTEGER PRIMARY KEY,
    key        TEXT NOT NULL UNIQUE,
    cluster    TEXT NOT NULL,
    name       TEXT NOT NULL,
    submitted  REAL NOT NULL,
    number     TEXT,               -- the first that the site gave to a part of it
    open       INTEGER NOT NULL DEFAULT 1 CHECK (open IN (0, 1)),
    document   BLOB NOT NULL       -- an Entry
) STRICT;

CREATE INDEX entry_of_cluster ON entry (cluster, serial);
CREATE INDEX entry_open ON entry (cluster) WHERE open = 1;
CREATE INDEX entry_named ON entry (cluster, name);

CREATE TABLE part (
    serial     INTEGER NOT NULL REFERENCES entry (serial) ON DELETE CASCADE,
    number     INTEGER NOT NULL,     -- 0, 1, ... within the entry
    key        TEXT NOT NULL UNIQUE, -- what the site shows of it
    indices    TEXT NOT NULL,        -- '' for a plain job
    offset     INTEGER NOT NULL,     -- what the site's indices are less by
    state      TEXT NOT NULL
               CHECK (state IN ('planned', 'asking', 'known', 'withdrawn', 'refused')),
    native     TEXT,                 -- the site's id
    site       TEXT,                 -- the site's number, as all of its elements carry it
    since      REAL NOT NULL,        -- when it came into this state
    seen       REAL,                 -- when the site last showed it alive
    missed     REAL,                 -- since when it is missing in whole answers
    cancelled  REAL,                 -- when the site agreed to end it
    unwanted   TEXT NOT NULL DEFAULT '', -- the elements that the site agreed to end one by one
    over       INTEGER NOT NULL DEFAULT 0 CHECK (over IN (0, 1)),
    reason     TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (serial, number),
    CHECK ((state = 'known') = (native IS NOT NULL AND site IS NOT NULL))
) STRICT;

CREATE INDEX part_of_site ON part (site);
CREATE INDEX part_planned ON part (serial) WHERE state IN ('planned', 'asking');

CREATE TABLE ending (
    serial    INTEGER NOT NULL REFERENCES entry (serial) ON DELETE CASCADE,
    element   INTEGER NOT NULL,    -- -1: a plain job
    state     TEXT NOT NULL,
    ended     REAL,
    document  BLOB NOT NULL,       -- a Sighting
    PRIMARY KEY (serial, element)
) STRICT;

CREATE TABLE site (
    cluster   TEXT PRIMARY KEY,
    told      REAL NOT NULL,
    document  BLOB NOT NULL
) STRICT;

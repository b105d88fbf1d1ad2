-- The queue. What must always hold is held here, by constraints and triggers, whoever writes.
--
-- Every record is stored whole, as JSON, in `record`; the other columns repeat what is searched.
-- Written for SQLite 3.34 and later.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;

-- The highest ids ever purged: an id is never given twice, not even after its row is gone.
INSERT INTO meta VALUES ('purged_job', 0), ('purged_run', 0), ('purged_event', 0);

-- How often the disk took a commit and then failed to make it durable.
INSERT INTO meta VALUES ('failed_syncs', 0);

-- Scripts and environments, shared by all jobs with the same one.
CREATE TABLE blob (
    hash TEXT PRIMARY KEY,
    content BLOB NOT NULL
);

CREATE TABLE job (
    id INTEGER PRIMARY KEY CHECK (id > 0),
    uid INTEGER NOT NULL,
    user TEXT NOT NULL,
    name TEXT NOT NULL,
    tags TEXT NOT NULL,                     -- ',one,two,' or ''
    env TEXT,
    script TEXT,
    submit_time REAL NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0 CHECK (ended IN (0, 1)),
    end_time REAL,
    outcome TEXT CHECK (outcome IN ('COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT',
        'OUT_OF_MEMORY', 'NODE_FAIL', 'PREEMPTED', 'DEADLINE')),
    record BLOB NOT NULL,
    summary BLOB,
    CHECK (ended = (summary IS NOT NULL)),
    CHECK (ended = (end_time IS NOT NULL)),
    CHECK (ended = (outcome IS NOT NULL))
);

CREATE INDEX job_live ON job (id) WHERE ended = 0;
CREATE INDEX job_of_user ON job (uid, id);
CREATE INDEX job_of_name ON job (name, id);
CREATE INDEX job_ended ON job (end_time, id) WHERE ended = 1;

-- Elements that have begun or were touched on their own.
CREATE TABLE task (
    job INTEGER NOT NULL,
    idx INTEGER NOT NULL CHECK (idx >= -1),
    state TEXT NOT NULL
        CHECK (state IN ('PENDING', 'RUNNING', 'SUSPENDED', 'STOPPING', 'ENDED')),
    outcome TEXT CHECK (outcome IN ('COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT',
        'OUT_OF_MEMORY', 'NODE_FAIL', 'PREEMPTED', 'DEADLINE')),
    exit_code INTEGER,
    start_time REAL,
    end_time REAL,
    record BLOB NOT NULL,
    PRIMARY KEY (job, idx),
    CHECK ((state = 'ENDED') = (outcome IS NOT NULL))
) WITHOUT ROWID;

-- Every index is one more page to write when an element changes: only what is asked of large arrays.
CREATE INDEX task_bad ON task (job, outcome) WHERE outcome <> 'COMPLETED';
CREATE INDEX task_end_time ON task (end_time) WHERE state = 'ENDED';

CREATE TABLE run (
    id INTEGER PRIMARY KEY CHECK (id > 0),
    job INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    attempt INTEGER NOT NULL CHECK (attempt > 0),
    end_time REAL,
    record BLOB NOT NULL,
    UNIQUE (job, idx, attempt)
);

CREATE TABLE event (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    time REAL NOT NULL,
    job INTEGER,                            -- NULL: the daemon's own
    idx INTEGER,                            -- NULL: of the job as a whole
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    cause TEXT NOT NULL,
    detail BLOB
);

CREATE INDEX event_of_job ON event (job, seq);

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

-- Jobs being removed, slice by slice. Nothing of any other job can be deleted.
CREATE TABLE purging (
    job INTEGER PRIMARY KEY
);

-------------------------------------------------------------------------------------------- job

CREATE TRIGGER job_added BEFORE INSERT ON job
BEGIN
    SELECT RAISE(ROLLBACK, 'a job id is never used twice')
    WHERE NEW.id <= (SELECT value FROM meta WHERE key = 'purged_job');
    SELECT RAISE(ROLLBACK, 'a new job has not ended') WHERE NEW.ended;
    SELECT RAISE(ROLLBACK, 'the environment of a new job is not stored')
    WHERE NEW.env IS NOT NULL AND NOT EXISTS (SELECT 1 FROM blob WHERE hash = NEW.env);
    SELECT RAISE(ROLLBACK, 'the script of a new job is not stored')
    WHERE NEW.script IS NOT NULL AND NOT EXISTS (SELECT 1 FROM blob WHERE hash = NEW.script);
END;

CREATE TRIGGER job_kept BEFORE UPDATE ON job
BEGIN
    SELECT RAISE(ROLLBACK, 'an ended job never changes') WHERE OLD.ended;
    SELECT RAISE(ROLLBACK, 'a job keeps its id') WHERE NEW.id <> OLD.id;
    SELECT RAISE(ROLLBACK, 'a job does not end before its elements')
    WHERE NEW.ended
    AND EXISTS (SELECT 1 FROM task WHERE job = NEW.id AND state <> 'ENDED');
END;

CREATE TRIGGER job_removed BEFORE DELETE ON job
BEGIN
    SELECT RAISE(ROLLBACK, 'only a job that is being purged is deleted')
    WHERE NOT EXISTS (SELECT 1 FROM purging WHERE job = OLD.id);
    SELECT RAISE(ROLLBACK, 'a job is deleted after all that belongs to it')
    WHERE EXISTS (SELECT 1 FROM task WHERE job = OLD.id)
    OR EXISTS (SELECT 1 FROM run WHERE job = OLD.id)
    OR EXISTS (SELECT 1 FROM event WHERE job = OLD.id);
    UPDATE meta SET value = OLD.id WHERE key = 'purged_job' AND value < OLD.id;
END;

CREATE TRIGGER purging_added BEFORE INSERT ON purging
WHEN (SELECT ended FROM job WHERE id = NEW.job) IS NOT 1
BEGIN
    SELECT RAISE(ROLLBACK, 'only an ended job is purged');
END;

------------------------------------------------------------------------------------------- task

CREATE TRIGGER task_added BEFORE INSERT ON task
WHEN (SELECT ended FROM job WHERE id = NEW.job) IS NOT 0
BEGIN
    SELECT RAISE(ROLLBACK, 'an element belongs to a job that has not ended');
END;

CREATE TRIGGER task_kept BEFORE UPDATE ON task
WHEN OLD.state = 'ENDED' OR NEW.job <> OLD.job OR NEW.idx <> OLD.idx
BEGIN
    SELECT RAISE(ROLLBACK, 'an ended element never changes');
END;

CREATE TRIGGER task_removed BEFORE DELETE ON task
WHEN NOT EXISTS (SELECT 1 FROM purging WHERE job = OLD.job)
BEGIN
    SELECT RAISE(ROLLBACK, 'only an element of a job that is being purged is deleted');
END;

-------------------------------------------------------------------------------------------- run

CREATE TRIGGER run_added BEFORE INSERT ON run
BEGIN
    SELECT RAISE(ROLLBACK, 'a run id is never used twice')
    WHERE NEW.id <= (SELECT value FROM meta WHERE key = 'purged_run');
    SELECT RAISE(ROLLBACK, 'a run belongs to an element that has not ended')
    WHERE (SELECT state FROM task WHERE job = NEW.job AND idx = NEW.idx) IS NULL
    OR (SELECT state FROM task WHERE job = NEW.job AND idx = NEW.idx) = 'ENDED';
END;

CREATE TRIGGER run_kept BEFORE UPDATE ON run
WHEN OLD.end_time IS NOT NULL OR NEW.id <> OLD.id OR NEW.job <> OLD.job OR NEW.idx <> OLD.idx
    OR NEW.attempt <> OLD.attempt
BEGIN
    SELECT RAISE(ROLLBACK, 'an ended run never changes');
END;

CREATE TRIGGER run_removed BEFORE DELETE ON run
BEGIN
    SELECT RAISE(ROLLBACK, 'only a run of a job that is being purged is deleted')
    WHERE NOT EXISTS (SELECT 1 FROM purging WHERE job = OLD.job);
    UPDATE meta SET value = OLD.id WHERE key = 'purged_run' AND value < OLD.id;
END;

------------------------------------------------------------------------------------------ event

CREATE TRIGGER event_kept BEFORE UPDATE ON event
BEGIN
    SELECT RAISE(ROLLBACK, 'what happened never changes');
END;

CREATE TRIGGER event_removed BEFORE DELETE ON event
BEGIN
    SELECT RAISE(ROLLBACK, 'only an event of a job that is being purged is deleted')
    WHERE OLD.job IS NOT NULL AND NOT EXISTS (SELECT 1 FROM purging WHERE job = OLD.job);
    UPDATE meta SET value = OLD.seq WHERE key = 'purged_event' AND value < OLD.seq;
END;

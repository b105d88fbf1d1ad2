BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE answers (
	"key" VARCHAR(64) NOT NULL, 
	status INTEGER NOT NULL, 
	body BLOB NOT NULL, 
	created_at DOUBLE NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE chunks (
	series_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	count INTEGER NOT NULL, 
	points BLOB NOT NULL, 
	PRIMARY KEY (series_id, number), 
	FOREIGN KEY(series_id) REFERENCES series (id) ON DELETE CASCADE
);
CREATE TABLE experiment_tags (
	experiment_id INTEGER NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (experiment_id, "key"), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE experiments (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(250) NOT NULL, 
	description TEXT NOT NULL, 
	owner VARCHAR(250) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	deleted_at DOUBLE
);
INSERT INTO "experiments" VALUES(1,'kept','','',1700000000.0,1700000000.0,NULL);
CREATE TABLE files (
	run_id VARCHAR(32) NOT NULL, 
	path VARCHAR(1000) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	uri TEXT, 
	size BIGINT, 
	sha256 VARCHAR(64), 
	step BIGINT, 
	created_at DOUBLE NOT NULL, 
	PRIMARY KEY (run_id, path), 
	FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
);
CREATE TABLE jobs (
	"key" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind VARCHAR(16) NOT NULL, 
	cluster VARCHAR(250) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	element BIGINT NOT NULL, 
	attempt INTEGER NOT NULL, 
	label VARCHAR(80) NOT NULL, 
	name TEXT NOT NULL, 
	user VARCHAR(250) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	state_time DOUBLE NOT NULL, 
	exit_code INTEGER, 
	signal INTEGER, 
	reason TEXT, 
	submit_time DOUBLE, 
	start_time DOUBLE, 
	end_time DOUBLE, 
	cpus BIGINT, 
	memory BIGINT, 
	gpus DOUBLE, 
	nodes TEXT NOT NULL, 
	time_limit DOUBLE, 
	partition VARCHAR(250) NOT NULL, 
	account VARCHAR(250) NOT NULL, 
	cpu_time DOUBLE, 
	max_rss BIGINT, 
	unknown_since DOUBLE, 
	updated_at DOUBLE NOT NULL, 
	UNIQUE (cluster, id, element)
);
INSERT INTO "jobs" VALUES(1,'slurm','slurm','42',-1,1,'42','','','UNKNOWN',0.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,'','',NULL,NULL,NULL,1700000000.0);
CREATE TABLE models (
	model_id VARCHAR(34) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	run_id VARCHAR(32), 
	name TEXT NOT NULL, 
	type TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	user VARCHAR(250) NOT NULL, 
	params TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	metrics TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	deleted_at DOUBLE, 
	PRIMARY KEY (model_id), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE CASCADE
);
CREATE TABLE params (
	run_id VARCHAR(32) NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	number DOUBLE, 
	value TEXT NOT NULL, 
	PRIMARY KEY (run_id, "key"), 
	FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "params" VALUES('0123456789abcdef0123456789abcdef','lr',0.1,'0.1');
CREATE TABLE runs (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id VARCHAR(32) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	reason TEXT, 
	source VARCHAR(16) NOT NULL, 
	user VARCHAR(250) NOT NULL, 
	host VARCHAR(250) NOT NULL, 
	seed BIGINT, 
	parent_run_id VARCHAR(32), 
	exit_code INTEGER, 
	created_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	ended_at DOUBLE, 
	heartbeat_at DOUBLE, 
	updated_at DOUBLE NOT NULL, 
	deleted_at DOUBLE, 
	job_key INTEGER, 
	note TEXT NOT NULL, 
	config TEXT NOT NULL, 
	FOREIGN KEY(experiment_id) REFERENCES experiments (id), 
	FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	UNIQUE (run_id)
);
INSERT INTO "runs" VALUES(1,'0123456789abcdef0123456789abcdef',1,'','RUNNING',NULL,'rest','','',NULL,NULL,NULL,1700000000.0,1700000000.0,NULL,1700000000.0,1700000000.0,NULL,1,'','{}');
CREATE TABLE secrets (
	name VARCHAR(32) NOT NULL, 
	value BLOB NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "secrets" VALUES('cursors',X'0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE series (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id VARCHAR(32) NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	count BIGINT NOT NULL, 
	chunks INTEGER NOT NULL, 
	last DOUBLE, 
	last_step BIGINT NOT NULL, 
	last_time DOUBLE NOT NULL, 
	min DOUBLE, 
	min_step BIGINT, 
	max DOUBLE, 
	max_step BIGINT, 
	FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE, 
	UNIQUE (run_id, "key")
);
INSERT INTO "series" VALUES(1,'0123456789abcdef0123456789abcdef','loss',1,0,0.5,0,1700000000.0,0.5,0,0.5,0);
CREATE TABLE sources (
	source VARCHAR(64) NOT NULL, 
	run_id VARCHAR(32) NOT NULL, 
	"offset" BIGINT NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	PRIMARY KEY (source)
);
CREATE TABLE tags (
	run_id VARCHAR(32) NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (run_id, "key"), 
	FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "tags" VALUES('0123456789abcdef0123456789abcdef','team','a');
CREATE TABLE tokens (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(250) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	user VARCHAR(250) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	scopes TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	expires_at DOUBLE, 
	revoked_at DOUBLE, 
	used_at DOUBLE, 
	session BOOLEAN NOT NULL, 
	UNIQUE (digest)
);
CREATE TABLE uses (
	run_id VARCHAR(32) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (run_id, kind, "key"), 
	FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
);
CREATE TABLE webhooks (
	event VARCHAR(64) NOT NULL, 
	received_at DOUBLE NOT NULL, 
	PRIMARY KEY (event)
);
CREATE UNIQUE INDEX experiments_name ON experiments (name) WHERE deleted_at IS NULL;
CREATE INDEX jobs_state ON jobs (state);
CREATE INDEX runs_deleted ON runs (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX runs_job ON runs (job_key);
CREATE INDEX runs_live ON runs (experiment_id, seq) WHERE deleted_at IS NULL;
CREATE INDEX runs_started ON runs (started_at, seq) WHERE deleted_at IS NULL;
CREATE INDEX runs_status ON runs (status, seq);
CREATE INDEX params_number ON params ("key", number);
CREATE INDEX params_value ON params ("key", substr(value, 1, 100));
CREATE INDEX tags_value ON tags ("key", substr(value, 1, 100));
CREATE INDEX series_key ON series ("key", last);
CREATE INDEX webhooks_received ON webhooks (received_at);
CREATE INDEX models_experiment ON models (experiment_id, created_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('experiments',1);
INSERT INTO "sqlite_sequence" VALUES('jobs',1);
INSERT INTO "sqlite_sequence" VALUES('runs',1);
INSERT INTO "sqlite_sequence" VALUES('series',1);
COMMIT;

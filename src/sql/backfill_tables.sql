-- Tables of backfills.  A job is what was asked for and how it stands; its
-- leaves are the tables with storage that it goes through, one after the other;
-- its lanes are the shares of the work, each with the piece of a leaf that it
-- has claimed and with counters.  A batch writes the row of its lane, in the
-- transaction that changes the user's rows; everything else changes rarely.

CREATE TABLE migrate.backfill_job (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text COLLATE pg_catalog."C" NOT NULL UNIQUE,
	state text NOT NULL CHECK (state IN ('queued', 'running', 'paused', 'suspended',
		'done', 'failed', 'cancelled')),
	reason text NOT NULL DEFAULT '',
	command text NOT NULL CHECK (command IN ('UPDATE', 'DELETE', 'COPY')),
	relid oid NOT NULL,
	relation text NOT NULL,
	assign text,
	filter text,
	predicate text,
	set_columns text[] NOT NULL,
	strategy text NOT NULL CHECK (strategy IN ('pages', 'key')),
	strategy_reason text NOT NULL,
	key_columns text[],
	settings text[] NOT NULL,
	lanes integer,
	batch_rows integer,
	batch_ms integer,
	"window" text,
	not_before timestamptz,
	priority integer NOT NULL,
	max_bad_rows bigint,
	max_lag double precision,
	max_wal_rate bigint,
	duty integer,
	hold_when text,
	vacuum_analyze boolean NOT NULL,
	submitted_by text NOT NULL,
	submitted_by_oid oid NOT NULL,
	submitted_in bigint NOT NULL,
	database oid NOT NULL,
	run_as text NOT NULL,
	run_as_oid oid NOT NULL,
	submitted_at timestamptz NOT NULL,
	finished_at timestamptz,
	due_at timestamptz,
	sqlstate text,
	error text
) WITH (fillfactor = 50);
COMMENT ON TABLE migrate.backfill_job IS 'backfills, as they stand';
COMMENT ON COLUMN migrate.backfill_job.id IS 'number of the backfill';
COMMENT ON COLUMN migrate.backfill_job.name IS 'its name';
COMMENT ON COLUMN migrate.backfill_job.state IS 'queued, running, paused, suspended, done, failed or cancelled';
COMMENT ON COLUMN migrate.backfill_job.reason IS 'why it is in that state, in words';
COMMENT ON COLUMN migrate.backfill_job.command IS 'UPDATE, DELETE, or COPY to another table';
COMMENT ON COLUMN migrate.backfill_job.relid IS 'OID of the table';
COMMENT ON COLUMN migrate.backfill_job.relation IS 'name of the table when it was submitted';
COMMENT ON COLUMN migrate.backfill_job.assign IS 'SET list, as submitted; NULL for DELETE; the INSERT for COPY';
COMMENT ON COLUMN migrate.backfill_job.filter IS 'condition on the rows, as submitted, or NULL';
COMMENT ON COLUMN migrate.backfill_job.predicate IS 'condition that the engine uses: tells rows to be done from others';
COMMENT ON COLUMN migrate.backfill_job.set_columns IS 'columns that it sets';
COMMENT ON COLUMN migrate.backfill_job.strategy IS 'pages or key';
COMMENT ON COLUMN migrate.backfill_job.strategy_reason IS 'why that strategy';
COMMENT ON COLUMN migrate.backfill_job.key_columns IS 'columns of the key that it goes by, or NULL';
COMMENT ON COLUMN migrate.backfill_job.settings IS 'settings of the session that submitted it that say what its text means: names and values in turn';
COMMENT ON COLUMN migrate.backfill_job.lanes IS 'number of workers at a time; NULL: the setting, as for all limits';
COMMENT ON COLUMN migrate.backfill_job.batch_rows IS 'most rows of a batch';
COMMENT ON COLUMN migrate.backfill_job.batch_ms IS 'time that a batch should take at most, in milliseconds';
COMMENT ON COLUMN migrate.backfill_job."window" IS 'hours in which it may run';
COMMENT ON COLUMN migrate.backfill_job.not_before IS 'when it may start';
COMMENT ON COLUMN migrate.backfill_job.priority IS 'higher goes first';
COMMENT ON COLUMN migrate.backfill_job.max_bad_rows IS 'rows that may fail before the backfill does';
COMMENT ON COLUMN migrate.backfill_job.max_lag IS 'seconds that a standby may be behind';
COMMENT ON COLUMN migrate.backfill_job.max_wal_rate IS 'bytes of WAL that it may write in a second';
COMMENT ON COLUMN migrate.backfill_job.duty IS 'percentage of the time that it may work';
COMMENT ON COLUMN migrate.backfill_job.hold_when IS 'SQL condition that holds it while true';
COMMENT ON COLUMN migrate.backfill_job.vacuum_analyze IS 'whether the table is vacuumed and analyzed at the end';
COMMENT ON COLUMN migrate.backfill_job.submitted_by IS 'role that submitted it, and whose code it is';
COMMENT ON COLUMN migrate.backfill_job.submitted_by_oid IS 'OID of that role';
COMMENT ON COLUMN migrate.backfill_job.submitted_in IS 'system identifier of the cluster in which it runs';
COMMENT ON COLUMN migrate.backfill_job.database IS 'OID of the database in which it runs';
COMMENT ON COLUMN migrate.backfill_job.run_as IS 'role that its workers connect as';
COMMENT ON COLUMN migrate.backfill_job.run_as_oid IS 'OID of that role';
COMMENT ON COLUMN migrate.backfill_job.submitted_at IS 'when it was submitted';
COMMENT ON COLUMN migrate.backfill_job.finished_at IS 'when it ended';
COMMENT ON COLUMN migrate.backfill_job.due_at IS 'when its next worker is to start; NULL: at once';
COMMENT ON COLUMN migrate.backfill_job.sqlstate IS 'SQLSTATE of the error that stopped it';
COMMENT ON COLUMN migrate.backfill_job.error IS 'message of that error';

CREATE TABLE migrate.backfill_leaf (
	job_id bigint NOT NULL REFERENCES migrate.backfill_job ON DELETE CASCADE,
	leaf integer NOT NULL,
	relid oid NOT NULL,
	relation text NOT NULL,
	rows_estimate bigint NOT NULL,
	pass integer NOT NULL,
	pass_rows bigint NOT NULL DEFAULT 0,
	blocks bigint NOT NULL,
	next_block bigint NOT NULL DEFAULT 0,
	next_key text[],
	last_key text[],
	units_done bigint NOT NULL DEFAULT 0,
	done boolean NOT NULL DEFAULT false,
	PRIMARY KEY (job_id, leaf)
) WITH (fillfactor = 50);
COMMENT ON TABLE migrate.backfill_leaf IS 'tables with storage that a backfill goes through';
COMMENT ON COLUMN migrate.backfill_leaf.job_id IS 'backfill it belongs to';
COMMENT ON COLUMN migrate.backfill_leaf.leaf IS 'its number, in the order in which they are gone through';
COMMENT ON COLUMN migrate.backfill_leaf.relid IS 'OID of the table';
COMMENT ON COLUMN migrate.backfill_leaf.relation IS 'name of the table';
COMMENT ON COLUMN migrate.backfill_leaf.rows_estimate IS 'rows in the table, as the planner saw it at the start';
COMMENT ON COLUMN migrate.backfill_leaf.pass IS 'number of the pass through the table';
COMMENT ON COLUMN migrate.backfill_leaf.pass_rows IS 'rows changed in this pass, in pieces that are finished';
COMMENT ON COLUMN migrate.backfill_leaf.blocks IS 'pages of the table at the start of the pass, where it ends';
COMMENT ON COLUMN migrate.backfill_leaf.next_block IS 'first page that no lane has claimed in this pass';
COMMENT ON COLUMN migrate.backfill_leaf.next_key IS 'key up to which the lanes have claimed, or NULL at the start';
COMMENT ON COLUMN migrate.backfill_leaf.last_key IS 'highest key at the start, where it ends';
COMMENT ON COLUMN migrate.backfill_leaf.units_done IS 'pages of the first pass, or rows by key, in pieces that are finished';
COMMENT ON COLUMN migrate.backfill_leaf.done IS 'whether there is nothing left in it';

-- The row of a lane is updated by every batch: leave it alone on its page.
CREATE TABLE migrate.backfill_lane (
	job_id bigint NOT NULL REFERENCES migrate.backfill_job ON DELETE CASCADE,
	lane integer NOT NULL,
	leaf integer,
	pass integer,
	from_block bigint,
	to_block bigint,
	from_key text[],
	to_key text[],
	piece_units bigint NOT NULL DEFAULT 0,
	piece_done double precision NOT NULL DEFAULT 0,
	piece_rows bigint NOT NULL DEFAULT 0,
	phase text NOT NULL DEFAULT 'starting',
	reason text NOT NULL DEFAULT '',
	packing text NOT NULL DEFAULT '',
	crashes integer NOT NULL DEFAULT 0,
	batch_rows integer NOT NULL DEFAULT 0,
	batches bigint NOT NULL DEFAULT 0,
	rows bigint NOT NULL DEFAULT 0,
	hot_rows bigint NOT NULL DEFAULT 0,
	bad_rows bigint NOT NULL DEFAULT 0,
	retries bigint NOT NULL DEFAULT 0,
	pages bigint NOT NULL DEFAULT 0,
	wal_bytes bigint NOT NULL DEFAULT 0,
	wal_fpi bigint NOT NULL DEFAULT 0,
	busy_ms double precision NOT NULL DEFAULT 0,
	lock_wait_ms double precision NOT NULL DEFAULT 0,
	throttle_ms double precision NOT NULL DEFAULT 0,
	rate double precision NOT NULL DEFAULT 0,
	first_batch_at timestamptz,
	updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	PRIMARY KEY (job_id, lane)
) WITH (fillfactor = 10);
COMMENT ON TABLE migrate.backfill_lane IS 'lanes of a backfill: the piece each has claimed, and what it did';
COMMENT ON COLUMN migrate.backfill_lane.job_id IS 'backfill it belongs to';
COMMENT ON COLUMN migrate.backfill_lane.lane IS 'its number; 0 is for sessions that run batches themselves';
COMMENT ON COLUMN migrate.backfill_lane.leaf IS 'table in which it has claimed a piece, or NULL';
COMMENT ON COLUMN migrate.backfill_lane.pass IS 'pass of that table to which the piece belongs';
COMMENT ON COLUMN migrate.backfill_lane.from_block IS 'first page of the piece';
COMMENT ON COLUMN migrate.backfill_lane.to_block IS 'page before which the piece ends';
COMMENT ON COLUMN migrate.backfill_lane.from_key IS 'key after which the rest of the piece begins';
COMMENT ON COLUMN migrate.backfill_lane.to_key IS 'last key of the piece';
COMMENT ON COLUMN migrate.backfill_lane.piece_units IS 'size of the piece, in pages or rows';
COMMENT ON COLUMN migrate.backfill_lane.piece_done IS 'share of the piece that is done, from 0 to 1';
COMMENT ON COLUMN migrate.backfill_lane.piece_rows IS 'rows changed in the piece so far';
COMMENT ON COLUMN migrate.backfill_lane.phase IS 'what the lane does';
COMMENT ON COLUMN migrate.backfill_lane.reason IS 'why it is slow or waits, in words';
COMMENT ON COLUMN migrate.backfill_lane.packing IS 'why rows are not updated in place on their pages, in words';
COMMENT ON COLUMN migrate.backfill_lane.crashes IS 'starts of its worker since the last batch that was committed';
COMMENT ON COLUMN migrate.backfill_lane.batch_rows IS 'rows that a batch is meant to have now';
COMMENT ON COLUMN migrate.backfill_lane.batches IS 'batches committed';
COMMENT ON COLUMN migrate.backfill_lane.rows IS 'rows changed';
COMMENT ON COLUMN migrate.backfill_lane.hot_rows IS 'rows whose new version stayed on the page, without new index entries';
COMMENT ON COLUMN migrate.backfill_lane.bad_rows IS 'rows put aside because of an error';
COMMENT ON COLUMN migrate.backfill_lane.retries IS 'batches tried again because of locks, deadlocks or serialization failures';
COMMENT ON COLUMN migrate.backfill_lane.pages IS 'buffers made dirty';
COMMENT ON COLUMN migrate.backfill_lane.wal_bytes IS 'WAL written, in bytes';
COMMENT ON COLUMN migrate.backfill_lane.wal_fpi IS 'full page images in it';
COMMENT ON COLUMN migrate.backfill_lane.busy_ms IS 'time spent in batches';
COMMENT ON COLUMN migrate.backfill_lane.lock_wait_ms IS 'time of batches that were lost to locks';
COMMENT ON COLUMN migrate.backfill_lane.throttle_ms IS 'time it waited because of limits';
COMMENT ON COLUMN migrate.backfill_lane.rate IS 'rows per second lately';
COMMENT ON COLUMN migrate.backfill_lane.first_batch_at IS 'when its first batch was done, or NULL';
COMMENT ON COLUMN migrate.backfill_lane.updated_at IS 'when it last wrote this row';

CREATE TABLE migrate.backfill_bad_row (
	job_id bigint NOT NULL REFERENCES migrate.backfill_job ON DELETE CASCADE,
	relid oid NOT NULL,
	relation text NOT NULL,
	mark text NOT NULL,
	row_ctid tid NOT NULL,
	row_xmin xid NOT NULL,
	row_key text,
	key_values text[],
	retry boolean NOT NULL DEFAULT false,
	sqlstate text NOT NULL,
	message text NOT NULL,
	detail text,
	at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	PRIMARY KEY (job_id, relid, mark)
);
COMMENT ON TABLE migrate.backfill_bad_row IS 'rows that a backfill put aside because of an error';
COMMENT ON COLUMN migrate.backfill_bad_row.job_id IS 'backfill it belongs to';
COMMENT ON COLUMN migrate.backfill_bad_row.relid IS 'OID of the table';
COMMENT ON COLUMN migrate.backfill_bad_row.relation IS 'name of the table';
COMMENT ON COLUMN migrate.backfill_bad_row.mark IS 'what tells the row from others: its place, or the key that the backfill goes by';
COMMENT ON COLUMN migrate.backfill_bad_row.row_ctid IS 'place of the row in the table';
COMMENT ON COLUMN migrate.backfill_bad_row.row_xmin IS 'xmin of the row version; another one at the place is another row';
COMMENT ON COLUMN migrate.backfill_bad_row.row_key IS 'key of the row, as JSON, or NULL if the table has none';
COMMENT ON COLUMN migrate.backfill_bad_row.key_values IS 'values of the key that the backfill goes by, or NULL by pages';
COMMENT ON COLUMN migrate.backfill_bad_row.retry IS 'whether the row is to be tried again';
COMMENT ON COLUMN migrate.backfill_bad_row.sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN migrate.backfill_bad_row.message IS 'message of the error';
COMMENT ON COLUMN migrate.backfill_bad_row.detail IS 'its detail, or NULL';
COMMENT ON COLUMN migrate.backfill_bad_row.at IS 'when it happened';

CREATE TABLE migrate.backfill_minute (
	job_id bigint NOT NULL REFERENCES migrate.backfill_job ON DELETE CASCADE,
	at timestamptz NOT NULL,
	rows bigint NOT NULL,
	rate double precision NOT NULL,
	batches bigint NOT NULL,
	p50_ms double precision NOT NULL,
	p90_ms double precision NOT NULL,
	p99_ms double precision NOT NULL,
	wal_bytes bigint NOT NULL,
	lag double precision NOT NULL,
	PRIMARY KEY (job_id, at)
);
COMMENT ON TABLE migrate.backfill_minute IS 'one row a minute for each backfill that runs; the oldest ones go by themselves';
COMMENT ON COLUMN migrate.backfill_minute.job_id IS 'backfill it belongs to';
COMMENT ON COLUMN migrate.backfill_minute.at IS 'end of the minute';
COMMENT ON COLUMN migrate.backfill_minute.rows IS 'rows changed until then';
COMMENT ON COLUMN migrate.backfill_minute.rate IS 'rows per second since the row before';
COMMENT ON COLUMN migrate.backfill_minute.batches IS 'batches of the lane that wrote it, in that time';
COMMENT ON COLUMN migrate.backfill_minute.p50_ms IS 'median of the time of these batches';
COMMENT ON COLUMN migrate.backfill_minute.p90_ms IS '90th percentile of it';
COMMENT ON COLUMN migrate.backfill_minute.p99_ms IS '99th percentile of it';
COMMENT ON COLUMN migrate.backfill_minute.wal_bytes IS 'WAL written until then, in bytes';
COMMENT ON COLUMN migrate.backfill_minute.lag IS 'seconds that the standby furthest behind was behind';

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.backfill_job
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.backfill_leaf
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.backfill_lane
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.backfill_bad_row
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.backfill_minute
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
ALTER TABLE migrate.backfill_job ENABLE ALWAYS TRIGGER guard;
ALTER TABLE migrate.backfill_leaf ENABLE ALWAYS TRIGGER guard;
ALTER TABLE migrate.backfill_lane ENABLE ALWAYS TRIGGER guard;
ALTER TABLE migrate.backfill_bad_row ENABLE ALWAYS TRIGGER guard;
ALTER TABLE migrate.backfill_minute ENABLE ALWAYS TRIGGER guard;

SELECT pg_catalog.pg_extension_config_dump('migrate.backfill_job', '');
SELECT pg_catalog.pg_extension_config_dump('migrate.backfill_job_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('migrate.backfill_leaf', '');
SELECT pg_catalog.pg_extension_config_dump('migrate.backfill_lane', '');
SELECT pg_catalog.pg_extension_config_dump('migrate.backfill_bad_row', '');
SELECT pg_catalog.pg_extension_config_dump('migrate.backfill_minute', '');

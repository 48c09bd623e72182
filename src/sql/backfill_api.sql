-- Functions and procedures of backfills; see api.sql for what all have in common.

CREATE FUNCTION migrate.backfill(target regclass, assign text DEFAULT NULL,
	filter text DEFAULT NULL, name text DEFAULT NULL, strategy text DEFAULT 'auto',
	key text[] DEFAULT NULL, lanes integer DEFAULT NULL, batch_rows integer DEFAULT NULL,
	batch_ms integer DEFAULT NULL, "window" text DEFAULT NULL,
	not_before timestamptz DEFAULT NULL, priority integer DEFAULT 0,
	max_bad_rows bigint DEFAULT NULL, max_lag interval DEFAULT NULL,
	max_wal_rate bigint DEFAULT NULL, duty integer DEFAULT NULL,
	hold_when text DEFAULT NULL, vacuum_analyze boolean DEFAULT false,
	"delete" boolean DEFAULT false, run_as regrole DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'pgmigrate_backfill'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.backfill(regclass, text, text, text, text, text[], integer,
	integer, integer, text, timestamptz, integer, bigint, interval, bigint, integer, text,
	boolean, boolean, regrole) IS
'queue an UPDATE, or a DELETE, of the rows of a table, to be done in batches in the background';

CREATE FUNCTION migrate.backfill_batch(id bigint)
RETURNS bigint
AS 'MODULE_PATHNAME', 'pgmigrate_backfill_batch'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.backfill_batch(bigint) IS
'do one batch of a backfill now, in this transaction; returns the rows done, 0 when none is left';

CREATE FUNCTION migrate.alter_backfill(id bigint, lanes integer DEFAULT NULL,
	batch_rows integer DEFAULT NULL, batch_ms integer DEFAULT NULL,
	"window" text DEFAULT NULL, not_before timestamptz DEFAULT NULL,
	priority integer DEFAULT NULL, max_bad_rows bigint DEFAULT NULL,
	max_lag interval DEFAULT NULL, max_wal_rate bigint DEFAULT NULL,
	duty integer DEFAULT NULL, hold_when text DEFAULT NULL,
	vacuum_analyze boolean DEFAULT NULL, reset text[] DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'pgmigrate_alter_backfill'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.alter_backfill(bigint, integer, integer, integer, text,
	timestamptz, integer, bigint, interval, bigint, integer, text, boolean, text[]) IS
'change limits of a backfill, also while it runs; those named in "reset" go back to the settings';

CREATE FUNCTION migrate.pause(id bigint) RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_pause'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.pause(bigint) IS 'stop a backfill, to be resumed';
CREATE FUNCTION migrate.pause(name text) RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_pause'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.pause(text) IS 'stop a backfill, to be resumed';

CREATE FUNCTION migrate.resume(id bigint) RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_resume'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.resume(bigint) IS 'go on with a backfill that is paused, suspended or has lost its worker';
CREATE FUNCTION migrate.resume(name text) RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_resume'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.resume(text) IS 'go on with a backfill that is paused, suspended or has lost its worker';

CREATE FUNCTION migrate.cancel(id bigint) RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_cancel'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.cancel(bigint) IS 'end a backfill for good, with the statement it is in; rows that are done stay done';
CREATE FUNCTION migrate.cancel(name text) RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_cancel'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.cancel(text) IS 'end a backfill for good, with the statement it is in; rows that are done stay done';

CREATE FUNCTION migrate.retry(id bigint) RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_retry'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.retry(bigint) IS 'go on with a backfill that failed, and, by pages, try the rows again that it put aside';
CREATE FUNCTION migrate.retry(name text) RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_retry'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.retry(text) IS 'go on with a backfill that failed, and, by pages, try the rows again that it put aside';

CREATE FUNCTION migrate.estimate(id bigint, OUT rows bigint, OUT duration interval,
	OUT wal_bytes bigint, OUT locks text, OUT strategy text, OUT reason text, OUT sampled bigint)
RETURNS record
AS 'MODULE_PATHNAME', 'pgmigrate_estimate_job'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.estimate(bigint) IS
'run a few batches of a backfill, roll them back, and tell what the whole would take';
CREATE FUNCTION migrate.estimate(target regclass, assign text,
	filter text DEFAULT NULL, strategy text DEFAULT 'auto', key text[] DEFAULT NULL,
	"delete" boolean DEFAULT false, OUT rows bigint, OUT duration interval,
	OUT wal_bytes bigint, OUT locks text, OUT strategy text, OUT reason text, OUT sampled bigint)
RETURNS record
AS 'MODULE_PATHNAME', 'pgmigrate_estimate_arguments'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.estimate(regclass, text, text, text, text[], boolean) IS
'run a few batches of a backfill that is not submitted, roll them back, and tell what the whole would take';

CREATE PROCEDURE migrate.wait(id bigint, timeout interval DEFAULT NULL)
AS 'MODULE_PATHNAME', 'pgmigrate_wait'
LANGUAGE C;
COMMENT ON PROCEDURE migrate.wait(bigint, interval) IS
'wait until a backfill has ended, with a notice for every change';
CREATE PROCEDURE migrate.wait(name text, timeout interval DEFAULT NULL)
AS 'MODULE_PATHNAME', 'pgmigrate_wait'
LANGUAGE C;
COMMENT ON PROCEDURE migrate.wait(text, interval) IS
'wait until a backfill has ended, with a notice for every change';

CREATE PROCEDURE migrate.finish(id bigint)
AS 'MODULE_PATHNAME', 'pgmigrate_finish'
LANGUAGE C;
COMMENT ON PROCEDURE migrate.finish(bigint) IS
'do what is left of a backfill in this session, with a commit after each batch';
CREATE PROCEDURE migrate.finish(name text)
AS 'MODULE_PATHNAME', 'pgmigrate_finish'
LANGUAGE C;
COMMENT ON PROCEDURE migrate.finish(text) IS
'do what is left of a backfill in this session, with a commit after each batch';

CREATE FUNCTION migrate.next_window("window" text, at timestamptz DEFAULT pg_catalog.now())
RETURNS timestamptz
AS 'MODULE_PATHNAME', 'pgmigrate_next_window'
LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION migrate.next_window(text, timestamptz) IS
'the time given if an off-peak window is open then, else when it opens next';

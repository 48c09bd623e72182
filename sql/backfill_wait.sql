--
-- Workers do backfills from the commit on that submitted them, and wait() waits.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
CREATE SCHEMA bf;
SET search_path = bf;
CREATE TABLE t (id int PRIMARY KEY, a int, n int DEFAULT 0);
INSERT INTO t SELECT g FROM generate_series(1, 100) g;
CREATE VIEW jobs AS
SELECT name, state, reason, rows, bad_rows, started_at IS NOT NULL AS started, finished_at IS NOT NULL AS finished
FROM migrate.backfill_history ORDER BY id;

-- a worker does it, without preloading: from the commit on
SELECT migrate.backfill('t', 'a = id', name => 'by a worker') IS NOT NULL AS queued;
CALL migrate.wait('by a worker');
SELECT count(*) FROM t WHERE a = id;
SELECT * FROM jobs;
SELECT migrate.backfill('t', 'n = n + 1', name => 'by key') AS id \gset
CALL migrate.wait(:id);
SELECT n, count(*) FROM t GROUP BY n;
SELECT * FROM jobs;
-- it can be waited for again, and by name or number
CALL migrate.wait('by key');
CALL migrate.wait(:id, '0 seconds');
CALL migrate.wait(id => :id, timeout => interval '1 minute');
CALL migrate.wait(name => 'by key', timeout => NULL);

-- nothing starts before the commit, or at all if there is none
BEGIN;
SELECT migrate.backfill('t', 'n = 100', name => 'rolled back') IS NOT NULL AS queued;
SELECT pg_sleep(0.2);
SELECT max(n) FROM t;
ROLLBACK;
SELECT count(*) FROM migrate.backfill_history WHERE name = 'rolled back';
SELECT count(*) FROM migrate.backfill_leaf WHERE job_id NOT IN (SELECT id FROM migrate.backfill_job);
SELECT pg_sleep(0.2);
SELECT max(n) FROM t;
CALL migrate.wait('rolled back');
-- the same with a savepoint
BEGIN;
SAVEPOINT a;
SELECT migrate.backfill('t', 'n = 100', name => 'rolled back') IS NOT NULL AS queued;
ROLLBACK TO a;
SELECT migrate.backfill('t', 'n = 2', name => 'kept') IS NOT NULL AS queued;
COMMIT;
CALL migrate.wait('kept');
SELECT n, count(*) FROM t GROUP BY n;
-- several, of one table and of several, in one transaction
CREATE TABLE t2 (LIKE t INCLUDING ALL);
INSERT INTO t2 SELECT g FROM generate_series(1, 100) g;
BEGIN;
SELECT migrate.backfill('t', 'n = n + 1', name => 'one') IS NOT NULL, migrate.backfill('t', 'n = n + 10', name => 'two') IS NOT NULL,
	migrate.backfill('t2', 'n = n + 1', name => 'three') IS NOT NULL AS queued;
COMMIT;
CALL migrate.wait('three');
CALL migrate.wait('two');
CALL migrate.wait('one');
SELECT n, count(*) FROM t GROUP BY n;
SELECT n, count(*) FROM t2 GROUP BY n;
-- more lanes than there is work for
SELECT migrate.backfill('t', 'a = n', name => 'lanes', lanes => 3) IS NOT NULL AS queued;
CALL migrate.wait('lanes');
SELECT count(*) FROM t WHERE a = n;
-- vacuum and analyze at the end
SELECT migrate.backfill('t', 'a = n + 1', name => 'vacuum', vacuum_analyze => true) IS NOT NULL AS queued;
CALL migrate.wait('vacuum');
SELECT reltuples, relpages > 0 AS pages FROM pg_class WHERE oid = 't'::regclass;
SELECT attname FROM pg_stats WHERE schemaname = 'bf' AND tablename = 't' ORDER BY attname;

-- wait() for what has not ended, or not well
BEGIN;
SELECT migrate.backfill('t', 'n = 5', name => 'paused') IS NOT NULL AS queued;
SELECT migrate.pause('paused');
COMMIT;
CALL migrate.wait('paused', '0.3 s');
CALL migrate.wait('paused', '-1 day');
SET statement_timeout = '300ms';
CALL migrate.wait('paused');
RESET statement_timeout;
SELECT migrate.cancel('paused');
\set VERBOSITY terse
CALL migrate.wait('paused');
\set VERBOSITY default
SELECT migrate.backfill('t', 'a = 1 / (id - id)', name => 'fails', max_bad_rows => 3) IS NOT NULL AS queued;
\set VERBOSITY terse
CALL migrate.wait('fails');
\set VERBOSITY default
SELECT state, bad_rows > 3 AS bad FROM migrate.backfill_history WHERE name = 'fails';
-- an error that is not about rows: at once, and as it was
CREATE FUNCTION stop() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '55000', DETAIL = 'The detail.'; END $$;
SELECT migrate.backfill('t', 'a = stop()', name => 'stops') IS NOT NULL AS queued;
CALL migrate.wait('stops');
SELECT state, sqlstate, error, rows, bad_rows FROM migrate.backfill_history WHERE name = 'stops';
CALL migrate.wait(NULL::bigint);
CALL migrate.wait(NULL::text);
CALL migrate.wait('');
CALL migrate.wait(0);
CALL migrate.wait('nothing');

DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;

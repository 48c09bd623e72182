--
-- finish(): batches in this session, with a commit after each; and calls of
-- finish() and wait() that are refused.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
CREATE SCHEMA bf;
SET search_path = bf;
CREATE TABLE t (id int PRIMARY KEY, a int, n int DEFAULT 0);
INSERT INTO t SELECT g FROM generate_series(1, 200) g;
CREATE VIEW jobs AS
SELECT name, state, reason, rows, bad_rows, started_at IS NOT NULL AS started, finished_at IS NOT NULL AS finished
FROM migrate.backfill_history ORDER BY id;

-- finish(): all of it, or the rest, or with nothing left
BEGIN;
SELECT migrate.backfill('t', 'n = n + 1', name => 'here', batch_rows => 50) AS id \gset
SELECT migrate.pause('here');
COMMIT;
SELECT migrate.backfill_batch(:id);
CALL migrate.finish('here');
SELECT n, count(*) FROM t GROUP BY n;
SELECT * FROM jobs WHERE name = 'here';
CALL migrate.finish('here');
CALL migrate.finish(:id);
-- each batch is a transaction
BEGIN;
SELECT migrate.backfill('t', 'a = txid_current()', 'a IS NOT NULL', name => 'transactions', batch_rows => 40, strategy => 'key') IS NOT NULL AS queued;
SELECT migrate.pause('transactions');
COMMIT;
CALL migrate.finish('transactions');
SELECT count(DISTINCT a) >= 5 AS several FROM t;
-- one lane gives the values of a sequence in the order of the rows
CREATE SEQUENCE numbers;
CREATE TABLE numbered (place int, pad text DEFAULT repeat('x', 50), n int);
INSERT INTO numbered SELECT g FROM generate_series(1, 5000) g;
BEGIN;
SELECT migrate.backfill('numbered', 'n = nextval(''bf.numbers'')', 'n IS NULL', name => 'numbers', lanes => 1) IS NOT NULL AS queued;
SELECT migrate.pause('numbers');
COMMIT;
CALL migrate.finish('numbers');
SELECT count(*), count(*) FILTER (WHERE n = place) AS in_order FROM numbered;
SELECT packing FROM migrate.progress WHERE name = 'numbers';
-- from a procedure, and a DO block
CREATE PROCEDURE finish_it(job text) LANGUAGE plpgsql AS $$
BEGIN
	CALL migrate.finish(job);
	RAISE INFO 'finished: %', (SELECT state FROM migrate.backfill_history WHERE name = job);
	COMMIT;
END $$;
BEGIN;
SELECT migrate.backfill('t', 'n = 0', name => 'nested') IS NOT NULL AS queued;
SELECT migrate.pause('nested');
COMMIT;
CALL finish_it('nested');
DO $$
BEGIN
	PERFORM migrate.backfill('t', 'n = 1', name => 'do');
	PERFORM migrate.pause('do');
	COMMIT;
	CALL migrate.finish('do');
	CALL migrate.wait('do');
END $$;
SELECT n, count(*) FROM t GROUP BY n;

-- refused where a transaction is open
BEGIN;
CALL migrate.wait('do');
ROLLBACK;
BEGIN;
CALL migrate.finish('do');
ROLLBACK;
\set SHOW_CONTEXT never
CREATE FUNCTION call_wait() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL migrate.wait('do'); END $$;
SELECT call_wait();
CREATE FUNCTION call_finish() RETURNS void LANGUAGE sql AS $$ CALL migrate.finish('do') $$;
SELECT call_finish();
DO $$ BEGIN BEGIN CALL migrate.finish('do'); EXCEPTION WHEN division_by_zero THEN END; END $$;
\set SHOW_CONTEXT errors
SELECT 1 \; CALL migrate.wait('do');

-- what has ended
BEGIN;
SELECT migrate.backfill('t', 'n = 5', name => 'cancelled') IS NOT NULL AS queued;
SELECT migrate.cancel('cancelled');
COMMIT;
CALL migrate.finish('cancelled');
-- wrong calls
CALL migrate.finish(NULL::bigint);
CALL migrate.finish(NULL::text);
CALL migrate.finish('');
CALL migrate.finish('nothing');
CALL migrate.finish(-1);

-- the settings of this session are its own after all that
SHOW search_path;
SHOW lock_timeout;
SHOW row_security;

DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;

--
-- backfill_batch(): batches in transactions of one's own.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
CREATE SCHEMA bf;
SET search_path = bf;
CREATE TABLE t (id int PRIMARY KEY, a int, n int DEFAULT 0);
INSERT INTO t SELECT g FROM generate_series(1, 100) g;
-- Submit, and keep the workers from it.
CREATE FUNCTION submit(new text, condition text DEFAULT NULL, size int DEFAULT 30, way text DEFAULT 'auto', target regclass DEFAULT 't') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	job bigint := migrate.backfill(target, new, condition, batch_rows => size, strategy => way);
BEGIN
	PERFORM migrate.pause(job);
	RETURN job;
END $$;

-- rows done, then 0, for both strategies
SELECT submit('a = id') AS id \gset
SELECT migrate.backfill_batch(:id);
SELECT count(*) FROM t WHERE a = id;
SELECT state, rows FROM migrate.backfill_history WHERE id = :id;
DO $$
DECLARE
	sum bigint := 0;
	rows bigint;
BEGIN
	LOOP
		rows := migrate.backfill_batch((SELECT max(id) FROM migrate.backfill_history));
		EXIT WHEN rows = 0;
		ASSERT rows <= 30;
		sum := sum + rows;
		COMMIT;
	END LOOP;
	RAISE INFO 'the rest: %', sum;
END $$;
SELECT count(*) FROM t WHERE a = id;
SELECT state, reason, rows, bad_rows, started_at IS NOT NULL AS started, finished_at IS NOT NULL AS finished FROM migrate.backfill_history WHERE id = :id;
-- 0 for ever
SELECT migrate.backfill_batch(:id), migrate.backfill_batch(:id);
SELECT submit('n = n + 1', size => 30) AS id \gset
SELECT migrate.backfill_batch(:id) AS b1;
SELECT migrate.backfill_batch(:id) AS b2;
SELECT n, count(*) FROM t GROUP BY n ORDER BY n;
SELECT migrate.backfill_batch(:id) AS b3, migrate.backfill_batch(:id) AS b4, migrate.backfill_batch(:id) AS b5;
SELECT n, count(*) FROM t GROUP BY n ORDER BY n;
SELECT state, rows FROM migrate.backfill_history WHERE id = :id;

-- a batch that is rolled back was not done: rows, marker and counters
SELECT submit('n = n + 1', size => 40) AS id \gset
BEGIN;
SELECT migrate.backfill_batch(:id);
SELECT n, count(*) FROM t GROUP BY n ORDER BY n;
SELECT rows FROM migrate.backfill_history WHERE id = :id;
ROLLBACK;
SELECT n, count(*) FROM t GROUP BY n ORDER BY n;
SELECT rows FROM migrate.backfill_history WHERE id = :id;
SELECT migrate.backfill_batch(:id);
BEGIN;
SAVEPOINT a;
SELECT migrate.backfill_batch(:id);
ROLLBACK TO a;
SELECT n, count(*) FROM t GROUP BY n ORDER BY n;
SELECT migrate.backfill_batch(:id);
SAVEPOINT b;
SELECT migrate.backfill_batch(:id);
ROLLBACK TO b;
RELEASE a;
COMMIT;
SELECT n, count(*) FROM t GROUP BY n ORDER BY n;
SELECT rows, state FROM migrate.backfill_history WHERE id = :id;
-- the last one, rolled back: it is not done
BEGIN;
SELECT migrate.backfill_batch(:id), migrate.backfill_batch(:id);
SELECT state FROM migrate.backfill_history WHERE id = :id;
ROLLBACK;
SELECT state, rows FROM migrate.backfill_history WHERE id = :id;
-- all in one transaction, in a function that catches an error in between
BEGIN;
DO $$
DECLARE
	job bigint := (SELECT max(id) FROM migrate.backfill_history);
BEGIN
	BEGIN
		PERFORM migrate.backfill_batch(job);
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN
		RAISE INFO 'undone: %', (SELECT rows FROM migrate.backfill_history WHERE id = job);
	END;
	WHILE migrate.backfill_batch(job) > 0 LOOP
	END LOOP;
END $$;
COMMIT;
SELECT n, count(*) FROM t GROUP BY n ORDER BY n;
SELECT rows, state FROM migrate.backfill_history WHERE id = :id;

-- the same by pages
UPDATE t SET a = NULL;
SELECT submit('a = id', size => 20) AS id \gset
BEGIN;
SELECT migrate.backfill_batch(:id);
SELECT migrate.backfill_batch(:id);
ROLLBACK;
SELECT count(a) FROM t;
SELECT migrate.backfill_batch(:id);
BEGIN;
SELECT migrate.backfill_batch(:id);
SAVEPOINT a;
SELECT migrate.backfill_batch(:id);
ROLLBACK TO a;
COMMIT;
SELECT count(a) = (SELECT rows FROM migrate.backfill_history WHERE id = :id) AS counted FROM t;
-- with what other sessions and the caller do in between
DELETE FROM t WHERE id BETWEEN 10 AND 15;
UPDATE t SET n = 7 WHERE id IN (3, 50, 99);
INSERT INTO t VALUES (101), (102);
DO $$
DECLARE
	job bigint := (SELECT max(id) FROM migrate.backfill_history);
BEGIN
	WHILE migrate.backfill_batch(job) > 0 LOOP
		INSERT INTO t SELECT max(id) + 1 FROM t HAVING max(id) < 105;
	END LOOP;
END $$;
SELECT count(*), count(*) FILTER (WHERE a = id) AS well FROM t;
SELECT state FROM migrate.backfill_history WHERE id = :id;

-- an error of a row is thrown, and nothing of the batch is kept
CREATE TABLE e (id int PRIMARY KEY, a int);
INSERT INTO e SELECT g FROM generate_series(0, 9) g;
SELECT submit('a = 10 / (id - 5)', size => 3, target => 'e', way => 'key') AS id \gset
SELECT migrate.backfill_batch(:id);
SELECT migrate.backfill_batch(:id);
SELECT id, a FROM e WHERE a IS NOT NULL ORDER BY id;
SELECT rows, bad_rows, state FROM migrate.backfill_history WHERE id = :id;
SELECT count(*) FROM migrate.backfill_error;
DELETE FROM e WHERE id = 5;
SELECT migrate.backfill_batch(:id), migrate.backfill_batch(:id), migrate.backfill_batch(:id);
SELECT count(*), count(a) FROM e;

-- wrong calls
SELECT migrate.backfill_batch(NULL);
SELECT migrate.backfill_batch(0);
SELECT migrate.backfill_batch(-1);
BEGIN READ ONLY;
SELECT migrate.backfill_batch(:id);
ROLLBACK;
SELECT submit('a = 1') AS id \gset
SELECT migrate.cancel(:id);
SELECT migrate.backfill_batch(:id);
-- in the other levels of isolation
SELECT submit('n = 100') AS id \gset
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT migrate.backfill_batch(:id);
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT migrate.backfill_batch(:id);
COMMIT;
CALL migrate.finish(:id);
SELECT count(*) FILTER (WHERE n = 100) = count(*) AS all FROM t;

DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;

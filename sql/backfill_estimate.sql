--
-- estimate(): what a backfill would take; nothing is changed by asking.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
CREATE SCHEMA bf;
SET search_path = bf;
CREATE TABLE t (id int PRIMARY KEY, a int, b int, n int DEFAULT 0);
INSERT INTO t SELECT g, NULL, g FROM generate_series(1, 500) g;
CREATE TABLE fired (id int);
CREATE SEQUENCE seq;

-- rows are counted where the table is small
SELECT rows, strategy, reason, locks, sampled BETWEEN 1 AND 500 AS sampled, duration > interval '0' AS takes_time, wal_bytes > 10000 AS writes
FROM migrate.estimate('t', 'a = b');
SELECT rows, strategy, reason FROM migrate.estimate('t', 'a = b', 'id <= 123');
SELECT rows, strategy, reason, sampled FROM migrate.estimate('t', 'a = b', 'id > 1000');
SELECT rows, strategy, reason FROM migrate.estimate('t', 'n = n + 1');
SELECT rows, strategy, reason FROM migrate.estimate('t', 'a = b', strategy => 'key', key => '{id}');
SELECT rows, strategy, reason FROM migrate.estimate('t', NULL, 'id % 2 = 0', "delete" => true);
SELECT rows, strategy FROM migrate.estimate('t', 'a = NULL');
-- the size of the batch is that of the setting
SET pgmigrate.backfill_batch_rows = 77;
SELECT locks FROM migrate.estimate('t', 'a = b');
RESET pgmigrate.backfill_batch_rows;

-- nothing changed, nothing was submitted
SELECT count(*) FROM t WHERE a IS NULL AND n = 0;
SELECT count(*) FROM migrate.backfill_job;
CREATE TABLE before AS SELECT id, xmin AS x, ctid AS place FROM t;
SELECT rows FROM migrate.estimate('t', 'a = b');
SELECT count(*) FROM t JOIN before USING (id) WHERE t.xmin = x AND t.ctid = place;

-- of a backfill that is submitted: what is left of it
BEGIN;
SELECT migrate.backfill('t', 'a = b', name => 'job', batch_rows => 100) AS id \gset
SELECT migrate.pause('job');
COMMIT;
SELECT rows, strategy, locks FROM migrate.estimate(:id);
SELECT migrate.backfill_batch(:id);
SELECT rows FROM migrate.estimate(:id);
SELECT state, rows FROM migrate.backfill_history WHERE name = 'job';
CALL migrate.finish('job');
SELECT rows, sampled FROM migrate.estimate(:id);

BEGIN;
SELECT migrate.backfill('t', 'n = n + 1', name => 'by key', batch_rows => 100) AS key \gset
SELECT migrate.pause('by key');
COMMIT;
SELECT migrate.backfill_batch(:key);
SELECT strategy, rows > 0 AS rows FROM migrate.estimate(:key);
CALL migrate.finish('by key');

-- partitions and children are added up
CREATE TABLE p (id int, a int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300);
INSERT INTO p SELECT g FROM generate_series(0, 149) g;
SELECT rows, locks FROM migrate.estimate('p', 'a = id');
-- nothing at all
CREATE TABLE e (id int PRIMARY KEY, a int);
SELECT rows, duration = interval '0' AS no_time, wal_bytes, strategy, sampled FROM migrate.estimate('e', 'a = id');

-- triggers run, and are undone
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO fired VALUES (NEW.id); RETURN NEW; END';
CREATE TRIGGER note AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
SELECT rows FROM migrate.estimate('t', 'b = 0');
SELECT count(*) FROM fired;

-- errors are those of the submission, and those of the rows
SELECT migrate.estimate(NULL::regclass, 'a = b');
SELECT migrate.estimate('t', NULL);
SELECT migrate.estimate('t', 'a = nope');
SELECT migrate.estimate('t', 'a = b', strategy => 'fast');
SELECT migrate.estimate('pg_class', 'relname = relname');
SELECT migrate.estimate('t', 'n = n + 1', strategy => 'pages');
\set SHOW_CONTEXT never
SELECT migrate.estimate('t', 'a = 1 / (b - 5)');
\set SHOW_CONTEXT errors
SELECT count(*) FROM t WHERE b = id;
SELECT migrate.estimate(NULL::bigint);
SELECT migrate.estimate(0::bigint);
BEGIN READ ONLY;
SELECT migrate.estimate('t', 'a = b');
ROLLBACK;
-- with one argument, it is a number
SELECT rows FROM migrate.estimate(:id);

DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;

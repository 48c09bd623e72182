--
-- Rows that cannot be changed: they are put aside, the others are done; too many
-- of them end the backfill; and after mending the data they are tried again.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
CREATE SCHEMA bf;
SET search_path = bf;
SET pgmigrate.backfill_batch_rows = 25;

-- Submit, and leave it for this session.
CREATE FUNCTION submit(named text, target regclass, new text, condition text DEFAULT NULL, way text DEFAULT 'auto', bad bigint DEFAULT 1000) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM migrate.backfill(target, new, condition, name => named, strategy => way, max_bad_rows => bad, batch_rows => 25);
	PERFORM migrate.pause(named);
END $$;
CREATE VIEW jobs AS
SELECT name, strategy, state, reason, rows, bad_rows, sqlstate, error FROM migrate.backfill_history;

-- errors of expressions, by pages and by key
CREATE TABLE t (id int PRIMARY KEY, a int, v text, w text);
INSERT INTO t SELECT g, NULL, CASE WHEN g % 40 = 7 THEN 'x' || g ELSE g::text END FROM generate_series(1, 200) g;
SELECT submit('pages', 't', 'a = v::int');
CALL migrate.finish('pages');
SELECT count(*) FILTER (WHERE a = id) AS done, array_agg(id ORDER BY id) FILTER (WHERE a IS NULL) AS left FROM t;
SELECT * FROM jobs WHERE name = 'pages';
SELECT relation, row_key, sqlstate, message, detail, at IS NOT NULL AS at, row_ctid = t.ctid AS place, row_xmin = t.xmin AS version
FROM migrate.backfill_error e LEFT JOIN t ON e.row_key::json ->> 'id' = t.id::text WHERE e.name = 'pages' ORDER BY t.id;
SELECT bad_rows, state FROM migrate.progress WHERE name = 'pages';
-- mended, and tried again
UPDATE t SET v = id WHERE a IS NULL AND id < 100;
BEGIN;
SELECT migrate.retry('pages');
SELECT migrate.pause('pages');
COMMIT;
CALL migrate.finish('pages');
SELECT array_agg(id ORDER BY id) FILTER (WHERE a IS NULL) AS left FROM t;
SELECT * FROM jobs WHERE name = 'pages';
SELECT row_key FROM migrate.backfill_error WHERE name = 'pages' ORDER BY 1;
UPDATE t SET v = id WHERE a IS NULL;
BEGIN;
SELECT migrate.retry('pages');
SELECT migrate.pause('pages');
COMMIT;
CALL migrate.finish('pages');
SELECT count(*) FILTER (WHERE a = id) AS done FROM t;
SELECT * FROM jobs WHERE name = 'pages';
SELECT count(*) FROM migrate.backfill_error;
-- a row that was not there yet when the job was submitted
CREATE TABLE late (id int PRIMARY KEY, a int, v text);
SELECT submit('late', 'late', 'a = v::int');
INSERT INTO late SELECT g, NULL, CASE WHEN g = 7 THEN 'x' ELSE g::text END FROM generate_series(1, 20) g;
CALL migrate.finish('late');
SELECT count(*) FILTER (WHERE a = id) AS done, array_agg(id ORDER BY id) FILTER (WHERE a IS NULL) AS left FROM late;
SELECT * FROM jobs WHERE name = 'late';
-- by key: the others are not done again
CREATE TABLE k (id int, part text, n int DEFAULT 0, d int, PRIMARY KEY (part, id));
INSERT INTO k SELECT g, 'p' || g % 2, 0, CASE WHEN g % 40 <> 7 THEN 1 ELSE 0 END FROM generate_series(1, 200) g;
SELECT submit('key', 'k', 'n = n + 1 / d');
CALL migrate.finish('key');
SELECT n, count(*) FROM k GROUP BY n ORDER BY n;
SELECT * FROM jobs WHERE name = 'key';
SELECT row_key, sqlstate, message, detail FROM migrate.backfill_error WHERE name = 'key' ORDER BY 1;
-- those that were put aside are tried again, and no others
UPDATE k SET d = 1 WHERE id IN (7, 47, 87);
DELETE FROM k WHERE id = 127;
BEGIN;
SELECT migrate.retry('key');
SELECT migrate.pause('key');
COMMIT;
CALL migrate.finish('key');
SELECT n, count(*) FROM k GROUP BY n ORDER BY n;
SELECT * FROM jobs WHERE name = 'key';
SELECT row_key FROM migrate.backfill_error WHERE name = 'key';
UPDATE k SET d = 1;
BEGIN;
SELECT migrate.retry('key');
SELECT migrate.pause('key');
COMMIT;
SELECT migrate.backfill_batch(id), migrate.backfill_batch(id) FROM migrate.progress WHERE name = 'key';
SELECT n, count(*) FROM k GROUP BY n ORDER BY n;
SELECT * FROM jobs WHERE name = 'key';
SELECT migrate.retry('key');
-- rows that are elsewhere by now take nobody's place
CREATE TABLE moved (id int PRIMARY KEY, a int, b int, CHECK (b IS NULL OR b % 10 <> 0));
INSERT INTO moved SELECT g, g FROM generate_series(1, 1000) g;
CREATE INDEX moved_a_idx ON moved (a DESC);
SELECT submit('moved', 'moved', 'b = a', way => 'key');
CALL migrate.finish('moved');
DELETE FROM moved WHERE id = 999;
CLUSTER moved USING moved_a_idx;
BEGIN;
SELECT migrate.retry('moved');
SELECT migrate.pause('moved');
SELECT FROM migrate.progress, migrate.alter_backfill(id, batch_rows => 10) WHERE name = 'moved';
COMMIT;
CALL migrate.finish('moved');
SELECT count(*) FILTER (WHERE b IS NULL) AS left, (SELECT count(*) FROM migrate.backfill_error WHERE name = 'moved') AS listed FROM moved;
-- one that failed because of them goes on, and comes back to them
UPDATE k SET n = 0, d = CASE WHEN id = 8 THEN 0 ELSE 1 END;
SELECT submit('key fails', 'k', 'n = n + 1 / d', bad => 0);
CALL migrate.finish('key fails');
SELECT state, bad_rows FROM jobs WHERE name = 'key fails';
UPDATE k SET d = 1;
BEGIN;
SELECT migrate.retry('key fails');
SELECT migrate.pause('key fails');
COMMIT;
CALL migrate.finish('key fails');
SELECT n, count(*) FROM k GROUP BY n ORDER BY n;
SELECT state, bad_rows FROM jobs WHERE name = 'key fails';

-- constraints of all kinds, and the detail that says which row
CREATE TABLE other (id int PRIMARY KEY);
INSERT INTO other SELECT g FROM generate_series(1, 50) g WHERE g <> 33;
CREATE DOMAIN small AS int CHECK (VALUE <> 44);
CREATE TABLE c (id int PRIMARY KEY, v int, not_null int NOT NULL DEFAULT 0, checked int CHECK (checked <> 11), uniq int UNIQUE, fk int REFERENCES other, dom small,
	len varchar(2), num numeric(3,1), late int REFERENCES other DEFERRABLE INITIALLY DEFERRED, late_uniq int UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO c SELECT g, g FROM generate_series(1, 50) g;
SELECT submit('not null', 'c', 'not_null = nullif(v, 22)');
CALL migrate.finish('not null');
SELECT submit('check', 'c', 'checked = v');
CALL migrate.finish('check');
SELECT submit('unique', 'c', 'uniq = CASE v WHEN 17 THEN 16 ELSE v END');
CALL migrate.finish('unique');
SELECT submit('foreign key', 'c', 'fk = v');
CALL migrate.finish('foreign key');
SELECT submit('domain', 'c', 'dom = v');
CALL migrate.finish('domain');
SELECT submit('length', 'c', 'len = CASE v WHEN 5 THEN ''long'' ELSE ''x'' END');
CALL migrate.finish('length');
SELECT submit('numeric', 'c', 'num = CASE v WHEN 6 THEN 1000 ELSE v END');
CALL migrate.finish('numeric');
-- those that are checked at the commit only
SELECT submit('deferred', 'c', 'late = v');
CALL migrate.finish('deferred');
SELECT submit('deferred by key', 'c', 'late = v', way => 'key');
CALL migrate.finish('deferred by key');
SELECT submit('deferred unique', 'c', 'late_uniq = CASE v WHEN 17 THEN 16 ELSE v END', way => 'key');
CALL migrate.finish('deferred unique');
SELECT h.name, h.state, h.rows, h.bad_rows, e.row_key, e.sqlstate, e.message, e.detail
FROM migrate.backfill_history h LEFT JOIN migrate.backfill_error e USING (name) WHERE h.relation = 'bf.c' ORDER BY h.id;
-- raised by a trigger
CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id = 9 THEN
		RAISE EXCEPTION 'nine is not liked' USING DETAIL = 'It is 9.', HINT = 'Take ten.';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER complain BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION complain();
SELECT submit('trigger', 'c', 'v = 0');
CALL migrate.finish('trigger');
SELECT h.state, h.rows, h.bad_rows, e.row_key, e.sqlstate, e.message, e.detail
FROM migrate.backfill_history h LEFT JOIN migrate.backfill_error e USING (name) WHERE h.name = 'trigger' ORDER BY h.id;
-- of a DELETE
DROP TRIGGER complain ON c;
BEGIN;
SELECT migrate.backfill('other', "delete" => true, name => 'delete', max_bad_rows => 100) IS NOT NULL AS queued;
SELECT migrate.pause('delete');
COMMIT;
CALL migrate.finish('delete');
SELECT * FROM jobs WHERE name = 'delete';
SELECT count(*) = (SELECT count(*) FROM migrate.backfill_error WHERE name = 'delete') AS all_left FROM other;
-- without a key, and with columns that need quotes
CREATE TABLE keyless ("A b" int, v int);
INSERT INTO keyless SELECT g, g FROM generate_series(0, 9) g;
SELECT submit('keyless', 'keyless', 'v = 100 / "A b"');
CALL migrate.finish('keyless');
SELECT h.state, h.rows, e.row_ctid, e.row_key, e.message FROM migrate.backfill_history h LEFT JOIN migrate.backfill_error e USING (name) WHERE h.name = 'keyless';
-- an error in the filter ends it: nobody can tell whether the row is meant
SELECT submit('filter', 'keyless', 'v = 7', '10 / "A b" < 5');
CALL migrate.finish('filter');
SELECT count(*) FROM migrate.backfill_error WHERE name = 'filter';
SELECT "A b", v FROM keyless WHERE v = 7;

-- the limit: none may fail, some, as the setting says
UPDATE t SET a = NULL, v = CASE WHEN id % 10 = 0 THEN 'x' ELSE v END;
SELECT submit('none', 't', 'a = v::int', bad => 0);
CALL migrate.finish('none');
SELECT name, state, bad_rows > 0 AS bad, reason ~ 'rows were put aside' AS says_so FROM jobs WHERE name = 'none';
SELECT submit('some', 't', 'a = v::int', bad => 19);
CALL migrate.finish('some');
SELECT name, state, bad_rows > 19 AS bad FROM jobs WHERE name = 'some';
SELECT submit('exactly', 't', 'a = v::int', bad => 20);
CALL migrate.finish('exactly');
SELECT name, state, bad_rows, reason FROM jobs WHERE name = 'exactly';
SELECT count(*) FROM t WHERE a = id;
-- failed, the limit raised, and tried again
SELECT migrate.alter_backfill(id, max_bad_rows => 1000), migrate.retry('none') FROM migrate.backfill_history WHERE name = 'none';
SELECT migrate.pause('none');
UPDATE t SET a = NULL;
CALL migrate.finish('none');
SELECT name, state, bad_rows, reason FROM jobs WHERE name = 'none';
SELECT count(*) FROM t WHERE a = id;
SET pgmigrate.backfill_max_bad_rows = 5;
UPDATE t SET a = NULL;
SELECT submit('setting', 't', 'a = v::int', bad => NULL);
CALL migrate.finish('setting');
SELECT name, state FROM jobs WHERE name = 'setting';
RESET pgmigrate.backfill_max_bad_rows;

-- what is not about rows ends it at once
CREATE TABLE s (id int PRIMARY KEY, a int);
INSERT INTO s SELECT g FROM generate_series(1, 50) g;
CREATE FUNCTION stop(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF $1 = 30 THEN PERFORM nowhere(); END IF; RETURN $1; END $$;
SELECT submit('wrong', 's', 'a = stop(id)');
CALL migrate.finish('wrong');
SELECT count(a) FROM s;
SELECT name, state, rows, bad_rows FROM jobs WHERE name = 'wrong';
CREATE OR REPLACE FUNCTION stop(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CALL migrate.finish('wrong');
SELECT count(a) FROM s;
SELECT name, state, rows, bad_rows FROM jobs WHERE name = 'wrong';

DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;

--
-- apply(): what a script can do, and that a run is atomic with its caller's
-- transaction and leaves no setting behind.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA app;
SET search_path = app;

-- statements of all kinds, each of which sees what those before it did
SELECT migrate.register('01-kinds', $script$
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 3) g;
WITH gone AS (DELETE FROM t WHERE id = 3 RETURNING v) INSERT INTO t SELECT 4, v FROM gone;
UPDATE t SET v = 'x' WHERE id = 1;
MERGE INTO t USING (VALUES (2), (5)) s(id) ON t.id = s.id
	WHEN MATCHED THEN UPDATE SET v = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'new');
CREATE TABLE copy AS SELECT * FROM t;
SELECT 1 AS one INTO selected;
CREATE VIEW v AS SELECT count(*) AS n FROM t;
CREATE MATERIALIZED VIEW m AS SELECT n FROM v;
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := NEW.v || '!'; RETURN NEW; END $$;
CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf();
INSERT INTO t VALUES (6, 'six');
CREATE PROCEDURE p(x int) LANGUAGE sql AS $$ UPDATE t SET v = 'called' WHERE id = x $$;
CALL p(4);
DO $$ BEGIN UPDATE t SET v = 'done' WHERE id = 5; END $$;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE INDEX ON t (v);
CREATE SEQUENCE s;
SELECT setval('s', 10), nextval('s');
EXPLAIN SELECT * FROM t;


COMMENT ON TABLE t IS 'the t table';
GRANT SELECT ON t TO PUBLIC;
ANALYZE t;
REFRESH MATERIALIZED VIEW m;
TRUNCATE selected;
$script$);
SELECT migrate.apply('01-kinds');
SELECT * FROM t ORDER BY id;
SELECT (SELECT count(*) FROM copy) AS copied, (SELECT count(*) FROM selected) AS selected,
	(SELECT n FROM m) AS matview, currval('s');
SELECT number, command, rows FROM migrate.history_statement WHERE migration = '01-kinds' AND rows > 0
ORDER BY number;
SELECT migrate.apply('01-kinds');

-- with the caller's transaction, and with its savepoints
SELECT migrate.register('02-more', E'CREATE TABLE more (id int);\nINSERT INTO more VALUES (1), (2);');
BEGIN;
SELECT migrate.apply('02-more');
SELECT migrate.apply('02-more');
SELECT * FROM more ORDER BY id;
ROLLBACK;
SELECT to_regclass('more'), state FROM migrate.migration WHERE name = '02-more';
SELECT count(*) FROM migrate.history WHERE migration = '02-more';
BEGIN;
INSERT INTO t VALUES (7, 'before');
SAVEPOINT a;
SELECT migrate.apply('02-more');
ROLLBACK TO a;
SELECT to_regclass('more'), state FROM migrate.migration WHERE name = '02-more';
SELECT migrate.apply('02-more');
SAVEPOINT b;
RELEASE a;
COMMIT;
SELECT to_regclass('more'), state FROM migrate.migration WHERE name = '02-more';
SELECT v FROM t WHERE id = 7;

-- what fails takes with it all that the call did, but not what was before
SELECT migrate.register('03-fails', E'-- migrate:requires 04-first\n-- migrate:up\nINSERT INTO more VALUES (3);\nSELECT 1/0;');
SELECT migrate.register('04-first', 'CREATE TABLE first (id int)');
BEGIN;
INSERT INTO more VALUES (100);
SAVEPOINT a;
SELECT migrate.apply('03-fails');
ROLLBACK TO a;
SELECT name, state, to_regclass('first') FROM migrate.migration WHERE name >= '03' ORDER BY name;
COMMIT;
SELECT * FROM more ORDER BY id;
-- a caller that catches the error goes on
DO $$ BEGIN PERFORM migrate.apply('03-fails'); EXCEPTION WHEN division_by_zero THEN RAISE INFO 'caught'; END $$;
-- requirements come first
SELECT migrate.register('03-fails', E'-- migrate:requires 04-first\n-- migrate:up\nINSERT INTO first VALUES (3);');
SELECT migrate.apply('03-fails');
SELECT migration FROM migrate.history WHERE migration >= '03' ORDER BY id;

-- several in one statement, in a subquery, in a function
SELECT migrate.register('05-a', 'CREATE TABLE a5 (id int)'), migrate.register('06-b', 'CREATE TABLE b6 (id int)');
SELECT name, migrate.apply(name) FROM (VALUES ('05-a'), ('06-b')) v(name);
SELECT migrate.register('07-c', 'CREATE TABLE c7 (id int)');
CREATE FUNCTION apply_it(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN migrate.apply($1); END $$;
SELECT apply_it('07-c');
SELECT to_regclass('a5'), to_regclass('b6'), to_regclass('c7');

-- not in a read-only transaction, and not from within a migration
SELECT migrate.register('08-nested', E'SELECT 1;\nSELECT migrate.apply(''09-inner'');');
SELECT migrate.register('09-inner', 'CREATE TABLE inner9 (id int)');
BEGIN READ ONLY;
SELECT migrate.apply('09-inner');
ROLLBACK;
SELECT migrate.apply('08-nested');
SELECT migrate.compensate('nested', 'DO ''BEGIN PERFORM migrate.rollback(''''01-kinds''''); END''');
SELECT migrate.compensate('nested', 'SELECT migrate.register(''x'', ''SELECT 1'')');
SELECT migrate.compensate('looking is allowed', 'SELECT count(*) FROM migrate.status()') > 0 AS ran;
SELECT migrate.apply('09-inner', mode => 'atomic');
SELECT migrate.apply('10-none');

SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
DROP EXTENSION pgmigrate;

--
-- plan(): the statements, the lock each takes on which relation, and whether
-- it rewrites or scans, which the server itself is asked.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA pl;
SET search_path = pl;
CREATE TABLE t (id int PRIMARY KEY, v varchar(10), n numeric(6,2), ts timestamp, s text, i int, c char(4), j int CHECK (j IS NOT NULL), e text DEFAULT '');
CREATE TABLE ref (id int PRIMARY KEY);
CREATE TABLE child (t_id int CONSTRAINT child_fk REFERENCES t);
CREATE INDEX t_i_idx ON t (i);
CREATE UNIQUE INDEX t_i_key ON t (i);
CREATE INDEX t_v_idx ON t (v);
CREATE VIEW view AS SELECT id FROM t;
CREATE MATERIALIZED VIEW matview AS SELECT id FROM t;
CREATE SEQUENCE seq;
CREATE DOMAIN dom AS int;
INSERT INTO t (id, j) VALUES (1, 1);
-- Plan statements one by one, each by itself.
CREATE FUNCTION show(VARIADIC statements text[]) RETURNS TABLE (n bigint, relation text, lock text, rewrites bool, scans bool, note text, sql text) LANGUAGE plpgsql AS $$
DECLARE
	s text;
BEGIN
	FOR n, s IN SELECT o, u FROM unnest(statements) WITH ORDINALITY u(u, o) LOOP
		PERFORM migrate.register('show', s);
		FOR relation, lock, rewrites, scans, note, sql IN
			SELECT p.relation, replace(p.lock, 'Lock', ''), p.rewrites, p.scans, p.note, p.sql
			FROM migrate.plan('show') WITH ORDINALITY p ORDER BY p.ordinality LOOP
			RETURN NEXT;
		END LOOP;
	END LOOP;
END $$;

-- columns: constant or volatile defaults, generated, identity, checked
SELECT relation, lock, rewrites, scans, sql FROM show('ALTER TABLE t ADD a int', 'ALTER TABLE t ADD a int NOT NULL DEFAULT 5', 'ALTER TABLE t ADD a timestamptz DEFAULT now()',
	'ALTER TABLE t ADD a timestamptz DEFAULT clock_timestamp()', 'ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid()', 'ALTER TABLE t ADD a serial',
	'ALTER TABLE t ADD a int GENERATED ALWAYS AS IDENTITY', 'ALTER TABLE t ADD a int GENERATED ALWAYS AS (id + 1) STORED',
	'ALTER TABLE t ADD a int CHECK (a > 0)', 'ALTER TABLE t ADD a int DEFAULT 1 CHECK (a > 0)', 'ALTER TABLE t ADD a dom', 'ALTER TABLE t ADD a int UNIQUE', 'ALTER TABLE t ADD a int REFERENCES ref', 'ALTER TABLE t ADD a int DEFAULT 1 REFERENCES ref',
	'ALTER TABLE t DROP v', 'ALTER TABLE t ALTER i SET DEFAULT 3', 'ALTER TABLE t ALTER s SET STATISTICS 10', 'ALTER TABLE t ALTER s SET STORAGE external', 'ALTER TABLE t RENAME v TO w');
-- types: what the bytes say decides
SELECT rewrites, scans, sql FROM show('ALTER TABLE t ALTER v TYPE varchar(20)', 'ALTER TABLE t ALTER v TYPE text', 'ALTER TABLE t ALTER v TYPE varchar(5)', 'ALTER TABLE t ALTER s TYPE varchar(20)',
	'ALTER TABLE t ALTER n TYPE numeric(8,2)', 'ALTER TABLE t ALTER n TYPE numeric(8,3)', 'ALTER TABLE t ALTER n TYPE numeric', 'ALTER TABLE t ALTER i TYPE bigint', 'ALTER TABLE t ALTER c TYPE text',
	'ALTER TABLE t ALTER s TYPE int USING s::int', 'ALTER TABLE t ALTER i TYPE dom', 'ALTER TABLE t ALTER v TYPE varchar(20) COLLATE "C"');
SET timezone = 'UTC';
SELECT rewrites, scans, sql FROM show('ALTER TABLE t ALTER ts TYPE timestamptz');
SET timezone = 'Europe/Berlin';
SELECT rewrites, scans, sql FROM show('ALTER TABLE t ALTER ts TYPE timestamptz');
-- constraints, with or without a proof
SELECT relation, lock, rewrites, scans, note, sql FROM show('ALTER TABLE t ALTER i SET NOT NULL', 'ALTER TABLE t ALTER j SET NOT NULL', 'ALTER TABLE t ADD CHECK (i > 0)', 'ALTER TABLE t ADD CHECK (i > 0) NOT VALID',
	'ALTER TABLE t ADD FOREIGN KEY (i) REFERENCES ref', 'ALTER TABLE t ADD FOREIGN KEY (i) REFERENCES ref NOT VALID', 'ALTER TABLE child VALIDATE CONSTRAINT child_fk', 'ALTER TABLE child DROP CONSTRAINT child_fk',
	'ALTER TABLE t ADD UNIQUE (i)', 'ALTER TABLE t ADD UNIQUE USING INDEX t_i_key', 'ALTER TABLE t DROP CONSTRAINT t_pkey CASCADE', 'ALTER TABLE t ADD EXCLUDE (i WITH =)');
-- one after the other: a statement sees what those before it would have done
SELECT migrate.register('steps', $$
ALTER TABLE t ADD CONSTRAINT proof CHECK (i IS NOT NULL) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT proof;
ALTER TABLE t ALTER i SET NOT NULL;
ALTER TABLE t DROP CONSTRAINT proof;
ALTER TABLE t ALTER s TYPE int USING 0;
ALTER TABLE t ALTER s TYPE bigint, ADD b int DEFAULT 1;
CREATE TABLE fresh (id int PRIMARY KEY, v text);
ALTER TABLE fresh ALTER v TYPE int USING v::int;
CREATE INDEX ON fresh (v);
INSERT INTO fresh VALUES (1, 1);
$$);
SELECT statement, line, kind, relation, lock, rewrites, scans, runs FROM migrate.plan('steps');
-- tables as a whole
SELECT n, relation, lock, rewrites, scans FROM show('ALTER TABLE t SET LOGGED', 'ALTER TABLE t SET UNLOGGED', 'ALTER TABLE t SET (fillfactor = 70)', 'ALTER TABLE t ENABLE ROW LEVEL SECURITY', 'ALTER TABLE t SET SCHEMA public',
	'ALTER TABLE t RENAME TO u', 'ALTER TABLE t OWNER TO CURRENT_USER', 'ALTER TABLE t CLUSTER ON t_pkey', 'ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey', 'ALTER TABLE t DISABLE TRIGGER ALL', 'CLUSTER t', 'TRUNCATE t, child', 'DROP TABLE child', 'DROP TABLE child, t CASCADE', 'LOCK TABLE t IN SHARE MODE', 'ANALYZE t');
-- indexes, views, triggers and the like
SELECT n, relation, lock, rewrites, scans FROM show('CREATE INDEX ON t (v)', 'CREATE UNIQUE INDEX ON t (v)', 'DROP INDEX t_i_idx', 'REINDEX INDEX t_i_idx', 'REINDEX TABLE t', 'ALTER INDEX t_i_idx RENAME TO x', 'CREATE OR REPLACE VIEW view AS SELECT id FROM t',
	'DROP VIEW view', 'REFRESH MATERIALIZED VIEW matview', 'CREATE TRIGGER tr AFTER INSERT ON t EXECUTE FUNCTION f()', 'CREATE RULE r AS ON DELETE TO t DO NOTHING', 'CREATE POLICY p ON t', 'ALTER SEQUENCE seq INCREMENT 2', 'CREATE STATISTICS st ON i, j FROM t',
	'CREATE TABLE n (LIKE t)', 'CREATE TABLE n (id int REFERENCES t)', 'CREATE TABLE n () INHERITS (t)', 'ALTER DOMAIN dom ADD CHECK (VALUE > 0)', 'ALTER DOMAIN dom SET DEFAULT 3', 'COMMENT ON TABLE t IS $$x$$', 'CREATE TYPE ty AS ENUM ()');
-- rows: only the plan can tell whether they are scanned
SELECT n, relation, lock, rewrites, scans FROM show('INSERT INTO t VALUES (1)', 'UPDATE t SET i = 1', 'DELETE FROM t', 'MERGE INTO t USING ref ON t.id = ref.id WHEN MATCHED THEN DELETE', 'SELECT 1', 'DO $$BEGIN END$$', 'COPY t FROM $$/dev/null$$');

SET client_min_messages = warning;
DROP SCHEMA pl CASCADE;
DROP EXTENSION pgmigrate;

--
-- plan() of partitioned and inherited tables, of what cannot run in a
-- transaction, of tables of others; and that planning leaves nothing behind.
--
CREATE EXTENSION pgmigrate;
CREATE ROLE regress_migrate_plain;
CREATE SCHEMA pl;
GRANT USAGE, CREATE ON SCHEMA pl TO regress_migrate_plain;
SET search_path = pl;
CREATE TABLE part (id int NOT NULL, v text) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (1) TO (10);
CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (10) TO (20);
CREATE TABLE part_default PARTITION OF part DEFAULT;
CREATE TABLE loose (id int NOT NULL, v text);
CREATE TABLE proven (id int NOT NULL CHECK (id >= 30 AND id < 40), v text);
CREATE TABLE parent (id int, v text);
CREATE TABLE kid () INHERITS (parent);
CREATE TABLE ref (id int PRIMARY KEY);

CREATE FUNCTION show(VARIADIC statements text[]) RETURNS TABLE (n bigint, relation text, lock text, rewrites bool, scans bool, runs text, note text, sql text) LANGUAGE plpgsql AS $$
DECLARE
	s text;
BEGIN
	FOR n, s IN SELECT o, u FROM unnest(statements) WITH ORDINALITY u(u, o) LOOP
		PERFORM migrate.register('show', s);
		FOR relation, lock, rewrites, scans, runs, note, sql IN
			SELECT p.relation, replace(p.lock, 'Lock', ''), p.rewrites, p.scans, p.runs, p.note, p.sql
			FROM migrate.plan('show') WITH ORDINALITY p ORDER BY p.ordinality LOOP
			RETURN NEXT;
		END LOOP;
	END LOOP;
END $$;

-- partitions
SELECT relation, lock, rewrites, scans, sql FROM show('ALTER TABLE part ATTACH PARTITION loose FOR VALUES FROM (20) TO (30)', 'ALTER TABLE part ATTACH PARTITION proven FOR VALUES FROM (30) TO (40)', 'ALTER TABLE part DETACH PARTITION part1');
SELECT relation, lock, rewrites, scans, sql FROM show('CREATE TABLE part3 PARTITION OF part FOR VALUES FROM (40) TO (50)', 'DROP TABLE part2', 'CREATE INDEX ON part (v)', 'CREATE INDEX ON ONLY part (v)', 'TRUNCATE part');
-- what is done to all of them
SELECT relation, lock, rewrites, scans, sql FROM show('ALTER TABLE part ADD w int', 'ALTER TABLE part ALTER v SET NOT NULL', 'ALTER TABLE part ALTER v TYPE int USING 1', 'ALTER TABLE part1 ADD CHECK (id > 2)');
SELECT relation, lock, rewrites, scans, sql FROM show('ALTER TABLE part ADD PRIMARY KEY (id)', 'ALTER TABLE part ADD FOREIGN KEY (id) REFERENCES ref');
SELECT relation, lock, rewrites, scans, sql FROM show('ALTER TABLE parent ADD w int', 'ALTER TABLE ONLY parent ADD CHECK (id > 0) NO INHERIT', 'ALTER TABLE kid NO INHERIT parent', 'ALTER TABLE parent RENAME v TO w', 'DROP TABLE parent CASCADE');

-- what cannot run in a transaction, or shall not
SELECT relation, lock, scans, runs, note, sql FROM show('CREATE INDEX CONCURRENTLY ON ref (id)', 'VACUUM ref', 'ALTER TABLE part DETACH PARTITION part1 CONCURRENTLY', E'-- migrate:up mode:online\nSELECT 1');

-- on one line, and not longer than a terminal is wide
SELECT sql FROM show(E'SELECT 1,\n\t-- with a comment\n   2', 'SELECT ' || repeat('1, ', 40) || '1');
-- parts other than up, and scripts without a statement, have nothing to plan
SELECT n, sql FROM show(E'-- migrate:up\n-- migrate:down\nDROP TABLE ref;');
-- relations in a schema that is not in the path, and names that need quotes
CREATE SCHEMA "pl 2";
CREATE TABLE "pl 2"."my table" (id int);
SELECT relation, sql FROM show('ALTER TABLE "pl 2"."my table" ADD v int', 'DROP SEQUENCE nowhere', 'ALTER TABLE IF EXISTS nowhere ADD v int', 'ALTER TABLE nowhere.t ADD v int');

-- it leaves nothing behind: no tables, no locks but on what it read, no messages
BEGIN;
SELECT count(*) FROM show('ALTER TABLE ref ALTER id TYPE bigint', 'DROP TABLE ref', 'ALTER TABLE part ADD w int', 'ALTER TABLE loose ADD CHECK (id > 0)');
SELECT relation::regclass::text COLLATE "C" AS relation, mode FROM pg_locks
WHERE locktype = 'relation' AND pid = pg_backend_pid() AND relation >= 16384
	AND relation::regclass::text NOT LIKE 'migrate.%' ORDER BY 1, 2;
SELECT relname FROM pg_class WHERE relname LIKE 'pgmigrate%' OR relnamespace = pg_my_temp_schema();
SELECT count(*) FROM migrate.history;
COMMIT;
-- and can be had in a read-only transaction
SELECT migrate.register('show', 'ALTER TABLE ref ALTER id TYPE bigint');
BEGIN READ ONLY;
SELECT relation, rewrites FROM migrate.plan('show');
COMMIT;

-- a table of others: what only its owner may ask for is not known
SELECT migrate.grant_to('regress_migrate_plain', 'admin');
SET ROLE regress_migrate_plain;
SELECT migrate.register('plain', 'ALTER TABLE ref ALTER id TYPE bigint; CREATE TABLE mine (id int)');
SELECT kind, relation, lock, rewrites, scans, note FROM migrate.plan('plain');
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA pl, "pl 2" CASCADE;
DROP EXTENSION pgmigrate;
DROP ROLE regress_migrate_plain;

--
-- migrate.backfill(): which relations and columns can be backfilled, and what
-- the server forbids is found when it is submitted.
--
CREATE EXTENSION pgmigrate;
CREATE ROLE regress_migrate_owner;
CREATE ROLE regress_migrate_reader;
CREATE SCHEMA bf;
GRANT USAGE ON SCHEMA bf TO PUBLIC;
SET search_path = bf;
CREATE TABLE t (id int PRIMARY KEY, a int, b int, d int GENERATED ALWAYS AS (b + 1) STORED);
INSERT INTO t SELECT g, NULL, g FROM generate_series(1, 3) g;

CREATE FUNCTION try(target regclass, assign text, filter text DEFAULT NULL, del boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	state text;
	detail text;
BEGIN
	PERFORM migrate.backfill(target, assign, filter, "delete" => del);
	RAISE EXCEPTION USING ERRCODE = 'UX001', MESSAGE = 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL;
	RETURN format('%s %s%s', state, message, nullif(format(' (%s)', detail), ' ()'));
END $$;

-- what is no table
CREATE VIEW v AS SELECT * FROM t;
CREATE MATERIALIZED VIEW m AS SELECT * FROM t;
CREATE SEQUENCE s;
CREATE TYPE c AS (a int, b int);
CREATE INDEX t_b ON t (b);
CREATE FOREIGN DATA WRAPPER regress_migrate_fdw;
CREATE SERVER regress_migrate_server FOREIGN DATA WRAPPER regress_migrate_fdw;
CREATE FOREIGN TABLE f (a int, b int) SERVER regress_migrate_server;
SELECT x, try(x, 'a = b') FROM unnest('{v,m,s,c,t_b,f}'::regclass[]) x;
SELECT x, try(x, NULL, del => true) FROM unnest('{v,f}'::regclass[]) x;
SELECT try(reltoastrelid::regclass, 'chunk_seq = 1') LIKE '42809 cannot backfill "pg_toast_%" (It is not a table or a partitioned table.)' AS toast
FROM pg_class WHERE oid = 'pg_catalog.pg_proc'::regclass;
SELECT try(0::regclass, 'a = b');

-- what is not the user's
CREATE TEMP TABLE temporary (id int PRIMARY KEY, a int, b int);
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, a int, b int);
SELECT x, try(x, 'a = b') FROM unnest('{temporary,unlogged}'::regclass[]) x;
SELECT x, try(x, 'oid = oid') FROM unnest('{pg_class,pg_authid,information_schema.sql_features}'::regclass[]) x;
SELECT x, try(x, 'id = id') FROM unnest('{migrate.run,migrate.backfill_job}'::regclass[]) x;

-- rules
CREATE TABLE ruled (id int PRIMARY KEY, a int, b int);
CREATE RULE r AS ON UPDATE TO ruled DO ALSO NOTHING;
CREATE TABLE ruled_insert (id int PRIMARY KEY, a int, b int);
CREATE RULE r AS ON INSERT TO ruled_insert DO INSTEAD NOTHING;
SELECT x, try(x, 'a = b') FROM unnest('{ruled,ruled_insert}'::regclass[]) x;
-- of a partition, too
CREATE TABLE ruled_leaf (id int, a int, b int) PARTITION BY LIST (id);
CREATE TABLE ruled_leaf1 PARTITION OF ruled_leaf FOR VALUES IN (1);
CREATE RULE r AS ON UPDATE TO ruled_leaf1 DO ALSO NOTHING;
SELECT try('ruled_leaf', 'a = b');

-- partitions: no foreign ones, and no row moves from one to another
CREATE TABLE p (id int, k int, a int, b int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY LIST (b);
CREATE TABLE p1a PARTITION OF p1 FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
SELECT x, assign, try(x, assign) FROM (VALUES ('p'::regclass, 'k = a'), ('p', 'b = a'), ('p1', 'b = a'), ('p1a', 'k = a'), ('p2', 'k = a'),
	('p', 'a = b'), ('p2', 'b = a')) v (x, assign);
SELECT try('p', NULL, del => true);
CREATE FOREIGN TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30) SERVER regress_migrate_server;
SELECT x, try(x, 'a = b') FROM unnest('{p,p1}'::regclass[]) x;
CREATE TABLE parent (id int, a int, b int);
CREATE FOREIGN TABLE child () INHERITS (parent) SERVER regress_migrate_server;
SELECT try('parent', 'a = b');
-- a partition key that is an expression
CREATE TABLE pe (id int, k int, a int) PARTITION BY RANGE ((k + 1));
CREATE TABLE pe1 PARTITION OF pe FOR VALUES FROM (0) TO (10);
SELECT assign, try('pe', assign) FROM unnest('{k = a,a = k}'::text[]) assign;
-- without any partition there is nothing to do
CREATE TABLE empty (id int, a int) PARTITION BY RANGE (id);
SELECT try('empty', 'a = id');

-- privileges on columns: those that are set and those that are read
ALTER TABLE t OWNER TO regress_migrate_owner;
GRANT SELECT ON t TO regress_migrate_reader;
CREATE TABLE secret (x int);
GRANT EXECUTE ON FUNCTION migrate.backfill TO regress_migrate_reader;
CREATE TABLE calls (target text, assign text, filter text, n int GENERATED ALWAYS AS IDENTITY);
INSERT INTO calls VALUES ('t', 'a = 1', NULL), ('t', 'a = b', NULL), ('t', 'b = 1', NULL), ('t', 'a = id', NULL), ('t', 'a = id', 'b > 1'),
	('t', 'a = id', 'EXISTS (SELECT FROM secret)'), ('t', 'a = (SELECT max(x) FROM secret)', 'a IS NULL'), ('secret', 'x = 1', NULL);
GRANT SELECT ON calls TO PUBLIC;
CREATE VIEW tried AS SELECT target, assign, filter, try(target::regclass, assign, filter) FROM calls ORDER BY n;
GRANT SELECT ON tried TO PUBLIC;
SET ROLE regress_migrate_reader;
SELECT * FROM tried;
SELECT try('t', NULL, del => true);
RESET ROLE;
GRANT UPDATE (a) ON t TO regress_migrate_reader;
SET ROLE regress_migrate_reader;
SELECT * FROM tried;
RESET ROLE;
-- a column that is only set is compared as well
REVOKE SELECT ON t FROM regress_migrate_reader;
GRANT SELECT (id) ON t TO regress_migrate_reader;
SET ROLE regress_migrate_reader;
SELECT * FROM tried;
RESET ROLE;
REVOKE USAGE ON SCHEMA bf FROM PUBLIC;
SET ROLE regress_migrate_reader;
SELECT migrate.backfill('bf.t', 'a = 1');
RESET ROLE;
GRANT USAGE ON SCHEMA bf TO PUBLIC;

-- row security: an error, not fewer rows
CREATE TABLE rls (id int PRIMARY KEY, a int, b int, owner name);
ALTER TABLE rls ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON rls USING (owner = current_user);
GRANT ALL ON rls TO regress_migrate_reader;
SET ROLE regress_migrate_reader;
SELECT try('rls', 'a = b');
SELECT try('rls', NULL, del => true);
RESET ROLE;
ALTER TABLE rls OWNER TO regress_migrate_owner;
GRANT EXECUTE ON FUNCTION migrate.backfill TO regress_migrate_owner;
SET ROLE regress_migrate_owner;
SELECT try('rls', 'a = b');
ALTER TABLE rls FORCE ROW LEVEL SECURITY;
SELECT try('rls', 'a = b');
RESET ROLE;
-- and what the setting says does not matter
SET row_security = on;
SET ROLE regress_migrate_reader;
SELECT try('rls', 'a = b');
RESET ROLE;
RESET row_security;

-- a table in a schema that is not on the path
SET search_path = pg_catalog;
SELECT bf.try('bf.unlogged', 'a = b', 'a IS NULL');
RESET search_path;

SET client_min_messages = warning;
DROP TABLE pg_temp.temporary;
DROP SCHEMA bf CASCADE;
DROP FOREIGN DATA WRAPPER regress_migrate_fdw CASCADE;
DROP EXTENSION pgmigrate;
DROP ROLE regress_migrate_owner, regress_migrate_reader;

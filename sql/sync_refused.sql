--
-- Columns kept in step: what is refused, who may, and as whom expressions run.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA sy;
SET search_path = sy;
CREATE FUNCTION half(n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT n / 2 $$;
CREATE FUNCTION tick() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN 1; END $$;
CREATE TABLE t (id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a + 1) STORED, d int DEFAULT 5,
	i int GENERATED ALWAYS AS IDENTITY, n text, n2 text);

-- arguments
SELECT migrate.sync_begin(NULL, '{a}', 'n', 'a::text');
SELECT migrate.sync_begin('t', '{a}', NULL, 'a::text');
SELECT migrate.sync_begin('t', '{a}', 'n', NULL);
SELECT migrate.sync_begin('t', '{a,NULL}', 'n', 'a::text');
SELECT migrate.sync_begin(1, '{a}', 'n', 'a::text');
SELECT migrate.sync_end('t', NULL);
-- columns
SELECT migrate.sync_begin('t', '{x}', 'n', 'a::text');
SELECT migrate.sync_begin('t', '{a}', 'x', 'a::text');
SELECT migrate.sync_begin('t', '{ctid}', 'n', 'a::text');
SELECT migrate.sync_begin('t', '{a}', 'g', 'a');
SELECT migrate.sync_begin('t', '{a}', 'd', 'a');
SELECT migrate.sync_begin('t', '{a}', 'i', 'a');
SELECT migrate.sync_begin('t', '{n}', 'n', 'a::text');
SELECT migrate.sync_begin('t', '{a}', 'n', 'coalesce(n, a::text)');
SELECT migrate.sync_begin('t', NULL, 'n', '''x''');
SELECT migrate.sync_begin('t', '{a,b}', 'n', '(a + b)::text', 'n::int');
-- expressions
SELECT migrate.sync_begin('t', '{a}', 'n', 'a +');
SELECT migrate.sync_begin('t', '{a}', 'n', 'a) FROM (VALUES (1)) x WHERE (true');
SELECT migrate.sync_begin('t', '{a}', 'n', 'a); DROP TABLE t; SELECT (1');
SELECT migrate.sync_begin('t', '{a}', 'n', 'a::text), (a');
SELECT migrate.sync_begin('t', '{a}', 'b', 'ARRAY[a]');
SELECT migrate.sync_begin('t', '{a}', 'n', 'x::text');
SELECT migrate.sync_begin('t', '{a}', 'n', 'max(a)::text');
SELECT migrate.sync_begin('t', '{a}', 'n', '(SELECT a::text)');
SELECT migrate.sync_begin('t', '{a}', 'n', 'tick()::text');
SELECT migrate.sync_begin('t', '{a}', 'n', 'a::text', 'random()');
SELECT migrate.sync_begin('t', '{a}', 'n', 'g::text');
SELECT migrate.sync_begin('t', '{a}', 'n', 't::text');
SELECT migrate.sync_begin('t', '{a}', 'n', 'ctid::text');
SELECT migrate.sync_begin('t', '{a}', 'n', '$1');
-- a comment at the end is no harm
SELECT migrate.sync_begin('t', '{a}', 'n', 'half(a)::text -- half') > 0 AS made;
-- no chains
SELECT migrate.sync_begin('t', NULL, 'n2', 'n');
SELECT migrate.sync_begin('t', '{b}', 'a', 'b');
-- relations
CREATE VIEW v AS SELECT * FROM t;
SELECT migrate.sync_begin('v', '{a}', 'n', 'a::text');
SELECT migrate.sync_begin('pg_class', '{relname}', 'relkind', '''r''');
SELECT migrate.sync_begin('migrate.run', '{note}', 'error', 'note');
CREATE TABLE p (k int, v int, w text) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
SELECT migrate.sync_begin('p1', '{v}', 'w', 'v::text');
BEGIN READ ONLY;
SELECT migrate.sync_begin('t', '{b}', 'n2', 'b::text');
ROLLBACK;

-- the trigger function is for its trigger only
SELECT migrate.sync();
CREATE TRIGGER wrong AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION migrate.sync('1');
UPDATE t SET a = 1;
INSERT INTO t (id, a) VALUES (1, 10);
UPDATE t SET a = 11;
DROP TRIGGER wrong ON t;
CREATE TRIGGER wrong BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION migrate.sync();
UPDATE t SET a = 11;
DROP TRIGGER wrong ON t;

-- columns and functions that go away, and how to get on
BEGIN;
ALTER TABLE t DROP a CASCADE;
INSERT INTO t (id) VALUES (2);
ROLLBACK;
BEGIN;
ALTER TABLE t RENAME n TO renamed;
INSERT INTO t (id) VALUES (2);
ROLLBACK;
BEGIN;
DROP FUNCTION half;
INSERT INTO t (id, a) VALUES (2, 20);
ROLLBACK;
BEGIN;
CREATE OR REPLACE FUNCTION half(n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT n * 100 $$;
INSERT INTO t (id, a) VALUES (2, 20) RETURNING n;
ROLLBACK;
INSERT INTO t (id, a) VALUES (2, 20) RETURNING n;
BEGIN;
ALTER TABLE t DROP a CASCADE;
SELECT migrate.sync_end('t', 'n');
INSERT INTO t (id) VALUES (3);
ROLLBACK;
-- a trigger that is gone is made again
DROP TRIGGER zzz_pgmigrate_sync ON t;
SELECT migrate.sync_begin('t', '{a}', 'n', 'half(a)::text') > 0 AS made;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass;
DROP TRIGGER zzz_pgmigrate_sync ON t;
SELECT migrate.sync_end('t', 'n');
SELECT count(*) FROM migrate.sync_pair;

-- who may
CREATE ROLE regress_migrate_owner;
CREATE ROLE regress_migrate_writer;
CREATE ROLE regress_migrate_admin;
SELECT migrate.grant_to('regress_migrate_owner', 'admin');
SELECT migrate.grant_to('regress_migrate_admin', 'admin');
GRANT USAGE, CREATE ON SCHEMA sy TO regress_migrate_owner, regress_migrate_writer, regress_migrate_admin;
CREATE SCHEMA theirs AUTHORIZATION regress_migrate_writer;
CREATE TABLE o (id int, a int, who text, n text);
ALTER TABLE o OWNER TO regress_migrate_owner;
GRANT INSERT, SELECT, UPDATE ON o TO regress_migrate_writer;
SET ROLE regress_migrate_writer;
SELECT migrate.sync_begin('o', '{a}', 'n', 'a::text');
SET ROLE regress_migrate_admin;
SELECT migrate.sync_begin('o', '{a}', 'n', 'a::text');
SELECT migrate.sync_end('o', 'n');
-- expressions run as the owner, under the settings of who made the pair
SET ROLE regress_migrate_owner;
CREATE FUNCTION me(a int) RETURNS text LANGUAGE plpgsql STABLE AS
	$$ BEGIN RETURN format('%s as %s, %s', a, current_user, helper()); END $$;
CREATE FUNCTION helper() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'ours'::text $$;
SELECT migrate.sync_begin('o', '{a}', 'n', 'me(a)') > 0 AS made;
SET ROLE regress_migrate_writer;
CREATE FUNCTION theirs.helper() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'theirs'::text $$;
SET search_path = theirs;
INSERT INTO sy.o (id, a) VALUES (1, 1);
SELECT current_user, current_setting('search_path');
RESET ROLE;
SET search_path = sy;
INSERT INTO o (id, a) VALUES (2, 2);
TABLE o;
-- the owner has to have the right to call what it uses
REVOKE EXECUTE ON FUNCTION half(int) FROM PUBLIC;
SELECT migrate.sync_begin('o', '{a}', 'who', 'half(a)::text');
-- who makes a partition needs no right on the trigger's function
ALTER TABLE p OWNER TO regress_migrate_writer;
SELECT migrate.sync_begin('p', '{v}', 'w', 'v::text') > 0 AS made;
SET ROLE regress_migrate_writer;
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
INSERT INTO p (k, v) VALUES (2, 22) RETURNING w;
RESET ROLE;

-- the table is not written but by these functions
SET ROLE regress_migrate_admin;
UPDATE migrate.sync_pair SET up = 'x';
RESET ROLE;

-- the extension does not go while columns are kept in step, but with CASCADE
DROP EXTENSION pgmigrate;
SET client_min_messages = warning;
DROP EXTENSION pgmigrate CASCADE;
INSERT INTO o (id, a) VALUES (3, 3) RETURNING n;
DROP SCHEMA sy, theirs CASCADE;
DROP ROLE regress_migrate_owner, regress_migrate_writer, regress_migrate_admin;

--
-- Schemas of views that show tables in their old or new shape.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
SET pgmigrate.contract_quiet = 0;
CREATE SCHEMA ve;
SET search_path = ve;
CREATE ROLE regress_version_app;
CREATE ROLE regress_version_reader;
GRANT USAGE ON SCHEMA ve TO regress_version_app, regress_version_reader;
CREATE FUNCTION columns(v text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = v::regclass AND attnum > 0 AND NOT attisdropped;
$$;

CREATE TABLE users (id int PRIMARY KEY, username text NOT NULL DEFAULT 'nobody', age text DEFAULT '0', first text, last text, "Odd" int);
INSERT INTO users SELECT g, 'user ' || g, g, 'F' || g, 'L' || g, g FROM generate_series(1, 5) g;
CREATE TABLE other (id int PRIMARY KEY, x int);
GRANT SELECT, INSERT, UPDATE, DELETE ON users TO regress_version_app;
GRANT SELECT (id, age) ON users TO regress_version_reader;
-- nothing to show yet
SELECT migrate.expand_version('v1', schema => 've');
SELECT migrate.expand_rename('users', 'username', 'display_name') > 0 AS queued;
SELECT migrate.expand_type('users', 'age', 'int') > 0 AS queued;
SELECT migrate.expand_column('users', 'full_name', 'text', 'first || '' '' || last') > 0 AS queued;
CALL migrate.wait('users.display_name');
CALL migrate.wait('users.age_new');
CALL migrate.wait('users.full_name');
SELECT migrate.expand_version('v1', schema => 've', shape => 'old');
SELECT migrate.expand_version('public_02-"add', schema => 've');
SELECT migrate.expand_version('v3', '{users,other}', show => '{first,last}');
SELECT columns('v1.users');
SELECT columns('"public_02-""add".users');
SELECT columns('v3.users'), columns('v3.other');
SELECT name, shape, relations, created_by = current_user AS mine FROM migrate.version ORDER BY name;

-- each application in its shape
SET search_path = v1, ve;
INSERT INTO users (id, username, age) VALUES (6, 'six', '006');
UPDATE users SET username = 'one' WHERE id = 1;
SELECT * FROM users WHERE id IN (1, 6) ORDER BY id;
SET search_path = "public_02-""add", ve;
INSERT INTO users (id, display_name, age) VALUES (7, 'seven', 7) RETURNING *;
INSERT INTO users (id, display_name, age) VALUES (1, 'uno', 11), (8, 'eight', 8) ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name;
UPDATE users SET age = 60, full_name = 'F S' WHERE id = 6;
INSERT INTO users (id) VALUES (9);
SELECT * FROM users ORDER BY id;
SET search_path = v1;
SELECT * FROM users WHERE id IN (1, 6, 7, 8, 9) ORDER BY id;
SET search_path = ve;
SELECT count(*) FROM migrate.verify_expansion('users', 'display_name');
SELECT count(*) FROM migrate.verify_expansion('users', 'age_new');
SELECT name, written_at IS NOT NULL AS written, written_by = session_user AS by_me FROM migrate.version ORDER BY name;
-- a plan is that of the table
EXPLAIN (COSTS OFF) SELECT display_name FROM v3.users WHERE id = 1;

-- the rights of whoever uses it
SET ROLE regress_version_app;
SELECT display_name FROM v3.users WHERE id = 7;
UPDATE v1.users SET username = 'sieben' WHERE id = 7;
SET ROLE regress_version_reader;
-- of single columns is not enough for a view that shows others, nor is it less
SELECT id, age FROM v3.users WHERE id = 7;
SELECT age_new FROM ve.users WHERE id = 7;
SELECT display_name FROM v3.users WHERE id = 7;
SELECT x FROM v3.other;
SELECT count(*) FROM migrate.version;
SELECT migrate.expand_version('v4', '{ve.users}');
RESET ROLE;
-- of a table that is another's
CREATE ROLE regress_version_owner;
GRANT USAGE ON SCHEMA ve TO regress_version_owner;
ALTER TABLE other OWNER TO regress_version_owner;
SELECT migrate.expand_version('v4', '{other}');
SELECT relowner::regrole, nspowner::regrole FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = 'v4.other'::regclass;
SELECT migrate.drop_version('v4');
-- a foreign key, a check, a default: those of the table
SELECT is_insertable_into, check_option FROM information_schema.views WHERE table_schema = 'v3' ORDER BY table_name;

-- the old column goes, and with it the views that show it
SET client_min_messages = notice;
SELECT migrate.contract('users', 'username');
SET client_min_messages = warning;
SELECT name, relations FROM migrate.version ORDER BY name;
SELECT count(*) FROM pg_namespace WHERE nspname = 'v1';
SELECT columns('v3.users');
-- not while somebody's own view needs one of these
SELECT migrate.expand_version('v1', schema => 've', shape => 'old');
CREATE VIEW needs AS SELECT age FROM v1.users;
\set VERBOSITY terse
SELECT migrate.contract('users', 'age', rename => true);
SELECT migrate.drop_version('v1');
\set VERBOSITY default
DROP VIEW needs;
CREATE FUNCTION v1.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT migrate.drop_version('v1');
DROP FUNCTION v1.f();
-- nor is one in the schema dropped with it
CREATE VIEW v1.mine AS SELECT age FROM users;
\set VERBOSITY terse
SELECT migrate.contract('users', 'age', rename => true);
SELECT migrate.drop_version('v1');
\set VERBOSITY default
DROP VIEW v1.mine;
SELECT migrate.contract('users', 'age', rename => true);
SELECT columns('v3.users');
SELECT columns('ve.users');
INSERT INTO v3.users (id, display_name, age) VALUES (10, 'ten', 10) RETURNING id, display_name, age;
SELECT name FROM migrate.version ORDER BY name;
-- back
SELECT migrate.expand_rename('users', 'Odd', 'odd') > 0 AS queued;
SELECT migrate.expand_version('v5', schema => 've');
SELECT columns('v5.users');
SELECT migrate.abandon('users', 'odd');
SELECT name FROM migrate.version ORDER BY name;
SELECT migrate.drop_version('public_02-"add');
SELECT migrate.drop_version('v3');
SELECT count(*) FROM migrate.schema_version;
-- all of it in a migration, or nothing
SELECT migrate.register('1', $$
-- migrate:up
CREATE TABLE ve.made (id int PRIMARY KEY, a text);
SELECT migrate.expand_type('ve.made', 'a', 'int');
SELECT migrate.expand_version('v6', '{ve.made}');
$$);
SELECT migrate.apply('1');
SELECT columns('v6.made');
BEGIN;
SELECT migrate.expand_version('v7', '{ve.made}');
ROLLBACK;
SELECT name FROM migrate.version ORDER BY name;
-- whose schema is dropped plainly, it is none any more
SELECT migrate.expand_version('v7', '{ve.made}', shape => 'old');
SET client_min_messages = error;
DROP SCHEMA v7 CASCADE;
SET client_min_messages = warning;
SELECT name FROM migrate.version ORDER BY name;
SELECT migrate.drop_version('v7');
SELECT migrate.expand_version('v7', '{ve.made}');
SELECT name, shape FROM migrate.version ORDER BY name;
SELECT migrate.drop_version('v7');

-- refused
SELECT migrate.expand_version('v6', '{ve.made}');
SELECT migrate.expand_version('pg_x', '{ve.made}');
SELECT migrate.expand_version('v7', '{}');
SELECT migrate.expand_version('v7', '{v6.made}');
SELECT migrate.expand_version('v7', '{ve.made}', shape => 'newest');
SELECT migrate.expand_version('v7', schema => 'nowhere');
SELECT migrate.expand_version(NULL);
SELECT migrate.drop_version('v7');
SELECT migrate.drop_version('public');
SELECT migrate.drop_version(NULL);
SELECT migrate.grant_to('regress_version_reader', 'admin');
GRANT CREATE ON DATABASE :DBNAME TO regress_version_reader;
SET ROLE regress_version_reader;
SELECT migrate.expand_version('v7', '{ve.made}');
SELECT migrate.drop_version('v6');
RESET ROLE;
SELECT migrate.revoke_from('regress_version_reader');
REVOKE CREATE ON DATABASE :DBNAME FROM regress_version_reader;
SELECT migrate.drop_version('v6');
SET client_min_messages = error;
DROP SCHEMA ve CASCADE;
DROP ROLE regress_version_app, regress_version_reader, regress_version_owner;
DROP EXTENSION pgmigrate;

--
-- What a script sets does not leak out, and what the caller has set is there
-- for the script: search_path, role and all other settings.
--
CREATE EXTENSION pgmigrate;
CREATE ROLE regress_migrate_one;
CREATE SCHEMA one;
CREATE SCHEMA two;
GRANT ALL ON SCHEMA one TO regress_migrate_one;
CREATE TABLE one.log (n int, k text, v text);
GRANT ALL ON one.log TO regress_migrate_one;
CREATE FUNCTION one.note(n int) RETURNS void LANGUAGE sql AS $$
INSERT INTO one.log SELECT n, k, current_setting(k, true)
FROM unnest('{search_path,role,work_mem,lock_timeout,pgmigrate.lock_timeout,standard_conforming_strings,one.own}'::text[]) k
$$;
SET pgmigrate.out_of_order = allow;
SET work_mem = '2MB';
SET search_path = two, one;

-- SET, SET LOCAL, set_config(), RESET, SET ROLE; in a function, in DO
SELECT migrate.register('set', $$
SELECT note(1);
CREATE TABLE where_am_i (id int);
SET work_mem = '3MB';
SET LOCAL lock_timeout = '7s';
SELECT set_config('one.own', 'set', false);
SET search_path = one;
SET pgmigrate.lock_timeout = 1234;
SET standard_conforming_strings = off;
SET ROLE regress_migrate_one;
SELECT one.note(2);
CREATE TABLE whose (id int);
SELECT 'a\\b';
RESET ROLE;
RESET search_path;
DO 'BEGIN SET LOCAL work_mem = ''4MB''; END';
SELECT one.note(3);
$$);
SELECT migrate.apply('set');
SELECT one.note(4);
SELECT k, max(v) FILTER (WHERE n = 1) AS before, max(v) FILTER (WHERE n = 2) AS in_the_middle,
	max(v) FILTER (WHERE n = 3) AS at_the_end, max(v) FILTER (WHERE n = 4) AS afterwards
FROM one.log GROUP BY k ORDER BY k;
SELECT c.oid::regclass, relowner::regrole = 'regress_migrate_one'::regrole AS of_one
FROM pg_class c WHERE relname IN ('where_am_i', 'whose') ORDER BY relname;

-- the statements ran with string literals read as at registration, whatever
-- was SET between them
SELECT sql FROM migrate.history_statement WHERE migration = 'set' AND sql LIKE '%\\%';

-- the same in a transaction that goes on, and after one that fails
BEGIN;
SET LOCAL work_mem = '5MB';
SELECT migrate.register('set2', 'SET work_mem = ''6MB''; SET LOCAL search_path = one; SET ROLE regress_migrate_one');
SELECT migrate.apply('set2');
SHOW work_mem;
SHOW search_path;
SELECT current_user = session_user AS same_role;
COMMIT;
SHOW work_mem;
SELECT migrate.register('set3', 'SET work_mem = ''6MB''; SET ROLE regress_migrate_one; SELECT 1/0');
DO $$ BEGIN PERFORM migrate.apply('set3'); EXCEPTION WHEN division_by_zero THEN
	RAISE INFO '%, %', current_setting('work_mem'), current_user = session_user; END $$;
-- neither from a check, a verify or a down part, nor from one migration to the next
SELECT migrate.register('set4', $$-- migrate:up
SET work_mem = '7MB';
-- migrate:check
SET work_mem = '8MB';
-- migrate:verify
SET work_mem = '9MB';
-- migrate:down
SET work_mem = '10MB';
$$);
SELECT migrate.register('set5', E'-- migrate:requires set4\n-- migrate:up\n'
	'CREATE TABLE seen AS SELECT current_setting(''work_mem'') AS work_mem;\n-- migrate:down\n');
SELECT migrate.apply('set5');
SELECT * FROM seen;
SELECT * FROM migrate.verify('set4');
SELECT migrate.rollback('set5');
SELECT migrate.rollback('set4');
SHOW work_mem;

-- SET ROLE as the caller did it: what is made belongs to that role
RESET search_path;
SELECT migrate.grant_to('regress_migrate_one', 'operator');
SELECT migrate.register('role', 'CREATE TABLE one.of_one (id int)');
SET ROLE regress_migrate_one;
SELECT migrate.apply('role');
SELECT current_user;
RESET ROLE;
SELECT relowner::regrole FROM pg_class WHERE relname = 'of_one';
SELECT session_username = session_user AS session, current_username FROM migrate.history WHERE migration = 'role';

-- the settings of the extension
SELECT name, boot_val AS setting, unit, context, short_desc FROM pg_settings WHERE name LIKE 'pgmigrate.%' ORDER BY name;
SET pgmigrate.out_of_order = 'perhaps';
\set VERBOSITY sqlstate
SET pgmigrate.lock_timeout = -1;
\set VERBOSITY default
SET pgmigrate.nonsense = 1;

SET client_min_messages = warning;
DROP SCHEMA one, two CASCADE;
DROP EXTENSION pgmigrate;
DROP ROLE regress_migrate_one;

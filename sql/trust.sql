--
-- Nobody can make somebody else's call run their code: whose script it is
-- decides as whom it may run.
--
CREATE EXTENSION pgmigrate;
CREATE ROLE regress_migrate_super SUPERUSER;
SET SESSION AUTHORIZATION regress_migrate_super;
CREATE ROLE regress_migrate_mallory;
CREATE ROLE regress_migrate_owner;
CREATE ROLE regress_migrate_dev IN ROLE regress_migrate_owner;
CREATE SCHEMA tr;
GRANT USAGE, CREATE ON SCHEMA tr TO PUBLIC;
CREATE TABLE tr.loot (what text, as_user name DEFAULT current_user);
GRANT INSERT ON tr.loot TO PUBLIC;
SELECT migrate.grant_to(r, 'admin') FROM unnest('{regress_migrate_mallory,regress_migrate_owner,regress_migrate_dev}'::regrole[]) r;
SET pgmigrate.out_of_order = allow;
-- what only looks leaves a trace in a session's lock
CREATE FUNCTION tr.all_parts(what text) RETURNS text LANGUAGE sql AS $$
SELECT format($f$-- migrate:up
INSERT INTO tr.loot VALUES ('%1$s up');
-- migrate:verify
SELECT pg_advisory_lock(hashtext('%1$s ' || current_user));
-- migrate:down
INSERT INTO tr.loot VALUES ('%1$s down');
$f$, what) $$;
CREATE FUNCTION tr.looked(what text, as_user text) RETURNS boolean LANGUAGE sql AS
$$ SELECT pg_advisory_unlock(hashtext($1 || ' ' || $2)) $$;

-- a script of a plain role, by a superuser: neither one's own nor as a
-- requirement, nor among all
SET ROLE regress_migrate_mallory;
SELECT migrate.register('1-mallory', tr.all_parts('mallory'));
RESET ROLE;
SELECT name, state, problem FROM migrate.status();
SELECT migrate.apply('1-mallory');
SELECT migrate.register('2-super', E'-- migrate:requires 1-mallory\nSELECT 1');
SELECT migrate.apply('2-super');
SELECT * FROM migrate.apply_all();
SELECT * FROM migrate.apply_all(upto => '1-mallory');
-- nor by another plain role
SET ROLE regress_migrate_owner;
SELECT migrate.apply('1-mallory');
-- but by its author, and what that left is not run either
SET ROLE regress_migrate_mallory;
SELECT migrate.apply('1-mallory');
RESET ROLE;
SELECT * FROM tr.loot;
SELECT * FROM migrate.verify('1-mallory');
SELECT * FROM migrate.verify();
SET client_min_messages = error;
SELECT tr.looked('mallory', 'regress_migrate_mallory') AS by_author, tr.looked('mallory', 'regress_migrate_super') AS by_superuser;
RESET client_min_messages;
SELECT migrate.rollback('1-mallory');
SELECT * FROM migrate.rollback_to('1-mallory');
-- reviewed and registered anew, it is the superuser's, applied or not
BEGIN;
SELECT migrate.register('1-mallory', tr.all_parts('mallory'));
SELECT registered_by FROM migrate.migration WHERE name = '1-mallory';
SELECT migrate.rollback('1-mallory');
ROLLBACK;
SET ROLE regress_migrate_mallory;
SELECT migrate.rollback('1-mallory');
RESET ROLE;
SELECT migrate.register('1-mallory', tr.all_parts('mallory'));
SELECT registered_by FROM migrate.migration WHERE name = '1-mallory';
SELECT migrate.apply('1-mallory');
-- and not the author's any more: who comes later does not inherit the trust
SELECT migrate.rollback('1-mallory');
SET ROLE regress_migrate_mallory;
SELECT migrate.register('1-mallory', 'INSERT INTO tr.loot VALUES (''replaced'')');
SELECT migrate.register('2-super', 'INSERT INTO tr.loot VALUES (''replaced'')');
SELECT migrate.unregister('2-super');
RESET ROLE;
SELECT * FROM tr.loot ORDER BY what, as_user;
TRUNCATE tr.loot;

-- a member of the author's role may replace, and is the author then
SET ROLE regress_migrate_owner;
SELECT migrate.register('3-owner', E'INSERT INTO tr.loot VALUES (''owner'')');
SET ROLE regress_migrate_dev;
SELECT migrate.apply('3-owner');
SELECT migrate.register('3-owner', E'INSERT INTO tr.loot VALUES (''dev for owner'')');
SET ROLE regress_migrate_owner;
BEGIN;
SELECT migrate.apply('3-owner');
ROLLBACK;
RESET ROLE;
REVOKE regress_migrate_owner FROM regress_migrate_dev;
SET ROLE regress_migrate_owner;
SELECT migrate.apply('3-owner');
SELECT migrate.register('3-owner', E'INSERT INTO tr.loot VALUES (''owner again'')');
RESET ROLE;
GRANT regress_migrate_owner TO regress_migrate_dev;
-- a superuser's script by anybody, as whom it runs
SELECT migrate.register('4-super', 'INSERT INTO tr.loot VALUES (''super'')');
SET ROLE regress_migrate_dev;
SELECT migrate.apply('4-super');
RESET ROLE;
SELECT * FROM tr.loot ORDER BY what, as_user;
TRUNCATE tr.loot;

-- a superuser who steps down to run somebody's script cannot be climbed upon
SET ROLE regress_migrate_mallory;
SELECT migrate.register('5-reset', 'RESET ROLE; INSERT INTO tr.loot VALUES (''reset'')');
SELECT migrate.register('5-none', 'SET ROLE none; INSERT INTO tr.loot VALUES (''none'')');
SELECT migrate.register('5-all', 'RESET ALL; INSERT INTO tr.loot VALUES (''all'')');
SELECT migrate.register('5-session', 'SET SESSION AUTHORIZATION DEFAULT; INSERT INTO tr.loot VALUES (''session'')');
SELECT migrate.register('5-do', 'DO ''BEGIN PERFORM set_config(''''role'''', ''''none'''', false); INSERT INTO tr.loot VALUES (''''do''''); END''');
SELECT migrate.register('5-function', 'CREATE FUNCTION tr.f() RETURNS int LANGUAGE sql SET role = none AS ''INSERT INTO tr.loot VALUES (''''function''''); SELECT 1''; SELECT tr.f()');
SELECT migrate.register('5-deferred', $$CREATE TABLE tr.d (id int);
CREATE FUNCTION tr.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO tr.loot VALUES (''deferred''); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON tr.d DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tr.t();
INSERT INTO tr.d VALUES (1);$$);
SELECT migrate.register('5-hold', $$DO 'BEGIN EXECUTE ''DECLARE c CURSOR WITH HOLD FOR SELECT 1''; END'$$);
SELECT migrate.register('5-temp', 'CREATE TEMPORARY TABLE pg_class_of_mine (id int)');
SELECT migrate.register('5-check', E'-- migrate:up\nINSERT INTO tr.loot VALUES (''check'');\n-- migrate:check\nRESET ROLE; SELECT current_user = session_user;');
SELECT migrate.register('5-harmless', 'SET work_mem = ''1MB''; INSERT INTO tr.loot VALUES (''harmless'')');
SELECT migrate.apply('5-reset');
SELECT migrate.apply('5-none');
SELECT migrate.apply('5-all');
SELECT migrate.apply('5-session');
SELECT migrate.apply('5-do');
SELECT migrate.apply('5-function');
SELECT migrate.apply('5-deferred');
SELECT migrate.apply('5-hold');
SELECT migrate.apply('5-temp');
SELECT migrate.apply('5-check');
SELECT migrate.apply('5-harmless');
RESET ROLE;
SELECT * FROM tr.loot ORDER BY what, as_user;

-- a role that is gone has no rights, whoever bears its name is another matter
SET ROLE regress_migrate_mallory;
SELECT migrate.register('6-gone', 'INSERT INTO tr.loot VALUES (''gone'')');
RESET ROLE;
ALTER ROLE regress_migrate_mallory RENAME TO regress_migrate_renamed;
SELECT migrate.apply('6-gone');
SET ROLE regress_migrate_renamed;
SELECT migrate.apply('6-gone');
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA tr CASCADE;
DROP EXTENSION pgmigrate;
RESET SESSION AUTHORIZATION;
DROP ROLE regress_migrate_renamed, regress_migrate_dev, regress_migrate_owner, regress_migrate_super;

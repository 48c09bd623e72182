--
-- Who may submit, control and see backfills, and as whom they run.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
CREATE ROLE regress_migrate_admin LOGIN;
CREATE ROLE regress_migrate_operator LOGIN;
CREATE ROLE regress_migrate_monitor LOGIN;
CREATE ROLE regress_migrate_plain LOGIN;
CREATE ROLE regress_migrate_owner LOGIN;
CREATE ROLE regress_migrate_member LOGIN IN ROLE regress_migrate_owner;
CREATE ROLE regress_migrate_group NOLOGIN;
CREATE ROLE regress_migrate_super LOGIN SUPERUSER;
SELECT migrate.grant_to('regress_migrate_admin', 'admin');
SELECT migrate.grant_to('regress_migrate_operator', 'operator');
SELECT migrate.grant_to('regress_migrate_monitor', 'monitor');
CREATE SCHEMA bf;
GRANT USAGE, CREATE ON SCHEMA bf TO PUBLIC;
SET search_path = bf;
CREATE TABLE mine (id int PRIMARY KEY, a text);
INSERT INTO mine SELECT g FROM generate_series(1, 10) g;
CREATE TABLE owned (LIKE mine INCLUDING ALL);
INSERT INTO owned SELECT g FROM generate_series(1, 10) g;
ALTER TABLE owned OWNER TO regress_migrate_owner;
CREATE TABLE grouped (LIKE mine INCLUDING ALL);
INSERT INTO grouped SELECT g FROM generate_series(1, 10) g;
ALTER TABLE grouped OWNER TO regress_migrate_group;
CREATE FUNCTION who() RETURNS text LANGUAGE sql AS $$ SELECT format('%s as %s', session_user, current_user) $$;
CREATE VIEW jobs AS SELECT name, submitted_by, run_as, state FROM migrate.backfill_history ORDER BY name COLLATE "C";
GRANT SELECT ON jobs TO PUBLIC;

-- what each set may do with backfills
SELECT f.name AS function, count(DISTINCT p.oid), string_agg(DISTINCT r.name, ' ') FILTER (WHERE has_function_privilege('regress_migrate_' || r.name, p.oid, 'EXECUTE')) AS roles
FROM unnest('{backfill,backfill_batch,alter_backfill,pause,resume,cancel,retry,estimate,wait,finish,next_window}'::text[]) WITH ORDINALITY f (name, n)
	JOIN pg_proc p ON p.proname = f.name AND p.pronamespace = 'migrate'::regnamespace,
	unnest('{admin,operator,monitor,plain}'::text[]) r (name)
GROUP BY f.n, f.name ORDER BY f.n;

-- one's own: as oneself
GRANT ALL ON mine TO regress_migrate_admin;
SET ROLE regress_migrate_admin;
SELECT migrate.backfill('mine', 'a = bf.who()', 'a IS NULL', name => 'own') IS NOT NULL AS queued;
CALL migrate.wait('own');
SELECT * FROM jobs;
RESET ROLE;
SELECT a, count(*) FROM mine GROUP BY a;
-- of a table without rights on it: not at all
SET ROLE regress_migrate_admin;
SELECT migrate.backfill('owned', 'a = ''1''');
SELECT migrate.backfill('owned', 'a = ''1''', run_as => 'regress_migrate_owner');
SELECT migrate.estimate('owned', 'a = ''1''');
SET ROLE regress_migrate_operator;
SELECT migrate.backfill('mine', 'a = ''1''');
SET ROLE regress_migrate_plain;
SELECT migrate.backfill('mine', 'a = ''1''');
SELECT migrate.pause('own');
CALL migrate.wait('own');
CALL migrate.finish('own');
RESET ROLE;
SET ROLE regress_migrate_monitor;
SELECT migrate.cancel('own');
CALL migrate.wait('own');
RESET ROLE;

-- a superuser for a table of another owner: as that owner, and is told so
RESET client_min_messages;
SELECT migrate.backfill('owned', 'a = bf.who()', 'a IS NULL', name => 'as the owner') IS NOT NULL AS queued;
SET client_min_messages = warning;
CALL migrate.wait('as the owner');
SELECT a, count(*) FROM owned GROUP BY a;
-- but as itself, if it says so
UPDATE owned SET a = NULL;
SET SESSION AUTHORIZATION regress_migrate_super;
RESET client_min_messages;
SELECT migrate.backfill('owned', 'a = bf.who()', 'a IS NULL', name => 'as superuser', run_as => 'regress_migrate_super') IS NOT NULL AS queued;
SET client_min_messages = warning;
CALL migrate.wait('as superuser');
RESET SESSION AUTHORIZATION;
SELECT a, count(*) FROM owned GROUP BY a;
-- with the owner's rights, not the superuser's: also when it is submitted
CREATE TABLE secret (v text);
INSERT INTO secret VALUES ('secret');
SELECT migrate.backfill('owned', 'a = (SELECT v FROM bf.secret)', 'a IS NULL');
BEGIN;
SELECT migrate.backfill('owned', 'a = ''x''', hold_when => 'EXISTS (SELECT FROM bf.secret)');
ROLLBACK;
-- an owner who may not log in
UPDATE owned SET a = NULL;
SELECT migrate.backfill('grouped', 'a = bf.who()', 'a IS NULL', name => 'no login') IS NOT NULL AS queued;
CALL migrate.wait('no login');
SELECT split_part(a, ' as ', 2) AS current_user, count(*) FROM grouped GROUP BY 1;
-- one who may not connect
DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END $$;
SELECT migrate.backfill('owned', 'a = ''1''');
DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()); END $$;
-- as a role whose member one is
SELECT migrate.grant_to('regress_migrate_member', 'admin');
SET SESSION AUTHORIZATION regress_migrate_member;
SELECT migrate.backfill('owned', 'a = bf.who()', 'a IS NULL', name => 'as a member') IS NOT NULL AS queued;
CALL migrate.wait('as a member');
SELECT migrate.backfill('owned', 'a = bf.who()', name => 'for the owner', run_as => 'regress_migrate_owner', strategy => 'key') IS NOT NULL AS queued;
CALL migrate.wait('for the owner');
SELECT migrate.backfill('owned', 'a = ''1''', run_as => 'regress_migrate_super');
RESET SESSION AUTHORIZATION;
SELECT a, count(*) FROM owned GROUP BY a;
SELECT name, nullif(submitted_by, current_user) AS submitted_by, run_as, state FROM jobs;

-- jobs of others: may be stopped and changed by who may do that at all, ...
CREATE FUNCTION submit(job text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM migrate.backfill('bf.owned', 'a = ''x''', name => job, not_before => 'infinity');
	PERFORM migrate.pause(job);
END $$;
SELECT submit('other');
SELECT id AS other FROM migrate.backfill_history WHERE name = 'other' \gset
SET SESSION AUTHORIZATION regress_migrate_operator;
SELECT migrate.resume('other'), migrate.pause('other'), migrate.alter_backfill(:other, duty => 50);
-- but nothing of theirs runs as the job's role, or in their session
SELECT migrate.alter_backfill(:other, hold_when => 'true');
SELECT migrate.backfill_batch(:other);
CALL migrate.finish('other');
SELECT migrate.cancel('other');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_migrate_admin;
SELECT migrate.estimate(:other);
RESET SESSION AUTHORIZATION;
-- nor does a superuser run the owner's code in its own session, whatever role it takes on
SELECT submit('other 2');
SELECT id AS other FROM migrate.backfill_history WHERE name = 'other 2' \gset
SELECT migrate.backfill_batch(:other);
CALL migrate.finish('other 2');
SELECT migrate.estimate(:other);
GRANT EXECUTE ON PROCEDURE migrate.finish(text) TO regress_migrate_owner;
SET ROLE regress_migrate_owner;
CALL migrate.finish('other 2');
RESET ROLE;
SET SESSION AUTHORIZATION regress_migrate_owner;
CALL migrate.finish('other 2');
RESET SESSION AUTHORIZATION;
SELECT a, count(*) FROM owned GROUP BY a;

-- who sees what
CREATE FUNCTION seen(role regrole) RETURNS TABLE (history text, progress bigint, lines bigint, errors bigint, samples bigint) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET ROLE %s', role);
	SELECT string_agg(name, ', ' ORDER BY name COLLATE "C") INTO history FROM migrate.backfill_history;
	SELECT count(*) INTO progress FROM migrate.progress;
	SELECT count(*) INTO lines FROM migrate.progress_line;
	SELECT count(*) INTO errors FROM migrate.backfill_error;
	SELECT count(*) INTO samples FROM migrate.backfill_sample;
	RESET ROLE;
	RETURN NEXT;
END $$;
UPDATE mine SET a = id - 5;
SET SESSION AUTHORIZATION regress_migrate_admin;
SELECT migrate.backfill('mine', 'a = 1 / a::int', name => 'errors', max_bad_rows => 100, strategy => 'key') IS NOT NULL AS queued;
CALL migrate.wait('errors');
RESET SESSION AUTHORIZATION;
SELECT r.role, s.* FROM unnest('{admin,operator,monitor,plain,owner,member,group}'::text[]) WITH ORDINALITY r (role, n),
	LATERAL seen(('regress_migrate_' || role)::regrole) s ORDER BY n;
GRANT pg_monitor TO regress_migrate_plain;
SELECT progress, errors FROM seen('regress_migrate_plain');
REVOKE pg_monitor FROM regress_migrate_plain;
GRANT regress_migrate_owner TO regress_migrate_plain;
SELECT history FROM seen('regress_migrate_plain');
-- the tables, and writing them
SET ROLE regress_migrate_plain;
SELECT count(*) FROM migrate.backfill_job;
RESET ROLE;
GRANT pg_write_all_data, pg_read_all_data TO regress_migrate_plain;
SET ROLE regress_migrate_plain;
UPDATE migrate.backfill_job SET assign = 'a = bf.who()';
UPDATE migrate.backfill_job SET run_as = 'regress_migrate_super';
DELETE FROM migrate.backfill_lane;
TRUNCATE migrate.backfill_leaf;
INSERT INTO migrate.backfill_bad_row SELECT * FROM migrate.backfill_bad_row;
RESET ROLE;

-- rights that are taken away meanwhile: the next batch sees that
SELECT submit('revoked');
ALTER TABLE owned OWNER TO regress_migrate_group;
SELECT migrate.alter_backfill(id, reset => '{not_before}') FROM migrate.backfill_history WHERE name = 'revoked';
SELECT migrate.resume('revoked');
CALL migrate.wait('revoked');
SELECT state, sqlstate, rows FROM migrate.backfill_history WHERE name = 'revoked';
ALTER TABLE owned OWNER TO regress_migrate_owner;
UPDATE owned SET a = NULL;
SELECT migrate.retry('revoked');
CALL migrate.wait('revoked');
SELECT a, count(*) FROM owned GROUP BY a;
-- a role that is gone
CREATE ROLE regress_migrate_gone LOGIN;
ALTER TABLE owned OWNER TO regress_migrate_gone;
SELECT submit('gone');
ALTER TABLE owned OWNER TO regress_migrate_owner;
DROP ROLE regress_migrate_gone;
SELECT migrate.resume('gone');
SELECT name, run_as, state FROM migrate.backfill_history WHERE name = 'gone';
SELECT migrate.cancel('gone');

DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;
DROP ROLE regress_migrate_admin, regress_migrate_operator, regress_migrate_monitor, regress_migrate_plain, regress_migrate_member, regress_migrate_owner,
	regress_migrate_group, regress_migrate_super;

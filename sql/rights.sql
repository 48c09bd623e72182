--
-- Who may do what: the three sets of rights, what everybody has, and that the
-- statements of a script are subject to the caller's own privileges.
--
CREATE EXTENSION pgmigrate;
CREATE ROLE regress_migrate_admin;
CREATE ROLE regress_migrate_operator;
CREATE ROLE regress_migrate_monitor;
CREATE ROLE regress_migrate_pg_monitor IN ROLE pg_monitor;
CREATE ROLE regress_migrate_plain;
CREATE SCHEMA ri;
GRANT USAGE, CREATE ON SCHEMA ri TO PUBLIC;
CREATE TABLE ri.secret (id int PRIMARY KEY);

SELECT migrate.grant_to('regress_migrate_admin', 'admin');
SELECT migrate.grant_to(role => 'regress_migrate_operator', rights => 'operator');
SELECT migrate.grant_to('regress_migrate_monitor', 'monitor');
-- functions
SELECT p.oid::regprocedure AS function, string_agg(r.name, ' ' ORDER BY r.n) AS roles
FROM pg_proc p LEFT JOIN (VALUES (1, 'admin'), (2, 'operator'), (3, 'monitor'), (4, 'pg_monitor'), (5, 'plain')) r(n, name)
	ON has_function_privilege('regress_migrate_' || r.name, p.oid, 'EXECUTE')
WHERE p.pronamespace = 'migrate'::regnamespace GROUP BY p.oid ORDER BY p.oid::regprocedure::text COLLATE "C";
-- tables and views
SELECT c.relname, r.name AS role, string_agg(priv, ' ') AS privileges
FROM pg_class c, (VALUES (1, 'admin'), (2, 'operator'), (3, 'monitor'), (4, 'pg_monitor'), (5, 'plain')) r(n, name),
	unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) priv
WHERE c.relnamespace = 'migrate'::regnamespace AND c.relkind IN ('r', 'v')
	AND has_table_privilege('regress_migrate_' || r.name, c.oid, priv)
GROUP BY c.relname, r.n, r.name ORDER BY c.relname, r.n;

-- each does its work
SET ROLE regress_migrate_admin;
SELECT migrate.register('1-admin', E'-- migrate:up\nCREATE TABLE ri.a (id int);\n-- migrate:down\nDROP TABLE ri.a;');
SELECT migrate.apply('1-admin');
SELECT migrate.grant_to('regress_migrate_plain', 'admin');
SELECT migrate.revoke_from('regress_migrate_operator');
SELECT migrate.load('/tmp');
SELECT migrate.compensate('try', 'SELECT * FROM ri.secret');
RESET ROLE;
SELECT migrate.register('2-super', E'-- migrate:up\nCREATE TABLE ri.b (id int);\n-- migrate:down\nDROP TABLE ri.b;');
SELECT migrate.register('3-secret', E'SELECT 1;\nINSERT INTO ri.secret VALUES (1);');
SET ROLE regress_migrate_operator;
SELECT migrate.apply('2-super');
SELECT migrate.register('4', 'SELECT 1');
-- exactly what the server says
SELECT migrate.apply('3-secret');
\set VERBOSITY sqlstate
SELECT migrate.apply('3-secret');
\set VERBOSITY default
RESET ROLE;
SELECT migrate.register('4-alter', 'ALTER TABLE ri.secret ADD COLUMN a int'), migrate.register('4-drop', 'DROP TABLE ri.secret'),
	migrate.register('4-truncate', 'TRUNCATE ri.secret'), migrate.register('4-index', 'CREATE INDEX ON ri.secret (id)'),
	migrate.register('4-lock', 'LOCK ri.secret'), migrate.register('4-fk', 'CREATE TABLE ri.fk (id int REFERENCES ri.secret)'),
	migrate.register('4-super', 'ALTER ROLE regress_migrate_plain SUPERUSER');
SET ROLE regress_migrate_operator;
SELECT migrate.apply('4-alter');
SELECT migrate.apply('4-drop');
SELECT migrate.apply('4-truncate');
SELECT migrate.apply('4-index');
SELECT migrate.apply('4-lock');
SELECT migrate.apply('4-fk');
\set VERBOSITY sqlstate
SELECT migrate.apply('4-super');
\set VERBOSITY default
RESET ROLE;
SELECT count(migrate.unregister(name)) FROM migrate.status() WHERE name LIKE '4-%';
SET ROLE regress_migrate_operator;
SELECT tableowner FROM pg_tables WHERE schemaname = 'ri' AND tablename = 'b';
SELECT migrate.rollback('2-super');
SET ROLE regress_migrate_monitor;
SELECT statement, kind FROM migrate.plan('1-admin');
SELECT migrate.apply('3-secret');
SELECT migrate.verify('1-admin');
SELECT count(*) FROM migrate.migration;
DELETE FROM migrate.run;
UPDATE migrate.history SET note = 'forged';
SET ROLE regress_migrate_plain;
SELECT migrate.plan('1-admin');
SELECT migrate.register('x', 'SELECT 1');
SELECT count(*) FROM migrate.migration;
RESET ROLE;

-- who sees what: one's own, that of roles one is a member of, or all
CREATE FUNCTION ri.seen(role regrole) RETURNS TABLE (status bigint, history bigint, statements bigint) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET ROLE %s', role);
	SELECT count(*) INTO status FROM migrate.status();
	SELECT count(*) INTO history FROM migrate.history;
	SELECT count(*) INTO statements FROM migrate.history_statement;
	RESET ROLE;
	RETURN NEXT;
END $$;
SELECT role, (ri.seen(('regress_migrate_' || role)::regrole)).*
FROM unnest('{admin,operator,monitor,pg_monitor,plain}'::text[]) WITH ORDINALITY r(role, n) ORDER BY n;
SELECT migrate.revoke_from('regress_migrate_admin'), migrate.revoke_from('regress_migrate_operator');
SELECT * FROM ri.seen('regress_migrate_admin');
SELECT * FROM ri.seen('regress_migrate_operator');
GRANT regress_migrate_admin TO regress_migrate_plain;
SELECT * FROM ri.seen('regress_migrate_plain');
-- a plain user's own: seen, planned, but not run without the right to
SET ROLE regress_migrate_plain;
SELECT name FROM migrate.status();
SELECT migration, action FROM migrate.history ORDER BY id;
SELECT migrate.apply('1-admin');
RESET ROLE;

-- a lower set does not take away, revoke_from() takes everything
SELECT migrate.grant_to('regress_migrate_plain', 'admin'), migrate.revoke_from('regress_migrate_plain');
SELECT migrate.revoke_from('regress_migrate_monitor'), migrate.revoke_from('regress_migrate_monitor');
SELECT count(*) FROM pg_proc p, unnest('{admin,operator,monitor,plain}'::text[]) r
WHERE p.pronamespace = 'migrate'::regnamespace AND p.proname NOT IN ('carry', 'status', 'sync') AND has_function_privilege('regress_migrate_' || r, p.oid, 'EXECUTE');
SELECT count(*) FROM pg_class c, unnest('{admin,operator,monitor,plain}'::text[]) r
WHERE c.relnamespace = 'migrate'::regnamespace AND c.relkind = 'r' AND has_table_privilege('regress_migrate_' || r, c.oid, 'SELECT');
SELECT * FROM ri.seen('regress_migrate_monitor');

-- nobody can make migrate.* theirs
SET ROLE regress_migrate_plain;
CREATE TABLE migrate.mine (id int);
CREATE FUNCTION migrate.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
DROP EXTENSION pgmigrate;
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA ri CASCADE;
DROP EXTENSION pgmigrate;
DROP ROLE regress_migrate_admin, regress_migrate_operator, regress_migrate_monitor, regress_migrate_pg_monitor, regress_migrate_plain;

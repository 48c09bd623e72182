--
-- What the server would say of a statement, it says: nothing that is done before
-- the statement runs, to foresee its locks, gets in the way.
--
CREATE EXTENSION pgmigrate;
CREATE ROLE regress_migrate_low;
CREATE SCHEMA oe;
GRANT USAGE ON SCHEMA oe TO regress_migrate_low;
CREATE TABLE oe.par (id int PRIMARY KEY);
GRANT REFERENCES ON oe.par TO regress_migrate_low;
SELECT migrate.grant_to('regress_migrate_low', 'admin');
-- a right to a weak lock is no right to a strong one
SET ROLE regress_migrate_low;
SELECT migrate.register('1-own', 'ALTER TABLE oe.par ADD z int, ADD FOREIGN KEY (id) REFERENCES oe.par');
BEGIN;
SELECT migrate.apply('1-own');
ROLLBACK;
RESET ROLE;
-- options that are no booleans
SELECT migrate.register('2-reindex', E'SELECT 1;\nREINDEX (CONCURRENTLY banana) TABLE oe.par');
SELECT migrate.apply('2-reindex');
SELECT migrate.register('3-vacuum', 'VACUUM (FULL banana) oe.par');
SELECT kind, relation, lock FROM migrate.plan('3-vacuum');
-- names that are not there
SELECT migrate.register('4-drop', 'DROP TABLE oe.nowhere');
SELECT migrate.apply('4-drop');
SELECT migrate.register('5-alter', 'ALTER TABLE nowhere.t ADD x int');
SELECT migrate.apply('5-alter');
-- where the views on sessions and locks are closed, a missed lock is still one
SET ROLE regress_migrate_low;
SELECT migrate.register('6-try', $$DO 'BEGIN RAISE lock_not_available USING MESSAGE = ''no lock''; END'$$);
RESET ROLE;
BEGIN;
REVOKE SELECT ON pg_stat_activity, pg_locks FROM PUBLIC;
SET ROLE regress_migrate_low;
SET pgmigrate.lock_retries = 1;
SET pgmigrate.out_of_order = allow;
SELECT migrate.apply('6-try');
ROLLBACK;
SET client_min_messages = warning;
DROP SCHEMA oe CASCADE;
DROP EXTENSION pgmigrate;
DROP ROLE regress_migrate_low;

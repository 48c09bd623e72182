--
-- rollback() and rollback_to()
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA rb;

SELECT name, migrate.register(name, coalesce('-- migrate:requires ' || needs || E'\n', '') || E'-- migrate:up\n' ||
	format(E'CREATE TABLE rb.%I (id int);\n-- migrate:down\nDROP TABLE rb.%1$I;\n', name)) AS result
FROM (VALUES ('1', NULL), ('2', '1'), ('3', NULL), ('4', '2, 3')) v(name, needs) ORDER BY name;
SELECT migrate.register('5-oneway', 'CREATE TABLE rb."5" (id int)');
SELECT migrate.register('view', E'-- migrate:repeatable\n-- migrate:up\nCREATE OR REPLACE VIEW rb.v AS SELECT 1 AS one;\n-- migrate:down\nDROP VIEW rb.v');
SELECT migrate.rollback('4');
SELECT * FROM migrate.apply_all();
CREATE FUNCTION rb.tables() RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'rb'::regnamespace $$;

-- what is required by an applied one stays
SELECT migrate.rollback('1');
SELECT migrate.rollback('2');
-- no way back
SELECT migrate.rollback('5-oneway');
-- and with one that has no way back among them, none is rolled back
SELECT * FROM migrate.rollback_to('1');
SELECT rb.tables();

-- one
SELECT migrate.rollback('4');
SELECT rb.tables();
SELECT name, state, applied_at IS NULL AS not_applied, problem FROM migrate.status() WHERE state <> 'applied';
SELECT migrate.rollback('4');
SELECT migrate.rollback('nowhere');
-- a rolled back one can be changed, and applied again
SELECT migrate.register('4', E'-- migrate:requires 2, 3\n-- migrate:up\nCREATE TABLE rb."4b" (id int);\n-- migrate:down\nDROP TABLE rb."4b";\n');
SELECT state FROM migrate.status() WHERE name = '4';
SET pgmigrate.out_of_order = allow;
SELECT migrate.apply('4');
SELECT rb.tables();

-- many, last first by the time they were applied; those of the future stay as they are
SELECT migrate.resolve('5-oneway', 'rolled_back', 'dropped by hand');
DROP TABLE rb."5";
SELECT * FROM migrate.rollback_to('1') WITH ORDINALITY ORDER BY ordinality;
SELECT rb.tables();
SELECT * FROM migrate.rollback_to('1');
SELECT * FROM migrate.rollback_to('3');
SELECT * FROM migrate.rollback_to('nowhere');
-- repeatables stay, unless named
SELECT migrate.rollback('view');
SELECT rb.tables();

-- atomic: a down part that fails undoes the whole call, and its caller's transaction undoes it
SELECT migrate.apply('4');
SELECT migrate.register('6-bad', E'-- migrate:up\nSELECT 1;\n-- migrate:down\nDELETE FROM rb."4b";\nDROP TABLE rb.nowhere;');
SELECT migrate.apply('6-bad');
SELECT migrate.register('7', E'-- migrate:up\nCREATE TABLE rb."7" (id int);\n-- migrate:down\nDROP TABLE rb."7";');
SELECT migrate.apply('7');
SELECT * FROM migrate.rollback_to('4');
SELECT rb.tables();
BEGIN;
SELECT migrate.rollback('7');
ROLLBACK;
SELECT rb.tables();
BEGIN READ ONLY;
SELECT migrate.rollback('7');
ROLLBACK;

-- neither check nor verify belong to the way back
SELECT migrate.register('8', $$-- migrate:up
CREATE TABLE rb."8" (id int);
-- migrate:check
SELECT to_regclass('rb."8"') IS NULL;
-- migrate:verify
SELECT to_regclass('rb."8"') IS NOT NULL;
-- migrate:down
DROP TABLE rb."8";
$$);
SELECT migrate.apply('8'), migrate.rollback('8'), migrate.apply('8');
-- an empty down part is a way back
SELECT migrate.register('9', E'-- migrate:up\nSELECT 1;\n-- migrate:down\n');
SELECT migrate.apply('9'), migrate.rollback('9');
-- a down part that cannot run in a transaction is refused
SELECT migrate.register('9-online', E'-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\nDROP INDEX CONCURRENTLY rb.i;');
SELECT migrate.apply('9-online');
SELECT migrate.rollback('9-online');

SELECT migration, action, outcome FROM migrate.history WHERE migration IN ('4', '8', '9') ORDER BY id;

SET client_min_messages = warning;
DROP SCHEMA rb CASCADE;
DROP EXTENSION pgmigrate;

--
-- A failing statement: its own error and SQLSTATE, with the migration, the
-- statement, its line, and a position in the script.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA err;
SET pgmigrate.out_of_order = allow;

-- Register and apply a script, and show the error as a client gets it.
CREATE FUNCTION err.show(script text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	message text;
	state text;
	detail text;
	hint text;
	context text;
	table_name text;
	constraint_name text;
BEGIN
	PERFORM migrate.register('x', script);
	PERFORM migrate.apply('x');
	RAISE INFO 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT, table_name = TABLE_NAME,
		constraint_name = CONSTRAINT_NAME;
	RAISE INFO E'% %\n detail: %\n hint: %\n table: %, constraint: %\n context: %',
		state, message, detail, hint, table_name, constraint_name,
		regexp_replace(context, 'SQL statement "SELECT migrate.*', '...');
END $$;

-- found at parse analysis, planning, and execution
SELECT err.show(E'SELECT 1;\nSELECT *\nFROM err.nowhere;');
SELECT err.show(E'CREATE TABLE err.t (id int PRIMARY KEY, n int NOT NULL);\n\nINSERT INTO err.t\nVALUES (1, 2), (1, 3);');
SELECT err.show(E'CREATE TABLE err.t (id int PRIMARY KEY, n int NOT NULL);\nINSERT INTO err.t VALUES (1, NULL);');
SELECT err.show(E'SELECT 1 / 0');
SELECT err.show(E'-- migrate:up\nSELECT 1;\n-- migrate:verify\nSELECT 1;\nSELECT true;\nSELECT false;');
SELECT err.show(E'-- migrate:up\nSELECT 1;\n-- migrate:check\nSELECT ''x''::int;');
-- raised by a function, a DO block, a trigger: their context stays
SELECT err.show($x$SELECT 1;
DO $$
BEGIN
	RAISE EXCEPTION 'mine' USING ERRCODE = 'UX001', DETAIL = 'a detail', HINT = 'a hint', TABLE = 'a table';
END $$;$x$);
-- a syntax error inside a function's text is the function's
SELECT err.show(E'SELECT 1;\nDO ''BEGIN SELEKT 1; END'';');
-- what a transaction forbids although its text did not tell
SELECT err.show($x$CREATE PROCEDURE err.p() LANGUAGE plpgsql AS 'BEGIN COMMIT; END';
CALL err.p();$x$);

-- as psql shows it: the position is one in the script, in every part
SELECT migrate.register('y', E'-- migrate:up\nCREATE TABLE err.y (a int);\nSELECT a,\n\tb FROM err.y;\n-- migrate:down\nDROP TABLE\n\terr.nothing;\n');
SELECT migrate.apply('y');
SELECT migrate.resolve('y', 'applied', 'test');
SELECT migrate.rollback('y');
SELECT migrate.register('caller', E'SELECT 1 / 0');
DO $$ BEGIN PERFORM migrate.apply('caller'); END $$;
SELECT migrate.compensate('because', E'SELECT 1;\nSELECT one');
-- a long script is not repeated, its statement alone is
SELECT migrate.register('long', repeat(E'-- a long comment of fifty characters, and a newline\n', 1000) || E'SELECT 1;\nSELECT\n  nope;\n');
SELECT migrate.apply('long');

-- cancelled
SELECT migrate.register('slow', E'SELECT 1;\nSELECT pg_cancel_backend(pg_backend_pid()) FROM generate_series(1, 10);');
SELECT migrate.apply('slow');
-- nothing stays open after an error: the next run is not "within a migration"
SELECT migrate.register('fine', 'SELECT 1');
SELECT migrate.apply('fine');
-- a notice has the context too
\set SHOW_CONTEXT always
SELECT migrate.register('notice', E'\n\nDO $$ BEGIN RAISE WARNING ''careful''; END $$;\nDROP TABLE IF EXISTS err.no_such;');
SELECT migrate.apply('notice');

SET client_min_messages = warning;
DROP SCHEMA err CASCADE;
DROP EXTENSION pgmigrate;

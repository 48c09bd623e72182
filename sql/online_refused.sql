--
-- What cannot run in a transaction is refused before anything ran, where the
-- caller asks for an atomic run.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA onl;
CREATE TABLE onl.t (id int PRIMARY KEY);
CREATE TABLE onl.part (id int) PARTITION BY RANGE (id);
CREATE TABLE onl.part1 PARTITION OF onl.part FOR VALUES FROM (1) TO (2);
CREATE TYPE onl.mood AS ENUM ('sad');
SET pgmigrate.out_of_order = allow;

-- Apply the statement as the second of a script; show what came.
CREATE FUNCTION onl.try(VARIADIC statements text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	statement text;
	detail text;
BEGIN
	FOREACH statement IN ARRAY statements LOOP
		BEGIN
			PERFORM migrate.register('x', E'CREATE TABLE onl.ran (id int);\n' || statement);
			PERFORM migrate.apply('x', 'atomic');
			RAISE INFO '%: applied', statement;
			PERFORM migrate.resolve('x', 'rolled_back', 'test');
			DROP TABLE onl.ran;
		EXCEPTION WHEN active_sql_transaction THEN
			GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
			RAISE INFO '%: % [%]', statement, SQLERRM, detail;
		WHEN OTHERS THEN
			RAISE INFO '%: % %', statement, SQLSTATE, SQLERRM;
		END;
	END LOOP;
END $$;

\set VERBOSITY terse
SELECT onl.try(
	'CREATE INDEX CONCURRENTLY ON onl.t (id)',
	'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON onl.t (id)',
	'DROP INDEX CONCURRENTLY onl.t_pkey',
	'REINDEX INDEX CONCURRENTLY onl.t_pkey',
	'REINDEX (CONCURRENTLY) TABLE onl.t',
	'REINDEX (CONCURRENTLY ON) TABLE onl.t',
	'REINDEX SCHEMA onl',
	'REINDEX DATABASE contrib_regression',
	'REINDEX SYSTEM contrib_regression',
	'ALTER TABLE onl.part DETACH PARTITION onl.part1 CONCURRENTLY',
	'VACUUM', 'VACUUM FULL onl.t', 'VACUUM (ANALYZE) onl.t',
	'CLUSTER',
	'CREATE DATABASE regress_x', 'DROP DATABASE regress_x', 'ALTER DATABASE regress_x SET TABLESPACE pg_default',
	'CREATE TABLESPACE regress_x LOCATION $$/x$$', 'DROP TABLESPACE regress_x',
	'ALTER SYSTEM SET work_mem = $$1MB$$', 'ALTER SYSTEM RESET ALL',
	'DISCARD ALL',
	'CREATE SUBSCRIPTION s CONNECTION $$x$$ PUBLICATION p',
	'CREATE SUBSCRIPTION s CONNECTION $$x$$ PUBLICATION p WITH (create_slot = true)',
	'ALTER SUBSCRIPTION s REFRESH PUBLICATION', 'ALTER SUBSCRIPTION s SET PUBLICATION p', 'ALTER SUBSCRIPTION s ADD PUBLICATION p WITH (refresh = true)');
-- the same commands in the form that can
SELECT onl.try(
	'REINDEX INDEX onl.t_pkey', 'REINDEX (CONCURRENTLY OFF) TABLE onl.t',
	'ANALYZE onl.t', 'CLUSTER onl.t USING t_pkey', 'DISCARD PLANS', 'DISCARD SEQUENCES',
	'ALTER TYPE onl.mood ADD VALUE $$ok$$', 'REFRESH MATERIALIZED VIEW CONCURRENTLY onl.none',
	'CREATE SUBSCRIPTION s CONNECTION $$x$$ PUBLICATION p WITH (connect = false, create_slot = false, enabled = maybe)',
	'ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)', 'ALTER SUBSCRIPTION s DISABLE');
-- what only the server can know, it says itself, and all is undone
SELECT onl.try('REINDEX TABLE onl.part', 'CALL onl.no_such()', 'ALTER TYPE onl.mood ADD VALUE $$new$$; SELECT $$new$$::onl.mood');
\set VERBOSITY default
SELECT to_regclass('onl.ran') AS ran, count(*) AS succeeded FROM migrate.history WHERE action = 'apply';

-- in a call for many, none is run
SELECT migrate.unregister('x');
SELECT migrate.register('1', 'CREATE TABLE onl.one (id int)');
SELECT migrate.register('2', E'-- migrate:requires 1\nCREATE INDEX CONCURRENTLY ON onl.one (id)');
SELECT name, problem FROM migrate.status() ORDER BY name;
SELECT migrate.apply('2', 'atomic');
SELECT to_regclass('onl.one') AS one;
-- the next ones wait for it, or not
SELECT * FROM migrate.apply_all(upto => '1');
-- asked for
SELECT migrate.register('3', E'-- migrate:up mode:online\nSELECT 1');
SELECT migrate.register('4', E'-- migrate:up transaction:false\nSELECT 1');
SELECT migrate.apply('3', mode => 'atomic');
SELECT migrate.apply('4', mode => 'atomic');
SELECT migrate.apply('2', mode => 'atomic');
-- but what is needed by no run is not refused
SELECT migrate.resolve('2', 'applied', 'built by hand');
SELECT migrate.register('5', E'-- migrate:requires 2\nSELECT 1');
SELECT migrate.apply('5');

SET client_min_messages = warning;
DROP SCHEMA onl CASCADE;
DROP EXTENSION pgmigrate;

-- The error codes, which are part of the interface.
BEGIN;
SELECT plan(74);

SET LOCAL client_min_messages = error;
CREATE FUNCTION pg_temp.register(name text, script text) RETURNS void LANGUAGE sql
BEGIN ATOMIC SELECT migrate.register(name, script); END;

DO $do$
BEGIN
	PERFORM pg_temp.register('10_applied', E'-- migrate:up\nCREATE TABLE applied ();\n-- migrate:down\nDROP TABLE applied;');
	PERFORM pg_temp.register('11_no_down', 'SELECT 1');
	PERFORM pg_temp.register('12_requires', E'-- migrate:requires 10_applied\nSELECT 1');
	PERFORM migrate.apply_all();
	PERFORM pg_temp.register('09_late', 'SELECT 1');
	PERFORM pg_temp.register('20_missing', E'-- migrate:requires 99_missing\nSELECT 1');
	PERFORM pg_temp.register('21_cycle', E'-- migrate:requires 22_cycle\nSELECT 1');
	PERFORM pg_temp.register('22_cycle', E'-- migrate:requires 21_cycle\nSELECT 1');
	PERFORM pg_temp.register('23_conflict', E'-- migrate:conflicts 11_no_down\nSELECT 1');
	PERFORM pg_temp.register('24_online', 'VACUUM');
	PERFORM pg_temp.register('25_asks', E'-- migrate:up mode:online\nSELECT 1');
	PERFORM pg_temp.register('26_check', E'-- migrate:check\nSELECT false;\n-- migrate:up\nSELECT 1');
	PERFORM pg_temp.register('27_verify', E'-- migrate:up\nSELECT 1;\n-- migrate:verify\nSELECT false;');
	PERFORM pg_temp.register('28_fails', 'SELECT 1/0');
	PERFORM pg_temp.register('29_nested', 'SELECT migrate.apply(''09_late'')');
	PERFORM pg_temp.register('30_looks', E'-- migrate:check\nSELECT nextval(''migrate.run_id_seq'');\n-- migrate:up\nSELECT 1');
END $do$;

-- NULL and empty arguments, of every function.
SELECT throws_ok(format('SELECT migrate.%s', replace(call, '?', value)), code, NULL, replace(call, '?', value))
FROM unnest(ARRAY['register(?, ''SELECT 1''::text)', 'register(''x'', ?::text)', 'register(''x'', ?::bytea)',
	'unregister(?)', 'load(?)', 'apply(?)', 'apply(''10_applied'', ?)', 'rollback(?)', 'rollback_to(?)', 'verify(?)',
	'resolve(?, ''applied'', ''x'')', 'resolve(''10_applied'', ?, ''x'')', 'resolve(''10_applied'', ''applied'', ?)',
	'baseline(?)', 'compensate(?, ''SELECT 1'')', 'compensate(''x'', ?)', 'plan(?)',
	'grant_to(''pg_monitor'', ?)']) call,
	(VALUES ('NULL', '22004'), ('''''', '22023')) v (value, code);
SELECT throws_ok('SELECT migrate.grant_to(NULL, ''admin'')', '22004', NULL, 'grant_to(NULL)');
SELECT throws_ok('SELECT migrate.revoke_from(NULL)', '22004', NULL, 'revoke_from(NULL)');
SELECT throws_ok('SELECT migrate.apply_all('''')', '22023', NULL, 'apply_all of an empty name');
SELECT throws_ok('SELECT migrate.register(''x'', ''SELECT 1'', '''')', '22023', NULL, 'an empty description');

-- What is not there.
SELECT throws_ok(format('SELECT migrate.%s', call), '42704', NULL, call || ' of what is not registered')
FROM unnest(ARRAY['unregister(''x'')', 'apply(''x'')', 'apply_all(''x'')', 'rollback(''x'')', 'rollback_to(''x'')',
	'verify(''x'')', 'resolve(''x'', ''applied'', ''x'')', 'baseline(''x'')', 'plan(''x'')',
	'apply(''20_missing'')']) call;

-- The rest.
SELECT throws_ok(format('SELECT migrate.%s', call), code, NULL, description) FROM (VALUES
	('register(''a b'', ''SELECT 1'')', '42602', 'an invalid name'),
	(format('register(%L, ''SELECT 1'')', repeat('x', 201)), '42622', 'a name that is too long'),
	('register(''x'', ''SELEC 1'')', '42601', 'a syntax error'),
	('register(''x'', ''COMMIT'')', '42601', 'transaction control'),
	('register(''x'', ''COPY t FROM STDIN'')', '0A000', 'COPY FROM STDIN'),
	('register(''x'', ''\xff''::bytea)', '22021', 'not UTF-8'),
	('register(''11_no_down'', ''SELECT 2'')', '55000', 'a change of an applied one'),
	('unregister(''10_applied'')', '55000', 'unregister of an applied one'),
	('apply(''10_applied'', ''x'')', '22023', 'an unknown mode'),
	('apply(''10_applied'', ''online'')', '0A000', 'online'),
	('resolve(''10_applied'', ''x'', ''x'')', '22023', 'an unknown outcome'),
	('apply(''09_late'')', '55000', 'out of order'),
	('apply(''21_cycle'')', '55000', 'a cycle'),
	('apply(''23_conflict'')', '55000', 'a conflict'),
	('apply(''24_online'')', '25001', 'what commits by itself'),
	('apply(''25_asks'')', '0A000', 'what asks to run online'),
	('apply(''26_check'')', '55000', 'a check that fails'),
	('apply(''27_verify'')', '23514', 'a verify that fails'),
	('apply(''28_fails'')', '22012', 'the error of a statement is its own'),
	('apply(''29_nested'')', '55006', 'a run within a run'),
	('apply(''30_looks'')', '25006', 'a check that writes'),
	('rollback(''11_no_down'')', '55000', 'rollback without a down part'),
	('rollback(''10_applied'')', '2BP01', 'rollback of what is required'),
	('rollback(''09_late'')', '55000', 'rollback of what is not applied')) v (call, code, description);

SELECT * FROM finish();
ROLLBACK;

-- The error codes, which are part of the interface.
BEGIN;
SELECT plan(150);

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

CREATE TABLE pgt (id int PRIMARY KEY, a int, b int, v int GENERATED ALWAYS AS (b + 1) STORED);
INSERT INTO pgt SELECT g, NULL, g FROM generate_series(0, 3) g;

-- NULL and empty arguments, of every function.
SELECT throws_ok(format('SELECT migrate.%s', replace(call, '?', value)), code, NULL, replace(call, '?', value))
FROM unnest(ARRAY['register(?, ''SELECT 1''::text)', 'register(''x'', ?::text)', 'register(''x'', ?::bytea)',
	'unregister(?)', 'load(?)', 'apply(?)', 'apply(''10_applied'', ?)', 'rollback(?)', 'rollback_to(?)', 'verify(?)',
	'resolve(?, ''applied'', ''x'')', 'resolve(''10_applied'', ?, ''x'')', 'resolve(''10_applied'', ''applied'', ?)',
	'baseline(?)', 'compensate(?, ''SELECT 1'')', 'compensate(''x'', ?)', 'plan(?)', 'steps(?)',
	'grant_to(''pg_monitor'', ?)', 'backfill(''pgt'', ?)', 'backfill(''pgt'', ''a = b'', strategy => ?)', 'pause(?::text)', 'resume(?::text)', 'cancel(?::text)',
	'retry(?::text)', 'estimate(''pgt'', ?)', 'next_window(?)']) call,
	(VALUES ('NULL', '22004'), ('''''', '22023')) v (value, code);
SELECT throws_ok('SELECT migrate.grant_to(NULL, ''admin'')', '22004', NULL, 'grant_to(NULL)');
SELECT throws_ok('SELECT migrate.revoke_from(NULL)', '22004', NULL, 'revoke_from(NULL)');
SELECT throws_ok('SELECT migrate.apply_all('''')', '22023', NULL, 'apply_all of an empty name');
SELECT throws_ok('SELECT migrate.register(''x'', ''SELECT 1'', '''')', '22023', NULL, 'an empty description');

SELECT throws_ok(format('SELECT migrate.%s(NULL::bigint)', call), '22004', NULL, call || '(NULL)')
FROM unnest(ARRAY['pause', 'resume', 'cancel', 'retry', 'backfill_batch', 'alter_backfill', 'estimate']) call;
SELECT throws_ok('SELECT migrate.backfill(NULL, ''a = b'')', '22004', NULL, 'backfill(NULL)');
SELECT throws_ok(format('SELECT migrate.swap_column(%s)', args), code, NULL, format('swap_column(%s)', args))
FROM (VALUES ('NULL, ''a'', ''b''', '22004'), ('''pgt'', NULL, ''b''', '22004'), ('''pgt'', ''a'', NULL', '22004'),
	('''pgt'', ''x'', ''b''', '42703'), ('''pgt'', ''a'', ''x''', '42703'), ('''pgt'', ''ctid'', ''b''', '42P10'), ('''pgt_pkey'', ''id'', ''id''', '42809'),
	('0, ''a'', ''b''', '42P01'), ('''pgt'', ''b'', ''a''', '2BP01'), ('''pgt'', ''id'', ''a''', '55000')) v (args, code);

-- What is not there.
SELECT throws_ok(format('SELECT migrate.%s(0::bigint)', call), '42704', NULL, call || ' of a number that is not there')
FROM unnest(ARRAY['pause', 'resume', 'cancel', 'retry', 'backfill_batch', 'alter_backfill', 'estimate']) call;
SELECT throws_ok(format('SELECT migrate.%s(''x''::text)', call), '42704', NULL, call || ' of a name that is not there')
FROM unnest(ARRAY['pause', 'resume', 'cancel', 'retry']) call;
SELECT throws_ok(format('SELECT migrate.%s', call), '42704', NULL, call || ' of what is not registered')
FROM unnest(ARRAY['unregister(''x'')', 'apply(''x'')', 'apply_all(''x'')', 'rollback(''x'')', 'rollback_to(''x'')',
	'verify(''x'')', 'resolve(''x'', ''applied'', ''x'')', 'baseline(''x'')', 'plan(''x'')', 'steps(''x'')',
	'apply(''20_missing'')']) call;

-- Backfills.
CREATE VIEW pgv AS SELECT * FROM pgt;
CREATE TEMP TABLE pgtemp (a int);
CREATE TABLE pgkeyless (n int);
DO $do$
BEGIN
	PERFORM migrate.backfill('pgt', 'a = b', name => 'queued', not_before => 'infinity');
	PERFORM migrate.backfill('pgt', 'a = 1 / b', name => 'zero', strategy => 'key');
	PERFORM migrate.backfill('pgt', 'a = b', name => 'cancelled');
	PERFORM migrate.cancel('cancelled');
	PERFORM migrate.backfill('pgkeyless', 'n = 1', name => 'done');
	PERFORM migrate.backfill_batch(id) FROM migrate.backfill_history WHERE name = 'done';
END $do$;
SELECT throws_ok(format('SELECT migrate.%s', call), code, NULL, description) FROM (VALUES
	('backfill(''pgt'', ''a = ('')', '42601', 'a syntax error in the SET list'),
	('backfill(''pgt'', ''a = b'', ''a = '')', '42601', 'a syntax error in the filter'),
	('backfill(''pgt'', ''a = b WHERE true'')', '42601', 'a WHERE in the SET list'),
	('backfill(''pgt'', ''a = b; SELECT 1'')', '42601', 'two statements'),
	('backfill(''pgt'', ''nope = b'')', '42703', 'an unknown column'),
	('backfill(''pgt'', ''v = 1'')', '428C9', 'a generated column'),
	('backfill(''nope'', ''a = b'')', '42P01', 'an unknown table'),
	('backfill(''pgv'', ''a = b'')', '42809', 'a view'),
	('backfill(''pg_temp.pgtemp'', ''a = 1'')', '0A000', 'a temporary table'),
	('backfill(''pg_class'', ''relname = relname'')', '42501', 'a catalog'),
	('backfill(''migrate.run'', ''rows = 0'')', '42501', 'a table of the extension'),
	('backfill(''pgt'', ''a = b'', strategy => ''x'')', '22023', 'an unknown strategy'),
	('backfill(''pgt'', ''a = b'', key => ''{x}'')', '42703', 'an unknown key column'),
	('backfill(''pgkeyless'', ''n = n + 1'')', '22023', 'neither pages nor key'),
	('backfill(''pgt'', ''a = b'', lanes => 0)', '22023', 'out of range'),
	('backfill(''pgt'', ''a = b'', name => ''queued'')', '42710', 'a name that is taken'),
	('backfill(''pgt'', ''a = b'', name => '' '')', '42602', 'a blank name'),
	('backfill(''pgt'', ''a = b'', "window" => ''x'')', '22023', 'no window'),
	('backfill(''pgt'', ''a = b'', hold_when => ''1'')', '42804', 'no condition'),
	('pause(''done'')', '55000', 'pause of what is done'),
	('resume(''done'')', '55000', 'resume of what is done'),
	('resume(''cancelled'')', '55000', 'resume of what was cancelled'),
	('cancel(''done'')', '55000', 'cancel of what is done'),
	('retry(''queued'')', '55000', 'retry of what has not failed'),
	('alter_backfill((SELECT id FROM migrate.backfill_history WHERE name = ''done''), duty => 1)', '55000', 'a change of what is done'),
	('alter_backfill((SELECT id FROM migrate.backfill_history WHERE name = ''queued''), reset => ''{x}'')', '22023', 'an unknown limit'),
	('backfill_batch((SELECT id FROM migrate.backfill_history WHERE name = ''zero''))', '22012', 'the error of a row is its own')
	) v (call, code, description);
SELECT throws_ok('CALL migrate.wait(''queued'')', '25001', NULL, 'wait() in a transaction');
SELECT throws_ok('CALL migrate.finish(''queued'')', '25001', NULL, 'finish() in a transaction');

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
	('resolve(''10_applied'', ''x'', ''x'')', '22023', 'an unknown outcome'),
	('apply(''09_late'')', '55000', 'out of order'),
	('apply(''21_cycle'')', '55000', 'a cycle'),
	('apply(''23_conflict'')', '55000', 'a conflict'),
	('apply(''24_online'', ''atomic'')', '25001', 'what commits by itself'),
	('apply(''25_asks'', ''atomic'')', '55000', 'what asks to run online'),
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

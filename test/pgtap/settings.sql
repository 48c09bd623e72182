-- The settings: type, unit, range, default, and who may change them.
BEGIN;
SELECT plan(26);

LOAD 'pgmigrate';

SELECT results_eq($$
	SELECT name, vartype, unit, context, min_val, max_val, enumvals::text, boot_val FROM pg_settings
	WHERE name LIKE 'pgmigrate.%' ORDER BY name COLLATE "C"
$$, $$VALUES
	('pgmigrate.backfill_batch_ms', 'integer', 'ms', 'user', '1', '60000', NULL, '100'),
	('pgmigrate.backfill_batch_rows', 'integer', NULL, 'user', '1', '1000000', NULL, '2000'),
	('pgmigrate.backfill_courtesy', 'integer', NULL, 'user', '1', '100', NULL, '8'),
	('pgmigrate.backfill_duty', 'integer', NULL, 'user', '1', '100', NULL, '100'),
	('pgmigrate.backfill_lanes', 'integer', NULL, 'user', '1', '64', NULL, '1'),
	('pgmigrate.backfill_max_active', 'integer', NULL, 'sighup', '0', '2147483647', NULL, '0'),
	('pgmigrate.backfill_max_archive_files', 'integer', NULL, 'sighup', '0', '2147483647', NULL, '42'),
	('pgmigrate.backfill_max_bad_rows', 'integer', NULL, 'user', '0', '2147483647', NULL, '0'),
	('pgmigrate.backfill_max_lag', 'integer', 'ms', 'sighup', '0', '2147483647', NULL, '10000'),
	('pgmigrate.backfill_max_lag_size', 'integer', 'MB', 'sighup', '0', '2147483647', NULL, '1024'),
	('pgmigrate.backfill_max_slot_size', 'integer', 'MB', 'sighup', '0', '2147483647', NULL, '10240'),
	('pgmigrate.backfill_max_transaction_age', 'integer', 'ms', 'sighup', '0', '2147483647', NULL, '0'),
	('pgmigrate.backfill_max_wal_rate', 'integer', 'kB', 'sighup', '0', '2147483647', NULL, '0'),
	('pgmigrate.backfill_max_workers', 'integer', NULL, 'sighup', '1', '64', NULL, '2'),
	('pgmigrate.backfill_min_free_disk', 'real', NULL, 'sighup', '0', '100', NULL, '5'),
	('pgmigrate.backfill_nice', 'integer', NULL, 'sighup', '0', '19', NULL, '10'),
	('pgmigrate.backfill_packing', 'bool', NULL, 'user', NULL, NULL, NULL, 'on'),
	('pgmigrate.backfill_yield_to_vacuum', 'bool', NULL, 'sighup', NULL, NULL, NULL, 'off'),
	('pgmigrate.cancel_blockers', 'bool', NULL, 'user', NULL, NULL, NULL, 'off'),
	('pgmigrate.cancel_idle_after', 'integer', 'ms', 'user', '0', '2147483647', NULL, '60000'),
	('pgmigrate.contract_quiet', 'integer', 's', 'user', '0', '2147483647', NULL, '3600'),
	('pgmigrate.lock_retries', 'integer', NULL, 'user', '0', '2147483647', NULL, '60'),
	('pgmigrate.lock_timeout', 'integer', 'ms', 'user', '0', '2147483647', NULL, '50'),
	('pgmigrate.online_duty', 'integer', NULL, 'user', '1', '100', NULL, '50'),
	('pgmigrate.online_threshold', 'integer', 'kB', 'user', '0', '2147483647', NULL, '8192'),
	('pgmigrate.out_of_order', 'enum', NULL, 'user', NULL, NULL, '{error,warn,allow}', 'error'),
	('pgmigrate.record_failures', 'bool', NULL, 'user', NULL, NULL, NULL, 'on'),
	('pgmigrate.verify_on_apply', 'bool', NULL, 'user', NULL, NULL, NULL, 'on')
$$, 'all settings');

SELECT is_empty($$
	SELECT name FROM pg_settings WHERE name LIKE 'pgmigrate.%' AND (short_desc IS NULL OR short_desc !~ '^[A-Z].*\.$')
$$, 'each has a description, which is a sentence');

SELECT lives_ok($$SET LOCAL pgmigrate.lock_timeout = '2s'$$, 'a time with a unit');
SELECT is(current_setting('pgmigrate.lock_timeout'), '2s', 'shown with its unit');
SELECT lives_ok($$SET LOCAL pgmigrate.out_of_order = 'WARN'$$, 'a word in any case');
SELECT throws_ok($$SET pgmigrate.lock_timeout = '-1'$$, '22023', NULL, 'no negative time');
SELECT throws_ok($$SET pgmigrate.lock_timeout = '1 parsec'$$, '22023', NULL, 'no unknown unit');
SELECT throws_ok($$SET pgmigrate.lock_retries = '-1'$$, '22023', NULL, 'no negative number');
SELECT throws_ok($$SET pgmigrate.lock_retries = '1ms'$$, '22023', NULL, 'a number has no unit');
SELECT throws_ok($$SET pgmigrate.out_of_order = 'maybe'$$, '22023', NULL, 'no unknown word');
SELECT throws_ok($$SET pgmigrate.verify_on_apply = 'maybe'$$, '22023', NULL, 'no unknown truth');
SELECT throws_ok(format('SET pgmigrate.backfill_%s', setting), code, NULL, 'not backfill_' || setting)
FROM (VALUES ('batch_ms = 0', '22023'), ('batch_rows = 0', '22023'), ('duty = 0', '22023'), ('duty = 101', '22023'), ('lanes = 0', '22023'),
	('lanes = 65', '22023'), ('max_bad_rows = -1', '22023'), ('packing = maybe', '22023'), ('max_workers = 3', '55P02'),
	('max_lag = 1', '55P02'), ('min_free_disk = 1', '55P02'), ('nothing = 1', '42602')) v (setting, code);
SELECT throws_ok($$SET pgmigrate.lock_timeuot = 1$$, '42602', NULL, 'a misspelt setting is refused');

SET LOCAL pgmigrate.lock_retries = 7;
SELECT is(current_setting('pgmigrate.lock_retries'), '7', 'set for the transaction');
RESET pgmigrate.lock_retries;
SELECT is(current_setting('pgmigrate.lock_retries'), '60', 'and reset');

SELECT * FROM finish();
ROLLBACK;

-- The settings: type, unit, range, default, and who may change them.
BEGIN;
SELECT plan(14);

LOAD 'pgmigrate';

SELECT results_eq($$
	SELECT name, vartype, unit, context, min_val, max_val, enumvals::text, boot_val FROM pg_settings
	WHERE name LIKE 'pgmigrate.%' ORDER BY name COLLATE "C"
$$, $$VALUES
	('pgmigrate.lock_retries', 'integer', NULL, 'user', '0', '2147483647', NULL, '60'),
	('pgmigrate.lock_timeout', 'integer', 'ms', 'user', '0', '2147483647', NULL, '50'),
	('pgmigrate.out_of_order', 'enum', NULL, 'user', NULL, NULL, '{error,warn,allow}', 'error'),
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
SELECT throws_ok($$SET pgmigrate.lock_timeuot = 1$$, '42602', NULL, 'a misspelt setting is refused');

SET LOCAL pgmigrate.lock_retries = 7;
SELECT is(current_setting('pgmigrate.lock_retries'), '7', 'set for the transaction');
RESET pgmigrate.lock_retries;
SELECT is(current_setting('pgmigrate.lock_retries'), '60', 'and reset');

SELECT * FROM finish();
ROLLBACK;

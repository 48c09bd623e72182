-- Who may do what: PUBLIC next to nothing, and each of the three sets of rights
-- its functions and those of the sets below.
BEGIN;
SELECT plan(60);

SET client_min_messages = warning;
CREATE ROLE pgmigrate_plain;
CREATE ROLE pgmigrate_monitor;
CREATE ROLE pgmigrate_operator;
CREATE ROLE pgmigrate_admin;

CREATE FUNCTION pg_temp.executable(role name) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT proname::text COLLATE "default" FROM pg_proc
	WHERE pronamespace = 'migrate'::regnamespace AND has_function_privilege(role, oid, 'EXECUTE')
$$;
CREATE FUNCTION pg_temp.privileges(role name) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT relname || ' ' || p FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE',
		'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
	WHERE relnamespace = 'migrate'::regnamespace AND relkind IN ('r', 'v')
		AND has_table_privilege(role, oid, p)
	UNION ALL
	SELECT relname || ' ' || p FROM pg_class, unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) p
	WHERE relnamespace = 'migrate'::regnamespace AND relkind = 'S'
		AND has_sequence_privilege(role, oid, p)
	UNION ALL
	SELECT relname || '.' || attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE relnamespace = 'migrate'::regnamespace AND attacl IS NOT NULL
$$;

-- PUBLIC
SELECT schema_privs_are('migrate', 'pgmigrate_plain', ARRAY['USAGE']);
SELECT set_eq($$SELECT pg_temp.executable('pgmigrate_plain')$$, ARRAY['status', 'sync', 'carry'],
	'PUBLIC can execute status(), and the trigger function that partitions need');
SELECT set_eq($$SELECT pg_temp.privileges('pgmigrate_plain')$$,
	ARRAY['history SELECT', 'history_statement SELECT', 'history_step SELECT', 'run_progress SELECT', 'progress SELECT', 'progress_line SELECT', 'backfill_history SELECT',
	'backfill_error SELECT', 'backfill_sample SELECT', 'expansion SELECT', 'version SELECT', 'table_expansion SELECT'], 'PUBLIC can read the views only');

-- The sets.
SELECT lives_ok($$SELECT migrate.grant_to('pgmigrate_monitor', 'monitor')$$, 'grant_to(monitor)');
SELECT lives_ok($$SELECT migrate.grant_to('pgmigrate_operator', 'operator')$$, 'grant_to(operator)');
SELECT lives_ok($$SELECT migrate.grant_to('pgmigrate_admin', 'admin')$$, 'grant_to(admin)');

SELECT set_eq($$SELECT pg_temp.executable('pgmigrate_monitor')$$, ARRAY['status', 'sync', 'carry', 'plan', 'steps', 'wait', 'next_window'], 'monitor');
SELECT set_eq($$SELECT pg_temp.executable('pgmigrate_operator')
	EXCEPT SELECT pg_temp.executable('pgmigrate_monitor')$$,
	ARRAY['apply', 'apply_all', 'rollback', 'rollback_to', 'verify', 'alter_backfill', 'backfill_batch', 'finish', 'pause',
	'resume', 'cancel', 'retry', 'backfill', 'swap_column', 'sync_begin', 'sync_end'], 'operator, beyond monitor');
SELECT set_eq($$SELECT pg_temp.executable('pgmigrate_admin')
	EXCEPT SELECT pg_temp.executable('pgmigrate_operator')$$,
	ARRAY['abandon', 'baseline', 'compensate', 'contract', 'drop_version', 'estimate', 'expand_column', 'expand_rename', 'expand_table', 'expand_type', 'expand_version', 'load', 'register', 'resolve', 'unregister', 'verify_expansion'], 'admin, beyond operator');
SELECT set_eq($$
	SELECT proname::text COLLATE "default" FROM pg_proc WHERE pronamespace = 'migrate'::regnamespace
	EXCEPT SELECT pg_temp.executable('pgmigrate_admin')$$,
	ARRAY['grant_to', 'revoke_from', 'guard'], 'the rest is for the owner');
SELECT is_empty($$SELECT less, name FROM (VALUES ('pgmigrate_monitor', 'pgmigrate_operator'), ('pgmigrate_operator', 'pgmigrate_admin')) s (less, more),
		pg_temp.executable(less) name WHERE name NOT IN (SELECT pg_temp.executable(more))$$,
	'each set has what the one below has');
SELECT is_empty($$
	SELECT f.oid::regprocedure, g.oid::regprocedure FROM pg_proc f JOIN pg_proc g USING (proname), pg_roles r
	WHERE f.pronamespace = 'migrate'::regnamespace AND g.pronamespace = 'migrate'::regnamespace
		AND r.rolname LIKE 'pgmigrate\_%'
		AND has_function_privilege(r.oid, f.oid, 'EXECUTE') <> has_function_privilege(r.oid, g.oid, 'EXECUTE')
$$, 'functions of one name belong to one set');
SELECT set_eq(format('SELECT pg_temp.privileges(%L)', role),
	ARRAY['history SELECT', 'history_statement SELECT', 'history_step SELECT', 'run_progress SELECT',
	'migration SELECT', 'run SELECT', 'run_statement SELECT', 'online_run SELECT', 'run_step SELECT',
	'progress SELECT', 'progress_line SELECT', 'backfill_history SELECT', 'backfill_error SELECT', 'backfill_sample SELECT',
	'backfill_job SELECT', 'backfill_leaf SELECT', 'backfill_lane SELECT', 'backfill_bad_row SELECT', 'backfill_minute SELECT', 'sync_pair SELECT', 'sync_use SELECT', 'schema_version SELECT', 'table_pair SELECT', 'expansion SELECT', 'version SELECT', 'table_expansion SELECT'],
	role || ' can read, and write nothing')
FROM unnest(ARRAY['pgmigrate_monitor', 'pgmigrate_operator', 'pgmigrate_admin']) role;
SELECT is_empty($$
	SELECT grantee FROM pg_proc, aclexplode(proacl) WHERE pronamespace = 'migrate'::regnamespace AND is_grantable
		AND grantee <> proowner
$$, 'nobody can pass rights on');

-- Back.
SELECT lives_ok(format('SELECT migrate.revoke_from(%L)', role), 'revoke_from ' || role)
FROM unnest(ARRAY['pgmigrate_monitor', 'pgmigrate_operator', 'pgmigrate_admin']) role;
SELECT set_eq(format('SELECT pg_temp.executable(%L)', role), ARRAY['status', 'sync', 'carry'], role || ' is PUBLIC again')
FROM unnest(ARRAY['pgmigrate_monitor', 'pgmigrate_operator', 'pgmigrate_admin']) role;
SELECT is_empty($$
	SELECT r.rolname FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid WHERE r.rolname LIKE 'pgmigrate\_%'
$$, 'and nothing in the catalogs remembers');

-- Only the owner gives and takes, whoever may execute the function.
GRANT EXECUTE ON FUNCTION migrate.grant_to(regrole, text), migrate.revoke_from(regrole) TO pgmigrate_plain;
SET ROLE pgmigrate_plain;
SELECT throws_ok($$SELECT migrate.grant_to('pgmigrate_plain', 'admin')$$, '42501', NULL, 'grant_to() is for the owner');
SELECT throws_ok($$SELECT migrate.revoke_from('pgmigrate_admin')$$, '42501', NULL, 'revoke_from() is for the owner');
RESET ROLE;

-- Nobody but the extension writes its tables.
GRANT pg_write_all_data, pg_read_all_data TO pgmigrate_plain;
SET ROLE pgmigrate_plain;
SELECT throws_ok(format(command, name), '42501', NULL, format(command, name))
FROM unnest(ARRAY['migration', 'run', 'run_statement', 'backfill_job', 'backfill_leaf', 'backfill_lane', 'backfill_bad_row',
	'backfill_minute', 'online_run', 'run_step']) name,
	unnest(ARRAY['INSERT INTO migrate.%s DEFAULT VALUES', 'DELETE FROM migrate.%s',
		'TRUNCATE migrate.%s']) command;
SELECT throws_ok('UPDATE migrate.migration SET registered_by = registered_by', '42501', NULL, 'UPDATE of migration');
SELECT throws_ok('UPDATE migrate.backfill_job SET run_as = run_as', '42501', NULL, 'UPDATE of backfill_job');
RESET ROLE;

-- Owners.
SELECT is_empty($$
	SELECT pg_describe_object(classid, objid, 0), owner::regrole
	FROM (SELECT 'pg_class'::regclass AS classid, oid AS objid, relowner AS owner FROM pg_class
			WHERE relnamespace = 'migrate'::regnamespace
		UNION ALL SELECT 'pg_proc'::regclass, oid, proowner FROM pg_proc WHERE pronamespace = 'migrate'::regnamespace
		UNION ALL SELECT 'pg_type'::regclass, oid, typowner FROM pg_type WHERE typnamespace = 'migrate'::regnamespace
		UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner FROM pg_namespace WHERE nspname = 'migrate') o
	WHERE owner <> (SELECT extowner FROM pg_extension WHERE extname = 'pgmigrate')
$$, 'all belongs to the owner of the extension');
SELECT is((SELECT count(*) FROM pg_roles WHERE rolname ~* 'migrat' AND rolname !~ '^pgmigrate_(plain|monitor|operator|admin)$'),
	0::bigint, 'the extension made no role');
SELECT is_empty($$SELECT 1 FROM pg_default_acl$$, 'nor default privileges');

SELECT * FROM finish();
ROLLBACK;

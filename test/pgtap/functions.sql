-- The functions: their signatures, and what the planner and the server are told
-- about them.
BEGIN;
SELECT plan(10);

SELECT set_eq($$
	SELECT format('%s(%s) %s', proname, pg_get_function_arguments(oid), pg_get_function_result(oid))
	FROM pg_proc WHERE pronamespace = 'migrate'::regnamespace
$$, ARRAY[
	'register(name text, script text, description text DEFAULT NULL::text, source text DEFAULT NULL::text) text',
	'register(name text, script bytea, description text DEFAULT NULL::text, source text DEFAULT NULL::text) text',
	'unregister(name text) text',
	'load(directory text, OUT name text, OUT result text) SETOF record',
	'apply(name text, mode text DEFAULT ''auto''::text, not_before timestamp with time zone DEFAULT NULL::timestamp with time zone, "window" text DEFAULT NULL::text) text',
	'apply_all(upto text DEFAULT NULL::text, OUT name text, OUT result text) SETOF record',
	'rollback(name text) text',
	'rollback_to(name text, OUT name text, OUT result text) SETOF record',
	'verify(name text, OUT name text, OUT passed boolean, OUT message text) SETOF record',
	'verify(OUT name text, OUT passed boolean, OUT message text) SETOF record',
	'resolve(name text, outcome text, note text) text',
	'baseline(upto text, OUT name text, OUT result text) SETOF record',
	'compensate(reason text, script text) bigint',
	'plan(name text, OUT statement integer, OUT line integer, OUT kind text, OUT relation text, OUT lock text, '
		'OUT rewrites boolean, OUT scans boolean, OUT bytes bigint, OUT duration interval, OUT runs text, OUT note text, '
		'OUT sql text) SETOF record',
	'steps(name text, OUT statement integer, OUT step integer, OUT line integer, OUT kind text, OUT relation text, '
		'OUT lock text, OUT hold text, OUT bytes bigint, OUT duration interval, OUT why text, OUT sql text) SETOF record',
	'swap_column(relation regclass, column_name name, replacement name) void',
	'status(OUT name text, OUT state text, OUT kind text, OUT applied_at timestamp with time zone, OUT applied_by text, '
		'OUT duration_ms double precision, OUT waits_for text[], OUT problem text) SETOF record',
	'grant_to(role regrole, rights text) void',
	'revoke_from(role regrole) void',
	'expand_column(relation regclass, new_column name, type text, up text, down text DEFAULT NULL::text, ' ||
		'source text[] DEFAULT NULL::text[]) bigint',
	'expand_rename(relation regclass, old_column name, new_column name) bigint',
	'expand_type(relation regclass, column_name name, type text, up text DEFAULT NULL::text, ' ||
		'down text DEFAULT NULL::text, new_column name DEFAULT NULL::name) bigint',
	'verify_expansion(relation regclass, new_column name, max_rows integer DEFAULT 100, from_page bigint DEFAULT 0, ' ||
		'to_page bigint DEFAULT NULL::bigint, OUT row_key text, OUT old_value text, OUT new_value text, OUT up_value text) SETOF record',
	'contract(relation regclass, old_column name, force boolean DEFAULT false, rename boolean DEFAULT false) void',
	'abandon(relation regclass, new_column name) void',
	'expand_version(version name, relations regclass[] DEFAULT NULL::regclass[], schema name DEFAULT ''public''::name, ' ||
		'shape text DEFAULT ''new''::text, show text[] DEFAULT NULL::text[]) void',
	'drop_version(version name) void',
	'sync() trigger',
	'carry() trigger',
	'expand_table(relation regclass, new_relation regclass, columns jsonb DEFAULT NULL::jsonb) bigint',
	'verify_expansion(relation regclass, max_rows integer DEFAULT 100, OUT row_key text, OUT old_row text, ' ||
		'OUT new_row text) SETOF record',
	'contract(relation regclass, force boolean DEFAULT false, keep name DEFAULT NULL::name) void',
	'abandon(relation regclass) void',
	'sync_begin(relation regclass, source text[], target name, up text, down text DEFAULT NULL::text) bigint',
	'sync_end(relation regclass, target name) boolean',
	'backfill(target regclass, assign text DEFAULT NULL::text, filter text DEFAULT NULL::text, ' ||
		'name text DEFAULT NULL::text, strategy text DEFAULT ''auto''::text, ' ||
		'key text[] DEFAULT NULL::text[], lanes integer DEFAULT NULL::integer, ' ||
		'batch_rows integer DEFAULT NULL::integer, batch_ms integer DEFAULT NULL::integer, ' ||
		'"window" text DEFAULT NULL::text, ' ||
		'not_before timestamp with time zone DEFAULT NULL::timestamp with time zone, ' ||
		'priority integer DEFAULT 0, max_bad_rows bigint DEFAULT NULL::bigint, ' ||
		'max_lag interval DEFAULT NULL::interval, max_wal_rate bigint DEFAULT NULL::bigint, ' ||
		'duty integer DEFAULT NULL::integer, hold_when text DEFAULT NULL::text, ' ||
		'vacuum_analyze boolean DEFAULT false, delete boolean DEFAULT false, ' ||
		'run_as regrole DEFAULT NULL::regrole) bigint',
	'backfill_batch(id bigint) bigint',
	'alter_backfill(id bigint, lanes integer DEFAULT NULL::integer, ' ||
		'batch_rows integer DEFAULT NULL::integer, batch_ms integer DEFAULT NULL::integer, ' ||
		'"window" text DEFAULT NULL::text, ' ||
		'not_before timestamp with time zone DEFAULT NULL::timestamp with time zone, ' ||
		'priority integer DEFAULT NULL::integer, max_bad_rows bigint DEFAULT NULL::bigint, ' ||
		'max_lag interval DEFAULT NULL::interval, max_wal_rate bigint DEFAULT NULL::bigint, ' ||
		'duty integer DEFAULT NULL::integer, hold_when text DEFAULT NULL::text, ' ||
		'vacuum_analyze boolean DEFAULT NULL::boolean, reset text[] DEFAULT NULL::text[]) void',
	'pause(id bigint) text',
	'pause(name text) text',
	'resume(id bigint) text',
	'resume(name text) text',
	'cancel(id bigint) text',
	'cancel(name text) text',
	'retry(id bigint) text',
	'retry(name text) text',
	'estimate(id bigint, OUT rows bigint, OUT duration interval, OUT wal_bytes bigint, OUT locks text, ' ||
		'OUT strategy text, OUT reason text, OUT sampled bigint) record',
	'estimate(target regclass, assign text, filter text DEFAULT NULL::text, ' ||
		'strategy text DEFAULT ''auto''::text, key text[] DEFAULT NULL::text[], ' ||
		'delete boolean DEFAULT false, OUT rows bigint, OUT duration interval, OUT wal_bytes bigint, ' ||
		'OUT locks text, OUT strategy text, OUT reason text, OUT sampled bigint) record',
	'wait(IN id bigint, IN timeout interval DEFAULT NULL::interval) ',
	'wait(IN name text, IN timeout interval DEFAULT NULL::interval) ',
	'finish(IN id bigint) ',
	'finish(IN name text) ',
	'next_window("window" text, at timestamp with time zone DEFAULT now()) timestamp with time zone',
	'guard() trigger'], 'signatures');

PREPARE names_where(text) AS
SELECT proname::text COLLATE "default" FROM pg_proc WHERE pronamespace = 'migrate'::regnamespace AND CASE $1
	WHEN 'not volatile' THEN provolatile <> 'v'
	WHEN 'parallel' THEN proparallel <> 'u'
	WHEN 'strict' THEN proisstrict
	WHEN 'not C' THEN prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c')
	WHEN 'definer' THEN prosecdef
	WHEN 'leakproof' THEN proleakproof
	WHEN 'symbol' THEN prosrc !~ '^pgmigrate_[a-z_]+$'
	WHEN 'path' THEN proconfig IS NULL AND prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c') END;

SELECT set_eq($$EXECUTE names_where('not volatile')$$, ARRAY['status', 'next_window'],
	'all may change something, but status() and next_window()');
SELECT results_eq($$EXECUTE names_where('parallel')$$, ARRAY['next_window'], 'none runs in a parallel worker but next_window()');
SELECT set_eq($$SELECT DISTINCT proname::text COLLATE "default" FROM pg_proc
	WHERE pronamespace = 'migrate'::regnamespace AND prokind = 'p'$$, ARRAY['wait', 'finish'],
	'those that end transactions are procedures');
SELECT is_empty($$EXECUTE names_where('strict')$$, 'none swallows a NULL');
SELECT is_empty($$EXECUTE names_where('not C')$$, 'all are C');
SELECT is_empty($$EXECUTE names_where('definer')$$, 'none is SECURITY DEFINER');
SELECT is_empty($$EXECUTE names_where('leakproof')$$, 'none says it is leakproof');
SELECT is_empty($$EXECUTE names_where('symbol')$$, 'C symbols have the prefix');
SELECT is_empty($$EXECUTE names_where('path')$$, 'what is not C has a fixed search_path');

SELECT * FROM finish();
ROLLBACK;

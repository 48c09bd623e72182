-- The functions: their signatures, and what the planner and the server are told
-- about them.
BEGIN;
SELECT plan(9);

SELECT set_eq($$
	SELECT format('%s(%s) %s', proname, pg_get_function_arguments(oid), pg_get_function_result(oid))
	FROM pg_proc WHERE pronamespace = 'migrate'::regnamespace
$$, ARRAY[
	'register(name text, script text, description text DEFAULT NULL::text, source text DEFAULT NULL::text) text',
	'register(name text, script bytea, description text DEFAULT NULL::text, source text DEFAULT NULL::text) text',
	'unregister(name text) text',
	'load(directory text, OUT name text, OUT result text) SETOF record',
	'apply(name text, mode text DEFAULT ''auto''::text) text',
	'apply_all(upto text DEFAULT NULL::text, OUT name text, OUT result text) SETOF record',
	'rollback(name text) text',
	'rollback_to(name text, OUT name text, OUT result text) SETOF record',
	'verify(name text, OUT name text, OUT passed boolean, OUT message text) SETOF record',
	'verify(OUT name text, OUT passed boolean, OUT message text) SETOF record',
	'resolve(name text, outcome text, note text) text',
	'baseline(upto text, OUT name text, OUT result text) SETOF record',
	'compensate(reason text, script text) bigint',
	'plan(name text, OUT statement integer, OUT line integer, OUT kind text, OUT relation text, OUT lock text, '
		'OUT rewrites boolean, OUT scans boolean, OUT runs text, OUT note text, OUT sql text) SETOF record',
	'status(OUT name text, OUT state text, OUT kind text, OUT applied_at timestamp with time zone, OUT applied_by text, '
		'OUT duration_ms double precision, OUT waits_for text[], OUT problem text) SETOF record',
	'grant_to(role regrole, rights text) void',
	'revoke_from(role regrole) void',
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

SELECT results_eq($$EXECUTE names_where('not volatile')$$, ARRAY['status'],
	'all may change something, but status()');
SELECT is_empty($$EXECUTE names_where('parallel')$$, 'none runs in a parallel worker');
SELECT is_empty($$EXECUTE names_where('strict')$$, 'none swallows a NULL');
SELECT is_empty($$EXECUTE names_where('not C')$$, 'all are C');
SELECT is_empty($$EXECUTE names_where('definer')$$, 'none is SECURITY DEFINER');
SELECT is_empty($$EXECUTE names_where('leakproof')$$, 'none says it is leakproof');
SELECT is_empty($$EXECUTE names_where('symbol')$$, 'C symbols have the prefix');
SELECT is_empty($$EXECUTE names_where('path')$$, 'what is not C has a fixed search_path');

SELECT * FROM finish();
ROLLBACK;

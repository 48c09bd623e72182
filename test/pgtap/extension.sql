-- The extension as an object: its properties, its members, what of it is dumped.
BEGIN;
SELECT plan(9);

SELECT results_eq($$
	SELECT extversion, extnamespace::regnamespace::text, extrelocatable, extcondition IS NULL OR extcondition <@ ARRAY['']
	FROM pg_extension WHERE extname = 'pgmigrate'
$$, $$VALUES ('1.0.0'::text COLLATE "C", 'pg_catalog', false, true)$$, 'version, schema, and not relocatable');

SELECT results_eq($$
	SELECT superuser, trusted, requires FROM pg_available_extension_versions
	WHERE name = 'pgmigrate' AND installed
$$, $$VALUES (true, false, NULL::name[])$$, 'only a superuser can create it');

SELECT set_eq($$
	SELECT oid::regclass::text FROM pg_class
	WHERE oid = ANY ((SELECT extconfig FROM pg_extension WHERE extname = 'pgmigrate')::oid[])
$$, ARRAY['migrate.migration', 'migrate.run', 'migrate.run_id_seq', 'migrate.run_statement',
	'migrate.backfill_job', 'migrate.backfill_job_id_seq', 'migrate.backfill_leaf', 'migrate.backfill_lane',
	'migrate.backfill_bad_row', 'migrate.backfill_minute', 'migrate.online_run', 'migrate.run_step', 'migrate.sync_pair', 'migrate.sync_pair_id_seq', 'migrate.sync_use', 'migrate.schema_version', 'migrate.table_pair', 'migrate.table_pair_id_seq'],
	'all tables and the sequences are dumped');

SELECT is_empty($$
	SELECT pg_describe_object(classid, objid, 0)
	FROM (SELECT 'pg_proc'::regclass AS classid, oid AS objid FROM pg_proc WHERE pronamespace = 'migrate'::regnamespace
		UNION ALL SELECT 'pg_class'::regclass, oid FROM pg_class
			WHERE relnamespace = 'migrate'::regnamespace AND relkind IN ('r', 'v')
		UNION ALL SELECT 'pg_namespace'::regclass, 'migrate'::regnamespace) o
	WHERE NOT EXISTS (SELECT 1 FROM pg_depend d
		WHERE (d.classid, d.objid) = (o.classid, o.objid) AND d.deptype = 'e'
			AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pgmigrate'))
$$, 'all that is in the schema is a member');

SELECT is_empty($$
	SELECT pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d
	WHERE d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pgmigrate')
		AND NOT (d.classid = 'pg_namespace'::regclass AND d.objid = 'migrate'::regnamespace)
		AND pg_describe_object(d.classid, d.objid, 0) !~ '\mmigrate\.'
$$, 'and all members are in the schema');

SELECT is_empty($$
	SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
	WHERE refclassid = 'pg_proc'::regclass AND deptype <> 'e' AND classid <> 'pg_trigger'::regclass AND refobjid IN
		(SELECT oid FROM pg_proc WHERE pronamespace = 'migrate'::regnamespace)
$$, 'nothing depends on the functions');

SELECT throws_ok($$ALTER EXTENSION pgmigrate SET SCHEMA public$$, '0A000', NULL, 'it cannot be moved');
SELECT throws_ok($$DROP SCHEMA migrate CASCADE$$, '2BP01', NULL, 'its schema goes only with it');
SELECT lives_ok($$DROP EXTENSION pgmigrate$$, 'it can be dropped');

SELECT * FROM finish();
ROLLBACK;

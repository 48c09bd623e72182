-- What the extension puts into the schema migrate, to the last column.
BEGIN;
SELECT plan(15);

SELECT has_schema('migrate');
SELECT tables_are('migrate', ARRAY['migration', 'run', 'run_statement']);
SELECT views_are('migrate', ARRAY['history', 'history_statement']);
SELECT sequences_are('migrate', ARRAY['run_id_seq']);

PREPARE columns_of(text) AS
SELECT string_agg(format('%s %s%s', attname, format_type(atttypid, atttypmod),
	CASE WHEN attnotnull THEN ' not null' ELSE '' END) COLLATE "default", E'\n' ORDER BY attnum)
FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped;

SELECT results_eq($$EXECUTE columns_of('migrate.migration')$$, ARRAY[
'name text not null
kind text not null
state text not null
script text not null
checksum text not null
conforming_strings boolean not null
transactional boolean not null
requires text[] not null
conflicts text[] not null
description text
source text
registered_by text not null
registered_by_oid oid not null
registered_in bigint not null
registered_at timestamp with time zone not null
applied_run bigint'], 'columns of migration');

SELECT results_eq($$EXECUTE columns_of('migrate.run')$$, ARRAY[
'id bigint not null
migration text
action text not null
outcome text not null
session_username text not null
current_username text not null
application_name text not null
client_addr inet
pid integer not null
started_at timestamp with time zone not null
finished_at timestamp with time zone not null
lock_wait_ms double precision not null
rows bigint not null
wal_bytes bigint not null
tries integer not null
checksum text
note text
sqlstate text
error text'], 'columns of run');

SELECT results_eq($$EXECUTE columns_of('migrate.run_statement')$$, ARRAY[
'run_id bigint not null
part text not null
number integer not null
line integer not null
command text not null
duration_ms double precision not null
rows bigint not null
wal_bytes bigint not null
sql text not null'], 'columns of run_statement');

SELECT results_eq($$EXECUTE columns_of('migrate.history')$$, ARRAY[
'id bigint
migration text
action text
outcome text
session_username text
current_username text
application_name text
client_addr inet
pid integer
started_at timestamp with time zone
finished_at timestamp with time zone
duration_ms double precision
lock_wait_ms double precision
rows bigint
wal_bytes bigint
tries integer
checksum text
note text
sqlstate text
error text'], 'columns of history');

SELECT results_eq($$EXECUTE columns_of('migrate.history_statement')$$, ARRAY[
'run_id bigint
migration text
action text
part text
number integer
line integer
command text
duration_ms double precision
rows bigint
wal_bytes bigint
sql text'], 'columns of history_statement');

SELECT col_is_pk('migrate', 'migration', 'name', 'key of migration');
SELECT col_is_pk('migrate', 'run', 'id', 'key of run');
SELECT col_is_pk('migrate', 'run_statement', ARRAY['run_id', 'part', 'number'], 'key of run_statement');

SELECT is_empty($$
	SELECT relname FROM pg_class WHERE relnamespace = 'migrate'::regnamespace AND relkind = 'v'
	AND NOT coalesce('security_barrier=true' = ANY (reloptions), false)
$$, 'views are security barriers');

SELECT results_eq($$
	SELECT tgrelid::regclass::text, tgname::text COLLATE "default", tgenabled::text, tgfoid::regproc::text
	FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'migrate.%' ORDER BY 1
$$, $$VALUES ('migrate.migration', 'guard', 'A', 'migrate.guard'), ('migrate.run', 'guard', 'A', 'migrate.guard'),
	('migrate.run_statement', 'guard', 'A', 'migrate.guard')$$, 'each table is guarded, always');

SELECT is_empty($$
	SELECT pg_describe_object(classid, objid, objsubid)
	FROM (SELECT 'pg_namespace'::regclass AS classid, 'migrate'::regnamespace::oid AS objid, 0 AS objsubid
		UNION ALL
		SELECT 'pg_proc'::regclass, oid, 0 FROM pg_proc WHERE pronamespace = 'migrate'::regnamespace
		UNION ALL
		SELECT 'pg_class'::regclass, oid, 0 FROM pg_class
		WHERE relnamespace = 'migrate'::regnamespace AND relkind IN ('r', 'v')
		UNION ALL
		SELECT 'pg_class'::regclass, c.oid, a.attnum FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'migrate'::regnamespace AND c.relkind = 'r' AND a.attnum > 0) o
	WHERE NOT EXISTS (SELECT 1 FROM pg_description d
		WHERE (d.classoid, d.objoid, d.objsubid) = (o.classid, o.objid, o.objsubid) AND d.description <> '')
$$, 'schema, functions, tables, their columns and views have comments');

SELECT * FROM finish();
ROLLBACK;

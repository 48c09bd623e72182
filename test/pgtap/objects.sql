-- What the extension puts into the schema migrate, to the last column.
BEGIN;
SELECT plan(50);

SELECT has_schema('migrate');
SELECT tables_are('migrate', ARRAY['migration', 'run', 'run_statement',
	'backfill_job', 'backfill_leaf', 'backfill_lane', 'backfill_bad_row', 'backfill_minute',
	'online_run', 'run_step', 'sync_pair', 'sync_use', 'schema_version', 'table_pair']);
SELECT views_are('migrate', ARRAY['history', 'history_statement', 'history_step', 'run_progress',
	'progress', 'progress_line', 'backfill_history', 'backfill_error', 'backfill_sample', 'expansion', 'version', 'table_expansion']);
SELECT sequences_are('migrate', ARRAY['run_id_seq', 'backfill_job_id_seq', 'sync_pair_id_seq', 'table_pair_id_seq']);

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
finished_at timestamp with time zone
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

SELECT results_eq($$EXECUTE columns_of('migrate.backfill_job')$$, ARRAY[
'id bigint not null
name text not null
state text not null
reason text not null
command text not null
relid oid not null
relation text not null
assign text
filter text
predicate text
set_columns text[] not null
strategy text not null
strategy_reason text not null
key_columns text[]
settings text[] not null
lanes integer
batch_rows integer
batch_ms integer
window text
not_before timestamp with time zone
priority integer not null
max_bad_rows bigint
max_lag double precision
max_wal_rate bigint
duty integer
hold_when text
vacuum_analyze boolean not null
submitted_by text not null
submitted_by_oid oid not null
submitted_in bigint not null
database oid not null
run_as text not null
run_as_oid oid not null
submitted_at timestamp with time zone not null
finished_at timestamp with time zone
due_at timestamp with time zone
sqlstate text
error text'], 'columns of backfill_job');

SELECT results_eq($$EXECUTE columns_of('migrate.backfill_leaf')$$, ARRAY[
'job_id bigint not null
leaf integer not null
relid oid not null
relation text not null
rows_estimate bigint not null
pass integer not null
pass_rows bigint not null
blocks bigint not null
next_block bigint not null
next_key text[]
last_key text[]
units_done bigint not null
done boolean not null'], 'columns of backfill_leaf');

SELECT results_eq($$EXECUTE columns_of('migrate.backfill_lane')$$, ARRAY[
'job_id bigint not null
lane integer not null
leaf integer
pass integer
from_block bigint
to_block bigint
from_key text[]
to_key text[]
piece_units bigint not null
piece_done double precision not null
piece_rows bigint not null
phase text not null
reason text not null
packing text not null
crashes integer not null
batch_rows integer not null
batches bigint not null
rows bigint not null
hot_rows bigint not null
bad_rows bigint not null
retries bigint not null
pages bigint not null
wal_bytes bigint not null
wal_fpi bigint not null
busy_ms double precision not null
lock_wait_ms double precision not null
throttle_ms double precision not null
rate double precision not null
first_batch_at timestamp with time zone
updated_at timestamp with time zone not null'], 'columns of backfill_lane');

SELECT results_eq($$EXECUTE columns_of('migrate.backfill_bad_row')$$, ARRAY[
'job_id bigint not null
relid oid not null
relation text not null
mark text not null
row_ctid tid not null
row_xmin xid not null
row_key text
key_values text[]
retry boolean not null
sqlstate text not null
message text not null
detail text
at timestamp with time zone not null'], 'columns of backfill_bad_row');

SELECT results_eq($$EXECUTE columns_of('migrate.backfill_minute')$$, ARRAY[
'job_id bigint not null
at timestamp with time zone not null
rows bigint not null
rate double precision not null
batches bigint not null
p50_ms double precision not null
p90_ms double precision not null
p99_ms double precision not null
wal_bytes bigint not null
lag double precision not null'], 'columns of backfill_minute');

SELECT results_eq($$EXECUTE columns_of('migrate.progress')$$, ARRAY[
'pid integer
datid oid
datname name
relid oid
command text
phase text
id bigint
name text
relation text
state text
reason text
rows_total bigint
rows_done bigint
percent numeric(5,2)
rows_per_second double precision
eta_seconds bigint
batch_rows integer
lanes integer
throttled_seconds double precision
lock_wait_seconds double precision
wal_bytes bigint
bad_rows bigint
hot_share double precision
packing text
batches bigint
retries bigint
started_at timestamp with time zone
bar text'], 'columns of progress');

SELECT results_eq($$EXECUTE columns_of('migrate.progress_line')$$, ARRAY[
'id bigint
line text'], 'columns of progress_line');

SELECT results_eq($$EXECUTE columns_of('migrate.backfill_history')$$, ARRAY[
'id bigint
name text
relation text
command text
state text
reason text
submitted_by text
run_as text
submitted_at timestamp with time zone
started_at timestamp with time zone
finished_at timestamp with time zone
duration_ms double precision
assign text
filter text
strategy text
strategy_reason text
key_columns text[]
limits jsonb
lanes integer
rows bigint
hot_rows bigint
bad_rows bigint
batches bigint
retries bigint
pages bigint
wal_bytes bigint
wal_fpi bigint
busy_ms double precision
lock_wait_ms double precision
throttle_ms double precision
packing text
crashes integer
sqlstate text
error text'], 'columns of backfill_history');

SELECT results_eq($$EXECUTE columns_of('migrate.backfill_error')$$, ARRAY[
'job_id bigint
name text
relid oid
relation text
row_ctid tid
row_xmin xid
row_key text
sqlstate text
message text
detail text
at timestamp with time zone'], 'columns of backfill_error');

SELECT results_eq($$EXECUTE columns_of('migrate.backfill_sample')$$, ARRAY[
'job_id bigint
name text
at timestamp with time zone
rows bigint
rows_per_second double precision
batches bigint
p50_ms double precision
p90_ms double precision
p99_ms double precision
wal_bytes bigint
lag_seconds double precision'], 'columns of backfill_sample');

SELECT results_eq($$EXECUTE columns_of('migrate.online_run')$$, ARRAY[
'run_id bigint not null
migration text not null
state text not null
reason text not null
why text not null
undo text
after_run bigint
settings text[] not null
statement integer not null
statements integer not null
window text
not_before timestamp with time zone
starts integer not null
submitted_in bigint not null
database oid not null
run_as text not null
run_as_oid oid not null
updated_at timestamp with time zone not null'], 'columns of online_run');

SELECT results_eq($$EXECUTE columns_of('migrate.run_step')$$, ARRAY[
'run_id bigint not null
number integer not null
statement integer not null
line integer not null
kind text not null
sql text not null
why text
undo text
relation text
lock text
hold text
state text not null
object oid not null
job_id bigint
tries integer not null
lock_wait_ms double precision not null
started_at timestamp with time zone
finished_at timestamp with time zone
rows bigint not null
wal_bytes bigint not null
sqlstate text
error text
position integer
bytes bigint not null'], 'columns of run_step');

SELECT results_eq($$EXECUTE columns_of('migrate.run_progress')$$, ARRAY[
'id bigint
migration text
pid integer
state text
phase text
reason text
why text
statement integer
statements integer
step integer
steps bigint
kind text
sql text
relation text
lock text
hold text
tries integer
percent double precision
activity text
job_id bigint
started_at timestamp with time zone
seconds double precision
lock_wait_ms double precision
line text'], 'columns of run_progress');

SELECT results_eq($$EXECUTE columns_of('migrate.history_step')$$, ARRAY[
'run_id bigint
migration text
number integer
statement integer
line integer
kind text
relation text
lock text
hold text
state text
tries integer
lock_wait_ms double precision
started_at timestamp with time zone
finished_at timestamp with time zone
duration_ms double precision
rows bigint
wal_bytes bigint
job_id bigint
sqlstate text
error text
position integer
why text
sql text
undo text
bytes bigint'], 'columns of history_step');

SELECT col_is_pk('migrate', 'migration', 'name', 'key of migration');
SELECT col_is_pk('migrate', 'online_run', 'run_id', 'key of online_run');
SELECT col_is_pk('migrate', 'run_step', ARRAY['run_id', 'number'], 'key of run_step');
SELECT fk_ok('migrate', t, ARRAY['run_id'], 'migrate', 'run', ARRAY['id'], t || ' belongs to a run')
FROM unnest(ARRAY['online_run', 'run_step']::name[]) t;
SELECT col_is_pk('migrate', 'run', 'id', 'key of run');
SELECT col_is_pk('migrate', 'run_statement', ARRAY['run_id', 'part', 'number'], 'key of run_statement');
SELECT col_is_pk('migrate', 'backfill_job', 'id', 'key of backfill_job');
SELECT col_is_unique('migrate', 'backfill_job', 'name', 'names of backfills are unique');
SELECT col_is_pk('migrate', 'backfill_leaf', ARRAY['job_id', 'leaf'], 'key of backfill_leaf');
SELECT col_is_pk('migrate', 'backfill_lane', ARRAY['job_id', 'lane'], 'key of backfill_lane');
SELECT col_is_pk('migrate', 'backfill_bad_row', ARRAY['job_id', 'relid', 'mark'], 'key of backfill_bad_row');
SELECT col_is_pk('migrate', 'backfill_minute', ARRAY['job_id', 'at'], 'key of backfill_minute');
SELECT fk_ok('migrate', t, ARRAY['job_id'], 'migrate', 'backfill_job', ARRAY['id'], t || ' belongs to a job')
FROM unnest(ARRAY['backfill_leaf', 'backfill_lane', 'backfill_bad_row', 'backfill_minute']::name[]) t;

SELECT results_eq($$EXECUTE columns_of('migrate.sync_pair')$$, ARRAY[
'id bigint not null
sync bigint not null
relid oid not null
relation text not null
source text[] not null
target text not null
up text not null
down text
settings text[] not null
created_by text not null
created_by_oid oid not null
created_in bigint not null
database oid not null
created_at timestamp with time zone not null
job_id bigint
becomes text'], 'columns of sync_pair');

SELECT results_eq($$EXECUTE columns_of('migrate.sync_use')$$, ARRAY[
'pair_id bigint not null
side text not null
at timestamp with time zone not null
username text not null
application_name text not null'], 'columns of sync_use');

SELECT results_eq($$EXECUTE columns_of('migrate.expansion')$$, ARRAY[
'id bigint
relation text
source text[]
target text
up text
down text
created_by text
created_at timestamp with time zone
job_id bigint
fill text
old_written_at timestamp with time zone
old_written_by text
old_written_from text
new_written_at timestamp with time zone
new_written_by text
new_written_from text'], 'columns of expansion');

SELECT results_eq($$EXECUTE columns_of('migrate.schema_version')$$, ARRAY[
'name text not null
shape text not null
relations text[] not null
syncs bigint[] not null
created_by text not null
created_by_oid oid not null
created_in bigint not null
database oid not null
created_at timestamp with time zone not null'], 'columns of schema_version');

SELECT results_eq($$EXECUTE columns_of('migrate.version')$$, ARRAY[
'name text
shape text
relations text[]
created_by text
created_at timestamp with time zone
written_at timestamp with time zone
written_by text
written_from text'], 'columns of version');

SELECT results_eq($$EXECUTE columns_of('migrate.table_pair')$$, ARRAY[
'id bigint not null
relid oid not null
relation text not null
new_relid oid not null
new_relation text not null
old_columns text[] not null
key text[] not null
new_key text[] not null
columns text[] not null
expressions text[] not null
settings text[] not null
created_by text not null
created_by_oid oid not null
created_in bigint not null
database oid not null
created_at timestamp with time zone not null
job_id bigint'], 'columns of table_pair');

SELECT results_eq($$EXECUTE columns_of('migrate.table_expansion')$$, ARRAY[
'id bigint
relation text
new_relation text
key text[]
new_key text[]
columns text[]
expressions text[]
created_by text
created_at timestamp with time zone
job_id bigint
fill text'], 'columns of table_expansion');

SELECT is_empty($$
	SELECT relname FROM pg_class WHERE relnamespace = 'migrate'::regnamespace AND relkind = 'v'
	AND NOT coalesce('security_barrier=true' = ANY (reloptions), false)
$$, 'views are security barriers');

SELECT results_eq($$
	SELECT tgrelid::regclass::text, tgname::text COLLATE "default", tgenabled::text, tgfoid::regproc::text
	FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'migrate.%' AND NOT tgisinternal ORDER BY 1
$$, $$
	SELECT 'migrate.' || t, 'guard', 'A', 'migrate.guard'
	FROM unnest(ARRAY['backfill_bad_row', 'backfill_job', 'backfill_lane', 'backfill_leaf', 'backfill_minute', 'migration', 'online_run', 'run', 'run_statement', 'run_step', 'schema_version', 'sync_pair', 'sync_use', 'table_pair']) t
$$, 'each table is guarded, always');

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
		WHERE c.relnamespace = 'migrate'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
			AND (c.relkind = 'r' OR c.relkind = 'v' AND c.relname NOT LIKE 'history%')) o
	WHERE NOT EXISTS (SELECT 1 FROM pg_description d
		WHERE (d.classoid, d.objoid, d.objsubid) = (o.classid, o.objid, o.objsubid) AND d.description <> '')
$$, 'schema, functions, tables and views have comments, and the columns but those of history');

SELECT * FROM finish();
ROLLBACK;

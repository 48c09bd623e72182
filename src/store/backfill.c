/*-------------------------------------------------------------------------
 *
 * backfill.c
 *	  Rows of migrate.backfill_job in and out.
 *
 * A job's row changes rarely: it says what was asked for and in which state it
 * is.  What a batch writes stands in the row of its lane (lane.c), so that a
 * worker can see by the xmin of the job's row that nothing has changed.
 *
 * IDENTIFICATION
 *	  src/store/backfill.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "base/args.h"
#include "base/query.h"
#include "store/job_row.h"

enum
{
	COL_ID = 1, COL_NAME, COL_STATE, COL_REASON, COL_IS_DELETE, COL_IS_COPY, COL_RELID,
	COL_RELATION, COL_ASSIGN, COL_FILTER, COL_PREDICATE, COL_SET_COLUMNS, COL_BY_KEY, COL_STRATEGY_REASON,
	COL_KEY_COLUMNS, COL_SETTINGS, COL_LANES, COL_BATCH_ROWS, COL_BATCH_MS, COL_WINDOW,
	COL_NOT_BEFORE, COL_PRIORITY, COL_MAX_BAD_ROWS, COL_MAX_LAG, COL_MAX_WAL_RATE, COL_DUTY,
	COL_HOLD_WHEN, COL_VACUUM_ANALYZE, COL_SUBMITTED_BY, COL_SUBMITTED_BY_OID,
	COL_SUBMITTED_IN, COL_DATABASE, COL_RUN_AS, COL_RUN_AS_OID, COL_XMIN
};

/*
 * The job in a row of the last query, whose columns are PGM_PGM_JOB_COLUMNS, in the
 * current context.
 */
PgmJob *
pgm_store_read_job(int row)
{
	PgmJob	   *job = palloc0(sizeof(PgmJob));

	job->id = pgm_query_int64(row, COL_ID, 0);
	job->name = pgm_query_text(row, COL_NAME);
	job->state = pgm_job_state_parse(pgm_query_text(row, COL_STATE));
	job->reason = pgm_query_text(row, COL_REASON);
	job->is_delete = pgm_query_bool(row, COL_IS_DELETE);
	job->is_copy = pgm_query_bool(row, COL_IS_COPY);
	job->relid = pgm_query_oid(row, COL_RELID);
	job->relation = pgm_query_text(row, COL_RELATION);
	job->assign = pgm_query_text(row, COL_ASSIGN);
	job->filter = pgm_query_text(row, COL_FILTER);
	job->predicate = pgm_query_text(row, COL_PREDICATE);
	job->set_columns = pgm_query_strings(row, COL_SET_COLUMNS);
	job->by_key = pgm_query_bool(row, COL_BY_KEY);
	job->strategy_reason = pgm_query_text(row, COL_STRATEGY_REASON);
	job->key_columns = pgm_query_strings(row, COL_KEY_COLUMNS);
	job->settings = pgm_query_strings(row, COL_SETTINGS);
	job->lanes = pgm_query_int(row, COL_LANES, PGM_LIMIT_UNSET);
	job->batch_rows = pgm_query_int(row, COL_BATCH_ROWS, PGM_LIMIT_UNSET);
	job->batch_ms = pgm_query_int(row, COL_BATCH_MS, PGM_LIMIT_UNSET);
	job->window = pgm_query_text(row, COL_WINDOW);
	job->not_before = pgm_query_time(row, COL_NOT_BEFORE);
	job->priority = pgm_query_int(row, COL_PRIORITY, 0);
	job->max_bad_rows = pgm_query_int64(row, COL_MAX_BAD_ROWS, PGM_LIMIT_UNSET);
	job->max_lag = pgm_query_float(row, COL_MAX_LAG, PGM_LIMIT_UNSET);
	job->max_wal_rate = pgm_query_int64(row, COL_MAX_WAL_RATE, PGM_LIMIT_UNSET);
	job->duty = pgm_query_int(row, COL_DUTY, PGM_LIMIT_UNSET);
	job->hold_when = pgm_query_text(row, COL_HOLD_WHEN);
	job->vacuum_analyze = pgm_query_bool(row, COL_VACUUM_ANALYZE);
	job->submitter.name = pgm_query_text(row, COL_SUBMITTED_BY);
	job->submitter.oid = pgm_query_oid(row, COL_SUBMITTED_BY_OID);
	job->submitter.cluster = pgm_query_int64(row, COL_SUBMITTED_IN, 0);
	job->database = pgm_query_oid(row, COL_DATABASE);
	job->run_as = pgm_query_text(row, COL_RUN_AS);
	job->run_as_oid = pgm_query_oid(row, COL_RUN_AS_OID);
	job->version = (TransactionId) pgm_query_oid(row, COL_XMIN);
	return job;
}

static void
notify(const char *what, int64 id, const char *label, const char *name, PgmJobState state,
	   const char *reason)
{
	StringInfoData payload;

	initStringInfo(&payload);
	appendStringInfo(&payload, "{\"%s\":" INT64_FORMAT ",\"%s\":", what, id, label);
	escape_json(&payload, name);
	appendStringInfoString(&payload, ",\"state\":");
	escape_json(&payload, pgm_job_state_name(state));
	appendStringInfoString(&payload, ",\"reason\":");
	escape_json(&payload, pnstrdup(reason, pg_mbcliplen(reason, strlen(reason), 1000)));
	appendStringInfoChar(&payload, '}');
	Async_Notify("migrate", payload.data);
}

/*
 * Tell everybody who listens on channel "migrate" what state a job is in, when
 * the transaction commits.
 */
void
pgm_store_notify_state(int64 id, const char *name, PgmJobState state, const char *reason)
{
	notify("backfill", id, "name", name, state, reason);
}

/*
 * The same about an online run.
 */
void
pgm_store_notify_run(int64 id, const char *migration, PgmJobState state, const char *reason)
{
	notify("run", id, "migration", migration, state, reason);
}

static void
set_number(Datum *values, char *nulls, int i, bool unset, Datum value)
{
	nulls[i] = unset ? 'n' : ' ';
	values[i] = value;
}

/* The limits, from column $first on, in the order of the table. */
static void
set_limits(Datum *values, char *nulls, int first, const PgmJob *job)
{
	set_number(values, nulls, first, job->lanes < 0, Int32GetDatum(job->lanes));
	set_number(values, nulls, first + 1, job->batch_rows < 0, Int32GetDatum(job->batch_rows));
	set_number(values, nulls, first + 2, job->batch_ms < 0, Int32GetDatum(job->batch_ms));
	pgm_query_set_text(values, nulls, first + 3, job->window);
	set_number(values, nulls, first + 4, job->not_before == 0,
			   TimestampTzGetDatum(job->not_before));
	values[first + 5] = Int32GetDatum(job->priority);
	set_number(values, nulls, first + 6, job->max_bad_rows < 0,
			   Int64GetDatum(job->max_bad_rows));
	set_number(values, nulls, first + 7, job->max_lag < 0, Float8GetDatum(job->max_lag));
	set_number(values, nulls, first + 8, job->max_wal_rate < 0,
			   Int64GetDatum(job->max_wal_rate));
	set_number(values, nulls, first + 9, job->duty < 0, Int32GetDatum(job->duty));
	pgm_query_set_text(values, nulls, first + 10, job->hold_when);
	values[first + 11] = BoolGetDatum(job->vacuum_analyze);
}

#define LIMIT_TYPES \
	INT4OID, INT4OID, INT4OID, TEXTOID, TIMESTAMPTZOID, INT4OID, INT8OID, FLOAT8OID, \
	INT8OID, INT4OID, TEXTOID, BOOLOID

#define JOB_ARGS	32

/*
 * Add a job, which is queued; returns its id.
 */
int64
pgm_store_insert_job(const PgmJob *job)
{
	static PgmQuery query = {
		"INSERT INTO migrate.backfill_job AS j (id, name, state, command, relid, relation,"
		" assign, filter, predicate, set_columns, strategy, strategy_reason, key_columns,"
		" settings, lanes, batch_rows, batch_ms, \"window\", not_before, priority,"
		" max_bad_rows, max_lag, max_wal_rate, duty, hold_when, vacuum_analyze,"
		" submitted_by, submitted_by_oid, submitted_in, database, run_as, run_as_oid,"
		" submitted_at)"
		" OVERRIDING SYSTEM VALUE"
		" SELECT n.id, coalesce($1, $4 || '-' || n.id), 'queued', $2, $3, $4, $5, $6, $7, $8,"
		" $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,"
		" $26, $27, $28, $29, $30, clock_timestamp()"
		" FROM (SELECT nextval('migrate.backfill_job_id_seq') AS id) n"
		" ON CONFLICT (name) DO NOTHING RETURNING j.id, j.name",
		SPI_OK_INSERT_RETURNING, 30,
		{TEXTOID, TEXTOID, OIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID,
			TEXTOID, TEXTOID, TEXTARRAYOID, TEXTARRAYOID, LIMIT_TYPES,
		TEXTOID, OIDOID, INT8OID, OIDOID, TEXTOID, OIDOID}
	};
	PgmQueryScope scope;
	Datum		values[JOB_ARGS];
	char		nulls[JOB_ARGS + 1];
	int64		id = 0;

	memset(nulls, ' ', JOB_ARGS);
	nulls[JOB_ARGS] = '\0';
	pgm_query_set_text(values, nulls, 0, job->name);
	values[1] = CStringGetTextDatum(job->is_delete ? "DELETE" : job->is_copy ? "COPY" : "UPDATE");
	values[2] = ObjectIdGetDatum(job->relid);
	values[3] = CStringGetTextDatum(job->relation);
	pgm_query_set_text(values, nulls, 4, job->assign);
	pgm_query_set_text(values, nulls, 5, job->filter);
	pgm_query_set_text(values, nulls, 6, job->predicate);
	values[7] = pgm_args_text_array(job->set_columns);
	values[8] = CStringGetTextDatum(job->by_key ? "key" : "pages");
	values[9] = CStringGetTextDatum(job->strategy_reason);
	set_number(values, nulls, 10, job->key_columns == NIL,
			   pgm_args_text_array(job->key_columns));
	values[11] = pgm_args_text_array(job->settings);
	set_limits(values, nulls, 12, job);
	values[24] = CStringGetTextDatum(job->submitter.name);
	values[25] = ObjectIdGetDatum(job->submitter.oid);
	values[26] = Int64GetDatum(job->submitter.cluster);
	values[27] = ObjectIdGetDatum(job->database);
	values[28] = CStringGetTextDatum(job->run_as);
	values[29] = ObjectIdGetDatum(job->run_as_oid);

	pgm_query_begin(&scope);
	pgm_query_run(&query, values, nulls);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("backfill \"%s\" already exists", job->name),
				 errhint("Use another name, or migrate.resume() or migrate.retry() to go on with it.")));
	id = pgm_query_int64(0, 1, 0);
	pgm_store_notify_state(id, pgm_query_text(0, 2), PGM_JOB_QUEUED, "");
	pgm_query_end(&scope);
	return id;
}

/*
 * One job, as it is committed, or NULL.  With for_update its row stays locked to
 * the end of the transaction.
 */
PgmJob *
pgm_store_fetch_job(int64 id, bool for_update)
{
	static PgmQuery look = {
		"SELECT " PGM_JOB_COLUMNS " FROM migrate.backfill_job j WHERE j.id = $1",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	static PgmQuery lock = {
		"SELECT " PGM_JOB_COLUMNS " FROM migrate.backfill_job j WHERE j.id = $1 FOR NO KEY UPDATE",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	PgmJob	   *job = NULL;

	values[0] = Int64GetDatum(id);
	pgm_query_begin(&scope);
	if (for_update)
		pgm_query_run(&lock, values, NULL);
	else
		pgm_query_run_latest(&look, values, NULL);
	if (SPI_processed > 0)
	{
		MemoryContext old = MemoryContextSwitchTo(scope.caller);

		job = pgm_store_read_job(0);
		MemoryContextSwitchTo(old);
	}
	pgm_query_end(&scope);
	return job;
}

/*
 * The id of the job of a name, 0 if there is none.
 */
int64
pgm_store_find_job(const char *name)
{
	static PgmQuery query = {
		"SELECT j.id FROM migrate.backfill_job j WHERE j.name = $1",
		SPI_OK_SELECT, 1, {TEXTOID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	int64		id = 0;

	values[0] = CStringGetTextDatum(name);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	if (SPI_processed > 0)
		id = pgm_query_int64(0, 1, 0);
	pgm_query_end(&scope);
	return id;
}

/*
 * What changes whenever a job's row does; false if the job is gone.
 */
bool
pgm_store_fetch_job_version(int64 id, TransactionId *version)
{
	static PgmQuery query = {
		"SELECT j.xmin FROM migrate.backfill_job j WHERE j.id = $1",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	bool		found;

	values[0] = Int64GetDatum(id);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	found = SPI_processed > 0;
	if (found)
		*version = (TransactionId) pgm_query_oid(0, 1);
	pgm_query_end(&scope);
	return found;
}

/*
 * Record a state and why, and what error led to it, or NULL.  A state that is
 * final gets the time.  Listeners are told the SQLSTATE only: a message can have
 * values of rows.
 */
void
pgm_store_fail_job(int64 id, PgmJobState state, const char *reason,
				   const char *sqlstate, const char *error)
{
	static PgmQuery query = {
		"UPDATE migrate.backfill_job SET state = $2, reason = $3, sqlstate = $4, error = $5,"
		" due_at = NULL,"
		" finished_at = CASE WHEN $2 IN ('done', 'failed', 'cancelled') THEN clock_timestamp() END"
		" WHERE id = $1 RETURNING name",
		SPI_OK_UPDATE_RETURNING, 5, {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}
	};
	PgmQueryScope scope;
	Datum		values[5];
	char		nulls[6] = "     ";

	values[0] = Int64GetDatum(id);
	values[1] = CStringGetTextDatum(pgm_job_state_name(state));
	values[2] = CStringGetTextDatum(reason);
	pgm_query_set_text(values, nulls, 3, sqlstate);
	pgm_query_set_text(values, nulls, 4, error);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, nulls);
	if (SPI_processed > 0)
		pgm_store_notify_state(id, pgm_query_text(0, 1), state,
							   sqlstate == NULL ? reason : sqlstate);
	pgm_query_end(&scope);
}

/*
 * The same where there is no error.
 */
void
pgm_store_set_job_state(int64 id, PgmJobState state, const char *reason)
{
	pgm_store_fail_job(id, state, reason, NULL, NULL);
}

/*
 * Record that somebody works on a job.  Returns false if the job is not to be run
 * (any more).
 */
bool
pgm_store_start_job(int64 id)
{
	static PgmQuery query = {
		"UPDATE migrate.backfill_job j SET state = 'running', reason = '', due_at = NULL"
		" FROM migrate.backfill_job o WHERE j.id = $1 AND o.id = j.id"
		" AND j.state IN ('queued', 'running')"
		" RETURNING o.state = 'queued', j.name",
		SPI_OK_UPDATE_RETURNING, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	bool		found;

	values[0] = Int64GetDatum(id);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	found = SPI_processed > 0;
	if (found && pgm_query_bool(0, 1))
		pgm_store_notify_state(id, pgm_query_text(0, 2), PGM_JOB_RUNNING, "");
	pgm_query_end(&scope);
	return found;
}

/*
 * Record that no worker is needed before a time, and why.
 */
void
pgm_store_set_job_due(int64 id, TimestampTz due_at, const char *reason)
{
	static PgmQuery query = {
		"UPDATE migrate.backfill_job SET due_at = $2, reason = $3"
		" WHERE id = $1 AND state IN ('queued', 'running')",
		SPI_OK_UPDATE, 3, {INT8OID, TIMESTAMPTZOID, TEXTOID}
	};
	Datum		values[3];
	char		nulls[4] = "   ";

	values[0] = Int64GetDatum(id);
	set_number(values, nulls, 1, due_at == 0, TimestampTzGetDatum(due_at));
	values[2] = CStringGetTextDatum(reason);
	pgm_query_run_alone(&query, values, nulls);
}

/*
 * Let a job that came from another cluster or database run in this one.
 */
void
pgm_store_set_job_here(const PgmJob *job)
{
	static PgmQuery query = {
		"UPDATE migrate.backfill_job SET submitted_in = $2, database = $3, relid = $4,"
		" run_as_oid = $5, submitted_by_oid = $6 WHERE id = $1",
		SPI_OK_UPDATE, 6, {INT8OID, INT8OID, OIDOID, OIDOID, OIDOID, OIDOID}
	};
	Datum		values[6];

	values[0] = Int64GetDatum(job->id);
	values[1] = Int64GetDatum(job->submitter.cluster);
	values[2] = ObjectIdGetDatum(job->database);
	values[3] = ObjectIdGetDatum(job->relid);
	values[4] = ObjectIdGetDatum(job->run_as_oid);
	values[5] = ObjectIdGetDatum(job->submitter.oid);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * Record the limits of a job.
 */
void
pgm_store_set_limits(const PgmJob *job)
{
	static PgmQuery query = {
		"UPDATE migrate.backfill_job SET lanes = $2, batch_rows = $3, batch_ms = $4,"
		" \"window\" = $5, not_before = $6, priority = $7, max_bad_rows = $8, max_lag = $9,"
		" max_wal_rate = $10, duty = $11, hold_when = $12, vacuum_analyze = $13,"
		" due_at = NULL WHERE id = $1",
		SPI_OK_UPDATE, 13, {INT8OID, LIMIT_TYPES}
	};
	Datum		values[13];
	char		nulls[14] = "             ";

	values[0] = Int64GetDatum(job->id);
	set_limits(values, nulls, 1, job);
	pgm_query_run_alone(&query, values, nulls);
}

/*
 * Where a job is, in a line, or NULL.
 */
char *
pgm_store_progress_line(int64 id)
{
	static PgmQuery query = {
		"SELECT p.line FROM migrate.progress_line p WHERE p.id = $1",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	char	   *line = NULL;

	values[0] = Int64GetDatum(id);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	if (SPI_processed > 0)
		line = MemoryContextStrdup(scope.caller, pgm_query_text(0, 1));
	pgm_query_end(&scope);
	return line;
}

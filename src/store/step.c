/*-------------------------------------------------------------------------
 *
 * step.c
 *	  Rows of migrate.run_step in and out.
 *
 * IDENTIFICATION
 *	  src/store/step.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/args.h"
#include "base/query.h"
#include "store/online.h"

#define STEP_COLUMNS \
	"number, statement, line, kind, sql, why, undo, relation, lock, hold, state, object, job_id"

enum
{
	COL_NUMBER = 1, COL_STATEMENT, COL_LINE, COL_KIND, COL_SQL, COL_WHY, COL_UNDO, COL_RELATION,
	COL_LOCK, COL_HOLD, COL_STATE, COL_OBJECT, COL_JOB
};

static const char *const state_names[] = {
	[PGM_RUN_STEP_PENDING] = "pending",
	[PGM_RUN_STEP_RUNNING] = "running",
	[PGM_RUN_STEP_DONE] = "done",
	[PGM_RUN_STEP_FAILED] = "failed",
	[PGM_RUN_STEP_UNDONE] = "undone",
};

static PgmStepState
parse_state(const char *name)
{
	for (int i = 0; i < lengthof(state_names); i++)
	{
		if (strcmp(state_names[i], name) == 0)
			return (PgmStepState) i;
	}
	elog(ERROR, "unexpected word in a table of pgmigrate: \"%s\"", name);
	return PGM_RUN_STEP_PENDING;	/* keep compiler quiet */
}

/* The step in the first row of the last query, in the current context. */
static PgmRunStep *
read_step(void)
{
	PgmRunStep *step = palloc0(sizeof(PgmRunStep));

	step->number = pgm_query_int(0, COL_NUMBER, 0);
	step->statement = pgm_query_int(0, COL_STATEMENT, 0);
	step->line = pgm_query_int(0, COL_LINE, 0);
	step->kind = pgm_query_text(0, COL_KIND);
	step->sql = pgm_query_text(0, COL_SQL);
	step->why = pgm_query_text(0, COL_WHY);
	step->undo = pgm_query_text(0, COL_UNDO);
	step->relation = pgm_query_text(0, COL_RELATION);
	step->lock = pgm_query_text(0, COL_LOCK);
	step->hold = pgm_query_text(0, COL_HOLD);
	step->state = parse_state(pgm_query_text(0, COL_STATE));
	step->object = pgm_query_oid(0, COL_OBJECT);
	step->job = pgm_query_int64(0, COL_JOB, 0);
	return step;
}

static PgmRunStep *
fetch(PgmQuery *query, Datum *values)
{
	PgmQueryScope scope;
	PgmRunStep *step = NULL;
	MemoryContext old;

	pgm_query_begin(&scope);
	pgm_query_run_latest(query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	if (SPI_processed > 0)
		step = read_step();
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return step;
}

static void
run_update(PgmQuery *query, Datum *values, const char *nulls)
{
	PgmQueryScope scope;

	pgm_query_begin(&scope);
	pgm_query_run(query, values, nulls);
	pgm_query_end(&scope);
}

/*
 * Add a step behind the others; its number is given here.
 */
void
pgm_store_insert_step(int64 run, const PgmRunStep *step)
{
	static PgmQuery query = {
		"INSERT INTO migrate.run_step (run_id, number, statement, line, kind, sql, why, undo,"
		" relation, lock, hold, bytes, state) SELECT $1, coalesce(max(s.number), 0) + 1, $2, $3, $4,"
		" $5, $6, $7, $8, $9, $10, $11, 'pending' FROM migrate.run_step s WHERE s.run_id = $1",
		SPI_OK_INSERT, 11, {INT8OID, INT4OID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
		TEXTOID, TEXTOID, INT8OID}
	};
	Datum		values[11];
	char		nulls[12] = "           ";

	values[0] = Int64GetDatum(run);
	values[1] = Int32GetDatum(step->statement);
	values[2] = Int32GetDatum(step->line);
	values[3] = CStringGetTextDatum(step->kind);
	values[4] = CStringGetTextDatum(step->sql);
	pgm_query_set_text(values, nulls, 5, step->why);
	pgm_query_set_text(values, nulls, 6, step->undo);
	pgm_query_set_text(values, nulls, 7, step->relation);
	pgm_query_set_text(values, nulls, 8, step->lock);
	pgm_query_set_text(values, nulls, 9, step->hold);
	values[10] = Int64GetDatum(step->bytes);
	run_update(&query, values, nulls);
}

/*
 * The first step that is not done, or NULL.
 */
PgmRunStep *
pgm_store_fetch_next_step(int64 run)
{
	static PgmQuery query = {
		"SELECT " STEP_COLUMNS " FROM migrate.run_step"
		" WHERE run_id = $1 AND state IN ('pending', 'running', 'failed') ORDER BY number LIMIT 1",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	Datum		values[1];

	values[0] = Int64GetDatum(run);
	return fetch(&query, values);
}

/*
 * The last step that was begun and not undone, of one statement, or of any if
 * that is 0; NULL if there is none.
 */
PgmRunStep *
pgm_store_fetch_last_step(int64 run, int statement)
{
	static PgmQuery query = {
		"SELECT " STEP_COLUMNS " FROM migrate.run_step"
		" WHERE run_id = $1 AND statement = coalesce(nullif($2, 0), statement)"
		" AND state IN ('running', 'done', 'failed') ORDER BY number DESC LIMIT 1",
		SPI_OK_SELECT, 2, {INT8OID, INT4OID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(run);
	values[1] = Int32GetDatum(statement);
	return fetch(&query, values);
}

/*
 * A step that is done and cannot be undone, of one statement, or of any if that is
 * 0; NULL if there is none.
 */
PgmRunStep *
pgm_store_fetch_irreversible(int64 run, int statement)
{
	static PgmQuery query = {
		"SELECT " STEP_COLUMNS " FROM migrate.run_step"
		" WHERE run_id = $1 AND statement = coalesce(nullif($2, 0), statement)"
		" AND state = 'done' AND undo IS NULL ORDER BY number LIMIT 1",
		SPI_OK_SELECT, 2, {INT8OID, INT4OID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(run);
	values[1] = Int32GetDatum(statement);
	return fetch(&query, values);
}

/*
 * Are all steps of a statement done, and none undone?
 */
bool
pgm_store_is_statement_done(int64 run, int statement)
{
	static PgmQuery query = {
		"SELECT FROM migrate.run_step WHERE run_id = $1 AND statement = $2 AND state <> 'done'",
		SPI_OK_SELECT, 2, {INT8OID, INT4OID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(run);
	values[1] = Int32GetDatum(statement);
	return !pgm_query_finds(&query, values);
}

/* The first column of what a query finds, as char *. */
static List *
fetch_texts(PgmQuery *query, Datum *values)
{
	PgmQueryScope scope;
	List	   *texts = NIL;
	MemoryContext old;

	pgm_query_begin(&scope);
	pgm_query_run_latest(query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	for (uint64 i = 0; i < SPI_processed; i++)
		texts = lappend(texts, pgm_query_text(i, 1));
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return texts;
}

/*
 * The commands of these kinds that are done, as char *, in order.
 */
List *
pgm_store_fetch_commands(int64 run, List *kinds)
{
	static PgmQuery query = {
		"SELECT sql FROM migrate.run_step"
		" WHERE run_id = $1 AND state = 'done' AND kind = ANY ($2) ORDER BY number",
		SPI_OK_SELECT, 2, {INT8OID, TEXTARRAYOID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(run);
	values[1] = pgm_args_text_array(kinds);
	return fetch_texts(&query, values);
}

/*
 * The commands that undo what is done and can be undone, as char *, in order.
 */
List *
pgm_store_fetch_undo_commands(int64 run)
{
	static PgmQuery query = {
		"SELECT undo FROM migrate.run_step"
		" WHERE run_id = $1 AND state = 'done' AND undo <> '' ORDER BY number",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	Datum		values[1];

	values[0] = Int64GetDatum(run);
	return fetch_texts(&query, values);
}

/*
 * A step begins that will not be done when this transaction ends: a backfill, or
 * a command that commits by itself.
 */
void
pgm_store_begin_step(int64 run, const PgmRunStep *step)
{
	static PgmQuery query = {
		"UPDATE migrate.run_step SET state = 'running', object = $3, job_id = nullif($4, 0),"
		" tries = tries + 1, started_at = coalesce(started_at, clock_timestamp()),"
		" sqlstate = NULL, error = NULL, position = NULL WHERE run_id = $1 AND number = $2",
		SPI_OK_UPDATE, 4, {INT8OID, INT4OID, OIDOID, INT8OID}
	};
	Datum		values[4];

	values[0] = Int64GetDatum(run);
	values[1] = Int32GetDatum(step->number);
	values[2] = ObjectIdGetDatum(step->object);
	values[3] = Int64GetDatum(step->job);
	run_update(&query, values, NULL);
}

/*
 * A step is done.  One that was not begun before began with this transaction.
 */
void
pgm_store_finish_step(int64 run, const PgmRunStep *step, int64 rows, int64 wal_bytes)
{
	static PgmQuery query = {
		"UPDATE migrate.run_step SET state = 'done',"
		" tries = tries + CASE WHEN state = 'running' THEN 0 ELSE 1 END,"
		" started_at = coalesce(started_at, transaction_timestamp()),"
		" finished_at = clock_timestamp(), rows = $3, wal_bytes = $4,"
		" sqlstate = NULL, error = NULL, position = NULL WHERE run_id = $1 AND number = $2",
		SPI_OK_UPDATE, 4, {INT8OID, INT4OID, INT8OID, INT8OID}
	};
	Datum		values[4];

	values[0] = Int64GetDatum(run);
	values[1] = Int32GetDatum(step->number);
	values[2] = Int64GetDatum(rows);
	values[3] = Int64GetDatum(wal_bytes);
	run_update(&query, values, NULL);
}

void
pgm_store_set_step_state(int64 run, int number, PgmStepState state)
{
	static PgmQuery query = {
		"UPDATE migrate.run_step SET state = $3 WHERE run_id = $1 AND number = $2",
		SPI_OK_UPDATE, 3, {INT8OID, INT4OID, TEXTOID}
	};
	Datum		values[3];

	values[0] = Int64GetDatum(run);
	values[1] = Int32GetDatum(number);
	values[2] = CStringGetTextDatum(state_names[state]);
	run_update(&query, values, NULL);
}

/*
 * A step has failed; "position" is a character of its command, 0 if not known.
 */
void
pgm_store_fail_step(int64 run, int number, const char *sqlstate, const char *error, int position)
{
	static PgmQuery query = {
		"UPDATE migrate.run_step SET state = 'failed', sqlstate = $3, error = $4,"
		" position = nullif($5, 0),"
		" tries = tries + CASE WHEN state = 'running' THEN 0 ELSE 1 END"
		" WHERE run_id = $1 AND number = $2",
		SPI_OK_UPDATE, 5, {INT8OID, INT4OID, TEXTOID, TEXTOID, INT4OID}
	};
	Datum		values[5];

	values[0] = Int64GetDatum(run);
	values[1] = Int32GetDatum(number);
	values[2] = CStringGetTextDatum(sqlstate);
	values[3] = CStringGetTextDatum(error);
	values[4] = Int32GetDatum(position);
	run_update(&query, values, NULL);
}

/*
 * A step could not get its locks, and lost so much time by it.
 */
void
pgm_store_add_step_try(int64 run, int number, double lost_ms)
{
	static PgmQuery query = {
		"UPDATE migrate.run_step SET tries = tries + 1, lock_wait_ms = lock_wait_ms + $3,"
		" started_at = coalesce(started_at, clock_timestamp())"
		" WHERE run_id = $1 AND number = $2",
		SPI_OK_UPDATE, 3, {INT8OID, INT4OID, FLOAT8OID}
	};
	Datum		values[3];

	values[0] = Int64GetDatum(run);
	values[1] = Int32GetDatum(number);
	values[2] = Float8GetDatum(lost_ms);
	run_update(&query, values, NULL);
}

/*
 * The backfill of a step is no more: another one has to be submitted.
 */
void
pgm_store_forget_step_job(int64 run, int64 job)
{
	static PgmQuery query = {
		"UPDATE migrate.run_step SET state = 'pending', job_id = NULL"
		" WHERE run_id = $1 AND job_id = $2",
		SPI_OK_UPDATE, 2, {INT8OID, INT8OID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(run);
	values[1] = Int64GetDatum(job);
	run_update(&query, values, NULL);
}

/*
 * How long the latest steps took, as PgmStepRate *, for each kind of command and
 * what its lock is held for.  Medians: a step may have been paused, or have been
 * begun before a restart and done long after.
 */
List *
pgm_store_fetch_rates(void)
{
	static PgmQuery query = {
		"SELECT kind, hold, percentile_cont(0.5) WITHIN GROUP (ORDER BY bytes / ms)"
		"  FILTER (WHERE bytes >= 1048576),"
		" percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FILTER (WHERE bytes < 1048576)"
		" FROM (SELECT kind, hold, bytes, greatest(0.1,"
		"   date_part('epoch', finished_at - started_at) * 1000 - lock_wait_ms) AS ms"
		"  FROM migrate.run_step WHERE state = 'done' AND hold IS NOT NULL"
		"  ORDER BY run_id DESC, number DESC LIMIT 1000) s GROUP BY kind, hold",
		SPI_OK_SELECT, 0, {0}
	};
	PgmQueryScope scope;
	List	   *rates = NIL;
	MemoryContext old;

	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, NULL, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		PgmStepRate *rate = palloc(sizeof(PgmStepRate));

		rate->kind = pgm_query_text(i, 1);
		rate->hold = pgm_query_text(i, 2);
		rate->bytes_per_ms = pgm_query_float(i, 3, 0);
		rate->ms = pgm_query_float(i, 4, 0);
		rates = lappend(rates, rate);
	}
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return rates;
}

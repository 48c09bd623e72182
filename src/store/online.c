/*-------------------------------------------------------------------------
 *
 * online.c
 *	  Rows of migrate.online_run in and out.
 *
 * What the end of an online run changes in migrate.run goes with its state, so
 * that the two never differ.
 *
 * IDENTIFICATION
 *	  src/store/online.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/args.h"
#include "base/query.h"
#include "store/backfill.h"
#include "store/online.h"

#define RUN_COLUMNS \
	"o.run_id, o.migration, o.state, o.reason, o.why, o.undo, o.after_run, o.settings," \
	" o.statement, o.statements, o.submitted_in, o.database, o.run_as, o.run_as_oid, r.checksum," \
	" o.\"window\", o.not_before"

enum
{
	COL_ID = 1, COL_MIGRATION, COL_STATE, COL_REASON, COL_WHY, COL_UNDO, COL_AFTER, COL_SETTINGS,
	COL_STATEMENT, COL_STATEMENTS, COL_CLUSTER, COL_DATABASE, COL_RUN_AS, COL_RUN_AS_OID,
	COL_CHECKSUM, COL_WINDOW, COL_NOT_BEFORE
};

static const char *const undo_names[] = {
	[PGM_UNDO_NOTHING] = NULL,
	[PGM_UNDO_STATEMENT] = "statement",
	[PGM_UNDO_ALL] = "all",
};

static PgmUndo
parse_undo(const char *name)
{
	if (name == NULL)
		return PGM_UNDO_NOTHING;
	return strcmp(name, undo_names[PGM_UNDO_ALL]) == 0 ? PGM_UNDO_ALL : PGM_UNDO_STATEMENT;
}

/* The run in a row of the last query, in the current context. */
static PgmOnlineRun *
read_run(int row)
{
	PgmOnlineRun *run = palloc0(sizeof(PgmOnlineRun));

	run->id = pgm_query_int64(row, COL_ID, 0);
	run->migration = pgm_query_text(row, COL_MIGRATION);
	run->state = pgm_job_state_parse(pgm_query_text(row, COL_STATE));
	run->reason = pgm_query_text(row, COL_REASON);
	run->why = pgm_query_text(row, COL_WHY);
	run->undo = parse_undo(pgm_query_text(row, COL_UNDO));
	run->after_run = pgm_query_int64(row, COL_AFTER, 0);
	run->settings = pgm_query_strings(row, COL_SETTINGS);
	run->statement = pgm_query_int(row, COL_STATEMENT, 0);
	run->statements = pgm_query_int(row, COL_STATEMENTS, 0);
	run->cluster = pgm_query_int64(row, COL_CLUSTER, 0);
	run->database = pgm_query_oid(row, COL_DATABASE);
	run->run_as = pgm_query_text(row, COL_RUN_AS);
	run->run_as_oid = pgm_query_oid(row, COL_RUN_AS_OID);
	run->checksum = pgm_query_text(row, COL_CHECKSUM);
	run->window = pgm_query_text(row, COL_WINDOW);
	run->not_before = pgm_query_time(row, COL_NOT_BEFORE);
	return run;
}

/*
 * Add a run whose row in migrate.run is there.
 */
void
pgm_store_insert_online_run(const PgmOnlineRun *run)
{
	static PgmQuery query = {
		"INSERT INTO migrate.online_run (run_id, migration, state, why, after_run, settings,"
		" statements, submitted_in, database, run_as, run_as_oid, \"window\", not_before)"
		" VALUES ($1, $2, 'queued', $3, nullif($4, 0), $5, $6, $7, $8, $9, $10, $11, $12)",
		SPI_OK_INSERT, 12, {INT8OID, TEXTOID, TEXTOID, INT8OID, TEXTARRAYOID, INT4OID, INT8OID,
		OIDOID, TEXTOID, OIDOID, TEXTOID, TIMESTAMPTZOID}
	};
	PgmQueryScope scope;
	Datum		values[12];
	char		nulls[13] = "            ";

	values[0] = Int64GetDatum(run->id);
	values[1] = CStringGetTextDatum(run->migration);
	values[2] = CStringGetTextDatum(run->why);
	values[3] = Int64GetDatum(run->after_run);
	values[4] = pgm_args_text_array(run->settings);
	values[5] = Int32GetDatum(run->statements);
	values[6] = Int64GetDatum(run->cluster);
	values[7] = ObjectIdGetDatum(run->database);
	values[8] = CStringGetTextDatum(run->run_as);
	values[9] = ObjectIdGetDatum(run->run_as_oid);
	pgm_query_set_text(values, nulls, 10, run->window);
	values[11] = TimestampTzGetDatum(run->not_before);
	nulls[11] = run->not_before == 0 ? 'n' : ' ';
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, nulls);
	pgm_store_notify_run(run->id, run->migration, PGM_JOB_QUEUED, "");
	pgm_query_end(&scope);
}

/*
 * A run as it is committed, or NULL.
 */
PgmOnlineRun *
pgm_store_fetch_online_run(int64 id, bool for_update)
{
	static PgmQuery look = {
		"SELECT " RUN_COLUMNS " FROM migrate.online_run o"
		" JOIN migrate.run r ON r.id = o.run_id WHERE o.run_id = $1",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	static PgmQuery lock = {
		"SELECT " RUN_COLUMNS " FROM migrate.online_run o"
		" JOIN migrate.run r ON r.id = o.run_id WHERE o.run_id = $1 FOR UPDATE OF o",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	PgmOnlineRun *run = NULL;
	MemoryContext old;

	values[0] = Int64GetDatum(id);
	pgm_query_begin(&scope);
	if (for_update)
		pgm_query_run(&lock, values, NULL);
	else
		pgm_query_run_latest(&look, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	if (SPI_processed > 0)
		run = read_run(0);
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return run;
}

static int64
find_run(PgmQuery *query, const char *migration)
{
	PgmQueryScope scope;
	Datum		values[1];
	int64		id;

	values[0] = CStringGetTextDatum(migration);
	pgm_query_begin(&scope);
	pgm_query_run_latest(query, values, NULL);
	id = SPI_processed == 0 ? 0 : pgm_query_int64(0, 1, 0);
	pgm_query_end(&scope);
	return id;
}

/*
 * The run of a migration that has neither been done nor been cancelled, or 0.
 */
int64
pgm_store_find_open_run(const char *migration)
{
	static PgmQuery query = {
		"SELECT run_id FROM migrate.online_run"
		" WHERE migration = $1 AND state NOT IN ('done', 'cancelled')",
		SPI_OK_SELECT, 1, {TEXTOID}
	};

	return find_run(&query, migration);
}

/*
 * The last online run of a migration, if there is one, or 0.
 */
int64
pgm_store_find_last_run(const char *migration)
{
	static PgmQuery query = {
		"SELECT o.run_id FROM migrate.run r JOIN migrate.online_run o ON o.run_id = r.id"
		" WHERE r.migration = $1 ORDER BY r.id DESC LIMIT 1",
		SPI_OK_SELECT, 1, {TEXTOID}
	};

	return find_run(&query, migration);
}

static void cancel_waiting(int64 id);

/*
 * Set the state, and what is to be undone.  The history follows: a run that is
 * done has succeeded, or was undone.
 */
void
pgm_store_set_run_state(int64 id, PgmJobState state, PgmUndo undo, const char *reason)
{
	static PgmQuery query = {
		"UPDATE migrate.online_run SET state = $2, undo = $3, reason = $4,"
		" updated_at = clock_timestamp() WHERE run_id = $1 RETURNING migration",
		SPI_OK_UPDATE_RETURNING, 4, {INT8OID, TEXTOID, TEXTOID, TEXTOID}
	};
	static PgmQuery history = {
		"UPDATE migrate.run r SET outcome = CASE $2 WHEN 'done' THEN 'succeeded'"
		" WHEN 'failed' THEN 'failed' WHEN 'cancelled' THEN 'cancelled' ELSE 'open' END,"
		" finished_at = CASE WHEN $2 IN ('done', 'failed', 'cancelled') THEN clock_timestamp() END,"
		" sqlstate = NULL, error = NULL, rows = f.rows, wal_bytes = f.wal_bytes,"
		" lock_wait_ms = f.lock_wait_ms, tries = f.tries"
		" FROM (SELECT coalesce(sum(s.rows), 0)::bigint AS rows,"
		"  coalesce(sum(s.wal_bytes), 0)::bigint AS wal_bytes,"
		"  coalesce(sum(s.lock_wait_ms), 0) AS lock_wait_ms,"
		"  coalesce(max(s.tries), 1) AS tries"
		"  FROM migrate.run_step s WHERE s.run_id = $1) f WHERE r.id = $1",
		SPI_OK_UPDATE, 2, {INT8OID, TEXTOID}
	};
	PgmQueryScope scope;
	Datum		values[4];
	char		nulls[5] = "    ";

	values[0] = Int64GetDatum(id);
	values[1] = CStringGetTextDatum(pgm_job_state_name(state));
	pgm_query_set_text(values, nulls, 2, undo_names[undo]);
	values[3] = CStringGetTextDatum(reason);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, nulls);
	if (SPI_processed > 0)
		pgm_store_notify_run(id, pgm_query_text(0, 1), state, reason);
	pgm_query_run(&history, values, NULL);
	pgm_query_end(&scope);
	if (state == PGM_JOB_CANCELLED)
		cancel_waiting(id);
}

/*
 * Runs that wait for one that was cancelled never begin: cancel them too, and
 * those that wait for them.
 */
static void
cancel_waiting(int64 id)
{
	static PgmQuery query = {
		"SELECT run_id FROM migrate.online_run"
		" WHERE after_run = $1 AND state NOT IN ('done', 'cancelled')",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	List	   *waiting = NIL;
	ListCell   *lc;

	values[0] = Int64GetDatum(id);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int64	   *run = palloc(sizeof(int64));

		*run = pgm_query_int64(i, 1, 0);
		waiting = lappend(waiting, run);
	}
	foreach(lc, waiting)
		pgm_store_set_run_state(*(int64 *) lfirst(lc), PGM_JOB_CANCELLED, PGM_UNDO_NOTHING,
								psprintf("run " INT64_FORMAT ", for which it waited, was cancelled", id));
	pgm_query_end(&scope);
}

/*
 * A run has failed, with this error.
 */
void
pgm_store_fail_run(int64 id, PgmUndo undo, const char *sqlstate, const char *error)
{
	static PgmQuery query = {
		"UPDATE migrate.run SET sqlstate = $2, error = $3 WHERE id = $1",
		SPI_OK_UPDATE, 3, {INT8OID, TEXTOID, TEXTOID}
	};
	Datum		values[3];

	pgm_store_set_run_state(id, PGM_JOB_FAILED, undo, error);
	values[0] = Int64GetDatum(id);
	values[1] = CStringGetTextDatum(sqlstate);
	values[2] = CStringGetTextDatum(error);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * A run that is to go on does.
 */
void
pgm_store_set_run_running(int64 id)
{
	static PgmQuery query = {
		"UPDATE migrate.online_run SET state = 'running' WHERE run_id = $1 AND state = 'queued'",
		SPI_OK_UPDATE, 1, {INT8OID}
	};
	Datum		values[1];

	values[0] = Int64GetDatum(id);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * Say what a run waits for; "" if it does not.
 */
void
pgm_store_set_run_reason(int64 id, const char *reason)
{
	static PgmQuery query = {
		"UPDATE migrate.online_run SET reason = $2, updated_at = clock_timestamp()"
		" WHERE run_id = $1 AND reason <> $2",
		SPI_OK_UPDATE, 2, {INT8OID, TEXTOID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(id);
	values[1] = CStringGetTextDatum(reason);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * A worker begins: count it, and return how many have since the run last got on.
 */
int
pgm_store_begin_run(int64 id)
{
	static PgmQuery query = {
		"UPDATE migrate.online_run SET state = 'running', starts = starts + 1,"
		" reason = CASE WHEN undo IS NULL THEN '' ELSE reason END,"
		" updated_at = clock_timestamp() WHERE run_id = $1 RETURNING starts",
		SPI_OK_UPDATE_RETURNING, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	int			starts;

	values[0] = Int64GetDatum(id);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	starts = pgm_query_int(0, 1, 0);
	pgm_query_end(&scope);
	return starts;
}

void
pgm_store_clear_run_starts(int64 id)
{
	static PgmQuery query = {
		"UPDATE migrate.online_run SET starts = 0 WHERE run_id = $1 AND starts <> 0",
		SPI_OK_UPDATE, 1, {INT8OID}
	};
	Datum		values[1];

	values[0] = Int64GetDatum(id);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * The steps of this statement are written.
 */
void
pgm_store_set_run_statement(int64 id, int statement)
{
	static PgmQuery query = {
		"UPDATE migrate.online_run SET statement = $2, updated_at = clock_timestamp()"
		" WHERE run_id = $1",
		SPI_OK_UPDATE, 2, {INT8OID, INT4OID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(id);
	values[1] = Int32GetDatum(statement);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * A run that came from elsewhere belongs here from now on.
 */
void
pgm_store_set_run_here(const PgmOnlineRun *run)
{
	static PgmQuery query = {
		"UPDATE migrate.online_run SET submitted_in = $2, database = $3, run_as_oid = $4"
		" WHERE run_id = $1",
		SPI_OK_UPDATE, 4, {INT8OID, INT8OID, OIDOID, OIDOID}
	};
	Datum		values[4];

	values[0] = Int64GetDatum(run->id);
	values[1] = Int64GetDatum((int64) GetSystemIdentifier());
	values[2] = ObjectIdGetDatum(MyDatabaseId);
	values[3] = ObjectIdGetDatum(run->run_as_oid);
	pgm_query_run_alone(&query, values, NULL);
}

/* The runs that a query on cluster and database finds. */
static List *
fetch_runs(PgmQuery *query)
{
	PgmQueryScope scope;
	Datum		values[2];
	List	   *runs = NIL;
	MemoryContext old;

	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_begin(&scope);
	pgm_query_run_latest(query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	for (uint64 i = 0; i < SPI_processed; i++)
		runs = lappend(runs, read_run(i));
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return runs;
}

/*
 * Have those that wait for a run go on without it; returns them.
 */
List *
pgm_store_release_runs(int64 id)
{
	static PgmQuery query = {
		"WITH o AS (UPDATE migrate.online_run SET after_run = NULL WHERE after_run = $1"
		" AND state NOT IN ('done', 'cancelled') RETURNING *)"
		" SELECT " RUN_COLUMNS " FROM o JOIN migrate.run r ON r.id = o.run_id",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	List	   *runs = NIL;
	MemoryContext old;

	values[0] = Int64GetDatum(id);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	for (uint64 i = 0; i < SPI_processed; i++)
		runs = lappend(runs, read_run(i));
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return runs;
}

/*
 * The runs that may go on now, the oldest first, and none that belongs to another
 * cluster or database.
 */
List *
pgm_store_fetch_due_runs(void)
{
	static PgmQuery query = {
		"SELECT " RUN_COLUMNS " FROM migrate.online_run o JOIN migrate.run r ON r.id = o.run_id"
		" WHERE o.state IN ('queued', 'running') AND o.submitted_in = $1 AND o.database = $2"
		" AND NOT EXISTS (SELECT 1 FROM migrate.online_run b"
		"  WHERE b.run_id = o.after_run AND b.state <> 'done') ORDER BY o.run_id",
		SPI_OK_SELECT, 2, {INT8OID, OIDOID}
	};

	return fetch_runs(&query);
}

/*
 * All that are to go on, now or later.
 */
List *
pgm_store_fetch_waiting_runs(void)
{
	static PgmQuery query = {
		"SELECT " RUN_COLUMNS " FROM migrate.online_run o JOIN migrate.run r ON r.id = o.run_id"
		" WHERE o.state IN ('queued', 'running') AND o.submitted_in = $1 AND o.database = $2",
		SPI_OK_SELECT, 2, {INT8OID, OIDOID}
	};

	return fetch_runs(&query);
}

/*
 * Suspend what came here with a dump.
 */
void
pgm_store_suspend_foreign_runs(void)
{
	static PgmQuery query = {
		"UPDATE migrate.online_run SET state = 'suspended',"
		" reason = 'it was submitted in another cluster or database'"
		" WHERE state IN ('queued', 'running') AND (submitted_in <> $1 OR database <> $2)"
		" RETURNING run_id, migration, reason",
		SPI_OK_UPDATE_RETURNING, 2, {INT8OID, OIDOID}
	};
	PgmQueryScope scope;
	Datum		values[2];

	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
		pgm_store_notify_run(pgm_query_int64(i, 1, 0), pgm_query_text(i, 2), PGM_JOB_SUSPENDED,
							 pgm_query_text(i, 3));
	pgm_query_end(&scope);
}

/*
 * Where a run is, in a line, or NULL if that is not known.
 */
char *
pgm_store_run_progress_line(int64 id)
{
	static PgmQuery query = {
		"SELECT line FROM migrate.run_progress WHERE id = $1",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	MemoryContext old;
	char	   *line = NULL;

	values[0] = Int64GetDatum(id);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	if (SPI_processed > 0)
		line = pgm_query_text(0, 1);
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return line;
}

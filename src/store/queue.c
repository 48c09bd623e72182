/*-------------------------------------------------------------------------
 *
 * queue.c
 *	  Which backfills are to run in this database, and what they fill.
 *
 * A row alone never starts anything: only jobs that were submitted in this
 * cluster and database count, so that a restored database does not go on with
 * what ran in the original.
 *
 * IDENTIFICATION
 *	  src/store/queue.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/query.h"
#include "store/job_row.h"
#include "store/store.h"

/*
 * The jobs that may run now, those to run first in front, as PgmJob *: one for
 * each table, running ones before those that wait, and none that belongs to
 * another cluster or database.
 */
List *
pgm_store_fetch_due_jobs(void)
{
	static PgmQuery query = {
		"SELECT " PGM_JOB_COLUMNS " FROM migrate.backfill_job j"
		" WHERE j.state IN ('queued', 'running') AND j.submitted_in = $1 AND j.database = $2"
		" AND (j.due_at IS NULL OR j.due_at <= clock_timestamp())"
		" AND NOT EXISTS (SELECT 1 FROM migrate.backfill_job o"
		"  WHERE o.relid = j.relid AND o.id <> j.id AND o.state IN ('queued', 'running')"
		"  AND o.submitted_in = $1 AND o.database = $2"
		"  AND (o.state = 'running', o.priority, -o.id) > (j.state = 'running', j.priority, -j.id))"
		" ORDER BY j.priority DESC, j.state = 'running' DESC, j.id",
		SPI_OK_SELECT, 2, {INT8OID, OIDOID}
	};
	PgmQueryScope scope;
	Datum		values[2];
	List	   *jobs = NIL;
	MemoryContext old;

	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	for (uint64 i = 0; i < SPI_processed; i++)
		jobs = lappend(jobs, pgm_store_read_job(i));
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return jobs;
}

/*
 * What is being filled in this database, as PgmOpenFill *.
 */
List *
pgm_store_fetch_fills(void)
{
	static PgmQuery query = {
		"SELECT j.name, j.state, j.relid, j.set_columns, p.source, s.run_id, s.migration"
		" FROM migrate.backfill_job j LEFT JOIN migrate.sync_pair p ON p.job_id = j.id"
		" LEFT JOIN LATERAL (SELECT t.run_id, o.migration FROM migrate.run_step t"
		"  JOIN migrate.online_run o ON o.run_id = t.run_id"
		"  WHERE t.job_id = j.id LIMIT 1) s ON true"
		" WHERE j.command = 'UPDATE' AND j.state NOT IN ('done', 'cancelled') AND j.database = $1"
		" ORDER BY j.id",
		SPI_OK_SELECT, 1, {OIDOID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	List	   *fills = NIL;
	MemoryContext old;

	values[0] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		PgmOpenFill *fill = palloc(sizeof(PgmOpenFill));

		fill->backfill = pgm_query_text(i, 1);
		fill->state = pgm_query_text(i, 2);
		fill->relid = pgm_query_oid(i, 3);
		fill->columns = pgm_query_strings(i, 4);
		fill->source = pgm_query_strings(i, 5);
		fill->run = pgm_query_int64(i, 6, 0);
		fill->migration = pgm_query_text(i, 7);
		fills = lappend(fills, fill);
	}
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return fills;
}

/*
 * Suspend what came here with a dump: what ran in production must not go on by
 * itself in a copy of it.
 */
void
pgm_store_suspend_foreign_jobs(void)
{
	static PgmQuery query = {
		"UPDATE migrate.backfill_job SET state = 'suspended',"
		" reason = 'it was submitted in another cluster or database'"
		" WHERE state IN ('queued', 'running') AND (submitted_in <> $1 OR database <> $2)"
		" RETURNING id, name, reason",
		SPI_OK_UPDATE_RETURNING, 2, {INT8OID, OIDOID}
	};
	PgmQueryScope scope;
	Datum		values[2];

	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
		pgm_store_notify_state(pgm_query_int64(i, 1, 0), pgm_query_text(i, 2), PGM_JOB_SUSPENDED,
							   pgm_query_text(i, 3));
	pgm_query_end(&scope);
}

/*
 * Is a job due that has no worker, and that goes before one of this priority?
 */
bool
pgm_store_is_job_waiting(int64 id, int priority)
{
	static PgmQuery query = {
		"SELECT 1 FROM migrate.backfill_job j WHERE j.id <> $1 AND j.state IN ('queued', 'running')"
		" AND j.priority >= $2 AND j.submitted_in = $3 AND j.database = $4"
		" AND (j.due_at IS NULL OR j.due_at <= clock_timestamp())"
		" AND NOT EXISTS (SELECT 1 FROM migrate.backfill_job o"
		"  WHERE o.relid = j.relid AND o.id <> j.id AND o.state = 'running')"
		" AND NOT EXISTS (SELECT 1 FROM pg_lock_status() l"
		"  WHERE l.locktype = 'advisory' AND l.database = $4 AND l.objsubid = 20771"
		"  AND l.classid = (j.id & 4294967295)::oid AND l.granted)"
		" LIMIT 1",
		SPI_OK_SELECT, 4, {INT8OID, INT4OID, INT8OID, OIDOID}
	};
	PgmQueryScope scope;
	Datum		values[4];
	bool		result;

	values[0] = Int64GetDatum(id);
	values[1] = Int32GetDatum(priority);
	values[2] = Int64GetDatum((int64) GetSystemIdentifier());
	values[3] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	result = SPI_processed > 0;
	pgm_query_end(&scope);
	return result;
}

/*
 * Are there jobs that are to be run in this cluster and database, now or later?
 */
bool
pgm_store_has_open_jobs(void)
{
	static PgmQuery query = {
		"SELECT 1 FROM migrate.backfill_job WHERE state IN ('queued', 'running')"
		" AND submitted_in = $1 AND database = $2 LIMIT 1",
		SPI_OK_SELECT, 2, {INT8OID, OIDOID}
	};
	PgmQueryScope scope;
	Datum		values[2];
	bool		result;

	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	result = SPI_processed > 0;
	pgm_query_end(&scope);
	return result;
}

/*
 * The last backfill of a column, if there are rows that it has not done: its name
 * and its state.  NULL if it has done all, or if there was none.
 */
char *
pgm_store_find_unfilled(Oid relid, const char *column, char **state)
{
	static PgmQuery query = {
		"SELECT l.name, l.state FROM (SELECT j.* FROM migrate.backfill_job j"
		" WHERE j.relid = $1 AND j.set_columns @> ARRAY[$2] AND j.database = $3"
		" ORDER BY j.id DESC LIMIT 1) l WHERE l.state <> 'done'"
		" OR EXISTS (SELECT FROM migrate.backfill_bad_row b WHERE b.job_id = l.id)",
		SPI_OK_SELECT, 3, {OIDOID, TEXTOID, OIDOID}
	};
	PgmQueryScope scope;
	Datum		values[3];
	MemoryContext inner;
	char	   *name = NULL;

	values[0] = ObjectIdGetDatum(relid);
	values[1] = CStringGetTextDatum(column);
	values[2] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	if (SPI_processed > 0)
	{
		inner = MemoryContextSwitchTo(scope.caller);
		name = pgm_query_text(0, 1);
		*state = pgm_query_text(0, 2);
		MemoryContextSwitchTo(inner);
	}
	pgm_query_end(&scope);
	return name;
}

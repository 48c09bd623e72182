/*-------------------------------------------------------------------------
 *
 * bad_row.c
 *	  Rows of migrate.backfill_bad_row and migrate.backfill_minute.
 *
 * IDENTIFICATION
 *	  src/store/bad_row.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/args.h"
#include "base/query.h"
#include "store/backfill.h"

/*
 * Put a row aside.  Another version of it that failed as well takes its place.
 */
void
pgm_store_insert_bad_row(int64 job, const PgmBadRow *row)
{
	static PgmQuery query = {
		"INSERT INTO migrate.backfill_bad_row AS b (job_id, relid, relation, mark, row_ctid, row_xmin,"
		" row_key, key_values, sqlstate, message, detail)"
		" VALUES ($1, $2, $2::regclass::text, coalesce($9::text, $3::text), $3, $4, $5, $9, $6, $7, $8)"
		" ON CONFLICT (job_id, relid, mark) DO UPDATE SET row_ctid = excluded.row_ctid,"
		" row_xmin = excluded.row_xmin,"
		" row_key = excluded.row_key, key_values = excluded.key_values, retry = false,"
		" sqlstate = excluded.sqlstate, message = excluded.message, detail = excluded.detail, at = clock_timestamp()",
		SPI_OK_INSERT, 9, {INT8OID, OIDOID, TIDOID, XIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
		TEXTARRAYOID}
	};
	Datum		values[9];
	char		nulls[10] = "         ";

	values[0] = Int64GetDatum(job);
	values[1] = ObjectIdGetDatum(row->relid);
	values[2] = PointerGetDatum(&row->ctid);
	values[3] = TransactionIdGetDatum(row->xmin);
	pgm_query_set_text(values, nulls, 4, row->key);
	values[5] = CStringGetTextDatum(row->sqlstate);
	values[6] = CStringGetTextDatum(row->message);
	pgm_query_set_text(values, nulls, 7, row->detail);
	nulls[8] = row->key_values == NIL ? 'n' : ' ';
	values[8] = row->key_values == NIL ? (Datum) 0 : pgm_args_text_array(row->key_values);
	pgm_query_run_alone(&query, values, nulls);
}

/*
 * Places of the rows of a table that a job has put aside, as PgmBadRow * with
 * relid, ctid and xmin only.
 */
List *
pgm_store_fetch_bad_rows(int64 job, Oid relid)
{
	static PgmQuery query = {
		"SELECT row_ctid, row_xmin FROM migrate.backfill_bad_row"
		" WHERE job_id = $1 AND relid = $2",
		SPI_OK_SELECT, 2, {INT8OID, OIDOID}
	};
	PgmQueryScope scope;
	Datum		values[2];
	List	   *rows = NIL;
	MemoryContext old;

	values[0] = Int64GetDatum(job);
	values[1] = ObjectIdGetDatum(relid);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		PgmBadRow  *row = palloc0(sizeof(PgmBadRow));
		bool		isnull;

		row->relid = relid;
		row->ctid = *(ItemPointer) DatumGetPointer(pgm_query_datum(i, 1, &isnull));
		row->xmin = (TransactionId) pgm_query_oid(i, 2);
		rows = lappend(rows, row);
	}
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return rows;
}

/* No rows are put aside any more; the first value is the job. */
static void
reset_counts(Datum *values)
{
	static PgmQuery reset = {
		"UPDATE migrate.backfill_lane SET bad_rows = 0 WHERE job_id = $1",
		SPI_OK_UPDATE, 1, {INT8OID}
	};

	pgm_query_run(&reset, values, NULL);
}

/*
 * Forget what a job has put aside, so that it is tried again.
 */
void
pgm_store_delete_bad_rows(int64 job)
{
	static PgmQuery delete = {
		"DELETE FROM migrate.backfill_bad_row WHERE job_id = $1",
		SPI_OK_DELETE, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];

	values[0] = Int64GetDatum(job);
	pgm_query_begin(&scope);
	pgm_query_run(&delete, values, NULL);
	reset_counts(values);
	pgm_query_end(&scope);
}

/*
 * Have the rows that a job by key has put aside tried again, when each table has
 * come to its end; where it has, at once.  Returns how many there are.
 */
int64
pgm_store_retry_bad_rows(int64 job)
{
	static PgmQuery mark = {
		"UPDATE migrate.backfill_bad_row SET retry = true WHERE job_id = $1",
		SPI_OK_UPDATE, 1, {INT8OID}
	};
	static PgmQuery reopen = {
		"UPDATE migrate.backfill_leaf l SET pass = 2, pass_rows = 0, blocks = 1, next_block = 0,"
		" done = false WHERE job_id = $1 AND done AND EXISTS (SELECT"
		" FROM migrate.backfill_bad_row b WHERE b.job_id = l.job_id AND b.relid = l.relid)",
		SPI_OK_UPDATE, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	int64		count;

	values[0] = Int64GetDatum(job);
	pgm_query_begin(&scope);
	pgm_query_run(&mark, values, NULL);
	count = (int64) SPI_processed;
	pgm_query_run(&reopen, values, NULL);
	reset_counts(values);
	pgm_query_end(&scope);
	return count;
}

/*
 * Are there rows of a table that are to be tried again?
 */
bool
pgm_store_has_retries(int64 job, Oid relid)
{
	static PgmQuery query = {
		"SELECT FROM migrate.backfill_bad_row WHERE job_id = $1 AND relid = $2 AND retry LIMIT 1",
		SPI_OK_SELECT, 2, {INT8OID, OIDOID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(job);
	values[1] = ObjectIdGetDatum(relid);
	return pgm_query_finds(&query, values);
}

/*
 * Forget up to "limit" such rows; returns their keys, each a list of strings.
 */
List *
pgm_store_take_retries(int64 job, Oid relid, int limit)
{
	static PgmQuery query = {
		"DELETE FROM migrate.backfill_bad_row WHERE ctid = ANY (ARRAY(SELECT ctid"
		" FROM migrate.backfill_bad_row WHERE job_id = $1 AND relid = $2 AND retry LIMIT $3))"
		" RETURNING key_values",
		SPI_OK_DELETE_RETURNING, 3, {INT8OID, OIDOID, INT4OID}
	};
	PgmQueryScope scope;
	Datum		values[3];
	List	   *keys = NIL;
	MemoryContext old;

	values[0] = Int64GetDatum(job);
	values[1] = ObjectIdGetDatum(relid);
	values[2] = Int32GetDatum(limit);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	for (uint64 i = 0; i < SPI_processed; i++)
		keys = lappend(keys, pgm_query_strings((int) i, 1));
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return keys;
}

/*
 * Add the row of a minute, unless another lane has done so, and let go of rows
 * beyond the last thousand.
 */
void
pgm_store_insert_minute(int64 job, const PgmMinute *minute)
{
	static PgmQuery insert = {
		"INSERT INTO migrate.backfill_minute (job_id, at, rows, rate, batches, p50_ms, p90_ms,"
		" p99_ms, wal_bytes, lag)"
		" SELECT $1, now.at, s.rows, coalesce((s.rows - p.rows)"
		"  / extract(epoch FROM now.at - p.at), 0)::float8, $2, $3, $4, $5, s.wal_bytes, $6"
		" FROM (SELECT clock_timestamp() AS at) now,"
		" (SELECT sum(rows)::bigint AS rows, sum(wal_bytes)::bigint AS wal_bytes"
		"  FROM migrate.backfill_lane WHERE job_id = $1) s"
		" LEFT JOIN (SELECT rows, at FROM migrate.backfill_minute WHERE job_id = $1"
		"  ORDER BY at DESC LIMIT 1) p ON true"
		" WHERE p.at IS NULL OR p.at < now.at - interval '55 s'"
		" ON CONFLICT (job_id, at) DO NOTHING",
		SPI_OK_INSERT, 6, {INT8OID, INT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID}
	};
	static PgmQuery prune = {
		"DELETE FROM migrate.backfill_minute WHERE job_id = $1 AND at < (SELECT at"
		" FROM migrate.backfill_minute WHERE job_id = $1 ORDER BY at DESC OFFSET 999 LIMIT 1)",
		SPI_OK_DELETE, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[6];

	values[0] = Int64GetDatum(job);
	values[1] = Int64GetDatum(minute->batches);
	values[2] = Float8GetDatum(minute->p50_ms);
	values[3] = Float8GetDatum(minute->p90_ms);
	values[4] = Float8GetDatum(minute->p99_ms);
	values[5] = Float8GetDatum(minute->lag);
	pgm_query_begin(&scope);
	pgm_query_run(&insert, values, NULL);
	pgm_query_run(&prune, values, NULL);
	pgm_query_end(&scope);
}

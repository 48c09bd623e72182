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

#include "base/query.h"
#include "store/backfill.h"

/*
 * Put a row aside.  Another version of it that failed as well takes its place.
 */
void
pgm_store_insert_bad_row(int64 job, const PgmBadRow *row)
{
	static PgmQuery query = {
		"INSERT INTO migrate.backfill_bad_row AS b (job_id, relid, relation, row_ctid, row_xmin,"
		" row_key, sqlstate, message, detail)"
		" VALUES ($1, $2, $2::regclass::text, $3, $4, $5, $6, $7, $8)"
		" ON CONFLICT (job_id, relid, row_ctid) DO UPDATE SET row_xmin = excluded.row_xmin,"
		" row_key = excluded.row_key, sqlstate = excluded.sqlstate,"
		" message = excluded.message, detail = excluded.detail, at = clock_timestamp()",
		SPI_OK_INSERT, 8, {INT8OID, OIDOID, TIDOID, XIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}
	};
	PgmQueryScope scope;
	Datum		values[8];
	char		nulls[9] = "        ";

	values[0] = Int64GetDatum(job);
	values[1] = ObjectIdGetDatum(row->relid);
	values[2] = PointerGetDatum(&row->ctid);
	values[3] = TransactionIdGetDatum(row->xmin);
	pgm_query_set_text(values, nulls, 4, row->key);
	values[5] = CStringGetTextDatum(row->sqlstate);
	values[6] = CStringGetTextDatum(row->message);
	pgm_query_set_text(values, nulls, 7, row->detail);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, nulls);
	pgm_query_end(&scope);
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
	static PgmQuery reset = {
		"UPDATE migrate.backfill_lane SET bad_rows = 0 WHERE job_id = $1",
		SPI_OK_UPDATE, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];

	values[0] = Int64GetDatum(job);
	pgm_query_begin(&scope);
	pgm_query_run(&delete, values, NULL);
	pgm_query_run(&reset, values, NULL);
	pgm_query_end(&scope);
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

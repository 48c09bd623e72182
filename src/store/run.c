/*-------------------------------------------------------------------------
 *
 * run.c
 *	  Rows of migrate.run and migrate.run_statement, which are only ever added.
 *
 * IDENTIFICATION
 *	  src/store/run.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/args.h"
#include "base/query.h"
#include "store/store.h"

/*
 * Add all statements of a run in one query, whatever their number.
 */
static void
insert_statements(int64 run_id, List *statements)
{
	static PgmQuery query = {
		"INSERT INTO migrate.run_statement"
		" (run_id, part, number, line, command, duration_ms, rows, wal_bytes, sql)"
		" SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9)",
		SPI_OK_INSERT, 9, {INT8OID, TEXTARRAYOID, INT4ARRAYOID, INT4ARRAYOID, TEXTARRAYOID,
		FLOAT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID}
	};
	int			n = list_length(statements);
	Datum	   *columns[8];
	Datum		values[9];
	int			i = 0;
	ListCell   *lc;

	for (int c = 0; c < lengthof(columns); c++)
		columns[c] = palloc(sizeof(Datum) * n);
	foreach(lc, statements)
	{
		PgmRunStatement *s = (PgmRunStatement *) lfirst(lc);

		columns[0][i] = CStringGetTextDatum(s->part);
		columns[1][i] = Int32GetDatum(s->number);
		columns[2][i] = Int32GetDatum(s->line);
		columns[3][i] = CStringGetTextDatum(s->command);
		columns[4][i] = Float8GetDatum(s->duration_ms);
		columns[5][i] = Int64GetDatum(s->rows);
		columns[6][i] = Int64GetDatum(s->wal_bytes);
		columns[7][i] = CStringGetTextDatum(s->sql);
		i++;
	}

	values[0] = Int64GetDatum(run_id);
	values[1] = PointerGetDatum(construct_array(columns[0], n, TEXTOID, -1, false, TYPALIGN_INT));
	values[2] = PointerGetDatum(construct_array(columns[1], n, INT4OID, 4, true, TYPALIGN_INT));
	values[3] = PointerGetDatum(construct_array(columns[2], n, INT4OID, 4, true, TYPALIGN_INT));
	values[4] = PointerGetDatum(construct_array(columns[3], n, TEXTOID, -1, false, TYPALIGN_INT));
	values[5] = PointerGetDatum(construct_array(columns[4], n, FLOAT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[6] = PointerGetDatum(construct_array(columns[5], n, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[7] = PointerGetDatum(construct_array(columns[6], n, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[8] = PointerGetDatum(construct_array(columns[7], n, TEXTOID, -1, false, TYPALIGN_INT));
	pgm_query_run(&query, values, NULL);
}

/*
 * Add a run that succeeded, or one that has no end yet, with its statements;
 * returns its id.  Called by the
 * session that ran it, as the role that ran it.
 */
int64
pgm_store_insert_run(const PgmRun *run)
{
	static PgmQuery query = {
		"INSERT INTO migrate.run (migration, action, outcome, session_username,"
		" current_username, application_name, client_addr, pid, started_at, finished_at,"
		" lock_wait_ms, rows, wal_bytes, tries, checksum, note)"
		" VALUES ($1, $2, CASE WHEN $5 IS NULL THEN 'open' ELSE 'succeeded' END, session_user, $3,"
		" current_setting('application_name'), inet_client_addr(), pg_backend_pid(),"
		" $4, $5, $6, $7, $8, $9, $10, $11)"
		" RETURNING id",
		SPI_OK_INSERT_RETURNING, 11, {TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID,
		TIMESTAMPTZOID, FLOAT8OID, INT8OID, INT8OID, INT4OID, TEXTOID, TEXTOID}
	};
	PgmQueryScope scope;
	Datum		values[11];
	char		nulls[12] = "           ";
	const bool	missing_ok = false;
	bool		isnull;
	int64		id;

	pgm_query_set_text(values, nulls, 0, run->migration);
	values[1] = CStringGetTextDatum(run->action);
	values[2] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), missing_ok));
	values[3] = TimestampTzGetDatum(run->started_at);
	values[4] = TimestampTzGetDatum(run->finished_at);
	nulls[4] = run->finished_at == 0 ? 'n' : ' ';
	values[5] = Float8GetDatum(run->lock_wait_ms);
	values[6] = Int64GetDatum(run->rows);
	values[7] = Int64GetDatum(run->wal_bytes);
	values[8] = Int32GetDatum(run->tries);
	pgm_query_set_text(values, nulls, 9, run->checksum);
	pgm_query_set_text(values, nulls, 10, run->note);

	pgm_query_begin(&scope);
	pgm_query_run(&query, values, nulls);
	id = DatumGetInt64(pgm_query_datum(0, 1, &isnull));
	if (run->statements != NIL)
		insert_statements(id, run->statements);
	pgm_query_end(&scope);
	return id;
}

/*
 * Add the statements of a run that went step by step, each as the sum of its
 * steps.
 */
void
pgm_store_add_run_statements(int64 run)
{
	static PgmQuery query = {
		"INSERT INTO migrate.run_statement"
		" (run_id, part, number, line, command, duration_ms, rows, wal_bytes, sql)"
		" SELECT s.run_id, 'up', s.statement, min(s.line),"
		" (array_agg(s.kind ORDER BY s.number))[1],"
		" (extract(epoch FROM max(s.finished_at) - min(s.started_at)) * 1000)::float8,"
		" sum(s.rows), sum(s.wal_bytes), string_agg(s.sql, E';\n' ORDER BY s.number)"
		" FROM migrate.run_step s WHERE s.run_id = $1 AND s.state = 'done'"
		" GROUP BY s.run_id, s.statement",
		SPI_OK_INSERT, 1, {INT8OID}
	};
	Datum		values[1];

	values[0] = Int64GetDatum(run);
	pgm_query_run_alone(&query, values, NULL);
}

/* Of the session, NULL for a Unix-domain socket. */
static char *
client_address(void)
{
	LOCAL_FCINFO(fcinfo, 0);
	Datum		address;

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	address = inet_client_addr(fcinfo);
	return fcinfo->isnull ? NULL : DatumGetCString(DirectFunctionCall1(inet_out, address));
}

/*
 * What is to be known of a run that has failed, as strings that outlive the
 * transaction; for pgm_store_insert_failed_run() in another process.
 */
List *
pgm_store_describe_failure(const PgmRun *run, const char *sqlstate, const char *error)
{
	const bool	missing_ok = false;
	List	   *strings = NIL;

	strings = lappend(strings, (char *) run->migration);
	strings = lappend(strings, (char *) run->action);
	strings = lappend(strings, GetUserNameFromId(GetSessionUserId(), missing_ok));
	strings = lappend(strings, GetUserNameFromId(GetUserId(), missing_ok));
	strings = lappend(strings, application_name);
	strings = lappend(strings, client_address());
	strings = lappend(strings, psprintf("%d", MyProcPid));
	strings = lappend(strings, psprintf(INT64_FORMAT, run->started_at));
	strings = lappend(strings, psprintf(INT64_FORMAT, run->finished_at));
	strings = lappend(strings, psprintf("%.3f", run->lock_wait_ms));
	strings = lappend(strings, psprintf("%d", run->tries));
	strings = lappend(strings, (char *) run->checksum);
	strings = lappend(strings, (char *) run->note);
	strings = lappend(strings, (char *) sqlstate);
	strings = lappend(strings, (char *) error);
	return strings;
}

/*
 * Add a run that has failed, as it was described.
 */
void
pgm_store_insert_failed_run(List *failure)
{
	static PgmQuery query = {
		"INSERT INTO migrate.run (migration, action, outcome, session_username,"
		" current_username, application_name, client_addr, pid, started_at, finished_at,"
		" lock_wait_ms, rows, wal_bytes, tries, checksum, note, sqlstate, error)"
		" SELECT nullif(f[1], ''), f[2], 'failed', f[3], f[4], f[5], nullif(f[6], '')::inet,"
		" f[7]::integer, '2000-01-01 00:00:00+00'::timestamptz + f[8]::bigint * interval '1 us',"
		" '2000-01-01 00:00:00+00'::timestamptz + f[9]::bigint * interval '1 us',"
		" f[10]::float8, 0, 0, f[11]::integer, nullif(f[12], ''), nullif(f[13], ''), f[14], f[15]"
		" FROM (SELECT $1) v (f)",
		SPI_OK_INSERT, 1, {TEXTARRAYOID}
	};
	Datum		values[1];

	values[0] = pgm_args_text_array(failure);
	pgm_query_run_alone(&query, values, NULL);
}

/*-------------------------------------------------------------------------
 *
 * query.c
 *	  Prepared queries on the extension's own tables.
 *
 * A scope is one SPI connection as the extension's owner.  Rows of the last
 * query are read by row and column, and what is returned lives in the scope:
 * who needs it longer copies it into scope->caller.
 *
 * IDENTIFICATION
 *	  src/base/query.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/args.h"
#include "base/query.h"

void
pgm_query_begin(PgmQueryScope *scope)
{
	scope->caller = CurrentMemoryContext;
	SPI_connect();
	pgm_owner_enter(&scope->owner);
}

void
pgm_query_end(PgmQueryScope *scope)
{
	pgm_owner_leave(&scope->owner);
	SPI_finish();
	MemoryContextSwitchTo(scope->caller);
}

static void
prepare(PgmQuery *query)
{
	SPIPlanPtr	plan;

	if (query->plan != NULL)
		return;
	plan = SPI_prepare(query->sql, query->nargs, query->types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	query->plan = plan;
}

static void
check_result(const PgmQuery *query, int rc)
{
	if (rc != query->expected)
		elog(ERROR, "unexpected result %s of query: %s",
			 SPI_result_code_string(rc), query->sql);
}

/*
 * Run a query under a snapshot of its own, so that it sees what was committed
 * while we waited for a lock, in isolation levels that allow it.
 */
void
pgm_query_run(PgmQuery *query, Datum *values, const char *nulls)
{
	const bool	read_only = false;
	const long	all_rows = 0;

	prepare(query);
	check_result(query, SPI_execute_plan(query->plan, values, nulls, read_only, all_rows));
}

/*
 * Run a query that only reads under a snapshot that sees all that is committed,
 * whatever the isolation level: to decide by what is, not by what was.
 */
void
pgm_query_run_latest(PgmQuery *query, Datum *values, const char *nulls)
{
	const bool	read_only = true;
	const bool	fire_triggers = false;
	const long	all_rows = 0;

	prepare(query);
	CommandCounterIncrement();
	check_result(query, SPI_execute_snapshot(query->plan, values, nulls, GetLatestSnapshot(),
											 InvalidSnapshot, read_only, fire_triggers, all_rows));
}

/*
 * A column of the last result as text, or NULL; columns count from 1.
 */
char *
pgm_query_text(int row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

Datum
pgm_query_datum(int row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

/*
 * The same for common types; columns count from 1.
 */
int64
pgm_query_int64(int row, int column, int64 if_null)
{
	bool		isnull;
	Datum		value = pgm_query_datum(row, column, &isnull);

	return isnull ? if_null : DatumGetInt64(value);
}

int
pgm_query_int(int row, int column, int if_null)
{
	bool		isnull;
	Datum		value = pgm_query_datum(row, column, &isnull);

	return isnull ? if_null : DatumGetInt32(value);
}

double
pgm_query_float(int row, int column, double if_null)
{
	bool		isnull;
	Datum		value = pgm_query_datum(row, column, &isnull);

	return isnull ? if_null : DatumGetFloat8(value);
}

bool
pgm_query_bool(int row, int column)
{
	bool		isnull;
	Datum		value = pgm_query_datum(row, column, &isnull);

	return !isnull && DatumGetBool(value);
}

Oid
pgm_query_oid(int row, int column)
{
	bool		isnull;
	Datum		value = pgm_query_datum(row, column, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(value);
}

/*
 * A timestamptz; 0 if it is null.
 */
int64
pgm_query_time(int row, int column)
{
	return pgm_query_int64(row, column, 0);
}

/*
 * Run a query that returns nothing, by itself, not between pgm_query_begin() and
 * pgm_query_end().
 */
void
pgm_query_run_alone(PgmQuery *query, Datum *values, const char *nulls)
{
	PgmQueryScope scope;

	pgm_query_begin(&scope);
	pgm_query_run(query, values, nulls);
	pgm_query_end(&scope);
}

/*
 * Does a query find any row?  For one by itself, not between pgm_query_begin() and
 * pgm_query_end().
 */
bool
pgm_query_finds(PgmQuery *query, Datum *values)
{
	PgmQueryScope scope;
	bool		result;

	pgm_query_begin(&scope);
	pgm_query_run(query, values, NULL);
	result = SPI_processed > 0;
	pgm_query_end(&scope);
	return result;
}

/*
 * A text array as a list of C strings, NIL if it is null.
 */
List *
pgm_query_strings(int row, int column)
{
	bool		isnull;
	Datum		value = pgm_query_datum(row, column, &isnull);

	return isnull ? NIL : pgm_args_string_list(value);
}

/*
 * Set a text argument that may be NULL.
 */
void
pgm_query_set_text(Datum *values, char *nulls, int i, const char *value)
{
	nulls[i] = value == NULL ? 'n' : ' ';
	values[i] = value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
}

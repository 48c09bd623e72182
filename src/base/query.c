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

#include "utils/memutils.h"

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

/*
 * Run a query under a snapshot of its own, so that it sees what was committed
 * while we waited for a lock, in isolation levels that allow it.
 */
void
pgm_query_run(PgmQuery *query, Datum *values, const char *nulls)
{
	const bool	read_only = false;
	const long	all_rows = 0;
	int			rc;

	if (query->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(query->sql, query->nargs, query->types);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		query->plan = plan;
	}

	rc = SPI_execute_plan(query->plan, values, nulls, read_only, all_rows);
	if (rc != query->expected)
		elog(ERROR, "unexpected result %s of query: %s",
			 SPI_result_code_string(rc), query->sql);
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

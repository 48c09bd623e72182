/*-------------------------------------------------------------------------
 *
 * verify_expansion.c
 *	  migrate.verify_expansion(), of a column and of a whole table
 *
 * The rows for which contract() refuses, as many as are asked for.
 *
 * IDENTIFICATION
 *	  src/api/verify_expansion.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "api/expansion.h"
#include "base/args.h"
#include "base/compat.h"
#include "sync/table.h"

PG_FUNCTION_INFO_V1(pgmigrate_verify_expansion);
PG_FUNCTION_INFO_V1(pgmigrate_verify_table);

/* So many rows are asked for, in an argument. */
static int
max_rows_argument(FunctionCallInfo fcinfo, int n)
{
	int			max_rows;

	pgm_args_not_null(fcinfo, n, "max_rows");
	max_rows = PG_GETARG_INT32(n);
	if (max_rows <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"max_rows\" must be positive")));
	return max_rows;
}

/* A page that an argument names; "if_null" if it does not. */
static BlockNumber
page_argument(FunctionCallInfo fcinfo, int n, const char *name, BlockNumber if_null)
{
	int64		page;

	if (PG_ARGISNULL(n))
		return if_null;
	page = PG_GETARG_INT64(n);
	if (page < 0 || page > MaxBlockNumber)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be between 0 and %u", name, MaxBlockNumber)));
	return (BlockNumber) page;
}

static void
put_value(Datum *values, bool *nulls, int i, const char *value)
{
	nulls[i] = value == NULL;
	values[i] = value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
}

/* Add a row to a result. */
static void
put_difference(const PgmDifference *difference, void *arg)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) arg;
	Datum		values[4];
	bool		nulls[4];

	put_value(values, nulls, 0, difference->key);
	put_value(values, nulls, 1, difference->old_value);
	put_value(values, nulls, 2, difference->new_value);
	put_value(values, nulls, 3, difference->up_value);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * migrate.verify_expansion(relation regclass, new_column name, max_rows integer,
 * from_page bigint, to_page bigint)
 */
Datum
pgmigrate_verify_expansion(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PgmVerification wanted = {.found = put_difference,.arg = rsinfo};
	const char *column;
	Oid			relid;

	pgm_args_check_count(fcinfo, 5);
	relid = pgm_args_relation(fcinfo, 0, "relation");
	column = pgm_args_name(fcinfo, 1, "new_column");
	wanted.limit = max_rows_argument(fcinfo, 2);
	wanted.from = page_argument(fcinfo, 3, "from_page", 0);
	wanted.to = page_argument(fcinfo, 4, "to_page", InvalidBlockNumber);
	InitMaterializedSRF(fcinfo, 0);
	pgm_sync_verify(pgm_expansion_pair(relid, column), relid, &wanted);
	return (Datum) 0;
}

/*
 * migrate.verify_expansion(relation regclass, max_rows integer)
 */
Datum
pgmigrate_verify_table(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			max_rows;
	Oid			relid;
	ListCell   *lc;

	pgm_args_check_count(fcinfo, 2);
	relid = pgm_args_relation(fcinfo, 0, "relation");
	max_rows = max_rows_argument(fcinfo, 1);
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, pgm_table_differences(pgm_table_find(relid), relid, max_rows))
	{
		PgmTableDifference *difference = (PgmTableDifference *) lfirst(lc);
		Datum		values[3];
		bool		nulls[3];

		put_value(values, nulls, 0, difference->key);
		put_value(values, nulls, 1, difference->old_row);
		put_value(values, nulls, 2, difference->new_row);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*-------------------------------------------------------------------------
 *
 * swap.c
 *	  migrate.swap_column(): one column in the place of another
 *
 * IDENTIFICATION
 *	  src/api/swap.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/args.h"
#include "base/extension.h"
#include "swap/swap.h"

PG_FUNCTION_INFO_V1(pgmigrate_swap_column);

/*
 * migrate.swap_column(relation regclass, column_name name, replacement name)
 */
Datum
pgmigrate_swap_column(PG_FUNCTION_ARGS)
{
	pgm_args_check_count(fcinfo, 3);
	pgm_args_not_null(fcinfo, 0, "relation");
	pgm_args_not_null(fcinfo, 1, "column_name");
	pgm_args_not_null(fcinfo, 2, "replacement");
	PreventCommandIfReadOnly("migrate.swap_column()");
	pgm_extension_require();
	pgm_swap_column(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)), NameStr(*PG_GETARG_NAME(2)));
	PG_RETURN_VOID();
}

/*-------------------------------------------------------------------------
 *
 * sync.c
 *	  migrate.sync_begin(), migrate.sync_end() and the trigger migrate.sync()
 *
 * They run inside migrations as well, so they take none of the locks of those: the
 * lock on the table makes them follow one another.
 *
 * IDENTIFICATION
 *	  src/api/sync.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "tcop/utility.h"

#include "base/args.h"
#include "base/extension.h"
#include "sync/sync.h"

PG_FUNCTION_INFO_V1(pgmigrate_sync);
PG_FUNCTION_INFO_V1(pgmigrate_sync_begin);
PG_FUNCTION_INFO_V1(pgmigrate_sync_end);

/*
 * migrate.sync()
 */
Datum
pgmigrate_sync(PG_FUNCTION_ARGS)
{
	return pgm_sync_fire(fcinfo);
}

/*
 * migrate.sync_begin(relation regclass, source text[], target name, up text,
 * down text)
 */
Datum
pgmigrate_sync_begin(PG_FUNCTION_ARGS)
{
	List	   *source;
	char	   *up;
	char	   *down;

	pgm_args_check_count(fcinfo, 5);
	PreventCommandIfReadOnly("migrate.sync_begin()");
	pgm_args_not_null(fcinfo, 0, "relation");
	pgm_args_not_null(fcinfo, 2, "target");
	source = PG_ARGISNULL(1) ? NIL : pgm_args_name_list(fcinfo, 1, "source");
	up = pgm_args_text(fcinfo, 3, "up");
	down = pgm_args_optional_text(fcinfo, 4, "down");
	pgm_extension_require();
	PG_RETURN_INT64(pgm_sync_begin(PG_GETARG_OID(0), source, NameStr(*PG_GETARG_NAME(2)),
								   up, down));
}

/*
 * migrate.sync_end(relation regclass, target name)
 */
Datum
pgmigrate_sync_end(PG_FUNCTION_ARGS)
{
	pgm_args_check_count(fcinfo, 2);
	PreventCommandIfReadOnly("migrate.sync_end()");
	pgm_args_not_null(fcinfo, 0, "relation");
	pgm_args_not_null(fcinfo, 1, "target");
	pgm_extension_require();
	PG_RETURN_BOOL(pgm_sync_end(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1))));
}

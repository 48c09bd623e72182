/*-------------------------------------------------------------------------
 *
 * expansion.c
 *	  What the functions on expansions of columns and of tables share.
 *
 * IDENTIFICATION
 *	  src/api/expansion.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/lsyscache.h"

#include "api/expansion.h"
#include "base/args.h"
#include "base/relation.h"

/*
 * The table that an argument names, which the caller has to own.
 */
Oid
pgm_expansion_table_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	Oid			relid = pgm_args_relation(fcinfo, n, name);

	pgm_relation_check_owner(relid);
	return relid;
}

/*
 * The pair whose new side a column is; throws if it is none.
 */
PgmPair *
pgm_expansion_pair(Oid relid, const char *column)
{
	List	   *pairs = pgm_sync_pairs(relid, column);

	if (pairs == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("column \"%s\" of table \"%s\" is not kept in step with others", column,
						get_rel_name(relid)),
				 errhint("See migrate.expansion.")));
	return (PgmPair *) linitial(pairs);
}

/*
 * A name for a backfill that none has had: this one, or one that begins with it.
 */
char *
pgm_expansion_job_name(const char *base)
{
	char	   *name = pstrdup(base);

	for (int i = 2; pgm_store_find_job(name) != 0; i++)
		name = psprintf("%s (%d)", base, i);
	return name;
}

/*
 * The backfill with this number that fills an expansion and has not ended well, or
 * NULL; 0 is none.
 */
PgmJob *
pgm_expansion_open_job(int64 id)
{
	const bool	for_update = false;
	PgmJob	   *job = id == 0 ? NULL : pgm_store_fetch_job(id, for_update);

	return job == NULL || job->state == PGM_JOB_DONE ? NULL : job;
}

/*
 * Have that backfill end, as migrate.cancel() does for the caller.
 */
void
pgm_expansion_cancel_job(int64 id)
{
	PgmJob	   *job = pgm_expansion_open_job(id);
	const bool	read_only = false;

	if (job == NULL || job->state == PGM_JOB_CANCELLED)
		return;
	SPI_connect();
	if (SPI_execute(psprintf("SELECT migrate.cancel(" INT64_FORMAT "::pg_catalog.int8)", job->id),
					read_only, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not cancel backfill \"%s\"", job->name);
	SPI_finish();
}

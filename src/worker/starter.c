/*-------------------------------------------------------------------------
 *
 * starter.c
 *	  A short look into one database: are there backfills to go on with?
 *
 * Started by the launcher, which itself is connected to no database.  It ends at
 * once, so an idle database has no process of ours in it.
 *
 * IDENTIFICATION
 *	  src/worker/starter.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/ipc.h"
#include "utils/memutils.h"

#include "base/extension.h"
#include "base/worker.h"
#include "store/backfill.h"
#include "store/online.h"
#include "worker/worker.h"

static void
suspend_foreign_jobs(void *arg)
{
	if (pgm_extension_share())
	{
		pgm_store_suspend_foreign_jobs();
		pgm_store_suspend_foreign_runs();
	}
}

static void
report(const ErrorData *error)
{
	if (error != NULL)
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("could not look for backfills: %s", error->message)));
}

void
pgmigrate_starter_main(Datum arg)
{
	pgm_session_begin(pgm_worker_args()->database, InvalidOid, false);
	report(pgm_session_run(suspend_foreign_jobs, NULL, TopMemoryContext));
	report(pgm_session_run(pgm_dispatch, NULL, TopMemoryContext));
	proc_exit(0);
}

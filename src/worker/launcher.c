/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  Where the library is preloaded: goes on with backfills by itself.
 *
 * One process, started with the server and after a promotion, connected to no
 * database, so it is in nobody's way.  It sends a starter into each database
 * once when the server has started, and later into those that have backfills
 * open: when a worker has ended, and now and then.
 *
 * IDENTIFICATION
 *	  src/worker/launcher.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/shared.h"
#include "base/wait.h"
#include "base/worker.h"
#include "worker/worker.h"

/* How often to look, if nobody asks for it, and how soon after the last time. */
#define LOOK_MS			30000
#define SHORTEST_MS		1000

/* After an error the postmaster starts us again so soon. */
#define RESTART_S		5

/*
 * Have the postmaster start the launcher.  Called while the library is being
 * preloaded.
 */
void
pgm_launcher_register(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_S;
	strlcpy(worker.bgw_library_name, "pgmigrate", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "pgmigrate_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "pgmigrate launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "pgmigrate launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

/*
 * Databases that can be connected to, in the given context.
 */
static List *
fetch_databases(MemoryContext cxt)
{
	List	   *databases = NIL;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old;

		if (!database->datallowconn || database->datistemplate)
			continue;
		old = MemoryContextSwitchTo(cxt);
		databases = lappend_oid(databases, database->oid);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	return databases;
}

/*
 * Send a starter into each database, or into those that have something open.
 * Returns false if not all of them could be started.
 */
static bool
start_starters(bool all)
{
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext, "pgmigrate launcher",
											  ALLOCSET_SMALL_SIZES);
	bool		complete = true;
	ListCell   *lc;

	foreach(lc, fetch_databases(cxt))
	{
		PgmWorkerArgs args = {.database = lfirst_oid(lc)};

		if (all || pgm_shared_is_pending(args.database))
			complete = pgm_worker_start("pgmigrate_starter_main", "pgmigrate starter", &args) &&
				complete;
	}
	MemoryContextDelete(cxt);
	return complete;
}

/*
 * Start the worker that could not be started when it was due.
 */
static void
start_next(void)
{
	PgmWorkerArgs args;

	if (pgm_shared_take_next(&args) && !pgm_worker_start_job(&args))
		pgm_shared_put_next(&args);
}

void
pgmigrate_launcher_main(Datum arg)
{
	bool		all = true;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pgm_shared_set_launcher();
	for (;;)
	{
		TimestampTz start = GetCurrentTimestamp();

		CHECK_FOR_INTERRUPTS();
		pgm_session_reload();
		start_next();
		if (start_starters(all))
			all = false;
		pgstat_report_activity(STATE_IDLE, NULL);
		pgm_wait_latch_ms(LOOK_MS);
		/* several workers that end together are one reason to look */
		while (!TimestampDifferenceExceeds(start, GetCurrentTimestamp(), SHORTEST_MS))
			pgm_wait_latch_ms(SHORTEST_MS);
	}
}

/*-------------------------------------------------------------------------
 *
 * dispatch.c
 *	  Starting the workers that are due in a database.
 *
 * Whoever has just made room (a lane that ends) or has just come (the starter,
 * after a restart of the server) looks which jobs are due and not at work, and
 * starts their workers.  A worker that finds no place, or a lane that somebody
 * else has, ends by itself, so starting one too many does no harm.
 *
 * IDENTIFICATION
 *	  src/worker/dispatch.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/extension.h"
#include "base/guc.h"
#include "base/hold.h"
#include "base/shared.h"
#include "base/worker.h"
#include "store/backfill.h"
#include "store/online.h"
#include "worker/worker.h"

/*
 * Start the lanes of a job that nobody works on, as far as there are places;
 * returns how many were started.
 */
static int
start_lanes(const PgmJob *job, int places)
{
	PgmWorkerArgs args = {.database = MyDatabaseId,.role = job->run_as_oid,.job = job->id};
	int			lanes = job->lanes > 0 ? job->lanes : pgm_backfill_lanes;
	int			busy = list_length(pgm_hold_lanes(job->id));
	int			started = 0;

	if (!pgm_worker_can_be(job->run_as_oid, &args.pinned))
	{
		pgm_store_fail_job(job->id, PGM_JOB_FAILED,
						   psprintf("role \"%s\" does not exist any more", job->run_as),
						   "42704", "the role of the backfill was dropped");
		return 0;
	}
	for (int i = busy; i < lanes && started < places; i++)
	{
		if (!pgm_worker_start_job(&args))
		{
			/* ours is free in a moment: the launcher will use it */
			pgm_shared_put_next(&args);
			pgm_store_set_job_due(job->id, 0,
								  "waits for a background worker: all of max_worker_processes are in use");
			return started;
		}
		started++;
	}
	return started;
}

/*
 * Start the workers of runs that are due, and have those that are at work look:
 * what they wait for may have come.
 */
static void
start_runs(void)
{
	ListCell   *lc;

	foreach(lc, pgm_store_fetch_due_runs())
	{
		const PgmOnlineRun *run = (PgmOnlineRun *) lfirst(lc);
		PgmWorkerArgs args = {.database = MyDatabaseId,.role = run->run_as_oid,.job = run->id,
		.is_run = true};

		if (pgm_hold_run_pid(run->id) != 0)
			pgm_worker_wake_run_at_commit(run->id);
		else if (!pgm_worker_can_be(run->run_as_oid, &args.pinned))
			pgm_store_fail_run(run->id, run->undo, "42704",
							   psprintf("role \"%s\" does not exist any more", run->run_as));
		else if (!pgm_worker_start_job(&args))
		{
			/* ours is free in a moment: the launcher will use it */
			pgm_shared_put_next(&args);
			pgm_store_set_run_reason(run->id,
									 "waits for a background worker: all of max_worker_processes are in use");
			return;
		}
	}
}

/*
 * Start what is due, in the order of priorities, but for one job; in a
 * transaction that is open.
 */
void
pgm_dispatch_but(int64 id)
{
	int			places = pgm_hold_free_slots(pgm_backfill_max_workers);
	ListCell   *lc;

	if (!pgm_extension_share())
		return;
	foreach(lc, pgm_store_fetch_due_jobs())
	{
		PgmJob	   *job = (PgmJob *) lfirst(lc);

		if (job->id != id)
			places -= start_lanes(job, places);
	}
	start_runs();
	pgm_shared_set_pending(MyDatabaseId, pgm_store_has_open_jobs() ||
						   pgm_store_fetch_waiting_runs() != NIL);
}

/*
 * The same for all jobs; the body of a transaction.
 */
void
pgm_dispatch(void *arg)
{
	pgm_dispatch_but(0);
}

/*-------------------------------------------------------------------------
 *
 * pause.c
 *	  When the process that works on a lane does not work.
 *
 * It is held while a limit is reached, rests after a batch as the limits say,
 * and backs off after a failure.  Whatever it waits for is shown in the row of
 * its lane.  While it is held, another job can have its place among the workers.
 *
 * IDENTIFICATION
 *	  src/worker/pause.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/extension.h"
#include "base/guc.h"
#include "base/hold.h"
#include "base/shared.h"
#include "base/wait.h"
#include "worker/lane.h"

/* How often to look at the limits, in milliseconds. */
#define LOOK_MS				1000

/* A worker with nothing to do for longer than that ends, if it can come back. */
#define LONG_WAIT_MS		60000

/* Another session counts for so long after it was seen at work. */
#define OTHERS_MS			2000

/* Failures in a row that are worth telling. */
#define TELL_FAILURES		3

static void
look_at_limits(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;
	const bool	for_update = true;
	PgmJob	   *job;

	job = pgm_extension_share() ? pgm_store_fetch_job(w->job_id, !for_update) : NULL;
	if (job == NULL || (job->state != PGM_JOB_RUNNING && job->state != PGM_JOB_QUEUED))
	{
		w->step = PGM_STEP_STOPPED;
		return;
	}
	pgm_brake_look(&w->brake, job, job->relid);
}

static void
tell_reason(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;

	if (!pgm_extension_share())
		return;
	pgm_store_set_lane_reason(w->job_id, w->number, "waiting", w->told_reason);
	pgm_lane_save_lost(w->lane);
}

static void
leave_until_open(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;

	if (pgm_extension_share())
		pgm_store_set_job_due(w->job_id, w->brake.closed_until, w->brake.reason);
}

/*
 * Use the place that is free now; but not for the job of a lane that found
 * nothing left to claim, or waits itself.
 */
void
pgm_pause_start_others(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;

	pgm_dispatch_but(w->step == PGM_STEP_IDLE || w->slot < 0 ? w->job_id : 0);
}

/*
 * Have the limits looked at, once a second.  Returns false if the job is not to
 * be run any more.
 */
static bool
look(PgmWorker *w)
{
	TimestampTz now = GetCurrentTimestamp();

	if (w->looked_at != 0 && !TimestampDifferenceExceeds(w->looked_at, now, LOOK_MS))
		return true;
	pgm_worker_run(w, look_at_limits);
	w->looked_at = GetCurrentTimestamp();
	return w->step != PGM_STEP_STOPPED;
}

/*
 * While we are held, others may have our place.
 */
static void
give_place(PgmWorker *w)
{
	if (w->slot < 0)
		return;
	pgm_hold_release_slot(w->slot);
	w->slot = -1;
	pgm_worker_run(w, pgm_pause_start_others);
}

/*
 * Have a place among the workers (again).
 */
static bool
have_place(PgmWorker *w)
{
	if (w->slot < 0)
		w->slot = pgm_hold_slot(pgm_backfill_max_workers);
	if (w->slot >= 0)
		return true;
	snprintf(w->brake.reason, sizeof(w->brake.reason),
			 "waits for a place: pgmigrate.backfill_max_workers is %d",
			 pgm_backfill_max_workers);
	return false;
}

/*
 * Show why we wait, if that has changed.
 */
static void
show_reason(PgmWorker *w)
{
	if (w->told_reason != NULL && strcmp(w->told_reason, w->brake.reason) == 0)
		return;
	if (w->told_reason == NULL)
		ereport(LOG, (errmsg("%s: waits: %s", w->label, w->brake.reason)));
	else
		pfree(w->told_reason);
	w->told_reason = MemoryContextStrdup(w->cxt, w->brake.reason);
	pgm_worker_run(w, tell_reason);
}

/*
 * While a limit holds us, say so and wait.  Returns whether we were held.
 */
bool
pgm_pause_hold(PgmWorker *w)
{
	TimestampTz start = GetCurrentTimestamp();
	PgmLaneRow *row = pgm_lane_row(w->lane);

	if (!look(w))
		return true;
	if (w->brake.zone != PGM_ZONE_HOLD && have_place(w))
	{
		if (w->brake.reason[0] != '\0')
			snprintf(row->reason, sizeof(row->reason), "slow: %s", w->brake.reason);
		else if (w->others_seen_at == 0 ||
				 TimestampDifferenceExceeds(w->others_seen_at, start, OTHERS_MS))
			row->reason[0] = '\0';
		if (w->told_reason != NULL)
			pfree(w->told_reason);
		w->told_reason = NULL;
		return false;
	}
	if (w->brake.closed_until != 0 && pgm_shared_has_launcher() &&
		TimestampDifferenceExceeds(start, w->brake.closed_until, LONG_WAIT_MS))
	{
		pgm_worker_run(w, leave_until_open);
		w->step = PGM_STEP_IDLE;
		return true;
	}
	show_reason(w);
	give_place(w);
	pgm_wait_latch_ms(LOOK_MS);
	pgm_lane_lost(w->lane, 0, 0, (GetCurrentTimestamp() - start) / 1000.0);
	return true;
}

static void
look_at_job(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;

	w->changed = !pgm_extension_share() || !pgm_store_fetch_job_version(w->job_id, &w->version) ||
		w->version != pgm_lane_job(w->lane)->version;
}

/*
 * Are more sessions at work that write than there are workers?  Their number is
 * counted anew when it looks so: another one may have come.
 */
static bool
more_than_workers(PgmWorker *w)
{
	/* it does not count us */
	if (!MinimumActiveBackends(Max(w->workers, 1)))
		return false;
	w->workers = pgm_backfill_max_workers - pgm_hold_free_slots(pgm_backfill_max_workers);
	return MinimumActiveBackends(Max(w->workers, 1));
}

/*
 * Are other sessions at work that write?  Seen in the midst of a transaction, they
 * count for some time.
 */
static bool
others_work(PgmWorker *w, TimestampTz now)
{
	if (more_than_workers(w))
		w->others_seen_at = now;
	return w->others_seen_at != 0 &&
		!TimestampDifferenceExceeds(w->others_seen_at, now, OTHERS_MS);
}

/*
 * Make way for other sessions: short batches, and rests between them, so that
 * they hardly ever wait for us.
 */
static void
be_courteous(PgmWorker *w, PgmLimits *limits)
{
	PgmLaneRow *row = pgm_lane_row(w->lane);

	/* a share of the time that the job was given is what it takes */
	bool		yield = pgm_backfill_courtesy < 100 &&
		pgm_lane_job(w->lane)->duty == PGM_LIMIT_UNSET &&
		others_work(w, GetCurrentTimestamp());

	pgm_lane_be_brief(w->lane, yield);
	if (!yield)
		return;
	limits->duty = Min(limits->duty, pgm_backfill_courtesy);
	if (w->brake.zone == PGM_ZONE_RUN)
		strlcpy(row->reason, "slow: other sessions are at work", sizeof(row->reason));
}

/*
 * Rest after a batch as long as the limits ask for, unless the job is changed
 * meanwhile.
 */
void
pgm_pause_rest(PgmWorker *w, double batch_ms)
{
	TimestampTz start = GetCurrentTimestamp();
	PgmLimits	limits = w->brake.limits;
	double		ms;
	double		rested = 0;

	be_courteous(w, &limits);
	ms = pgm_throttle_pause_ms(&limits, w->brake.zone, batch_ms, pgm_lane_wal_bytes(w->lane));
	w->changed = false;
	while (ms - rested >= 0.5 && !w->changed)
	{
		pgm_wait_latch_ms((long) Max(Min(ms - rested, LOOK_MS), 1));
		rested = (GetCurrentTimestamp() - start) / 1000.0;
		if (ms - rested >= 0.5)
			pgm_worker_run(w, look_at_job);
	}
	pgm_lane_lost(w->lane, 0, 0, rested);
}

/*
 * Show a reason that is no limit.
 */
static void
tell(PgmWorker *w, const char *reason)
{
	if (w->told_reason != NULL)
		pfree(w->told_reason);
	w->told_reason = MemoryContextStrdup(w->cxt, reason);
	pgm_worker_run(w, tell_reason);
	pfree(w->told_reason);
	w->told_reason = NULL;
}

/*
 * Wait a little longer each time that nothing could be done, and say why if that
 * goes on.
 */
void
pgm_pause_back_off(PgmWorker *w, const char *reason)
{
	long		ms = pgm_wait_backoff_ms(++w->failures, pg_prng_double(&pg_global_prng_state));

	pgm_lane_lost(w->lane, 0, ms, 0);
	if (w->failures >= TELL_FAILURES)
		tell(w, reason);
	pgm_wait_latch_ms(ms);
}

/*
 * All rows that are left are locked by others.  Finding them again means going
 * through the table, so it is done ever more rarely.
 */
void
pgm_pause_for_locks(PgmWorker *w)
{
	long		ms = Min(LOOK_MS << Min(w->failures, 10), LONG_WAIT_MS);

	w->failures++;
	pgm_lane_lost(w->lane, 0, ms, 0);
	tell(w, "waits for rows that others have locked");
	pgm_wait_latch_ms(ms);
}

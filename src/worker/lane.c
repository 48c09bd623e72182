/*-------------------------------------------------------------------------
 *
 * lane.c
 *	  The process that works on one lane of a backfill.
 *
 * It takes a place among the workers and a lane of its job, both by session
 * locks that the server releases however the process ends, and then does step
 * after step (src/backfill/lane.c), each in a transaction.  Between two steps it
 * rests as the limits say.  When nothing is left to claim it ends; the last one
 * records that the job is done.
 *
 * A start is counted in the job's row before anything is done, and the count is
 * cleared by the first batch that is committed.  So a batch that brings the
 * server down is known by its starts, and the job is suspended after a few.
 *
 * IDENTIFICATION
 *	  src/worker/lane.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "backfill/backfill.h"
#include "base/extension.h"
#include "base/guc.h"
#include "base/hold.h"
#include "base/shared.h"
#include "base/wait.h"
#include "base/worker.h"
#include "worker/finale.h"
#include "worker/lane.h"

/* Starts in a row without a batch after which a job is suspended. */
#define MAX_CRASHES			3

/* How often a transaction is tried that is not a step. */
#define MAX_TRIES			10

/* How often to look who waits for our place, in milliseconds. */
#define LOOK_MS				1000

/* How long to wait for room on pages. */
#define ROOM_MS				1

/* A batch that takes so many times what it should is worth a line in the log. */
#define SLOW_FACTOR			20

static void
report_state(const PgmWorker *w, const char *what)
{
	ereport(LOG, (errmsg("%s: %s", w->label, what)));
}

/*
 * Run a transaction that is not a step.  What goes wrong there is tried again a
 * few times, and ends the process then.
 */
void
pgm_worker_run(PgmWorker *w, PgmTransactionBody body)
{
	for (int failures = 1;; failures++)
	{
		ErrorData  *error = pgm_session_run(body, w, w->cxt);

		if (error == NULL)
			return;
		if (failures == 1 || failures == MAX_TRIES)
			ereport(LOG,
					(errcode(error->sqlerrcode),
					 errmsg("%s: %s", w->label, error->message)));
		FreeErrorData(error);
		if (failures == MAX_TRIES)
			proc_exit(1);
		pgm_wait_latch_ms(pgm_wait_backoff_ms(failures, 0));
	}
}

/* Is this one of the jobs that may run now? */
static bool
is_due(int64 id)
{
	ListCell   *lc;

	foreach(lc, pgm_store_fetch_due_jobs())
	{
		if (((PgmJob *) lfirst(lc))->id == id)
			return true;
	}
	return false;
}

static int
take_lane(const PgmJob *job)
{
	int			lanes = job->lanes > 0 ? job->lanes : pgm_backfill_lanes;

	for (int i = 1; i <= lanes; i++)
	{
		if (pgm_hold_lane(job->id, i))
			return i;
	}
	return 0;
}

static void
make_label(PgmWorker *w, const PgmJob *job)
{
	MemoryContext old = MemoryContextSwitchTo(w->cxt);

	w->label = psprintf("backfill " INT64_FORMAT " \"%s\" in database \"%s\" as role \"%s\"",
						job->id, job->name, get_database_name(MyDatabaseId), job->run_as);
	MemoryContextSwitchTo(old);
}

/*
 * Take a place and a lane.  w->number stays 0 if that cannot be.
 */
static void
begin_work(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;
	PgmJob	   *job = NULL;
	const bool	for_update = true;

	if (pgm_extension_share())
		job = pgm_store_fetch_job(w->job_id, for_update);
	if (job == NULL || (job->state != PGM_JOB_QUEUED && job->state != PGM_JOB_RUNNING))
		return;
	make_label(w, job);
	if (!is_due(job->id))
	{
		if (list_length(pgm_hold_lanes(job->id)) == 0)
			pgm_store_set_job_due(job->id, 0, "waits for another backfill of the table");
		return;
	}
	w->slot = pgm_hold_slot(pgm_backfill_max_workers);
	if (w->slot < 0)
	{
		if (list_length(pgm_hold_lanes(job->id)) == 0)
			pgm_store_set_job_due(job->id, 0,
								  psprintf("waits for a place: pgmigrate.backfill_max_workers is %d",
										   pgm_backfill_max_workers));
		return;
	}
	w->number = take_lane(job);
}

/*
 * Count the start of the lane, and give up if it was one too many.
 */
static void
start_job(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;
	int			starts;

	if (!pgm_extension_share() || !pgm_store_start_job(w->job_id))
	{
		w->step = PGM_STEP_STOPPED;
		return;
	}
	starts = pgm_store_begin_lane(w->job_id, w->number);
	/* a crash right after must not take the count back */
	ForceSyncCommit();
	if (starts <= MAX_CRASHES)
		return;
	pgm_store_set_job_state(w->job_id, PGM_JOB_SUSPENDED,
							psprintf("its worker ended %d times without finishing a batch",
									 starts - 1));
	report_state(w, "suspended, since its workers end without finishing a batch");
	w->step = PGM_STEP_STOPPED;
	w->cleared = true;
}

static void
do_step(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;

	const PgmJob *job;

	w->step = pgm_lane_step(w->lane);
	job = pgm_lane_job(w->lane);
	/* paused and resumed while we were at work */
	if (job != NULL && job->state == PGM_JOB_QUEUED && w->step < PGM_STEP_STOPPED)
		(void) pgm_store_start_job(w->job_id);
	/* nor the first batch, which clears the count */
	if (w->step == PGM_STEP_ROWS && !w->cleared)
		ForceSyncCommit();
}

static void
record_failure(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;

	pgm_finale_fail(w->job_id, pgm_lane_has_failed(w->lane), w->error);
}

static void
log_slow_batch(PgmWorker *w, double ms)
{
	const PgmJob *job = pgm_lane_job(w->lane);
	int			target = job->batch_ms > 0 ? job->batch_ms : pgm_backfill_batch_ms;
	TimestampTz now = GetCurrentTimestamp();

	if (ms < (double) target * SLOW_FACTOR ||
		(w->slow_logged_at != 0 && !TimestampDifferenceExceeds(w->slow_logged_at, now, 60000)))
		return;
	w->slow_logged_at = now;
	ereport(LOG, (errmsg("%s: a batch took %.0f ms", w->label, ms)));
}

/*
 * The step has failed.  Returns false if the job has failed with it.
 */
static bool
recover(PgmWorker *w, ErrorData *error, double ms)
{
	PgmRemedy	remedy = pgm_lane_aborted(w->lane, error);

	pgm_lane_lost(w->lane, 1, ms, 0);
	if (remedy == PGM_REMEDY_FAIL)
	{
		w->error = error;
		pgm_worker_run(w, record_failure);
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("%s: failed: %s", w->label, error->message)));
		return false;
	}
	if (remedy != PGM_REMEDY_BISECT)
	{
		char	   *reason = psprintf("tries again: %s", error->message);

		pgm_pause_back_off(w, reason);
		pfree(reason);
	}
	FreeErrorData(error);
	return true;
}

static void
clean_indexes(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;

	if (pgm_extension_share())
		pgm_lane_clean(w->lane);
}

/*
 * Between two steps, clean the indexes if that is due.  It may fail.
 */
static void
clean(PgmWorker *w)
{
	ErrorData  *error;

	if (!pgm_lane_wants_cleaning(w->lane))
		return;
	error = pgm_session_run_bare(clean_indexes, w, w->cxt);
	if (error == NULL)
		return;
	pgm_lane_forget_cleaning(w->lane);
	FreeErrorData(error);
}

static void
record_minute(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;
	PgmMinute	minute;

	if (!pgm_extension_share())
		return;
	minute.batches = w->times.count;
	minute.p50_ms = pgm_times_percentile(&w->times, 0.5);
	minute.p90_ms = pgm_times_percentile(&w->times, 0.9);
	minute.p99_ms = pgm_times_percentile(&w->times, 0.99);
	minute.lag = Max(w->brake.signals.standby_lag_s, 0);
	pgm_store_insert_minute(w->job_id, &minute);
}

/*
 * Once a minute, keep what the minute was like.
 */
static void
sample(PgmWorker *w)
{
	TimestampTz now = GetCurrentTimestamp();

	if (w->sampled_at == 0)
		w->sampled_at = now;
	if (!TimestampDifferenceExceeds(w->sampled_at, now, 60000))
		return;
	pgm_worker_run(w, record_minute);
	pgm_times_reset(&w->times);
	w->sampled_at = now;
}

/*
 * One step with all that belongs to it.  Returns false when the process is to end.
 */
static bool
work(PgmWorker *w)
{
	instr_time	start;
	instr_time	end;
	ErrorData  *error;
	double		ms;
	bool		had_rows;

	INSTR_TIME_SET_CURRENT(start);
	error = pgm_session_run(do_step, w, w->cxt);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	ms = INSTR_TIME_GET_MILLISEC(end);
	if (error != NULL)
		return recover(w, error, ms);

	had_rows = w->step == PGM_STEP_ROWS;
	pgm_lane_committed(w->lane, ms);
	w->cleared = w->cleared || had_rows;
	if (had_rows)
	{
		w->failures = 0;
		pgm_times_add(&w->times, ms);
		log_slow_batch(w, ms);
		pgm_pause_rest(w, ms);
	}
	if (w->step == PGM_STEP_WAIT)
	{
		pgm_wait_latch_ms(ROOM_MS);
		pgm_lane_waited(w->lane, ROOM_MS);
	}
	if (w->step == PGM_STEP_LOCKED)
	{
		pgm_pause_for_locks(w);
	}
	if (pgm_lane_has_failed(w->lane))
	{
		pgm_worker_run(w, record_failure);
		report_state(w, "failed: too many rows were put aside");
		return false;
	}
	return w->step <= PGM_STEP_LOCKED;
}

static void
look_who_waits(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;
	const PgmJob *job = pgm_lane_job(w->lane);

	/* a lane beyond the first one makes room for its equals too */
	w->waiting = pgm_extension_share() &&
		pgm_store_is_job_waiting(w->job_id, job->priority + (w->number == 1 ? 1 : 0));
}

/*
 * Between two pieces: should the process end because the job has fewer lanes
 * now, or because another job waits for its place?
 */
static bool
gives_way(PgmWorker *w)
{
	const PgmJob *job = pgm_lane_job(w->lane);
	TimestampTz now = GetCurrentTimestamp();

	if (job == NULL)
		return false;
	if (w->number > (job->lanes > 0 ? job->lanes : pgm_backfill_lanes))
		return true;
	if (pgm_lane_row(w->lane)->leaf != 0 ||
		!TimestampDifferenceExceeds(w->gave_way_at, now, LOOK_MS))
		return false;
	w->gave_way_at = now;
	pgm_worker_run(w, look_who_waits);
	if (w->waiting)
		report_state(w, "makes room for another backfill");
	return w->waiting;
}

static void
end_at_exit(int code, Datum arg)
{
	pgm_shared_wake_launcher();
}

static void
clear_starts(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;

	if (pgm_extension_share())
		pgm_store_clear_crashes(w->job_id, w->number);
}

static void
complete_job(void *arg)
{
	PgmWorker  *w = (PgmWorker *) arg;

	if (pgm_extension_share() && pgm_job_complete(w->job_id))
		report_state(w, "done");
}

static void
run_lane(PgmWorker *w)
{
	w->lane = pgm_lane_create(w->job_id, w->number, w->cxt);
	pgm_times_reset(&w->times);
	w->step = PGM_STEP_AGAIN;
	while (w->step <= PGM_STEP_LOCKED)
	{
		CHECK_FOR_INTERRUPTS();
		pgm_session_reload();
		if (pgm_pause_hold(w))
			continue;
		if (!w->started)
		{
			w->started = true;
			pgm_worker_run(w, start_job);
			if (w->step == PGM_STEP_STOPPED)
				break;
		}
		if (!work(w) || gives_way(w))
			break;
		clean(w);
		sample(w);
	}
	if (w->step == PGM_STEP_DONE)
	{
		pgm_finale_vacuum(w->job_id, w->label, w->cxt);
		pgm_worker_run(w, complete_job);
	}
	else if (!w->cleared)
		pgm_worker_run(w, clear_starts);
}

void
pgmigrate_lane_main(Datum arg)
{
	const PgmWorkerArgs *args = pgm_worker_args();
	PgmWorker  *w = MemoryContextAllocZero(TopMemoryContext, sizeof(PgmWorker));

	before_shmem_exit(end_at_exit, (Datum) 0);
	pgm_session_begin(args->database, args->role, args->pinned);
	w->cxt = AllocSetContextCreate(TopMemoryContext, "pgmigrate worker", ALLOCSET_DEFAULT_SIZES);
	w->job_id = args->job;
	w->label = psprintf("backfill " INT64_FORMAT, args->job);
	pgm_shared_set_pending(args->database, true);
	pgstat_report_activity(STATE_RUNNING, w->label);
	pgm_worker_run(w, begin_work);
	if (w->number == 0)
		proc_exit(0);
	pgstat_report_activity(STATE_RUNNING, w->label);
	pgm_session_be_nice();
	report_state(w, psprintf("lane %d begins", w->number));
	run_lane(w);
	report_state(w, psprintf("lane %d ends", w->number));
	pgm_hold_release_lane(w->job_id, w->number);
	if (w->slot >= 0)
		pgm_hold_release_slot(w->slot);
	pgm_worker_run(w, pgm_pause_start_others);
	proc_exit(0);
}

/*-------------------------------------------------------------------------
 *
 * finish.c
 *	  migrate.backfill_batch() and migrate.finish(): batches in this session
 *
 * For those who drive a backfill themselves, or whose server has no room for a
 * worker.  They work as lane 0, beside workers if there are any.
 *
 * IDENTIFICATION
 *	  src/api/finish.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "tcop/utility.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

#include "api/limits.h"
#include "backfill/backfill.h"
#include "base/args.h"
#include "base/extension.h"
#include "base/hold.h"
#include "base/lock.h"
#include "base/subxact.h"
#include "base/wait.h"

PG_FUNCTION_INFO_V1(pgmigrate_backfill_batch);
PG_FUNCTION_INFO_V1(pgmigrate_finish);

/* How long to wait for others, and for room. */
#define IDLE_MS		100
#define ROOM_MS		1

/* One step in a subtransaction. */
typedef struct StepCall
{
	PgmLane    *lane;
	PgmStep		step;
} StepCall;

/*
 * migrate.backfill_batch(id bigint)
 */
Datum
pgmigrate_backfill_batch(PG_FUNCTION_ARGS)
{
	const bool	for_update = true;
	PgmLane    *lane;
	PgmStep		step;
	int64		rows = 0;
	int64		id;

	pgm_args_check_count(fcinfo, 1);
	PreventCommandIfReadOnly("migrate.backfill_batch()");
	pgm_extension_require();
	id = pgm_job_argument(fcinfo);
	pgm_job_check_runner(pgm_job_fetch(id, !for_update));
	pgm_hold_lane_in_transaction(id, 0);

	lane = pgm_lane_create(id, 0, CurrentMemoryContext);
	pgm_lane_set_one_by_one(lane);
	pgm_lane_set_runs_paused(lane, true);
	do
		step = pgm_lane_step(lane);
	while (step == PGM_STEP_AGAIN);
	if (step == PGM_STEP_ROWS)
		rows = pgm_lane_rows(lane);
	if (pgm_lane_has_failed(lane))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("too many rows of backfill " INT64_FORMAT " fail", id),
				 errhint("Change max_bad_rows by migrate.alter_backfill(), or see with CALL migrate.finish() which they are.")));
	if (step == PGM_STEP_DONE)
		(void) pgm_job_complete(id);
	pgm_lane_destroy(lane);
	PG_RETURN_INT64(rows);
}

static void
call_step(void *arg)
{
	StepCall   *call = (StepCall *) arg;

	call->step = pgm_lane_step(call->lane);
}

/*
 * One step, committed, with "cxt" for what it allocates.  Errors that can be
 * survived are: the step is tried again later.
 */
static PgmStep
run_step(PgmLane *lane, MemoryContext cxt, int *failures)
{
	StepCall	call = {lane, PGM_STEP_AGAIN};
	const bool	keep = true;
	MemoryContext old = MemoryContextSwitchTo(cxt);
	ErrorData  *error;
	instr_time	start;
	instr_time	end;

	MemoryContextReset(cxt);
	INSTR_TIME_SET_CURRENT(start);
	PushActiveSnapshot(GetTransactionSnapshot());
	error = pgm_subxact_run(call_step, &call, keep);
	PopActiveSnapshot();
	MemoryContextSwitchTo(old);
	if (error == NULL)
	{
		SPI_commit();
		INSTR_TIME_SET_CURRENT(end);
		INSTR_TIME_SUBTRACT(end, start);
		pgm_lane_committed(lane, INSTR_TIME_GET_MILLISEC(end));
		*failures = 0;
		return call.step;
	}
	if (pgm_subxact_must_stop(error) || pgm_lane_aborted(lane, error) == PGM_REMEDY_FAIL)
		ReThrowError(error);
	FreeErrorData(error);
	SPI_commit();
	pgm_wait_ms(pgm_wait_backoff_ms(++*failures, pg_prng_double(&pg_global_prng_state)));
	return PGM_STEP_AGAIN;
}

static void
call_clean(void *arg)
{
	pgm_lane_clean((PgmLane *) arg);
}

/*
 * Clean the indexes if that is due; it may fail.
 */
static void
clean(PgmLane *lane)
{
	const bool	keep = true;
	ErrorData  *error;

	if (!pgm_lane_wants_cleaning(lane))
		return;
	error = pgm_subxact_run(call_clean, lane, keep);
	if (error != NULL && pgm_subxact_must_stop(error) && !pgm_lock_pin_watch_fired())
		ReThrowError(error);
	if (error != NULL)
		pgm_lane_forget_cleaning(lane);
	SPI_commit();
}

/*
 * See that the caller may run the job, and that it is shown as running.  Returns
 * whether it is paused, which does not keep the caller from running it.
 */
static bool
begin_job(int64 id)
{
	const bool	for_update = true;
	PgmJob	   *job = pgm_job_fetch(id, for_update);

	pgm_job_check_runner(job);
	if (job->state > PGM_JOB_PAUSED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot finish backfill \"%s\", which is %s", job->name,
						pgm_job_state_name(job->state))));
	if (job->state == PGM_JOB_QUEUED)
		(void) pgm_store_start_job(id);
	return job->state == PGM_JOB_PAUSED;
}

/*
 * Record that the job has failed because of rows that were put aside, and throw.
 */
static void
fail_job(int64 id)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	pgm_store_fail_job(id, PGM_JOB_FAILED,
					   "too many rows were put aside, see migrate.backfill_error", NULL, NULL);
	PopActiveSnapshot();
	SPI_commit();
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("backfill " INT64_FORMAT " failed", id),
			 errdetail("Too many rows were put aside."),
			 errhint("See migrate.backfill_error.")));
}

/*
 * Step after step, until nothing is left or the job is not to be run any more.
 */
static void
run_steps(int64 id, bool paused)
{
	PgmLane    *lane = pgm_lane_create(id, 0, PortalContext);
	MemoryContext cxt = AllocSetContextCreate(PortalContext, "pgmigrate step",
											  ALLOCSET_SMALL_SIZES);
	PgmStep		step;
	int			failures = 0;

	pgm_lane_set_at_once(lane);
	pgm_lane_set_runs_paused(lane, paused);
	do
	{
		CHECK_FOR_INTERRUPTS();
		step = run_step(lane, cxt, &failures);
		if (pgm_lane_has_failed(lane))
			fail_job(id);
		if (step == PGM_STEP_IDLE || step == PGM_STEP_LOCKED)
			pgm_wait_ms(IDLE_MS);
		if (step == PGM_STEP_WAIT)
		{
			pgm_wait_ms(ROOM_MS);
			pgm_lane_waited(lane, ROOM_MS);
		}
		clean(lane);
	} while (step != PGM_STEP_DONE && step != PGM_STEP_STOPPED);
	if (step == PGM_STEP_DONE)
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		(void) pgm_job_complete(id);
		PopActiveSnapshot();
	}
	pgm_lane_destroy(lane);
}

/*
 * migrate.finish(id bigint), migrate.finish(name text)
 */
Datum
pgmigrate_finish(PG_FUNCTION_ARGS)
{
	int64		id;
	bool		paused;

	pgm_args_check_count(fcinfo, 1);
	pgm_job_check_nonatomic(fcinfo, "CALL migrate.finish()");
	PreventCommandIfReadOnly("migrate.finish()");
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	pgm_extension_require();
	PushActiveSnapshot(GetTransactionSnapshot());
	id = pgm_job_argument(fcinfo);
	paused = begin_job(id);
	PopActiveSnapshot();
	SPI_commit();

	if (!pgm_hold_lane(id, 0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another session runs batches of backfill " INT64_FORMAT, id)));
	PG_TRY();
	{
		run_steps(id, paused);
	}
	PG_FINALLY();
	{
		pgm_hold_release_lane(id, 0);
	}
	PG_END_TRY();
	SPI_finish();
	PG_RETURN_VOID();
}

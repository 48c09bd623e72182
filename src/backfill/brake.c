/*-------------------------------------------------------------------------
 *
 * brake.c
 *	  Whether a lane may work now, and if not why.
 *
 * Puts together what window.c and throttle.c decide with what the clock, the
 * server and the user's own condition say.  Meant to be asked about once a
 * second, in a transaction of its own.
 *
 * IDENTIFICATION
 *	  src/backfill/brake.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "backfill/brake.h"
#include "backfill/window.h"
#include "base/guc.h"
#include "base/subxact.h"

/* The user's condition, in a subtransaction. */
typedef struct Condition
{
	const PgmJob *job;
	bool		result;
} Condition;

static void
set_limits(PgmLimits *limits, const PgmJob *job)
{
	int			lanes = job->lanes > 0 ? job->lanes : pgm_backfill_lanes;

	memset(limits, 0, sizeof(*limits));
	limits->max_lag_s = job->max_lag >= 0 ? job->max_lag : pgm_backfill_max_lag / 1000.0;
	limits->max_lag_bytes = (int64) pgm_backfill_max_lag_size * 1024 * 1024;
	limits->max_slot_bytes = (int64) pgm_backfill_max_slot_size * 1024 * 1024;
	limits->max_archive_files = pgm_backfill_max_archive_files;
	limits->max_active = pgm_backfill_max_active;
	limits->yield_to_vacuum = pgm_backfill_yield_to_vacuum;
	limits->max_xmin_s = pgm_backfill_max_transaction_age / 1000.0;
	limits->min_free_disk = pgm_backfill_min_free_disk;
	limits->max_wal_rate = (job->max_wal_rate >= 0 ? job->max_wal_rate :
							(int64) pgm_backfill_max_wal_rate * 1024) / lanes;
	limits->duty = job->duty > 0 ? job->duty : pgm_backfill_duty;
}

/*
 * When the job may work: now, or the time that is set in closed_until.
 */
static void
look_at_clock(PgmBrake *brake, const PgmJob *job)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz open = Max(now, job->not_before);

	brake->closed_until = 0;
	if (job->window != NULL)
	{
		char	   *problem = NULL;
		PgmWindow  *window = pgm_window_parse(job->window, session_timezone, &problem);

		if (window != NULL)
			open = pgm_window_next(window, open);
	}
	if (open <= now)
		return;
	brake->closed_until = open;
	brake->zone = PGM_ZONE_HOLD;
	snprintf(brake->reason, sizeof(brake->reason),
			 open == job->not_before ? "not before %s" : "outside its window until %s",
			 timestamptz_to_str(open));
}

static void
evaluate_condition(void *arg)
{
	Condition  *condition = (Condition *) arg;
	const bool	read_only = false;
	int			guc_level = NewGUCNestLevel();

	pgm_guc_restore_meaning(condition->job->settings);
	SPI_connect();
	if (SPI_execute(psprintf("SELECT WHERE %s", condition->job->hold_when), read_only, 1) < 0)
		elog(ERROR, "could not evaluate the condition");
	condition->result = SPI_processed > 0;
	SPI_finish();
	AtEOXact_GUC(true, guc_level);
}

/*
 * Hold while the user's condition is true, or cannot be evaluated.
 */
static void
look_at_condition(PgmBrake *brake, const PgmJob *job)
{
	Condition	condition = {job, false};
	const bool	keep = true;
	ErrorData  *error;

	if (job->hold_when == NULL)
		return;
	error = pgm_subxact_run(evaluate_condition, &condition, keep);
	/* a timeout of the statement is a failure of the condition */
	if (error != NULL && error->sqlerrcode != ERRCODE_QUERY_CANCELED &&
		pgm_subxact_must_stop(error))
		ReThrowError(error);
	if (error != NULL)
		snprintf(brake->reason, sizeof(brake->reason), "hold_when failed: %s", error->message);
	else if (condition.result)
		strlcpy(brake->reason, "hold_when is true", sizeof(brake->reason));
	else
		return;
	brake->zone = PGM_ZONE_HOLD;
}

/*
 * Look at everything that may slow a lane of the job down.
 */
void
pgm_brake_look(PgmBrake *brake, const PgmJob *job, Oid table)
{
	set_limits(&brake->limits, job);
	brake->zone = PGM_ZONE_RUN;
	brake->reason[0] = '\0';
	look_at_clock(brake, job);
	if (brake->zone == PGM_ZONE_HOLD)
		return;
	look_at_condition(brake, job);
	if (brake->zone == PGM_ZONE_HOLD)
		return;
	pgm_signals_read(table, &brake->signals);
	brake->zone = pgm_throttle_judge(&brake->limits, &brake->signals, &brake->state,
									 brake->reason, sizeof(brake->reason));
}

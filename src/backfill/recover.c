/*-------------------------------------------------------------------------
 *
 * recover.c
 *	  What a lane does about errors, and the time that it loses.
 *
 * An error is judged by its SQLSTATE: what others are to blame for is tried again
 * later, a timeout asks for fewer rows, an error in the data for a closer look,
 * and with anything else there is no point in going on.
 *
 * IDENTIFICATION
 *	  src/backfill/recover.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "backfill/lane.h"

static PgmRemedy
remedy_for(const ErrorData *error)
{
	switch (error->sqlerrcode)
	{
		case ERRCODE_T_R_SERIALIZATION_FAILURE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
		case ERRCODE_LOCK_NOT_AVAILABLE:
			return PGM_REMEDY_RETRY;
		case ERRCODE_QUERY_CANCELED:
			return PGM_REMEDY_SHRINK;
		case ERRCODE_RAISE_EXCEPTION:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			return PGM_REMEDY_BISECT;
		default:
			break;
	}
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
			return PGM_REMEDY_BISECT;
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_CONNECTION_EXCEPTION:
			return PGM_REMEDY_RETRY;
		default:
			return PGM_REMEDY_FAIL;
	}
}

/*
 * The step failed and is rolled back.  What the lane knew may be wrong now, so it
 * begins with its piece again.
 */
PgmRemedy
pgm_lane_aborted(PgmLane *lane, const ErrorData *error)
{
	PgmRemedy	remedy = remedy_for(error);

	pgm_leaf_close(lane);
	pgm_leaf_piece_end(lane);
	lane->row_loaded = false;
	lane->row.leaf = 0;
	lane->piece_ended = false;
	lane->pending_saved = false;
	if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE && lane->in_batch &&
		lane->job != NULL && !lane->job->by_key)
		lane->skip_locked = PGM_SKIP_LOCKED_BATCHES;
	if (remedy == PGM_REMEDY_SHRINK)
		pgm_pace_shrink(&lane->pace);
	if (remedy == PGM_REMEDY_BISECT)
	{
		/* an error that being careful did not catch is about something else */
		if (lane->careful > 0)
			return PGM_REMEDY_FAIL;
		lane->careful = PGM_CAREFUL_BATCHES;
	}
	return remedy;
}

/*
 * Time that was lost between batches: to locks, with the batches that were in
 * vain, and to limits.
 */
void
pgm_lane_lost(PgmLane *lane, int retries, double lock_ms, double throttle_ms)
{
	lane->pending.retries += retries;
	lane->pending.lock_wait_ms += lock_ms;
	lane->pending.throttle_ms += throttle_ms;
}

/*
 * Record that right now, in a transaction that does nothing else.
 */
void
pgm_lane_save_lost(PgmLane *lane)
{
	PgmCounters *c = &lane->row.counters;

	pgm_store_add_lost(lane->job_id, lane->lane, &lane->pending);
	c->retries += lane->pending.retries;
	c->lock_wait_ms += lane->pending.lock_wait_ms;
	c->throttle_ms += lane->pending.throttle_ms;
	memset(&lane->pending, 0, sizeof(lane->pending));
}

/*
 * Nothing had room: the caller waits so many milliseconds before the next step.
 */
void
pgm_lane_waited(PgmLane *lane, double ms)
{
	lane->pages.stuck_ms += ms;
}

/*-------------------------------------------------------------------------
 *
 * lane.h
 *	  The process that works on one lane, for the files of this room.
 *
 * IDENTIFICATION
 *	  src/worker/lane.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_WORKER_LANE_H
#define PGM_WORKER_LANE_H

#include "backfill/backfill.h"
#include "backfill/brake.h"
#include "worker/worker.h"

typedef struct PgmWorker
{
	int64		job_id;
	int			number;			/* of the lane, 0 before it has one */
	int			slot;			/* its place among the workers */
	const char *label;			/* for the log */
	MemoryContext cxt;			/* of the process */
	PgmLane    *lane;
	PgmStep		step;
	PgmBrake	brake;
	TimestampTz looked_at;		/* at the limits */
	TimestampTz sampled_at;
	PgmTimes	times;			/* of batches since then */
	TimestampTz slow_logged_at;
	int			workers;		/* that have a place, with us */
	TimestampTz others_seen_at; /* other sessions at work */
	TimestampTz gave_way_at;	/* when we last looked who waits for our place */
	int			failures;		/* in a row */
	char	   *told_reason;	/* that the lane's row shows */
	bool		started;		/* has it been held off no longer? */
	bool		cleared;		/* is the count of starts? */
	bool		waiting;		/* is another job waiting for our place? */
	bool		changed;		/* has the job's row? */
	TransactionId version;		/* of the job's row */
	ErrorData  *error;			/* that ends the job */
} PgmWorker;

/* lane.c */
extern void pgm_worker_run(PgmWorker *w, PgmTransactionBody body);

/* pause.c */
extern bool pgm_pause_hold(PgmWorker *w);
extern void pgm_pause_rest(PgmWorker *w, double batch_ms);
extern void pgm_pause_back_off(PgmWorker *w, const char *reason);
extern void pgm_pause_for_locks(PgmWorker *w);
extern void pgm_pause_start_others(void *arg);

#endif							/* PGM_WORKER_LANE_H */

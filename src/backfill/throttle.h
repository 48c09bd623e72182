/*-------------------------------------------------------------------------
 *
 * throttle.h
 *	  Whether a backfill may go on at full speed, and how long it rests.
 *
 * IDENTIFICATION
 *	  src/backfill/throttle.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_THROTTLE_H
#define PGM_THROTTLE_H

#include "store/signals.h"

/* Limits of a backfill; 0 stands for none. */
typedef struct PgmLimits
{
	double		max_lag_s;		/* of the standby furthest behind */
	int64		max_lag_bytes;
	int64		max_slot_bytes; /* WAL kept by a slot */
	int			max_archive_files;	/* WAL files not archived */
	int			max_active;		/* active sessions */
	bool		yield_to_vacuum;	/* slow while one runs on the table */
	double		max_xmin_s;		/* age of the oldest transaction */
	double		min_free_disk;	/* percent */
	int64		max_wal_rate;	/* bytes per second, of the lane */
	int			duty;			/* percent of the time that may be worked */
} PgmLimits;

/* In order: the greater, the worse. */
typedef enum PgmZone
{
	PGM_ZONE_RUN,
	PGM_ZONE_SLOW,
	PGM_ZONE_HOLD
} PgmZone;

/* What is remembered from one decision to the next; begins as zeros. */
typedef struct PgmThrottleState
{
	uint32		held;			/* bit by signal: does it hold us? */
} PgmThrottleState;

/* Room for the longest reason. */
#define PGM_THROTTLE_REASON_SIZE	512

extern PgmZone pgm_throttle_judge(const PgmLimits *l, const PgmSignals *s,
								  PgmThrottleState *state, char *reason, size_t len);
extern double pgm_throttle_pause_ms(const PgmLimits *l, PgmZone zone, double batch_ms,
									int64 batch_wal_bytes);

#endif							/* PGM_THROTTLE_H */

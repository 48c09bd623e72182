/*-------------------------------------------------------------------------
 *
 * brake.h
 *	  Whether a lane may work now, and if not why.
 *
 * IDENTIFICATION
 *	  src/backfill/brake.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_BRAKE_H
#define PGM_BRAKE_H

#include "datatype/timestamp.h"

#include "backfill/throttle.h"
#include "store/backfill.h"

/* What was decided last. */
typedef struct PgmBrake
{
	PgmLimits	limits;
	PgmSignals	signals;
	PgmThrottleState state;
	PgmZone		zone;
	TimestampTz closed_until;	/* outside the window; 0: open */
	char		reason[PGM_THROTTLE_REASON_SIZE];
} PgmBrake;

extern void pgm_brake_look(PgmBrake *brake, const PgmJob *job, Oid table);

#endif							/* PGM_BRAKE_H */

/*-------------------------------------------------------------------------
 *
 * hold.h
 *	  Session locks that tell which process works on what.
 *
 * IDENTIFICATION
 *	  src/base/hold.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_HOLD_H
#define PGM_HOLD_H

#include "nodes/pg_list.h"

/* A lane that somebody works on. */
typedef struct PgmHolder
{
	int			pid;
	int			lane;
} PgmHolder;

extern bool pgm_hold_lane(int64 job, int lane);
extern void pgm_hold_lane_in_transaction(int64 job, int lane);
extern void pgm_hold_release_lane(int64 job, int lane);
extern bool pgm_hold_is_lane_free(int64 job, int lane);
extern List *pgm_hold_lanes(int64 job);

extern int	pgm_hold_slot(int slots);
extern void pgm_hold_release_slot(int slot);
extern int	pgm_hold_free_slots(int slots);

extern bool pgm_hold_run(int64 run);
extern void pgm_hold_run_in_transaction(int64 run);
extern void pgm_hold_release_run(int64 run);
extern int	pgm_hold_run_pid(int64 run);

#endif							/* PGM_HOLD_H */

/*-------------------------------------------------------------------------
 *
 * atomic.h
 *	  Runs inside the caller's transaction.
 *
 * IDENTIFICATION
 *	  src/atomic/atomic.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_ATOMIC_H
#define PGM_ATOMIC_H

#include "exec/exec.h"

/* run.c */
typedef enum PgmAction
{
	PGM_ACTION_APPLY,
	PGM_ACTION_ROLLBACK,
	PGM_ACTION_COMPENSATE
} PgmAction;

typedef struct PgmJob
{
	PgmAction	action;
	const char *migration;		/* NULL for a compensation */
	const PgmScript *script;	/* of a compensation */
	const char *note;			/* of a compensation */
	int			failures;		/* tries that it ended for want of a lock */
	double		lock_wait_ms;	/* lost to locks on its account */
	int64		run_id;			/* set when it was run */
} PgmJob;

extern void pgm_atomic_run(List *jobs, int64 waited_ms);

#endif							/* PGM_ATOMIC_H */

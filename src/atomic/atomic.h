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

#include "base/subxact.h"
#include "script/script.h"
#include "store/store.h"

/* attempt.c */
typedef void (*PgmAttemptFailed) (void *arg, double lost_ms);

extern void pgm_attempt_run(PgmSubxactBody body, PgmAttemptFailed failed, void *arg);

/* execute.c */
typedef struct PgmExecution
{
	const PgmScript *script;
	bool		confined;		/* must not become another user */
	const PgmStatement *current;	/* the last one that was begun */
	List	   *statements;		/* of PgmRunStatement *, what was done */
	int64		rows;
	int64		wal_bytes;
} PgmExecution;

extern void pgm_execute_part(PgmExecution *execution, PgmPart part);

/* look.c */
extern void pgm_look(PgmExecution *execution, PgmPart part);

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

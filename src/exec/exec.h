/*-------------------------------------------------------------------------
 *
 * exec.h
 *	  Running statements of a script in the transaction that is open.
 *
 * IDENTIFICATION
 *	  src/exec/exec.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_EXEC_H
#define PGM_EXEC_H

#include "base/subxact.h"
#include "script/script.h"
#include "store/store.h"

/* attempt.c */
typedef void (*PgmAttemptFailed) (void *arg, double lost_ms);

extern void pgm_attempt_run(PgmSubxactBody body, PgmAttemptFailed failed, void *arg);
extern bool pgm_attempt_lacks_lock(const ErrorData *error);
extern int	pgm_attempt_watch_interval(void);
extern void pgm_attempt_name_blockers(ErrorData *error);

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

extern void pgm_execute_limit_lock_wait(void);
extern void pgm_execute_statement(PgmExecution *execution, PgmPart part,
								  const PgmStatement *statement);
extern void pgm_execute_part(PgmExecution *execution, PgmPart part);

/* look.c */
extern void pgm_look(PgmExecution *execution, PgmPart part);

#endif							/* PGM_EXEC_H */

/*-------------------------------------------------------------------------
 *
 * online.h
 *	  Runs that a worker carries out step by step.
 *
 * IDENTIFICATION
 *	  src/online/online.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_ONLINE_RUN_H
#define PGM_ONLINE_RUN_H

#include "plan/plan.h"
#include "store/online.h"

/* What a step is called that is a backfill. */
#define PGM_KIND_BACKFILL	"BACKFILL"

/* reason.c */
extern char *pgm_online_reason(const PgmScript *script, bool trusted);

/* submit.c */
/* When a run may go on. */
typedef struct PgmSchedule
{
	char	   *window;			/* or NULL */
	TimestampTz not_before;		/* 0: at once */
} PgmSchedule;

extern int64 pgm_online_submit(const PgmMigration *migration, const PgmScript *script,
							   int64 after_run, const PgmSchedule *schedule, const char *why);

/* What the worker has to do when a transaction of the runner has ended. */
typedef enum PgmRunNext
{
	PGM_RUN_AGAIN,				/* the next one */
	PGM_RUN_COMMAND,			/* run the command, which commits by itself */
	PGM_RUN_WAIT,				/* the next one after some time */
	PGM_RUN_STOPPED,			/* nothing: the run does not go on */
	PGM_RUN_ENDED				/* nothing: it has come to its end */
} PgmRunNext;

/*
 * A run at work; see runner.c.
 */
typedef struct PgmRunner
{
	int64		id;
	MemoryContext cxt;			/* reset before each transaction */
	PgmOnlineRun *run;			/* NULL before it was read */
	PgmScript  *script;
	bool		confined;		/* must not become another user */
	bool		trusted;		/* may its code be evaluated beforehand? */
	PgmRunStep *step;			/* at hand, or NULL */

	PgmRunNext	next;
	char	   *command;		/* of PGM_RUN_COMMAND */
	int			lock_timeout_ms;	/* for it, 0 if none */
	bool		tidies;			/* does it only make room for the step's own? */
	bool		undoes;			/* does it undo the step? */
	int			wait_ms;		/* of PGM_RUN_WAIT */

	bool		settles;		/* does this transaction settle the session? */
	bool		settled;		/* has it what the script has set? */
	int			failures;		/* in a row */
	bool		has_waited;		/* is it known to have come to a safe place? */
	int64		wal_before;		/* of the command */
	ErrorData  *error;			/* to be dealt with */
	double		lost_ms;		/* by it */
} PgmRunner;

/* runner.c */
extern void pgm_runner_step(PgmRunner *runner);
extern void pgm_runner_command_done(PgmRunner *runner);

/* failure.c */
extern void pgm_runner_failed(PgmRunner *runner);

/* act.c */
extern void pgm_act_wait(PgmRunner *runner, const char *reason);
extern bool pgm_act_must_wait(PgmRunner *runner);
extern void pgm_act(PgmRunner *runner);
extern void pgm_act_undo(PgmRunner *runner);
extern void pgm_act_again(PgmRunner *runner, const char *command);

/* reconcile.c */
typedef enum PgmFinding
{
	PGM_FOUND_DONE,
	PGM_FOUND_NOT_DONE,
	PGM_FOUND_REMAINS			/* of a try that did not come to its end */
} PgmFinding;

extern Oid	pgm_reconcile_object(Node *stmt);
extern PgmFinding pgm_reconcile(Node *stmt, Oid object, bool undo, char **command);

/* inverse.c */
extern char *pgm_inverse_of(Node *stmt);
extern bool pgm_inverse_is_implied(Node *stmt, List *commands);

#endif							/* PGM_ONLINE_RUN_H */

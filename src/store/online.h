/*-------------------------------------------------------------------------
 *
 * online.h
 *	  Rows of migrate.online_run and migrate.run_step in and out.
 *
 * IDENTIFICATION
 *	  src/store/online.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_STORE_ONLINE_H
#define PGM_STORE_ONLINE_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "base/types.h"

/* What is being undone. */
typedef enum PgmUndo
{
	PGM_UNDO_NOTHING,
	PGM_UNDO_STATEMENT,			/* the one that is not finished */
	PGM_UNDO_ALL
} PgmUndo;

/* A row of migrate.online_run. */
typedef struct PgmOnlineRun
{
	int64		id;
	char	   *migration;
	PgmJobState state;
	char	   *reason;
	const char *why;
	PgmUndo		undo;
	int64		after_run;		/* 0 if none */
	List	   *settings;		/* names and values, see
								 * pgm_guc_save_meaning() */
	int			statement;		/* last one that has steps */
	int			statements;
	char	   *window;			/* or NULL */
	TimestampTz not_before;		/* 0: at once */
	int64		cluster;
	Oid			database;
	char	   *run_as;
	Oid			run_as_oid;
	char	   *checksum;		/* of the script, from migrate.run */
} PgmOnlineRun;

typedef enum PgmStepState
{
	PGM_RUN_STEP_PENDING,
	PGM_RUN_STEP_RUNNING,		/* begun, and not in a transaction */
	PGM_RUN_STEP_DONE,
	PGM_RUN_STEP_FAILED,
	PGM_RUN_STEP_UNDONE
} PgmStepState;

/* A row of migrate.run_step. */
typedef struct PgmRunStep
{
	int			number;
	int			statement;
	int			line;
	const char *kind;
	char	   *sql;
	const char *why;			/* or NULL */
	const char *undo;			/* "" if there is nothing to, NULL if it
								 * cannot be */
	const char *relation;		/* or NULL, as the next two */
	const char *lock;
	const char *hold;
	int64		bytes;			/* that it reads or writes, by what was known
								 * when it was written */
	PgmStepState state;
	Oid			object;
	int64		job;			/* 0 if none */
} PgmRunStep;

/* How long steps of a kind took that are done. */
typedef struct PgmStepRate
{
	char	   *kind;
	char	   *hold;
	double		bytes_per_ms;	/* of those of some size, 0 if there are none */
	double		ms;				/* of the others, 0 if there are none */
} PgmStepRate;

/* online.c */
extern void pgm_store_insert_online_run(const PgmOnlineRun *run);
extern PgmOnlineRun *pgm_store_fetch_online_run(int64 id, bool for_update);
extern int64 pgm_store_find_open_run(const char *migration);
extern int64 pgm_store_find_last_run(const char *migration);
extern void pgm_store_set_run_state(int64 id, PgmJobState state, PgmUndo undo, const char *reason);
extern void pgm_store_fail_run(int64 id, PgmUndo undo, const char *sqlstate, const char *error);
extern void pgm_store_set_run_running(int64 id);
extern void pgm_store_set_run_reason(int64 id, const char *reason);
extern int	pgm_store_begin_run(int64 id);
extern void pgm_store_clear_run_starts(int64 id);
extern void pgm_store_set_run_statement(int64 id, int statement);
extern void pgm_store_set_run_here(const PgmOnlineRun *run);
extern List *pgm_store_release_runs(int64 id);
extern List *pgm_store_fetch_due_runs(void);
extern List *pgm_store_fetch_waiting_runs(void);
extern void pgm_store_suspend_foreign_runs(void);
extern char *pgm_store_run_progress_line(int64 id);

/* step.c */
extern void pgm_store_insert_step(int64 run, const PgmRunStep *step);
extern PgmRunStep *pgm_store_fetch_next_step(int64 run);
extern PgmRunStep *pgm_store_fetch_last_step(int64 run, int statement);
extern PgmRunStep *pgm_store_fetch_irreversible(int64 run, int statement);
extern bool pgm_store_is_statement_done(int64 run, int statement);
extern List *pgm_store_fetch_commands(int64 run, List *kinds);
extern List *pgm_store_fetch_undo_commands(int64 run);
extern void pgm_store_begin_step(int64 run, const PgmRunStep *step);
extern void pgm_store_finish_step(int64 run, const PgmRunStep *step, int64 rows, int64 wal_bytes);
extern void pgm_store_forget_step_job(int64 run, int64 job);
extern void pgm_store_set_step_state(int64 run, int number, PgmStepState state);
extern void pgm_store_fail_step(int64 run, int number, const char *sqlstate, const char *error,
								int position);
extern void pgm_store_add_step_try(int64 run, int number, double lost_ms);
extern List *pgm_store_fetch_rates(void);

#endif							/* PGM_STORE_ONLINE_H */

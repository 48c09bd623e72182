/*-------------------------------------------------------------------------
 *
 * act.c
 *	  What a step does, and what undoes it.
 *
 * A step that can run in a transaction runs in the one that records it.  One that
 * commits by itself is noted as begun, left to the worker, and recorded after
 * that; reconcile.c finds out what became of it where the end is missing.  A
 * backfill is submitted in the transaction that notes it, and then looked at
 * until it has ended.
 *
 * IDENTIFICATION
 *	  src/online/act.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "backfill/window.h"
#include "base/extension.h"
#include "base/guc.h"
#include "base/lock.h"
#include "base/worker.h"
#include "exec/exec.h"
#include "online/online.h"
#include "store/backfill.h"

/* How often to look at a backfill, unless somebody wakes us. */
#define LOOK_MS		1000

/* How long to wait at once for a time to come: clocks are set. */
#define LONGEST_WAIT_MS	60000

/* How long a batch of it holds rows: nobody should notice that. */
#define BATCH_MS	20

/*
 * Does a command take weak locks only, and would it leave half of its work if it
 * gave up waiting?
 */
static bool
may_stand_in_line(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_IndexStmt:
		case T_DropStmt:
			return true;
		case T_ReindexStmt:
			return pgm_classify_option(((ReindexStmt *) stmt)->params, "concurrently", false);
		case T_VacuumStmt:
			return !pgm_classify_option(((VacuumStmt *) stmt)->options, "full", false);
		default:
			return false;
	}
}

/*
 * Have the worker run a command when this transaction is committed.
 */
static void
leave_to_worker(PgmRunner *runner, const char *command)
{
	PgmStatement *statement;

	(void) pgm_online_script_of(runner->script, command, 0, 0, &statement);
	runner->lock_timeout_ms = may_stand_in_line(statement->raw->stmt) ? 0 : pgm_lock_timeout;
	runner->command = pstrdup(command);
	runner->next = PGM_RUN_COMMAND;
	runner->wal_before = pgWalUsage.wal_bytes;
	/* what it does will be there after a crash, so its note has to be */
	ForceSyncCommit();
}

/*
 * Have what the step at hand has left taken away.  A partition that is half detached
 * can only be detached, so that step then comes to its end, though it has failed.
 */
static void
tidy(PgmRunner *runner, Node *stmt, const char *command)
{
	if (IsA(stmt, AlterTableStmt))
		pgm_store_set_step_state(runner->id, runner->step->number, PGM_RUN_STEP_RUNNING);
	runner->tidies = true;
	leave_to_worker(runner, command);
}

/*
 * Wait, and say why.
 */
void
pgm_act_wait(PgmRunner *runner, const char *reason)
{
	pgm_store_set_run_reason(runner->id, reason);
	if (!runner->has_waited)
		pgm_store_clear_run_starts(runner->id);
	runner->has_waited = true;
	runner->next = PGM_RUN_WAIT;
	runner->wait_ms = LOOK_MS;
}

/*
 * Is it not yet time for the run, or not the hour?  If so, wait.
 */
bool
pgm_act_must_wait(PgmRunner *runner)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz open = Max(now, runner->run->not_before);
	PgmWindow  *window;
	char	   *problem;

	if (runner->run->window != NULL)
	{
		window = pgm_window_parse(runner->run->window, session_timezone, &problem);
		if (window != NULL)
			open = pgm_window_next(window, open);
	}
	if (open <= now)
		return false;
	pgm_act_wait(runner, psprintf(open == runner->run->not_before ? "not before %s" :
								  "outside its window until %s", timestamptz_to_str(open)));
	runner->wait_ms = (int) Min((open - now) / 1000 + 1, LONGEST_WAIT_MS);
	return true;
}

/*
 * Run a statement in the transaction that is open.
 */
static void
run_statement(PgmRunner *runner, const PgmScript *script, const PgmStatement *statement,
			  PgmExecution *execution)
{
	int			guc_level = NewGUCNestLevel();

	execution->script = script;
	execution->confined = runner->confined;
	pgm_execute_limit_lock_wait();
	pgm_lock_watch_begin(pgm_attempt_watch_interval());
	pgm_extension_set_running(true);
	PG_TRY();
	{
		pgm_execute_statement(execution, PGM_PART_UP, statement);
	}
	PG_FINALLY();
	{
		pgm_extension_set_running(false);
	}
	PG_END_TRY();
	pgm_lock_watch_end();
	AtEOXact_GUC(true, guc_level);
}

/*
 * A step that commits by itself.
 */
static void
act_by_itself(PgmRunner *runner, Node *stmt)
{
	const bool	undo = true;
	PgmRunStep *step = runner->step;
	char	   *command = NULL;

	if (step->state == PGM_RUN_STEP_PENDING)
		step->object = pgm_reconcile_object(stmt);
	else
	{
		switch (pgm_reconcile(stmt, step->object, !undo, &command))
		{
			case PGM_FOUND_DONE:
				/* what has failed and is there now is not what failed */
				if (step->state == PGM_RUN_STEP_FAILED)
					break;
				pgm_store_finish_step(runner->id, step, 0, 0);
				return;
			case PGM_FOUND_REMAINS:
				tidy(runner, stmt, command);
				return;
			case PGM_FOUND_NOT_DONE:
				break;
		}
	}
	pgm_store_begin_step(runner->id, step);
	leave_to_worker(runner, step->sql);
}

/*
 * Run the step's call of migrate.backfill(), and note which one it is.
 */
static void
submit_backfill(PgmRunner *runner)
{
	PgmRunStep *step = runner->step;
	const bool	read_only = true;
	const bool	for_update = true;
	const long	one_row = 1;
	PgmOnlineRun *run;
	PgmJob	   *job;
	bool		isnull;

	/* a pause() that has been would not see the backfill */
	run = pgm_store_fetch_online_run(runner->id, for_update);
	if (run == NULL || run->state != PGM_JOB_RUNNING || run->undo != PGM_UNDO_NOTHING)
		return;
	SPI_connect();
	if (SPI_execute(step->sql, !read_only, one_row) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "a step has not submitted its backfill: %s", step->sql);
	step->job = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
											&isnull));
	SPI_finish();
	pgm_store_begin_step(runner->id, step);

	/* the rest of the run waits for it */
	job = pgm_store_fetch_job(step->job, for_update);
	job->duty = pgm_online_duty;
	job->batch_ms = BATCH_MS;
	job->window = runner->run->window;
	pgm_store_set_limits(job);
}

static void
report_lost(const PgmJob *job, const char *how)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("backfill \"%s\" %s", job->name, how),
			 job->reason[0] != '\0' ? errdetail("The reason is: %s.", job->reason) : 0));
}

/*
 * Look at the backfill that the step waits for.
 */
static void
look_at_backfill(PgmRunner *runner)
{
	PgmRunStep *step = runner->step;
	const bool	for_update = true;
	PgmJob	   *job = pgm_store_fetch_job(step->job, !for_update);
	PgmCounters sum;

	if (job == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("backfill " INT64_FORMAT " does not exist any more", step->job)));
	switch (job->state)
	{
		case PGM_JOB_DONE:
			pgm_store_sum_lanes(step->job, &sum);
			pgm_store_finish_step(runner->id, step, sum.rows, sum.wal_bytes);
			break;
		case PGM_JOB_FAILED:
			report_lost(job, "has failed");
			break;
		case PGM_JOB_CANCELLED:
			report_lost(job, "was cancelled");
			break;
		case PGM_JOB_PAUSED:
		case PGM_JOB_SUSPENDED:
			pgm_act_wait(runner, psprintf("backfill \"%s\" is %s", job->name,
										  pgm_job_state_name(job->state)));
			break;
		default:
			pgm_act_wait(runner, "");
	}
}

/*
 * Do the step at hand, as far as this transaction goes.
 */
void
pgm_act(PgmRunner *runner)
{
	PgmRunStep *step = runner->step;
	PgmStatement *statement;
	PgmScript  *script = pgm_online_script_of(runner->script, step->sql, step->statement,
											  step->line, &statement);
	PgmExecution execution = {0};

	runner->next = PGM_RUN_AGAIN;
	/* if this gets through, the run does not wait for what it waited for */
	if (step->job == 0)
		pgm_store_set_run_reason(runner->id, "");
	if (strcmp(step->kind, PGM_KIND_BACKFILL) == 0)
	{
		if (step->job == 0)
			submit_backfill(runner);
		else
			look_at_backfill(runner);
	}
	else if (!pgm_classify_transactional(statement->raw->stmt))
		act_by_itself(runner, statement->raw->stmt);
	else
	{
		run_statement(runner, script, statement, &execution);
		pgm_store_finish_step(runner->id, step, execution.rows, execution.wal_bytes);
	}
}

/*
 * Run a command of a step that is done once more, which only sets something for
 * the session.
 */
void
pgm_act_again(PgmRunner *runner, const char *command)
{
	PgmStatement *statement;
	PgmScript  *script = pgm_online_script_of(runner->script, command, 0, 0, &statement);
	PgmExecution execution = {0};

	run_statement(runner, script, statement, &execution);
}

/*
 * End the backfill of a step that is being undone.
 */
static void
cancel_backfill(const PgmRunStep *step)
{
	const bool	for_update = true;
	PgmJob	   *job = pgm_store_fetch_job(step->job, for_update);

	if (job == NULL || job->state == PGM_JOB_DONE || job->state == PGM_JOB_CANCELLED)
		return;
	pgm_store_set_job_state(job->id, PGM_JOB_CANCELLED, "the step that needs it is undone");
	pgm_worker_cancel_at_commit(job->id);
}

/*
 * Leave what undoes a step to the worker, or do it here; returns whether it is
 * done.  What commits by itself may have been begun before.
 */
static bool
run_undo(PgmRunner *runner)
{
	PgmRunStep *step = runner->step;
	PgmStatement *statement;
	PgmScript  *script = pgm_online_script_of(runner->script, step->undo, step->statement,
											  step->line, &statement);
	PgmExecution execution = {0};
	char	   *command = NULL;
	const bool	undo = true;
	ListCell   *lc;

	if (!pgm_classify_transactional(statement->raw->stmt))
	{
		switch (pgm_reconcile(statement->raw->stmt, InvalidOid, !undo, &command))
		{
			case PGM_FOUND_DONE:
				return true;
			case PGM_FOUND_REMAINS:
				runner->tidies = true;
				leave_to_worker(runner, command);
				return false;
			case PGM_FOUND_NOT_DONE:
				break;
		}
		runner->undoes = true;
		leave_to_worker(runner, step->undo);
		return false;
	}
	foreach(lc, pgm_script_statements(script, PGM_PART_UP))
	{
		statement = (PgmStatement *) lfirst(lc);
		statement->number = step->statement;
		statement->line = step->line;
		run_statement(runner, script, statement, &execution);
	}
	return true;
}

/*
 * Undo a step that is done; returns whether that is all.
 */
static bool
undo_done(PgmRunner *runner)
{
	PgmRunStep *step = runner->step;

	if (step->undo == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("nothing undoes step %d: %s", step->number, step->sql),
				 errhint("Undo it by hand, and record that with migrate.resolve().")));
	return step->undo[0] == '\0' || run_undo(runner);
}

/*
 * Undo a step that was begun and did not come to its end; returns whether that is
 * all.  Only a command that commits by itself can have left something.
 */
static bool
undo_begun(PgmRunner *runner, Node *stmt)
{
	const bool	undo = true;
	PgmRunStep *step = runner->step;
	char	   *command = NULL;

	if (pgm_classify_transactional(stmt))
		return true;
	switch (pgm_reconcile(stmt, step->object, undo, &command))
	{
		case PGM_FOUND_DONE:
			/* what has failed and is there now is not what failed */
			return step->state == PGM_RUN_STEP_FAILED || undo_done(runner);
		case PGM_FOUND_REMAINS:
			tidy(runner, stmt, command);
			return false;
		case PGM_FOUND_NOT_DONE:
			break;
	}
	return true;
}

/*
 * Undo the step at hand, as far as this transaction goes.
 */
void
pgm_act_undo(PgmRunner *runner)
{
	PgmRunStep *step = runner->step;
	PgmStatement *statement;
	bool		all;

	runner->next = PGM_RUN_AGAIN;
	if (step->job != 0)
		cancel_backfill(step);
	(void) pgm_online_script_of(runner->script, step->sql, step->statement, step->line, &statement);
	all = step->state == PGM_RUN_STEP_DONE ? undo_done(runner) :
		undo_begun(runner, statement->raw->stmt);
	if (all)
		pgm_store_set_step_state(runner->id, step->number, PGM_RUN_STEP_UNDONE);
}

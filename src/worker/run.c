/*-------------------------------------------------------------------------
 *
 * run.c
 *	  The process that carries out an online run.
 *
 * It takes the run by a session lock that the server releases however the
 * process ends, and then does one transaction or command after the other, as
 * src/online/runner.c says.
 *
 * A start is counted in the run's row before anything is done, and the count is
 * cleared when the run has got on.  So a step that brings the server down is
 * known by its starts, and the run is suspended after a few.
 *
 * IDENTIFICATION
 *	  src/worker/run.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "base/extension.h"
#include "base/guc.h"
#include "base/hold.h"
#include "base/lock.h"
#include "base/shared.h"
#include "base/wait.h"
#include "base/worker.h"
#include "exec/exec.h"
#include "online/online.h"
#include "worker/worker.h"

/* Starts in a row without getting on after which a run is suspended. */
#define MAX_CRASHES		3

/* How often a transaction is tried that is not a step. */
#define MAX_TRIES		10

typedef struct RunWorker
{
	PgmRunner	runner;
	const char *label;			/* for the log */
	MemoryContext cxt;			/* of the process */
	bool		mine;
	bool		cleared;		/* is the count of starts? */
} RunWorker;

/*
 * Run a transaction that is not a step.  What goes wrong there is tried again a
 * few times, and ends the process then.
 */
static void
run_aside(RunWorker *w, PgmTransactionBody body)
{
	for (int failures = 1;; failures++)
	{
		ErrorData  *error = pgm_session_run_untimed(body, w, w->cxt);

		if (error == NULL)
			return;
		if (failures == 1 || failures == MAX_TRIES)
			ereport(LOG,
					(errcode(error->sqlerrcode),
					 errmsg("%s: %s", w->label, error->message)));
		FreeErrorData(error);
		if (failures == MAX_TRIES)
			proc_exit(1);
		pgm_wait_latch_ms(pgm_wait_backoff_ms(failures, 0));
	}
}

static bool
is_due(int64 id)
{
	ListCell   *lc;

	foreach(lc, pgm_store_fetch_due_runs())
	{
		if (((PgmOnlineRun *) lfirst(lc))->id == id)
			return true;
	}
	return false;
}

/*
 * Take the run, if it is to go on and nobody else has it.
 */
static void
take_run(void *arg)
{
	RunWorker  *w = (RunWorker *) arg;

	w->mine = pgm_extension_share() && is_due(w->runner.id) && pgm_hold_run(w->runner.id);
}

/*
 * Count the start, and give up if it was one too many.
 */
static void
begin_run(void *arg)
{
	RunWorker  *w = (RunWorker *) arg;
	const bool	for_update = true;
	PgmOnlineRun *run = NULL;
	int			starts;
	MemoryContext old;

	if (pgm_extension_share())
		run = pgm_store_fetch_online_run(w->runner.id, for_update);
	w->mine = run != NULL && (run->state == PGM_JOB_QUEUED || run->state == PGM_JOB_RUNNING);
	if (!w->mine)
		return;
	old = MemoryContextSwitchTo(w->cxt);
	w->label = psprintf("run " INT64_FORMAT " of migration \"%s\" in database \"%s\" as role \"%s\"",
						run->id, run->migration, get_database_name(MyDatabaseId), run->run_as);
	MemoryContextSwitchTo(old);
	starts = pgm_store_begin_run(run->id);
	/* a crash right after must not take the count back */
	ForceSyncCommit();
	if (starts > MAX_CRASHES)
	{
		pgm_store_set_run_state(run->id, PGM_JOB_SUSPENDED, run->undo,
								psprintf("its worker ended %d times without getting on", starts - 1));
		ereport(LOG, (errmsg("%s: suspended, since its workers end without getting on", w->label)));
		w->mine = false;
		return;
	}
}

static void
do_step(void *arg)
{
	pgm_runner_step(&((RunWorker *) arg)->runner);
}

static void
record_command(void *arg)
{
	pgm_runner_command_done(&((RunWorker *) arg)->runner);
}

static void
deal_with_failure(void *arg)
{
	pgm_runner_failed(&((RunWorker *) arg)->runner);
}

static void
clear_starts(void *arg)
{
	RunWorker  *w = (RunWorker *) arg;

	if (pgm_extension_share())
		pgm_store_clear_run_starts(w->runner.id);
}

/*
 * The last transaction or command has failed.
 */
static void
recover(RunWorker *w, ErrorData *error, double ms)
{
	PgmRunner  *runner = &w->runner;

	runner->error = error;
	runner->lost_ms = ms;
	run_aside(w, deal_with_failure);
	if (runner->next == PGM_RUN_STOPPED || runner->failures == 1)
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("%s: %s: %s", w->label,
						runner->next == PGM_RUN_STOPPED ? "stopped" : "tries again", error->message)));
	runner->error = NULL;
	FreeErrorData(error);
}

/*
 * One transaction, and the command that it asks for.
 */
static void
work(RunWorker *w)
{
	PgmRunner  *runner = &w->runner;
	instr_time	start;
	instr_time	end;
	ErrorData  *error;

	INSTR_TIME_SET_CURRENT(start);
	error = pgm_session_run(do_step, w, w->cxt);
	if (error == NULL && runner->next == PGM_RUN_COMMAND)
	{
		int			lock_timeout = LockTimeout;

		pgm_session_limit_locks(runner->lock_timeout_ms);
		pgm_lock_watch_begin(pgm_attempt_watch_interval());
		error = pgm_session_execute(runner->command, w->cxt);
		pgm_lock_watch_end();
		pgm_session_limit_locks(lock_timeout);
		if (error == NULL)
		{
			runner->next = PGM_RUN_AGAIN;
			run_aside(w, record_command);
		}
	}
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	if (error != NULL)
	{
		recover(w, error, INSTR_TIME_GET_MILLISEC(end));
		return;
	}
	if (runner->settles)
		runner->settled = true;
	if (runner->next != PGM_RUN_WAIT)
		runner->failures = 0;
	if (!w->cleared && runner->next == PGM_RUN_AGAIN && runner->step != NULL && !runner->tidies)
	{
		run_aside(w, clear_starts);
		w->cleared = true;
	}
}

static void
end_at_exit(int code, Datum arg)
{
	pgm_shared_wake_launcher();
}

void
pgmigrate_run_main(Datum arg)
{
	const PgmWorkerArgs *args = pgm_worker_args();
	RunWorker  *w = MemoryContextAllocZero(TopMemoryContext, sizeof(RunWorker));

	/*
	 * after the connection, or one that is refused would be tried at once
	 * again
	 */
	pgm_session_begin(args->database, args->role, args->pinned);
	before_shmem_exit(end_at_exit, (Datum) 0);
	pgm_session_be_run();
	w->cxt = AllocSetContextCreate(TopMemoryContext, "pgmigrate run", ALLOCSET_DEFAULT_SIZES);
	w->runner.cxt = AllocSetContextCreate(w->cxt, "pgmigrate step", ALLOCSET_DEFAULT_SIZES);
	w->runner.id = args->job;
	w->label = psprintf("run " INT64_FORMAT, args->job);
	pgm_shared_set_pending(args->database, true);
	pgstat_report_activity(STATE_RUNNING, w->label);
	run_aside(w, take_run);
	if (w->mine)
		run_aside(w, begin_run);
	if (!w->mine)
		proc_exit(0);
	ereport(LOG, (errmsg("%s: begins", w->label)));
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		pgm_session_reload();
		pgstat_report_activity(STATE_RUNNING, w->label);
		work(w);
		if (w->runner.next >= PGM_RUN_STOPPED)
			break;
		if (w->runner.next == PGM_RUN_WAIT)
			pgm_wait_latch_ms(w->runner.wait_ms);
	}
	ereport(LOG, (errmsg("%s: %s", w->label,
						 w->runner.next == PGM_RUN_ENDED ? "ends" : "stops")));
	/* who was told to go on with the run may have found it taken, and left */
	pgm_hold_release_run(w->runner.id);
	run_aside(w, pgm_dispatch);
	proc_exit(0);
}

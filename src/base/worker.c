/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  Starting background workers, and telling them things at commit.
 *
 * A worker that is started, woken or cancelled in the middle of a transaction
 * would look at rows that are not committed yet, and would have been bothered
 * for nothing if the transaction rolls back.  So a function only notes what is
 * to be done, and a callback does it right after the commit, when the rows can
 * be seen.  What was noted in a subtransaction goes with it if it rolls back.
 *
 * IDENTIFICATION
 *	  src/base/worker.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <signal.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/hold.h"
#include "base/shared.h"
#include "base/worker.h"

typedef enum ActionKind
{
	ACTION_START,
	ACTION_WAKE,
	ACTION_STOP,				/* of workers only */
	ACTION_CANCEL
} ActionKind;

typedef struct Action
{
	ActionKind	kind;
	SubTransactionId subid;		/* that asked for it */
	PgmWorkerArgs args;
} Action;

/* To be done at commit; in TopTransactionContext. */
static List *actions = NIL;
static bool callback_registered = false;

/*
 * Start a worker that runs a function of this library.  Returns false if all of
 * max_worker_processes are in use.  The worker is bound to a database and so
 * never started again by the postmaster, which cannot know whether the database
 * is still there.
 */
bool
pgm_worker_start(const char *function, const char *type, const PgmWorkerArgs *args)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "pgmigrate", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, function, BGW_MAXLEN);
	strlcpy(worker.bgw_type, type, BGW_MAXLEN);
	if (args->job != 0)
		snprintf(worker.bgw_name, BGW_MAXLEN, "%s " INT64_FORMAT, type, args->job);
	else
		strlcpy(worker.bgw_name, type, BGW_MAXLEN);
	StaticAssertStmt(sizeof(PgmWorkerArgs) <= BGW_EXTRALEN, "arguments do not fit");
	memcpy(worker.bgw_extra, args, sizeof(PgmWorkerArgs));
	return RegisterDynamicBackgroundWorker(&worker, NULL);
}

/*
 * The same for one that works on a backfill or a run.
 */
bool
pgm_worker_start_job(const PgmWorkerArgs *args)
{
	if (args->is_run)
		return pgm_worker_start("pgmigrate_run_main", "pgmigrate run", args);
	return pgm_worker_start("pgmigrate_lane_main", "pgmigrate backfill", args);
}

/*
 * Can a worker act as a role?  False if the role is gone.  Where the server
 * cannot connect as a role that may not log in, the worker has to connect as
 * superuser and be pinned to the role.
 */
bool
pgm_worker_can_be(Oid role, bool *pinned)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));

	if (!HeapTupleIsValid(tuple))
		return false;
	*pinned = PGM_WORKER_AS_ANY_ROLE == 0 &&
		!((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	return true;
}

/*
 * The arguments of the worker that this process is.
 */
const PgmWorkerArgs *
pgm_worker_args(void)
{
	static PgmWorkerArgs args;

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	return &args;
}

/*
 * Wake all who work on a job, and cancel the statements that those are in whose
 * lanes have this number or a higher one.
 */
static void
signal_lanes(int64 job, int cancel_from)
{
	ListCell   *lc;

	foreach(lc, pgm_hold_lanes(job))
	{
		PgmHolder  *holder = (PgmHolder *) lfirst(lc);
		PGPROC	   *proc = BackendPidGetProc(holder->pid);

		if (proc == NULL)
			continue;
		if (holder->lane >= cancel_from)
			(void) kill(holder->pid, SIGINT);
		SetLatch(&proc->procLatch);
	}
}

/*
 * Wake who works on a run, and cancel its statement if so told.
 */
static void
signal_run(int64 run, bool cancel)
{
	int			pid = pgm_hold_run_pid(run);
	PGPROC	   *proc = pid == 0 ? NULL : BackendPidGetProc(pid);

	if (proc == NULL)
		return;
	if (cancel)
		(void) kill(pid, SIGINT);
	SetLatch(&proc->procLatch);
}

static void
warn_no_worker(const PgmWorkerArgs *args)
{
	if (args->is_run)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("run " INT64_FORMAT " waits, since no background worker can be started",
						args->job),
				 errhint("Consider increasing max_worker_processes, and use migrate.resume().")));
	else
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("backfill " INT64_FORMAT " waits, since no background worker can be started",
						args->job),
				 errhint("Consider increasing max_worker_processes, or use CALL migrate.finish(" INT64_FORMAT ").",
						 args->job)));
}

/*
 * Nothing here may throw: the transaction is committed, and an error would be a
 * panic.
 */
static void
do_action(const Action *action, int64 *warned)
{
	switch (action->kind)
	{
		case ACTION_START:
			pgm_shared_set_pending(MyDatabaseId, true);
			pgm_shared_wake_launcher();
			if (!pgm_worker_start_job(&action->args) && *warned != action->args.job)
			{
				*warned = action->args.job;
				warn_no_worker(&action->args);
			}
			break;
		case ACTION_WAKE:
			if (action->args.is_run)
				signal_run(action->args.job, false);
			else
				signal_lanes(action->args.job, INT_MAX);
			break;
		case ACTION_STOP:
			if (action->args.is_run)
				signal_run(action->args.job, true);
			else
				signal_lanes(action->args.job, 1);
			break;
		case ACTION_CANCEL:
			signal_lanes(action->args.job, 0);
			break;
	}
}

static void
at_end_of_transaction(XactEvent event, void *arg)
{
	ListCell   *lc;
	int64		warned = 0;

	if (actions == NIL)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			foreach(lc, actions)
				do_action((Action *) lfirst(lc), &warned);
			actions = NIL;
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			actions = NIL;
			break;
		default:
			break;
	}
}

static void
at_end_of_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
						 void *arg)
{
	ListCell   *lc;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	foreach(lc, actions)
	{
		Action	   *action = (Action *) lfirst(lc);

		if (action->subid != mine)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			action->subid = parent;
		else
			actions = foreach_delete_current(actions, lc);
	}
}

static void
add_action(ActionKind kind, bool is_run, int64 job, Oid role, bool pinned)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	Action	   *action = palloc0(sizeof(Action));

	if (!callback_registered)
	{
		RegisterXactCallback(at_end_of_transaction, NULL);
		RegisterSubXactCallback(at_end_of_subtransaction, NULL);
		callback_registered = true;
	}
	action->kind = kind;
	action->subid = GetCurrentSubTransactionId();
	action->args.database = MyDatabaseId;
	action->args.role = role;
	action->args.job = job;
	action->args.is_run = is_run;
	action->args.pinned = pinned;
	actions = lappend(actions, action);
	MemoryContextSwitchTo(old);
}

/*
 * What this transaction has asked to be started is not wanted any more.
 */
static void
forget_starts(bool is_run, int64 job)
{
	ListCell   *lc;

	foreach(lc, actions)
	{
		Action	   *action = (Action *) lfirst(lc);

		if (action->kind == ACTION_START && action->args.is_run == is_run &&
			action->args.job == job)
			actions = foreach_delete_current(actions, lc);
	}
}

/*
 * When this transaction commits, start a worker for a backfill.
 */
void
pgm_worker_start_at_commit(int64 job, Oid role, bool pinned)
{
	add_action(ACTION_START, false, job, role, pinned);
}

/*
 * When this transaction commits, have those who work on a backfill look at its
 * row.
 */
void
pgm_worker_wake_at_commit(int64 job)
{
	add_action(ACTION_WAKE, false, job, InvalidOid, false);
}

/*
 * The same, and end the statements that workers are in: they are done again when
 * the backfill goes on.
 */
void
pgm_worker_stop_at_commit(int64 job)
{
	forget_starts(false, job);
	add_action(ACTION_STOP, false, job, InvalidOid, false);
}

/*
 * The same, and end the statements of sessions as well.
 */
void
pgm_worker_cancel_at_commit(int64 job)
{
	forget_starts(false, job);
	add_action(ACTION_CANCEL, false, job, InvalidOid, false);
}

/*
 * The same for a run: start its worker, have it look at the run's row, end its
 * statement.
 */
void
pgm_worker_start_run_at_commit(int64 run, Oid role, bool pinned)
{
	add_action(ACTION_START, true, run, role, pinned);
}

void
pgm_worker_wake_run_at_commit(int64 run)
{
	add_action(ACTION_WAKE, true, run, InvalidOid, false);
}

void
pgm_worker_stop_run_at_commit(int64 run)
{
	forget_starts(true, run);
	add_action(ACTION_STOP, true, run, InvalidOid, false);
}

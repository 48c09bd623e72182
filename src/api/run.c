/*-------------------------------------------------------------------------
 *
 * run.c
 *	  Online runs, as apply(), rollback(), pause(), resume(), cancel(), retry()
 *	  and resolve() know them
 *
 * A run goes by the name of its migration, of which one run is open at most.
 * Who may execute these functions may use them on any run, as on any backfill;
 * a run that came from another cluster is taken over by a role that has the
 * rights of the one that it runs as.
 *
 * IDENTIFICATION
 *	  src/api/run.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodes.h"
#include "utils/acl.h"

#include "api/limits.h"
#include "api/run.h"
#include "backfill/backfill.h"
#include "base/args.h"
#include "base/hold.h"
#include "base/worker.h"

/*
 * The open run that the first argument names, its row locked, or NULL.
 */
PgmOnlineRun *
pgm_run_argument(FunctionCallInfo fcinfo)
{
	if (get_fn_expr_argtype(fcinfo->flinfo, 0) == INT8OID)
		return NULL;
	return pgm_run_open(pgm_args_text(fcinfo, 0, "name"));
}

/*
 * The open run of a migration, its row locked, or NULL.
 */
PgmOnlineRun *
pgm_run_open(const char *migration)
{
	const bool	for_update = true;
	int64		id = pgm_store_find_open_run(migration);

	return id == 0 ? NULL : pgm_store_fetch_online_run(id, for_update);
}

/*
 * Throw unless a migration has no open run.
 */
void
pgm_run_check_none(const char *migration)
{
	if (pgm_store_find_open_run(migration) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("migration \"%s\" has a run that has not ended", migration),
			 errhint("Wait for it with CALL migrate.wait(), or end it with migrate.cancel().")));
}

static void
report_state(const PgmOnlineRun *run, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot %s the run of migration \"%s\", which is %s", what, run->migration,
					pgm_job_state_name(run->state)),
			 hint != NULL ? errhint("%s", hint) : 0));
}

static char *
by_whom(const char *what)
{
	return psprintf("%s by %s", what, GetUserNameFromId(GetUserId(), false));
}

/*
 * Start the worker of a run at commit.  One too many ends by itself.
 */
static void
start_worker(const PgmOnlineRun *run)
{
	bool		pinned;

	if (!pgm_worker_can_be(run->run_as_oid, &pinned))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist any more", run->run_as)));
	pgm_worker_start_run_at_commit(run->id, run->run_as_oid, pinned);
}

/*
 * Have a run go on, and those that wait for a place in it be looked at.
 */
static void
go_on(PgmOnlineRun *run, PgmUndo undo, const char *reason)
{
	if (undo != PGM_UNDO_NOTHING && run->statement == 0)
	{
		/* it has not done anything, and may have to wait until it could */
		pgm_store_set_run_state(run->id, PGM_JOB_CANCELLED, PGM_UNDO_NOTHING, reason);
		pgm_worker_stop_run_at_commit(run->id);
		return;
	}
	pgm_store_clear_run_starts(run->id);
	pgm_store_set_run_state(run->id, PGM_JOB_QUEUED, undo, reason);
	pgm_worker_stop_run_at_commit(run->id);
	start_worker(run);
}

/* The backfill that the run's step waits for, its row locked, or NULL. */
static PgmJob *
open_backfill(const PgmOnlineRun *run)
{
	const bool	for_update = true;
	PgmRunStep *step = pgm_store_fetch_next_step(run->id);

	return step == NULL || step->job == 0 ? NULL : pgm_store_fetch_job(step->job, for_update);
}

static void
start_backfill(const PgmJob *job)
{
	pgm_worker_start_at_commit(job->id, job->run_as_oid, pgm_job_is_pinned(job));
}

/*
 * Take over a run that was submitted in another cluster or database.
 */
static void
bring_here(PgmOnlineRun *run)
{
	if (run->cluster == (int64) GetSystemIdentifier() && run->database == MyDatabaseId)
		return;
	run->run_as_oid = get_role_oid(run->run_as, false);
	if (!has_privs_of_role(GetUserId(), run->run_as_oid))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to resume the run of migration \"%s\"", run->migration),
				 errdetail("It was submitted in another cluster or database, and runs as role \"%s\".",
						   run->run_as)));
	pgm_store_set_run_here(run);
}

/*
 * migrate.pause(): the statement that the worker is in ends, and is done again
 * when the run goes on.
 */
const char *
pgm_run_pause(PgmOnlineRun *run)
{
	PgmJob	   *job = open_backfill(run);

	if (run->state == PGM_JOB_PAUSED)
		return "paused";
	if (run->state != PGM_JOB_QUEUED && run->state != PGM_JOB_RUNNING)
		report_state(run, "pause", NULL);
	pgm_store_set_run_state(run->id, PGM_JOB_PAUSED, run->undo, by_whom("paused"));
	pgm_worker_stop_run_at_commit(run->id);
	if (job != NULL && (job->state == PGM_JOB_QUEUED || job->state == PGM_JOB_RUNNING))
	{
		pgm_store_set_job_state(job->id, PGM_JOB_PAUSED, "its run is paused");
		pgm_worker_stop_at_commit(job->id);
	}
	return "paused";
}

/*
 * migrate.resume()
 */
const char *
pgm_run_resume(PgmOnlineRun *run)
{
	PgmJob	   *job = open_backfill(run);

	if (run->state == PGM_JOB_FAILED)
		report_state(run, "resume", "Use migrate.retry().");
	bring_here(run);
	if (job != NULL && job->state == PGM_JOB_PAUSED)
	{
		pgm_store_set_job_state(job->id, PGM_JOB_QUEUED, "");
		start_backfill(job);
	}
	if (run->state == PGM_JOB_PAUSED || run->state == PGM_JOB_SUSPENDED)
		go_on(run, run->undo, "");
	else
		start_worker(run);
	return "resumed";
}

/*
 * migrate.retry(): go on with the step that failed.
 */
const char *
pgm_run_retry(PgmOnlineRun *run)
{
	PgmJob	   *job = open_backfill(run);

	if (run->state != PGM_JOB_FAILED)
		report_state(run, "retry", run->state == PGM_JOB_PAUSED || run->state == PGM_JOB_SUSPENDED ?
					 "Use migrate.resume()." : NULL);
	bring_here(run);
	if (job != NULL && job->state == PGM_JOB_FAILED && pgm_job_reopen(job))
		start_backfill(job);
	else if (job != NULL && job->state == PGM_JOB_CANCELLED)
		pgm_store_forget_step_job(run->id, job->id);
	go_on(run, run->undo, "");
	return "queued";
}

/*
 * Throw if something that a statement of the run has done, or any (0), cannot be
 * undone.
 */
static void
check_reversible(const PgmOnlineRun *run, int statement)
{
	PgmRunStep *step = pgm_store_fetch_irreversible(run->id, statement);

	if (step != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot undo the run of migration \"%s\"", run->migration),
				 errdetail("Nothing undoes step %d, of statement %d, on line %d: %s",
						   step->number, step->statement, step->line, step->sql),
				 errhint("Go on with migrate.retry(), or undo it by hand and record that with migrate.resolve().")));
}

/*
 * migrate.cancel(): undo the statement that is not finished, and end.
 */
const char *
pgm_run_cancel(PgmOnlineRun *run)
{
	if (!pgm_store_is_statement_done(run->id, run->statement))
		check_reversible(run, run->statement);
	bring_here(run);
	go_on(run, run->undo == PGM_UNDO_ALL ? PGM_UNDO_ALL : PGM_UNDO_STATEMENT, by_whom("cancelled"));
	return "cancelled";
}

/*
 * migrate.rollback() of a migration whose run has not ended: undo all that it did.
 */
const char *
pgm_run_undo(PgmOnlineRun *run)
{
	check_reversible(run, 0);
	bring_here(run);
	go_on(run, PGM_UNDO_ALL, by_whom("rolled back"));
	return "queued";
}

/*
 * migrate.resolve() of a migration whose run has not ended: what the run did
 * stays as it is.  If the migration counts as applied, those that wait for it go
 * on.
 */
void
pgm_run_close(PgmOnlineRun *run, bool applied)
{
	PgmJob	   *job = open_backfill(run);
	ListCell   *lc;

	if (run->state == PGM_JOB_QUEUED || run->state == PGM_JOB_RUNNING)
		report_state(run, "resolve", "Use migrate.pause() first.");
	/* its worker stops, but may not have done so yet */
	pgm_hold_run_in_transaction(run->id);
	if (job != NULL && job->state < PGM_JOB_DONE)
	{
		pgm_store_set_job_state(job->id, PGM_JOB_CANCELLED, "its run is resolved");
		pgm_worker_cancel_at_commit(job->id);
	}
	if (applied)
	{
		foreach(lc, pgm_store_release_runs(run->id))
			start_worker((PgmOnlineRun *) lfirst(lc));
	}
	pgm_store_set_run_state(run->id, PGM_JOB_CANCELLED, PGM_UNDO_NOTHING, by_whom("resolved"));
}

/*-------------------------------------------------------------------------
 *
 * control.c
 *	  migrate.pause(), resume(), cancel(), retry() and alter_backfill()
 *
 * Each changes the job's row and has those who work on the job look at it when
 * the transaction commits.  Who may execute these functions may use them on any
 * backfill; a condition for hold_when and a backfill that came from elsewhere
 * are another matter, since they make something run as the job's role.
 *
 * IDENTIFICATION
 *	  src/api/control.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/regproc.h"

#include "api/limits.h"
#include "api/run.h"
#include "backfill/backfill.h"
#include "base/args.h"
#include "base/extension.h"
#include "base/hold.h"
#include "base/worker.h"

PG_FUNCTION_INFO_V1(pgmigrate_pause);
PG_FUNCTION_INFO_V1(pgmigrate_resume);
PG_FUNCTION_INFO_V1(pgmigrate_cancel);
PG_FUNCTION_INFO_V1(pgmigrate_retry);
PG_FUNCTION_INFO_V1(pgmigrate_alter_backfill);

/*
 * What the call is about, its row locked: the run of the migration of that name
 * that has not ended, or else a backfill.
 */
static PgmJob *
begin_control(FunctionCallInfo fcinfo, const char *call, PgmOnlineRun **run)
{
	const bool	for_update = true;

	PreventCommandIfReadOnly(call);
	pgm_extension_require();
	*run = pgm_run_argument(fcinfo);
	if (*run != NULL)
		return NULL;
	return pgm_job_fetch(pgm_job_argument(fcinfo), for_update);
}

static void
report_state(const PgmJob *job, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot %s backfill \"%s\", which is %s", what, job->name,
					pgm_job_state_name(job->state)),
			 hint != NULL ? errhint("%s", hint) : 0));
}

/*
 * The table, or a place, may be free for other jobs now.
 */
static void
start_due_jobs(void)
{
	ListCell   *lc;

	foreach(lc, pgm_store_fetch_due_jobs())
	{
		PgmJob	   *job = (PgmJob *) lfirst(lc);

		if (pgm_hold_lanes(job->id) == NIL)
			pgm_worker_start_at_commit(job->id, job->run_as_oid, pgm_job_is_pinned(job));
	}
}

/*
 * Take over a job that was submitted in another cluster or database: its table
 * and its role are looked up by their names, and the caller has to have the
 * rights of the role.
 */
static void
bring_here(PgmJob *job)
{
	if (pgm_job_is_here(job))
		return;
	job->run_as_oid = get_role_oid(job->run_as, false);
	if (!has_privs_of_role(GetUserId(), job->run_as_oid))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to resume backfill \"%s\"", job->name),
				 errdetail("It was submitted in another cluster or database, and runs as role \"%s\".",
						   job->run_as)));
	job->relid = DatumGetObjectId(DirectFunctionCall1(regclassin, CStringGetDatum(job->relation)));
	job->submitter.oid = get_role_oid(job->submitter.name, true);
	job->submitter.cluster = (int64) GetSystemIdentifier();
	job->database = MyDatabaseId;
	pgm_store_set_job_here(job);
	pgm_job_relocate_leaves(job);
}

/*
 * migrate.pause(id bigint), migrate.pause(name text)
 */
Datum
pgmigrate_pause(PG_FUNCTION_ARGS)
{
	PgmOnlineRun *run;
	PgmJob	   *job;

	pgm_args_check_count(fcinfo, 1);
	job = begin_control(fcinfo, "migrate.pause()", &run);
	if (run != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(pgm_run_pause(run)));
	if (job->state == PGM_JOB_PAUSED)
		PG_RETURN_TEXT_P(cstring_to_text("paused"));
	if (job->state != PGM_JOB_QUEUED && job->state != PGM_JOB_RUNNING)
		report_state(job, "pause", NULL);
	pgm_store_set_job_state(job->id, PGM_JOB_PAUSED,
							psprintf("by %s", GetUserNameFromId(GetUserId(), false)));
	pgm_worker_stop_at_commit(job->id);
	start_due_jobs();
	PG_RETURN_TEXT_P(cstring_to_text("paused"));
}

/*
 * migrate.resume(id bigint), migrate.resume(name text)
 */
Datum
pgmigrate_resume(PG_FUNCTION_ARGS)
{
	PgmOnlineRun *run;
	PgmJob	   *job;

	pgm_args_check_count(fcinfo, 1);
	job = begin_control(fcinfo, "migrate.resume()", &run);
	if (run != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(pgm_run_resume(run)));
	if (job->state == PGM_JOB_FAILED)
		report_state(job, "resume", "Use migrate.retry().");
	if (job->state > PGM_JOB_FAILED)
		report_state(job, "resume", NULL);
	bring_here(job);
	if (job->state == PGM_JOB_PAUSED || job->state == PGM_JOB_SUSPENDED)
	{
		pgm_store_clear_crashes(job->id, -1);
		pgm_store_set_job_state(job->id, PGM_JOB_QUEUED, "");
	}
	pgm_job_start_lanes(job);
	PG_RETURN_TEXT_P(cstring_to_text("resumed"));
}

/*
 * migrate.cancel(id bigint), migrate.cancel(name text)
 */
Datum
pgmigrate_cancel(PG_FUNCTION_ARGS)
{
	PgmOnlineRun *run;
	PgmJob	   *job;

	pgm_args_check_count(fcinfo, 1);
	job = begin_control(fcinfo, "migrate.cancel()", &run);
	if (run != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(pgm_run_cancel(run)));
	if (job->state == PGM_JOB_CANCELLED)
		PG_RETURN_TEXT_P(cstring_to_text("cancelled"));
	if (job->state == PGM_JOB_DONE)
		report_state(job, "cancel", NULL);
	pgm_store_set_job_state(job->id, PGM_JOB_CANCELLED,
							psprintf("by %s", GetUserNameFromId(GetUserId(), false)));
	pgm_worker_cancel_at_commit(job->id);
	start_due_jobs();
	PG_RETURN_TEXT_P(cstring_to_text("cancelled"));
}

/*
 * migrate.retry(id bigint), migrate.retry(name text)
 */
Datum
pgmigrate_retry(PG_FUNCTION_ARGS)
{
	PgmOnlineRun *run;
	PgmJob	   *job;

	pgm_args_check_count(fcinfo, 1);
	job = begin_control(fcinfo, "migrate.retry()", &run);
	if (run != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(pgm_run_retry(run)));
	if (job->state == PGM_JOB_PAUSED || job->state == PGM_JOB_SUSPENDED)
		report_state(job, "retry", "Use migrate.resume().");
	if (job->state != PGM_JOB_FAILED && job->state != PGM_JOB_DONE)
		report_state(job, "retry", NULL);
	bring_here(job);
	if (!pgm_job_reopen(job))
		report_state(job, "retry", "By key it goes through the table once, and no rows were put aside.");
	pgm_job_start_lanes(job);
	PG_RETURN_TEXT_P(cstring_to_text("queued"));
}

/*
 * migrate.alter_backfill(id bigint, ...)
 */
Datum
pgmigrate_alter_backfill(PG_FUNCTION_ARGS)
{
	const bool	for_update = true;
	PgmJob	   *job;

	pgm_args_check_count(fcinfo, 14);
	PreventCommandIfReadOnly("migrate.alter_backfill()");
	pgm_extension_require();
	job = pgm_job_fetch(pgm_job_argument(fcinfo), for_update);
	if (job->state == PGM_JOB_DONE || job->state == PGM_JOB_CANCELLED)
		report_state(job, "alter", NULL);
	pgm_job_check_here(job);
	if (!PG_ARGISNULL(11) && !has_privs_of_role(GetUserId(), job->run_as_oid))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set \"hold_when\" of backfill \"%s\"", job->name),
				 errdetail("The condition would run as role \"%s\".", job->run_as)));
	if (!PG_ARGISNULL(13))
		pgm_limits_reset(pgm_args_name_list(fcinfo, 13, "reset"), job);
	pgm_limits_read(fcinfo, 1, job);
	pgm_store_set_limits(job);
	pgm_worker_wake_at_commit(job->id);
	if (job->state == PGM_JOB_QUEUED || job->state == PGM_JOB_RUNNING)
		pgm_job_start_lanes(job);
	PG_RETURN_VOID();
}

/*-------------------------------------------------------------------------
 *
 * job.c
 *	  Which backfill is meant, who may run its batches, and its workers.
 *
 * IDENTIFICATION
 *	  src/api/job.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"

#include "api/limits.h"
#include "base/args.h"
#include "base/guc.h"
#include "base/rights.h"
#include "base/worker.h"
#include "store/store.h"

/*
 * The job that the first argument names, by id or by name.
 */
int64
pgm_job_argument(FunctionCallInfo fcinfo)
{
	const bool	for_update = true;
	char	   *name;
	int64		id;

	if (get_fn_expr_argtype(fcinfo->flinfo, 0) == INT8OID)
	{
		pgm_args_not_null(fcinfo, 0, "id");
		return PG_GETARG_INT64(0);
	}
	name = pgm_args_text(fcinfo, 0, "name");
	id = pgm_store_find_job(name);
	if (id == 0 && pgm_store_fetch_migration(name, !for_update) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" has no run that goes on", name),
				 errhint("See migrate.status().")));
	if (id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("backfill \"%s\" does not exist", name),
				 errhint("See migrate.backfill_history.")));
	return id;
}

/*
 * The job; throws if there is none.
 */
PgmJob *
pgm_job_fetch(int64 id, bool for_update)
{
	PgmJob	   *job = pgm_store_fetch_job(id, for_update);

	if (job == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("backfill " INT64_FORMAT " does not exist", id),
				 errhint("See migrate.backfill_history.")));
	return job;
}

/*
 * Was a job submitted here?  The OIDs in one that came with a dump mean nothing,
 * or other objects, in this cluster.
 */
bool
pgm_job_is_here(const PgmJob *job)
{
	return job->submitter.cluster == (int64) GetSystemIdentifier() &&
		job->database == MyDatabaseId;
}

/*
 * Throw unless it was.
 */
void
pgm_job_check_here(const PgmJob *job)
{
	if (pgm_job_is_here(job))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("backfill \"%s\" was submitted in another cluster or database", job->name),
			 errhint("Use migrate.resume() to have it run here.")));
}

/*
 * Throw unless the caller may run batches of a job itself.  They hold code of the
 * submitter's and fire triggers of the table's owner, so the caller has to be
 * the role that the job runs as, and nothing must lead from there to another.
 */
void
pgm_job_check_runner(const PgmJob *job)
{
	PgmAuthor	runner;

	pgm_job_check_here(job);
	runner.name = job->run_as;
	runner.oid = job->run_as_oid;
	runner.cluster = job->submitter.cluster;
	if (GetUserId() == job->run_as_oid && !pgm_rights_must_confine(&runner))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to run batches of backfill \"%s\"", job->name),
			 errdetail("It runs as role \"%s\".", job->run_as),
			 errhint("Connect as role \"%s\", or leave it to the workers.", job->run_as)));
}

/*
 * Must a worker be pinned to the role of a job?  Throws if the role is gone.
 */
bool
pgm_job_is_pinned(const PgmJob *job)
{
	bool		pinned;

	if (!pgm_worker_can_be(job->run_as_oid, &pinned))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist any more", job->run_as)));
	return pinned;
}

/*
 * Start a worker for each lane at commit, also for those that somebody works on:
 * who does may have seen the job's last state and be about to end.  One too many
 * ends by itself.
 */
void
pgm_job_start_lanes(const PgmJob *job)
{
	int			lanes = job->lanes > 0 ? job->lanes : pgm_backfill_lanes;
	bool		pinned = pgm_job_is_pinned(job);

	for (int i = 0; i < lanes; i++)
		pgm_worker_start_at_commit(job->id, job->run_as_oid, pinned);
}

/*
 * Throw unless the procedure may end transactions.
 */
void
pgm_job_check_nonatomic(FunctionCallInfo fcinfo, const char *name)
{
	if (fcinfo->context != NULL && IsA(fcinfo->context, CallContext) &&
		!castNode(CallContext, fcinfo->context)->atomic)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("%s cannot run inside a transaction block", name)));
}

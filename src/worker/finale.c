/*-------------------------------------------------------------------------
 *
 * finale.c
 *	  What a worker does when a job ends.
 *
 * IDENTIFICATION
 *	  src/worker/finale.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "backfill/backfill.h"
#include "base/compat.h"
#include "base/extension.h"
#include "base/relation.h"
#include "worker/finale.h"
#include "worker/worker.h"

typedef struct Vacuum
{
	int64		job_id;
	const char *label;			/* for the log */
	MemoryContext cxt;
	char	   *sql;			/* or NULL */
} Vacuum;

/*
 * Record that a job has failed, and with which error, unless somebody has paused
 * or cancelled it meanwhile.
 */
void
pgm_finale_fail(int64 id, bool too_many_bad, const ErrorData *error)
{
	const bool	for_update = true;
	PgmJob	   *job;
	PgmCounters sum;

	if (!pgm_extension_share())
		return;
	job = pgm_store_fetch_job(id, for_update);
	if (job == NULL || (job->state != PGM_JOB_RUNNING && job->state != PGM_JOB_QUEUED))
		return;
	if (!too_many_bad)
	{
		pgm_store_fail_job(id, PGM_JOB_FAILED, error->message,
						   unpack_sql_state(error->sqlerrcode),
						   error->detail == NULL ? error->message :
						   psprintf("%s (%s)", error->message, error->detail));
		return;
	}
	pgm_store_sum_lanes(id, &sum);
	pgm_store_fail_job(id, PGM_JOB_FAILED,
					   psprintf(INT64_FORMAT " rows were put aside, see migrate.backfill_error",
								sum.bad_rows),
					   NULL, NULL);
}

static void
prepare_vacuum(void *arg)
{
	Vacuum	   *v = (Vacuum *) arg;
	const bool	for_update = true;
	PgmJob	   *job;

	if (!pgm_extension_share())
		return;
	job = pgm_store_fetch_job(v->job_id, !for_update);
	if (job == NULL || job->state != PGM_JOB_RUNNING || !job->vacuum_analyze)
		return;
	if (!pgm_relation_is_owned(job->relid, job->run_as_oid))
	{
		ereport(LOG,
				(errmsg("%s: does not vacuum, since role \"%s\" does not own the table",
						v->label, job->run_as)));
		return;
	}
	v->sql = MemoryContextStrdup(v->cxt, psprintf("VACUUM (ANALYZE) %s",
												  pgm_relation_name(job->relid)));
}

/*
 * Vacuum and analyze the table if the job asks for it.  What goes wrong there is
 * logged, and the job is done all the same.
 */
void
pgm_finale_vacuum(int64 job, const char *label, MemoryContext cxt)
{
	Vacuum		v = {job, label, cxt, NULL};
	ErrorData  *error = pgm_session_run(prepare_vacuum, &v, cxt);

	if (error == NULL && v.sql != NULL)
		error = pgm_session_execute(v.sql, cxt);
	if (error != NULL)
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("%s: could not vacuum: %s", label, error->message)));
}

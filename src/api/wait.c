/*-------------------------------------------------------------------------
 *
 * wait.c
 *	  migrate.wait(): wait until a backfill has ended
 *
 * A procedure, since a function would keep its snapshot while it waits, and that
 * would keep what it waits for from making progress.  Each look is a transaction
 * of its own; between them there is a transaction without a snapshot.
 *
 * IDENTIFICATION
 *	  src/api/wait.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "api/limits.h"
#include "base/args.h"
#include "base/wait.h"

PG_FUNCTION_INFO_V1(pgmigrate_wait);

/* How often to look at the state, and to tell what has changed. */
#define LOOK_MS		100
#define TELL_MS		1000

/*
 * Tell where the job is, if that has changed.
 */
static void
tell_progress(int64 id, char **told)
{
	char	   *line = pgm_store_progress_line(id);

	if (line == NULL || (*told != NULL && strcmp(line, *told) == 0))
		return;
	ereport(NOTICE, (errmsg_internal("%s", line)));
	if (*told != NULL)
		pfree(*told);
	*told = MemoryContextStrdup(PortalContext, line);
}

static void
report_end(const PgmJob *job, const char *how)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("backfill \"%s\" %s", job->name, how),
			 job->reason[0] != '\0' ? errdetail("The reason is: %s.", job->reason) : 0));
}

/*
 * Return when the job is done; throw if it ended otherwise.
 */
static bool
has_ended(int64 id)
{
	const bool	for_update = true;
	PgmJob	   *job = pgm_job_fetch(id, !for_update);

	switch (job->state)
	{
		case PGM_JOB_DONE:
			return true;
		case PGM_JOB_FAILED:
			report_end(job, "has failed");
			break;
		case PGM_JOB_CANCELLED:
			report_end(job, "was cancelled");
			break;
		case PGM_JOB_SUSPENDED:
			report_end(job, "was suspended");
			break;
		default:
			break;
	}
	return false;
}

static TimestampTz
read_deadline(FunctionCallInfo fcinfo)
{
	Interval   *timeout;

	if (PG_ARGISNULL(1))
		return DT_NOEND;
	timeout = PG_GETARG_INTERVAL_P(1);
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												   TimestampTzGetDatum(GetCurrentTimestamp()),
												   IntervalPGetDatum(timeout)));
}

/*
 * migrate.wait(id bigint, timeout interval), migrate.wait(name text, ...)
 */
Datum
pgmigrate_wait(PG_FUNCTION_ARGS)
{
	TimestampTz deadline;
	TimestampTz tell_next = GetCurrentTimestamp();
	MemoryContext cxt;
	char	   *told = NULL;
	int64		id;
	bool		ended;

	pgm_args_check_count(fcinfo, 2);
	pgm_job_check_nonatomic(fcinfo, "CALL migrate.wait()");
	deadline = read_deadline(fcinfo);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	PushActiveSnapshot(GetTransactionSnapshot());
	id = pgm_job_argument(fcinfo);
	PopActiveSnapshot();
	cxt = AllocSetContextCreate(PortalContext, "pgmigrate wait", ALLOCSET_SMALL_SIZES);
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		MemoryContext old = MemoryContextSwitchTo(cxt);

		MemoryContextReset(cxt);
		PushActiveSnapshot(GetTransactionSnapshot());
		ended = has_ended(id);
		if (ended || now >= tell_next)
		{
			tell_progress(id, &told);
			tell_next = TimestampTzPlusMilliseconds(now, TELL_MS);
		}
		PopActiveSnapshot();
		MemoryContextSwitchTo(old);
		SPI_commit();
		if (ended)
			break;
		if (now >= deadline)
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("backfill " INT64_FORMAT " has not ended in the time given", id),
					 errhint("See migrate.progress.")));
		pgm_wait_ms(LOOK_MS);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

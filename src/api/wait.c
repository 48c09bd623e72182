/*-------------------------------------------------------------------------
 *
 * wait.c
 *	  migrate.wait(): wait until an online run or a backfill has ended
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

#include "catalog/pg_type.h"
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
#include "store/online.h"

PG_FUNCTION_INFO_V1(pgmigrate_wait);

/* How often to look at the state, and to tell what has changed. */
#define LOOK_MS		100
#define TELL_MS		1000

/* What is waited for. */
typedef struct Awaited
{
	bool		is_run;
	int64		id;
	char	   *told;			/* the last line that was */
} Awaited;

/*
 * The run of a migration that has not ended, or else a backfill.  One that ended
 * a moment ago counts too: the last run of the migration.
 */
static Awaited
find_awaited(FunctionCallInfo fcinfo)
{
	Awaited		awaited = {0};

	if (get_fn_expr_argtype(fcinfo->flinfo, 0) != INT8OID)
		awaited.id = pgm_store_find_last_run(pgm_args_text(fcinfo, 0, "name"));
	awaited.is_run = awaited.id != 0;
	if (!awaited.is_run)
		awaited.id = pgm_job_argument(fcinfo);
	return awaited;
}

/*
 * Tell where it is, if that has changed.
 */
static void
tell_progress(Awaited *awaited)
{
	char	   *line = awaited->is_run ? pgm_store_run_progress_line(awaited->id) :
		pgm_store_progress_line(awaited->id);

	if (line == NULL || (awaited->told != NULL && strcmp(line, awaited->told) == 0))
		return;
	ereport(NOTICE, (errmsg_internal("%s", line)));
	if (awaited->told != NULL)
		pfree(awaited->told);
	awaited->told = MemoryContextStrdup(PortalContext, line);
}

static void
report_end(const char *what, const char *how, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s %s", what, how),
			 reason[0] != '\0' ? errdetail("The reason is: %s.", reason) : 0));
}

/*
 * True when something in this state is done; throws if it ended otherwise.
 */
static bool
has_ended(PgmJobState state, const char *what, const char *reason)
{
	switch (state)
	{
		case PGM_JOB_DONE:
			return true;
		case PGM_JOB_FAILED:
			report_end(what, "has failed", reason);
			break;
		case PGM_JOB_CANCELLED:
			report_end(what, "was cancelled", reason);
			break;
		case PGM_JOB_SUSPENDED:
			report_end(what, "was suspended", reason);
			break;
		default:
			break;
	}
	return false;
}

static bool
is_over(const Awaited *awaited)
{
	const bool	for_update = true;

	if (awaited->is_run)
	{
		PgmOnlineRun *run = pgm_store_fetch_online_run(awaited->id, !for_update);

		if (run == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("run " INT64_FORMAT " does not exist any more", awaited->id)));
		return has_ended(run->state, psprintf("run of migration \"%s\"", run->migration), run->reason);
	}
	else
	{
		PgmJob	   *job = pgm_job_fetch(awaited->id, !for_update);

		return has_ended(job->state, psprintf("backfill \"%s\"", job->name), job->reason);
	}
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
	Awaited		awaited;
	bool		ended;

	pgm_args_check_count(fcinfo, 2);
	pgm_job_check_nonatomic(fcinfo, "CALL migrate.wait()");
	deadline = read_deadline(fcinfo);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	PushActiveSnapshot(GetTransactionSnapshot());
	awaited = find_awaited(fcinfo);
	PopActiveSnapshot();
	cxt = AllocSetContextCreate(PortalContext, "pgmigrate wait", ALLOCSET_SMALL_SIZES);
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		MemoryContext old = MemoryContextSwitchTo(cxt);

		MemoryContextReset(cxt);
		PushActiveSnapshot(GetTransactionSnapshot());
		ended = is_over(&awaited);
		if (ended || now >= tell_next)
		{
			tell_progress(&awaited);
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
					 errmsg("%s " INT64_FORMAT " has not ended in the time given",
							awaited.is_run ? "run" : "backfill", awaited.id),
					 errhint("See %s.", awaited.is_run ? "migrate.run_progress" : "migrate.progress")));
		pgm_wait_ms(LOOK_MS);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

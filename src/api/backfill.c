/*-------------------------------------------------------------------------
 *
 * backfill.c
 *	  migrate.backfill(): queue a backfill
 *
 * All that can be known beforehand is checked here, as the role that the job
 * will run as: that the table can be backfilled, that the texts are what they
 * should be, that the role may do that, that there is a way through the table.
 * The job is a row of this transaction; its worker starts when that commits.
 *
 * IDENTIFICATION
 *	  src/api/backfill.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "tcop/utility.h"

#include "api/limits.h"
#include "api/submit.h"
#include "backfill/backfill.h"
#include "base/args.h"
#include "base/compat.h"
#include "base/extension.h"

PG_FUNCTION_INFO_V1(pgmigrate_backfill);

#define MAX_NAME_BYTES	200

enum
{
	ARG_TARGET, ARG_ASSIGN, ARG_FILTER, ARG_NAME, ARG_STRATEGY, ARG_KEY, ARG_LIMITS,
	ARG_DELETE = 18, ARG_RUN_AS, ARG_COUNT
};

/*
 * The name of the job, or NULL.
 */
static char *
read_name(FunctionCallInfo fcinfo)
{
	char	   *name = pgm_args_optional_text(fcinfo, ARG_NAME, "name");
	bool		blank = true;

	if (name == NULL)
		return NULL;
	if (strlen(name) > MAX_NAME_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name of a backfill is too long"),
				 errdetail("It has %zu bytes, and can have %d.", strlen(name), MAX_NAME_BYTES)));
	for (const char *p = name; *p != '\0'; p++)
	{
		if ((unsigned char) *p < ' ')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("name of a backfill must not have control characters")));
		blank = blank && *p == ' ';
	}
	if (blank)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("name of a backfill must not be blank")));
	return name;
}

/*
 * migrate.backfill(target regclass, assign text, filter text, ...)
 */
Datum
pgmigrate_backfill(PG_FUNCTION_ARGS)
{
	PgmJob	   *job;
	PgmRoleScope scope;
	List	   *leaves;
	const bool	missing_ok = false;

	pgm_args_check_count(fcinfo, ARG_COUNT);
	PreventCommandIfReadOnly("migrate.backfill()");
	job = pgm_submit_read(fcinfo, ARG_TARGET, ARG_ASSIGN, ARG_FILTER, ARG_DELETE);
	job->name = read_name(fcinfo);
	pgm_extension_require();
	job->run_as_oid = pgm_submit_choose_role(fcinfo, ARG_RUN_AS, job->relid);
	job->run_as = GetUserNameFromId(job->run_as_oid, missing_ok);
	job->submitter = pgm_rights_current_author();
	job->database = MyDatabaseId;

	pgm_submit_enter_role(job->run_as_oid, &scope);
	pgm_limits_read(fcinfo, ARG_LIMITS, job);
	leaves = pgm_submit_check(fcinfo, job, ARG_STRATEGY, ARG_KEY);
	(void) pgm_job_create(job, leaves);
	pgm_submit_leave_role(&scope);

	pgm_job_start_lanes(job);
	PG_RETURN_INT64(job->id);
}

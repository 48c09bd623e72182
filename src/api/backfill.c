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

#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "api/limits.h"
#include "api/submit.h"
#include "backfill/backfill.h"
#include "base/args.h"
#include "base/compat.h"
#include "base/extension.h"
#include "base/guc.h"
#include "base/worker.h"

PG_FUNCTION_INFO_V1(pgmigrate_backfill);

#define MAX_NAME_BYTES	200

enum
{
	ARG_TARGET, ARG_ASSIGN, ARG_FILTER, ARG_NAME, ARG_STRATEGY, ARG_KEY, ARG_LIMITS,
	ARG_DELETE = 18, ARG_RUN_AS, ARG_COUNT
};

static Oid
table_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

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
 * The role to run as: the one that is named, if the caller has its rights, else
 * the caller; but for a superuser the owner of the table, whose triggers and
 * functions a backfill runs.
 */
static Oid
choose_role(FunctionCallInfo fcinfo, Oid relid)
{
	Oid			role = GetUserId();
	Oid			owner = table_owner(relid);

	if (!PG_ARGISNULL(ARG_RUN_AS))
	{
		role = PG_GETARG_OID(ARG_RUN_AS);
		if (!OidIsValid(role))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("argument \"run_as\" must name a role")));
		if (!has_privs_of_role(GetUserId(), role))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied to run a backfill as role \"%s\"",
							GetUserNameFromId(role, false)),
					 errhint("A role can be named whose rights you have.")));
	}
	else if (superuser() && owner != role && !superuser_arg(owner))
	{
		role = owner;
		ereport(NOTICE,
				(errmsg("the backfill will run as role \"%s\", which owns the table",
						GetUserNameFromId(owner, false)),
				 errhint("Name another role as \"run_as\" to change that.")));
	}
	if (pgm_database_aclcheck(MyDatabaseId, role, ACL_CONNECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to run a backfill as role \"%s\"",
						GetUserNameFromId(role, false)),
				 errdetail("It may not connect to the database, which the worker has to do.")));
	return role;
}

/*
 * From here to leave_role(), be the role that the job will run as, and see that
 * row security throws instead of leaving out rows.
 */
static void
enter_role(Oid role, PgmRoleScope *scope)
{
	GetUserIdAndSecContext(&scope->userid, &scope->sec_context);
	if (role != scope->userid)
		SetUserIdAndSecContext(role, scope->sec_context | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION);
	scope->guc_level = NewGUCNestLevel();
	(void) set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

static void
leave_role(PgmRoleScope *scope)
{
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->userid, scope->sec_context);
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
	bool		pinned;

	pgm_args_check_count(fcinfo, ARG_COUNT);
	PreventCommandIfReadOnly("migrate.backfill()");
	job = pgm_submit_read(fcinfo, ARG_TARGET, ARG_ASSIGN, ARG_FILTER, ARG_DELETE);
	job->name = read_name(fcinfo);
	if (!pgm_extension_share())
		elog(ERROR, "extension \"pgmigrate\" is gone");
	job->run_as_oid = choose_role(fcinfo, job->relid);
	job->run_as = GetUserNameFromId(job->run_as_oid, missing_ok);
	job->submitter = pgm_rights_current_author();
	job->database = MyDatabaseId;

	enter_role(job->run_as_oid, &scope);
	pgm_limits_read(fcinfo, ARG_LIMITS, job);
	leaves = pgm_submit_check(fcinfo, job, ARG_STRATEGY, ARG_KEY);
	(void) pgm_job_create(job, leaves);
	leave_role(&scope);

	pinned = pgm_job_is_pinned(job->run_as_oid);
	for (int i = 0; i < (job->lanes > 0 ? job->lanes : pgm_backfill_lanes); i++)
		pgm_worker_start_at_commit(job->id, job->run_as_oid, pinned);
	PG_RETURN_INT64(job->id);
}

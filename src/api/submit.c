/*-------------------------------------------------------------------------
 *
 * submit.c
 *	  What migrate.backfill() and migrate.estimate() have in common.
 *
 * IDENTIFICATION
 *	  src/api/submit.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "api/submit.h"
#include "backfill/backfill.h"
#include "base/args.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/relation.h"

/*
 * The role to run as: the one that argument "run_as" names, if it is not -1 and the
 * caller has its rights, else the caller; but for a superuser the owner of the
 * table, whose triggers and functions a backfill runs.
 */
Oid
pgm_submit_choose_role(FunctionCallInfo fcinfo, int run_as, Oid relid)
{
	Oid			role = GetUserId();
	Oid			owner = pgm_relation_owner(relid);

	if (run_as >= 0 && !PG_ARGISNULL(run_as))
	{
		role = PG_GETARG_OID(run_as);
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
 * From here to pgm_submit_leave_role(), be the role that the job will run as, and see that
 * row security throws instead of leaving out rows.
 */
void
pgm_submit_enter_role(Oid role, PgmRoleScope *scope)
{
	GetUserIdAndSecContext(&scope->userid, &scope->sec_context);
	if (role != scope->userid)
		SetUserIdAndSecContext(role, scope->sec_context | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION);
	scope->guc_level = NewGUCNestLevel();
	(void) set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
pgm_submit_leave_role(PgmRoleScope *scope)
{
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->userid, scope->sec_context);
}

static List *
read_key(FunctionCallInfo fcinfo, int n)
{
	List	   *key;

	if (PG_ARGISNULL(n))
		return NIL;
	key = pgm_args_name_list(fcinfo, n, "key");
	if (key == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"key\" must name at least one column")));
	return key;
}

static const char *
read_strategy(FunctionCallInfo fcinfo, int n)
{
	const char *strategy = pgm_args_text(fcinfo, n, "strategy");

	if (strcmp(strategy, "auto") != 0 && strcmp(strategy, "pages") != 0 &&
		strcmp(strategy, "key") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized strategy \"%s\"", strategy),
				 errhint("The strategies are \"auto\", \"pages\" and \"key\".")));
	return strategy;
}

/*
 * A job with what is to be done, from the arguments with these numbers, and no
 * limits of its own.
 */
PgmJob *
pgm_submit_read(FunctionCallInfo fcinfo, int target, int assign, int filter, int delete)
{
	PgmJob	   *job = palloc0(sizeof(PgmJob));

	pgm_args_not_null(fcinfo, target, "target");
	job->relid = PG_GETARG_OID(target);
	job->is_delete = !PG_ARGISNULL(delete) && PG_GETARG_BOOL(delete);
	job->assign = pgm_args_optional_text(fcinfo, assign, "assign");
	job->filter = pgm_args_optional_text(fcinfo, filter, "filter");
	if (job->is_delete && job->assign != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a backfill that deletes rows cannot have a SET list")));
	if (!job->is_delete && job->assign == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"assign\" must not be null"),
				 errhint("Use \"delete => true\" to delete rows.")));
	pgm_limits_unset(job);

	LockRelationOid(job->relid, AccessShareLock);
	pgm_target_check(job->relid);
	job->relation = pgm_relation_name(job->relid);
	job->settings = pgm_guc_save_meaning();
	return job;
}

/*
 * Check what is to be done, as the current user, and choose how.  Returns the
 * tables to go through.
 */
List *
pgm_submit_check(FunctionCallInfo fcinfo, PgmJob *job, int strategy_arg, int key_arg)
{
	const char *strategy = read_strategy(fcinfo, strategy_arg);
	List	   *key = read_key(fcinfo, key_arg);
	PgmShape   *shape = pgm_shape_analyze(job->relid, get_rel_name(job->relid), job->assign,
										  job->filter);
	List	   *leaves = pgm_target_leaves(job->relid);
	PgmChoice	choice;
	ListCell   *lc;

	pgm_target_check_leaves(shape, leaves);
	choice = pgm_strategy_choose(shape, leaves, strategy, key);
	foreach(lc, leaves)
		pgm_leaf_check(shape, lfirst_oid(lc), choice.key_columns);
	job->predicate = choice.by_key ? job->filter : shape->predicate;
	job->set_columns = shape->set_columns;
	job->by_key = choice.by_key;
	job->key_columns = choice.key_columns;
	job->strategy_reason = choice.reason;
	return leaves;
}

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

#include "catalog/namespace.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"

#include "api/submit.h"
#include "backfill/backfill.h"
#include "base/args.h"

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
	job->lanes = job->batch_rows = job->batch_ms = job->duty = PGM_LIMIT_UNSET;
	job->max_bad_rows = job->max_wal_rate = PGM_LIMIT_UNSET;
	job->max_lag = PGM_LIMIT_UNSET;

	LockRelationOid(job->relid, AccessShareLock);
	pgm_target_check(job->relid);
	job->relation = pgm_target_name(job->relid);
	job->search_path = pstrdup(namespace_search_path);
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

/*-------------------------------------------------------------------------
 *
 * expand_table.c
 *	  migrate.expand_table(), and migrate.carry(), its trigger
 *
 * The pair that carries writes over from now on, and the backfill that copies the
 * rows that are there: in the caller's transaction, so all of it or nothing.  The
 * rows to be copied are those that are committed when the last writer who did not
 * know of the pair is gone, whatever the transaction's snapshot.
 *
 * IDENTIFICATION
 *	  src/api/expand_table.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "api/expansion.h"
#include "api/submit.h"
#include "backfill/backfill.h"
#include "base/args.h"
#include "base/compat.h"
#include "base/extension.h"
#include "base/guc.h"
#include "base/lock.h"
#include "base/relation.h"
#include "sync/table.h"

PG_FUNCTION_INFO_V1(pgmigrate_carry);
PG_FUNCTION_INFO_V1(pgmigrate_expand_table);

/*
 * migrate.carry()
 */
Datum
pgmigrate_carry(PG_FUNCTION_ARGS)
{
	return pgm_table_fire(fcinfo);
}

/*
 * Columns and expressions of a JSON object, as PgmCarried *.
 */
static List *
carried_argument(FunctionCallInfo fcinfo, int n)
{
	Oid			types[1] = {JSONBOID};
	Datum		values[1];
	MemoryContext caller = CurrentMemoryContext;
	const bool	read_only = true;
	List	   *carried = NIL;

	if (PG_ARGISNULL(n))
		return NIL;
	values[0] = PG_GETARG_DATUM(n);
	SPI_connect();
	if (SPI_execute_with_args("SELECT * FROM pg_catalog.jsonb_each_text($1)", 1, types, values,
							  NULL, read_only, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read argument \"columns\"");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);
		PgmCarried *one = palloc(sizeof(PgmCarried));
		char	   *text = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);

		one->column = pstrdup(SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
		one->expression = text == NULL ? NULL : pstrdup(text);

		carried = lappend(carried, one);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return carried;
}

/*
 * Submit the backfill that copies the rows, as migrate.backfill() does for the
 * caller.  Returns its number.
 */
static int64
submit_copy(FunctionCallInfo fcinfo, const PgmTablePair *pair)
{
	PgmJob	   *job = palloc0(sizeof(PgmJob));
	const int	no_argument = -1;
	const bool	missing_ok = false;
	PgmRoleScope scope;

	job->is_copy = true;
	job->by_key = true;
	job->relid = pair->relid;
	job->relation = pair->relation;
	job->assign = pgm_table_copy_sql(pair);
	job->key_columns = pair->key;
	job->strategy_reason = "rows are copied in the order of their key";
	pgm_limits_unset(job);
	job->settings = pgm_guc_save_meaning();
	job->name = pgm_expansion_job_name(psprintf("%s>%s", get_rel_name(pair->relid),
												get_rel_name(pair->new_relid)));
	job->run_as_oid = pgm_submit_choose_role(fcinfo, no_argument, pair->relid);
	job->run_as = GetUserNameFromId(job->run_as_oid, missing_ok);
	job->submitter = pgm_rights_current_author();
	job->database = MyDatabaseId;

	pgm_submit_enter_role(job->run_as_oid, &scope);
	PushActiveSnapshot(GetLatestSnapshot());
	pgm_leaf_check(pgm_shape_copy(pair->relid, get_rel_name(pair->relid), job->assign),
				   pair->relid, pair->key);
	(void) pgm_job_create(job, list_make1_oid(pair->relid));
	PopActiveSnapshot();
	pgm_submit_leave_role(&scope);

	pgm_job_start_lanes(job);
	return job->id;
}

/*
 * migrate.expand_table(relation regclass, new_relation regclass, columns jsonb)
 */
Datum
pgmigrate_expand_table(PG_FUNCTION_ARGS)
{
	Oid			relid;
	Oid			new_relid;
	List	   *carried;
	int64		id;
	int64		job;

	pgm_args_check_count(fcinfo, 3);
	PreventCommandIfReadOnly("migrate.expand_table()");
	relid = pgm_expansion_table_argument(fcinfo, 0, "relation");
	new_relid = pgm_expansion_table_argument(fcinfo, 1, "new_relation");
	carried = carried_argument(fcinfo, 2);
	pgm_extension_require();
	pgm_lock_trees(list_make2_oid(relid, new_relid), ShareRowExclusiveLock);
	id = pgm_table_begin(relid, new_relid, carried, pgm_target_keys(relid),
						 pgm_target_keys(new_relid));
	job = submit_copy(fcinfo, pgm_table_find(relid));
	pgm_store_set_table_pair_job(id, job);
	PG_RETURN_INT64(job);
}

/*-------------------------------------------------------------------------
 *
 * contract.c
 *	  migrate.contract(), abandon() and verify_expansion()
 *
 * The end of an expansion: the old column goes, or the new one.  All that takes
 * time is done before the lock: the rows are compared while the pair keeps those
 * in step that are written meanwhile.  Who wrote the old side is asked once more
 * under the lock, when all who did are done.
 *
 * IDENTIFICATION
 *	  src/api/contract.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "api/limits.h"
#include "base/args.h"
#include "base/compat.h"
#include "base/extension.h"
#include "base/guc.h"
#include "base/lock.h"
#include "base/relation.h"
#include "store/backfill.h"
#include "sync/sync.h"

PG_FUNCTION_INFO_V1(pgmigrate_contract);
PG_FUNCTION_INFO_V1(pgmigrate_abandon);
PG_FUNCTION_INFO_V1(pgmigrate_verify_expansion);

/* So many rows that differ are named in an error. */
#define SHOW_ROWS	5

static void
execute(const char *command, int expected)
{
	const bool	read_only = false;

	SPI_connect();
	if (SPI_execute(command, read_only, 0) != expected)
		elog(ERROR, "unexpected result of command: %s", command);
	SPI_finish();
}

static void
drop_column(Oid relid, const char *column)
{
	execute(psprintf("ALTER TABLE %s DROP COLUMN %s", pgm_relation_name(relid),
					 quote_identifier(column)), SPI_OK_UTILITY);
}

/* The job that fills a pair and has not ended well, or NULL. */
static PgmJob *
open_fill(const PgmPair *pair)
{
	const bool	for_update = false;
	PgmJob	   *job = pair->job == 0 ? NULL : pgm_store_fetch_job(pair->job, for_update);

	return job == NULL || job->state == PGM_JOB_DONE ? NULL : job;
}

static void
check_filled(Oid relid, const char *column, const PgmPair *pair)
{
	PgmJob	   *job = open_fill(pair);

	if (job == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot drop column \"%s\" of table \"%s\"", column, get_rel_name(relid)),
			 errdetail("Backfill \"%s\", which fills column \"%s\", is %s.", job->name,
					   pair->target, pgm_job_state_name(job->state)),
			 errhint("Use CALL migrate.wait('%s') to wait for it.", job->name)));
}

static void
check_quiet(Oid relid, const char *column, const PgmPair *pair)
{
	char	   *who = pgm_contract_quiet == 0 ? NULL :
		pgm_store_recent_use(pair->id, pgm_contract_quiet);

	if (who == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("column \"%s\" of table \"%s\" is still being written", column,
					get_rel_name(relid)),
			 errdetail_internal("The old side of column \"%s\" was last written %s.",
								pair->target, who),
			 errhint("See migrate.expansion, and setting pgmigrate.contract_quiet; with \"force => true\" it is dropped all the same.")));
}

/* Add the key of a row to a list. */
static void
add_key(const PgmDifference *difference, void *arg)
{
	StringInfo	keys = (StringInfo) arg;

	appendStringInfo(keys, "%s%s", keys->len > 0 ? ", " : "", difference->key);
}

static void
check_in_step(Oid relid, const char *column, const PgmPair *pair)
{
	StringInfoData keys;
	PgmVerification wanted = {
		.limit = SHOW_ROWS,
		.to = InvalidBlockNumber,
		.found = add_key,
		.arg = &keys
	};

	initStringInfo(&keys);
	pgm_sync_verify(pair, relid, &wanted);
	if (keys.len == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot drop column \"%s\" of table \"%s\"", column, get_rel_name(relid)),
			 errdetail("Column \"%s\" has other values than are made of it, in rows such as: %s.",
					   pair->target, keys.data),
			 errhint("See migrate.verify_expansion(); with \"force => true\" it is dropped all the same.")));
}

/* The table that argument 0 names. */
static Oid
table_argument(FunctionCallInfo fcinfo)
{
	pgm_args_not_null(fcinfo, 0, "relation");
	return PG_GETARG_OID(0);
}

/*
 * migrate.contract(relation regclass, old_column name, force boolean)
 */
Datum
pgmigrate_contract(PG_FUNCTION_ARGS)
{
	Oid			relid;
	const char *column;
	List	   *pairs;
	ListCell   *lc;
	bool		force;

	pgm_args_check_count(fcinfo, 3);
	PreventCommandIfReadOnly("migrate.contract()");
	relid = table_argument(fcinfo);
	pgm_args_not_null(fcinfo, 1, "old_column");
	column = NameStr(*PG_GETARG_NAME(1));
	force = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	pgm_extension_require();

	pairs = pgm_sync_pairs_reading(relid, column);
	if (pairs == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no column of table \"%s\" is kept in step with column \"%s\"",
						get_rel_name(relid), column),
				 errhint("See migrate.expansion.")));
	foreach(lc, pairs)
	{
		PgmPair    *pair = (PgmPair *) lfirst(lc);

		if (force)
			continue;
		check_filled(relid, column, pair);
		check_quiet(relid, column, pair);
		check_in_step(relid, column, pair);
	}
	pgm_lock_tree(relid, AccessExclusiveLock);
	foreach(lc, pairs)
	{
		PgmPair    *pair = (PgmPair *) lfirst(lc);

		if (!force)
			check_quiet(relid, column, pair);
		(void) pgm_sync_end(relid, pair->target);
	}
	drop_column(relid, column);
	PG_RETURN_VOID();
}

/*
 * migrate.abandon(relation regclass, new_column name)
 */
Datum
pgmigrate_abandon(PG_FUNCTION_ARGS)
{
	Oid			relid;
	const char *column;
	List	   *pairs;
	PgmJob	   *job;

	pgm_args_check_count(fcinfo, 2);
	PreventCommandIfReadOnly("migrate.abandon()");
	relid = table_argument(fcinfo);
	pgm_args_not_null(fcinfo, 1, "new_column");
	column = NameStr(*PG_GETARG_NAME(1));
	pgm_extension_require();

	pairs = pgm_sync_pairs(relid, column);
	if (pairs == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("column \"%s\" of table \"%s\" is not kept in step with others", column,
						get_rel_name(relid)),
				 errhint("See migrate.expansion.")));
	/* the table before the job, as a batch takes them */
	pgm_lock_tree(relid, AccessExclusiveLock);
	job = open_fill(linitial(pairs));
	if (job != NULL && job->state != PGM_JOB_CANCELLED)
		execute(psprintf("SELECT migrate.cancel(" INT64_FORMAT "::pg_catalog.int8)", job->id),
				SPI_OK_SELECT);
	(void) pgm_sync_end(relid, column);
	drop_column(relid, column);
	PG_RETURN_VOID();
}

static void
put_value(Datum *values, bool *nulls, int i, const char *value)
{
	nulls[i] = value == NULL;
	values[i] = value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
}

/* Add a row to a result. */
static void
put_difference(const PgmDifference *difference, void *arg)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) arg;
	Datum		values[4];
	bool		nulls[4];

	put_value(values, nulls, 0, difference->key);
	put_value(values, nulls, 1, difference->old_value);
	put_value(values, nulls, 2, difference->new_value);
	put_value(values, nulls, 3, difference->up_value);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* A page that an argument names. */
static BlockNumber
page_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	int64		page = PG_GETARG_INT64(n);

	if (page < 0 || page > MaxBlockNumber)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be between 0 and %u", name, MaxBlockNumber)));
	return (BlockNumber) page;
}

/*
 * migrate.verify_expansion(relation regclass, new_column name, max_rows integer,
 * from_page bigint, to_page bigint)
 */
Datum
pgmigrate_verify_expansion(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PgmVerification wanted = {.found = put_difference,.arg = rsinfo};
	List	   *pairs;
	Oid			relid;

	pgm_args_check_count(fcinfo, 5);
	relid = table_argument(fcinfo);
	pgm_args_not_null(fcinfo, 1, "new_column");
	pgm_args_not_null(fcinfo, 2, "max_rows");
	wanted.limit = PG_GETARG_INT32(2);
	if (wanted.limit <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"max_rows\" must be positive")));
	wanted.from = PG_ARGISNULL(3) ? 0 : page_argument(fcinfo, 3, "from_page");
	wanted.to = PG_ARGISNULL(4) ? InvalidBlockNumber : page_argument(fcinfo, 4, "to_page");
	InitMaterializedSRF(fcinfo, 0);
	pairs = pgm_sync_pairs(relid, NameStr(*PG_GETARG_NAME(1)));
	if (pairs == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("column \"%s\" of table \"%s\" is not kept in step with others",
						NameStr(*PG_GETARG_NAME(1)), get_rel_name(relid)),
				 errhint("See migrate.expansion.")));
	pgm_sync_verify(linitial(pairs), relid, &wanted);
	return (Datum) 0;
}

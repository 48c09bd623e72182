/*-------------------------------------------------------------------------
 *
 * contract_table.c
 *	  migrate.contract() and abandon() of a whole table
 *
 * As in contract.c, all that takes time is done before the lock: the rows are
 * compared while writes are carried over.  What hangs on the old table is looked
 * at before, for the sake of an early error, and under the lock, when nothing can
 * be added any more.
 *
 * IDENTIFICATION
 *	  src/api/contract_table.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "api/expansion.h"
#include "base/args.h"
#include "base/compat.h"
#include "base/extension.h"
#include "base/lock.h"
#include "base/relation.h"
#include "swap/table.h"
#include "sync/table.h"

PG_FUNCTION_INFO_V1(pgmigrate_contract_table);
PG_FUNCTION_INFO_V1(pgmigrate_abandon_table);

/* So many rows that differ are named in an error. */
#define SHOW_ROWS	5

static void
check_filled(Oid relid, const PgmTablePair *pair)
{
	PgmJob	   *job = pgm_expansion_open_job(pair->job);

	if (job == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot replace table \"%s\"", get_rel_name(relid)),
			 errdetail("Backfill \"%s\", which copies its rows, is %s.", job->name,
					   pgm_job_state_name(job->state)),
			 errhint("Use CALL migrate.wait('%s') to wait for it.", job->name)));
}

static void
check_same(Oid relid, const PgmTablePair *pair)
{
	List	   *differences = pgm_table_differences(pair, relid, SHOW_ROWS);
	StringInfoData keys;
	ListCell   *lc;

	if (differences == NIL)
		return;
	initStringInfo(&keys);
	foreach(lc, differences)
		appendStringInfo(&keys, "%s%s", keys.len > 0 ? ", " : "",
						 ((PgmTableDifference *) lfirst(lc))->key);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot replace table \"%s\"", get_rel_name(relid)),
			 errdetail("The new table has other rows, such as: %s.", keys.data),
			 errhint("See migrate.verify_expansion(); with \"force => true\" it is replaced all the same.")));
}

/* The names of the columns of a table, which is locked. */
static List *
column_names(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *names = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			names = lappend(names, pstrdup(NameStr(TupleDescAttr(desc, i)->attname)));
	}
	table_close(rel, NoLock);
	return names;
}

/*
 * Who has added a column meanwhile expects to find it.
 */
static void
check_columns(Oid relid, const PgmTablePair *pair)
{
	ListCell   *lc;

	foreach(lc, column_names(relid))
	{
		char	   *name = (char *) lfirst(lc);

		if (pgm_table_index_of(pair->old_columns, name) >= 0)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot replace table \"%s\"", get_rel_name(relid)),
				 errdetail("Its column \"%s\" is younger than what is carried over.", name),
				 errhint("Use migrate.abandon() and begin again; with \"force => true\" the table is replaced all the same.")));
	}
}

/*
 * What is to be done, of a pair.
 */
static PgmTableSwap
make_swap(Oid relid, const PgmTablePair *pair, const char *keep)
{
	const bool	missing_ok = false;
	PgmTableSwap swap = {.relid = relid,.keep = keep};
	List	   *names = column_names(relid);
	ListCell   *lc;
	ListCell   *name;

	swap.new_relid = pgm_table_new_relid(pair, missing_ok);
	foreach(lc, pair->columns)
	{
		const char *expression = pgm_table_expression_of(pair, (char *) lfirst(lc));

		foreach(name, names)
		{
			if (strcmp(quote_identifier((char *) lfirst(name)), expression) != 0)
				continue;
			swap.columns = lappend(swap.columns, lfirst(name));
			swap.new_columns = lappend(swap.new_columns, lfirst(lc));
		}
	}
	return swap;
}

static void
check_new_owner(const PgmTableSwap *swap)
{
	if (!pgm_relation_is_owned(swap->new_relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(swap->new_relid));
}

/*
 * migrate.contract(relation regclass, force boolean, keep name)
 */
Datum
pgmigrate_contract_table(PG_FUNCTION_ARGS)
{
	PgmTablePair *pair;
	PgmTableSwap swap;
	Oid			relid;
	bool		force;

	pgm_args_check_count(fcinfo, 3);
	PreventCommandIfReadOnly("migrate.contract()");
	relid = pgm_args_relation(fcinfo, 0, "relation");
	force = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	pgm_extension_require();

	pair = pgm_table_find(relid);
	swap = make_swap(relid, pair, PG_ARGISNULL(2) ? NULL : NameStr(*PG_GETARG_NAME(2)));
	check_new_owner(&swap);
	pgm_swap_table_check(&swap, force);
	if (!force)
	{
		check_filled(relid, pair);
		check_columns(relid, pair);
		check_same(relid, pair);
	}
	pgm_lock_trees(lcons_oid(relid, lcons_oid(swap.new_relid, pgm_swap_table_others(&swap))),
				   AccessExclusiveLock);
	check_new_owner(&swap);
	pgm_swap_table_check(&swap, force);
	if (!force)
		check_columns(relid, pair);
	pgm_table_end(relid, pair);
	pgm_swap_table(&swap);
	PG_RETURN_VOID();
}

/*
 * migrate.abandon(relation regclass)
 */
Datum
pgmigrate_abandon_table(PG_FUNCTION_ARGS)
{
	PgmTablePair *pair;
	Oid			relid;

	pgm_args_check_count(fcinfo, 1);
	PreventCommandIfReadOnly("migrate.abandon()");
	relid = pgm_args_relation(fcinfo, 0, "relation");
	pgm_extension_require();

	pair = pgm_table_find(relid);
	/* the table before the job, as a batch takes them */
	pgm_lock_tree(relid, AccessExclusiveLock);
	pgm_expansion_cancel_job(pair->job);
	pgm_table_end(relid, pair);
	PG_RETURN_VOID();
}

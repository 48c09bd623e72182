/*-------------------------------------------------------------------------
 *
 * contract.c
 *	  migrate.contract() and abandon() of a column
 *
 * The end of an expansion: the old column goes, or the new one.  All that takes
 * time is done before the lock: the rows are compared while the pair keeps those
 * in step that are written meanwhile.  Who wrote the old side is asked once more
 * under the lock, when all who did are done.
 *
 * What the old column had is on the new one then, or the column stays.  What takes
 * time to build, its owner builds first; it is done under the lock only where the
 * table is so small that an atomic migration would do it there, too.
 *
 * IDENTIFICATION
 *	  src/api/contract.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "api/expansion.h"
#include "base/args.h"
#include "base/extension.h"
#include "base/guc.h"
#include "base/lock.h"
#include "base/relation.h"
#include "swap/swap.h"
#include "sync/version.h"

PG_FUNCTION_INFO_V1(pgmigrate_contract);
PG_FUNCTION_INFO_V1(pgmigrate_abandon);

/* So many rows that differ are named in an error. */
#define SHOW_ROWS	5

static void
check_filled(Oid relid, const char *column, const PgmPair *pair)
{
	PgmJob	   *job = pgm_expansion_open_job(pair->job);

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

/* What is missing, and how it is made, in a list. */
static char *
list_missing(List *missing, bool commands)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, missing)
	{
		const PgmMissing *item = (PgmMissing *) lfirst(lc);

		if (!commands)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", item->what);
		else if (item->command != NULL)
			appendStringInfo(&buf, "\n%s;", item->command);
	}
	return buf.data;
}

static char *
describe_missing(const PgmContraction *contraction, List *missing)
{
	if (contraction->heir == NULL)
		return psprintf(_("No other column takes its place, so these would go with it: %s."),
						list_missing(missing, false));
	return psprintf(_("Column \"%s\", which takes its place, has no counterpart of: %s."),
					contraction->heir, list_missing(missing, false));
}

/*
 * Can all that is missing be made while nobody can read or write the table, since
 * the tables are small?
 */
static bool
can_be_made_at_once(const PgmContraction *contraction, List *missing)
{
	ListCell   *lc;

	if (pgm_relation_is_large(contraction->relid))
		return false;
	foreach(lc, missing)
	{
		const PgmMissing *item = (PgmMissing *) lfirst(lc);

		if (item->command == NULL || pgm_relation_is_large(item->relid))
			return false;
	}
	return true;
}

/*
 * Nothing that the column has is to be gone without a word: throw if something is
 * missing.
 */
static void
check_none_missing(const PgmContraction *contraction, List *missing)
{
	char	   *commands = list_missing(missing, true);

	if (missing == NIL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot drop column \"%s\" of table \"%s\"", contraction->column,
					get_rel_name(contraction->relid)),
			 errdetail_internal("%s", describe_missing(contraction, missing)),
			 commands[0] == '\0' ?
			 errhint("Drop them from the old column first; with \"force => true\" they are lost.") :
			 errhint("Make them first, as a migration does without holding anybody up, or drop those of the old column; with \"force => true\" they are lost.%s",
					 commands)));
}

/*
 * Before the lock, throw if something is missing that is not to be made under it.
 */
static void
check_missing(PgmContraction *contraction)
{
	List	   *missing = pgm_swap_find_missing(contraction);

	if (!can_be_made_at_once(contraction, missing))
		check_none_missing(contraction, missing);
}

/*
 * Under the lock, make what is missing, as the owner of the table; throws if
 * something still is then.
 */
static void
make_missing(PgmContraction *contraction)
{
	List	   *missing = pgm_swap_find_missing(contraction);
	const bool	new_level = true;
	PgmSyncScope scope;
	Relation	rel;

	if (missing != NIL && can_be_made_at_once(contraction, missing))
	{
		rel = table_open(contraction->relid, NoLock);
		pgm_sync_enter_owner(rel, new_level, &scope);
		table_close(rel, NoLock);
		pgm_guc_pin_search_path();
		pgm_swap_make_missing(missing);
		pgm_sync_leave_owner(&scope);
		missing = pgm_swap_find_missing(contraction);
	}
	check_none_missing(contraction, missing);
}

/*
 * What is lost by force is said at least.
 */
static void
warn_of_missing(PgmContraction *contraction)
{
	List	   *missing = pgm_swap_find_missing(contraction);

	if (missing != NIL)
		ereport(WARNING,
				(errmsg("what column \"%s\" of table \"%s\" had is lost in part",
						contraction->column, get_rel_name(contraction->relid)),
				 errdetail_internal("%s", describe_missing(contraction, missing))));
}

static char *
default_of(Oid relid, void *arg, bool *known)
{
	return pgm_sync_heir_default(relid, (PgmPair *) arg, known);
}

/*
 * What is to be done to which columns.  Returns the pairs that cannot be without
 * the old one, as PgmPair *.
 */
static List *
prepare(PgmContraction *contraction)
{
	List	   *pairs = pgm_sync_pairs_reading(contraction->relid, contraction->column);
	PgmPair    *heir = pgm_sync_heir(pairs, contraction->column);

	if (pairs == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no column of table \"%s\" is kept in step with column \"%s\"",
						get_rel_name(contraction->relid), contraction->column),
				 errhint("See migrate.expansion.")));
	contraction->heir_default = default_of;
	contraction->arg = heir;
	contraction->heir = heir == NULL ? NULL : heir->target;
	if (heir == NULL && contraction->take_name)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no column takes the place of column \"%s\" of table \"%s\"",
						contraction->column, get_rel_name(contraction->relid)),
				 errdetail("That is one that is made of it alone, and that it is made of.")));
	return pairs;
}

/* Are the rows filled, and nobody writes the old side? */
static void
check_written(const PgmContraction *contraction, List *pairs)
{
	ListCell   *lc;

	foreach(lc, pairs)
	{
		check_filled(contraction->relid, contraction->column, (PgmPair *) lfirst(lc));
		check_quiet(contraction->relid, contraction->column, (PgmPair *) lfirst(lc));
	}
}

/*
 * Before the lock, look at what takes time or may refuse.
 */
static void
check(PgmContraction *contraction, List *pairs)
{
	ListCell   *lc;

	check_written(contraction, pairs);
	check_missing(contraction);
	foreach(lc, pairs)
		check_in_step(contraction->relid, contraction->column, (PgmPair *) lfirst(lc));
}

/*
 * Lock a table and all below it, and the views of versions that show a column of
 * it: those who use them have these locked before the table.  Returns the views.
 */
static List *
lock_with_views(Oid relid, const char *column, List *others)
{
	List	   *views = pgm_version_views_with(relid, column);
	List	   *relids = list_concat(list_make1_oid(relid), views);

	pgm_lock_trees(list_concat_unique_oid(relids, others), AccessExclusiveLock);
	return pgm_version_views_with(relid, column);
}

static void
drop_column(Oid relid, const char *column)
{
	const bool	read_only = false;

	SPI_connect();
	if (SPI_execute(psprintf("ALTER TABLE %s DROP COLUMN %s", pgm_relation_name(relid),
							 quote_identifier(column)), read_only, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not drop column \"%s\"", column);
	SPI_finish();
}

/*
 * migrate.contract(relation regclass, old_column name, force boolean,
 * rename boolean)
 */
Datum
pgmigrate_contract(PG_FUNCTION_ARGS)
{
	PgmContraction contraction = {0};
	List	   *pairs;
	List	   *views;
	ListCell   *lc;
	bool		force;

	pgm_args_check_count(fcinfo, 4);
	PreventCommandIfReadOnly("migrate.contract()");
	contraction.relid = pgm_args_relation(fcinfo, 0, "relation");
	contraction.column = pgm_args_name(fcinfo, 1, "old_column");
	force = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	contraction.take_name = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	pgm_extension_require();

	pairs = prepare(&contraction);
	if (!force)
		check(&contraction, pairs);
	views = lock_with_views(contraction.relid, contraction.column, pgm_swap_others(&contraction));
	/* there may be more of them than before */
	pairs = prepare(&contraction);
	if (!force)
		check_written(&contraction, pairs);
	if (force)
		warn_of_missing(&contraction);
	else
		make_missing(&contraction);
	pgm_version_drop_views(views);
	foreach(lc, pairs)
		(void) pgm_sync_end(contraction.relid, ((PgmPair *) lfirst(lc))->target);
	pgm_swap_contract(&contraction);
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
	PgmPair    *pair;
	List	   *views;

	pgm_args_check_count(fcinfo, 2);
	PreventCommandIfReadOnly("migrate.abandon()");
	relid = pgm_args_relation(fcinfo, 0, "relation");
	column = pgm_args_name(fcinfo, 1, "new_column");
	pgm_extension_require();

	pair = pgm_expansion_pair(relid, column);
	/* the table before the job, as a batch takes them */
	views = lock_with_views(relid, column, NIL);
	pgm_expansion_cancel_job(pair->job);
	pgm_version_drop_views(views);
	(void) pgm_sync_end(relid, column);
	drop_column(relid, column);
	PG_RETURN_VOID();
}

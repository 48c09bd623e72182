/*-------------------------------------------------------------------------
 *
 * swap.c
 *	  One column in the place of another.
 *
 * Both columns have been equal, row by row, for some time, and what was built on
 * the old one has been built on the new one too.  What is left is quick: it takes
 * a lock that excludes everybody, but reads and writes no row.  The commands are
 * those that a careful person would type, so that the server does with the
 * catalogs what it does always; only what it has no command for is done by hand.
 *
 * Nothing has been written down about what was built.  It is found by its name,
 * and if something is missing, as what was made in the meantime is, or does not
 * hold for all rows yet, nothing is done at all.  So the old column can go with
 * all that hangs on it: each of these things has another that takes its name.
 *
 * In a partitioned table all partitions have both columns, and things built on them
 * of their own.  Columns go and get their names all at once, from the top; all else
 * is done to each table by itself, those above first.
 *
 * All locks are asked for at once and without waiting, those on tables at the
 * other end of foreign keys included.  Who does not get them is to roll back and
 * try again.
 *
 * IDENTIFICATION
 *	  src/swap/swap.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdarg.h>

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/lock.h"
#include "base/relation.h"
#include "store/backfill.h"
#include "swap/swap.h"

/*
 * Run a command, as the current user.
 */
void
pgm_swap_run(const char *format,...)
{
	const bool	read_only = false;
	const long	all_rows = 0;
	StringInfoData buf;

	initStringInfo(&buf);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&buf, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&buf, needed);
	}
	if (SPI_execute(buf.data, read_only, all_rows) < 0)
		elog(ERROR, "SPI_execute failed: %s", buf.data);
}

static AttrNumber
find_column(Oid relid, const char *column)
{
	AttrNumber	attnum = get_attnum(relid, column);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", column, get_rel_name(relid))));
	if (attnum < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("column \"%s\" belongs to the system", column)));
	return attnum;
}

static void
check_table(Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (get_rel_relkind(relid) != RELKIND_RELATION &&
		get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", name)));
	if (!pgm_relation_is_owned(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, name);
}

/*
 * Lock a table and its partitions, each before those below it, so that none can be
 * added any more.
 */
static void
lock_tree(Oid relid)
{
	ListCell   *lc;

	pgm_lock_relation(relid, AccessExclusiveLock);
	check_table(relid);
	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return;
	foreach(lc, find_inheritance_children(relid, NoLock))
		lock_tree(lfirst_oid(lc));
}

/* The swap of one table of those at hand. */
static PgmSwap *
make_swap(PgmDependents *found, const char *column, const char *shadow)
{
	PgmSwap    *swap = palloc0(sizeof(PgmSwap));
	bool		partitioned = get_rel_relkind(found->relid) == RELKIND_PARTITIONED_TABLE;

	swap->relid = found->relid;
	swap->column = column;
	swap->shadow = shadow;
	swap->attnum = found->attnum;
	swap->shadow_attnum = find_column(found->relid, shadow);
	swap->table = pgm_relation_name(found->relid);
	swap->all = partitioned ? swap->table : psprintf("ONLY %s", swap->table);
	swap->found = found;
	return swap;
}

/*
 * Lock the tables, and then those that foreign keys connect them with: nobody can
 * add one any more.  Returns the swaps, of PgmSwap *, those above first.
 */
static List *
lock_tables(Oid relid, const char *column, const char *shadow)
{
	PgmDependents *found;
	List	   *swaps = NIL;
	ListCell   *table;
	ListCell   *lc;

	lock_tree(relid);
	found = pgm_dependents_find(relid, find_column(relid, column));
	(void) find_column(relid, shadow);
	foreach(table, pgm_dependents_all(found))
	{
		PgmDependents *one = (PgmDependents *) lfirst(table);

		foreach(lc, one->constraints)
		{
			Oid			other = pgm_dependents_other_table(one, lfirst_oid(lc));

			if (OidIsValid(other))
				pgm_lock_relation(other, AccessExclusiveLock);
		}
	}
	if (found->obstacle != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot replace column \"%s\" of table \"%s\"", column,
						get_rel_name(relid)),
				 errdetail_internal("%s", found->obstacle),
				 errhint("Drop what is in the way, and make it again afterwards.")));
	foreach(table, pgm_dependents_all(found))
		swaps = lappend(swaps, make_swap((PgmDependents *) lfirst(table), column, shadow));
	return swaps;
}

/*
 * What was not filled would be lost.
 */
static void
check_filled(const PgmSwap *swap)
{
	char	   *state;
	char	   *name = pgm_store_find_unfilled(swap->relid, swap->shadow, &state);

	if (name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot replace column \"%s\" of table \"%s\"",
						swap->column, get_rel_name(swap->relid)),
				 errdetail("Backfill \"%s\", which is %s, has not filled all rows of column \"%s\".",
						   name, state, swap->shadow),
				 errhint("Wait for it, use migrate.retry() for rows that it has put aside, or submit one that does the rest.")));
}

/*
 * The trigger that kept the columns equal goes.
 */
static void
end_sync(const PgmSwap *swap)
{
	Oid			types[] = {REGCLASSOID, NAMEOID};
	Datum		values[2];
	NameData	name;
	const bool	read_only = false;

	namestrcpy(&name, swap->shadow);
	values[0] = ObjectIdGetDatum(swap->relid);
	values[1] = NameGetDatum(&name);
	if (SPI_execute_with_args("SELECT migrate.sync_end($1, $2)", lengthof(types), types, values,
							  NULL, read_only, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not end the pair of columns");
}

/* Do something in each of the tables. */
static void
do_each(List *swaps, void (*what) (PgmSwap *))
{
	ListCell   *lc;

	foreach(lc, swaps)
		what((PgmSwap *) lfirst(lc));
}

/*
 * Put the column "shadow" in the place of "column", with its name and all that
 * belongs to it.  The caller has to own the table.
 */
void
pgm_swap_column(Oid relid, const char *column, const char *shadow)
{
	List	   *swaps;
	PgmSwap    *top;
	const bool	keep_settings = false;
	int			guc_level = NewGUCNestLevel();

	check_table(relid);
	pgm_guc_pin_search_path();
	swaps = lock_tables(relid, column, shadow);
	top = (PgmSwap *) linitial(swaps);
	check_filled(top);

	SPI_connect();
	do_each(swaps, pgm_swap_find_built);
	end_sync(top);
	do_each(swaps, pgm_swap_carry_before);
	do_each(swaps, pgm_swap_drop_references);
	pgm_swap_run("ALTER TABLE %s DROP COLUMN %s", top->all, quote_identifier(column));
	pgm_swap_run("ALTER TABLE %s RENAME COLUMN %s TO %s", top->all,
				 quote_identifier(shadow), quote_identifier(column));
	do_each(swaps, pgm_swap_put_built);
	do_each(swaps, pgm_swap_put_duties);
	do_each(swaps, pgm_swap_carry_after);
	SPI_finish();
	AtEOXact_GUC(keep_settings, guc_level);
}

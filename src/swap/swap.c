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
	if (get_rel_relkind(relid) != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", name)));
	if (!pgm_relation_is_owned(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, name);
}

/*
 * Lock the table, and then those that foreign keys connect it with: nobody can
 * add one any more.
 */
static void
lock_tables(PgmSwap *swap)
{
	ListCell   *lc;

	pgm_lock_relation(swap->relid, AccessExclusiveLock);
	check_table(swap->relid);
	swap->attnum = find_column(swap->relid, swap->column);
	swap->shadow_attnum = find_column(swap->relid, swap->shadow);
	swap->table = pgm_relation_name(swap->relid);
	swap->found = pgm_dependents_find(swap->relid, swap->attnum);
	foreach(lc, swap->found->constraints)
	{
		Oid			other = pgm_dependents_other_table(swap->found, lfirst_oid(lc));

		if (OidIsValid(other))
			pgm_lock_relation(other, AccessExclusiveLock);
	}
	if (swap->found->obstacle != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot replace column \"%s\" of table \"%s\"",
						swap->column, get_rel_name(swap->relid)),
				 errdetail_internal("%s", swap->found->obstacle),
				 errhint("Drop what is in the way, and make it again afterwards.")));
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

/*
 * Put the column "shadow" in the place of "column", with its name and all that
 * belongs to it.  The caller has to own the table.
 */
void
pgm_swap_column(Oid relid, const char *column, const char *shadow)
{
	PgmSwap		swap = {.relid = relid,.column = column,.shadow = shadow};
	const bool	keep_settings = false;
	int			guc_level = NewGUCNestLevel();

	check_table(relid);
	pgm_guc_pin_search_path();
	lock_tables(&swap);
	check_filled(&swap);

	SPI_connect();
	pgm_swap_find_built(&swap);
	end_sync(&swap);
	pgm_swap_carry_before(&swap);
	pgm_swap_drop_references(&swap);
	pgm_swap_run("ALTER TABLE ONLY %s DROP COLUMN %s", swap.table, quote_identifier(column));
	pgm_swap_run("ALTER TABLE ONLY %s RENAME COLUMN %s TO %s", swap.table,
				 quote_identifier(shadow), quote_identifier(column));
	pgm_swap_put_built(&swap);
	pgm_swap_carry_after(&swap);
	SPI_finish();
	AtEOXact_GUC(keep_settings, guc_level);
}

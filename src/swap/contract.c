/*-------------------------------------------------------------------------
 *
 * contract.c
 *	  The end of an expansion: the old column goes, and the new one has what it had.
 *
 * The server drops indexes, constraints and statistics of a column with it, without
 * a word.  So each of them has to have a counterpart on the new column; those that
 * have none are named, with the commands that make them.  What the column has by
 * itself goes over by itself, but for NOT NULL, which takes reading the table.
 *
 * Where there are partitions or children, each table has its own, but for what
 * comes from the one above it.
 *
 * IDENTIFICATION
 *	  src/swap/contract.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/relation.h"
#include "swap/swap.h"

/*
 * The table and all below it that have the column.
 */
static void
find_tables(PgmContraction *contraction)
{
	ListCell   *lc;

	contraction->swaps = NIL;
	foreach(lc, find_all_inheritors(contraction->relid, NoLock, NULL))
	{
		PgmSwap    *swap = palloc0(sizeof(PgmSwap));

		swap->relid = lfirst_oid(lc);
		swap->by_content = true;
		swap->table = pgm_relation_name(swap->relid);
		swap->column = contraction->column;
		swap->attnum = get_attnum(swap->relid, swap->column);
		swap->found = pgm_dependents_find(swap->relid, swap->attnum);
		if (contraction->heir != NULL)
		{
			swap->shadow = contraction->heir;
			swap->shadow_attnum = get_attnum(swap->relid, swap->shadow);
			swap->shadow_found = pgm_dependents_find(swap->relid, swap->shadow_attnum);
		}
		contraction->swaps = lappend(contraction->swaps, swap);
	}
	if (contraction->heir != NULL)
		pgm_swap_read_words(contraction->swaps);
}

/* Is a column not null in all rows? */
static bool
holds_no_null(const PgmSwap *swap)
{
	ListCell   *lc;

	foreach(lc, swap->shadow_found->constraints)
	{
		HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(lfirst_oid(lc)));
		bool		doubtful;

		if (!HeapTupleIsValid(tuple))
			continue;
		doubtful = ((Form_pg_constraint) GETSTRUCT(tuple))->contype == PGM_CONSTRAINT_NOT_NULL &&
			!((Form_pg_constraint) GETSTRUCT(tuple))->convalidated;
		ReleaseSysCache(tuple);
		if (doubtful)
			return false;
	}
	return pgm_swap_is_not_null(swap, swap->shadow_attnum);
}

/*
 * Note what the column has by itself and cannot hand over.
 */
static void
find_own(PgmContraction *contraction, PgmSwap *swap, bool *not_null_above)
{
	const char *where = swap->relid == contraction->relid ? "" :
		psprintf(" in table \"%s\"", get_rel_name(swap->relid));
	bool		known = true;

	if (!*not_null_above && pgm_swap_is_not_null(swap, swap->attnum) && !holds_no_null(swap))
	{
		*not_null_above = swap->relid == contraction->relid;
		pgm_swap_note_missing(swap, swap->relid, psprintf("NOT NULL%s", where),
							  psprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", swap->table,
									   quote_identifier(swap->shadow)));
	}
	if (!pgm_swap_has_default(swap, swap->shadow_attnum))
		swap->default_value = contraction->heir_default(swap->relid, contraction->arg, &known);
	if (!known)
		pgm_swap_note_missing(swap, swap->relid, psprintf("default%s", where), NULL);
	if (pgm_swap_cannot_be_identity(swap))
		pgm_swap_note_missing(swap, swap->relid, psprintf("identity%s", where), NULL);
}

static void
find_statistics(PgmSwap *swap)
{
	ListCell   *lc;

	foreach(lc, swap->found->statistics)
	{
		ObjectAddress address;
		const bool	missing_ok = false;

		ObjectAddressSet(address, StatisticExtRelationId, lfirst_oid(lc));
		pgm_swap_note_missing(swap, swap->relid, getObjectDescription(&address, missing_ok), NULL);
	}
}

/*
 * What the old column has that would be gone with it, as PgmMissing *.
 */
List *
pgm_swap_find_missing(PgmContraction *contraction)
{
	const bool	keep_settings = false;
	int			guc_level = NewGUCNestLevel();
	bool		not_null_above = false;
	List	   *missing = NIL;
	ListCell   *lc;

	pgm_guc_pin_search_path();
	find_tables(contraction);
	foreach(lc, contraction->swaps)
	{
		PgmSwap    *swap = (PgmSwap *) lfirst(lc);

		if (swap->shadow != NULL)
			find_own(contraction, swap, &not_null_above);
		else
			find_statistics(swap);
		pgm_swap_find_built(swap);
		missing = list_concat(missing, swap->missing);
	}
	AtEOXact_GUC(keep_settings, guc_level);
	return missing;
}

/*
 * Make what is missing, as the current user.
 */
void
pgm_swap_make_missing(List *missing)
{
	ListCell   *lc;

	SPI_connect();
	foreach(lc, missing)
		pgm_swap_run("%s", ((PgmMissing *) lfirst(lc))->command);
	SPI_finish();
}

/*
 * The tables at the other end of foreign keys, as OIDs: the server locks them, too,
 * when these go.
 */
List *
pgm_swap_others(const PgmContraction *contraction)
{
	List	   *others = NIL;
	ListCell   *lc;
	ListCell   *constraint;

	foreach(lc, find_all_inheritors(contraction->relid, NoLock, NULL))
	{
		PgmDependents *found = pgm_dependents_find(lfirst_oid(lc),
												   get_attnum(lfirst_oid(lc),
															  contraction->column));

		foreach(constraint, found->constraints)
		{
			Oid			other = pgm_dependents_other_table(found, lfirst_oid(constraint));

			if (OidIsValid(other))
				others = list_append_unique_oid(others, other);
		}
	}
	return others;
}

/* Do the statistics have to be made anew? */
static bool
has_statistics(const PgmContraction *contraction)
{
	ListCell   *lc;

	foreach(lc, contraction->swaps)
	{
		if (((PgmSwap *) lfirst(lc))->statistics != NIL)
			return true;
	}
	return false;
}

/*
 * Drop the column; the one that takes its place gets what it had, and its name if
 * that is wanted.  The caller has locked the table, all below it and those that
 * pgm_swap_others() returns, and has ended the pairs.
 */
void
pgm_swap_contract(PgmContraction *contraction)
{
	const bool	keep_settings = false;
	int			guc_level = NewGUCNestLevel();
	const char *table = pgm_relation_name(contraction->relid);
	const char *column = quote_identifier(contraction->column);
	const char *heir = contraction->heir == NULL ? NULL : quote_identifier(contraction->heir);
	bool		rename;
	ListCell   *lc;

	pgm_guc_pin_search_path();
	SPI_connect();
	if (heir != NULL)
	{
		foreach(lc, contraction->swaps)
			pgm_swap_carry_before((PgmSwap *) lfirst(lc));
		foreach(lc, contraction->swaps)
			pgm_swap_drop_references((PgmSwap *) lfirst(lc));
	}
	pgm_swap_run("ALTER TABLE %s DROP COLUMN %s", table, column);
	if (heir != NULL)
	{
		/* statistics are made anew in the words that they had */
		rename = contraction->take_name || has_statistics(contraction);
		if (rename)
			pgm_swap_run("ALTER TABLE %s RENAME COLUMN %s TO %s", table, heir, column);
		foreach(lc, contraction->swaps)
			pgm_swap_put_built((PgmSwap *) lfirst(lc));
		foreach(lc, contraction->swaps)
			pgm_swap_put_duties((PgmSwap *) lfirst(lc));
		if (rename && !contraction->take_name)
			pgm_swap_run("ALTER TABLE %s RENAME COLUMN %s TO %s", table, column, heir);
		foreach(lc, contraction->swaps)
			pgm_swap_carry_after((PgmSwap *) lfirst(lc));
	}
	SPI_finish();
	AtEOXact_GUC(keep_settings, guc_level);
}

/*-------------------------------------------------------------------------
 *
 * strategy.c
 *	  By pages or by key?
 *
 * By pages is faster, needs no key and can keep new row versions where the old
 * ones are, so it is taken wherever a row may be met twice.  What must be done
 * once only goes by a key.  Where neither can be, the backfill is refused.
 *
 * IDENTIFICATION
 *	  src/backfill/strategy.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/lmgr.h"
#include "utils/lsyscache.h"

#include "backfill/backfill.h"

static char *
pages_reason(const PgmShape *shape)
{
	if (shape->assign == NULL)
		return "a row that is deleted is not met again";
	if (shape->derived)
		return "rows that have their new values are told from others by comparing them";
	return "the filter tells rows that are done from others";
}

static void
report_not_pages(const PgmShape *shape)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot backfill \"%s\" by pages", shape->alias),
			 errdetail("A row can be met twice, and %s.", shape->once),
			 shape->assign == NULL ? errhint("Use strategy \"key\", or give a filter.") :
			 errhint("Use strategy \"key\", or give a filter \"column IS NULL\" on a column that is set and not read.")));
}

static void
report_no_key(const PgmShape *shape)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot backfill \"%s\" without a key", shape->alias),
			 errdetail("By pages a row can be met twice, and %s; by key there would have to be a unique index on columns that are NOT NULL and not set.",
					   shape->once),
			 shape->assign == NULL ? errhint("Add a primary key, or give a filter, or use TRUNCATE.") :
			 errhint("Add a primary key, or give a filter \"column IS NULL\" on a column that is set and not read.")));
}

/*
 * Choose how to go through the leaves; "wanted" is auto, pages or key, and
 * wanted_key NIL if none is named.  Throws if that cannot be done.
 */
PgmChoice
pgm_strategy_choose(const PgmShape *shape, List *leaves, const char *wanted, List *wanted_key)
{
	PgmChoice	choice = {false, NIL, NULL};
	bool		automatic = strcmp(wanted, "auto") == 0;
	ListCell   *lc;

	if (wanted_key != NIL && strcmp(wanted, "pages") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("strategy \"pages\" does not go by a key")));
	if (strcmp(wanted, "pages") == 0 && shape->once != NULL)
		report_not_pages(shape);
	choice.by_key = strcmp(wanted, "key") == 0 || wanted_key != NIL ||
		(automatic && shape->once != NULL);

	if (!choice.by_key)
	{
		choice.reason = pages_reason(shape);
		return choice;
	}
	choice.key_columns = wanted_key != NIL ? wanted_key :
		pgm_target_find_key(leaves != NIL ? leaves : list_make1_oid(shape->relid), shape);
	if (choice.key_columns == NIL && shape->once != NULL)
		report_no_key(shape);
	if (choice.key_columns == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" has no key that a backfill can go by", shape->alias),
				 errdetail("That takes a unique btree index, valid and not partial, on columns that are NOT NULL and that are not set."),
				 errhint("Use strategy \"pages\".")));
	foreach(lc, leaves)
		pgm_target_check_key(lfirst_oid(lc), choice.key_columns, shape);
	choice.reason = automatic && wanted_key == NIL ?
		psprintf("each row must be met once only, since %s", shape->once) : "as asked for";
	return choice;
}

/*
 * Throw if no backfill can do that to a table: set a list of columns, or delete
 * rows if "assign" is NULL.  To be called as the role that it would run as.
 */
void
pgm_strategy_check(Oid relid, const char *assign, const char *filter)
{
	PgmShape   *shape;
	List	   *leaves;
	PgmChoice	choice;
	ListCell   *lc;

	LockRelationOid(relid, AccessShareLock);
	pgm_target_check(relid);
	shape = pgm_shape_analyze(relid, get_rel_name(relid), assign, filter);
	leaves = pgm_target_leaves(relid);
	pgm_target_check_leaves(shape, leaves);
	choice = pgm_strategy_choose(shape, leaves, "auto", NIL);
	foreach(lc, leaves)
		pgm_leaf_check(shape, lfirst_oid(lc), choice.key_columns);
}

/*-------------------------------------------------------------------------
 *
 * check.c
 *	  Can columns be a pair?
 *
 * All that can be known of a pair is checked when it is made: the columns, the
 * expressions, the other pairs of the table.  What is wrong later is found out by
 * the writes of an application.
 *
 * The new side has no default, so that an INSERT shows whether it was written.  No
 * pair is made of the new side of another: the order in which they follow would
 * matter, and going back down would have no end.
 *
 * IDENTIFICATION
 *	  src/sync/check.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/guc.h"
#include "base/relation.h"
#include "sync/sync.h"

/* A column of the table; throws if there is none. */
static Form_pg_attribute
get_column(Relation rel, const char *name)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(rel), name);

	if (attno == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", name,
						RelationGetRelationName(rel))));
	if (attno < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot keep system column \"%s\" in step", name)));
	return TupleDescAttr(RelationGetDescr(rel), attno - 1);
}

/*
 * Throw unless a column can be the new side of a pair.
 */
static void
check_target(Relation rel, Form_pg_attribute att)
{
	const char *why = NULL;

	if (att->attgenerated != '\0')
		why = "It is a generated column.";
	else if (att->attidentity != '\0')
		why = "It is an identity column.";
	else if (build_column_default(rel, att->attnum) != NULL)
		why = "It has a default, so that a row does not tell whether it was written.";
	if (why != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("cannot keep column \"%s\" of table \"%s\" in step",
						NameStr(att->attname), RelationGetRelationName(rel)),
				 errdetail_internal("%s", why)));
}

/*
 * Parse and check an expression of a pair, as the owner as far as the owner's code
 * may run.  Returns its text as it is kept, and the columns it reads.
 */
static char *
check_expression(Relation rel, const char *what, const char *column, const char *text,
				 Bitmapset **reads)
{
	PgmSyncScope scope;
	const bool	new_level = false;
	Node	   *expr = pgm_sync_parse(rel, RelationGetRelationName(rel), column, text);

	pgm_sync_enter_owner(rel, new_level, &scope);
	pgm_sync_check(rel, what, column, expr);
	/* the owner has to have the right to call its functions */
	(void) ExecInitExpr(expression_planner((Expr *) expr), NULL);
	pgm_sync_leave_owner(&scope);
	pull_varattnos(expr, 1, reads);
	return pgm_sync_deparse(rel, expr);
}

/* The names of these columns. */
static List *
column_names(Relation rel, const Bitmapset *columns)
{
	List	   *names = NIL;
	int			i = -1;

	while ((i = bms_next_member(columns, i)) >= 0)
		names = lappend(names, get_attname(RelationGetRelid(rel),
										   i + FirstLowInvalidHeapAttributeNumber, false));
	return names;
}

static bool
contains_name(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp((char *) lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/*
 * The settings that say what expressions mean, with the temporary tables of
 * whoever writes a row behind all others.
 */
List *
pgm_sync_save_settings(void)
{
	List	   *settings = pgm_guc_save_meaning();
	ListCell   *lc;

	foreach(lc, settings)
	{
		ListCell   *value = lnext(settings, lc);

		if (strcmp((char *) lfirst(lc), "search_path") == 0 &&
			strstr((char *) lfirst(value), "pg_temp") == NULL)
			lfirst(value) = *(char *) lfirst(value) == '\0' ? "pg_temp" :
				psprintf("%s, pg_temp", (char *) lfirst(value));
		lc = value;
	}
	return settings;
}

/*
 * Make a pair of what the user asked for; all of it is checked.  What "up" reads
 * comes back in "reads".
 */
PgmPair *
pgm_sync_make_pair(Relation rel, List *source, const char *target, const char *up,
				   const char *down, List **reads)
{
	PgmPair    *pair = palloc0(sizeof(PgmPair));
	Bitmapset  *up_reads = NULL;
	Bitmapset  *down_reads = NULL;
	ListCell   *lc;

	check_target(rel, get_column(rel, target));
	pair->relid = RelationGetRelid(rel);
	pair->relation = pgm_relation_name(pair->relid);
	pair->target = pstrdup(target);
	pair->settings = pgm_sync_save_settings();
	pair->up = check_expression(rel, "up", target, up, &up_reads);
	*reads = column_names(rel, up_reads);
	pair->source = source == NIL ? *reads : source;
	if (contains_name(*reads, target) || contains_name(source, target))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" cannot be made of itself", target)));
	if (pair->source == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expression \"up\" of column \"%s\" reads no column", target),
				 errhint("Use a default for a column that does not depend on others.")));
	foreach(lc, pair->source)
		(void) get_column(rel, (char *) lfirst(lc));
	if (down == NULL)
		return pair;

	if (list_length(pair->source) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expression \"down\" can be given for one old column only"),
				 errhint("Name the old column that it is for as \"source\".")));
	if (get_column(rel, linitial(pair->source))->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expression \"down\" cannot be given for generated column \"%s\"",
						(char *) linitial(pair->source))));
	pair->down = check_expression(rel, "down", linitial(pair->source), down, &down_reads);
	return pair;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_pair(const PgmPair *a, const PgmPair *b)
{
	ListCell   *lc;

	if (list_length(a->source) != list_length(b->source))
		return false;
	foreach(lc, a->source)
	{
		if (!contains_name(b->source, (char *) lfirst(lc)))
			return false;
	}
	return same_text(a->up, b->up) && same_text(a->down, b->down);
}

/*
 * Compare a pair to be made with those of the table.  Returns the id of the same
 * one, if it is there, else 0; throws if both cannot be.
 */
int64
pgm_sync_check_others(Relation rel, const PgmPair *pair, List *reads, List *others)
{
	ListCell   *lc;

	foreach(lc, others)
	{
		PgmPair    *other = (PgmPair *) lfirst(lc);

		if (strcmp(other->target, pair->target) == 0)
		{
			if (same_pair(other, pair))
				return other->id;
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("column \"%s\" of table \"%s\" is kept in step already", pair->target,
							RelationGetRelationName(rel)),
					 errdetail("It is made otherwise: %s.", other->up),
					 errhint("Use migrate.sync_end('%s', '%s') first.", pair->relation,
							 pair->target)));
		}
		if (contains_name(reads, other->target) || contains_name(pair->source, other->target))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("column \"%s\" cannot be made of column \"%s\"", pair->target,
							other->target),
					 errdetail("That one is kept in step with others itself.")));
	}
	return 0;
}

/*
 * Throw if a pair of the table reads the column that is to be the new side of
 * another.
 */
void
pgm_sync_check_not_read(Relation rel, int64 number, const char *target)
{
	PgmSyncTable *table = pgm_sync_table(rel, number);
	AttrNumber	attno = get_attnum(RelationGetRelid(rel), target);
	const char *reader = NULL;

	for (int i = 0; i < table->npairs; i++)
	{
		for (int k = 0; k < table->pairs[i].ninputs; k++)
		{
			if (table->pairs[i].inputs[k] == attno)
				reader = pstrdup(table->pairs[i].target_name);
		}
	}
	pgm_sync_release(table);
	if (reader != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("cannot keep column \"%s\" in step", target),
				 errdetail("Column \"%s\" is made of it.", reader)));
}

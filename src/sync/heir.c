/*-------------------------------------------------------------------------
 *
 * heir.c
 *	  The new column that takes the place of an old one, and its default.
 *
 * A new column takes the place of an old one if it is made of that alone, and the
 * old one of it: both are the same thing said in two ways.  What is made of
 * several columns, or does not go back, is something of its own.
 *
 * An INSERT that mentions neither column gives the old one its default, and the
 * new one what "up" makes of that.  So that is the default of the new one when the
 * old one has gone.
 *
 * IDENTIFICATION
 *	  src/sync/heir.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/guc.h"
#include "sync/sync.h"

/*
 * The one of these pairs whose new side takes the place of a column; NULL if there
 * is none, or more than one.
 */
PgmPair *
pgm_sync_heir(List *pairs, const char *column)
{
	PgmPair    *heir = NULL;
	ListCell   *lc;

	foreach(lc, pairs)
	{
		PgmPair    *pair = (PgmPair *) lfirst(lc);

		if (pair->down == NULL || list_length(pair->source) != 1 ||
			strcmp((char *) linitial(pair->source), column) != 0)
			continue;
		if (heir != NULL)
			return NULL;
		heir = pair;
	}
	return heir;
}

/* An expression of a column, and what is to be put in the place of that column. */
typedef struct Replacement
{
	AttrNumber	attno;
	Node	   *value;
	int			count;			/* of places */
	bool		reads_others;
} Replacement;

static Node *
replace_mutator(Node *node, void *arg)
{
	Replacement *replacement = (Replacement *) arg;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
	{
		if (((Var *) node)->varattno != replacement->attno)
		{
			replacement->reads_others = true;
			return copyObject(node);
		}
		replacement->count++;
		return copyObject(replacement->value);
	}
	return expression_tree_mutator(node, replace_mutator, arg);
}

/*
 * The default that the new side of a pair is to have in a table, or NULL for none.
 * Sets "known" to false if there is one to be had that no expression can give.
 */
char *
pgm_sync_heir_default(Oid relid, const PgmPair *pair, bool *known)
{
	Relation	rel = table_open(relid, AccessShareLock);
	const char *column = linitial(pair->source);
	AttrNumber	attno = get_attnum(relid, column);
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attno - 1);
	Replacement replacement = {.attno = attno};
	char	   *result = NULL;
	Node	   *expr;

	*known = true;
	if (att->atthasdef && att->attgenerated == '\0')
	{
		int			level = NewGUCNestLevel();

		pgm_guc_pin_meaning();
		replacement.value = build_column_default(rel, attno);
		expr = replace_mutator(pgm_sync_parse(rel, RelationGetRelationName(rel), pair->target,
											  pair->up), &replacement);
		*known = !replacement.reads_others &&
			(replacement.count <= 1 || !contain_volatile_functions(replacement.value));
		if (*known)
			result = pgm_sync_deparse(rel, expr);
		AtEOXact_GUC(false, level);
	}
	table_close(rel, NoLock);
	return result;
}

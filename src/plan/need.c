/*-------------------------------------------------------------------------
 *
 * need.c
 *	  Does a statement need a column that is still being filled?
 *
 * It does if it names both the table and a column that a backfill sets, or the
 * old side of one that is kept in step: dropping that, say, would end the fill.
 * Strings count like names, for what a function is called with
 * ("SELECT migrate.contract('users', 'username')").  That is decided by the words of
 * the statement, so it may be found to need what it does not; then it only waits.
 * What gives rights or comments, and rows that are added, need nothing.
 *
 * IDENTIFICATION
 *	  src/plan/need.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/relation.h"
#include "plan/plan.h"

/*
 * Is it a statement that may name a column that is being filled and does not need
 * it?
 */
static bool
needs_nothing(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_CommentStmt:
		case T_GrantStmt:
		case T_SecLabelStmt:
			return true;
		case T_InsertStmt:
			{
				SelectStmt *source = castNode(SelectStmt, ((InsertStmt *) stmt)->selectStmt);

				return source == NULL || source->valuesLists != NIL;
			}
		default:
			return false;
	}
}

/* The first of the columns that the words have, or NULL. */
static const char *
named_column(List *words, List *columns)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		if (pgm_script_has_name(words, (char *) lfirst(lc)))
			return (char *) lfirst(lc);
	}
	return NULL;
}

/*
 * The first of the fills that a statement has to wait for, or NULL.  What run
 * "own" fills by its steps does not count: it waits for that by itself.
 */
PgmOpenFill *
pgm_plan_need(const PgmScript *script, const PgmStatement *statement, List *fills, int64 own)
{
	List	   *words;
	ListCell   *lc;

	if (fills == NIL || needs_nothing(statement->raw->stmt))
		return NULL;
	words = pgm_tokens_words(pnstrdup(script->sql + statement->location, statement->length),
							 script->conforming_strings);
	foreach(lc, fills)
	{
		PgmOpenFill *fill = (PgmOpenFill *) lfirst(lc);
		char	   *table = get_rel_name(fill->relid);

		if (table == NULL || (own != 0 && fill->run == own) ||
			pgm_tokens_count_table(words, table) == 0)
			continue;
		fill->named = named_column(words, fill->columns);
		fill->is_source = fill->named == NULL;
		if (fill->is_source)
			fill->named = named_column(words, fill->source);
		if (fill->named != NULL)
			return fill;
	}
	return NULL;
}

/*
 * What is needed, in words that follow "it needs" or "waits for".
 */
char *
pgm_plan_describe_need(const PgmOpenFill *fill)
{
	return psprintf("column %s of %s, which backfill \"%s\" (%s) %s",
					quote_identifier(fill->named), pgm_relation_name(fill->relid), fill->backfill,
					fill->state, fill->is_source ? "reads" : "fills");
}

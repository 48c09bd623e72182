/*-------------------------------------------------------------------------
 *
 * reason.c
 *	  Has a migration to run online, and why?
 *
 * It has if it asks for it, if a statement commits by itself, or if a statement
 * would hold others up on a table that is not small, and there is a way round
 * that.  The last is found out only where a table that the script locks is large
 * enough, so that the rest cost nothing.
 *
 * IDENTIFICATION
 *	  src/online/reason.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/guc.h"
#include "base/relation.h"
#include "online/online.h"

/*
 * Does a statement lock a table that is large enough to be asked about?
 */
static bool
locks_large(const PgmStatement *statement)
{
	ListCell   *lc;

	foreach(lc, pgm_locks_of(statement->raw->stmt))
	{
		const PgmLock *lock = (PgmLock *) lfirst(lc);

		if (lock->mode >= RowExclusiveLock && pgm_relation_is_large(lock->relid))
			return true;
	}
	return false;
}

static char *
describe(const PgmStatement *statement, const char *what)
{
	return psprintf("statement %d, on line %d, %s", statement->number, statement->line, what);
}

/*
 * What a line of the naive plan would do to others, or NULL.
 */
static const char *
trouble_of(const PgmPlanLine *line)
{
	if (line->mode < ShareLock || !pgm_relation_is_large(line->relid))
		return NULL;
	if (line->rewrites == PGM_EFFECT_YES)
		return psprintf("would rewrite %s under a lock", pgm_relation_name(line->relid));
	if (line->scans == PGM_EFFECT_YES)
		return psprintf("would read %s under a lock", pgm_relation_name(line->relid));
	return NULL;
}

/*
 * Why, because of a statement that would hold others up; NULL if none would.
 */
static char *
find_trouble(const PgmScript *script, bool trusted)
{
	Bitmapset  *composed = NULL;
	ListCell   *lc;

	foreach(lc, pgm_online_plan(script, trusted))
	{
		const PgmPlanStep *step = (PgmPlanStep *) lfirst(lc);

		if (!step->composed)
			continue;
		composed = bms_add_member(composed, step->statement->number);
		if (IsA(step->statement->raw->stmt, UpdateStmt) || IsA(step->statement->raw->stmt, DeleteStmt))
		{
			if (pgm_relation_is_large(step->filled))
				return describe(step->statement, psprintf("changes many rows of %s",
														  pgm_relation_name(step->filled)));
		}
	}
	if (composed == NULL)
		return NULL;
	foreach(lc, pgm_effects_of(script, trusted))
	{
		const PgmPlanLine *line = (PgmPlanLine *) lfirst(lc);
		const char *trouble;

		if (!bms_is_member(line->statement->number, composed))
			continue;
		trouble = trouble_of(line);
		if (trouble != NULL)
			return describe(line->statement, trouble);
	}
	return NULL;
}

/*
 * Why the script has to run online, NULL if it can run in the caller's
 * transaction.  "trusted" is as in pgm_effects_of().
 */
char *
pgm_online_reason(const PgmScript *script, bool trusted)
{
	bool		ask = false;
	ListCell   *lc;

	if (script->mode == PGM_MODE_ONLINE)
		return pstrdup("its script asks for it");
	foreach(lc, pgm_script_statements(script, PGM_PART_UP))
	{
		const PgmStatement *statement = (PgmStatement *) lfirst(lc);
		Node	   *stmt = statement->raw->stmt;

		if (!pgm_classify_transactional(stmt))
			return describe(statement, psprintf("is %s, which commits by itself",
												GetCommandTagName(CreateCommandTag(stmt))));
		ask = ask || locks_large(statement);
	}
	return ask ? find_trouble(script, trusted) : NULL;
}

/*-------------------------------------------------------------------------
 *
 * compare.c
 *	  Whether two scripts do the same.
 *
 * They are compared by parse tree, so that comments and white space do not
 * count, with the server's own equal(), which leaves locations out.  Nothing of
 * the tree is stored: both texts are parsed anew, by the server at hand.
 *
 * IDENTIFICATION
 *	  src/script/compare.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "script/script.h"

/*
 * Is a name in a list of names?
 */
bool
pgm_script_has_name(List *names, const char *name)
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
 * Names never stand twice in a list, so equal lengths and inclusion will do.
 */
static bool
same_names(List *a, List *b)
{
	ListCell   *lc;

	if (list_length(a) != list_length(b))
		return false;
	foreach(lc, a)
	{
		if (!pgm_script_has_name(b, (char *) lfirst(lc)))
			return false;
	}
	return true;
}

static bool
same_statements(List *a, List *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (list_length(a) != list_length(b))
		return false;
	forboth(la, a, lb, b)
	{
		if (!equal(((PgmStatement *) lfirst(la))->raw->stmt,
				   ((PgmStatement *) lfirst(lb))->raw->stmt))
			return false;
	}
	return true;
}

/*
 * True if the scripts differ in comments, white space and description only.
 */
bool
pgm_script_same(const PgmScript *a, const PgmScript *b)
{
	if (a->kind != b->kind || a->mode != b->mode ||
		!same_names(a->requires, b->requires) ||
		!same_names(a->conflicts, b->conflicts))
		return false;

	for (int part = 0; part < PGM_PART_COUNT; part++)
	{
		if (a->parts[part].present != b->parts[part].present ||
			!same_statements(pgm_script_statements(a, part), pgm_script_statements(b, part)))
			return false;
	}
	return true;
}

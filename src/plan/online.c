/*-------------------------------------------------------------------------
 *
 * online.c
 *	  A migration as the steps of an online run.
 *
 * What the user wrote is kept where it holds nobody up.  Where it would read,
 * build or write anew under a lock that others wait for, and the same end can be
 * reached by steps that do not, these take its place.  Every step is one command
 * of SQL, which can be read, and be run by hand.
 *
 * What locks, rewrites and scans there are is then asked about the steps as it is
 * about a script, so nothing here has to know.
 *
 * IDENTIFICATION
 *	  src/plan/online.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "plan/online.h"

static const char *const hold_names[] = {
	[PGM_HOLD_BRIEF] = "no time",
	[PGM_HOLD_WAIT] = "wait",
	[PGM_HOLD_SCAN] = "scan",
	[PGM_HOLD_BUILD] = "build",
	[PGM_HOLD_BATCHES] = "batches",
	[PGM_HOLD_REWRITE] = "rewrite",
};

/*
 * What a hold is called, NULL if it is not known.
 */
const char *
pgm_online_hold_name(PgmHold hold)
{
	return hold_names[hold];
}

/*
 * A table with rows on disk that others can see; InvalidOid if it is none.
 */
Oid
pgm_online_table(const RangeVar *relation)
{
	Oid			relid = RangeVarGetRelid(relation, NoLock, true);

	if (!OidIsValid(relid) || get_rel_persistence(relid) == RELPERSISTENCE_TEMP)
		return InvalidOid;
	switch (get_rel_relkind(relid))
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_MATVIEW:
			return relid;
		default:
			return InvalidOid;
	}
}

/*
 * Add a step.
 */
void
pgm_online_add(List **steps, PgmHold hold, const char *why, char *sql)
{
	PgmPlanStep *step = palloc0(sizeof(PgmPlanStep));

	step->hold = hold;
	step->why = why;
	step->sql = sql;
	*steps = lappend(*steps, step);
}

/*
 * The name of the backfill that a statement becomes, or a column that it adds.
 * Another run of the migration has others.
 */
char *
pgm_online_fill_name(const PgmScript *script, int number, const char *column)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%s/%d", script->name, number);
	if (column != NULL)
		appendStringInfo(&buf, "/%s", column);
	if (script->run != 0)
		appendStringInfo(&buf, "@" INT64_FORMAT, script->run);
	return buf.data;
}

/*
 * Add a backfill.
 */
void
pgm_online_add_fill(List **steps, Oid relid, const PgmFill *fill)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT migrate.backfill(%s", quote_literal_cstr(fill->table));
	if (fill->assign != NULL)
		appendStringInfo(&buf, ", %s", quote_literal_cstr(fill->assign));
	if (fill->filter != NULL)
		appendStringInfo(&buf, ", filter => %s", quote_literal_cstr(fill->filter));
	if (fill->assign == NULL)
		appendStringInfoString(&buf, ", delete => true");
	if (fill->in_order)
		appendStringInfoString(&buf, ", lanes => 1");
	appendStringInfo(&buf, ", name => %s)", quote_literal_cstr(fill->name));
	pgm_online_add(steps, PGM_HOLD_BATCHES,
				   fill->why != NULL ? fill->why : "in batches, each a short transaction", buf.data);
	((PgmPlanStep *) llast(*steps))->filled = relid;
}

/*
 * Steps as a script.
 */
static PgmScript *
as_script(const PgmScript *original, List *steps)
{
	PgmScript  *script = palloc0(sizeof(PgmScript));
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	/* a comment at the end of a statement ends before the semicolon */
	foreach(lc, steps)
		appendStringInfo(&buf, "%s\n;\n", ((PgmPlanStep *) lfirst(lc))->sql);
	*script = *original;
	memset(script->parts, 0, sizeof(script->parts));
	script->sql = buf.data;
	script->parts[PGM_PART_UP].present = true;
	script->parts[PGM_PART_UP].end = buf.len;
	return script;
}

/* Numbers, from 1, of the statements of a script that rewrite a table. */
static Bitmapset *
find_rewriting(const PgmScript *script, bool trusted)
{
	Bitmapset  *numbers = NULL;
	ListCell   *lc;

	foreach(lc, pgm_effects_of(script, trusted))
	{
		const PgmPlanLine *line = (PgmPlanLine *) lfirst(lc);

		if (line->rewrites == PGM_EFFECT_YES)
			numbers = bms_add_member(numbers, line->statement->number);
	}
	return numbers;
}

/*
 * Which steps, counted from 1, rewrite a table?
 */
Bitmapset *
pgm_online_rewriting(const PgmScript *script, List *steps, bool trusted)
{
	return find_rewriting(as_script(script, steps), trusted);
}

/*
 * Does a command read a table, as far as the server can tell without running it?
 */
bool
pgm_online_reads(const PgmScript *script, char *sql, bool trusted)
{
	PgmPlanStep step = {.sql = sql};
	ListCell   *lc;

	foreach(lc, pgm_effects_of(as_script(script, list_make1(&step)), trusted))
	{
		if (((PgmPlanLine *) lfirst(lc))->scans == PGM_EFFECT_YES)
			return true;
	}
	return false;
}

/*
 * A setting for the transaction is one for the rest of the run, whose
 * transactions are one to who wrote the script.
 */
static List *
set_for_run(const PgmScript *script, const PgmStatement *statement)
{
	PgmPieces  *pieces = pgm_pieces_read(script, statement);
	int			local = pgm_pieces_find(pieces, 1, "local");
	List	   *steps = NIL;

	if (!((VariableSetStmt *) statement->raw->stmt)->is_local || local != 1)
		return NIL;
	pgm_online_add(&steps, PGM_HOLD_FOUND, "holds for the rest of the run",
				   psprintf("SET %s", pgm_pieces_text(pieces, local + 1, pieces->count)));
	return steps;
}

/*
 * The steps that take a statement's place, NIL if it stays.
 */
static List *
take_apart(const PgmScript *script, const PgmStatement *statement, bool trusted, bool rewrites)
{
	switch (nodeTag(statement->raw->stmt))
	{
		case T_IndexStmt:
			return pgm_online_create_index(script, statement, trusted);
		case T_DropStmt:
			return pgm_online_drop_index(statement);
		case T_ReindexStmt:
			return pgm_online_reindex(script, statement);
		case T_RefreshMatViewStmt:
			return pgm_online_refresh(statement);
		case T_AlterTableStmt:
			return pgm_online_alter_table(script, statement, rewrites, trusted);
		case T_UpdateStmt:
		case T_DeleteStmt:
			return pgm_online_change_rows(script, statement, trusted);
		case T_VariableSetStmt:
			return set_for_run(script, statement);
		default:
			return NIL;
	}
}

/*
 * The steps of a statement, one at least; one only if the script is to be kept
 * together.
 */
static List *
steps_of(const PgmScript *script, const PgmStatement *statement, bool trusted, bool rewrites,
		 const PgmTogether *together)
{
	char	   *whole = pnstrdup(script->sql + statement->location, statement->length);
	List	   *steps = together != NULL ? NIL : take_apart(script, statement, trusted, rewrites);
	int			number = 0;
	ListCell   *lc;

	/* a statement may stay, and have a reason for that */
	foreach(lc, steps)
		((PgmPlanStep *) lfirst(lc))->composed = list_length(steps) > 1 ||
		strcmp(((PgmPlanStep *) lfirst(lc))->sql, whole) != 0;
	if (steps == NIL)
		pgm_online_add(&steps, PGM_HOLD_FOUND, together != NULL ? together->why : NULL, whole);
	foreach(lc, steps)
	{
		((PgmPlanStep *) lfirst(lc))->statement = statement;
		((PgmPlanStep *) lfirst(lc))->number = ++number;
	}
	return steps;
}

/*
 * The steps of a part of a statement, which has the text of a statement itself.
 */
List *
pgm_online_part(const PgmScript *script, char *sql, int number, bool trusted)
{
	PgmPlanStep whole = {.sql = sql};
	PgmScript  *part = as_script(script, list_make1(&whole));
	Bitmapset  *rewriting = find_rewriting(part, trusted);
	PgmStatement *statement = (PgmStatement *) linitial(pgm_script_statements(part, PGM_PART_UP));
	List	   *steps;

	statement->number = number;
	steps = take_apart(part, statement, trusted, bms_is_member(1, rewriting));
	if (steps == NIL)
	{
		pgm_online_add(&steps, PGM_HOLD_FOUND, NULL, sql);
		((PgmPlanStep *) llast(steps))->kept = true;
	}
	return steps;
}

/*
 * All steps, each with the statement that it comes from.
 */
static List *
all_steps(const PgmScript *script, bool trusted)
{
	const PgmTogether *together = pgm_plan_together(script);
	Bitmapset  *rewriting = find_rewriting(script, trusted);
	List	   *all = NIL;
	ListCell   *lc;

	foreach(lc, pgm_script_statements(script, PGM_PART_UP))
	{
		const PgmStatement *statement = (PgmStatement *) lfirst(lc);

		all = list_concat(all, steps_of(script, statement, trusted,
										bms_is_member(statement->number, rewriting), together));
	}
	return all;
}

/*
 * A statement that stays: how long it holds its locks, and whether others wait
 * for it meanwhile.
 */
static void
find_hold(PgmPlanStep *step, const PgmPlanLine *line)
{
	step->hold = pgm_plan_hold(line);
	if (step->why == NULL && step->hold >= PGM_HOLD_SCAN && line->mode >= ShareLock)
		step->why = pgm_online_why_it_stays(line->statement->raw->stmt);
}

/*
 * What a function locks, on which the server does not tell.
 */
static void
add_locks(PgmPlanStep *step, PgmPlanLine *line)
{
	ListCell   *lc;

	foreach(lc, step->locks)
	{
		const PgmLock *lock = (PgmLock *) lfirst(lc);
		PgmPlanLine *copy = line;

		if (foreach_current_index(lc) > 0)
		{
			copy = palloc(sizeof(PgmPlanLine));
			*copy = *line;
			step->lines = lappend(step->lines, copy);
		}
		copy->relid = lock->relid;
		copy->mode = lock->mode;
	}
}

/*
 * Add to each step the relations that it locks.
 */
static void
find_lines(const PgmScript *script, List *steps, bool trusted)
{
	ListCell   *lc;

	foreach(lc, pgm_effects_of(as_script(script, steps), trusted))
	{
		PgmPlanLine *line = (PgmPlanLine *) lfirst(lc);
		PgmPlanStep *step = (PgmPlanStep *) list_nth(steps, line->statement->number - 1);

		step->lines = lappend(step->lines, line);
		if (step->hold == PGM_HOLD_FOUND)
			find_hold(step, line);
		if (OidIsValid(step->filled))
		{
			line->relid = step->filled;
			line->mode = RowExclusiveLock;
		}
		add_locks(step, line);
	}
}

/*
 * The online plan of a script's up part: steps, each with the relations that it
 * locks.  "trusted" is as in pgm_effects_of().
 */
List *
pgm_online_plan(const PgmScript *script, bool trusted)
{
	List	   *steps = all_steps(script, trusted);

	find_lines(script, steps, trusted);
	return steps;
}

/*
 * The same for one statement of it, when all that comes before it is done.
 */
List *
pgm_online_plan_statement(const PgmScript *script, PgmStatement *statement, bool trusted)
{
	List	   *whole = NIL;
	List	   *steps;

	pgm_online_add(&whole, PGM_HOLD_FOUND, NULL,
				   pnstrdup(script->sql + statement->location, statement->length));
	steps = steps_of(script, statement, trusted,
					 !bms_is_empty(pgm_online_rewriting(script, whole, trusted)),
					 pgm_plan_together(script));
	find_lines(script, steps, trusted);
	return steps;
}

/*
 * A step, or any other command, as the one statement of a script of its own, for
 * which a statement of the original stands in errors.
 */
PgmScript *
pgm_online_script_of(const PgmScript *original, const char *sql, int number, int line,
					 PgmStatement **statement)
{
	List	   *steps = NIL;
	PgmScript  *script;

	pgm_online_add(&steps, PGM_HOLD_FOUND, NULL, pstrdup(sql));
	script = as_script(original, steps);
	*statement = (PgmStatement *) linitial(pgm_script_statements(script, PGM_PART_UP));
	(*statement)->number = number;
	(*statement)->line = line;
	return script;
}

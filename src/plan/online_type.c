/*-------------------------------------------------------------------------
 *
 * online_type.c
 *	  A column whose type changes, so that the server would write the table anew,
 *	  or read it to build indexes and to prove constraints.
 *
 * Another column, of the new type, stands in for it: a trigger keeps it equal to
 * the value that the change computes, a backfill fills the old rows, indexes and
 * constraints are built on it beside reading and writing, and at last it takes
 * the place of the old one, in one short transaction.
 *
 * What hangs on the column and cannot move is found before anything is done.
 * Most of it the server refuses too: views, rules, policies, triggers, generated
 * columns and functions that use the column.  Then the statement stays as it is.
 *
 * A partitioned table has another column on it and on each partition, kept equal
 * by one trigger; indexes are built on each leaf.  All are swapped at once.
 *
 * Of several commands the type changes come by themselves, one after the other,
 * after what is dropped and before all else, as the server has it.
 *
 * IDENTIFICATION
 *	  src/plan/online_type.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/partition.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "base/relation.h"
#include "plan/online.h"

#define NOT_VALID_WHY	"holds for new rows from here on, without reading the old ones"
#define VALIDATE_WHY	"reads the table beside reading and writing"

/*
 * Does a change of type that does not rewrite the table read it nevertheless, to
 * build indexes anew or to prove constraints?
 */
static bool
reads_table(const PgmAlteration *alteration, const AlterTableCmd *cmd, const PgmSlice *slice,
			bool trusted)
{
	AttrNumber	attnum = get_attnum(alteration->relid, cmd->name);
	const PgmDependents *found;

	if (attnum <= 0)
		return false;
	found = pgm_dependents_find(alteration->relid, attnum);
	if (found->indexes == NIL && found->constraints == NIL)
		return false;
	return pgm_online_reads(alteration->script,
							psprintf("%s %s", alteration->prefix,
									 pgm_pieces_text(alteration->pieces, slice->from, slice->to)),
							trusted);
}

/*
 * Does a statement change the type of a column so that the table is rewritten or
 * read?  Notes the commands that do.
 */
bool
pgm_online_changes_type(PgmAlteration *alteration, List *slices, bool trusted)
{
	bool		result = false;
	int			number = 0;
	ListCell   *slice;
	ListCell   *lc;

	forboth(slice, slices, lc, alteration->stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		number++;
		if (cmd->subtype != AT_AlterColumnType)
			continue;
		if (!bms_is_member(number, alteration->rewriting))
		{
			if (!reads_table(alteration, cmd, (PgmSlice *) lfirst(slice), trusted))
				continue;
			alteration->rewriting = bms_add_member(alteration->rewriting, number);
		}
		result = true;
	}
	return result;
}

/*
 * The text of the type, with its collation; NULL if it is not where it should be.
 */
static char *
type_text(const PgmPieces *pieces, const PgmSlice *slice)
{
	int			i = slice->from + 1;
	int			using;

	if (pgm_pieces_match(pieces, i, "column"))
		i++;
	i++;
	if (pgm_pieces_match(pieces, i, "set"))
		i += 2;
	if (!pgm_pieces_match(pieces, i, "type"))
		return NULL;
	using = pgm_pieces_find(pieces, i + 1, "using");
	return pgm_pieces_text(pieces, i + 1, using < 0 || using > slice->to ? slice->to : using);
}

/*
 * What else the statement does: DROP DEFAULT is foreseen, other drops are not.
 */
static void
look_at_others(PgmTypeChange *change)
{
	ListCell   *lc;

	foreach(lc, change->alteration->stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		switch (cmd->subtype)
		{
			case AT_ColumnDefault:
				if (cmd->def == NULL && strcmp(cmd->name, change->column) == 0)
					change->drops_default = true;
				break;
			case AT_DropColumn:
			case AT_DropConstraint:
			case AT_DropNotNull:
			case AT_DropIdentity:
			case AT_DropExpression:
				change->obstacle = "the statement drops something as well: do that in a statement of its own before";
				break;
			default:
				break;
		}
	}
}

/*
 * The values of several columns are computed from the old ones.  One after the
 * other, that goes only if none reads what another one changes.
 */
static void
look_at_values(PgmTypeChange *change)
{
	ListCell   *lc;

	foreach(lc, change->alteration->stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		AttrNumber	attnum;

		if (cmd->subtype != AT_AlterColumnType || strcmp(cmd->name, change->column) == 0)
			continue;
		attnum = get_attnum(change->alteration->relid, cmd->name);
		if (bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, change->reads))
			change->obstacle = psprintf("the new values come from column \"%s\", whose type changes as well",
										cmd->name);
	}
}

/*
 * Partitions change with their table, and whoever owns that has to own these too.
 */
static bool
may_change_partitions(const PgmTypeChange *change)
{
	ListCell   *lc;

	foreach(lc, change->found->partitions)
	{
		if (!change->alteration->stmt->relation->inh ||
			!pgm_relation_is_owned(((PgmDependents *) lfirst(lc))->relid, change->user))
			return false;
	}
	return true;
}

/*
 * Begin with a type change: find out all that is to be known of it.  False if the
 * server would refuse it.
 */
static bool
read_change(PgmTypeChange *change, const AlterTableCmd *cmd, const PgmSlice *slice)
{
	PgmAlteration *alteration = change->alteration;
	AttrNumber	attnum = get_attnum(alteration->relid, cmd->name);

	change->column = cmd->name;
	change->def = (ColumnDef *) cmd->def;
	change->user = GetUserId();
	change->shadow = pgm_dependents_stand_in(cmd->name);
	change->type = type_text(alteration->pieces, slice);
	if (attnum <= 0 || change->type == NULL ||
		!pgm_relation_is_owned(alteration->relid, change->user))
		return false;
	change->found = pgm_dependents_find(alteration->relid, attnum);
	if (!may_change_partitions(change))
		return false;
	change->obstacle = change->found->obstacle;
	if (change->obstacle == NULL)
		look_at_others(change);
	if (change->obstacle != NULL)
		return true;
	if (!pgm_online_read_change(change))
		return false;
	look_at_values(change);
	return true;
}

static void
add(PgmTypeChange *change, PgmHold hold, const char *why, char *sql)
{
	pgm_online_add(&change->alteration->steps, hold, why, sql);
}

/* Note what a step locks that is a function for the server. */
static void
note_lock(PgmTypeChange *change, Oid relid, LOCKMODE mode)
{
	PgmPlanStep *step = (PgmPlanStep *) llast(change->alteration->steps);
	PgmLock    *lock = palloc0(sizeof(PgmLock));

	lock->relid = relid;
	lock->mode = mode;
	lock->allowed = true;
	step->locks = lappend(step->locks, lock);
}

/*
 * The column, and the trigger that keeps it equal.
 */
static void
add_column(PgmTypeChange *change)
{
	PgmAlteration *alteration = change->alteration;
	char	   *table = quote_literal_cstr(pgm_online_relation(alteration->stmt->relation));
	PgmPlanStep *step;
	StringInfoData sources;
	ListCell   *lc;

	initStringInfo(&sources);
	foreach(lc, change->sources)
		appendStringInfo(&sources, "%s%s", sources.len > 0 ? ", " : "",
						 quote_literal_cstr((char *) lfirst(lc)));
	add(change, PGM_HOLD_BRIEF, "stands in for the column; empty at first",
		psprintf("%s ADD COLUMN %s %s", alteration->prefix, quote_identifier(change->shadow),
				 change->type));
	add(change, PGM_HOLD_BRIEF, "a trigger keeps it equal from here on",
		psprintf("SELECT migrate.sync_begin(%s, ARRAY[%s], %s, up => %s)", table, sources.data,
				 quote_literal_cstr(change->shadow), quote_literal_cstr(change->value)));
	foreach(lc, pgm_dependents_all(change->found))
		note_lock(change, ((PgmDependents *) lfirst(lc))->relid, ShareRowExclusiveLock);
	step = (PgmPlanStep *) llast(alteration->steps);
	step->undo = psprintf("SELECT migrate.sync_end(%s, %s)",
						  quote_literal_cstr(pgm_relation_name(alteration->relid)),
						  quote_literal_cstr(change->shadow));
}

/*
 * The old rows.  Values that are not the same whenever they are computed do not
 * tell which rows are done.
 */
static void
add_fill(PgmTypeChange *change)
{
	PgmAlteration *alteration = change->alteration;
	const char *name = quote_identifier(change->shadow);
	PgmFill		fill = {
		.table = pgm_online_relation(alteration->stmt->relation),
		.assign = psprintf("%s = %s", name, change->value),
		.filter = change->stable ? psprintf("%s IS NULL AND (%s) IS NOT NULL", name, change->value) :
		NULL,
		.name = pgm_online_fill_name(alteration->script, alteration->number, change->column)
	};

	pgm_online_add_fill(&alteration->steps, alteration->relid, &fill);
}

/*
 * A constraint that holds for new rows first, and is then found to hold for all.
 */
static void
add_constraint(PgmTypeChange *change, const PgmStandIn *stand_in)
{
	const char *prefix = stand_in->table == NULL ? change->alteration->prefix :
		psprintf("ALTER TABLE %s", stand_in->table);
	const char *name = quote_identifier(stand_in->name);

	add(change, PGM_HOLD_BRIEF, NOT_VALID_WHY,
		psprintf("%s ADD CONSTRAINT %s %s%s", prefix, name, stand_in->definition,
				 stand_in->valid ? " NOT VALID" : ""));
	if (stand_in->valid)
		add(change, PGM_HOLD_SCAN, VALIDATE_WHY,
			psprintf("%s VALIDATE CONSTRAINT %s", prefix, name));
}

/* Is the column of a table not null, without the table above having it so? */
static bool
is_not_null_by_itself(const PgmTypeChange *change, const PgmDependents *found)
{
	const bool	even_if_detached = true;

	if (!pgm_online_is_not_null(found->relid, change->column))
		return false;
	return found == change->found ||
		!pgm_online_is_not_null(get_partition_parent(found->relid, even_if_detached),
								change->column);
}

/*
 * NOT NULL.  Where it is no constraint like others, a check proves it.
 */
static void
add_not_null(PgmTypeChange *change)
{
	PgmStandIn	check = {.valid = true};
	ListCell   *lc;

	foreach(lc, change->not_nulls)
		add_constraint(change, (PgmStandIn *) lfirst(lc));
	if (change->not_nulls != NIL)
		return;
	check.name = pgm_dependents_not_null(change->column);
	check.definition = psprintf("CHECK (%s IS NOT NULL)", quote_identifier(change->shadow));
	foreach(lc, pgm_dependents_all(change->found))
	{
		const PgmDependents *found = (PgmDependents *) lfirst(lc);

		check.table = found == change->found ? NULL : pgm_relation_name(found->relid);
		if (is_not_null_by_itself(change, found))
			add_constraint(change, &check);
	}
}

/*
 * The tables that the swap locks: those that lose the column, and those at the
 * other end of their foreign keys.
 */
static List *
tables_of_swap(const PgmTypeChange *change)
{
	List	   *locked = NIL;
	ListCell   *table;
	ListCell   *lc;

	foreach(table, pgm_dependents_all(change->found))
		locked = lappend_oid(locked, ((PgmDependents *) lfirst(table))->relid);
	foreach(table, pgm_dependents_all(change->found))
	{
		const PgmDependents *found = (PgmDependents *) lfirst(table);

		foreach(lc, found->constraints)
		{
			Oid			other = pgm_dependents_other_table(found, lfirst_oid(lc));

			if (OidIsValid(other))
				locked = list_append_unique_oid(locked, other);
		}
	}
	return locked;
}

/*
 * The swap, with the tables that it locks.
 */
static void
add_swap(PgmTypeChange *change)
{
	PgmAlteration *alteration = change->alteration;
	char	   *table = pgm_online_relation(alteration->stmt->relation);
	ListCell   *lc;

	add(change, PGM_HOLD_BRIEF, "statistics, so that plans are good from the first moment",
		psprintf("ANALYZE %s", table));
	add(change, PGM_HOLD_BRIEF, "takes the place of the column, as its last one",
		psprintf("SELECT migrate.swap_column(%s, %s, %s)", quote_literal_cstr(table),
				 quote_literal_cstr(change->column), quote_literal_cstr(change->shadow)));
	((PgmPlanStep *) llast(alteration->steps))->lasting = true;
	foreach(lc, tables_of_swap(change))
		note_lock(change, lfirst_oid(lc), AccessExclusiveLock);
}

static void
add_change(PgmTypeChange *change)
{
	ListCell   *lc;

	add_column(change);
	add_fill(change);
	add_not_null(change);
	change->alteration->steps = list_concat(change->alteration->steps, change->indexes);
	foreach(lc, change->constraints)
		add_constraint(change, (PgmStandIn *) lfirst(lc));
	add_swap(change);
}

/*
 * Add the steps of the commands that are no such changes: those that come before
 * them, or those after.
 */
static void
add_others(PgmAlteration *alteration, List *slices, bool before, bool trusted)
{
	StringInfoData buf;
	ListCell   *slice;
	ListCell   *lc;
	int			number = 0;

	initStringInfo(&buf);
	forboth(slice, slices, lc, alteration->stmt->cmds)
	{
		const PgmSlice *s = (PgmSlice *) lfirst(slice);
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		bool		first = cmd->subtype == AT_AlterColumnType ||
			(cmd->subtype == AT_ColumnDefault && cmd->def == NULL);

		number++;
		if (first != before || (cmd->subtype == AT_AlterColumnType &&
								bms_is_member(number, alteration->rewriting)))
			continue;
		appendStringInfo(&buf, "%s %s", buf.len > 0 ? "," : alteration->prefix,
						 pgm_pieces_text(alteration->pieces, s->from, s->to));
	}
	if (buf.len > 0)
		alteration->steps = list_concat(alteration->steps,
										pgm_online_part(alteration->script, buf.data,
														alteration->number, trusted));
}

/*
 * ALTER TABLE with such changes.  If it cannot be taken apart, the statement stays
 * and says why; NIL if the server would refuse it.
 */
List *
pgm_online_change_types(PgmAlteration *alteration, List *slices, bool trusted)
{
	List	   *changes = NIL;
	ListCell   *slice;
	ListCell   *lc;
	int			number = 0;

	forboth(slice, slices, lc, alteration->stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		PgmTypeChange *change;

		if (!bms_is_member(++number, alteration->rewriting) || cmd->subtype != AT_AlterColumnType)
			continue;
		change = palloc0(sizeof(PgmTypeChange));
		change->alteration = alteration;
		if (!read_change(change, cmd, (PgmSlice *) lfirst(slice)))
			return NIL;
		if (change->obstacle != NULL)
		{
			pgm_online_add(&alteration->steps, PGM_HOLD_FOUND,
						   psprintf("stays: %s", change->obstacle),
						   pgm_pieces_text(alteration->pieces, 0, alteration->pieces->count));
			return alteration->steps;
		}
		changes = lappend(changes, change);
	}
	add_others(alteration, slices, true, trusted);
	foreach(lc, changes)
		add_change((PgmTypeChange *) lfirst(lc));
	add_others(alteration, slices, false, trusted);
	return alteration->steps;
}

/*-------------------------------------------------------------------------
 *
 * online_table.c
 *	  ALTER TABLE whose commands read a table under a lock that stops it, as
 *	  steps that do not.
 *
 * The commands that need it become steps of their own.  The server takes commands
 * by kind, not as they are written, and so do the steps: what is left of the
 * statement comes first, since it may add what the others are about; then not null,
 * keys, other constraints; and last what may be about these.
 *
 * IDENTIFICATION
 *	  src/plan/online_table.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "plan/online.h"

/*
 * Can a command be taken apart?
 */
static bool
has_steps(const PgmAlteration *alteration, const AlterTableCmd *cmd, int number)
{
	const Constraint *constraint = (Constraint *) cmd->def;
	bool		partitioned = get_rel_relkind(alteration->relid) == RELKIND_PARTITIONED_TABLE;

	if (cmd->subtype == AT_AddColumn)
	{
		bool		computed = bms_is_member(number, alteration->rewriting);

		return !(computed && alteration->refusal != NULL) &&
			pgm_online_column_has_steps(alteration, cmd, computed);
	}
	if (cmd->subtype == AT_SetNotNull)
		return !pgm_online_is_not_null(alteration->relid, cmd->name);
	/* beside others, it would be done under their lock */
	if (cmd->subtype == AT_ValidateConstraint)
		return list_length(alteration->stmt->cmds) > 1;
	if (cmd->subtype != AT_AddConstraint)
		return false;
	switch (constraint->contype)
	{
		case CONSTR_FOREIGN:
			return pgm_online_key_can_wait(alteration->relid, constraint);
		case CONSTR_CHECK:
			return !constraint->skip_validation && !pgm_is_not_enforced(constraint);
		case CONSTR_PRIMARY:

			/*
			 * the children have to be not null before, and the parent so that
			 * they are
			 */
			if (PGM_NOT_NULL_CAN_WAIT && !alteration->stmt->relation->inh &&
				has_subclass(alteration->relid))
				return false;
			/* FALLTHROUGH */
		case CONSTR_UNIQUE:
			return constraint->indexname == NULL && !partitioned &&
				!pgm_is_without_overlaps(constraint);
		default:
			return false;
	}
}

static bool
is_key(const AlterTableCmd *cmd)
{
	const Constraint *constraint = (Constraint *) cmd->def;

	return cmd->subtype == AT_AddConstraint &&
		(constraint->contype == CONSTR_PRIMARY || constraint->contype == CONSTR_UNIQUE);
}

/* Has a new column a foreign key to its own table? */
static bool
refers_to_itself(const PgmAlteration *alteration, const ColumnDef *def)
{
	ListCell   *lc;

	foreach(lc, def->constraints)
	{
		const Constraint *constraint = lfirst_node(Constraint, lc);

		if (constraint->contype == CONSTR_FOREIGN &&
			strcmp(constraint->pktable->relname, alteration->stmt->relation->relname) == 0)
			return true;
	}
	return false;
}

/*
 * Does the server take a command that stays whole after those that add keys and
 * constraints?  It may be about what they add.
 */
static bool
comes_late(const PgmAlteration *alteration, const AlterTableCmd *cmd)
{
	ListCell   *lc;

	switch (cmd->subtype)
	{
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_ClusterOn:
		case AT_ReplicaIdentity:
		case AT_AlterConstraint:
			return true;
		case AT_AddConstraint:
			return ((Constraint *) cmd->def)->contype == CONSTR_FOREIGN;
		case AT_AddColumn:
			foreach(lc, alteration->stmt->cmds)
			{
				if (is_key(lfirst_node(AlterTableCmd, lc)))
					return refers_to_itself(alteration, (ColumnDef *) cmd->def);
			}
			return false;
		default:
			return false;
	}
}

/*
 * Are keys added where constraints are dropped, and nothing else is done that
 * would need these to be gone before?  Then the old ones stay until the indexes of
 * the new ones are there.
 */
static bool
replaces_keys(const PgmAlteration *alteration)
{
	bool		drops = false;
	bool		adds = false;
	ListCell   *lc;

	foreach(lc, alteration->stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		drops = drops || cmd->subtype == AT_DropConstraint;
		adds = adds || (is_key(cmd) && has_steps(alteration, cmd, 0));
		if (cmd->subtype != AT_DropConstraint && cmd->subtype != AT_AddConstraint &&
			cmd->subtype != AT_SetNotNull && !comes_late(alteration, cmd))
			return false;
	}
	return drops && adds;
}

/* A command without its first word. */
static PgmSlice *
after_add(const PgmSlice *command)
{
	PgmSlice   *slice = palloc(sizeof(PgmSlice));

	slice->from = command->from + 1;
	slice->to = command->to;
	return slice;
}

/* The text of a command that stays. */
static char *
kept_text(const PgmAlteration *alteration, const AlterTableCmd *cmd, const PgmSlice *slice)
{
	if (cmd->subtype == AT_AddConstraint &&
		list_member_ptr(alteration->unnamed, cmd->def) && ((Constraint *) cmd->def)->conname != NULL)
		return psprintf("ADD %s", pgm_online_constraint_text(alteration, (Constraint *) cmd->def,
															 after_add(slice)));
	return pgm_pieces_text(alteration->pieces, slice->from, slice->to);
}

/*
 * The commands that are not taken apart, in one statement, those that come late or
 * the others; and the new columns, so that they come in their order.
 */
static void
keep_others(PgmAlteration *alteration, bool late)
{
	StringInfoData buf;
	ListCell   *slice;
	ListCell   *lc;
	int			number = 0;
	PgmHold		hold = PGM_HOLD_BRIEF;

	initStringInfo(&buf);
	forboth(slice, alteration->slices, lc, alteration->stmt->cmds)
	{
		const PgmSlice *s = (PgmSlice *) lfirst(slice);
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		bool		has = has_steps(alteration, cmd, ++number);
		char	   *kept = NULL;

		if (comes_late(alteration, cmd) != late ||
			(cmd->subtype == AT_DropConstraint && alteration->replaces))
			continue;
		if (!has)
		{
			hold = PGM_HOLD_FOUND;
			kept = kept_text(alteration, cmd, s);
		}
		else if (cmd->subtype == AT_AddColumn)
		{
			bool		computed = bms_is_member(number, alteration->rewriting);

			kept = pgm_online_begin_column(alteration, cmd, s, computed);
			alteration->fills = alteration->fills || computed;
		}

		if (kept != NULL)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", kept);
	}
	if (buf.len == 0)
		return;
	pgm_online_add_command(alteration, hold,
						   alteration->fills && !late ?
						   "empty for old rows; new ones have the default" : NULL,
						   buf.data);
	((PgmPlanStep *) llast(alteration->steps))->kept = true;
}

/*
 * The constraints that are dropped and the keys that come instead, at once, so that
 * the table is never without.
 */
static void
replace_keys(PgmAlteration *alteration)
{
	StringInfoData buf;
	ListCell   *slice;
	ListCell   *lc;

	initStringInfo(&buf);
	forboth(slice, alteration->slices, lc, alteration->stmt->cmds)
	{
		const PgmSlice *s = (PgmSlice *) lfirst(slice);

		if (lfirst_node(AlterTableCmd, lc)->subtype == AT_DropConstraint)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
							 pgm_pieces_text(alteration->pieces, s->from, s->to));
	}
	foreach(lc, alteration->keys)
		appendStringInfo(&buf, ", %s", (char *) lfirst(lc));
	pgm_online_add_command(alteration, PGM_HOLD_BRIEF,
						   "takes the index that is there as the old one goes", buf.data);
	((PgmPlanStep *) llast(alteration->steps))->kept = true;
}

/*
 * Which of the commands rewrite the table?  Each is asked about by itself.
 */
static void
find_rewriting(PgmAlteration *alteration, bool trusted)
{
	List	   *steps = NIL;
	ListCell   *lc;

	foreach(lc, alteration->slices)
	{
		const PgmSlice *slice = (PgmSlice *) lfirst(lc);

		pgm_online_add(&steps, PGM_HOLD_FOUND, NULL,
					   psprintf("%s %s", alteration->prefix,
								pgm_pieces_text(alteration->pieces, slice->from, slice->to)));
	}
	alteration->rewriting = pgm_online_rewriting(alteration->script, steps, trusted);
}

/*
 * The commands that are taken apart, in the server's order: not null, keys, and
 * then what may refer to them.
 */
static void
take_apart(PgmAlteration *alteration)
{
	for (int pass = 0; pass < 4; pass++)
	{
		ListCell   *slice;
		ListCell   *lc;
		int			number = 0;

		if (pass == 2 && alteration->replaces)
			replace_keys(alteration);
		if (pass == 3)
		{
			keep_others(alteration, true);
			pgm_online_end_columns(alteration);
		}
		forboth(slice, alteration->slices, lc, alteration->stmt->cmds)
		{
			const PgmSlice *s = (PgmSlice *) lfirst(slice);
			const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

			if (!has_steps(alteration, cmd, ++number))
				continue;
			if (pass == 0 && cmd->subtype == AT_SetNotNull)
				pgm_online_set_not_null(alteration, cmd->name);
			else if (pass == 1 && is_key(cmd))
				pgm_online_add_key(alteration, (Constraint *) cmd->def);
			else if (pass == 2 && cmd->subtype == AT_AddConstraint && !is_key(cmd))
				pgm_online_add_constraint(alteration, (Constraint *) cmd->def, after_add(s));
			else if (pass == 3 && cmd->subtype == AT_ValidateConstraint)
				pgm_online_add_command(alteration, PGM_HOLD_SCAN, PGM_VALIDATE_WHY,
									   pgm_pieces_text(alteration->pieces, s->from, s->to));
		}
	}
}

/* Is a new column among what rewrites the table? */
static bool
fills_column(const PgmAlteration *alteration)
{
	ListCell   *lc;

	foreach(lc, alteration->stmt->cmds)
	{
		if (lfirst_node(AlterTableCmd, lc)->subtype == AT_AddColumn &&
			bms_is_member(foreach_current_index(lc) + 1, alteration->rewriting))
			return true;
	}
	return false;
}

/*
 * What rewrites the table, and whether backfills can do it instead.
 */
static void
prepare_fills(PgmAlteration *alteration, bool trusted)
{
	const PgmFill some = {.filter = "true"};
	const PgmFill all = {NULL};

	find_rewriting(alteration, trusted);
	if (fills_column(alteration))
		alteration->refusal = pgm_online_fill_refusal(alteration->relid, &some, trusted);
	alteration->has_key = pgm_online_fill_refusal(alteration->relid, &all, trusted) == NULL;
}

/* Columns that are made not null as they are added. */
static void
note_not_null(PgmAlteration *alteration, const AlterTableCmd *cmd, bool has_steps)
{
	const ColumnDef *def = (ColumnDef *) cmd->def;
	ListCell   *lc;

	if (cmd->subtype != AT_AddColumn || pgm_online_column_is_there(alteration, cmd))
		return;
	foreach(lc, def->constraints)
	{
		const Constraint *constraint = lfirst_node(Constraint, lc);

		if (constraint->contype == CONSTR_NOTNULL || constraint->contype == CONSTR_IDENTITY ||
			(constraint->contype == CONSTR_PRIMARY && !has_steps))
			alteration->not_null = lappend(alteration->not_null, def->colname);
	}
}

/*
 * Look through the commands for columns that are made not null.  Returns whether any
 * command has steps of its own.
 */
static bool
read_commands(PgmAlteration *alteration)
{
	bool		any = false;
	ListCell   *lc;

	foreach(lc, alteration->stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		const int	number = foreach_current_index(lc) + 1;
		bool		has = has_steps(alteration, cmd, number);

		any = any || has;
		if (!bms_is_member(number, alteration->rewriting))
			note_not_null(alteration, cmd, has);
	}
	return any;
}

/*
 * ALTER TABLE, which may rewrite the table as it is written
 */
List *
pgm_online_alter_table(const PgmScript *script, const PgmStatement *statement, bool rewrites,
					   bool trusted)
{
	AlterTableStmt *stmt = copyObject((AlterTableStmt *) statement->raw->stmt);
	PgmAlteration alteration = {.script = script,.stmt = stmt,.number = statement->number,
	.relid = pgm_online_table(stmt->relation)};
	PgmPieces  *pieces = pgm_pieces_read(script, statement);
	int			after = pgm_pieces_after_relation(pieces, stmt->relation);
	const bool	late = false;

	if (stmt->objtype != OBJECT_TABLE || !OidIsValid(alteration.relid) || after < 0)
		return NIL;
	if (list_length(stmt->cmds) == 1)
		alteration.steps = pgm_online_partitioning(script, statement, trusted);
	if (alteration.steps != NIL)
		return alteration.steps;
	alteration.slices = pgm_pieces_split(pieces, after);
	if (list_length(alteration.slices) != list_length(stmt->cmds))
		return NIL;
	alteration.pieces = pieces;
	alteration.prefix = pgm_pieces_text(pieces, 0, after);
	if (rewrites)
		prepare_fills(&alteration, trusted);
	if (pgm_online_changes_type(&alteration, alteration.slices, trusted))
		return pgm_online_change_types(&alteration, alteration.slices, trusted);
	if (!read_commands(&alteration))
	{
		if (alteration.refusal != NULL)
			pgm_online_add(&alteration.steps, PGM_HOLD_FOUND,
						   psprintf("there is no other form: no backfill can fill the column. %s",
									alteration.refusal),
						   pgm_pieces_text(pieces, 0, pieces->count));
		return alteration.steps;
	}

	pgm_online_name_all(&alteration);
	alteration.replaces = replaces_keys(&alteration);
	keep_others(&alteration, late);
	pgm_online_end_columns(&alteration);
	take_apart(&alteration);
	return alteration.steps;
}

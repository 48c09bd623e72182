/*-------------------------------------------------------------------------
 *
 * online_table.c
 *	  ALTER TABLE whose commands read a table under a lock that stops it, as
 *	  steps that do not.
 *
 * The commands that need it become steps of their own; what is left of the
 * statement comes first, since it may add what they are about.
 *
 * IDENTIFICATION
 *	  src/plan/online_table.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "plan/online.h"

/*
 * Is that column known to be not null?  One that is not there yet is not.
 */
static bool
is_not_null(Oid relid, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, column);
	bool		result = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Can a command be taken apart?
 */
static bool
has_steps(const PgmAlteration *alteration, const AlterTableCmd *cmd, int number)
{
	const Constraint *constraint = (Constraint *) cmd->def;
	bool		partitioned = get_rel_relkind(alteration->relid) == RELKIND_PARTITIONED_TABLE;

	if (cmd->subtype == AT_AddColumn)
		return bms_is_member(number, alteration->rewriting) && pgm_online_column_has_steps(cmd);
	if (cmd->subtype == AT_SetNotNull)
		return !is_not_null(alteration->relid, cmd->name);
	if (cmd->subtype != AT_AddConstraint)
		return false;
	switch (constraint->contype)
	{
		case CONSTR_FOREIGN:
			return !constraint->skip_validation && (!partitioned || PGM_PARTITIONED_KEY_CAN_WAIT);
		case CONSTR_CHECK:
			return !constraint->skip_validation && !pgm_is_not_enforced(constraint);
		case CONSTR_UNIQUE:
		case CONSTR_PRIMARY:
			return constraint->indexname == NULL && !partitioned &&
				!pgm_is_without_overlaps(constraint);
		default:
			return false;
	}
}

static void
add(PgmAlteration *alteration, PgmHold hold, const char *why, char *command)
{
	pgm_online_add(&alteration->steps, hold, why,
				   psprintf("%s %s", alteration->prefix, command));
}

/*
 * A constraint that holds for new rows first, and is then found to hold for all.
 * "definition" goes after ADD.
 */
static void
add_not_valid(PgmAlteration *alteration, const char *name, const char *definition)
{
	alteration->names = lappend(alteration->names, pstrdup(name));
	add(alteration, PGM_HOLD_BRIEF, "holds for new rows from here on, without reading the old ones",
		psprintf("ADD %s NOT VALID", definition));
	add(alteration, PGM_HOLD_SCAN, "reads the table beside reading and writing",
		psprintf("VALIDATE CONSTRAINT %s", quote_identifier(name)));
}

/*
 * SET NOT NULL
 */
void
pgm_online_set_not_null(PgmAlteration *alteration, const char *column)
{
	const char *name = pgm_online_not_null_name(alteration->relid, column, alteration->names);
	const char *quoted = quote_identifier(column);

	add_not_valid(alteration, name,
				  psprintf(PGM_NOT_NULL_CAN_WAIT ? "CONSTRAINT %s NOT NULL %s" :
						   "CONSTRAINT %s CHECK (%s IS NOT NULL)",
						   quote_identifier(name), quoted));
	if (PGM_NOT_NULL_CAN_WAIT)
		return;
	add(alteration, PGM_HOLD_BRIEF, "proven by the constraint, so nothing is read",
		psprintf("ALTER COLUMN %s SET NOT NULL", quoted));
	add(alteration, PGM_HOLD_BRIEF, "has done its part",
		psprintf("DROP CONSTRAINT %s", quote_identifier(name)));
}

/*
 * A foreign key or a check.  "slice" is its text, from its name on if it has one.
 */
void
pgm_online_add_constraint(PgmAlteration *alteration, const Constraint *constraint,
						  const PgmSlice *slice)
{
	const char *name = pgm_online_constraint_name(alteration->relid, constraint, alteration->names);
	const char *definition = pgm_pieces_text(alteration->pieces, slice->from, slice->to);

	if (constraint->conname == NULL)
		definition = psprintf("CONSTRAINT %s %s", quote_identifier(name), definition);
	add_not_valid(alteration, name, definition);
}

/* The options of an index, as text. */
static void
append_options(StringInfo buf, List *options)
{
	const char *separator = " WITH (";
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		appendStringInfo(buf, "%s%s", separator, quote_identifier(option->defname));
		if (option->arg != NULL)
			appendStringInfo(buf, " = %s", quote_literal_cstr(defGetString(option)));
		separator = ", ";
	}
	if (options != NIL)
		appendStringInfoChar(buf, ')');
}

/*
 * A unique constraint or a primary key: its index first.
 */
void
pgm_online_add_key(PgmAlteration *alteration, const Constraint *constraint)
{
	const char *name = quote_identifier(pgm_online_key_name(alteration->relid, constraint));
	bool		primary = constraint->contype == CONSTR_PRIMARY;
	StringInfoData buf;
	ListCell   *lc;

	foreach(lc, constraint->keys)
	{
		if (primary && !is_not_null(alteration->relid, strVal(lfirst(lc))))
			pgm_online_set_not_null(alteration, strVal(lfirst(lc)));
	}

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s)", name,
					 pgm_online_relation(alteration->stmt->relation),
					 pgm_online_columns(constraint->keys));
	if (constraint->including != NIL)
		appendStringInfo(&buf, " INCLUDE (%s)", pgm_online_columns(constraint->including));
	if (constraint->nulls_not_distinct)
		appendStringInfoString(&buf, " NULLS NOT DISTINCT");
	append_options(&buf, constraint->options);
	if (constraint->indexspace != NULL)
		appendStringInfo(&buf, " TABLESPACE %s", quote_identifier(constraint->indexspace));
	pgm_online_add(&alteration->steps, PGM_HOLD_BUILD, PGM_BUILD_WHY, buf.data);

	add(alteration, PGM_HOLD_BRIEF, "takes the index that is there",
		psprintf("ADD CONSTRAINT %s %s USING INDEX %s%s%s", name,
				 primary ? "PRIMARY KEY" : "UNIQUE", name,
				 constraint->deferrable ? " DEFERRABLE" : "",
				 constraint->initdeferred ? " INITIALLY DEFERRED" : ""));
}

/*
 * The commands that are not taken apart, in one statement, and the new columns,
 * so that they come in their order.
 */
static void
keep_others(PgmAlteration *alteration, List *slices)
{
	StringInfoData buf;
	ListCell   *slice;
	ListCell   *cmd;
	int			number = 0;
	PgmHold		hold = PGM_HOLD_BRIEF;

	initStringInfo(&buf);
	forboth(slice, slices, cmd, alteration->stmt->cmds)
	{
		const PgmSlice *s = (PgmSlice *) lfirst(slice);
		const AlterTableCmd *command = lfirst_node(AlterTableCmd, cmd);
		char	   *kept = NULL;

		if (!has_steps(alteration, command, ++number))
		{
			hold = PGM_HOLD_FOUND;
			kept = pgm_pieces_text(alteration->pieces, s->from, s->to);
		}
		else if (command->subtype == AT_AddColumn)
			kept = pgm_online_begin_column(alteration, command, s);

		if (kept != NULL)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", kept);
	}
	if (buf.len > 0)
		add(alteration, hold,
			alteration->columns != NIL ? "empty for old rows; new ones have the default" : NULL,
			buf.data);
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

/*
 * Which of the commands rewrite the table?  Each is asked about by itself.
 */
static void
find_rewriting(PgmAlteration *alteration, List *slices, bool trusted)
{
	List	   *steps = NIL;
	ListCell   *lc;

	foreach(lc, slices)
	{
		const PgmSlice *slice = (PgmSlice *) lfirst(lc);

		pgm_online_add(&steps, PGM_HOLD_FOUND, NULL,
					   psprintf("%s %s", alteration->prefix,
								pgm_pieces_text(alteration->pieces, slice->from, slice->to)));
	}
	alteration->rewriting = pgm_online_rewriting(alteration->script, steps, trusted);
}

/*
 * ALTER TABLE, which may rewrite the table as it is written
 */
List *
pgm_online_alter_table(const PgmScript *script, const PgmStatement *statement, bool rewrites,
					   bool trusted)
{
	const AlterTableStmt *stmt = (AlterTableStmt *) statement->raw->stmt;
	PgmAlteration alteration = {.script = script,.stmt = stmt,.number = statement->number,
	.relid = pgm_online_table(stmt->relation)};
	PgmPieces  *pieces = pgm_pieces_read(script, statement);
	int			after = pgm_pieces_after_relation(pieces, stmt->relation);
	List	   *slices;
	ListCell   *slice;
	ListCell   *lc;
	bool		any = false;
	int			number = 0;

	if (stmt->objtype != OBJECT_TABLE || !OidIsValid(alteration.relid) || after < 0)
		return NIL;
	slices = pgm_pieces_split(pieces, after);
	if (list_length(slices) != list_length(stmt->cmds))
		return NIL;
	alteration.pieces = pieces;
	alteration.prefix = pgm_pieces_text(pieces, 0, after);
	if (rewrites)
		find_rewriting(&alteration, slices, trusted);
	if (pgm_online_changes_type(&alteration))
		return pgm_online_change_types(&alteration, slices, trusted);
	foreach(lc, stmt->cmds)
		any = any || has_steps(&alteration, lfirst_node(AlterTableCmd, lc),
							   foreach_current_index(lc) + 1);
	if (!any)
		return NIL;

	keep_others(&alteration, slices);
	pgm_online_end_columns(&alteration);
	forboth(slice, slices, lc, stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		const Constraint *constraint = (Constraint *) cmd->def;

		if (!has_steps(&alteration, cmd, ++number))
			continue;
		if (cmd->subtype == AT_AddColumn)
			continue;
		if (cmd->subtype == AT_SetNotNull)
			pgm_online_set_not_null(&alteration, cmd->name);
		else if (constraint->contype == CONSTR_FOREIGN || constraint->contype == CONSTR_CHECK)
			pgm_online_add_constraint(&alteration, constraint, after_add((PgmSlice *) lfirst(slice)));
		else
			pgm_online_add_key(&alteration, constraint);
	}
	return alteration.steps;
}

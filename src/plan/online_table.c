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

#define NOT_VALID_WHY	"holds for new rows from here on, without reading the old ones"
#define VALIDATE_WHY	"reads the table beside reading and writing"
#define PROVEN_WHY		"proven by the constraint, so nothing is read"

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
 * SET NOT NULL
 */
void
pgm_online_set_not_null(PgmAlteration *alteration, const char *column)
{
	const char *name = pgm_online_not_null_name(alteration->relid, column, alteration->names);
	const char *quoted = quote_identifier(column);

	alteration->names = lappend(alteration->names, unconstify(char *, name));
	name = quote_identifier(name);

	if (PGM_NOT_NULL_CAN_WAIT)
		add(alteration, PGM_HOLD_BRIEF, NOT_VALID_WHY,
			psprintf("ADD CONSTRAINT %s NOT NULL %s NOT VALID", name, quoted));
	else
		add(alteration, PGM_HOLD_BRIEF, NOT_VALID_WHY,
			psprintf("ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID", name, quoted));
	add(alteration, PGM_HOLD_SCAN, VALIDATE_WHY, psprintf("VALIDATE CONSTRAINT %s", name));
	if (PGM_NOT_NULL_CAN_WAIT)
		return;
	add(alteration, PGM_HOLD_BRIEF, PROVEN_WHY, psprintf("ALTER COLUMN %s SET NOT NULL", quoted));
	add(alteration, PGM_HOLD_BRIEF, "has done its part", psprintf("DROP CONSTRAINT %s", name));
}

/*
 * A foreign key or a check.  "slice" is the command.
 */
static void
add_constraint(PgmAlteration *alteration, const Constraint *constraint, const PgmSlice *slice)
{
	const char *name = pgm_online_constraint_name(alteration->relid, constraint, alteration->names);

	alteration->names = lappend(alteration->names, unconstify(char *, name));
	name = quote_identifier(name);
	if (constraint->conname != NULL)
		add(alteration, PGM_HOLD_BRIEF, NOT_VALID_WHY,
			psprintf("%s NOT VALID", pgm_pieces_text(alteration->pieces, slice->from, slice->to)));
	else
		add(alteration, PGM_HOLD_BRIEF, NOT_VALID_WHY,
			psprintf("ADD CONSTRAINT %s %s NOT VALID", name,
					 pgm_pieces_text(alteration->pieces, slice->from + 1, slice->to)));
	add(alteration, PGM_HOLD_SCAN, VALIDATE_WHY, psprintf("VALIDATE CONSTRAINT %s", name));
}

/*
 * A check that was a column's.  "slice" is the clause.
 */
void
pgm_online_add_check(PgmAlteration *alteration, const Constraint *constraint,
					 const PgmSlice *slice)
{
	const char *name = pgm_online_constraint_name(alteration->relid, constraint, alteration->names);

	alteration->names = lappend(alteration->names, unconstify(char *, name));
	name = quote_identifier(name);
	add(alteration, PGM_HOLD_BRIEF, NOT_VALID_WHY,
		psprintf("ADD %s%s %s NOT VALID", constraint->conname != NULL ? "" : "CONSTRAINT ",
				 constraint->conname != NULL ? "" : name,
				 pgm_pieces_text(alteration->pieces, slice->from, slice->to)));
	add(alteration, PGM_HOLD_SCAN, VALIDATE_WHY, psprintf("VALIDATE CONSTRAINT %s", name));
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
	pgm_online_add(&alteration->steps, PGM_HOLD_BUILD,
				   "built without a lock that writers would wait for", buf.data);

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
		char	   *text = NULL;

		if (!has_steps(alteration, command, number++))
		{
			hold = PGM_HOLD_FOUND;
			text = pgm_pieces_text(alteration->pieces, s->from, s->to);
		}
		else if (command->subtype == AT_AddColumn)
			text = pgm_online_begin_column(alteration, command, s);

		if (text !=NULL)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", text);
	}
	if (buf.len > 0)
		add(alteration, hold,
			alteration->columns != NIL ? "empty for old rows; new ones have the default" : NULL,
			buf.data);
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
	foreach(lc, stmt->cmds)
		any = any || has_steps(&alteration, lfirst_node(AlterTableCmd, lc),
							   foreach_current_index(lc));
	if (!any)
		return NIL;

	keep_others(&alteration, slices);
	pgm_online_end_columns(&alteration);
	forboth(slice, slices, lc, stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		const Constraint *constraint = (Constraint *) cmd->def;

		if (!has_steps(&alteration, cmd, number++))
			continue;
		if (cmd->subtype == AT_AddColumn)
			continue;
		if (cmd->subtype == AT_SetNotNull)
			pgm_online_set_not_null(&alteration, cmd->name);
		else if (constraint->contype == CONSTR_FOREIGN || constraint->contype == CONSTR_CHECK)
			add_constraint(&alteration, constraint, (PgmSlice *) lfirst(slice));
		else
			pgm_online_add_key(&alteration, constraint);
	}
	return alteration.steps;
}

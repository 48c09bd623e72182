/*-------------------------------------------------------------------------
 *
 * online_constraint.c
 *	  What a table promises, added without stopping it.
 *
 * A check, a foreign key, NOT NULL: it holds for new rows first, and is then found
 * to hold for the old ones beside reading and writing.  A key: its index is built
 * first, and the constraint takes it.  And what it promises already, where rows are
 * not changed all at once.
 *
 * IDENTIFICATION
 *	  src/plan/online_constraint.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "plan/online.h"

/*
 * Is that column known to be not null?  One that is not there yet is not.
 */
bool
pgm_online_is_not_null(Oid relid, const char *column)
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
 * Add a step that is a command of the ALTER TABLE.
 */
void
pgm_online_add_command(PgmAlteration *alteration, PgmHold hold, const char *why,
					   const char *command)
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
	pgm_online_add_command(alteration, PGM_HOLD_BRIEF,
						   "holds for new rows from here on, without reading the old ones",
						   psprintf("ADD %s NOT VALID", definition));
	pgm_online_add_command(alteration, PGM_HOLD_SCAN, PGM_VALIDATE_WHY,
						   psprintf("VALIDATE CONSTRAINT %s", quote_identifier(name)));
}

/*
 * SET NOT NULL, unless that column is already, or was made so by a step before.
 */
void
pgm_online_set_not_null(PgmAlteration *alteration, const char *column)
{
	const char *quoted = quote_identifier(column);
	const char *only = !alteration->stmt->relation->inh && has_subclass(alteration->relid) ?
		" NO INHERIT" : "";
	const char *name;

	if (pgm_online_is_not_null(alteration->relid, column) ||
		pgm_script_has_name(alteration->not_null, column))
		return;
	alteration->not_null = lappend(alteration->not_null, pstrdup(column));
	name = pgm_online_choose_name(&alteration->names, alteration->relid, column, "not_null",
								  PGM_NAMED_CONSTRAINT);
	add_not_valid(alteration, name,
				  psprintf(PGM_NOT_NULL_CAN_WAIT ? "CONSTRAINT %s NOT NULL %s%s" :
						   "CONSTRAINT %s CHECK (%s IS NOT NULL)%s",
						   quote_identifier(name), quoted, only));
	if (PGM_NOT_NULL_CAN_WAIT)
		return;
	pgm_online_add_command(alteration, PGM_HOLD_BRIEF,
						   "proven by the constraint, so nothing is read",
						   psprintf("ALTER COLUMN %s SET NOT NULL", quoted));
	pgm_online_add_command(alteration, PGM_HOLD_BRIEF, "has done its part",
						   psprintf("DROP CONSTRAINT %s", quote_identifier(name)));
}

/*
 * The text of a constraint from its name on, which is put there if the user gave
 * none.  "slice" is the text.
 */
char *
pgm_online_constraint_text(const PgmAlteration *alteration, const Constraint *constraint,
						   const PgmSlice *slice)
{
	char	   *text = pgm_pieces_text(alteration->pieces, slice->from, slice->to);

	if (!list_member_ptr(alteration->unnamed, constraint))
		return text;

	return psprintf("CONSTRAINT %s %s", quote_identifier(constraint->conname), text);
}

/*
 * A foreign key or a check.  "slice" is its text, from its name on if it has one.
 */
void
pgm_online_add_constraint(PgmAlteration *alteration, const Constraint *constraint,
						  const PgmSlice *slice)
{
	add_not_valid(alteration, constraint->conname,
				  pgm_online_constraint_text(alteration, constraint, slice));
}

/*
 * Can a foreign key be added first, and be found to hold after, where it is not
 * written so?
 */
bool
pgm_online_key_can_wait(Oid relid, const Constraint *constraint)
{
	Oid			referenced = RangeVarGetRelid(constraint->pktable, NoLock, true);

	if (constraint->skip_validation || pgm_is_not_enforced(constraint))
		return false;
	return PGM_PARTITIONED_KEY_CAN_WAIT ||
		(get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE &&
		 !(OidIsValid(referenced) && get_rel_relkind(referenced) == RELKIND_PARTITIONED_TABLE));
}

/*
 * A foreign key of one column.  "slice" is its text, from REFERENCES on.
 */
void
pgm_online_add_column_key(PgmAlteration *alteration, const Constraint *constraint,
						  const char *column, const PgmSlice *slice)
{
	add_not_valid(alteration, constraint->conname,
				  psprintf("CONSTRAINT %s FOREIGN KEY (%s) %s",
						   quote_identifier(constraint->conname), quote_identifier(column),
						   pgm_pieces_text(alteration->pieces, slice->from, slice->to)));
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

/* The index that a key is to have. */
static void
build_index(PgmAlteration *alteration, const Constraint *constraint, const char *name)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s)",
					 quote_identifier(name), pgm_online_relation(alteration->stmt->relation),
					 pgm_online_columns(constraint->keys));
	if (constraint->including != NIL)
		appendStringInfo(&buf, " INCLUDE (%s)", pgm_online_columns(constraint->including));
	if (constraint->nulls_not_distinct)
		appendStringInfoString(&buf, " NULLS NOT DISTINCT");
	append_options(&buf, constraint->options);
	if (constraint->indexspace != NULL)
		appendStringInfo(&buf, " TABLESPACE %s", quote_identifier(constraint->indexspace));
	pgm_online_add(&alteration->steps, PGM_HOLD_BUILD, PGM_BUILD_WHY, buf.data);
}

/*
 * A unique constraint or a primary key: its index first.  Where constraints are
 * dropped at the same time, all the new ones come in that one step.
 */
void
pgm_online_add_key(PgmAlteration *alteration, const Constraint *constraint)
{
	bool		primary = constraint->contype == CONSTR_PRIMARY;
	const char *index = pgm_online_built_name(&alteration->names, alteration->relid,
											  constraint->conname);
	char	   *command;
	ListCell   *lc;

	foreach(lc, constraint->keys)
	{
		if (primary)
			pgm_online_set_not_null(alteration, strVal(lfirst(lc)));
	}
	build_index(alteration, constraint, index);
	command = psprintf("ADD CONSTRAINT %s %s USING INDEX %s%s%s",
					   quote_identifier(constraint->conname), primary ? "PRIMARY KEY" : "UNIQUE",
					   quote_identifier(index), constraint->deferrable ? " DEFERRABLE" : "",
					   constraint->initdeferred ? " INITIALLY DEFERRED" : "");
	if (alteration->replaces)
		alteration->keys = lappend(alteration->keys, command);
	else
		pgm_online_add_command(alteration, PGM_HOLD_BRIEF, "takes the index that is there",
							   command);
}

/* Does a list of attribute numbers of a constraint have a column that is set? */
static bool
sets_any(const UpdateStmt *update, Oid relid, const int16 *attrs, int count)
{
	ListCell   *lc;

	foreach(lc, update->targetList)
	{
		AttrNumber	set = get_attnum(relid, lfirst_node(ResTarget, lc)->name);

		for (int i = 0; i < count; i++)
		{
			if (attrs[i] == set)
				return true;
		}
	}
	return false;
}

/*
 * Does the statement touch what a constraint is about that holds when the statement
 * has ended, but may not hold before: a foreign key of a table to itself, or a key
 * that can be deferred?
 */
static bool
breaks_constraint(Node *stmt, Oid relid, HeapTuple tuple, TupleDesc desc)
{
	static const int arrays[] = {Anum_pg_constraint_conkey, Anum_pg_constraint_confkey};
	Form_pg_constraint con = (Form_pg_constraint) GETSTRUCT(tuple);
	bool		is_self = con->contype == CONSTRAINT_FOREIGN && con->confrelid == relid;

	if (!is_self && (con->contype == CONSTRAINT_FOREIGN || !con->condeferrable))
		return false;
	if (IsA(stmt, DeleteStmt))
		return is_self && (con->confdeltype == FKCONSTR_ACTION_NOACTION ||
						   con->confdeltype == FKCONSTR_ACTION_RESTRICT);
	for (int i = 0; i < lengthof(arrays); i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, arrays[i], desc, &isnull);
		ArrayType  *array = isnull ? NULL : DatumGetArrayTypeP(value);

		if (array != NULL && sets_any((UpdateStmt *) stmt, relid, (int16 *) ARR_DATA_PTR(array),
									  ARR_DIMS(array)[0]))
			return true;
	}
	return false;
}

/*
 * Are there constraints of a table that hold after an UPDATE or DELETE, but may not
 * after a part of it?
 */
bool
pgm_online_has_to_be_whole(Node *stmt, Oid relid)
{
	Relation	constraints = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;
	const bool	use_index = true;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(constraints, ConstraintRelidTypidNameIndexId, use_index, NULL, 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = breaks_constraint(stmt, relid, tuple, RelationGetDescr(constraints));
	systable_endscan(scan);
	table_close(constraints, AccessShareLock);
	return found;
}

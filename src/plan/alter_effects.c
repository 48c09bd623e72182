/*-------------------------------------------------------------------------
 *
 * alter_effects.c
 *	  What commands of ALTER TABLE do to the rows of a table, where that is known
 *	  without asking the server.
 *
 * IDENTIFICATION
 *	  src/plan/alter_effects.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "plan/plan.h"

/*
 * The plain type of a serial column, or NULL.
 */
const char *
pgm_effects_serial_base(const ColumnDef *def)
{
	static const char *const types[][2] = {
		{"smallserial", "smallint"}, {"serial2", "smallint"},
		{"serial", "integer"}, {"serial4", "integer"},
		{"bigserial", "bigint"}, {"serial8", "bigint"}
	};

	if (def->typeName == NULL || list_length(def->typeName->names) != 1)
		return NULL;
	for (int i = 0; i < lengthof(types); i++)
	{
		if (strcmp(strVal(linitial(def->typeName->names)), types[i][0]) == 0)
			return types[i][1];
	}
	return NULL;
}

/*
 * Would a new column bring a sequence, whose values every row gets at once?
 */
bool
pgm_effects_makes_sequence(const ColumnDef *column)
{
	ListCell   *lc;

	foreach(lc, column->constraints)
	{
		if (lfirst_node(Constraint, lc)->contype == CONSTR_IDENTITY)
			return true;
	}
	return pgm_effects_serial_base(column) != NULL;
}

/*
 * A foreign key is checked for a new column's default only.
 */
static bool
new_column_scans(const ColumnDef *column)
{
	bool		has_default = false;
	bool		has_foreign_key = false;
	ListCell   *lc;

	foreach(lc, column->constraints)
	{
		Constraint *constraint = lfirst_node(Constraint, lc);

		has_default |= constraint->contype == CONSTR_DEFAULT;
		has_foreign_key |= constraint->contype == CONSTR_FOREIGN;
		if (constraint->contype == CONSTR_UNIQUE || constraint->contype == CONSTR_PRIMARY)
			return true;
	}
	return has_default && has_foreign_key;
}

/*
 * Is some column of an index of the table nullable?  Then a primary key that
 * uses it has to look for NULLs.
 */
static bool
index_has_nullable(Oid relid, const char *indexname)
{
	Oid			indexid = get_relname_relid(indexname, get_rel_namespace(relid));
	HeapTuple	tuple;
	Form_pg_index index;
	bool		result = false;

	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	if (!HeapTupleIsValid(tuple))
		return true;
	index = (Form_pg_index) GETSTRUCT(tuple);
	for (int i = 0; i < index->indnkeyatts; i++)
	{
		HeapTuple	column = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid),
											 Int16GetDatum(index->indkey.values[i]));

		if (!HeapTupleIsValid(column))
			continue;
		result |= !((Form_pg_attribute) GETSTRUCT(column))->attnotnull;
		ReleaseSysCache(column);
	}
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Does a constraint read the whole table as it is added?
 */
static bool
constraint_scans(Oid relid, const Constraint *constraint)
{
	switch (constraint->contype)
	{
		case CONSTR_FOREIGN:
			return !constraint->skip_validation;
		case CONSTR_UNIQUE:
			return constraint->indexname == NULL;
		case CONSTR_PRIMARY:
			return constraint->indexname == NULL || index_has_nullable(relid, constraint->indexname);
		case CONSTR_EXCLUSION:
			return true;
		default:
			return false;
	}
}

/*
 * Is there such a foreign key, still to be validated?  Checks are the probe's.
 */
static bool
foreign_key_is_open(Oid relid, const char *name)
{
	Oid			conid = get_relation_constraint_oid(relid, name, true);
	HeapTuple	tuple;
	Form_pg_constraint con;
	bool		result;

	if (!OidIsValid(conid))
		return false;
	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(conid));
	if (!HeapTupleIsValid(tuple))
		return false;
	con = (Form_pg_constraint) GETSTRUCT(tuple);
	result = con->contype == CONSTRAINT_FOREIGN && !con->convalidated;
	ReleaseSysCache(tuple);
	return result;
}

static bool
moves_to_tablespace(Oid relid, const char *name)
{
	Oid			target = get_tablespace_oid(name, true);
	Oid			current = get_rel_tablespace(relid);

	return target != (OidIsValid(current) ? current : MyDatabaseTableSpace);
}

/*
 * What is known of a command of ALTER TABLE without asking; adds to what is set.
 */
void
pgm_effects_of_command(Oid relid, const AlterTableCmd *cmd, bool *rewrites, bool *scans)
{
	char		persistence = get_rel_persistence(relid);

	switch (cmd->subtype)
	{
		case AT_AddColumn:
			if (cmd->missing_ok &&
				get_attnum(relid, ((ColumnDef *) cmd->def)->colname) != InvalidAttrNumber)
				break;			/* it is there, so nothing is done */
			*rewrites |= pgm_effects_makes_sequence((ColumnDef *) cmd->def);
			*scans |= new_column_scans((ColumnDef *) cmd->def);
			break;
		case AT_AddConstraint:
			*scans |= constraint_scans(relid, (Constraint *) cmd->def);
			break;
		case AT_ValidateConstraint:
			*scans |= foreign_key_is_open(relid, cmd->name);
			break;
		case AT_SetTableSpace:
			*rewrites |= moves_to_tablespace(relid, cmd->name);
			break;
		case AT_SetLogged:
			*rewrites |= persistence == RELPERSISTENCE_UNLOGGED;
			break;
		case AT_SetUnLogged:
			*rewrites |= persistence == RELPERSISTENCE_PERMANENT;
			break;
		default:
			break;
	}
}

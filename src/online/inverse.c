/*-------------------------------------------------------------------------
 *
 * inverse.c
 *	  The command that undoes another one.
 *
 * Only for what makes something that was not there, which can be taken away
 * again without loss, and for what takes away something without rows of its own:
 * an index that was dropped is built again, a partition that was detached is
 * attached again.  The command for it follows from the statement.  It is asked
 * right before the statement runs, so the catalogs tell what is there already.
 *
 * IDENTIFICATION
 *	  src/online/inverse.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "commands/comment.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "lib/stringinfo.h"
#include "parser/parser.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/relation.h"
#include "online/online.h"

/*
 * Takes away the relation that the statement makes, unless it is there already.
 * The search_path may be another one by then.
 */
static char *
drop_relation(const char *what, const RangeVar *relation)
{
	Oid			namespace = RangeVarGetCreationNamespace(relation);

	if (OidIsValid(get_relname_relid(relation->relname, namespace)))
		return pstrdup("");
	return psprintf("DROP %s IF EXISTS %s", what,
					quote_qualified_identifier(get_namespace_name(namespace), relation->relname));
}

static char *
drop_index(const IndexStmt *stmt)
{
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);

	/* the server chooses the name */
	if (stmt->idxname == NULL || !OidIsValid(relid))
		return NULL;
	if (OidIsValid(get_relname_relid(stmt->idxname, get_rel_namespace(relid))))
		return pstrdup("");
	return psprintf("DROP INDEX %sIF EXISTS %s",
					get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ? "" : "CONCURRENTLY ",
					quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
											   stmt->idxname));
}

/* Has somebody said how many values to keep of a column of an index? */
static bool
has_statistics_target(Oid indexid)
{
	HeapTuple	tuple;
	bool		found = false;

	for (AttrNumber attnum = 1; !found; attnum++)
	{
		Datum		target;
		bool		isnull;

		tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(indexid), Int16GetDatum(attnum));
		if (!HeapTupleIsValid(tuple))
			break;
		target = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attstattarget, &isnull);
		found = !isnull && DatumGetInt16(target) >= 0;
		ReleaseSysCache(tuple);
	}
	return found;
}

/*
 * Would an index be made where this one is?  Its definition does not name the
 * tablespace of the database, in place of which the session may prefer another.
 */
static bool
has_tablespace_told(Oid indexid)
{
	const bool	partitioned = false;

	return OidIsValid(get_rel_tablespace(indexid)) ||
		!OidIsValid(GetDefaultTablespace(RELPERSISTENCE_PERMANENT, partitioned));
}

/*
 * Is an index all that its definition says, and no more?
 */
static bool
is_its_definition(Oid indexid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	Form_pg_index index;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	index = (Form_pg_index) GETSTRUCT(tuple);
	result = index->indisvalid && !index->indisclustered && !index->indisreplident &&
		get_rel_relkind(indexid) == RELKIND_INDEX && !get_rel_relispartition(indexid) &&
		!OidIsValid(get_index_constraint(indexid)) &&
		GetComment(indexid, RelationRelationId, 0) == NULL && !has_statistics_target(indexid) &&
		has_tablespace_told(indexid) &&
		getAutoExtensionsOfObject(RelationRelationId, indexid) == NIL;
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Builds an index again that is dropped.
 */
static char *
build_again(const DropStmt *stmt)
{
	Oid			indexid;
	int			guc_level;
	char	   *definition;
	char	   *rest;

	if (stmt->removeType != OBJECT_INDEX || stmt->behavior == DROP_CASCADE ||
		list_length(stmt->objects) != 1)
		return NULL;
	indexid = RangeVarGetRelid(makeRangeVarFromNameList((List *) linitial(stmt->objects)),
							   NoLock, true);
	if (!OidIsValid(indexid))
		return pstrdup("");
	if (!is_its_definition(indexid))
		return NULL;
	guc_level = NewGUCNestLevel();
	pgm_guc_pin_meaning();
	definition = pg_get_indexdef_string(indexid);
	AtEOXact_GUC(true, guc_level);
	rest = strstr(definition, " INDEX ") + strlen(" INDEX ");
	return psprintf("%.*sCONCURRENTLY %s", (int) (rest - definition), definition, rest);
}

static bool
is_not_null(Oid relid, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, column);
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
	ReleaseSysCache(tuple);
	return result;
}

static char *
drop_constraint(const Constraint *constraint)
{
	const char *name = constraint->conname != NULL ? constraint->conname : constraint->indexname;

	/* the server chooses the name */
	if (name == NULL)
		return NULL;
	return psprintf("DROP CONSTRAINT IF EXISTS %s", quote_identifier(name));
}

/*
 * Gives a column the default that it has now.
 */
static char *
restore_default(Oid relid, const char *column)
{
	AttrNumber	attnum = get_attnum(relid, column);
	int			guc_level;
	Relation	rel;
	Node	   *value;
	char	   *result;

	/* it is added by the same statement */
	if (attnum == InvalidAttrNumber)
		return pstrdup("");
	guc_level = NewGUCNestLevel();
	pgm_guc_pin_meaning();
	rel = table_open(relid, AccessShareLock);
	value = attnum < 0 || !TupleDescAttr(RelationGetDescr(rel), attnum - 1)->atthasdef ?
		NULL : build_column_default(rel, attnum);
	result = value == NULL ? psprintf("ALTER COLUMN %s DROP DEFAULT", quote_identifier(column)) :
		psprintf("ALTER COLUMN %s SET DEFAULT %s", quote_identifier(column),
				 deparse_expression(value, NIL, false, false));
	table_close(rel, AccessShareLock);
	AtEOXact_GUC(true, guc_level);
	return result;
}

/*
 * The inverse of a command of ALTER TABLE: "" if there is nothing to undo, NULL
 * if it cannot be.
 */
static char *
inverse_command(Oid relid, const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			if (get_attnum(relid, ((ColumnDef *) cmd->def)->colname) != InvalidAttrNumber)
				return pstrdup("");
			return psprintf("DROP COLUMN IF EXISTS %s",
							quote_identifier(((ColumnDef *) cmd->def)->colname));
		case AT_AddConstraint:
			return drop_constraint((Constraint *) cmd->def);
		case AT_ColumnDefault:
			return restore_default(relid, cmd->name);
		case AT_SetNotNull:
			return is_not_null(relid, cmd->name) ? pstrdup("") :
				psprintf("ALTER COLUMN %s DROP NOT NULL", quote_identifier(cmd->name));
		case AT_ValidateConstraint:
			return pstrdup("");
		default:
			return NULL;
	}
}

/*
 * The inverses of the commands of ALTER TABLE, in one.
 */
static char *
inverse_alter(const AlterTableStmt *stmt)
{
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	StringInfoData buf;
	ListCell   *lc;

	if (stmt->objtype != OBJECT_TABLE || !OidIsValid(relid))
		return NULL;
	if (linitial_node(AlterTableCmd, stmt->cmds)->subtype == AT_DetachPartition)
		return pgm_online_attach_again(stmt);
	initStringInfo(&buf);
	foreach(lc, stmt->cmds)
	{
		char	   *inverse = inverse_command(relid, lfirst_node(AlterTableCmd, lc));

		if (inverse == NULL)
			return NULL;
		if (inverse[0] != '\0')
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", inverse);
	}
	if (buf.len == 0)
		return pstrdup("");
	return psprintf("ALTER TABLE IF EXISTS %s %s", pgm_relation_name(relid), buf.data);
}

/*
 * The command that undoes a statement that is about to run, or several that can run
 * in a transaction: "" if nothing has to be done, NULL if there is none.
 */
char *
pgm_inverse_of(Node *stmt)
{
	char	   *inverse;

	switch (nodeTag(stmt))
	{
		case T_IndexStmt:
			return drop_index((IndexStmt *) stmt);
		case T_DropStmt:
			return build_again((DropStmt *) stmt);
		case T_AlterTableStmt:
			return inverse_alter((AlterTableStmt *) stmt);
		case T_CreateStmt:
			return drop_relation("TABLE", ((CreateStmt *) stmt)->relation);
		case T_CreateTableAsStmt:
			return drop_relation(((CreateTableAsStmt *) stmt)->objtype == OBJECT_MATVIEW ?
								 "MATERIALIZED VIEW" : "TABLE",
								 ((CreateTableAsStmt *) stmt)->into->rel);
		case T_CreateSeqStmt:
			return drop_relation("SEQUENCE", ((CreateSeqStmt *) stmt)->sequence);
		case T_ViewStmt:
			/* one that is replaced would be lost */
			inverse = drop_relation("VIEW", ((ViewStmt *) stmt)->view);
			return inverse[0] == '\0' ? NULL : inverse;
		case T_CreateSchemaStmt:
			if (((CreateSchemaStmt *) stmt)->schemaname == NULL ||
				((CreateSchemaStmt *) stmt)->schemaElts != NIL)
				return NULL;
			if (OidIsValid(get_namespace_oid(((CreateSchemaStmt *) stmt)->schemaname, true)))
				return pstrdup("");
			return psprintf("DROP SCHEMA IF EXISTS %s",
							quote_identifier(((CreateSchemaStmt *) stmt)->schemaname));
		case T_VariableSetStmt:
		case T_VacuumStmt:
		case T_ReindexStmt:
		case T_RefreshMatViewStmt:
			return pstrdup("");
		default:
			return NULL;
	}
}

/* Does a command that undoes a step take this column away, or all of the table? */
static bool
takes_away(const char *command, Oid relid, const char *column)
{
	Node	   *stmt = linitial_node(RawStmt, raw_parser(command, RAW_PARSE_DEFAULT))->stmt;
	ListCell   *lc;

	if (IsA(stmt, DropStmt) && ((DropStmt *) stmt)->removeType == OBJECT_TABLE)
		return RangeVarGetRelid(makeRangeVarFromNameList((List *) linitial(((DropStmt *) stmt)->objects)),
								NoLock, true) == relid;
	if (!IsA(stmt, AlterTableStmt) || column == NULL ||
		RangeVarGetRelid(((AlterTableStmt *) stmt)->relation, NoLock, true) != relid)
		return false;
	foreach(lc, ((AlterTableStmt *) stmt)->cmds)
	{
		const AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_DropColumn && strcmp(cmd->name, column) == 0)
			return true;
	}
	return false;
}

static bool
is_made(List *commands, Oid relid, const char *column)
{
	ListCell   *lc;

	foreach(lc, commands)
	{
		if (takes_away((char *) lfirst(lc), relid, column))
			return true;
	}
	return false;
}

/*
 * Does what a statement changes go anyway when these commands undo what came
 * before it in the run?  That is so for rows of a table, and values of columns,
 * that they take away.
 */
bool
pgm_inverse_is_implied(Node *stmt, List *commands)
{
	const RangeVar *relation;
	Oid			relid;
	ListCell   *lc;

	if (IsA(stmt, InsertStmt))
		relation = ((InsertStmt *) stmt)->relation;
	else if (IsA(stmt, UpdateStmt))
		relation = ((UpdateStmt *) stmt)->relation;
	else if (IsA(stmt, DeleteStmt))
		relation = ((DeleteStmt *) stmt)->relation;
	else
		return false;
	relid = RangeVarGetRelid(relation, NoLock, true);
	if (!OidIsValid(relid))
		return false;
	if (is_made(commands, relid, NULL))
		return true;
	if (!IsA(stmt, UpdateStmt))
		return false;
	foreach(lc, ((UpdateStmt *) stmt)->targetList)
	{
		if (!is_made(commands, relid, lfirst_node(ResTarget, lc)->name))
			return false;
	}
	return true;
}

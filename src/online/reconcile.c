/*-------------------------------------------------------------------------
 *
 * reconcile.c
 *	  What became of a command that commits by itself.
 *
 * Such a command and the record of it cannot be one transaction.  So it is noted
 * first that it begins, and whoever finds that note without the end of it looks
 * at the database: the command may not have done anything, or all, or have left
 * something half done, which has to go before it can be tried again.
 *
 * IDENTIFICATION
 *	  src/online/reconcile.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/lock.h"
#include "base/relation.h"
#include "online/online.h"

static bool
index_is_valid(Oid indexid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	bool		valid;

	if (!HeapTupleIsValid(tuple))
		return false;
	valid = ((Form_pg_index) GETSTRUCT(tuple))->indisvalid;
	ReleaseSysCache(tuple);
	return valid;
}

/*
 * The object that a command is going to make, if there is one of that name.
 */
Oid
pgm_reconcile_object(Node *stmt)
{
	IndexStmt  *index = (IndexStmt *) stmt;
	Oid			relid;

	if (!IsA(stmt, IndexStmt) || index->idxname == NULL)
		return InvalidOid;
	relid = RangeVarGetRelid(index->relation, NoLock, true);
	return OidIsValid(relid) ? get_relname_relid(index->idxname, get_rel_namespace(relid)) :
		InvalidOid;
}

static PgmFinding
drop_remains(Oid indexid, char **command)
{
	*command = psprintf("DROP INDEX CONCURRENTLY %s", pgm_relation_name(indexid));
	return PGM_FOUND_REMAINS;
}

/*
 * CREATE INDEX CONCURRENTLY; "before" is what had the name before.
 */
static PgmFinding
find_index(Node *stmt, Oid before, char **command)
{
	Oid			indexid = pgm_reconcile_object(stmt);

	if (!OidIsValid(indexid) || indexid == before)
		return PGM_FOUND_NOT_DONE;
	return index_is_valid(indexid) ? PGM_FOUND_DONE : drop_remains(indexid, command);
}

/* Is this a name that REINDEX CONCURRENTLY gives to what it works on? */
static bool
is_transient_name(const char *name)
{
	const char *suffix = strstr(name, "_ccnew");

	if (suffix == NULL)
		suffix = strstr(name, "_ccold");
	return suffix != NULL && strspn(suffix + 6, "0123456789") == strlen(suffix + 6);
}

/*
 * The table whose rows a table holds: itself, or the one that it is the TOAST
 * table of.
 */
static Oid
owning_table(Oid relid)
{
	const char *name = get_rel_name(relid);
	unsigned int owner;

	if (get_rel_relkind(relid) == RELKIND_TOASTVALUE && name != NULL &&
		sscanf(name, "pg_toast_%u", &owner) == 1)
		return (Oid) owner;
	return relid;
}

/* What a REINDEX is about. */
typedef struct Scope
{
	bool		everything;		/* of the database */
	Oid			namespace;		/* or InvalidOid */
	List	   *tables;
} Scope;

static bool
is_in_scope(const Scope *scope, Oid relid)
{
	Oid			table = owning_table(relid);

	return scope->everything || list_member_oid(scope->tables, table) ||
		(OidIsValid(scope->namespace) && get_rel_namespace(table) == scope->namespace);
}

/*
 * An invalid index that REINDEX CONCURRENTLY has left behind.  One that another
 * session is at work on is none: its lock is asked for, and throws.
 */
static Oid
find_transient(const Scope *scope)
{
	Relation	rel = table_open(IndexRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	Oid			found = InvalidOid;
	Oid			table = InvalidOid;

	while (!OidIsValid(found) && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);
		const char *name;

		if (index->indisvalid || !is_in_scope(scope, index->indrelid))
			continue;
		name = get_rel_name(index->indexrelid);
		if (name == NULL || !is_transient_name(name))
			continue;
		found = index->indexrelid;
		table = index->indrelid;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	if (OidIsValid(found))
		pgm_lock_relation(table, ShareUpdateExclusiveLock);
	return found;
}

static PgmFinding
find_reindex(const ReindexStmt *stmt, char **command)
{
	Scope		scope = {.everything = stmt->relation == NULL};
	Oid			remains;

	if (stmt->relation != NULL)
	{
		Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);

		if (!OidIsValid(relid))
			return PGM_FOUND_NOT_DONE;
		if (stmt->kind == REINDEX_OBJECT_INDEX)
			relid = IndexGetRelation(relid, true);
		if (OidIsValid(relid))
			scope.tables = pgm_relation_tree(relid);
	}
	else if (stmt->kind == REINDEX_OBJECT_SCHEMA)
	{
		scope.everything = false;
		scope.namespace = get_namespace_oid(stmt->name, true);
	}
	remains = find_transient(&scope);
	return OidIsValid(remains) ? drop_remains(remains, command) : PGM_FOUND_NOT_DONE;
}

/*
 * DROP INDEX CONCURRENTLY: nothing is left if the index is not there, and one
 * that is can be dropped again.  To undo it, one that is not valid any more is
 * built anew.
 */
static PgmFinding
find_drop(const DropStmt *stmt, bool undo, char **command)
{
	PgmFinding	finding = PGM_FOUND_DONE;
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		Oid			indexid = RangeVarGetRelid(makeRangeVarFromNameList((List *) lfirst(lc)),
											   NoLock, true);

		if (!OidIsValid(indexid))
			continue;
		finding = PGM_FOUND_NOT_DONE;
		if (undo && get_rel_relkind(indexid) == RELKIND_INDEX && !index_is_valid(indexid))
		{
			*command = psprintf("REINDEX INDEX CONCURRENTLY %s", pgm_relation_name(indexid));
			return PGM_FOUND_REMAINS;
		}
	}
	return finding;
}

/*
 * DETACH PARTITION CONCURRENTLY
 */
static PgmFinding
find_detach(const AlterTableStmt *stmt, char **command)
{
	PartitionCmd *cmd = (PartitionCmd *) linitial_node(AlterTableCmd, stmt->cmds)->def;
	Oid			parent = RangeVarGetRelid(stmt->relation, NoLock, true);
	Oid			child = RangeVarGetRelid(cmd->name, NoLock, true);
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	PgmFinding	finding = PGM_FOUND_DONE;

	if (!OidIsValid(parent) || !OidIsValid(child))
		return PGM_FOUND_NOT_DONE;
	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(child));
	rel = table_open(InheritsRelationId, AccessShareLock);
	scan = systable_beginscan(rel, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_inherits link = (Form_pg_inherits) GETSTRUCT(tuple);

		if (link->inhparent == parent)
			finding = link->inhdetachpending ? PGM_FOUND_REMAINS : PGM_FOUND_NOT_DONE;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	if (finding == PGM_FOUND_REMAINS)
		*command = psprintf("ALTER TABLE %s DETACH PARTITION %s FINALIZE",
							pgm_relation_name(parent), pgm_relation_name(child));
	return finding;
}

/*
 * What became of a command that was begun, and is to be done, or with "undo" not to
 * be done.  "object" is what pgm_reconcile_object() said before that.  Where
 * something has to go first, *command does it.
 */
PgmFinding
pgm_reconcile(Node *stmt, Oid object, bool undo, char **command)
{
	switch (nodeTag(stmt))
	{
		case T_IndexStmt:
			return find_index(stmt, object, command);
		case T_DropStmt:
			return find_drop((DropStmt *) stmt, undo, command);
		case T_ReindexStmt:
			return find_reindex((ReindexStmt *) stmt, command);
		case T_AlterTableStmt:
			return find_detach((AlterTableStmt *) stmt, command);
		default:
			/* can be done again, or says that it cannot */
			return PGM_FOUND_NOT_DONE;
	}
}

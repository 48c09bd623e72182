/*-------------------------------------------------------------------------
 *
 * locks.c
 *	  Which relations a statement will lock, and how strongly.
 *
 * Looked up without locking anything, so the answer can be out of date by the
 * time the statement runs: it is good for taking the locks without standing in
 * line and for showing them, not for relying on them.  What is not foreseen
 * here (other cascades, functions, DO blocks) is left to the statement and its
 * lock_timeout.
 *
 * IDENTIFICATION
 *	  src/plan/locks.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/heap.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "plan/lockset.h"

static void
locks_of_create_table(List **locks, CreateStmt *stmt)
{
	ListCell   *lc;

	if (stmt->if_not_exists && OidIsValid(pgm_lockset_find(stmt->relation)))
		return;
	foreach(lc, stmt->inhRelations)
	{
		bool		partition = stmt->partbound != NULL;
		LOCKMODE	mode = partition ? AccessExclusiveLock : ShareUpdateExclusiveLock;
		Oid			parent = pgm_lockset_add_named(locks, lfirst_node(RangeVar, lc), mode, ACL_NO_RIGHTS);

		if (partition && OidIsValid(parent))
		{
			pgm_lockset_add_default_partition(locks, parent, pgm_relation_is_owned(parent, GetUserId()));
			pgm_lockset_add_referenced(locks, parent, NULL, 0, ShareRowExclusiveLock);
		}
	}
	pgm_lockset_add_targets(locks, stmt->constraints);
	foreach(lc, stmt->tableElts)
	{
		Node	   *element = (Node *) lfirst(lc);

		if (IsA(element, ColumnDef))
			pgm_lockset_add_targets(locks, ((ColumnDef *) element)->constraints);
		else if (IsA(element, Constraint))
			pgm_lockset_add_targets(locks, list_make1(element));
	}
}

/*
 * DROP of an index: the tables it is on, before it.
 */
static void
lock_dropped_index(List **locks, Oid relid, LOCKMODE mode, bool allowed)
{
	char		relkind = get_rel_relkind(relid);
	Oid			table;

	if (relkind != RELKIND_INDEX && relkind != RELKIND_PARTITIONED_INDEX)
		return;
	table = IndexGetRelation(relid, true);
	pgm_lockset_add(locks, table, mode, allowed);
	if (relkind == RELKIND_PARTITIONED_INDEX && OidIsValid(table))
		pgm_lockset_add_children(locks, table, mode);
}

/*
 * DROP of one relation: with it go its foreign keys, its partitions, and its
 * place in a partitioned table.
 */
static void
lock_dropped_relation(List **locks, RangeVar *relation, DropStmt *stmt)
{
	Oid			relid = pgm_lockset_find(relation);
	LOCKMODE	mode = stmt->concurrent ? ShareUpdateExclusiveLock : AccessExclusiveLock;
	bool		allowed;

	if (!OidIsValid(relid))
		return;
	allowed = pgm_relation_is_owned(relid, GetUserId());
	if (stmt->removeType == OBJECT_INDEX)
		lock_dropped_index(locks, relid, mode, allowed);
	if (stmt->removeType == OBJECT_TABLE && get_rel_relispartition(relid))
	{
		Oid			parent = get_partition_parent(relid, true);

		pgm_lockset_add(locks, parent, AccessExclusiveLock, allowed);
		pgm_lockset_add_default_partition(locks, parent, allowed);
	}
	pgm_lockset_add(locks, relid, mode, allowed);
	if (stmt->removeType != OBJECT_TABLE)
		return;
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE || stmt->behavior == DROP_CASCADE)
		pgm_lockset_add_children(locks, relid, AccessExclusiveLock);
	pgm_lockset_add_referenced(locks, relid, NULL, 0, AccessExclusiveLock);
	if (stmt->behavior == DROP_CASCADE)
		pgm_lockset_add_referencing(locks, relid, 0, AccessExclusiveLock);
}

/*
 * Lock a table, and its partitions, for something that they have in common.
 */
static void
lock_with_partitions(List **locks, const RangeVar *relation, LOCKMODE mode, AclMode rights)
{
	Oid			relid = pgm_lockset_add_named(locks, relation, mode, rights);

	if (OidIsValid(relid) && get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		pgm_lockset_add_children(locks, relid, mode);
}

static void
locks_of_drop(List **locks, DropStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		List	   *name = (List *) lfirst(lc);

		switch (stmt->removeType)
		{
			case OBJECT_TABLE:
			case OBJECT_INDEX:
			case OBJECT_VIEW:
			case OBJECT_MATVIEW:
			case OBJECT_SEQUENCE:
			case OBJECT_FOREIGN_TABLE:
				lock_dropped_relation(locks, makeRangeVarFromNameList(name), stmt);
				break;
			case OBJECT_TRIGGER:
			case OBJECT_RULE:
			case OBJECT_POLICY:
				/* the relation's name, followed by the object's own */
				name = list_truncate(list_copy(name), list_length(name) - 1);
				lock_with_partitions(locks, makeRangeVarFromNameList(name), AccessExclusiveLock,
									 ACL_NO_RIGHTS);
				break;
			default:
				break;
		}
	}
}

static void
locks_of_index(List **locks, IndexStmt *stmt)
{
	LOCKMODE	mode = stmt->concurrent ? ShareUpdateExclusiveLock : ShareLock;

	if (stmt->relation->inh)
		lock_with_partitions(locks, stmt->relation, mode, ACL_NO_RIGHTS);
	else
		(void) pgm_lockset_add_named(locks, stmt->relation, mode, ACL_NO_RIGHTS);
}

/*
 * Lock each of a list of relations, and its children.
 */
static void
lock_all_named(List **locks, List *relations, LOCKMODE mode, AclMode rights)
{
	ListCell   *lc;

	foreach(lc, relations)
	{
		RangeVar   *relation = (RangeVar *) lfirst(lc);
		Oid			relid;

		if (!IsA(relation, RangeVar))
			continue;
		relid = pgm_lockset_add_named(locks, relation, mode, rights);
		if (OidIsValid(relid) && relation->inh)
			pgm_lockset_add_children(locks, relid, mode);
	}
}

/*
 * COMMENT on a relation or a part of one.
 */
static void
locks_of_comment(List **locks, CommentStmt *stmt)
{
	List	   *name;

	switch (stmt->objtype)
	{
		case OBJECT_TABLE:
		case OBJECT_INDEX:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_FOREIGN_TABLE:
			name = (List *) stmt->object;
			break;
		case OBJECT_COLUMN:
		case OBJECT_TABCONSTRAINT:
		case OBJECT_TRIGGER:
		case OBJECT_RULE:
		case OBJECT_POLICY:
			/* the relation's name, followed by that of its part */
			name = list_truncate(list_copy((List *) stmt->object),
								 list_length((List *) stmt->object) - 1);
			break;
		default:
			return;
	}
	if (name != NIL)
		(void) pgm_lockset_add_named(locks, makeRangeVarFromNameList(name),
									 ShareUpdateExclusiveLock, ACL_NO_RIGHTS);
}

/*
 * TRUNCATE, with CASCADE also of all tables that refer to those named.
 */
static void
locks_of_truncate(List **locks, TruncateStmt *stmt)
{
	List	   *relids = NIL;
	List	   *more;
	ListCell   *lc;

	lock_all_named(locks, stmt->relations, AccessExclusiveLock, ACL_TRUNCATE);
	if (stmt->behavior != DROP_CASCADE)
		return;
	foreach(lc, *locks)
		relids = lappend_oid(relids, ((PgmLock *) lfirst(lc))->relid);
	while ((more = heap_truncate_find_FKs(relids)) != NIL)
	{
		foreach(lc, more)
			pgm_lockset_add(locks, lfirst_oid(lc), AccessExclusiveLock,
							pg_class_aclcheck(lfirst_oid(lc), GetUserId(), ACL_TRUNCATE) == ACLCHECK_OK);
		relids = list_concat(relids, more);
	}
}

static void
locks_of_reindex(List **locks, ReindexStmt *stmt)
{
	bool		concurrent = pgm_classify_option(stmt->params, "concurrently", false);
	LOCKMODE	mode = concurrent ? ShareUpdateExclusiveLock : ShareLock;
	Oid			relid;

	if (stmt->relation == NULL)
		return;
	if (stmt->kind == REINDEX_OBJECT_TABLE)
	{
		(void) pgm_lockset_add_named(locks, stmt->relation, mode, ACL_NO_RIGHTS);
		return;
	}
	relid = pgm_lockset_find(stmt->relation);
	if (OidIsValid(relid) && get_rel_relkind(relid) == RELKIND_INDEX)
	{
		bool		allowed = pgm_relation_is_owned(relid, GetUserId());

		pgm_lockset_add(locks, IndexGetRelation(relid, true), mode, allowed);
		pgm_lockset_add(locks, relid, concurrent ? mode : AccessExclusiveLock, allowed);
	}
}

static void
locks_of_rename(List **locks, RenameStmt *stmt)
{
	LOCKMODE	mode = AccessExclusiveLock;
	Oid			relid;

	if (stmt->relation == NULL)
		return;
	if (stmt->renameType == OBJECT_INDEX)
		mode = ShareUpdateExclusiveLock;
	relid = pgm_lockset_add_named(locks, stmt->relation, mode, ACL_NO_RIGHTS);
	if (OidIsValid(relid) && stmt->relation->inh &&
		(stmt->renameType == OBJECT_COLUMN || stmt->renameType == OBJECT_TRIGGER))
		pgm_lockset_add_children(locks, relid, mode);
}

/*
 * The target of a statement on rows.
 */
static void
lock_row_target(List **locks, RangeVar *relation)
{
	if (relation != NULL)
		(void) pgm_lockset_add_named(locks, relation, RowExclusiveLock,
									 ACL_INSERT | ACL_UPDATE | ACL_DELETE);
}

/*
 * VACUUM or ANALYZE of the tables named.
 */
static void
locks_of_vacuum(List **locks, VacuumStmt *stmt)
{
	LOCKMODE	mode = ShareUpdateExclusiveLock;
	ListCell   *lc;

	if (pgm_classify_option(stmt->options, "full", false))
		mode = AccessExclusiveLock;
	foreach(lc, stmt->rels)
	{
		VacuumRelation *rel = lfirst_node(VacuumRelation, lc);

		if (rel->relation != NULL)
			(void) pgm_lockset_add_named(locks, rel->relation, mode, ACL_NO_RIGHTS);
	}
}

/*
 * Statements on one relation that take one lock.
 */
static void
locks_of_other(List **locks, Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_CreateTrigStmt:
			lock_with_partitions(locks, ((CreateTrigStmt *) stmt)->relation,
								 ShareRowExclusiveLock, ACL_TRIGGER);
			break;
		case T_RuleStmt:
			(void) pgm_lockset_add_named(locks, ((RuleStmt *) stmt)->relation,
										 AccessExclusiveLock, ACL_NO_RIGHTS);
			break;
		case T_CreatePolicyStmt:
			(void) pgm_lockset_add_named(locks, ((CreatePolicyStmt *) stmt)->table,
										 AccessExclusiveLock, ACL_NO_RIGHTS);
			break;
		case T_AlterPolicyStmt:
			(void) pgm_lockset_add_named(locks, ((AlterPolicyStmt *) stmt)->table,
										 AccessExclusiveLock, ACL_NO_RIGHTS);
			break;
		case T_ViewStmt:
			if (((ViewStmt *) stmt)->replace)
				(void) pgm_lockset_add_named(locks, ((ViewStmt *) stmt)->view,
											 AccessExclusiveLock, ACL_NO_RIGHTS);
			break;
		case T_AlterObjectSchemaStmt:
			if (((AlterObjectSchemaStmt *) stmt)->relation != NULL)
				(void) pgm_lockset_add_named(locks, ((AlterObjectSchemaStmt *) stmt)->relation,
											 AccessExclusiveLock, ACL_NO_RIGHTS);
			break;
		case T_AlterSeqStmt:
			(void) pgm_lockset_add_named(locks, ((AlterSeqStmt *) stmt)->sequence,
										 ShareRowExclusiveLock, ACL_NO_RIGHTS);
			break;
		case T_CreateStatsStmt:
			lock_all_named(locks, ((CreateStatsStmt *) stmt)->relations,
						   ShareUpdateExclusiveLock, ACL_NO_RIGHTS);
			break;
		case T_ClusterStmt:
			if (((ClusterStmt *) stmt)->relation != NULL)
				(void) pgm_lockset_add_named(locks, ((ClusterStmt *) stmt)->relation,
											 AccessExclusiveLock, ACL_NO_RIGHTS);
			break;
		case T_CommentStmt:
			locks_of_comment(locks, (CommentStmt *) stmt);
			break;
		case T_VacuumStmt:
			locks_of_vacuum(locks, (VacuumStmt *) stmt);
			break;
		case T_RefreshMatViewStmt:
			(void) pgm_lockset_add_named(locks, ((RefreshMatViewStmt *) stmt)->relation,
										 ((RefreshMatViewStmt *) stmt)->concurrent ?
										 ExclusiveLock : AccessExclusiveLock, ACL_NO_RIGHTS);
			break;
		default:
			break;
	}
}

/*
 * The locks of a statement on relations that exist, as PgmLock, in the order in
 * which it takes them.
 */
List *
pgm_locks_of(Node *stmt)
{
	List	   *locks = NIL;

	switch (nodeTag(stmt))
	{
		case T_AlterTableStmt:
			pgm_locks_of_alter_table(&locks, (AlterTableStmt *) stmt);
			break;
		case T_CreateStmt:
			locks_of_create_table(&locks, (CreateStmt *) stmt);
			break;
		case T_DropStmt:
			locks_of_drop(&locks, (DropStmt *) stmt);
			break;
		case T_IndexStmt:
			locks_of_index(&locks, (IndexStmt *) stmt);
			break;
		case T_ReindexStmt:
			locks_of_reindex(&locks, (ReindexStmt *) stmt);
			break;
		case T_RenameStmt:
			locks_of_rename(&locks, (RenameStmt *) stmt);
			break;
		case T_TruncateStmt:
			locks_of_truncate(&locks, (TruncateStmt *) stmt);
			break;
		case T_LockStmt:
			lock_all_named(&locks, ((LockStmt *) stmt)->relations,
						   ((LockStmt *) stmt)->mode, ACL_UPDATE | ACL_DELETE | ACL_TRUNCATE);
			break;
		case T_InsertStmt:
			lock_row_target(&locks, ((InsertStmt *) stmt)->relation);
			break;
		case T_UpdateStmt:
			lock_row_target(&locks, ((UpdateStmt *) stmt)->relation);
			break;
		case T_DeleteStmt:
			lock_row_target(&locks, ((DeleteStmt *) stmt)->relation);
			break;
		case T_MergeStmt:
			lock_row_target(&locks, ((MergeStmt *) stmt)->relation);
			break;
		case T_CopyStmt:
			if (((CopyStmt *) stmt)->is_from)
				lock_row_target(&locks, ((CopyStmt *) stmt)->relation);
			break;
		default:
			locks_of_other(&locks, stmt);
			break;
	}
	return locks;
}

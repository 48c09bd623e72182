/*-------------------------------------------------------------------------
 *
 * alter_locks.c
 *	  Which relations an ALTER TABLE will lock, and how strongly.
 *
 * IDENTIFICATION
 *	  src/plan/alter_locks.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_constraint.h"
#include "commands/tablecmds.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "plan/lockset.h"

/*
 * Foreign keys among constraints: the referenced tables.
 */
void
pgm_lockset_add_targets(List **locks, List *constraints)
{
	ListCell   *lc;

	foreach(lc, constraints)
	{
		Constraint *con = (Constraint *) lfirst(lc);

		if (IsA(con, Constraint) && con->contype == CONSTR_FOREIGN && con->pktable != NULL)
			(void) pgm_lockset_add_named(locks, con->pktable, ShareRowExclusiveLock, ACL_REFERENCES);
	}
}

static void
lock_partition_command(List **locks, Oid parent, AlterTableCmd *cmd)
{
	PartitionCmd *partition = (PartitionCmd *) cmd->def;

	(void) pgm_lockset_add_named(locks, partition->name, AccessExclusiveLock, ACL_NO_RIGHTS);
	pgm_lockset_add_default_partition(locks, parent, pgm_relation_is_owned(parent, GetUserId()));
	pgm_lockset_add_referenced(locks, parent, NULL, 0, ShareRowExclusiveLock);
}

/*
 * Does a command of ALTER TABLE go down to partitions and children?
 */
static bool
command_recurses(const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
		case AT_DropColumn:
		case AT_AlterColumnType:
		case AT_ColumnDefault:
		case AT_SetNotNull:
		case AT_DropNotNull:
		case AT_SetStatistics:
		case AT_SetStorage:
		case AT_DropExpression:
		case AT_AlterConstraint:
		case AT_ValidateConstraint:
		case AT_DropConstraint:
		case AT_EnableTrig:
		case AT_DisableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
			return true;
		case AT_AddConstraint:
			return !((Constraint *) cmd->def)->is_no_inherit;
		default:
			return false;
	}
}

/*
 * Foreign keys that a column is part of go with it, or are made anew.
 */
static void
lock_key_partners(List **locks, Oid relid, AttrNumber attnum)
{
	if (attnum == InvalidAttrNumber)
		return;
	pgm_lockset_add_referenced(locks, relid, NULL, attnum, AccessExclusiveLock);
	pgm_lockset_add_referencing(locks, relid, attnum, AccessExclusiveLock);
}

/*
 * Is that constraint one that foreign keys can refer to?
 */
static bool
is_key(Oid relid, const char *name)
{
	Oid			conid = get_relation_constraint_oid(relid, name, true);

	return OidIsValid(conid) && OidIsValid(get_constraint_index(conid));
}

/*
 * The locks of one command on other tables than its own.
 */
static void
locks_of_command(List **locks, Oid relid, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddConstraint:
			pgm_lockset_add_targets(locks, list_make1(cmd->def));
			break;
		case AT_AddColumn:
			pgm_lockset_add_targets(locks, ((ColumnDef *) cmd->def)->constraints);
			break;
		case AT_DropConstraint:
			pgm_lockset_add_referenced(locks, relid, cmd->name, 0, AccessExclusiveLock);
			if (cmd->behavior == DROP_CASCADE && is_key(relid, cmd->name))
				pgm_lockset_add_referencing(locks, relid, 0, AccessExclusiveLock);
			break;
		case AT_ValidateConstraint:
			pgm_lockset_add_referenced(locks, relid, cmd->name, 0, RowShareLock);
			break;
		case AT_AlterColumnType:
		case AT_DropColumn:
			lock_key_partners(locks, relid, get_attnum(relid, cmd->name));
			break;
		case AT_AttachPartition:
		case AT_DetachPartition:
			lock_partition_command(locks, relid, cmd);
			break;
		case AT_AddInherit:
			(void) pgm_lockset_add_named(locks, (RangeVar *) cmd->def, ShareUpdateExclusiveLock,
										 ACL_NO_RIGHTS);
			break;
		default:
			break;
	}
}

/*
 * The locks of an ALTER TABLE, in the order in which it takes them.  The mode on
 * the table itself is the server's own answer.
 */
void
pgm_locks_of_alter_table(List **locks, AlterTableStmt *stmt)
{
	LOCKMODE	mode = AlterTableGetLockLevel(stmt->cmds);
	Oid			relid = pgm_lockset_add_named(locks, stmt->relation, mode, ACL_NO_RIGHTS);
	bool		recurses = false;
	ListCell   *lc;

	if (!OidIsValid(relid))
		return;
	foreach(lc, stmt->cmds)
		recurses |= command_recurses(lfirst_node(AlterTableCmd, lc));
	if (recurses && stmt->relation->inh)
		pgm_lockset_add_children(locks, relid, mode);
	foreach(lc, stmt->cmds)
		locks_of_command(locks, relid, lfirst_node(AlterTableCmd, lc));
}

/*-------------------------------------------------------------------------
 *
 * lockset.c
 *	  The set of locks that a statement will take, as it is put together.
 *
 * Only looks: nothing is locked here, and a relation that is not there is not
 * in the set.
 *
 * IDENTIFICATION
 *	  src/plan/lockset.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_constraint.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/relation.h"
#include "plan/lockset.h"

/*
 * Add a lock, unless it is there in that mode or a stronger one.  Locks are
 * kept in the order in which they are taken.  A right to one mode is no right to
 * a stronger one: what is not allowed gives way to what is.
 */
void
pgm_lockset_add(List **locks, Oid relid, LOCKMODE mode, bool allowed)
{
	ListCell   *lc;
	PgmLock    *lock;

	if (!OidIsValid(relid))
		return;
	foreach(lc, *locks)
	{
		lock = (PgmLock *) lfirst(lc);
		if (lock->relid == relid)
		{
			if (allowed == lock->allowed)
				lock->mode = Max(lock->mode, mode);
			else if (allowed)
			{
				lock->mode = mode;
				lock->allowed = true;
			}
			return;
		}
	}
	lock = palloc(sizeof(PgmLock));
	lock->relid = relid;
	lock->mode = mode;
	lock->allowed = allowed;
	*locks = lappend(*locks, lock);
}

/*
 * Relation of that name as the statement will find it, or InvalidOid.
 */
Oid
pgm_lockset_find(const RangeVar *relation)
{
	return RangeVarGetRelid(relation, NoLock, true);
}

/*
 * Lock a relation that the statement names.  Who neither owns it nor has one of
 * the given rights must not lock it: the statement will say so.
 */
Oid
pgm_lockset_add_named(List **locks, const RangeVar *relation, LOCKMODE mode, AclMode rights)
{
	Oid			relid = pgm_lockset_find(relation);
	bool		allowed;

	if (!OidIsValid(relid))
		return InvalidOid;
	allowed = pgm_relation_is_owned(relid, GetUserId()) ||
		(rights != ACL_NO_RIGHTS &&
		 pg_class_aclmask(relid, GetUserId(), rights, ACLMASK_ANY) != 0);
	pgm_lockset_add(locks, relid, mode, allowed);
	return relid;
}

/*
 * Lock all that inherits from a relation, and all its partitions.
 */
void
pgm_lockset_add_children(List **locks, Oid relid, LOCKMODE mode)
{
	bool		allowed = pgm_relation_is_owned(relid, GetUserId());
	List	   *tree = pgm_relation_tree(relid);
	ListCell   *lc;

	if (list_length(tree) == 1)
		return;
	foreach(lc, tree)
		pgm_lockset_add(locks, lfirst_oid(lc), mode, allowed);
}

/*
 * Does a foreign key involve a column on that side?  Any, if attnum is 0.
 */
static bool
key_has_column(HeapTuple constraint, AttrNumber side, AttrNumber attnum)
{
	bool		isnull;
	Datum		keys = SysCacheGetAttr(CONSTROID, constraint, side, &isnull);
	int16	   *attnums;

	if (attnum == 0 || isnull)
		return attnum == 0;
	attnums = (int16 *) ARR_DATA_PTR(DatumGetArrayTypeP(keys));
	for (int i = 0; i < ARR_DIMS(DatumGetArrayTypeP(keys))[0]; i++)
	{
		if (attnums[i] == attnum)
			return true;
	}
	return false;
}

/*
 * Lock the tables that foreign keys of a table refer to; the one of that name
 * only, or those of that column only, if given.  Those that a partition has from
 * its parent stay with that.
 */
void
pgm_lockset_add_referenced(List **locks, Oid relid, const char *constraint,
						   AttrNumber attnum, LOCKMODE mode)
{
	Relation	rel = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint con = (Form_pg_constraint) GETSTRUCT(tuple);

		if (con->contype == CONSTRAINT_FOREIGN && !OidIsValid(con->conparentid) &&
			(constraint == NULL || strcmp(NameStr(con->conname), constraint) == 0) &&
			key_has_column(tuple, Anum_pg_constraint_conkey, attnum))
			pgm_lockset_add(locks, con->confrelid, mode,
							pgm_relation_is_owned(relid, GetUserId()));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/*
 * Lock the tables whose foreign keys refer to a table; to that column only, if
 * given.  There is no index for this.
 */
void
pgm_lockset_add_referencing(List **locks, Oid relid, AttrNumber attnum, LOCKMODE mode)
{
	Relation	rel = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_constraint_confrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (key_has_column(tuple, Anum_pg_constraint_confkey, attnum))
			pgm_lockset_add(locks, ((Form_pg_constraint) GETSTRUCT(tuple))->conrelid, mode,
							pgm_relation_is_owned(relid, GetUserId()));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/*
 * Lock a partitioned table's default partition, whose constraint changes with
 * its siblings.
 */
void
pgm_lockset_add_default_partition(List **locks, Oid parent, bool allowed)
{
	if (OidIsValid(parent) && get_rel_relkind(parent) == RELKIND_PARTITIONED_TABLE)
		pgm_lockset_add(locks, get_default_partition_oid(parent), AccessExclusiveLock, allowed);
}

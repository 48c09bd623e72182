/*-------------------------------------------------------------------------
 *
 * relation.c
 *	  What a relation is called, whose it is, and how large.
 *
 * IDENTIFICATION
 *	  src/base/relation.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/relation.h"

/* The table whose rows a batch of a backfill changes at the moment. */
Oid			pgm_relation_filled = InvalidOid;

/*
 * Its name, qualified and quoted.
 */
char *
pgm_relation_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

/*
 * Throw unless it is there, and the current user's.
 */
void
pgm_relation_check_owner(Oid relid)
{
	const char *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (!pgm_relation_is_owned(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, name);
}

/*
 * The role that owns it; it has to be there.
 */
Oid
pgm_relation_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * The size of one relation, without its indexes.  The server has to open it for
 * that, so it may be gone by then.
 */
static int64
size_of(Oid relid)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum		size;

	if (!RELKIND_HAS_STORAGE(get_rel_relkind(relid)))
		return 0;
	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(relid);
	fcinfo->args[0].isnull = false;
	size = pg_table_size(fcinfo);
	return fcinfo->isnull ? 0 : DatumGetInt64(size);
}

/*
 * A relation and all below it, parents first, not locked: what
 * find_all_inheritors() returns, but that throws for one that is gone.
 */
List *
pgm_relation_tree(Oid relid)
{
	List	   *relids = list_make1_oid(relid);
	ListCell   *lc;

	foreach(lc, relids)
	{
		/* the list grows in its place */
		if (get_rel_relkind(lfirst_oid(lc)) != '\0')
			relids = list_concat_unique_oid(relids, find_inheritance_children(lfirst_oid(lc), NoLock));
	}
	return relids;
}

/*
 * Bytes of a relation without its indexes; "whole": with all below it.  What is
 * dropped meanwhile counts as nothing.
 */
int64
pgm_relation_size(Oid relid, bool whole)
{
	int64		size = 0;
	ListCell   *lc;

	foreach(lc, whole ? pgm_relation_tree(relid) : list_make1_oid(relid))
		size += size_of(lfirst_oid(lc));
	return size;
}

/*
 * Is a table, with all below it, so large that what reads it would hold others up?
 * InvalidOid is not.
 */
bool
pgm_relation_is_large(Oid relid)
{
	const bool	whole = true;

	return OidIsValid(relid) &&
		pgm_relation_size(relid, whole) >= (int64) pgm_online_threshold * 1024;
}

/*-------------------------------------------------------------------------
 *
 * relation.c
 *	  What a relation is called, and whose it is.
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
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

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
 * Is a table, with all below it, so large that what reads it would hold others up?
 * InvalidOid is not.
 */
bool
pgm_relation_is_large(Oid relid)
{
	int64		size = 0;
	ListCell   *lc;

	if (!OidIsValid(relid))
		return false;
	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
	{
		if (RELKIND_HAS_STORAGE(get_rel_relkind(lfirst_oid(lc))))
			size += DatumGetInt64(DirectFunctionCall1(pg_table_size,
													  ObjectIdGetDatum(lfirst_oid(lc))));
	}
	return size >= (int64) pgm_online_threshold * 1024;
}

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
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

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

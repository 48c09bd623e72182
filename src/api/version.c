/*-------------------------------------------------------------------------
 *
 * version.c
 *	  migrate.expand_version() and migrate.drop_version()
 *
 * IDENTIFICATION
 *	  src/api/version.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/args.h"
#include "base/compat.h"
#include "base/extension.h"
#include "base/lock.h"
#include "base/relation.h"
#include "store/version.h"
#include "sync/sync.h"
#include "sync/version.h"

PG_FUNCTION_INFO_V1(pgmigrate_expand_version);
PG_FUNCTION_INFO_V1(pgmigrate_drop_version);

/*
 * Tables that the caller names.
 */
static List *
named_tables(ArrayType *array)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
	List	   *relids = NIL;

	deconstruct_array(array, REGCLASSOID, sizeof(Oid), true, TYPALIGN_INT, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"relations\" must not contain nulls")));
		relids = list_append_unique_oid(relids, DatumGetObjectId(values[i]));
	}
	return relids;
}

/*
 * The tables of a schema that have expansions, those of the top only.
 */
static List *
expanded_tables(const char *schema)
{
	Oid			types[] = {OIDOID};
	Datum		values[1];
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	List	   *relids = NIL;
	bool		isnull;
	const bool	missing_ok = false;
	const bool	read_only = false;

	values[0] = ObjectIdGetDatum(get_namespace_oid(schema, missing_ok));
	SPI_connect();
	if (SPI_execute_with_args("SELECT c.oid FROM pg_catalog.pg_class c"
							  " WHERE c.relnamespace OPERATOR(pg_catalog.=) $1"
							  " AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}')"
							  " AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i"
							  "  WHERE i.inhrelid OPERATOR(pg_catalog.=) c.oid)"
							  " AND EXISTS (SELECT FROM pg_catalog.pg_trigger t"
							  "  WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid"
							  "  AND t.tgname OPERATOR(pg_catalog.=) '" PGM_SYNC_TRIGGER "')"
							  " ORDER BY c.relname", lengthof(types), types, values, NULL,
							  read_only, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look for tables");
	old = MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < SPI_processed; i++)
		relids = lappend_oid(relids, DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i],
																	SPI_tuptable->tupdesc, 1,
																	&isnull)));
	MemoryContextSwitchTo(old);
	SPI_finish();
	return relids;
}

/*
 * Lock a table against changes of its columns, and throw unless the caller owns it
 * and a view can show it.
 */
static void
check_table(Oid relid)
{
	char		kind;

	LockRelationOid(relid, AccessShareLock);
	if (get_rel_name(relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	kind = get_rel_relkind(relid);
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("a version cannot show \"%s\"", get_rel_name(relid)),
				 errdetail("It is not a table or a partitioned table.")));
	if (!pgm_relation_is_owned(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
}

static bool
is_new_shape(FunctionCallInfo fcinfo, int n)
{
	const char *shape = pgm_args_text(fcinfo, n, "shape");

	if (strcmp(shape, "new") == 0)
		return true;
	if (strcmp(shape, "old") == 0)
		return false;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized shape \"%s\"", shape),
			 errhint("The shapes are \"new\" and \"old\".")));
	return false;				/* keep compiler quiet */
}

/*
 * migrate.expand_version(version name, relations regclass[], schema name,
 * shape text, show text[])
 */
Datum
pgmigrate_expand_version(PG_FUNCTION_ARGS)
{
	PgmVersion	version = {0};
	ListCell   *lc;

	pgm_args_check_count(fcinfo, 5);
	PreventCommandIfReadOnly("migrate.expand_version()");
	pgm_args_not_null(fcinfo, 0, "version");
	pgm_args_not_null(fcinfo, 2, "schema");
	version.name = NameStr(*PG_GETARG_NAME(0));
	version.is_new = is_new_shape(fcinfo, 3);
	version.show = PG_ARGISNULL(4) ? NIL : pgm_args_name_list(fcinfo, 4, "show");
	pgm_extension_require();
	version.relids = PG_ARGISNULL(1) ? expanded_tables(NameStr(*PG_GETARG_NAME(2))) :
		named_tables(PG_GETARG_ARRAYTYPE_P(1));
	if (version.relids == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no table for version \"%s\" to show", version.name),
				 PG_ARGISNULL(1) ?
				 errdetail("No table of schema \"%s\" has columns that are kept in step.",
						   NameStr(*PG_GETARG_NAME(2))) : 0));
	foreach(lc, version.relids)
		check_table(lfirst_oid(lc));
	pgm_version_create(&version);
	PG_RETURN_VOID();
}

/*
 * migrate.drop_version(version name)
 */
Datum
pgmigrate_drop_version(PG_FUNCTION_ARGS)
{
	const char *name;
	List	   *views;
	ListCell   *lc;

	pgm_args_check_count(fcinfo, 1);
	PreventCommandIfReadOnly("migrate.drop_version()");
	pgm_args_not_null(fcinfo, 0, "version");
	name = NameStr(*PG_GETARG_NAME(0));
	pgm_extension_require();
	if (!pgm_store_has_version(name))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version \"%s\" does not exist", name),
				 errhint("See migrate.version.")));
	views = pgm_version_views(name);
	foreach(lc, views)
	{
		if (!pgm_relation_is_owned(lfirst_oid(lc), GetUserId()))
			aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_VIEW, get_rel_name(lfirst_oid(lc)));
	}
	pgm_lock_trees(views, AccessExclusiveLock);
	pgm_version_drop(name, views);
	PG_RETURN_VOID();
}

/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  Rows that are not in step.
 *
 * A row is in step if its new side is what "up" makes of the old one, or its old
 * side what "down" makes of the new one; by image, since values that are equal
 * need not be the same.  It is asked as the owner of the table, whose code the
 * expressions run, and under the settings of the pair.
 *
 * IDENTIFICATION
 *	  src/sync/verify.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/guc.h"
#include "base/relation.h"
#include "sync/sync.h"

/*
 * A list of columns as one value: the column, or a row of them.
 */
static char *
as_one(List *columns)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, columns)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 quote_identifier((char *) lfirst(lc)));
	return list_length(columns) == 1 ? buf.data : psprintf("ROW(%s)", buf.data);
}

/*
 * What to call a row by: its primary key, or where it is.
 */
static char *
row_key(Relation rel)
{
	Oid			pkey;
	Relation	index;
	List	   *columns = NIL;

	(void) RelationGetIndexList(rel);
	pkey = rel->rd_pkindex;
	if (!OidIsValid(pkey))
		return "tableoid::pg_catalog.regclass::pg_catalog.text || ctid::pg_catalog.text";
	index = index_open(pkey, AccessShareLock);
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
		columns = lappend(columns, get_attname(RelationGetRelid(rel),
											   index->rd_index->indkey.values[i], false));
	index_close(index, AccessShareLock);
	return as_one(columns);
}

/* The condition that a column has not the value of an expression. */
static char *
differs(Oid relid, const char *column, const char *expr)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(relid, get_attnum(relid, column), &type, &typmod, &collation);
	return psprintf("ROW(%s)::pg_catalog.record OPERATOR(pg_catalog.*<>)"
					" ROW(CAST((%s) AS %s))::pg_catalog.record",
					quote_identifier(column), expr,
					format_type_extended(type, typmod,
										 FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
}

/*
 * The query for up to "limit" rows that are not in step.
 */
static char *
make_query(Relation rel, const PgmPair *pair, int limit)
{
	Oid			relid = RelationGetRelid(rel);
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT (%s)::pg_catalog.text, (%s)::pg_catalog.text,"
					 " (%s)::pg_catalog.text, (%s)::pg_catalog.text FROM %s WHERE (%s)",
					 row_key(rel), as_one(pair->source), quote_identifier(pair->target), pair->up,
					 pgm_relation_name(relid), differs(relid, pair->target, pair->up));
	if (pair->down != NULL)
		appendStringInfo(&buf, " AND (%s)", differs(relid, linitial(pair->source), pair->down));
	appendStringInfo(&buf, " LIMIT %d", limit);
	return buf.data;
}

static char *
copy_value(MemoryContext cxt, int row, int column)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);

	return value == NULL ? NULL : MemoryContextStrdup(cxt, value);
}

/*
 * Up to "limit" rows of a table that are not in step, as PgmDifference *.
 */
List *
pgm_sync_differences(const PgmPair *pair, Oid relid, int limit)
{
	Relation	rel = table_open(relid, AccessShareLock);
	char	   *query = make_query(rel, pair, limit);
	MemoryContext caller = CurrentMemoryContext;
	List	   *result = NIL;
	PgmSyncScope scope;
	const bool	new_level = true;
	const bool	read_only = false;

	pgm_sync_enter_owner(rel, new_level, &scope);
	pgm_guc_restore_meaning(pair->settings);
	pgm_guc_see_all_rows();
	SPI_connect();
	if (SPI_execute(query, read_only, 0) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of query: %s", query);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		PgmDifference *difference = MemoryContextAlloc(caller, sizeof(PgmDifference));
		MemoryContext old;

		difference->key = copy_value(caller, (int) i, 1);
		difference->old_value = copy_value(caller, (int) i, 2);
		difference->new_value = copy_value(caller, (int) i, 3);
		difference->up_value = copy_value(caller, (int) i, 4);
		old = MemoryContextSwitchTo(caller);
		result = lappend(result, difference);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	pgm_sync_leave_owner(&scope);
	table_close(rel, NoLock);
	return result;
}

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
 * All pages that are asked for are looked at with one snapshot.  With one for each
 * range of them, a row that is out of step could be moved by an UPDATE of other
 * columns, which leaves it so, from pages that are still to come to some that are
 * done, and nobody would see it.  What is found is handed on as it comes, so that
 * it does not matter how much it is.
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

/* So many rows are fetched at once. */
#define FETCH_ROWS	100

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
 * The query for rows that are not in step.
 */
static char *
make_query(Relation rel, const PgmPair *pair, const PgmVerification *wanted)
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
	if (wanted->from > 0)
		appendStringInfo(&buf, " AND ctid OPERATOR(pg_catalog.>=) '(%u,0)'::pg_catalog.tid",
						 wanted->from);
	if (BlockNumberIsValid(wanted->to))
		appendStringInfo(&buf, " AND ctid OPERATOR(pg_catalog.<) '(%u,0)'::pg_catalog.tid",
						 wanted->to);
	appendStringInfo(&buf, " LIMIT %d", wanted->limit);
	return buf.data;
}

static char *
value_of(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

/*
 * Hand on the rows that a query finds.
 */
static void
run_query(const char *query, const PgmVerification *wanted)
{
	SPIParseOpenOptions options = {
		.cursorOptions = CURSOR_OPT_NO_SCROLL | CURSOR_OPT_PARALLEL_OK
	};
	Portal		portal = SPI_cursor_parse_open(NULL, query, &options);

	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			PgmDifference difference = {
				.key = value_of(i, 1),
				.old_value = value_of(i, 2),
				.new_value = value_of(i, 3),
				.up_value = value_of(i, 4)
			};

			wanted->found(&difference, wanted->arg);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

/*
 * Look for rows of a table that are not in step.
 */
void
pgm_sync_verify(const PgmPair *pair, Oid relid, const PgmVerification *wanted)
{
	Relation	rel = table_open(relid, AccessShareLock);
	char	   *query = make_query(rel, pair, wanted);
	PgmSyncScope scope;
	const bool	new_level = true;

	pgm_sync_enter_owner(rel, new_level, &scope);
	pgm_guc_restore_meaning(pair->settings);
	pgm_guc_see_all_rows();
	SPI_connect();
	run_query(query, wanted);
	SPI_finish();
	pgm_sync_leave_owner(&scope);
	table_close(rel, NoLock);
}

/*-------------------------------------------------------------------------
 *
 * version.c
 *	  Rows of migrate.schema_version.
 *
 * IDENTIFICATION
 *	  src/store/version.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/args.h"
#include "base/query.h"
#include "base/rights.h"
#include "store/version.h"

/*
 * Add a version, made by the current user; "syncs" are texts, as int8in reads them.
 * One of that name is none any more: its schema was dropped plainly.
 */
void
pgm_store_insert_version(const char *name, const char *shape, List *relations, List *syncs)
{
	static PgmQuery query = {
		"INSERT INTO migrate.schema_version (name, shape, relations, syncs, created_by,"
		" created_by_oid, created_in, database)"
		" VALUES ($1, $2, $3, $4::int8[], $5, $6, $7, $8)"
		" ON CONFLICT (name) DO UPDATE SET shape = $2, relations = $3, syncs = $4::int8[],"
		" created_by = $5, created_by_oid = $6, created_in = $7, database = $8, created_at = now()",
		SPI_OK_INSERT, 8,
		{TEXTOID, TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTOID, OIDOID, INT8OID, OIDOID}
	};
	PgmAuthor	author = pgm_rights_current_author();
	Datum		values[8];

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(shape);
	values[2] = pgm_args_text_array(relations);
	values[3] = pgm_args_text_array(syncs);
	values[4] = CStringGetTextDatum(author.name);
	values[5] = ObjectIdGetDatum(author.oid);
	values[6] = Int64GetDatum(author.cluster);
	values[7] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * Is a schema a version?
 */
bool
pgm_store_has_version(const char *name)
{
	static PgmQuery query = {
		"SELECT 1 FROM migrate.schema_version WHERE name = $1"
		" AND EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)",
		SPI_OK_SELECT, 1, {TEXTOID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	bool		result;

	values[0] = CStringGetTextDatum(name);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	result = SPI_processed > 0;
	pgm_query_end(&scope);
	return result;
}

/*
 * The names of the views of a version: those that its tables had when it was made.
 */
List *
pgm_store_version_views(const char *name)
{
	static PgmQuery query = {
		"SELECT COALESCE(array_agg((parse_ident(r))[2]), '{}')"
		" FROM migrate.schema_version, unnest(relations) r WHERE name = $1",
		SPI_OK_SELECT, 1, {TEXTOID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	List	   *result;
	MemoryContext old;

	values[0] = CStringGetTextDatum(name);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	result = pgm_query_strings(0, 1);
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return result;
}

/*
 * A version does not have one of its views any more.
 */
void
pgm_store_remove_from_version(const char *name, const char *view)
{
	static PgmQuery query = {
		"UPDATE migrate.schema_version SET relations = ARRAY(SELECT r"
		" FROM unnest(relations) WITH ORDINALITY u (r, n)"
		" WHERE (parse_ident(r))[2] <> $2 ORDER BY n) WHERE name = $1",
		SPI_OK_UPDATE, 2, {TEXTOID, TEXTOID}
	};
	Datum		values[2];

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(view);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * Forget a version.
 */
void
pgm_store_delete_version(const char *name)
{
	static PgmQuery query = {
		"DELETE FROM migrate.schema_version WHERE name = $1",
		SPI_OK_DELETE, 1, {TEXTOID}
	};
	Datum		values[1];

	values[0] = CStringGetTextDatum(name);
	pgm_query_run_alone(&query, values, NULL);
}

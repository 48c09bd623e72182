/*-------------------------------------------------------------------------
 *
 * table_pair.c
 *	  Rows of migrate.table_pair.
 *
 * IDENTIFICATION
 *	  src/store/table_pair.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/args.h"
#include "base/query.h"
#include "base/rights.h"
#include "store/sync.h"
#include "store/table_pair.h"

/* Forget the pairs whose old table was dropped. */
static void
forget_gone(void)
{
	static PgmQuery query = {
		"DELETE FROM migrate.table_pair WHERE ctid = ANY (ARRAY("
		" SELECT p.ctid FROM migrate.table_pair p WHERE p.created_in = $1 AND p.database = $2"
		" AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.relid)"
		" AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgname = 'zzz_pgmigrate_carry'"
		"  AND split_part(encode(t.tgargs, 'escape'), E'\\\\', 1) = p.id::text)"
		" FOR UPDATE SKIP LOCKED))",
		SPI_OK_DELETE, 2, {INT8OID, OIDOID}
	};

	pgm_store_forget_gone(&query);
}

/*
 * Add a pair, made here by the current user; sets its id.
 */
void
pgm_store_insert_table_pair(PgmTablePair *pair)
{
	static PgmQuery query = {
		"INSERT INTO migrate.table_pair (relid, relation, new_relid, new_relation, old_columns,"
		" key, new_key, columns, expressions, settings, created_by, created_by_oid, created_in,"
		" database)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id",
		SPI_OK_INSERT_RETURNING, 14,
		{OIDOID, TEXTOID, OIDOID, TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID, TEXTOID, OIDOID, INT8OID, OIDOID}
	};
	PgmAuthor	author = pgm_rights_current_author();
	PgmQueryScope scope;
	Datum		values[14];

	values[0] = ObjectIdGetDatum(pair->relid);
	values[1] = CStringGetTextDatum(pair->relation);
	values[2] = ObjectIdGetDatum(pair->new_relid);
	values[3] = CStringGetTextDatum(pair->new_relation);
	values[4] = pgm_args_text_array(pair->old_columns);
	values[5] = pgm_args_text_array(pair->key);
	values[6] = pgm_args_text_array(pair->new_key);
	values[7] = pgm_args_text_array(pair->columns);
	values[8] = pgm_args_text_array(pair->expressions);
	values[9] = pgm_args_text_array(pair->settings);
	values[10] = CStringGetTextDatum(author.name);
	values[11] = ObjectIdGetDatum(author.oid);
	values[12] = Int64GetDatum(author.cluster);
	values[13] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_begin(&scope);
	forget_gone();
	pgm_query_run(&query, values, NULL);
	pair->id = pgm_query_int64(0, 1, 0);
	pair->here = true;
	pgm_query_end(&scope);
}

/*
 * The pair with this number as it is now, whatever the transaction's snapshot, or
 * NULL.
 */
PgmTablePair *
pgm_store_fetch_table_pair(int64 id)
{
	static PgmQuery query = {
		"SELECT created_in = $2 AND database = $3, relid, relation, new_relid, new_relation,"
		" old_columns, key, new_key, columns, expressions, settings, job_id"
		" FROM migrate.table_pair WHERE id = $1",
		SPI_OK_SELECT, 3, {INT8OID, INT8OID, OIDOID}
	};
	PgmQueryScope scope;
	Datum		values[3];
	PgmTablePair *pair = NULL;
	MemoryContext old;

	values[0] = Int64GetDatum(id);
	values[1] = Int64GetDatum((int64) GetSystemIdentifier());
	values[2] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	if (SPI_processed > 0)
	{
		pair = palloc0(sizeof(PgmTablePair));
		pair->id = id;
		pair->here = pgm_query_bool(0, 1);
		pair->relid = pgm_query_oid(0, 2);
		pair->relation = pgm_query_text(0, 3);
		pair->new_relid = pgm_query_oid(0, 4);
		pair->new_relation = pgm_query_text(0, 5);
		pair->old_columns = pgm_query_strings(0, 6);
		pair->key = pgm_query_strings(0, 7);
		pair->new_key = pgm_query_strings(0, 8);
		pair->columns = pgm_query_strings(0, 9);
		pair->expressions = pgm_query_strings(0, 10);
		pair->settings = pgm_query_strings(0, 11);
		pair->job = pgm_query_int64(0, 12, 0);
	}
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return pair;
}

/*
 * The number of the pair that a table belongs to, as the old or the new one; 0 if
 * there is none.
 */
int64
pgm_store_find_table_pair(Oid relid)
{
	static PgmQuery query = {
		"SELECT max(id) FROM migrate.table_pair"
		" WHERE $1 IN (relid, new_relid) AND created_in = $2 AND database = $3",
		SPI_OK_SELECT, 3, {OIDOID, INT8OID, OIDOID}
	};
	PgmQueryScope scope;
	Datum		values[3];
	int64		number;

	values[0] = ObjectIdGetDatum(relid);
	values[1] = Int64GetDatum((int64) GetSystemIdentifier());
	values[2] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	number = pgm_query_int64(0, 1, 0);
	pgm_query_end(&scope);
	return number;
}

/*
 * Note which backfill copies the rows of a pair.
 */
void
pgm_store_set_table_pair_job(int64 id, int64 job)
{
	static PgmQuery query = {
		"UPDATE migrate.table_pair SET job_id = $2 WHERE id = $1",
		SPI_OK_UPDATE, 2, {INT8OID, INT8OID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(id);
	values[1] = Int64GetDatum(job);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * Forget a pair.
 */
void
pgm_store_delete_table_pair(int64 id)
{
	static PgmQuery query = {
		"DELETE FROM migrate.table_pair WHERE id = $1",
		SPI_OK_DELETE, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];

	values[0] = Int64GetDatum(id);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	forget_gone();
	pgm_query_end(&scope);
}

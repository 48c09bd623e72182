/*-------------------------------------------------------------------------
 *
 * sync.c
 *	  Rows of migrate.sync_pair.
 *
 * IDENTIFICATION
 *	  src/store/sync.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/args.h"
#include "base/query.h"
#include "base/rights.h"
#include "store/sync.h"

/* The pair is the first of its table: the others will have its number. */
static void
set_own_number(PgmPair *pair)
{
	static PgmQuery query = {
		"UPDATE migrate.sync_pair SET sync = id WHERE id = $1",
		SPI_OK_UPDATE, 1, {INT8OID}
	};
	Datum		values[1];

	values[0] = Int64GetDatum(pair->id);
	pgm_query_run(&query, values, NULL);
	pair->sync = pair->id;
}

/*
 * Run a query that deletes the pairs of tables that were dropped; $1 and $2 are the
 * cluster and the database in which they must have been made: what a restore has
 * brought may be older than its tables and triggers.  It has to leave a pair to
 * another session that is about to delete it, and is not run with an old snapshot,
 * with which that would fail.
 */
void
pgm_store_forget_gone(PgmQuery *query)
{
	Datum		values[2];

	if (IsolationUsesXactSnapshot())
		return;
	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_run(query, values, NULL);
}

static void
forget_gone(void)
{
	static PgmQuery query = {
		"WITH gone AS (DELETE FROM migrate.sync_pair WHERE ctid = ANY (ARRAY("
		"  SELECT p.ctid FROM migrate.sync_pair p WHERE p.created_in = $1 AND p.database = $2"
		"  AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.relid)"
		"  AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgname = 'zzz_pgmigrate_sync'"
		"   AND split_part(encode(t.tgargs, 'escape'), E'\\\\', 1) = p.sync::text)"
		"  FOR UPDATE SKIP LOCKED)) RETURNING id)"
		" DELETE FROM migrate.sync_use WHERE pair_id IN (SELECT id FROM gone)",
		SPI_OK_DELETE, 2, {INT8OID, OIDOID}
	};

	pgm_store_forget_gone(&query);
}

/*
 * Add a pair, made by the current user; sets its id, and "sync" if that is 0.
 */
void
pgm_store_insert_pair(PgmPair *pair)
{
	static PgmQuery query = {
		"INSERT INTO migrate.sync_pair (sync, relid, relation, source, target, up, down, settings,"
		" created_by, created_by_oid, created_in, database)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id",
		SPI_OK_INSERT_RETURNING, 12,
		{INT8OID, OIDOID, TEXTOID, TEXTARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID, TEXTOID,
		OIDOID, INT8OID, OIDOID}
	};
	PgmAuthor	author = pgm_rights_current_author();
	PgmQueryScope scope;
	Datum		values[12];
	char		nulls[13] = "            ";

	values[0] = Int64GetDatum(pair->sync);
	values[1] = ObjectIdGetDatum(pair->relid);
	values[2] = CStringGetTextDatum(pair->relation);
	values[3] = pgm_args_text_array(pair->source);
	values[4] = CStringGetTextDatum(pair->target);
	values[5] = CStringGetTextDatum(pair->up);
	pgm_query_set_text(values, nulls, 6, pair->down);
	values[7] = pgm_args_text_array(pair->settings);
	values[8] = CStringGetTextDatum(author.name);
	values[9] = ObjectIdGetDatum(author.oid);
	values[10] = Int64GetDatum(author.cluster);
	values[11] = ObjectIdGetDatum(MyDatabaseId);
	pgm_query_begin(&scope);
	forget_gone();
	pgm_query_run(&query, values, nulls);
	pair->id = pgm_query_int64(0, 1, 0);
	if (pair->sync == 0)
		set_own_number(pair);
	pgm_query_end(&scope);
}

/*
 * All pairs with this number, as PgmPair *, in the order in which they were made.
 * They are read as they are now: a transaction with an old snapshot has to keep
 * columns in step that have become pairs since.
 */
List *
pgm_store_fetch_pairs(int64 sync)
{
	static PgmQuery query = {
		"SELECT id, relid, relation, source, target, up, down, settings, job_id,"
		" becomes FROM migrate.sync_pair"
		" WHERE sync = $1 ORDER BY id",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	List	   *pairs = NIL;
	MemoryContext old;

	values[0] = Int64GetDatum(sync);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		PgmPair    *pair = palloc0(sizeof(PgmPair));

		pair->id = pgm_query_int64(i, 1, 0);
		pair->sync = sync;
		pair->relid = pgm_query_oid(i, 2);
		pair->relation = pgm_query_text(i, 3);
		pair->source = pgm_query_strings(i, 4);
		pair->target = pgm_query_text(i, 5);
		pair->up = pgm_query_text(i, 6);
		pair->down = pgm_query_text(i, 7);
		pair->settings = pgm_query_strings(i, 8);
		pair->job = pgm_query_int64(i, 9, 0);
		pair->becomes = pgm_query_text(i, 10);
		pairs = lappend(pairs, pair);
	}
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return pairs;
}

/*
 * The number of the pairs of a table, by its OID; 0 if there are none.  For one
 * that has lost its trigger.
 */
int64
pgm_store_find_sync(Oid relid)
{
	static PgmQuery query = {
		"SELECT max(sync) FROM migrate.sync_pair"
		" WHERE relid = $1 AND created_in = $2 AND database = $3",
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
 * Note which backfill fills the new side of a pair, and what that is called in
 * views of the new shape, if not by its own name.
 */
void
pgm_store_set_expansion(int64 id, int64 job, const char *becomes)
{
	static PgmQuery query = {
		"UPDATE migrate.sync_pair SET job_id = $2, becomes = $3 WHERE id = $1",
		SPI_OK_UPDATE, 3, {INT8OID, INT8OID, TEXTOID}
	};
	Datum		values[3];
	char		nulls[4] = "   ";

	values[0] = Int64GetDatum(id);
	values[1] = Int64GetDatum(job);
	pgm_query_set_text(values, nulls, 2, becomes);
	pgm_query_run_alone(&query, values, nulls);
}

/* Let go of what is older than a day; the newest stays in any case. */
static void
prune_use(Datum *values)
{
	static PgmQuery query = {
		"DELETE FROM migrate.sync_use WHERE ctid = ANY (ARRAY(SELECT ctid FROM migrate.sync_use"
		" WHERE pair_id = $1 AND side = $2 AND at < clock_timestamp() - interval '1 day'"
		" LIMIT 100 FOR UPDATE SKIP LOCKED))",
		SPI_OK_DELETE, 3, {INT8OID, TEXTOID, BOOLOID}
	};

	pgm_query_run(&query, values, NULL);
}

/*
 * Note that a side of a pair is written by this session, unless that was noted
 * within a minute.  This is done in somebody's transaction, which must not wait or
 * fail for it: rows are added only, in SERIALIZABLE without looking at those of
 * others, and old ones deleted in READ COMMITTED only.
 */
void
pgm_store_note_use(int64 pair, bool new_side)
{
	static PgmQuery query = {
		"INSERT INTO migrate.sync_use (pair_id, side, at, username, application_name)"
		" SELECT $1, $2, statement_timestamp(), session_user, current_setting('application_name')"
		" WHERE $3 OR NOT EXISTS (SELECT FROM migrate.sync_use"
		"  WHERE pair_id = $1 AND side = $2 AND at > statement_timestamp() - interval '1 min'"
		"  AND username = session_user AND application_name = current_setting('application_name'))",
		SPI_OK_INSERT, 3, {INT8OID, TEXTOID, BOOLOID}
	};
	PgmQueryScope scope;
	Datum		values[3];

	values[0] = Int64GetDatum(pair);
	values[1] = CStringGetTextDatum(new_side ? "new" : "old");
	values[2] = BoolGetDatum(IsolationIsSerializable());
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	if (SPI_processed > 0 && !IsolationUsesXactSnapshot())
		prune_use(values);
	pgm_query_end(&scope);
}

/*
 * Who wrote the old side of a pair within so many seconds, last of all, in words;
 * NULL if nobody did.
 */
char *
pgm_store_recent_use(int64 pair, int seconds)
{
	static PgmQuery query = {
		"SELECT format('by user \"%s\"%s at %s', username,"
		"  CASE WHEN application_name <> '' THEN format(' of application \"%s\"', application_name)"
		"  ELSE '' END, date_trunc('second', at))"
		" FROM migrate.sync_use WHERE pair_id = $1 AND side = 'old'"
		" AND at > clock_timestamp() - $2 * interval '1 s' ORDER BY at DESC LIMIT 1",
		SPI_OK_SELECT, 2, {INT8OID, INT4OID}
	};
	PgmQueryScope scope;
	Datum		values[2];
	char	   *text = NULL;

	values[0] = Int64GetDatum(pair);
	values[1] = Int32GetDatum(seconds);
	pgm_query_begin(&scope);
	pgm_query_run_latest(&query, values, NULL);
	if (SPI_processed > 0)
		text = MemoryContextStrdup(scope.caller, pgm_query_text(0, 1));

	pgm_query_end(&scope);
	return text;
}

/*
 * Forget a pair and who wrote it.
 */
void
pgm_store_delete_pair(int64 id)
{
	static PgmQuery query = {
		"DELETE FROM migrate.sync_pair WHERE id = $1",
		SPI_OK_DELETE, 1, {INT8OID}
	};
	static PgmQuery use = {
		"DELETE FROM migrate.sync_use WHERE pair_id = $1",
		SPI_OK_DELETE, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];

	values[0] = Int64GetDatum(id);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	pgm_query_run(&use, values, NULL);
	forget_gone();
	pgm_query_end(&scope);
}

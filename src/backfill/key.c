/*-------------------------------------------------------------------------
 *
 * key.c
 *	  Going through a table by ranges of its key.
 *
 * A range is found by asking the index for the key that comes so many rows after
 * the last one, never by arithmetic on values, so gaps cost nothing and any type
 * with an order will do.  Keys are kept as text, written and read by the types'
 * own functions under settings that lose nothing.
 *
 * The first pass goes through the ranges.  A second one, where there is one, tries
 * rows again that were put aside, one by one.
 *
 * IDENTIFICATION
 *	  src/backfill/key.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/relation.h"
#include "backfill/key.h"

/*
 * From here to AtEOXact_GUC(), values keep all they have when they become text.
 */
static int
begin_exact_text(void)
{
	int			guc_level = NewGUCNestLevel();

	(void) set_config_option("DateStyle", "ISO, YMD", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("IntervalStyle", "postgres", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("extra_float_digits", "1", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("bytea_output", "hex", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return guc_level;
}

/*
 * Append the values of a key, which has as many columns as the job's.
 */
static int
put_key(Oid leaf, List *columns, List *key, Datum *values, int n)
{
	ListCell   *lc;
	ListCell   *column;

	forboth(lc, key, column, columns)
	{
		Oid			type = get_atttype(leaf, get_attnum(leaf, (char *) lfirst(column)));
		Oid			input;
		Oid			ioparam;

		getTypeInputInfo(type, &input, &ioparam);
		values[n++] = OidInputFunctionCall(input, (char *) lfirst(lc), ioparam, -1);
	}
	return n;
}

/* The values of a range, for a statement of statement.c; returns how many. */
static int
put_range(PgmLane *lane, List *from, List *to, Datum *values)
{
	int			guc_level = begin_exact_text();
	int			n = put_key(lane->leaf_relid, lane->job->key_columns, from, values, 0);

	n = put_key(lane->leaf_relid, lane->job->key_columns, to, values, n);
	AtEOXact_GUC(true, guc_level);
	return n;
}

/* The key in a row of SPI's last result, in the current context. */
static List *
read_key(int row, int columns)
{
	int			guc_level = begin_exact_text();
	List	   *key = NIL;

	for (int i = 1; i <= columns; i++)
		key = lappend(key, SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, i));
	AtEOXact_GUC(true, guc_level);
	return key;
}

/*
 * The highest key of a table, NIL if it is empty, of all rows that are committed: the
 * transaction's snapshot may be older than the lock that keeps a table from being
 * written by who does not know of the job.  Lives in the current context.
 */
List *
pgm_key_last(Oid leaf, List *columns)
{
	MemoryContext caller = CurrentMemoryContext;
	StringInfoData sql;
	const char *separator = "";
	PgmStatement *statement;
	List	   *key = NIL;
	ListCell   *lc;
	const bool	read_only = true;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	foreach(lc, columns)
		appendStringInfo(&sql, "%s%s", lc == list_head(columns) ? "" : ", ",
						 quote_identifier((char *) lfirst(lc)));
	appendStringInfo(&sql, " FROM ONLY %s ORDER BY ", pgm_relation_name(leaf));
	foreach(lc, columns)
	{
		appendStringInfo(&sql, "%s%s DESC", separator, quote_identifier((char *) lfirst(lc)));
		separator = ", ";
	}
	appendStringInfoString(&sql, " LIMIT 1");

	SPI_connect();
	statement = pgm_statement_make(sql.data, 0, NULL, false);
	PushActiveSnapshot(GetLatestSnapshot());
	if (pgm_statement_run(statement, NULL, read_only, NULL) > 0)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);

		key = read_key(0, list_length(columns));
		MemoryContextSwitchTo(old);
	}
	PopActiveSnapshot();
	pgm_statement_free(statement);
	SPI_finish();
	return key;
}

/*
 * The key that comes n rows after another one, which is NIL at the start, or
 * NIL if the range ends before.  Lives in the current context.
 */
List *
pgm_key_nth(PgmLane *lane, List *from, List *to, int64 n)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[2 * INDEX_MAX_KEYS + 1];
	int			nargs = put_range(lane, from, to, values);
	List	   *key = NIL;
	const bool	read_only = true;

	values[nargs] = Int64GetDatum(n - 1);
	SPI_connect();
	if (pgm_statement_run(lane->nth[from == NIL], values, read_only, NULL) > 0)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);

		key = read_key(0, list_length(lane->job->key_columns));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return key;
}

/*
 * Change the rows of a range.  Called with SPI connected.
 */
int
pgm_key_run_range(PgmLane *lane, List *from, List *to)
{
	Datum		values[2 * INDEX_MAX_KEYS];
	const bool	read_only = false;

	(void) put_range(lane, from, to, values);
	return (int) pgm_statement_run(lane->range[from == NIL], values, read_only, NULL);
}

/*
 * Change the row with a key.  Called with SPI connected.
 */
int
pgm_key_run_one(PgmLane *lane, List *key)
{
	Datum		values[INDEX_MAX_KEYS];
	const bool	read_only = false;
	int			guc_level = begin_exact_text();

	(void) put_key(lane->leaf_relid, lane->job->key_columns, key, values, 0);
	AtEOXact_GUC(true, guc_level);
	return (int) pgm_statement_run(lane->one, values, read_only, NULL);
}

/*
 * All keys of a range in order.  Called with SPI connected; lives in its context.
 */
List *
pgm_key_list(PgmLane *lane, List *from, List *to)
{
	Datum		values[2 * INDEX_MAX_KEYS];
	List	   *keys = NIL;
	uint64		count;
	const bool	read_only = true;

	(void) put_range(lane, from, to, values);
	count = pgm_statement_run(lane->keys[from == NIL], values, read_only, NULL);
	for (uint64 i = 0; i < count; i++)
		keys = lappend(keys, read_key(i, list_length(lane->job->key_columns)));
	return keys;
}

/*
 * Where the row of a key is; false if it is gone.  Called with SPI connected.
 */
bool
pgm_key_find_place(PgmLane *lane, List *key, ItemPointer place)
{
	Datum		values[INDEX_MAX_KEYS];
	Oid			types[INDEX_MAX_KEYS];
	StringInfoData sql;
	int			n = 0;
	int			guc_level = begin_exact_text();
	ListCell   *lc;
	bool		isnull;
	const bool	read_only = true;

	(void) put_key(lane->leaf_relid, lane->job->key_columns, key, values, 0);
	AtEOXact_GUC(true, guc_level);
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT r.ctid FROM ONLY %s r WHERE true",
					 pgm_relation_name(lane->leaf_relid));
	foreach(lc, lane->job->key_columns)
	{
		char	   *name = (char *) lfirst(lc);

		types[n++] = get_atttype(lane->leaf_relid, get_attnum(lane->leaf_relid, name));
		appendStringInfo(&sql, " AND r.%s = $%d", quote_identifier(name), n);
	}
	if (SPI_execute_with_args(sql.data, n, types, values, NULL, read_only, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look up a row by its key");
	if (SPI_processed == 0)
		return false;
	*place = *(ItemPointer) DatumGetPointer(SPI_getbinval(SPI_tuptable->vals[0],
														  SPI_tuptable->tupdesc, 1, &isnull));
	return true;
}

/*
 * What to call the row at a place: returns its xmin and sets its key as JSON, or
 * NULL.  Called with SPI connected.
 */
TransactionId
pgm_key_describe(PgmLane *lane, ItemPointer place, char **key)
{
	Datum		values[1];
	bool		isnull;
	const bool	read_only = true;

	*key = NULL;
	values[0] = PointerGetDatum(place);
	if (pgm_statement_run(lane->describe, values, read_only, NULL) == 0)
		return InvalidTransactionId;
	*key = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	return DatumGetTransactionId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
											   1, &isnull));
}

/*
 * A batch of rows that were put aside and are to be tried again.  Returns whether
 * there may be more.
 */
static bool
try_again(PgmLane *lane)
{
	int			rows = pgm_pace_rows(&lane->pace);
	List	   *keys = pgm_store_take_retries(lane->job_id, lane->leaf_relid, rows);
	ListCell   *lc;

	SPI_connect();
	foreach(lc, keys)
		lane->batch.changed += pgm_change_key(lane, (List *) lfirst(lc));
	SPI_finish();
	lane->batch.chosen = lane->batch.changed;
	return list_length(keys) == rows;
}

/*
 * One batch of a piece that is a range of keys.  Returns false when the piece is
 * done.
 */
bool
pgm_key_batch(PgmLane *lane, Relation rel)
{
	PgmLaneRow *row = &lane->row;
	int			rows = pgm_pace_rows(&lane->pace);
	int			done = 0;
	bool		last = false;

	if (row->pass > 1)
		return try_again(lane);
	while (done < rows && !last)
	{
		int			want = Min(rows - done, PGM_SLICE_ROWS);
		List	   *to = pgm_key_nth(lane, row->from_key, row->to_key, want);

		last = to == NIL;
		if (last)
			to = row->to_key;
		SPI_connect();
		lane->batch.changed += pgm_change_range(lane, row->from_key, to);
		SPI_finish();
		row->from_key = to;
		done += want;
		if (pgm_change_is_waited_for())
			break;
	}
	lane->batch.chosen = lane->batch.changed;
	row->piece_done = Min(1.0, row->piece_done + (double) done / Max(row->piece_units, 1));
	return !last;
}

/*-------------------------------------------------------------------------
 *
 * lane.c
 *	  Rows of migrate.backfill_leaf and migrate.backfill_lane in and out.
 *
 * A lane's row is written by whoever works on the lane: a worker that holds the
 * lane's session lock, or, for lane 0, a session that has locked the row.  So it
 * can be written back whole, from memory.  Leaves are shared: what is decided
 * about them is decided with all rows of the job's leaves locked.
 *
 * IDENTIFICATION
 *	  src/store/lane.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/args.h"
#include "base/query.h"
#include "store/backfill.h"

static void
set_key(Datum *values, char *nulls, int i, List *key)
{
	nulls[i] = key == NIL ? 'n' : ' ';
	values[i] = key == NIL ? (Datum) 0 : pgm_args_text_array(key);
}

/*
 * Add a leaf to a job.
 */
void
pgm_store_insert_leaf(int64 job, const PgmLeaf *leaf)
{
	static PgmQuery query = {
		"INSERT INTO migrate.backfill_leaf (job_id, leaf, relid, relation, rows_estimate, pass,"
		" blocks, last_key, done) VALUES ($1, $2, $3, $4, $5, $9, $6, $7, $8)",
		SPI_OK_INSERT, 9, {INT8OID, INT4OID, OIDOID, TEXTOID, INT8OID, INT8OID, TEXTARRAYOID, BOOLOID, INT4OID}
	};
	Datum		values[9];
	char		nulls[10] = "         ";

	values[0] = Int64GetDatum(job);
	values[1] = Int32GetDatum(leaf->leaf);
	values[2] = ObjectIdGetDatum(leaf->relid);
	values[3] = CStringGetTextDatum(leaf->relation);
	values[4] = Int64GetDatum(leaf->rows_estimate);
	values[5] = Int64GetDatum(leaf->blocks);
	set_key(values, nulls, 6, leaf->last_key);
	values[7] = BoolGetDatum(leaf->done);
	values[8] = Int32GetDatum(leaf->pass);
	pgm_query_run_alone(&query, values, nulls);
}

static PgmLeaf *
read_leaf(int row)
{
	PgmLeaf    *leaf = palloc0(sizeof(PgmLeaf));

	leaf->leaf = pgm_query_int(row, 1, 0);
	leaf->relid = pgm_query_oid(row, 2);
	leaf->relation = pgm_query_text(row, 3);
	leaf->rows_estimate = pgm_query_int64(row, 4, 0);
	leaf->pass = pgm_query_int(row, 5, 0);
	leaf->pass_rows = pgm_query_int64(row, 6, 0);
	leaf->blocks = (BlockNumber) pgm_query_int64(row, 7, 0);
	leaf->next_block = (BlockNumber) pgm_query_int64(row, 8, 0);
	leaf->next_key = pgm_query_strings(row, 9);
	leaf->last_key = pgm_query_strings(row, 10);
	leaf->done = pgm_query_bool(row, 11);
	return leaf;
}

#define LEAF_COLUMNS \
	"l.leaf, l.relid, l.relation, l.rows_estimate, l.pass, l.pass_rows, l.blocks," \
	" l.next_block, l.next_key, l.last_key, l.done"

/*
 * The leaves of a job in order, as PgmLeaf *.  With for_update they stay locked
 * to the end of the transaction.
 */
List *
pgm_store_fetch_leaves(int64 job, bool for_update)
{
	static PgmQuery look = {
		"SELECT " LEAF_COLUMNS " FROM migrate.backfill_leaf l WHERE l.job_id = $1 ORDER BY l.leaf",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	static PgmQuery lock = {
		"SELECT " LEAF_COLUMNS " FROM migrate.backfill_leaf l WHERE l.job_id = $1 ORDER BY l.leaf"
		" FOR NO KEY UPDATE",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];
	List	   *leaves = NIL;
	MemoryContext old;

	values[0] = Int64GetDatum(job);
	pgm_query_begin(&scope);
	if (for_update)
		pgm_query_run(&lock, values, NULL);
	else
		pgm_query_run_latest(&look, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	for (uint64 i = 0; i < SPI_processed; i++)
		leaves = lappend(leaves, read_leaf(i));
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return leaves;
}

/*
 * Write a leaf back that was fetched for update.  "units" have been finished in
 * it since.
 */
void
pgm_store_save_leaf(int64 job, const PgmLeaf *leaf, int64 units)
{
	static PgmQuery query = {
		"UPDATE migrate.backfill_leaf SET pass = $3, pass_rows = $4, blocks = $5,"
		" next_block = $6, next_key = $7, done = $8, units_done = units_done + $9"
		" WHERE job_id = $1 AND leaf = $2",
		SPI_OK_UPDATE, 9, {INT8OID, INT4OID, INT4OID, INT8OID, INT8OID, INT8OID, TEXTARRAYOID,
		BOOLOID, INT8OID}
	};
	Datum		values[9];
	char		nulls[10] = "         ";

	values[0] = Int64GetDatum(job);
	values[1] = Int32GetDatum(leaf->leaf);
	values[2] = Int32GetDatum(leaf->pass);
	values[3] = Int64GetDatum(leaf->pass_rows);
	values[4] = Int64GetDatum(leaf->blocks);
	values[5] = Int64GetDatum(leaf->next_block);
	set_key(values, nulls, 6, leaf->next_key);
	values[7] = BoolGetDatum(leaf->done);
	values[8] = Int64GetDatum(units);
	pgm_query_run_alone(&query, values, nulls);
}

/*
 * Record where a leaf is now.
 */
void
pgm_store_move_leaf(int64 job, const PgmLeaf *leaf)
{
	static PgmQuery bad_rows = {
		"UPDATE migrate.backfill_bad_row b SET relid = $3 FROM migrate.backfill_leaf l"
		" WHERE l.job_id = $1 AND l.leaf = $2 AND b.job_id = $1 AND b.relid = l.relid",
		SPI_OK_UPDATE, 3, {INT8OID, INT4OID, OIDOID}
	};
	static PgmQuery query = {
		"UPDATE migrate.backfill_leaf SET relid = $3 WHERE job_id = $1 AND leaf = $2",
		SPI_OK_UPDATE, 3, {INT8OID, INT4OID, OIDOID}
	};
	PgmQueryScope scope;
	Datum		values[3];

	values[0] = Int64GetDatum(job);
	values[1] = Int32GetDatum(leaf->leaf);
	values[2] = ObjectIdGetDatum(leaf->relid);
	pgm_query_begin(&scope);
	pgm_query_run(&bad_rows, values, NULL);
	pgm_query_run(&query, values, NULL);
	pgm_query_end(&scope);
}

/*
 * Record that a leaf begins from the start, and take the pieces that lanes have
 * of it.
 */
void
pgm_store_restart_leaf(int64 job, const PgmLeaf *leaf)
{
	static PgmQuery restart = {
		"UPDATE migrate.backfill_leaf SET relid = $3, pass = $4, pass_rows = 0, blocks = $5,"
		" next_block = 0, units_done = 0, done = $6 WHERE job_id = $1 AND leaf = $2",
		SPI_OK_UPDATE, 6, {INT8OID, INT4OID, OIDOID, INT4OID, INT8OID, BOOLOID}
	};
	static PgmQuery drop = {
		"UPDATE migrate.backfill_lane SET leaf = NULL, piece_units = 0, piece_done = 0,"
		" piece_rows = 0 WHERE job_id = $1 AND leaf = $2",
		SPI_OK_UPDATE, 2, {INT8OID, INT4OID}
	};
	PgmQueryScope scope;
	Datum		values[6];

	values[0] = Int64GetDatum(job);
	values[1] = Int32GetDatum(leaf->leaf);
	values[2] = ObjectIdGetDatum(leaf->relid);
	values[3] = Int32GetDatum(leaf->pass);
	values[4] = Int64GetDatum(leaf->blocks);
	values[5] = BoolGetDatum(leaf->done);
	pgm_query_begin(&scope);
	pgm_query_run(&restart, values, NULL);
	pgm_query_run(&drop, values, NULL);
	pgm_query_end(&scope);
}

/*
 * Does any lane have a piece of a leaf?  Decided with the leaves locked, without
 * which nobody claims or finishes one.
 */
bool
pgm_store_pieces_open(int64 job, int leaf)
{
	static PgmQuery query = {
		"SELECT 1 FROM migrate.backfill_lane n WHERE n.job_id = $1 AND n.leaf = $2 LIMIT 1",
		SPI_OK_SELECT, 2, {INT8OID, INT4OID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(job);
	values[1] = Int32GetDatum(leaf);
	return pgm_query_finds(&query, values);
}

#define LANE_COLUMNS \
	"n.lane, n.leaf, n.pass, n.from_block, n.to_block, n.from_key, n.to_key, n.piece_units," \
	" n.piece_done, n.piece_rows, n.batch_rows, n.batches, n.rows, n.hot_rows, n.bad_rows," \
	" n.retries, n.pages, n.wal_bytes, n.wal_fpi, n.busy_ms, n.lock_wait_ms, n.throttle_ms," \
	" n.crashes"

enum
{
	COL_LANE = 1, COL_LEAF, COL_PASS, COL_FROM_BLOCK, COL_TO_BLOCK, COL_FROM_KEY, COL_TO_KEY,
	COL_PIECE_UNITS, COL_PIECE_DONE, COL_PIECE_ROWS, COL_BATCH_ROWS, COL_BATCHES, COL_ROWS,
	COL_HOT_ROWS, COL_BAD_ROWS, COL_RETRIES, COL_PAGES, COL_WAL_BYTES, COL_WAL_FPI,
	COL_BUSY_MS, COL_LOCK_WAIT_MS, COL_THROTTLE_MS, COL_CRASHES
};

static void
read_lane(int row, PgmLaneRow *lane)
{
	PgmCounters *c = &lane->counters;

	lane->lane = pgm_query_int(row, COL_LANE, 0);
	lane->leaf = pgm_query_int(row, COL_LEAF, 0);
	lane->pass = pgm_query_int(row, COL_PASS, 0);
	lane->from_block = (BlockNumber) pgm_query_int64(row, COL_FROM_BLOCK, 0);
	lane->to_block = (BlockNumber) pgm_query_int64(row, COL_TO_BLOCK, 0);
	lane->from_key = pgm_query_strings(row, COL_FROM_KEY);
	lane->to_key = pgm_query_strings(row, COL_TO_KEY);
	lane->piece_units = pgm_query_int64(row, COL_PIECE_UNITS, 0);
	lane->piece_done = pgm_query_float(row, COL_PIECE_DONE, 0);
	lane->piece_rows = pgm_query_int64(row, COL_PIECE_ROWS, 0);
	lane->batch_rows = pgm_query_int(row, COL_BATCH_ROWS, 0);
	lane->crashes = pgm_query_int(row, COL_CRASHES, 0);
	c->batches = pgm_query_int64(row, COL_BATCHES, 0);
	c->rows = pgm_query_int64(row, COL_ROWS, 0);
	c->hot_rows = pgm_query_int64(row, COL_HOT_ROWS, 0);
	c->bad_rows = pgm_query_int64(row, COL_BAD_ROWS, 0);
	c->retries = pgm_query_int64(row, COL_RETRIES, 0);
	c->pages = pgm_query_int64(row, COL_PAGES, 0);
	c->wal_bytes = pgm_query_int64(row, COL_WAL_BYTES, 0);
	c->wal_fpi = pgm_query_int64(row, COL_WAL_FPI, 0);
	c->busy_ms = pgm_query_float(row, COL_BUSY_MS, 0);
	c->lock_wait_ms = pgm_query_float(row, COL_LOCK_WAIT_MS, 0);
	c->throttle_ms = pgm_query_float(row, COL_THROTTLE_MS, 0);
}

/*
 * Fill the row of lane->job and lane->lane, which is made if it is not there,
 * and lock it to the end of the transaction.  Lists live in the current context.
 */
void
pgm_store_open_lane(PgmLaneRow *lane)
{
	static PgmQuery insert = {
		"INSERT INTO migrate.backfill_lane (job_id, lane) VALUES ($1, $2)"
		" ON CONFLICT (job_id, lane) DO NOTHING",
		SPI_OK_INSERT, 2, {INT8OID, INT4OID}
	};
	static PgmQuery lock = {
		"SELECT " LANE_COLUMNS " FROM migrate.backfill_lane n"
		" WHERE n.job_id = $1 AND n.lane = $2 FOR NO KEY UPDATE",
		SPI_OK_SELECT, 2, {INT8OID, INT4OID}
	};
	PgmQueryScope scope;
	Datum		values[2];
	MemoryContext old;

	values[0] = Int64GetDatum(lane->job);
	values[1] = Int32GetDatum(lane->lane);
	pgm_query_begin(&scope);
	pgm_query_run(&lock, values, NULL);
	if (SPI_processed == 0)
	{
		pgm_query_run(&insert, values, NULL);
		pgm_query_run(&lock, values, NULL);
	}
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update of backfills"),
				 errhint("Try the transaction again.")));
	old = MemoryContextSwitchTo(scope.caller);
	read_lane(0, lane);
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
}

/*
 * Write a lane's row back.
 */
void
pgm_store_save_lane(const PgmLaneRow *lane)
{
	static PgmQuery query = {
		"UPDATE migrate.backfill_lane SET leaf = nullif($3, 0), pass = $4, from_block = $5,"
		" to_block = $6, from_key = $7, to_key = $8, piece_units = $9, piece_done = $10,"
		" piece_rows = $11, phase = $12, reason = $13, packing = $14, batch_rows = $15,"
		" batches = $16, rows = $17, hot_rows = $18, bad_rows = $19, retries = $20,"
		" pages = $21, wal_bytes = $22, wal_fpi = $23, busy_ms = $24, lock_wait_ms = $25,"
		" throttle_ms = $26, rate = $27, crashes = $28,"
		" first_batch_at = CASE WHEN first_batch_at IS NULL AND $16 > 0 THEN clock_timestamp()"
		"  ELSE first_batch_at END, updated_at = clock_timestamp()"
		" WHERE job_id = $1 AND lane = $2",
		SPI_OK_UPDATE, 28,
		{INT8OID, INT4OID, INT4OID, INT4OID, INT8OID, INT8OID, TEXTARRAYOID, TEXTARRAYOID,
			INT8OID, FLOAT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, INT4OID, INT8OID, INT8OID,
			INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, FLOAT8OID, FLOAT8OID,
		FLOAT8OID, FLOAT8OID, INT4OID}
	};
	const PgmCounters *c = &lane->counters;
	PgmQueryScope scope;
	Datum		values[28];
	char		nulls[29] = "                            ";

	values[0] = Int64GetDatum(lane->job);
	values[1] = Int32GetDatum(lane->lane);
	values[2] = Int32GetDatum(lane->leaf);
	values[3] = Int32GetDatum(lane->pass);
	values[4] = Int64GetDatum(lane->from_block);
	values[5] = Int64GetDatum(lane->to_block);
	set_key(values, nulls, 6, lane->from_key);
	set_key(values, nulls, 7, lane->to_key);
	values[8] = Int64GetDatum(lane->piece_units);
	values[9] = Float8GetDatum(lane->piece_done);
	values[10] = Int64GetDatum(lane->piece_rows);
	values[11] = CStringGetTextDatum(lane->phase);
	values[12] = CStringGetTextDatum(lane->reason);
	values[13] = CStringGetTextDatum(lane->packing);
	values[14] = Int32GetDatum(lane->batch_rows);
	values[15] = Int64GetDatum(c->batches);
	values[16] = Int64GetDatum(c->rows);
	values[17] = Int64GetDatum(c->hot_rows);
	values[18] = Int64GetDatum(c->bad_rows);
	values[19] = Int64GetDatum(c->retries);
	values[20] = Int64GetDatum(c->pages);
	values[21] = Int64GetDatum(c->wal_bytes);
	values[22] = Int64GetDatum(c->wal_fpi);
	values[23] = Float8GetDatum(c->busy_ms);
	values[24] = Float8GetDatum(c->lock_wait_ms);
	values[25] = Float8GetDatum(c->throttle_ms);
	values[26] = Float8GetDatum(lane->rate);
	values[27] = Int32GetDatum(lane->crashes);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, nulls);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("backfill " INT64_FORMAT " is gone", lane->job)));
	pgm_query_end(&scope);
}

/*
 * Lanes other than the given one that have a piece, as PgmLaneRow *; their rows
 * stay locked to the end of the transaction, those that are locked by others
 * are left out.
 */
List *
pgm_store_other_pieces(int64 job, int lane)
{
	static PgmQuery query = {
		"SELECT " LANE_COLUMNS " FROM migrate.backfill_lane n"
		" WHERE n.job_id = $1 AND n.lane <> $2 AND n.leaf IS NOT NULL"
		" ORDER BY n.lane FOR NO KEY UPDATE SKIP LOCKED",
		SPI_OK_SELECT, 2, {INT8OID, INT4OID}
	};
	PgmQueryScope scope;
	Datum		values[2];
	List	   *pieces = NIL;
	MemoryContext old;

	values[0] = Int64GetDatum(job);
	values[1] = Int32GetDatum(lane);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	old = MemoryContextSwitchTo(scope.caller);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		PgmLaneRow *row = palloc0(sizeof(PgmLaneRow));

		row->job = job;
		read_lane(i, row);
		pieces = lappend(pieces, row);
	}
	MemoryContextSwitchTo(old);
	pgm_query_end(&scope);
	return pieces;
}

/*
 * Take the piece from a lane, whoever has it from now on.
 */
void
pgm_store_drop_piece(int64 job, int lane)
{
	static PgmQuery query = {
		"UPDATE migrate.backfill_lane SET leaf = NULL, piece_units = 0, piece_done = 0,"
		" piece_rows = 0 WHERE job_id = $1 AND lane = $2",
		SPI_OK_UPDATE, 2, {INT8OID, INT4OID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(job);
	values[1] = Int32GetDatum(lane);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * Say what a lane waits for while it does nothing else.
 */
void
pgm_store_set_lane_reason(int64 job, int lane, const char *phase, const char *reason)
{
	static PgmQuery query = {
		"INSERT INTO migrate.backfill_lane AS n (job_id, lane, phase, reason)"
		" VALUES ($1, $2, $3, $4) ON CONFLICT (job_id, lane) DO UPDATE"
		" SET phase = $3, reason = $4, rate = 0, updated_at = clock_timestamp()",
		SPI_OK_INSERT, 4, {INT8OID, INT4OID, TEXTOID, TEXTOID}
	};
	Datum		values[4];

	values[0] = Int64GetDatum(job);
	values[1] = Int32GetDatum(lane);
	values[2] = CStringGetTextDatum(phase);
	values[3] = CStringGetTextDatum(reason);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * Record that a worker begins with a lane, before it does anything, and return
 * how often that has happened since the lane's last batch.
 */
int
pgm_store_begin_lane(int64 job, int lane)
{
	static PgmQuery query = {
		"INSERT INTO migrate.backfill_lane AS n (job_id, lane, crashes) VALUES ($1, $2, 1)"
		" ON CONFLICT (job_id, lane) DO UPDATE SET crashes = n.crashes + 1 RETURNING n.crashes",
		SPI_OK_INSERT_RETURNING, 2, {INT8OID, INT4OID}
	};
	PgmQueryScope scope;
	Datum		values[2];
	int			count;

	values[0] = Int64GetDatum(job);
	values[1] = Int32GetDatum(lane);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	count = pgm_query_int(0, 1, 0);
	pgm_query_end(&scope);
	return count;
}

/*
 * The starts were no crashes: those of one lane, or of all if it is -1.
 */
void
pgm_store_clear_crashes(int64 job, int lane)
{
	static PgmQuery query = {
		"UPDATE migrate.backfill_lane SET crashes = 0"
		" WHERE job_id = $1 AND (lane = $2 OR $2 = -1) AND crashes <> 0",
		SPI_OK_UPDATE, 2, {INT8OID, INT4OID}
	};
	Datum		values[2];

	values[0] = Int64GetDatum(job);
	values[1] = Int32GetDatum(lane);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * Add to what a lane has lost to locks and limits.
 */
void
pgm_store_add_lost(int64 job, int lane, const PgmCounters *lost)
{
	static PgmQuery query = {
		"UPDATE migrate.backfill_lane SET retries = retries + $3,"
		" lock_wait_ms = lock_wait_ms + $4, throttle_ms = throttle_ms + $5"
		" WHERE job_id = $1 AND lane = $2",
		SPI_OK_UPDATE, 5, {INT8OID, INT4OID, INT8OID, FLOAT8OID, FLOAT8OID}
	};
	Datum		values[5];

	values[0] = Int64GetDatum(job);
	values[1] = Int32GetDatum(lane);
	values[2] = Int64GetDatum(lost->retries);
	values[3] = Float8GetDatum(lost->lock_wait_ms);
	values[4] = Float8GetDatum(lost->throttle_ms);
	pgm_query_run_alone(&query, values, NULL);
}

/*
 * What all lanes of a job did.
 */
void
pgm_store_sum_lanes(int64 job, PgmCounters *sum)
{
	static PgmQuery query = {
		"SELECT sum(batches)::bigint, sum(rows)::bigint, sum(hot_rows)::bigint,"
		" sum(bad_rows)::bigint, sum(retries)::bigint, sum(pages)::bigint,"
		" sum(wal_bytes)::bigint, sum(wal_fpi)::bigint, sum(busy_ms), sum(lock_wait_ms),"
		" sum(throttle_ms) FROM migrate.backfill_lane WHERE job_id = $1",
		SPI_OK_SELECT, 1, {INT8OID}
	};
	PgmQueryScope scope;
	Datum		values[1];

	values[0] = Int64GetDatum(job);
	pgm_query_begin(&scope);
	pgm_query_run(&query, values, NULL);
	sum->batches = pgm_query_int64(0, 1, 0);
	sum->rows = pgm_query_int64(0, 2, 0);
	sum->hot_rows = pgm_query_int64(0, 3, 0);
	sum->bad_rows = pgm_query_int64(0, 4, 0);
	sum->retries = pgm_query_int64(0, 5, 0);
	sum->pages = pgm_query_int64(0, 6, 0);
	sum->wal_bytes = pgm_query_int64(0, 7, 0);
	sum->wal_fpi = pgm_query_int64(0, 8, 0);
	sum->busy_ms = pgm_query_float(0, 9, 0);
	sum->lock_wait_ms = pgm_query_float(0, 10, 0);
	sum->throttle_ms = pgm_query_float(0, 11, 0);
	pgm_query_end(&scope);
}

/*-------------------------------------------------------------------------
 *
 * lane.c
 *	  A lane at work: one step, one transaction.
 *
 * The caller opens a transaction, calls pgm_lane_step(), commits, and reports
 * that with pgm_lane_committed(); or aborts and reports pgm_lane_aborted(), which
 * says what is to be done about the error.  The rows that a step changed, the
 * marker of how far the lane has come and its counters stand in that one
 * transaction, so a crash at any point loses a batch and no more.
 *
 * What a lane remembers in memory only (which rows of its piece are still to be
 * done) it can find out again, and does so after an error.
 *
 * A worker holds the session lock of its lane, so nobody else writes the lane's
 * row and it is read once.  Lane 0 is for sessions that call backfill_batch() or
 * finish(): these lock the row in each step, and see there whether somebody else
 * went on with the piece.
 *
 * IDENTIFICATION
 *	  src/backfill/lane.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/instrument.h"
#include "portability/instr_time.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/extension.h"
#include "base/guc.h"
#include "base/relation.h"
#include "base/subxact.h"
#include "backfill/lane.h"

/* What short batches may take of the time of others. */
#define BRIEF_PERCENT		1

/* "Rows per second lately" is about so much time. */
#define RATE_MS				2000

/*
 * A lane of a job, number 0 for a session.  Lives until pgm_lane_destroy(), or as
 * long as "parent".
 */
PgmLane *
pgm_lane_create(int64 job, int number, MemoryContext parent)
{
	MemoryContext cxt = AllocSetContextCreate(parent, "pgmigrate lane", ALLOCSET_DEFAULT_SIZES);
	PgmLane    *lane = MemoryContextAllocZero(cxt, sizeof(PgmLane));

	lane->cxt = cxt;
	lane->job_cxt = AllocSetContextCreate(cxt, "pgmigrate job", ALLOCSET_SMALL_SIZES);
	lane->leaf_cxt = AllocSetContextCreate(cxt, "pgmigrate leaf", ALLOCSET_SMALL_SIZES);
	lane->piece_cxt = AllocSetContextCreate(cxt, "pgmigrate piece", ALLOCSET_DEFAULT_SIZES);
	lane->batch_cxt = AllocSetContextCreate(cxt, "pgmigrate batch", ALLOCSET_DEFAULT_SIZES);
	lane->job_id = job;
	lane->lane = number;
	lane->row.job = job;
	lane->row.lane = number;
	lane->row.phase = "starting";
	return lane;
}

/*
 * The lane is for one batch in somebody else's transaction: it begins where its
 * row says, and does not wait for room that the same transaction would have to
 * free.
 */
void
pgm_lane_set_one_by_one(PgmLane *lane)
{
	lane->one_by_one = true;
}

/*
 * The caller cannot survive an error at commit, so there must be none: constraints
 * are checked at the end of each statement.
 */
void
pgm_lane_set_at_once(PgmLane *lane)
{
	lane->at_once = true;
}

/*
 * Whether the lane goes on with a job that is paused, since the caller knows.
 */
void
pgm_lane_set_runs_paused(PgmLane *lane, bool value)
{
	lane->runs_paused = value;
}

void
pgm_lane_destroy(PgmLane *lane)
{
	pgm_leaf_close(lane);
	MemoryContextDelete(lane->cxt);
}

static int
batch_rows_limit(const PgmJob *job)
{
	return job->batch_rows > 0 ? job->batch_rows : pgm_backfill_batch_rows;
}

static double
batch_ms_limit(const PgmLane *lane)
{
	double		ms = lane->job->batch_ms > 0 ? lane->job->batch_ms : pgm_backfill_batch_ms;

	return lane->brief ? Max(ms * BRIEF_PERCENT / 100, 1) : ms;
}

/*
 * Have the job as it is now.  Returns false if it is not to be run.
 */
static bool
load_job(PgmLane *lane)
{
	TransactionId version;
	MemoryContext old;
	const bool	for_update = true;

	if (!pgm_store_fetch_job_version(lane->job_id, &version))
		return false;
	if (lane->job == NULL || lane->job->version != version)
	{
		bool		first = lane->pace.max_rows == 0;

		/* who changed the job may have changed what is left of its lanes */
		lane->row_loaded = false;
		lane->job = NULL;
		MemoryContextReset(lane->job_cxt);
		old = MemoryContextSwitchTo(lane->job_cxt);
		lane->job = pgm_store_fetch_job(lane->job_id, !for_update);
		MemoryContextSwitchTo(old);
		if (lane->job == NULL)
			return false;
		if (first)
			pgm_pace_init(&lane->pace, batch_rows_limit(lane->job), batch_ms_limit(lane));
		else
			pgm_pace_limit(&lane->pace, batch_rows_limit(lane->job), batch_ms_limit(lane));
	}
	return lane->job->state == PGM_JOB_RUNNING || lane->job->state == PGM_JOB_QUEUED ||
		(lane->runs_paused && lane->job->state == PGM_JOB_PAUSED);
}

static List *
copy_key(MemoryContext cxt, List *key)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	List	   *copy = NIL;
	ListCell   *lc;

	foreach(lc, key)
		copy = lappend(copy, pstrdup((char *) lfirst(lc)));
	MemoryContextSwitchTo(old);
	return copy;
}

static bool
same_piece(const PgmLaneRow *a, const PgmLaneRow *b)
{
	return a->leaf == b->leaf && a->pass == b->pass && a->from_block == b->from_block &&
		a->to_block == b->to_block;
}

/*
 * Have the lane's row.
 */
static void
load_row(PgmLane *lane)
{
	PgmLaneRow	row = lane->row;

	if (lane->row_loaded && lane->lane != 0)
		return;
	pgm_store_open_lane(&row);
	if (!lane->row_loaded || lane->job->by_key || !same_piece(&row, &lane->row))
	{
		if (!same_piece(&row, &lane->row))
			lane->piece_ended = false;
		pgm_leaf_piece_end(lane);
		lane->row = row;
		lane->row.from_key = copy_key(lane->piece_cxt, row.from_key);
		lane->row.to_key = copy_key(lane->piece_cxt, row.to_key);
	}
	else
		lane->row.counters = row.counters;
	lane->row_loaded = true;
}

/* The leaf of the lane's piece, in the current context. */
static PgmLeaf *
find_leaf(PgmLane *lane)
{
	const bool	for_update = true;
	ListCell   *lc;

	foreach(lc, pgm_store_fetch_leaves(lane->job_id, !for_update))
	{
		PgmLeaf    *leaf = (PgmLeaf *) lfirst(lc);

		if (leaf->leaf == lane->row.leaf)
			return leaf;
	}
	elog(ERROR, "backfill " INT64_FORMAT " has no leaf %d", lane->job_id, lane->row.leaf);
	return NULL;				/* keep compiler quiet */
}

/*
 * Take up the piece of the lane's row.
 */
static void
begin_piece(PgmLane *lane)
{
	MemoryContext old;
	Relation	rel;

	if (!pgm_leaf_open(lane, find_leaf(lane)))
		return;
	old = MemoryContextSwitchTo(lane->piece_cxt);
	lane->bad_rows = pgm_store_fetch_bad_rows(lane->job_id, lane->leaf_relid);
	MemoryContextSwitchTo(old);
	if (!lane->job->by_key)
		pgm_pages_begin(lane);

	lane->row.phase = lane->row.pass > 1 ? (lane->job->by_key ? "retrying" : "sweeping") :
		lane->job->is_delete ? "deleting" : lane->job->is_copy ? "copying" : "updating";
	rel = try_table_open(lane->leaf_relid, RowExclusiveLock);
	if (rel == NULL)
		return;
	lane->leaf_file = rel->rd_rel->relfilenode;
	table_close(rel, NoLock);
	lane->piece_begun = true;
}

static void
set_option(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Settings under which the user's text means what it meant when it was
 * submitted, and under which no row is left out silently.  Machine code would be
 * made anew for each batch, which takes longer than the batch.
 */
static void
set_options(const PgmJob *job)
{
	pgm_guc_restore_meaning(job->settings);
	set_option("row_security", "off");
	set_option("jit", "off");
}

/*
 * Note if more rows were put aside than the job may lose.  What the batch did is
 * committed all the same, so that the user finds them.
 */
static void
check_bad_rows(PgmLane *lane)
{
	int64		limit = lane->job->max_bad_rows >= 0 ? lane->job->max_bad_rows :
		pgm_backfill_max_bad_rows;
	PgmCounters sum;

	if (lane->batch.bad == 0)
		return;
	pgm_store_sum_lanes(lane->job_id, &sum);
	if (sum.bad_rows > limit)
		lane->too_many_bad = true;
}

/*
 * Count what the batch did; the row is saved.
 */
static void
record_batch(PgmLane *lane, const WalUsage *wal, int64 dirtied, int64 hot, double ms)
{
	PgmCounters *c = &lane->row.counters;

	c->batches++;
	c->rows += lane->batch.changed;
	c->hot_rows += hot;
	c->bad_rows += lane->batch.bad;
	c->pages += dirtied;
	c->wal_bytes += pgWalUsage.wal_bytes - wal->wal_bytes;
	c->wal_fpi += pgWalUsage.wal_fpi - wal->wal_fpi;
	c->busy_ms += ms;
	lane->row.piece_rows += lane->batch.changed - lane->batch.again;
	/* a row that was changed behind our back has to be looked for once more */
	if (lane->batch.skipped && lane->skip_locked == 0)
		lane->row.piece_rows++;
	lane->row.batch_rows = pgm_pace_rows(&lane->pace);
	lane->row.crashes = 0;
	lane->wal_bytes = pgWalUsage.wal_bytes - wal->wal_bytes;
	c->retries += lane->pending.retries;
	c->lock_wait_ms += lane->pending.lock_wait_ms;
	c->throttle_ms += lane->pending.throttle_ms;
	lane->pending_saved = true;
	pgm_store_save_lane(&lane->row);
	check_bad_rows(lane);
}

/*
 * The table of the piece, locked, or NULL where there is nothing to be done in
 * it now.
 */
static Relation
open_leaf(PgmLane *lane)
{
	Relation	rel = lane->leaf == 0 ? NULL : try_table_open(lane->leaf_relid, RowExclusiveLock);

	if (rel == NULL && get_rel_name(lane->job->relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s does not exist any more", lane->job->relation)));
	if (rel == NULL || !pgm_leaf_belongs(lane->job, rel))
	{
		/*
		 * a partition that was dropped or detached has no rows left to be
		 * done
		 */
		pgm_leaf_close(lane);
		lane->piece_ended = true;
	}
	else if (strcmp(lane->leaf_name, pgm_relation_name(lane->leaf_relid)) != 0 ||
			 lane->leaf_file != rel->rd_rel->relfilenode)
	{
		/*
		 * Renamed: another table may have the name that our statements say.
		 * Or written anew: its rows are elsewhere.
		 */
		pgm_leaf_close(lane);
		pgm_leaf_piece_end(lane);
		lane->row_loaded = false;
	}
	else
		return rel;
	if (rel != NULL)
		table_close(rel, NoLock);
	return NULL;
}

/*
 * Change the rows of a batch; returns whether there may be more in the piece.  Who
 * keeps columns in step must know whose changes these are.
 */
static bool
change_rows(PgmLane *lane, Relation rel)
{
	bool		more;

	pgm_relation_filled = RelationGetRelid(rel);
	PG_TRY();
	{
		more = lane->job->by_key ? pgm_key_batch(lane, rel) : pgm_pages_batch(lane, rel);
	}
	PG_FINALLY();
	{
		pgm_relation_filled = InvalidOid;
	}
	PG_END_TRY();
	return more;
}

/*
 * One batch of the piece.
 */
static PgmStep
do_batch(PgmLane *lane)
{
	WalUsage	wal = pgWalUsage;
	int64		dirtied = pgBufferUsage.shared_blks_dirtied;
	int64		hot;
	instr_time	start;
	instr_time	end;
	Relation	rel;
	bool		more;

	INSTR_TIME_SET_CURRENT(start);
	lane->in_batch = true;
	if (!lane->piece_begun)
		begin_piece(lane);
	rel = open_leaf(lane);
	if (rel == NULL)
		return PGM_STEP_AGAIN;
	hot = pgm_hot_updates(rel);
	more = change_rows(lane, rel);
	hot = pgm_hot_updates(rel) - hot;
	table_close(rel, NoLock);

	if (lane->job->by_key)
		lane->row.from_key = copy_key(lane->piece_cxt, lane->row.from_key);
	if (more && lane->batch.chosen == 0 && lane->batch.waiting)
		return PGM_STEP_WAIT;
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	record_batch(lane, &wal, pgBufferUsage.shared_blks_dirtied - dirtied, hot,
				 INSTR_TIME_GET_MILLISEC(end));
	lane->piece_ended = !more;
	return lane->batch.changed > 0 ? PGM_STEP_ROWS : PGM_STEP_AGAIN;
}

/*
 * Claim a piece.
 */
static PgmStep
claim(PgmLane *lane)
{
	lane->piece_ended = false;
	switch (pgm_piece_claim(lane))
	{
		case PGM_CLAIM_PIECE:
			lane->row.from_key = copy_key(lane->piece_cxt, lane->row.from_key);
			lane->row.to_key = copy_key(lane->piece_cxt, lane->row.to_key);

			/*
			 * a sweep knows bad rows: what it misses is missing for other
			 * reasons
			 */
			if (lane->row.pass > 1)
				lane->careful = 0;
			return PGM_STEP_AGAIN;
		case PGM_CLAIM_NONE:
			return PGM_STEP_IDLE;
		default:
			return PGM_STEP_DONE;
	}
}

static PgmStep
choose_step(PgmLane *lane)
{
	load_row(lane);
	if (lane->row.leaf == 0)
		return claim(lane);
	if (lane->piece_ended)
		return pgm_piece_finish(lane) ? PGM_STEP_LOCKED : PGM_STEP_AGAIN;
	return do_batch(lane);
}

/*
 * Do what is next, in the transaction that is open.
 */
PgmStep
pgm_lane_step(PgmLane *lane)
{
	MemoryContext old = MemoryContextSwitchTo(lane->batch_cxt);
	PgmStep		step = PGM_STEP_STOPPED;
	int			guc_level = NewGUCNestLevel();

	MemoryContextReset(lane->batch_cxt);
	memset(&lane->batch, 0, sizeof(lane->batch));
	lane->in_batch = false;
	if (pgm_extension_share() && load_job(lane))
	{
		set_options(lane->job);
		if (pgm_lock_timeout > 0 && !lane->one_by_one)
			set_option("lock_timeout", psprintf("%d", pgm_lock_timeout));
		step = choose_step(lane);
	}
	AtEOXact_GUC(true, guc_level);
	MemoryContextSwitchTo(old);
	return step;
}

static void
update_rate(PgmLane *lane, TimestampTz now)
{
	double		ms;

	if (lane->rate_since == 0)
		lane->rate_since = now;
	lane->rate_rows += lane->batch.changed;
	ms = (now - lane->rate_since) / 1000.0;
	if (ms < RATE_MS)
		return;
	lane->row.rate = lane->rate_rows * 1000.0 / ms;
	lane->rate_rows = 0;
	lane->rate_since = now;
}

/*
 * The step is committed; it took so many milliseconds with the commit.
 */
void
pgm_lane_committed(PgmLane *lane, double ms)
{
	if (lane->batch.chosen > 0)
		pgm_pace_add(&lane->pace, lane->batch.chosen, ms);
	update_rate(lane, GetCurrentTimestamp());
	if (lane->batch.bad > 0)
		lane->careful = PGM_CAREFUL_BATCHES;
	else if (lane->careful > 0 && lane->batch.changed > 0)
		lane->careful--;
	if (lane->skip_locked > 0)
		lane->skip_locked--;
	if (lane->pending_saved)
		memset(&lane->pending, 0, sizeof(lane->pending));
	lane->pending_saved = false;
}

/*
 * Have batches that are short, or ordinary ones again.
 */
void
pgm_lane_be_brief(PgmLane *lane, bool brief)
{
	if (brief == lane->brief || lane->job == NULL)
		return;
	lane->brief = brief;
	pgm_pace_limit(&lane->pace, batch_rows_limit(lane->job), batch_ms_limit(lane));
}

const PgmJob *
pgm_lane_job(const PgmLane *lane)
{
	return lane->job;
}

PgmLaneRow *
pgm_lane_row(PgmLane *lane)
{
	return &lane->row;
}

/*
 * Rows that the last step changed.
 */
int64
pgm_lane_rows(const PgmLane *lane)
{
	return lane->batch.changed;
}

int64
pgm_lane_wal_bytes(const PgmLane *lane)
{
	return lane->wal_bytes;
}

bool
pgm_lane_has_failed(const PgmLane *lane)
{
	return lane->too_many_bad;
}

/*-------------------------------------------------------------------------
 *
 * piece.c
 *	  Which part of a job a lane works on.
 *
 * Lanes do not have shares of their own.  Each claims a piece of what nobody has
 * claimed yet, works it off and claims the next one, so a slow lane simply gets
 * less.  A piece whose lane is gone (a crash, fewer lanes than before) is taken
 * over by the first one that finds nothing else.
 *
 * By pages, a leaf is gone through again and again until a pass changes nothing.
 * Each pass ends where the table ended when it began, so rows that are added
 * meanwhile cannot keep it going, and the number of passes is limited.
 *
 * All of this is decided with the rows of the job's leaves locked.
 *
 * IDENTIFICATION
 *	  src/backfill/piece.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/guc.h"
#include "base/hold.h"
#include "base/relation.h"
#include "backfill/key.h"

/*
 * Pages of a piece: enough to be worth a claim, few enough to share.  Its last
 * pages take their time, since other lanes keep them from being pruned at once.
 */
#define MIN_PIECE_BLOCKS	1024
#define MAX_PIECE_BLOCKS	16384
#define MAX_SWEEP_BLOCKS	((BlockNumber) 1 << 20)

/* Batches in a piece of keys. */
#define PIECE_BATCHES		50

#define MAX_PASSES			16

static int
lane_count(const PgmLane *lane)
{
	return lane->job->lanes > 0 ? lane->job->lanes : pgm_backfill_lanes;
}

/*
 * How many pages to claim of so many that are left.
 */
static BlockNumber
piece_blocks(BlockNumber left, int lanes, int pass)
{
	BlockNumber blocks = left;

	if (pass > 1)
		return Min(left, MAX_SWEEP_BLOCKS);
	if (lanes > 1)
		blocks = Max(left * 2 / (3 * lanes), MIN_PIECE_BLOCKS);
	return Min(blocks, MAX_PIECE_BLOCKS);
}

static void
claim_pages(PgmLane *lane, PgmLeaf *leaf)
{
	PgmLaneRow *row = &lane->row;
	BlockNumber blocks = piece_blocks(leaf->blocks - leaf->next_block, lane_count(lane),
									  leaf->pass);

	row->from_block = leaf->next_block;
	row->to_block = leaf->next_block + blocks;
	row->piece_units = blocks;
	leaf->next_block = row->to_block;
	/* a later pass goes to wherever the table ends for its snapshot */
	if (leaf->pass > 1 && leaf->next_block == leaf->blocks)
		row->to_block = MaxBlockNumber;
}

static void
claim_keys(PgmLane *lane, PgmLeaf *leaf)
{
	PgmLaneRow *row = &lane->row;
	int64		rows = pgm_pace_rows(&lane->pace);
	int64		want = rows * PIECE_BATCHES;
	List	   *to;

	if (leaf->pass > 1)
	{
		/* what was put aside, whatever its keys */
		row->from_key = row->to_key = NIL;
		row->piece_units = 0;
		leaf->next_block = leaf->blocks;
		return;
	}
	want = Max(Min(want, leaf->rows_estimate / (4 * lane_count(lane))), rows);
	to = pgm_leaf_open(lane, leaf) ?
		pgm_key_nth(lane, leaf->next_key, leaf->last_key, want) : NIL;
	row->from_key = leaf->next_key;
	row->to_key = to == NIL ? leaf->last_key : to;
	row->piece_units = want;
	leaf->next_key = row->to_key;
}

static bool
same_key(List *a, List *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (list_length(a) != list_length(b))
		return false;
	forboth(la, a, lb, b)
	{
		if (strcmp((char *) lfirst(la), (char *) lfirst(lb)) != 0)
			return false;
	}
	return true;
}

/* Is there anything in a leaf that no lane has claimed? */
static bool
has_unclaimed(const PgmLane *lane, const PgmLeaf *leaf)
{
	if (leaf->done)
		return false;
	if (lane->job->by_key && leaf->pass == 1)
		return !same_key(leaf->next_key, leaf->last_key);
	return leaf->next_block < leaf->blocks;
}

/*
 * Begin another pass through a leaf, or end it.  All pieces are finished.  The
 * first pass never ends it: rows that were moved meanwhile can hide from it.  One
 * that did nothing but leave out rows that others had locked does not count.  By
 * key there is a second one if rows are to be tried again.
 */
static void
end_pass(const PgmLane *lane, PgmLeaf *leaf, bool locked)
{
	Relation	rel;

	if (lane->job->by_key)
		leaf->done = leaf->pass > 1 || !pgm_store_has_retries(lane->job_id, leaf->relid);
	else
		leaf->done = (leaf->pass > 1 && leaf->pass_rows == 0) ||
			(leaf->pass >= MAX_PASSES && !locked);
	if (leaf->done)
		return;
	rel = try_table_open(leaf->relid, AccessShareLock);
	if (!locked || leaf->pass == 1)
		leaf->pass++;
	leaf->pass_rows = 0;
	leaf->next_block = 0;
	leaf->blocks = rel == NULL ? 0 : Max(RelationGetNumberOfBlocks(rel), 1);
	leaf->done = rel == NULL;
	if (rel != NULL)
		table_close(rel, AccessShareLock);
}

/*
 * Take over a piece that nobody works on.  Lane 0 belongs to whoever calls
 * backfill_batch(): its piece is taken only when nothing else is left.
 */
static bool
adopt_piece(PgmLane *lane)
{
	ListCell   *lc;

	foreach(lc, pgm_store_other_pieces(lane->job_id, lane->lane))
	{
		PgmLaneRow *other = (PgmLaneRow *) lfirst(lc);
		PgmLaneRow *row = &lane->row;

		if (!pgm_hold_is_lane_free(lane->job_id, other->lane))
			continue;
		row->leaf = other->leaf;
		row->pass = other->pass;
		row->from_block = other->from_block;
		row->to_block = other->to_block;
		row->from_key = other->from_key;
		row->to_key = other->to_key;
		row->piece_units = other->piece_units;
		row->piece_done = other->piece_done;
		row->piece_rows = other->piece_rows;
		row->crashes = Max(row->crashes, other->crashes);
		pgm_store_drop_piece(lane->job_id, other->lane);
		return true;
	}
	return false;
}

/*
 * Partitions that were added since the job began are gone through as well.
 */
static bool
add_new_leaves(PgmLane *lane, List *leaves)
{
	bool		added = false;
	ListCell   *lc;
	ListCell   *known;

	if (get_rel_name(lane->job->relid) == NULL)
		return false;
	foreach(lc, pgm_target_leaves(lane->job->relid))
	{
		bool		found = false;

		foreach(known, leaves)
			found = found || ((PgmLeaf *) lfirst(known))->relid == lfirst_oid(lc);
		if (found)
			continue;
		(void) pgm_leaf_verify(lane->job, lfirst_oid(lc));
		pgm_piece_insert_leaf(lane->job, list_length(leaves) + 1, lfirst_oid(lc));
		leaves = lappend(leaves, NULL);
		added = true;
		break;
	}
	return added;
}

/*
 * Add a table to what a job goes through.
 */
void
pgm_piece_insert_leaf(const PgmJob *job, int number, Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	PgmLeaf		leaf = {0};

	leaf.leaf = number;
	leaf.relid = relid;
	leaf.relation = pgm_relation_name(relid);
	leaf.rows_estimate = (int64) Max(rel->rd_rel->reltuples, 0);
	leaf.blocks = RelationGetNumberOfBlocks(rel);
	if (leaf.rows_estimate == 0)
		leaf.rows_estimate = (int64) leaf.blocks * 50;
	if (job->by_key)
		leaf.last_key = pgm_key_last(relid, job->key_columns);
	leaf.done = job->by_key && leaf.last_key == NIL;
	leaf.pass = 1;
	if (leaf.blocks == 0)
	{
		/* rows may come before the first batch does */
		leaf.pass = 2;
		leaf.blocks = 1;
	}
	pgm_store_insert_leaf(job->id, &leaf);
	table_close(rel, NoLock);
}

/*
 * Give the lane a piece, if there is one; its row is saved.
 */
PgmClaim
pgm_piece_claim(PgmLane *lane)
{
	const bool	for_update = true;
	List	   *leaves = pgm_store_fetch_leaves(lane->job_id, for_update);
	bool		all_done = true;
	ListCell   *lc;

	foreach(lc, leaves)
	{
		PgmLeaf    *leaf = (PgmLeaf *) lfirst(lc);

		all_done = all_done && leaf->done;
		if (!has_unclaimed(lane, leaf))
			continue;
		lane->row.leaf = leaf->leaf;
		lane->row.pass = leaf->pass;
		lane->row.piece_done = 0;
		lane->row.piece_rows = 0;
		if (lane->job->by_key)
			claim_keys(lane, leaf);
		else
			claim_pages(lane, leaf);
		pgm_store_save_leaf(lane->job_id, leaf, 0);
		pgm_store_save_lane(&lane->row);
		return PGM_CLAIM_PIECE;
	}
	if (all_done)
		return add_new_leaves(lane, leaves) ? pgm_piece_claim(lane) : PGM_CLAIM_ALL_DONE;
	if (adopt_piece(lane))
	{
		pgm_store_save_lane(&lane->row);
		return PGM_CLAIM_PIECE;
	}
	return PGM_CLAIM_NONE;
}

/*
 * The lane's piece is done.  If it was the last one of a pass, the pass ends.
 * Returns whether rows are left that are locked by others, and nothing else was
 * found in the piece.
 */
bool
pgm_piece_finish(PgmLane *lane)
{
	const bool	for_update = true;
	PgmLaneRow *row = &lane->row;
	int			number = row->leaf;
	bool		locked = lane->locked && row->piece_rows == 0;
	int64		units = row->pass == 1 ? row->piece_units : 0;
	ListCell   *lc;

	/* in the same order as a claim: leaves, then our own row */
	List	   *leaves = pgm_store_fetch_leaves(lane->job_id, for_update);

	row->leaf = 0;
	pgm_store_save_lane(row);
	foreach(lc, leaves)
	{
		PgmLeaf    *leaf = (PgmLeaf *) lfirst(lc);

		if (leaf->leaf != number)
			continue;
		leaf->pass_rows += row->piece_rows;
		if (locked)
			leaf->pass_rows++;
		if (!has_unclaimed(lane, leaf) && !pgm_store_pieces_open(lane->job_id, number))
			end_pass(lane, leaf, locked);
		pgm_store_save_leaf(lane->job_id, leaf, units);
	}
	row->piece_units = 0;
	row->piece_done = 0;
	row->piece_rows = 0;
	lane->piece_ended = false;
	pgm_leaf_piece_end(lane);
	return locked;
}

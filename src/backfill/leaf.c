/*-------------------------------------------------------------------------
 *
 * leaf.c
 *	  What a lane prepares for the table that it works on.
 *
 * IDENTIFICATION
 *	  src/backfill/leaf.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_inherits.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/relation.h"
#include "backfill/lane.h"

/*
 * The columns that are set, by their numbers in a leaf, which can be others than
 * those in the table.
 */
static Bitmapset *
set_attrs(const PgmShape *shape, Relation rel)
{
	Bitmapset  *attrs = NULL;
	ListCell   *lc;

	foreach(lc, shape->set_columns)
		attrs = bms_add_member(attrs, get_attnum(RelationGetRelid(rel), (char *) lfirst(lc)) -
							   FirstLowInvalidHeapAttributeNumber);
	return attrs;
}

/*
 * Can new versions of rows stay on their pages without new index entries?  Says
 * in the lane's row why not.
 */
static bool
can_pack(PgmLane *lane, Relation rel)
{
	Bitmapset  *blocking;
	const char *why = "";

	if (lane->job->is_delete || lane->job->by_key)
		why = "";
	else if (!pgm_backfill_packing)
		why = "pgmigrate.backfill_packing is off";
	/* packing would give them to the rows of a page in some order */
	else if (lane->shape->numbers && lane->job->lanes == 1)
		why = "values of a sequence are given to the rows in their order";
	else if (rel->rd_tableam != GetHeapamTableAmRoutine())
		why = "the table does not use the heap access method";
	else
	{
		blocking = RelationGetIndexAttrBitmap(rel, pgm_hot_blocking_attrs);
		if (!bms_overlap(blocking, set_attrs(lane->shape, rel)))
		{
			lane->row.packing[0] = '\0';
			return true;
		}
		why = "a column that is set is indexed";
	}
	strlcpy(lane->row.packing, why, sizeof(lane->row.packing));
	return false;
}

/*
 * Can the new values of a row be other than those that the SET list gives?
 */
static bool
has_before_triggers(Relation rel)
{
	return rel->trigdesc != NULL && rel->trigdesc->trig_update_before_row;
}

static void
make_statements(PgmLane *lane)
{
	const PgmShape *shape = lane->shape;
	List	   *key = lane->job->key_columns;
	Oid			leaf = lane->leaf_relid;
	const bool	skip_locked = true;
	const bool	nth = true;

	lane->describe = pgm_statement_describe(leaf, lane->primary_key);
	if (!lane->job->by_key)
	{
		for (int i = 0; i <= PGM_CANDIDATES_CAREFUL; i++)
			lane->candidates[i] = pgm_statement_candidates(shape, leaf, (PgmCandidates) i,
														   i != PGM_CANDIDATES_CAREFUL &&
														   lane->packing.possible &&
														   shape->values_known);
		lane->change = pgm_statement_change(shape, leaf, !skip_locked);
		lane->change_unlocked = pgm_statement_change(shape, leaf, skip_locked);
		return;
	}
	for (int open = 0; open <= 1; open++)
	{
		lane->range[open] = pgm_statement_range(shape, leaf, key, open == 1);
		lane->keys[open] = pgm_statement_keys(leaf, key, open == 1, !nth);
		lane->nth[open] = pgm_statement_keys(leaf, key, open == 1, nth);
	}
	lane->one = pgm_statement_one(shape, leaf, key);
}

/*
 * Is a leaf still part of the table, or was it detached?
 */
bool
pgm_leaf_belongs(const PgmJob *job, Relation rel)
{
	return RelationGetRelid(rel) == job->relid || rel->rd_rel->relispartition ||
		has_superclass(RelationGetRelid(rel));
}

/*
 * Check that a leaf, which may have come or changed since the job was submitted,
 * can be gone through as the job says.  Returns what is done to its rows.
 */
PgmShape *
pgm_leaf_verify(const PgmJob *job, Oid relid)
{
	char	   *alias = pgm_target_alias(job->relation);
	PgmShape   *shape = job->is_copy ? pgm_shape_copy(job->relid, alias, job->assign) :
		pgm_shape_analyze(job->relid, alias, job->assign, job->filter);

	pgm_target_check_leaves(shape, list_make1_oid(relid));
	if (job->by_key)
		pgm_target_check_key(relid, job->key_columns, shape);
	return shape;
}

/*
 * Get ready for a leaf, if the lane is not yet.  Returns false if it is a
 * partition that is gone or detached; throws if the table itself is gone.
 */
bool
pgm_leaf_open(PgmLane *lane, const PgmLeaf *leaf)
{
	MemoryContext old;
	Relation	rel;

	if (lane->leaf == leaf->leaf && lane->leaf_relid == leaf->relid)
		return true;
	pgm_leaf_close(lane);
	rel = try_table_open(leaf->relid, RowExclusiveLock);
	if (leaf->relid != lane->job->relid && get_rel_name(lane->job->relid) != NULL &&
		(rel == NULL || !pgm_leaf_belongs(lane->job, rel)))
	{
		if (rel != NULL)
			table_close(rel, NoLock);
		return false;
	}
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s\" does not exist any more", leaf->relation)));

	old = MemoryContextSwitchTo(lane->leaf_cxt);
	lane->leaf_relid = leaf->relid;
	lane->shape = pgm_leaf_verify(lane->job, leaf->relid);
	lane->shape->check_done = lane->shape->assign != NULL && !lane->shape->copies &&
		(has_before_triggers(rel) || !lane->shape->derived);
	lane->leaf_name = pgm_relation_name(leaf->relid);
	lane->primary_key = pgm_target_primary_key(leaf->relid);
	lane->packing.possible = can_pack(lane, rel);
	make_statements(lane);
	lane->leaf = leaf->leaf;
	lane->leaf_rows = leaf->rows_estimate;
	MemoryContextSwitchTo(old);
	table_close(rel, NoLock);
	return true;
}

/*
 * Forget the piece that the lane has in memory, not that it has claimed it.
 */
void
pgm_leaf_piece_end(PgmLane *lane)
{
	lane->piece_begun = false;
	lane->bad_rows = NIL;
	lane->locked = false;
	memset(&lane->pages, 0, sizeof(lane->pages));
	MemoryContextReset(lane->piece_cxt);
}

/*
 * Forget the leaf.
 */
void
pgm_leaf_close(PgmLane *lane)
{
	PgmStatement *all[] = {lane->candidates[0], lane->candidates[1], lane->candidates[2],
		lane->change, lane->change_unlocked, lane->describe, lane->range[0], lane->range[1],
	lane->keys[0], lane->keys[1], lane->nth[0], lane->nth[1], lane->one};

	for (int i = 0; i < lengthof(all); i++)
		pgm_statement_free(all[i]);
	memset(lane->candidates, 0, sizeof(lane->candidates));
	lane->change = lane->change_unlocked = lane->describe = lane->one = NULL;
	memset(lane->range, 0, sizeof(lane->range));
	memset(lane->keys, 0, sizeof(lane->keys));
	memset(lane->nth, 0, sizeof(lane->nth));
	memset(&lane->packing, 0, sizeof(lane->packing));
	pgm_lane_forget_cleaning(lane);
	lane->leaf = 0;
	lane->leaf_relid = InvalidOid;
	MemoryContextReset(lane->leaf_cxt);
}

/*
 * Throw if the current user may not run the statements that a backfill of a leaf
 * by pages, or by the columns of a key, takes.
 */
void
pgm_leaf_check(const PgmShape *shape, Oid leaf, List *key)
{
	const bool	open = true;
	const bool	nth = true;
	PgmStatement *all[4];
	int			n = 0;

	all[n++] = pgm_statement_describe(leaf, pgm_target_primary_key(leaf));
	if (key != NIL)
	{
		all[n++] = pgm_statement_range(shape, leaf, key, open);
		all[n++] = pgm_statement_keys(leaf, key, open, nth);
	}
	else
	{
		all[n++] = pgm_statement_candidates(shape, leaf, PGM_CANDIDATES_ALL, shape->values_known);
		all[n++] = pgm_statement_change(shape, leaf, false);
	}
	for (int i = 0; i < n; i++)
	{
		pgm_statement_check(all[i]);
		pgm_statement_free(all[i]);
	}
}

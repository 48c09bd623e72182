/*-------------------------------------------------------------------------
 *
 * clean.c
 *	  Taking index entries of moved rows away, before they cost a page.
 *
 * A row that is moved to another page gets a new entry in every index, and the
 * old one stays until a vacuum.  A leaf page of an index that was just built has
 * room for a tenth more entries; packing moves more rows than that, and when the
 * room is used up the page is split, so that the index doubles.  The server's own
 * remedy, deleting entries when a page is full, works where old and new entries
 * come together, but not where the keys of a table's pages are scattered over the
 * index.
 *
 * So whenever rows of some percent of the table have been moved, the entries of
 * those that are dead by now are deleted, as VACUUM would, by the index access
 * methods' own function.  Which line pointers are dead is looked up under the
 * lock that keeps VACUUM out, without which they could be used again meanwhile.
 * They stay dead, for the next VACUUM to recycle.
 *
 * The lock does not conflict with reading and writing.  Should somebody want one
 * that does, or somebody keep hold of a page of an index, as an open cursor can,
 * we stop: nothing is lost but the effort.
 *
 * IDENTIFICATION
 *	  src/backfill/clean.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/lock.h"
#include "backfill/lane.h"

/* Percentage of a table's rows after which its indexes are cleaned. */
#define CLEAN_PERCENT		6

/* Enough for any table, and doubles without overflow. */
#define MOST_DEAD			100000000

/* It is not worth the while below. */
#define LEAST_MOVED			2000

/* Autovacuum's vacuum_cost_delay, unless the setting says otherwise. */
#define NAP_MS				"2"

/* Entries, or pages, after which we look whether somebody waits for us. */
#define LOOK_ENTRIES		10000
#define LOOK_PAGES			500

/* How long to wait for a page that others have in hand, in milliseconds. */
#define PIN_MS				500

/* Line pointers whose entries are to go, in order. */
typedef struct DeadRows
{
	Oid			relid;
	ItemPointerData *tids;
	int			count;
	int			room;
	int			most;			/* more are left to VACUUM */
	BlockNumber first_block;	/* of the first and the last of them */
	BlockNumber last_block;
	int			seen;			/* entries or pages since the last look */
} DeadRows;

/*
 * Note that the pages of a span are done, and how many rows were moved there.
 */
void
pgm_clean_note(PgmLane *lane, BlockNumber first, BlockNumber end)
{
	PgmClean   *clean = &lane->clean;

	if (clean->count == PGM_CLEAN_RANGES)
	{
		/* a range that is too long does no harm */
		clean->ranges[clean->count - 1].end = Max(clean->ranges[clean->count - 1].end, end);
		clean->ranges[clean->count - 1].first = Min(clean->ranges[clean->count - 1].first, first);
		return;
	}
	clean->ranges[clean->count].first = first;
	clean->ranges[clean->count].end = end;
	clean->count++;
}

/*
 * How many places of rows fit into the memory that VACUUM may have.
 */
static int
most_dead_rows(void)
{
	return Min(maintenance_work_mem * (Size) 1024 / sizeof(ItemPointerData), MOST_DEAD);
}

/*
 * Is it time to clean the indexes?
 */
bool
pgm_lane_wants_cleaning(const PgmLane *lane)
{
	int64		enough = lane->leaf_rows * CLEAN_PERCENT / 100;

	return lane->clean.count > 0 && lane->leaf != 0 && !lane->one_by_one &&
		lane->clean.moved >= Max(Min(enough, most_dead_rows()), LEAST_MOVED);
}

static void
add_dead_rows(DeadRows *dead, Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	OffsetNumber last = PageGetMaxOffsetNumber(page);

	for (OffsetNumber offset = FirstOffsetNumber; offset <= last; offset++)
	{
		if (!ItemIdIsDead(PageGetItemId(page, offset)))
			continue;
		if (dead->count == dead->most)
			return;
		if (dead->count == dead->room)
		{
			dead->room = Min(dead->room * 2, dead->most);
			dead->tids = repalloc_huge(dead->tids, sizeof(ItemPointerData) * dead->room);
		}
		ItemPointerSet(&dead->tids[dead->count], BufferGetBlockNumber(buffer), offset);
		dead->count++;
	}
}

static int
compare_tids(const void *a, const void *b)
{
	return ItemPointerCompare((ItemPointer) a, (ItemPointer) b);
}

/*
 * Throw if somebody waits for the table.
 */
static void
look_for_waiters(DeadRows *dead)
{
	LOCKTAG		tag;

	dead->seen = 0;
	SET_LOCKTAG_RELATION(tag, MyDatabaseId, dead->relid);
	if (LockHasWaiters(&tag, ShareUpdateExclusiveLock, false))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("another session waits for the table")));
}

static void
find_dead_rows(DeadRows *dead, Relation rel, const PgmClean *clean)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(rel);

	dead->most = most_dead_rows();
	dead->room = Min(4096, dead->most);
	dead->tids = palloc(sizeof(ItemPointerData) * dead->room);
	for (int i = 0; i < clean->count; i++)
	{
		for (BlockNumber block = clean->ranges[i].first;
			 block < Min(clean->ranges[i].end, blocks); block++)
		{
			Buffer		buffer = ReadBuffer(rel, block);

			CHECK_FOR_INTERRUPTS();
			if (++dead->seen >= LOOK_PAGES)
				look_for_waiters(dead);
			LockBuffer(buffer, BUFFER_LOCK_SHARE);
			if (!PageIsNew(BufferGetPage(buffer)))
				add_dead_rows(dead, buffer);
			UnlockReleaseBuffer(buffer);
		}
	}
	if (dead->count == 0)
		return;
	qsort(dead->tids, dead->count, sizeof(ItemPointerData), compare_tids);
	dead->first_block = ItemPointerGetBlockNumber(&dead->tids[0]);
	dead->last_block = ItemPointerGetBlockNumber(&dead->tids[dead->count - 1]);
}

/*
 * Is an index entry one of a dead row?  Called by the index access method.
 */
static bool
is_dead(ItemPointer tid, void *state)
{
	DeadRows   *dead = (DeadRows *) state;

	if (++dead->seen >= LOOK_ENTRIES)
		look_for_waiters(dead);
	/* most entries are about other parts of the table */
	if (ItemPointerGetBlockNumberNoCheck(tid) < dead->first_block ||
		ItemPointerGetBlockNumberNoCheck(tid) > dead->last_block)
		return false;
	return bsearch(tid, dead->tids, dead->count, sizeof(ItemPointerData),
				   compare_tids) != NULL;
}

static void
clean_indexes(Relation rel, DeadRows *dead)
{
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_VACUUM);
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index;
		IndexVacuumInfo info;

		/* somebody may be about to change it */
		if (!ConditionalLockRelationOid(lfirst_oid(lc), RowExclusiveLock))
			continue;
		index = index_open(lfirst_oid(lc), NoLock);
		memset(&info, 0, sizeof(info));
		info.index = index;
		pgm_set_heaprel(&info, rel);
		info.estimated_count = true;
		info.message_level = DEBUG2;
		info.num_heap_tuples = Max(rel->rd_rel->reltuples, 0);
		info.strategy = strategy;
		/* one that is being built or dropped is not ours to touch */
		if (index->rd_index->indisready)
		{
			/*
			 * looking into catalogs has left a snapshot that holds others
			 * back
			 */
			InvalidateCatalogSnapshotConditionally();
			(void) index_bulk_delete(&info, NULL, is_dead, dead);
		}
		index_close(index, RowExclusiveLock);
	}
	FreeAccessStrategy(strategy);
}

/*
 * Where short batches make way for other sessions, nap as autovacuum would.
 */
static void
begin_naps(const PgmLane *lane)
{
	if (!lane->brief)
		return;
	if (VacuumCostDelay == 0)
		(void) set_config_option("vacuum_cost_delay", NAP_MS, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
	pgm_vacuum_cost_begin();
}

/*
 * Delete the index entries of rows that were moved, in the transaction that is
 * open, which needs no snapshot.  Does nothing where VACUUM, or anything else
 * that excludes it, is at work on the table.
 */
void
pgm_lane_clean(PgmLane *lane)
{
	MemoryContext old = MemoryContextSwitchTo(lane->batch_cxt);
	DeadRows	dead = {lane->leaf_relid};
	Relation	rel;

	MemoryContextReset(lane->batch_cxt);
	if (ConditionalLockRelationOid(lane->leaf_relid, ShareUpdateExclusiveLock))
	{
		rel = try_table_open(lane->leaf_relid, NoLock);
		if (rel != NULL && rel->rd_rel->relfilenode == lane->leaf_file)
		{
			begin_naps(lane);
			find_dead_rows(&dead, rel, &lane->clean);
			pgm_lock_pin_watch_begin(PIN_MS);
			if (dead.count > 0)
				clean_indexes(rel, &dead);
			pgm_lock_pin_watch_end();
		}
		if (rel != NULL)
			table_close(rel, NoLock);
	}
	pgm_lane_forget_cleaning(lane);
	MemoryContextReset(lane->batch_cxt);
	MemoryContextSwitchTo(old);
}

/*
 * Whatever came of it, begin to count again.
 */
void
pgm_lane_forget_cleaning(PgmLane *lane)
{
	pgm_lock_pin_watch_end();
	pgm_vacuum_cost_end();
	memset(&lane->clean, 0, sizeof(lane->clean));
}

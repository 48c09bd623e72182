/*-------------------------------------------------------------------------
 *
 * pages.c
 *	  Going through a table by its pages.
 *
 * A piece is a range of pages, and is worked on in spans of some hundred pages,
 * a few of them in turn.  A batch takes what fits on the pages of one span, and
 * of the next one if that is not enough.  When it comes round to the first span
 * again, some transactions have ended since, and what the batches before left
 * there can be pruned: that is why there are several, and enough of them for the
 * batches of other lanes, which hold pruning back too.  A transaction that stays
 * open holds pruning back; when nothing gets room for some time, rows are moved
 * to other pages as a plain UPDATE would, and packing is tried again later.
 *
 * The first pass goes by spans.  Later ones look for the few rows that moved
 * behind its back: they look at the whole table with one snapshot, from which no
 * row can hide by moving, unless it is so large that a snapshot would have to
 * stay open for long.
 *
 * IDENTIFICATION
 *	  src/backfill/pages.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "storage/procarray.h"

#include "base/compat.h"
#include "backfill/lane.h"

#define SPAN_BLOCKS			256
#define SMALL_SPAN_BLOCKS	64

/* Spans that are looked for rows in one batch. */
#define MAX_OPENED			16

/* Rows that a span of a later pass may have. */
#define SWEEP_ROWS			200000

/* How long rows wait for room before they are moved. */
#define STUCK_MS			1000

/* Spans to be done without packing after that: the open ones, later more. */
#define LEAST_PLAIN_SPANS	PGM_SPANS
#define MOST_PLAIN_SPANS	1024

/* Rows after which it is judged how well packing works. */
#define JUDGE_ROWS			2000
#define MAX_SLACK			64

/*
 * Begin with the piece of the lane.
 */
void
pgm_pages_begin(PgmLane *lane)
{
	lane->pages.next = lane->row.from_block;
	lane->pages.patience = LEAST_PLAIN_SPANS / 4;
}

static bool
packs(const PgmLane *lane)
{
	return lane->packing.possible && !lane->one_by_one && lane->row.pass == 1 && lane->careful == 0;
}

/*
 * The next span of the piece, or NULL if there is none.
 */
static PgmSpan *
open_span(PgmLane *lane)
{
	PgmPages   *pages = &lane->pages;
	const PgmLaneRow *row = &lane->row;
	MemoryContext old;
	BlockNumber last;
	PgmSpan    *span;
	PgmCandidates which = PGM_CANDIDATES_ALL;

	if (pages->next >= row->to_block)
		return NULL;
	if (row->pass > 1)
		last = row->to_block;
	else if (lane->one_by_one)
		last = Min(pages->next + SMALL_SPAN_BLOCKS, row->to_block);
	else
		last = Min(pages->next + SPAN_BLOCKS, row->to_block);
	old = MemoryContextSwitchTo(lane->piece_cxt);
	if (lane->careful > 0)
		which = PGM_CANDIDATES_CAREFUL;
	else if (lane->bad_rows != NIL)
		which = PGM_CANDIDATES_BUT;
	span = pgm_span_open(pages->next, last, lane->candidates[which], lane->bad_rows,
						 row->pass > 1 ? SWEEP_ROWS : PG_INT32_MAX);
	MemoryContextSwitchTo(old);
	pages->next = pgm_span_end(span);
	if (pages->plain_spans > 0)
		pages->plain_spans--;
	return span;
}

static void
close_span(PgmLane *lane, PgmSpan *span, Relation rel)
{
	if (packs(lane))
		pgm_clean_note(lane, pgm_span_first(span), pgm_span_end(span));
	pgm_span_close(span, packs(lane) ? rel : NULL);
}

/*
 * Put another span in the place of those that have no rows left.  Returns false
 * if there is nothing left in the piece.  Not without end if there is nothing to
 * be found: the limits are to be looked at, and the progress to be seen.
 */
static bool
refill(PgmLane *lane, Relation rel)
{
	PgmPages   *pages = &lane->pages;
	bool		any = false;
	int			opened = 0;

	for (int i = 0; i < (lane->one_by_one ? 1 : PGM_SPANS); i++)
	{
		while (pages->spans[i] == NULL || pgm_span_left(pages->spans[i]) == 0)
		{
			if (pages->spans[i] != NULL)
				close_span(lane, pages->spans[i], rel);
			pages->spans[i] = NULL;
			if (opened++ >= MAX_OPENED)
				return true;
			pages->spans[i] = open_span(lane);
			if (pages->spans[i] == NULL)
				break;
		}
		any = any || pages->spans[i] != NULL;
	}
	return any;
}

/*
 * Give up on packing for a while if rows have waited for room in vain.
 */
static void
judge_waiting(PgmLane *lane)
{
	PgmPages   *pages = &lane->pages;

	if (pages->stuck_ms < STUCK_MS || pages->plain_spans > 0)
		return;
	pages->patience = Min(pages->patience * 4, MOST_PLAIN_SPANS);
	pages->plain_spans = pages->patience;
	pages->stuck_ms = 0;
	strlcpy(lane->row.packing, "an old transaction keeps old row versions from being pruned",
			sizeof(lane->row.packing));
}

/*
 * Hand out up to "want" rows, from the spans in turn.
 */
static void
take_rows(PgmLane *lane, Relation rel, int want, ItemPointer tids, PgmVisit *visit)
{
	PgmPages   *pages = &lane->pages;
	bool		pack = packs(lane);
	bool		take_all = pages->plain_spans > 0;

	for (int i = 0; i < PGM_SPANS && visit->chosen < want; i++)
	{
		PgmSpan    *span = pages->spans[pages->turn];

		if (span != NULL && pack)
			pgm_span_take_fitting(span, rel, lane->packing.slack, take_all, want, tids, visit);
		else if (span != NULL)
			pgm_span_take(span, want, tids, visit);
		if (visit->chosen < want)
			pages->turn = (pages->turn + 1) % PGM_SPANS;
	}
	if (visit->gained)
	{
		pages->stuck_ms = 0;
		pages->patience = LEAST_PLAIN_SPANS / 4;
	}
}

/*
 * See whether new versions stay on their pages as foreseen, and ask for more
 * room for each, or give up, if not.
 */
static void
judge_packing(PgmLane *lane, int foreseen, int stayed)
{
	PgmPacking *packing = &lane->packing;

	packing->foreseen += foreseen;
	packing->stayed += stayed;
	if (packing->foreseen < JUDGE_ROWS)
		return;
	if (packing->stayed < packing->foreseen * 0.93)
		packing->slack += MAXIMUM_ALIGNOF;
	packing->foreseen = packing->stayed = 0;
	if (packing->slack > MAX_SLACK)
	{
		packing->possible = false;
		strlcpy(lane->row.packing, "new row versions are larger than could be foreseen",
				sizeof(lane->row.packing));
	}
}

/*
 * How many of these rows are not at their places any more?  Called with SPI
 * connected.
 */
static int
count_gone(PgmLane *lane, ItemPointer tids, int count)
{
	const bool	read_only = false;
	int			gone = 0;

	for (int i = 0; i < count; i++)
	{
		Datum		values[1] = {PointerGetDatum(&tids[i])};

		if (pgm_statement_run(lane->describe, values, read_only, NULL) == 0)
			gone++;
	}
	return gone;
}

/*
 * Take some rows and change them.  Returns whether there were any.
 */
static bool
do_slice(PgmLane *lane, Relation rel, int want)
{
	ItemPointerData tids[PGM_SLICE_ROWS];
	PgmVisit	visit = {lane->pages.round};
	int64		hot = pgm_hot_updates(rel);
	bool		packed = packs(lane) && lane->pages.plain_spans == 0;
	int			changed;
	int			bad = lane->batch.bad;

	take_rows(lane, rel, Min(want, PGM_SLICE_ROWS), tids, &visit);
	lane->batch.waiting = lane->batch.waiting || visit.waiting;
	lane->batch.gained = lane->batch.gained || visit.gained;
	if (visit.chosen == 0)
		return false;
	SPI_connect();
	changed = pgm_change_rows(lane, tids, visit.chosen);

	/*
	 * what a trigger keeps as it is stays where it is; what others changed
	 * moves
	 */
	if (lane->row.pass > 1 && changed < visit.chosen)
		lane->batch.skipped = count_gone(lane, tids, visit.chosen) > changed ||
			lane->batch.skipped;
	SPI_finish();
	if (packed && pgm_counts_updates(rel))
		judge_packing(lane, Max(changed - visit.moves, 0), pgm_hot_updates(rel) - hot);
	if (changed < visit.chosen - (lane->batch.bad - bad))
		lane->locked = lane->locked || lane->skip_locked > 0;
	lane->batch.chosen += visit.chosen;
	if (packed)
		lane->clean.moved += pgm_counts_updates(rel) ?
			changed - (pgm_hot_updates(rel) - hot) : visit.moves;
	lane->batch.changed += changed;
	return true;
}

/*
 * How much of the piece is done.
 */
static double
piece_done(const PgmLane *lane)
{
	const PgmPages *pages = &lane->pages;
	double		blocks = lane->row.piece_units - (double) (lane->row.to_block - pages->next);

	for (int i = 0; i < PGM_SPANS; i++)
	{
		if (pages->spans[i] != NULL)
			blocks -= SPAN_BLOCKS * (1.0 - pgm_span_done(pages->spans[i]));
	}
	return Max(lane->row.piece_done,
			   Min(1.0, blocks / Max(lane->row.piece_units, 1)));
}

/*
 * Where to begin again if what we remember is lost: all pages before are done.
 */
static BlockNumber
first_open_block(const PgmLane *lane)
{
	BlockNumber block = lane->pages.next;

	if (lane->one_by_one && lane->pages.spans[0] != NULL)
		return pgm_span_next_block(lane->pages.spans[0]);
	for (int i = 0; i < PGM_SPANS; i++)
	{
		if (lane->pages.spans[i] != NULL)
			block = Min(block, pgm_span_first(lane->pages.spans[i]));
	}
	return block;
}

/*
 * Have the server find out anew which row versions nobody can see any more.  By
 * itself it does so only when the oldest running transaction is another one than
 * when it last did.  If a snapshot was in the way then, and is gone, and nobody
 * writes, it would never be.
 */
static void
look_at_horizon(Relation rel)
{
	(void) GetOldestNonRemovableTransactionId(rel);
}

/*
 * One batch of a piece that is a range of pages.  Returns false when the piece is
 * done.
 */
bool
pgm_pages_batch(PgmLane *lane, Relation rel)
{
	int			rows = pgm_pace_rows(&lane->pace);
	bool		more;

	lane->pages.round++;
	judge_waiting(lane);
	if (lane->pages.stuck_ms > 0)
		look_at_horizon(rel);
	SPI_connect();
	more = refill(lane, rel);
	SPI_finish();
	while (more && lane->batch.chosen < rows)
	{
		if (!do_slice(lane, rel, rows - lane->batch.chosen))
			break;
		if (pgm_change_is_waited_for())
			break;
		SPI_connect();
		more = refill(lane, rel);
		SPI_finish();
	}
	if (lane->batch.gained && lane->pages.plain_spans == 0 && packs(lane))
		lane->row.packing[0] = '\0';
	lane->row.piece_done = piece_done(lane);
	lane->row.from_block = first_open_block(lane);
	return more;
}

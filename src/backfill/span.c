/*-------------------------------------------------------------------------
 *
 * span.c
 *	  The rows of one range of pages that are still to be done.
 *
 * The rows are looked up once, when the span is opened: their places, and how
 * much each of them will grow.  From then on the span hands out places, and
 * forgets what it has handed out.  A row that was changed by somebody else
 * meanwhile is not found at its place any more; the next pass through the table
 * will find it.
 *
 * Rows are handed out in order, or, to keep new versions on the pages of the old
 * ones, page by page as they fit (pack.c).  For that a page is pruned and
 * measured on each visit.  A page whose old versions cannot be pruned yet,
 * because a transaction may still see them, has to wait; it is left alone until
 * it has got room.
 *
 * IDENTIFICATION
 *	  src/backfill/span.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/heaptoast.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "storage/freespace.h"
#include "utils/array.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "backfill/backfill.h"

/* A row does not get wider than that: the server moves values out of it. */
#define WIDEST_ROW	((int) TOAST_TUPLE_TARGET)

typedef struct SpanRow
{
	OffsetNumber offset;
	int16		growth;			/* in bytes */
} SpanRow;

typedef struct SpanPage
{
	BlockNumber block;
	int			start;			/* of its rows in the span's */
	int			left;			/* rows to be done */
	int			first;			/* how many there were at first */
	int			expected;		/* free space if nothing gets pruned; -1: any */
	int			round;			/* batch that visited it last */
} SpanPage;

struct PgmSpan
{
	BlockNumber first;
	BlockNumber end;			/* where it ends */
	SpanRow    *rows;
	int			row_count;
	int			row_room;
	int			max_rows;
	SpanPage   *pages;
	int			page_count;
	int			page_room;
	int			page;			/* to be visited next */
	int			left;			/* rows to be done */
	List	   *bad_rows;
};

/* Collects what a statement finds. */
typedef struct Collector
{
	DestReceiver dest;
	PgmSpan    *span;
	MemoryContext cxt;
} Collector;

static bool
is_bad(const PgmSpan *span, ItemPointer tid, TransactionId xmin)
{
	ListCell   *lc;

	foreach(lc, span->bad_rows)
	{
		PgmBadRow  *bad = (PgmBadRow *) lfirst(lc);

		if (ItemPointerEquals(&bad->ctid, tid) && bad->xmin == xmin)
			return true;
	}
	return false;
}

/* Bytes that a value takes in a row. */
static int
stored_size(Form_pg_attribute att, Datum value, bool isnull)
{
	if (isnull)
		return 0;
	if (att->attlen > 0)
		return att->attlen;
	if (att->attlen == -1)
	{
		struct varlena *v = (struct varlena *) DatumGetPointer(value);

		if (!VARATT_IS_EXTENDED(v) && VARATT_CAN_MAKE_SHORT(v))
			return VARATT_CONVERTED_SHORT_SIZE(v);
		if (VARATT_IS_EXTERNAL_EXPANDED(v))
			return WIDEST_ROW;
		return VARSIZE_ANY(v);
	}
	return strlen(DatumGetCString(value)) + 1;
}

/*
 * What a row grows by, from pairs of old and new values.
 */
static int
row_growth(TupleTableSlot *slot)
{
	TupleDesc	desc = slot->tts_tupleDescriptor;
	int			growth = 0;

	for (int i = 2; i + 1 < desc->natts; i += 2)
		growth += stored_size(TupleDescAttr(desc, i + 1), slot->tts_values[i + 1],
							  slot->tts_isnull[i + 1]) -
			stored_size(TupleDescAttr(desc, i), slot->tts_values[i], slot->tts_isnull[i]);
	return Max(Min(growth, WIDEST_ROW), -WIDEST_ROW);
}

static SpanPage *
page_of(PgmSpan *span, BlockNumber block)
{
	SpanPage   *page;

	if (span->page_count > 0 && span->pages[span->page_count - 1].block == block)
		return &span->pages[span->page_count - 1];
	if (span->page_count == span->page_room)
	{
		span->page_room *= 2;
		span->pages = repalloc(span->pages, sizeof(SpanPage) * span->page_room);
	}
	page = &span->pages[span->page_count++];
	page->block = block;
	page->start = span->row_count;
	page->left = page->first = 0;
	page->expected = -1;
	page->round = -1;
	return page;
}

/*
 * Add a row that was found.  Returns false, which ends the scan, where the span
 * has as many rows as it may have and a page is complete.
 */
static bool
collect_row(TupleTableSlot *slot, DestReceiver *self)
{
	Collector  *collector = (Collector *) self;
	PgmSpan    *span = collector->span;
	ItemPointer tid;
	SpanPage   *page;
	SpanRow    *row;

	slot_getallattrs(slot);
	tid = (ItemPointer) DatumGetPointer(slot->tts_values[0]);
	if (span->row_count >= span->max_rows &&
		ItemPointerGetBlockNumber(tid) != span->pages[span->page_count - 1].block)
	{
		span->end = ItemPointerGetBlockNumber(tid);
		return false;
	}
	if (span->bad_rows != NIL &&
		is_bad(span, tid, DatumGetTransactionId(slot->tts_values[1])))
		return true;

	page = page_of(span, ItemPointerGetBlockNumber(tid));
	if (span->row_count == span->row_room)
	{
		span->row_room *= 2;
		span->rows = repalloc_huge(span->rows, sizeof(SpanRow) * span->row_room);
	}
	row = &span->rows[span->row_count++];
	row->offset = ItemPointerGetOffsetNumber(tid);
	row->growth = row_growth(slot);
	page->left++;
	page->first++;
	span->left++;
	return true;
}

/*
 * Two arrays: where the rows are that were put aside, and their xmins.
 */
static void
put_bad_rows(List *bad_rows, Datum *values)
{
	int			count = list_length(bad_rows);
	Datum	   *places = palloc(sizeof(Datum) * count);
	Datum	   *xmins = palloc(sizeof(Datum) * count);
	int			n = 0;
	ListCell   *lc;

	foreach(lc, bad_rows)
	{
		PgmBadRow  *bad = (PgmBadRow *) lfirst(lc);

		places[n] = PointerGetDatum(&bad->ctid);
		xmins[n++] = TransactionIdGetDatum(bad->xmin);
	}
	values[0] = PointerGetDatum(construct_array(places, n, TIDOID, sizeof(ItemPointerData),
												false, TYPALIGN_SHORT));
	values[1] = PointerGetDatum(construct_array(xmins, n, XIDOID, sizeof(TransactionId), true,
												TYPALIGN_INT));
}

static void
start_collecting(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
end_collecting(DestReceiver *self)
{
}

/*
 * Look up what is to be done on the pages from "first" on and before "last", but
 * for rows that were put aside; after about max_rows rows the span ends early.
 * Lives in the current memory context.  Called with SPI connected.
 */
PgmSpan *
pgm_span_open(BlockNumber first, BlockNumber last, PgmStatement *candidates, List *bad_rows,
			  int max_rows)
{
	PgmSpan    *span = palloc0(sizeof(PgmSpan));
	Collector	collector = {{0}};
	ItemPointerData from;
	ItemPointerData to;
	Datum		values[4];
	const bool	read_only = true;

	span->first = first;
	span->end = last;
	span->max_rows = max_rows;
	span->row_room = 1024;
	span->rows = palloc(sizeof(SpanRow) * span->row_room);
	span->page_room = 64;
	span->pages = palloc(sizeof(SpanPage) * span->page_room);
	span->bad_rows = bad_rows;

	collector.dest.receiveSlot = collect_row;
	collector.dest.rStartup = start_collecting;
	collector.dest.rShutdown = end_collecting;
	collector.dest.rDestroy = end_collecting;
	collector.dest.mydest = DestNone;
	collector.span = span;

	ItemPointerSet(&from, first, 0);
	ItemPointerSet(&to, last, 0);
	values[0] = PointerGetDatum(&from);
	values[1] = PointerGetDatum(&to);
	if (candidates->nargs > 2)
		put_bad_rows(bad_rows, &values[2]);
	(void) pgm_statement_run(candidates, values, read_only, &collector.dest);
	span->bad_rows = NIL;
	return span;
}

BlockNumber
pgm_span_first(const PgmSpan *span)
{
	return span->first;
}

BlockNumber
pgm_span_end(const PgmSpan *span)
{
	return span->end;
}

/*
 * Rows that have not been handed out.
 */
int
pgm_span_left(const PgmSpan *span)
{
	return span->left;
}

/*
 * First page with rows that have not been handed out, where they are in order.
 */
BlockNumber
pgm_span_next_block(const PgmSpan *span)
{
	return span->left > 0 ? span->pages[span->page].block : span->end;
}

/*
 * Share of the rows that have been handed out.
 */
double
pgm_span_done(const PgmSpan *span)
{
	return span->row_count == 0 ? 1.0 : 1.0 - (double) span->left / span->row_count;
}

/* Hand out the first rows of a page. */
static int
hand_out(PgmSpan *span, SpanPage *page, int count, ItemPointer out)
{
	SpanRow    *rows = &span->rows[page->start];

	for (int i = 0; i < count; i++)
		ItemPointerSet(&out[i], page->block, rows[i].offset);
	page->start += count;
	page->left -= count;
	span->left -= count;
	return count;
}

/*
 * Hand out up to "want" rows in order.
 */
void
pgm_span_take(PgmSpan *span, int want, ItemPointer out, PgmVisit *visit)
{
	for (; span->page < span->page_count && visit->chosen < want; span->page++)
	{
		SpanPage   *page = &span->pages[span->page];

		visit->chosen += hand_out(span, page, Min(page->left, want - visit->chosen),
								  out + visit->chosen);
		if (page->left > 0)
			return;
	}
	if (span->page >= span->page_count)
		span->page = 0;
}

/*
 * What the rows of a page need, in order; rows that are not there any more are
 * dropped.  Called with the page locked.
 */
static int
measure_rows(PgmSpan *span, SpanPage *page, Page contents, int slack, PgmPackRow *out)
{
	SpanRow    *rows = &span->rows[page->start];
	int			kept = 0;

	for (int i = 0; i < page->left; i++)
	{
		ItemId		item;
		int			size;

		if (rows[i].offset > PageGetMaxOffsetNumber(contents))
			continue;
		item = PageGetItemId(contents, rows[i].offset);
		if (!ItemIdIsNormal(item))
			continue;
		size = Min((int) ItemIdGetLength(item) + rows[i].growth + slack,
				   Max((int) ItemIdGetLength(item), WIDEST_ROW));
		out[kept].old_size = MAXALIGN(ItemIdGetLength(item));
		out[kept].new_size = MAXALIGN(Max(size, MinHeapTupleSize)) + sizeof(ItemIdData);
		rows[kept++] = rows[i];
	}
	span->left -= page->left - kept;
	page->left = kept;
	return kept;
}

/*
 * Prune a page, measure it and its rows, and return its free space.
 */
static int
measure_page(PgmSpan *span, SpanPage *page, Relation rel, int slack, PgmPackRow *rows)
{
	Buffer		buffer = ReadBuffer(rel, page->block);
	int			free_space;

	heap_page_prune_opt(rel, buffer);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	free_space = PageGetHeapFreeSpace(BufferGetPage(buffer));
	measure_rows(span, page, BufferGetPage(buffer), slack, rows);
	UnlockReleaseBuffer(buffer);
	/* what it returns leaves room for a line pointer already */
	return free_space == 0 ? 0 : free_space + sizeof(ItemIdData);
}

static int
visit_page(PgmSpan *span, SpanPage *page, Relation rel, int slack, bool take_all, int want,
		   ItemPointer out, PgmVisit *visit)
{
	PgmPackRow	rows[MaxHeapTuplesPerPage];
	PgmPackChoice choice;
	int			free_space;
	int			count;

	if (take_all)
		return hand_out(span, page, Min(page->left, want), out);

	free_space = measure_page(span, page, rel, slack, rows);
	choice = pgm_pack_choose(rows, page->left, free_space, page->first);
	if (page->expected >= 0 && free_space <= page->expected)
	{
		/* Not pruned since: what fits fits, but moving more would be rash. */
		choice.moving = 0;
		if (choice.fitting == 0 && page->left > 0)
			visit->waiting = true;
	}
	else if (page->expected >= 0)
		visit->gained = true;

	count = Min(choice.fitting + choice.moving, want);
	page->expected = free_space;
	for (int i = 0; i < Min(choice.fitting, count); i++)
		page->expected -= rows[i].new_size;
	visit->moves += Max(count - choice.fitting, 0);
	return hand_out(span, page, count, out);
}

/*
 * Forget pages that the table does not have any more.
 */
static void
drop_pages(PgmSpan *span, BlockNumber blocks)
{
	while (span->page_count > 0 && span->pages[span->page_count - 1].block >= blocks)
		span->left -= span->pages[--span->page_count].left;
	if (span->page >= span->page_count)
		span->page = 0;
}

/*
 * Hand out up to "want" rows such that most of their new versions stay on their
 * pages, going on with the page after the last one that was visited; at most
 * once around.  "slack" is what rows need beyond their growth.  With take_all
 * rows are handed out whether they fit or not.
 */
void
pgm_span_take_fitting(PgmSpan *span, Relation rel, int slack, bool take_all, int want,
					  ItemPointer out, PgmVisit *visit)
{
	drop_pages(span, RelationGetNumberOfBlocks(rel));
	for (int i = 0; i < span->page_count && visit->chosen < want && span->left > 0; i++)
	{
		SpanPage   *page = &span->pages[span->page];

		if (page->left > 0 && (page->round != visit->round || take_all))
		{
			visit->chosen += visit_page(span, page, rel, slack, take_all, want - visit->chosen,
										out + visit->chosen, visit);
			page->round = visit->round;
		}
		else if (page->left > 0)
			visit->waiting = true;
		span->page = (span->page + 1) % span->page_count;
		if (span->page == 0)
			break;
	}
}

/*
 * Let others use the room that is left on the pages.
 */
static void
record_free_space(PgmSpan *span, Relation rel)
{
	drop_pages(span, RelationGetNumberOfBlocks(rel));
	for (int i = 0; i < span->page_count; i++)
	{
		SpanPage   *page = &span->pages[i];
		PgmPackRow	rows[1];

		if (page->expected < 0)
			continue;
		page->left = 0;
		RecordPageWithFreeSpace(rel, page->block, measure_page(span, page, rel, 0, rows));
	}
	if (span->page_count > 0)
		FreeSpaceMapVacuumRange(rel, span->pages[0].block,
								span->pages[span->page_count - 1].block + 1);
}

/*
 * Forget a span.  With a relation, its pages' free space gets known.
 */
void
pgm_span_close(PgmSpan *span, Relation rel)
{
	if (rel != NULL)
		record_free_space(span, rel);
	pfree(span->rows);
	pfree(span->pages);
	pfree(span);
}

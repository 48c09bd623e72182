/*-------------------------------------------------------------------------
 *
 * estimate.c
 *	  What a backfill would take, by trying a few of its rows.
 *
 * Rows from a few places of each table are changed in a subtransaction that is
 * rolled back, so triggers and constraints count as well.  The rest is a rule of
 * three over the pages.  In-place packing cannot be tried that way; it makes the
 * real thing cheaper.
 *
 * IDENTIFICATION
 *	  src/backfill/estimate.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/instrument.h"
#include "executor/spi.h"
#include "portability/instr_time.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/rel.h"

#include "base/guc.h"
#include "base/subxact.h"
#include "backfill/estimate.h"

/* Places to look at in each table, and how much of each. */
#define PLACES			4
#define PLACE_BLOCKS	32
#define PLACE_ROWS		256

/* Tables that are looked at, of many partitions. */
#define MAX_LEAVES		8

typedef struct Sample
{
	const PgmJob *job;
	const PgmShape *shape;
	List	   *leaves;
	double		blocks;			/* of all tables looked at */
	double		looked;			/* blocks of them */
	double		found;			/* rows to be done in these */
	double		tried;			/* rows that were changed */
	double		ms;
	int64		wal_bytes;
	PgmEstimate *result;
} Sample;

static void
change_rows(Sample *s, PgmStatement *change, ItemPointer tids, int count)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(count, 1));
	Datum		values[1];
	int64		wal = pgWalUsage.wal_bytes;
	instr_time	start;
	instr_time	end;
	const bool	read_only = false;

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(&tids[i]);
	values[0] = PointerGetDatum(construct_array(elements, count, TIDOID,
												sizeof(ItemPointerData), false, TYPALIGN_SHORT));
	INSTR_TIME_SET_CURRENT(start);
	s->tried += pgm_statement_run(change, values, read_only, NULL);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	s->ms += INSTR_TIME_GET_MILLISEC(end);
	s->wal_bytes += pgWalUsage.wal_bytes - wal;
}

static void
try_place(Sample *s, PgmStatement *candidates, PgmStatement *change, BlockNumber first,
		  BlockNumber last)
{
	ItemPointerData tids[PLACE_ROWS];
	PgmVisit	visit = {0};
	PgmSpan    *span = pgm_span_open(first, last, candidates, NIL, PG_INT32_MAX);

	s->looked += last - first;
	s->found += pgm_span_left(span);
	pgm_span_take(span, PLACE_ROWS, tids, &visit);
	if (visit.chosen > 0)
		change_rows(s, change, tids, visit.chosen);
	pgm_span_close(span, NULL);
}

static void
try_leaf(Sample *s, Oid leaf)
{
	Relation	rel = table_open(leaf, RowExclusiveLock);
	BlockNumber blocks = RelationGetNumberOfBlocks(rel);
	PgmStatement *candidates = pgm_statement_candidates(s->shape, leaf, PGM_CANDIDATES_ALL,
														false);
	PgmStatement *change = pgm_statement_change(s->shape, leaf, false);

	s->blocks += blocks;
	SPI_connect();
	for (int i = 0; i < PLACES; i++)
	{
		BlockNumber first = (BlockNumber) ((double) blocks * i / PLACES);
		BlockNumber end = (BlockNumber) ((double) blocks * (i + 1) / PLACES);

		if (first < end)
			try_place(s, candidates, change, first, Min(end, first + PLACE_BLOCKS));
	}
	SPI_finish();
	pgm_statement_free(candidates);
	pgm_statement_free(change);
	table_close(rel, NoLock);
}

static void
try_leaves(void *arg)
{
	Sample	   *s = (Sample *) arg;
	int			guc_level = NewGUCNestLevel();
	int			n = 0;
	ListCell   *lc;

	pgm_guc_restore_meaning(s->job->settings);
	(void) set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (pgm_lock_timeout > 0)
		(void) set_config_option("lock_timeout", psprintf("%d", pgm_lock_timeout), PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	s->shape = pgm_shape_analyze(s->job->relid, pgm_target_alias(s->job->relation),
								 s->job->assign, s->job->filter);
	foreach(lc, s->leaves)
	{
		if (n++ < MAX_LEAVES)
			try_leaf(s, lfirst_oid(lc));
	}
	AtEOXact_GUC(true, guc_level);
}

/*
 * Try some rows of a job, which need not be stored, and tell what all of them
 * would take.  Throws what changing them throws.
 */
PgmEstimate
pgm_estimate_job(const PgmJob *job, List *leaves)
{
	PgmEstimate result = {0};
	Sample		s = {0};
	const bool	keep = true;
	ErrorData  *error;
	double		scale;

	s.job = job;
	s.leaves = leaves;
	error = pgm_subxact_run(try_leaves, &s, !keep);
	if (error != NULL)
		ReThrowError(error);
	scale = (double) list_length(leaves) / Max(Min(list_length(leaves), MAX_LEAVES), 1);
	result.sampled = (int64) s.tried;
	if (s.looked > 0)
		result.rows = (int64) (s.found * (s.blocks / s.looked) * scale);
	if (s.tried > 0)
	{
		int			batch = job->batch_rows > 0 ? job->batch_rows : pgm_backfill_batch_rows;

		result.ms = s.ms / s.tried * result.rows;
		result.wal_bytes = (int64) (s.wal_bytes / s.tried * result.rows);
		result.batch_ms = s.ms / s.tried * Min((double) batch, (double) Max(result.rows, 1));
	}
	return result;
}

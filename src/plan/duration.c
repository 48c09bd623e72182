/*-------------------------------------------------------------------------
 *
 * duration.c
 *	  How many bytes a step reads or writes, and how long that may take.
 *
 * A rule of three over the sizes of relations: nothing of the user's is tried for
 * it, and no row is read.  What steps of the same kind took in runs before is the
 * best that is known about the server, the table's triggers and the load; else
 * there are rates that a server of average size reaches while it has other things
 * to do.
 *
 * What hangs on others, and not on the size, is not guessed: how long who uses the
 * table goes on with it, and what a query or a function of the user's takes.
 *
 * IDENTIFICATION
 *	  src/plan/duration.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "utils/lsyscache.h"

#include "base/relation.h"
#include "plan/plan.h"
#include "store/online.h"

#define MB_PER_S(mb)	((mb) * 1048.576)	/* in bytes per millisecond */

/* What is taken for granted as long as nothing was measured. */
static const double default_rates[] = {
	[PGM_HOLD_SCAN] = MB_PER_S(200),
	[PGM_HOLD_BUILD] = MB_PER_S(30),
	[PGM_HOLD_BATCHES] = MB_PER_S(5),
	[PGM_HOLD_REWRITE] = MB_PER_S(40),
};

#define DEFAULT_MS		10.0	/* of a step, whatever the size */

/*
 * How long the lock of a line is held, as far as that is known.
 */
PgmHold
pgm_plan_hold(const PgmPlanLine *line)
{
	if (line->rewrites == PGM_EFFECT_YES)
		return PGM_HOLD_REWRITE;
	if (line->scans == PGM_EFFECT_YES)
		return IsA(line->statement->raw->stmt, IndexStmt) ||
			IsA(line->statement->raw->stmt, ReindexStmt) ? PGM_HOLD_BUILD : PGM_HOLD_SCAN;
	if (line->rewrites == PGM_EFFECT_UNKNOWN || line->scans == PGM_EFFECT_UNKNOWN)
		return PGM_HOLD_UNKNOWN;
	return PGM_HOLD_BRIEF;
}

/*
 * Bytes of a relation that are read or written while locks are held for "hold"; 0
 * where that is no matter of size.  "whole": with its partitions, which have no
 * lines of their own.
 */
int64
pgm_plan_bytes(Oid relid, PgmHold hold, bool whole)
{
	if (hold < PGM_HOLD_SCAN || !OidIsValid(relid))
		return 0;
	return pgm_relation_size(relid, whole && get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE);
}

/*
 * What was measured of commands of that kind, of that hold at least, or NULL.
 */
static const PgmStepRate *
find_rate(const List *rates, const char *kind, PgmHold hold)
{
	const char *name = pgm_online_hold_name(hold);
	ListCell   *lc;

	foreach(lc, rates)
	{
		const PgmStepRate *rate = (PgmStepRate *) lfirst(lc);

		if (strcmp(rate->kind, kind) == 0 && strcmp(rate->hold, name) == 0)
			return rate;
	}
	return NULL;
}

/*
 * How many milliseconds a command takes for so many bytes; "rates" is what
 * pgm_store_fetch_rates() returned, and "first" is true for the first relation of the
 * command, to which what does not hang on the size is counted.  Returns false if that
 * is not known.
 */
bool
pgm_plan_duration(const List *rates, const char *kind, PgmHold hold, int64 bytes, bool first,
				  double *ms)
{
	const PgmStepRate *rate = hold <= PGM_HOLD_UNKNOWN ? NULL : find_rate(rates, kind, hold);
	double		bytes_per_ms = rate == NULL ? 0 : rate->bytes_per_ms;
	double		least = rate == NULL ? 0 : rate->ms;

	if (hold <= PGM_HOLD_UNKNOWN || (hold == PGM_HOLD_WAIT && least == 0))
		return false;
	if (bytes_per_ms == 0 && hold >= PGM_HOLD_SCAN)
		bytes_per_ms = default_rates[hold];
	*ms = bytes > 0 ? bytes / bytes_per_ms : 0;
	if (first)
		*ms += least == 0 ? DEFAULT_MS : least;
	return true;
}

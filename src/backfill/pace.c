/*-------------------------------------------------------------------------
 *
 * pace.c
 *	  How many rows the next batch should have; percentiles of batch times.
 *
 * A batch is to take about a given time: long enough that the commit costs
 * little, short enough that nobody waits for its row locks.  Its size follows
 * the time a row took in the last ten batches, by the ninth of these times in
 * order, so that one batch that stood still does not count, and two do.  It
 * grows by half at most, since rows further on may be slower, and shrinks to
 * what fits at once.  A batch that took five times as long as it should needs no
 * second opinion: the next one has a tenth of its rows.
 *
 * A batch that found far less rows than it was to have, at the end of a range or
 * where few are left, spent its time on other things too.  If it was fast it
 * says no more than that the size asked for would do; it never makes the next
 * one bigger.
 *
 * IDENTIFICATION
 *	  src/backfill/pace.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "backfill/pace.h"

#define FIRST_ROWS			1000
#define LEAST_ROWS			10
#define MOST_GROWTH			1.5
#define CUT					10.0	/* after a batch far too long */
#define FAR_TOO_LONG		5.0 /* times the target */
#define CEILING_GROWTH		1.02	/* each batch, after a timeout */

/* The histogram's first bucket ends here; each further one is so much wider. */
#define FIRST_BUCKET_MS		0.01
#define BUCKET_RATIO		1.08

static void
clamp(PgmPace *p)
{
	if (p->ceiling > 0 && p->rows > p->ceiling)
		p->rows = p->ceiling;
	if (p->rows > p->max_rows)
		p->rows = p->max_rows;
	if (p->rows < Min(LEAST_ROWS, p->max_rows))
		p->rows = Min(LEAST_ROWS, p->max_rows);
}

/*
 * Begin, before the first batch.
 */
void
pgm_pace_init(PgmPace *p, int max_rows, double target_ms)
{
	memset(p, 0, sizeof(*p));
	p->rows = FIRST_ROWS;
	pgm_pace_limit(p, max_rows, target_ms);
}

/*
 * The limits are these from now on.  What is known about the rows stays known.
 */
void
pgm_pace_limit(PgmPace *p, int max_rows, double target_ms)
{
	p->max_rows = Max(max_rows, 1);
	p->target_ms = Max(target_ms, 1.0);
	clamp(p);
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/*
 * What nine of ten batches needed for a row at most.
 */
static double
p90_ms_per_row(const PgmPace *p)
{
	double		sorted[PGM_PACE_SAMPLES];

	memcpy(sorted, p->ms_per_row, sizeof(double) * p->samples);
	qsort(sorted, p->samples, sizeof(double), compare_doubles);
	return sorted[(p->samples * 9 + 9) / 10 - 1];
}

static void
add_sample(PgmPace *p, double ms_per_row)
{
	p->ms_per_row[p->next] = ms_per_row;
	p->next = (p->next + 1) % PGM_PACE_SAMPLES;
	p->samples = Min(p->samples + 1, PGM_PACE_SAMPLES);
}

/*
 * Take a committed batch into account: rows it changed, and how long it took.
 */
void
pgm_pace_add(PgmPace *p, int rows, double ms)
{
	int			asked = pgm_pace_rows(p);
	bool		partial = rows < (asked + 1) / 2;
	double		ms_per_row;
	double		fitting;

	ms = Max(ms, 0.0);
	if (p->ceiling > 0)
		p->ceiling = Min(p->ceiling * CEILING_GROWTH, (double) p->max_rows);
	if (rows > 0)
	{
		ms_per_row = ms / rows;
		if (partial && ms <= p->target_ms)
			ms_per_row = Min(ms_per_row, p->target_ms / asked);
		add_sample(p, ms_per_row);
	}

	if (ms >= p->target_ms * FAR_TOO_LONG)
		p->rows /= CUT;
	else if (p->samples > 0)
	{
		fitting = p->target_ms / Max(p90_ms_per_row(p), 1e-9);
		if (fitting < p->rows)
			p->rows = fitting;
		else if (!partial)
			p->rows = Min(fitting, p->rows * MOST_GROWTH);
	}
	clamp(p);
}

/*
 * The batch did not end in the time that a statement may take, and nobody knows
 * how long it would have.  Half as many rows are the most from now on, which is
 * forgotten slowly.
 */
void
pgm_pace_shrink(PgmPace *p)
{
	p->ceiling = Max(p->rows / 2, 1.0);
	p->rows /= CUT;
	clamp(p);
}

/*
 * Rows that the next batch should have, at least 1.
 */
int
pgm_pace_rows(const PgmPace *p)
{
	return (int) p->rows;
}

void
pgm_times_reset(PgmTimes *t)
{
	memset(t, 0, sizeof(*t));
}

void
pgm_times_add(PgmTimes *t, double ms)
{
	int			i = 0;

	ms = Max(ms, 0.0);
	if (ms > FIRST_BUCKET_MS)
		i = (int) Min(ceil(log(ms / FIRST_BUCKET_MS) / log(BUCKET_RATIO)),
					  PGM_TIMES_BUCKETS - 1);
	t->buckets[i]++;
	t->min = t->count == 0 ? ms : Min(t->min, ms);
	t->max = t->count == 0 ? ms : Max(t->max, ms);
	t->count++;
}

/*
 * The time that the given share of all times does not exceed, within 4 percent;
 * 0 if there is none.
 */
double
pgm_times_percentile(const PgmTimes *t, double fraction)
{
	int			rank = Max((int) ceil(t->count * fraction - 1e-9), 1);
	int			seen = 0;
	int			i = 0;
	double		middle;

	if (t->count == 0)
		return 0;
	if (rank >= t->count)
		return t->max;
	while ((seen += t->buckets[i]) < rank)
		i++;
	middle = FIRST_BUCKET_MS * pow(BUCKET_RATIO, i - 0.5);
	return Max(Min(middle, t->max), t->min);
}

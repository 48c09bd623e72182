/*-------------------------------------------------------------------------
 *
 * pace.h
 *	  How many rows the next batch should have; percentiles of batch times.
 *
 * IDENTIFICATION
 *	  src/backfill/pace.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_PACE_H
#define PGM_PACE_H

/* Batches that are looked back upon. */
#define PGM_PACE_SAMPLES	10

/* What a lane knows about its batches; a plain struct, to be copied at will. */
typedef struct PgmPace
{
	int			max_rows;
	double		target_ms;
	double		rows;			/* of the next batch, before rounding */
	double		ceiling;		/* no more than that since a timeout; 0: none */
	double		ms_per_row[PGM_PACE_SAMPLES];	/* a ring */
	int			samples;		/* in the ring */
	int			next;			/* place of the next one */
} PgmPace;

extern void pgm_pace_init(PgmPace *p, int max_rows, double target_ms);
extern void pgm_pace_limit(PgmPace *p, int max_rows, double target_ms);
extern void pgm_pace_add(PgmPace *p, int rows, double ms);
extern void pgm_pace_shrink(PgmPace *p);
extern int	pgm_pace_rows(const PgmPace *p);

/* From 0.01 ms to some 12 days, in steps of 8 percent. */
#define PGM_TIMES_BUCKETS	330

/* Times of batches, counted on a logarithmic scale. */
typedef struct PgmTimes
{
	int			count;
	double		min;
	double		max;
	int			buckets[PGM_TIMES_BUCKETS];
} PgmTimes;

extern void pgm_times_reset(PgmTimes *t);
extern void pgm_times_add(PgmTimes *t, double ms);
extern double pgm_times_percentile(const PgmTimes *t, double fraction);

#endif							/* PGM_PACE_H */

/*-------------------------------------------------------------------------
 *
 * estimate.h
 *	  What a backfill would take.
 *
 * IDENTIFICATION
 *	  src/backfill/estimate.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_ESTIMATE_H
#define PGM_ESTIMATE_H

#include "backfill/backfill.h"

typedef struct PgmEstimate
{
	int64		rows;			/* to be done in all */
	double		ms;				/* for all of them */
	int64		wal_bytes;
	int64		sampled;		/* rows that were tried */
	double		batch_ms;		/* of a batch */
} PgmEstimate;

extern PgmEstimate pgm_estimate_job(const PgmJob *job, List *leaves);

#endif							/* PGM_ESTIMATE_H */

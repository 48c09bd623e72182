/*-------------------------------------------------------------------------
 *
 * finale.h
 *	  What a worker does when a job ends.
 *
 * IDENTIFICATION
 *	  src/worker/finale.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_FINALE_H
#define PGM_FINALE_H

#include "store/backfill.h"

extern void pgm_finale_fail(int64 job, bool too_many_bad, const ErrorData *error);
extern void pgm_finale_vacuum(int64 job, const char *label, MemoryContext cxt);

#endif							/* PGM_FINALE_H */

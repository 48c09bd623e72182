/*-------------------------------------------------------------------------
 *
 * subxact.h
 *	  A piece of work inside a subtransaction.
 *
 * IDENTIFICATION
 *	  src/base/subxact.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_SUBXACT_H
#define PGM_SUBXACT_H

#include "utils/elog.h"

typedef void (*PgmSubxactBody) (void *arg);

extern ErrorData *pgm_subxact_run(PgmSubxactBody body, void *arg, bool keep);
extern bool pgm_subxact_must_stop(const ErrorData *error);

#endif							/* PGM_SUBXACT_H */

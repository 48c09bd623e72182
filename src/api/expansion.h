/*-------------------------------------------------------------------------
 *
 * expansion.h
 *	  What the functions on expansions of columns and of tables share.
 *
 * IDENTIFICATION
 *	  src/api/expansion.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_EXPANSION_H
#define PGM_EXPANSION_H

#include "fmgr.h"

#include "store/backfill.h"
#include "sync/sync.h"

extern Oid	pgm_expansion_table_argument(FunctionCallInfo fcinfo, int n, const char *name);
extern PgmPair *pgm_expansion_pair(Oid relid, const char *column);
extern char *pgm_expansion_job_name(const char *base);
extern PgmJob *pgm_expansion_open_job(int64 id);
extern void pgm_expansion_cancel_job(int64 id);

#endif							/* PGM_EXPANSION_H */

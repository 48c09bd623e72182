/*-------------------------------------------------------------------------
 *
 * limits.h
 *	  What the functions on backfills share.
 *
 * IDENTIFICATION
 *	  src/api/limits.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_LIMITS_H
#define PGM_LIMITS_H

#include "fmgr.h"

#include "store/backfill.h"

/* A table to be backfilled as a role that is not the caller. */
typedef struct PgmRoleScope
{
	Oid			userid;
	int			sec_context;
	int			guc_level;
} PgmRoleScope;

/* limits.c */
extern void pgm_limits_read(FunctionCallInfo fcinfo, int first, PgmJob *job);
extern void pgm_limits_unset(PgmJob *job);
extern void pgm_limits_reset(List *names, PgmJob *job);

/* job.c */
extern int64 pgm_job_argument(FunctionCallInfo fcinfo);
extern PgmJob *pgm_job_fetch(int64 id, bool for_update);
extern bool pgm_job_is_here(const PgmJob *job);
extern void pgm_job_check_here(const PgmJob *job);
extern void pgm_job_check_runner(const PgmJob *job);
extern bool pgm_job_is_pinned(const PgmJob *job);
extern void pgm_job_start_lanes(const PgmJob *job);
extern void pgm_job_check_nonatomic(FunctionCallInfo fcinfo, const char *name);

#endif							/* PGM_LIMITS_H */

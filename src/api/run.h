/*-------------------------------------------------------------------------
 *
 * run.h
 *	  Online runs, for the functions that are about migrations and backfills.
 *
 * IDENTIFICATION
 *	  src/api/run.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_API_RUN_H
#define PGM_API_RUN_H

#include "fmgr.h"

#include "store/online.h"

/* limits.c */
extern char *pgm_limits_window(const char *value);

/* run.c */
extern PgmOnlineRun *pgm_run_argument(FunctionCallInfo fcinfo);
extern PgmOnlineRun *pgm_run_open(const char *migration);
extern void pgm_run_check_none(const char *migration);
extern const char *pgm_run_pause(PgmOnlineRun *run);
extern const char *pgm_run_resume(PgmOnlineRun *run);
extern const char *pgm_run_retry(PgmOnlineRun *run);
extern const char *pgm_run_cancel(PgmOnlineRun *run);
extern const char *pgm_run_undo(PgmOnlineRun *run);
extern void pgm_run_close(PgmOnlineRun *run, bool applied);

#endif							/* PGM_API_RUN_H */

/*-------------------------------------------------------------------------
 *
 * submit.h
 *	  What migrate.backfill() and migrate.estimate() have in common.
 *
 * IDENTIFICATION
 *	  src/api/submit.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_SUBMIT_H
#define PGM_SUBMIT_H

#include "fmgr.h"

#include "api/limits.h"
#include "store/backfill.h"

extern Oid	pgm_submit_choose_role(FunctionCallInfo fcinfo, int run_as, Oid relid);
extern void pgm_submit_enter_role(Oid role, PgmRoleScope *scope);
extern void pgm_submit_leave_role(PgmRoleScope *scope);
extern PgmJob *pgm_submit_read(FunctionCallInfo fcinfo, int target, int assign, int filter,
							   int delete);
extern List *pgm_submit_check(FunctionCallInfo fcinfo, PgmJob *job, int strategy_arg,
							  int key_arg);

#endif							/* PGM_SUBMIT_H */

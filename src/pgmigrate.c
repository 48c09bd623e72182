/*-------------------------------------------------------------------------
 *
 * pgmigrate.c
 *	  Schema changes as migrations, kept and carried out by the server.
 *
 * Wiring only.  src/README.md says which room holds what.
 *
 * IDENTIFICATION
 *	  src/pgmigrate.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "backfill/backfill.h"
#include "base/guc.h"
#include "base/shared.h"
#include "plan/fill.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	pgm_guc_define();
	pgm_online_check_fill_hook = pgm_strategy_check;
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	pgm_shared_request();
	pgm_launcher_register();
}

/*-------------------------------------------------------------------------
 *
 * guc.c
 *	  Definition of the extension's settings.
 *
 * All of them are for the session that runs a migration, and none of them can
 * widen anybody's rights, so every user may set them.
 *
 * IDENTIFICATION
 *	  src/base/guc.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "base/guc.h"

int			pgm_lock_timeout = 50;
int			pgm_lock_retries = 60;
int			pgm_out_of_order = PGM_OUT_OF_ORDER_ERROR;
bool		pgm_verify_on_apply = true;

static const struct config_enum_entry out_of_order_options[] = {
	{"error", PGM_OUT_OF_ORDER_ERROR, false},
	{"warn", PGM_OUT_OF_ORDER_WARN, false},
	{"allow", PGM_OUT_OF_ORDER_ALLOW, false},
	{NULL, 0, false}
};

static void
define_lock_settings(void)
{
	DefineCustomIntVariable("pgmigrate.lock_retries",
							"Sets how often a run is tried again that could not get a lock.",
							"Between two tries all its locks are released. 0 means one try only.",
							&pgm_lock_retries,
							60, 0, INT_MAX,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.lock_timeout",
							"Sets how long a statement may stand in line for a lock that could not be foreseen.",
							"Foreseen locks are taken without standing in line. 0 leaves lock_timeout as it is.",
							&pgm_lock_timeout,
							50, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
}

static void
define_run_settings(void)
{
	DefineCustomEnumVariable("pgmigrate.out_of_order",
							 "Sets what to do with a pending migration that sorts before an applied one.",
							 NULL,
							 &pgm_out_of_order,
							 PGM_OUT_OF_ORDER_ERROR, out_of_order_options,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);

	DefineCustomBoolVariable("pgmigrate.verify_on_apply",
							 "Runs a migration's verify part right after its up part.",
							 "A migration that does not pass is not applied.",
							 &pgm_verify_on_apply,
							 true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
}

/*
 * Define all settings.  Called once, when the library is loaded.
 */
void
pgm_guc_define(void)
{
	define_lock_settings();
	define_run_settings();
	MarkGUCPrefixReserved("pgmigrate");
}

/*
 * Until the caller's GUC nest level ends, find nothing but the server's own.
 */
void
pgm_guc_pin_search_path(void)
{
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

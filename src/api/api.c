/*-------------------------------------------------------------------------
 *
 * api.c
 *	  What the SQL-callable functions share.
 *
 * IDENTIFICATION
 *	  src/api/api.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api.h"

/*
 * The migration of that name; throws if there is none.
 */
PgmMigration *
pgm_api_fetch(const char *name, bool for_update)
{
	PgmMigration *migration = pgm_store_fetch_migration(name, for_update);

	if (migration == NULL)
		pgm_store_report_unknown(name);
	return migration;
}

/*
 * The script of a migration, its markers read.
 */
PgmScript *
pgm_api_read(const PgmMigration *migration)
{
	return pgm_script_read(migration->name, migration->script, migration->conforming_strings);
}

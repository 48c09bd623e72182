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

#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

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

/*
 * The script of a migration for who only wants to know what it would do, and
 * whether its code may be evaluated for that.  Throws unless the caller may see it.
 */
PgmScript *
pgm_api_read_to_show(const char *name, bool *trusted)
{
	const bool	for_update = false;
	PgmMigration *migration = pgm_api_fetch(name, for_update);

	if (!pgm_rights_sees_all() && !pgm_rights_has_role(&migration->author))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for migration \"%s\"", name)));
	*trusted = pgm_rights_trusts(&migration->author);
	return pgm_api_read(migration);
}

/*
 * An estimate, see pgm_plan_duration(), as an interval.
 */
void
pgm_api_put_duration(Datum *value, bool *isnull, const List *rates, const char *kind, PgmHold hold,
					 int64 bytes, bool first)
{
	Interval   *duration = palloc0(sizeof(Interval));
	double		ms = 0;

	*isnull = !pgm_plan_duration(rates, kind, hold, bytes, first, &ms);
	duration->time = (TimeOffset) (ms * 1000);
	*value = IntervalPGetDatum(duration);
}

/*-------------------------------------------------------------------------
 *
 * unblock.c
 *	  Ending what is in the way of a lock, for who has asked for that.
 *
 * Only two kinds of processes are ended, which lose little by it: autovacuum,
 * which comes again, and sessions that do nothing but keep a transaction open.
 * The server checks that the current user may do it to them; whom it may not is
 * left alone.
 *
 * IDENTIFICATION
 *	  src/base/unblock.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/guc.h"

#include "base/guc.h"
#include "base/lock.h"

/* As the functions check it themselves, which would throw. */
static const char *const end_sql =
"SELECT a.pid, a.backend_type,"
" CASE WHEN a.backend_type = 'autovacuum worker' THEN pg_cancel_backend(a.pid)"
"  ELSE pg_terminate_backend(a.pid) END"
" FROM pg_stat_get_activity(NULL) a, pg_roles me"
" WHERE a.pid = ANY ($1) AND me.rolname = current_user"
" AND (a.backend_type = 'autovacuum worker' OR ($2 > 0 AND a.state LIKE 'idle in transaction%'"
"  AND extract(epoch FROM clock_timestamp() - a.state_change) * 1000 >= $2))"
" AND (me.rolsuper OR (NOT coalesce((SELECT o.rolsuper FROM pg_roles o WHERE o.oid = a.usesysid), true)"
"  AND (pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))))";

/*
 * End who is in the way of the lock that was refused last, as far as the settings
 * say so.  Those that "idle_ms" is about have done nothing for so long; 0 spares
 * them.
 */
void
pgm_unblock(int idle_ms)
{
	LOCKTAG		tag;
	LOCKMODE	mode;
	Oid			types[] = {INT4ARRAYOID, INT4OID};
	Datum		values[2];
	const bool	read_only = false;
	int			guc_level;

	if (!pgm_lock_refused(&tag, &mode))
		return;
	guc_level = NewGUCNestLevel();
	pgm_guc_pin_search_path();
	SPI_connect();
	values[0] = PointerGetDatum(pgm_lock_conflicting_pids(&tag, mode));
	values[1] = Int32GetDatum(idle_ms);
	if (SPI_execute_with_args(end_sql, lengthof(types), types, values, NULL, read_only, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not look for who is in the way");
	for (uint64 i = 0; i < SPI_processed; i++)
		ereport(LOG,
				(errmsg("ended %s with PID %s, which was in the way of a lock",
						SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2),
						SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1))));
	SPI_finish();
	AtEOXact_GUC(true, guc_level);
}

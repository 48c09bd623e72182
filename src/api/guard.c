/*-------------------------------------------------------------------------
 *
 * guard.c
 *	  migrate.guard(): nobody but the extension writes its tables
 *
 * A row of migrate.migration is code that runs as whoever applies it, on the
 * word of that row about its author.  Members of pg_write_all_data could write
 * both, and have no such right otherwise.
 *
 * IDENTIFICATION
 *	  src/api/guard.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/rel.h"

#include "base/extension.h"

PG_FUNCTION_INFO_V1(pgmigrate_guard);

Datum
pgmigrate_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("migrate.guard() must be called as a trigger")));
	if (!has_privs_of_role(GetUserId(), pgm_extension_owner()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to write table \"%s\"",
						RelationGetRelationName(trigger->tg_relation)),
				 errhint("Use the functions of schema \"migrate\".")));
	return PointerGetDatum(NULL);
}

/*-------------------------------------------------------------------------
 *
 * submit.c
 *	  Leaving a migration to a worker.
 *
 * A run belongs to the role that asked for it: the worker is connected as that
 * role, under the settings of the session that say what the script means.
 *
 * IDENTIFICATION
 *	  src/online/submit.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/worker.h"
#include "online/online.h"

/*
 * Can a worker connect as that role?  Throws if it cannot.  Returns whether it
 * has to be pinned to it.
 */
static bool
check_role(Oid role)
{
	bool		pinned;

	if (!pgm_worker_can_be(role, &pinned))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role with OID %u does not exist any more", role)));
	if (pgm_database_aclcheck(MyDatabaseId, role, ACL_CONNECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" cannot connect to the database",
						GetUserNameFromId(role, false)),
				 errdetail("The worker of an online run connects as the role that asked for it.")));
	return pinned;
}

/*
 * Throw if a script uses what would be lost between the transactions of a run.
 */
static void
check_script(const PgmMigration *migration, const PgmScript *script)
{
	const PgmTogether *together = pgm_plan_together(script);

	if (together != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("migration \"%s\" cannot run online", migration->name),
				 errdetail("%s", together->detail),
				 errhint("Make two migrations of it: one with what has to be one transaction, and one with the rest.")));
}

/*
 * Add the run of a migration, to begin when run "after_run" is done (0: at once),
 * and start its worker at commit.  Returns its id.
 */
int64
pgm_online_submit(const PgmMigration *migration, const PgmScript *script, int64 after_run,
				  const PgmSchedule *schedule, const char *why)
{
	PgmRun		row = {0};
	PgmOnlineRun run = {0};
	bool		pinned = check_role(GetUserId());

	check_script(migration, script);
	row.migration = migration->name;
	row.action = "apply";
	row.started_at = GetCurrentTimestamp();
	row.tries = 1;
	row.checksum = migration->checksum;
	run.id = pgm_store_insert_run(&row);

	run.migration = migration->name;
	run.why = why;
	run.after_run = after_run;
	run.window = schedule->window;
	run.not_before = schedule->not_before;
	run.settings = pgm_guc_save_for_run();
	run.statements = list_length(pgm_script_statements(script, PGM_PART_UP));
	run.cluster = (int64) GetSystemIdentifier();
	run.database = MyDatabaseId;
	run.run_as_oid = GetUserId();
	run.run_as = GetUserNameFromId(run.run_as_oid, false);
	pgm_store_insert_online_run(&run);
	if (after_run == 0)
		pgm_worker_start_run_at_commit(run.id, run.run_as_oid, pinned);
	return run.id;
}

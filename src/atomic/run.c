/*-------------------------------------------------------------------------
 *
 * run.c
 *	  A run from its first statement to its record.
 *
 * The caller holds the lock for runs and has checked that the jobs may be run.
 * They are run together, in one attempt: all of them or none.
 *
 * Statements run as the caller, under the caller's search_path.  What they SET
 * is undone before anything is recorded.
 *
 * IDENTIFICATION
 *	  src/atomic/run.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "atomic/atomic.h"
#include "base/extension.h"
#include "base/guc.h"
#include "base/message.h"
#include "base/rights.h"
#include "script/script.h"

/* The jobs of a call, for the attempts at them. */
typedef struct Batch
{
	List	   *jobs;
	PgmJob	   *current;		/* the job at hand */
	char		checksum[65];	/* of its script, once it is read */
	TimestampTz started_at;		/* the try at it */
	MemoryContext context;		/* reset after every job */
} Batch;

static const char *const action_names[] = {
	[PGM_ACTION_APPLY] = "apply",
	[PGM_ACTION_ROLLBACK] = "rollback",
	[PGM_ACTION_COMPENSATE] = "compensate",
};

/*
 * Run the parts of a script that the action calls for.
 */
static void
execute_action(PgmExecution *execution, PgmAction action)
{
	const bool	keep_settings = false;
	int			guc_level = NewGUCNestLevel();

	pgm_execute_limit_lock_wait();
	if (action == PGM_ACTION_ROLLBACK)
		pgm_execute_part(execution, PGM_PART_DOWN);
	else
	{
		pgm_look(execution, PGM_PART_CHECK);
		pgm_execute_part(execution, PGM_PART_UP);
		if (pgm_verify_on_apply)
			pgm_look(execution, PGM_PART_VERIFY);
	}
	AtEOXact_GUC(keep_settings, guc_level);
}

/*
 * Record a run that is done, and the migration's new state.
 */
static void
record_run(PgmJob *job, const PgmExecution *execution, PgmRun *run)
{
	run->migration = job->migration;
	run->action = action_names[job->action];
	run->finished_at = GetCurrentTimestamp();
	run->rows = execution->rows;
	run->wal_bytes = execution->wal_bytes;
	run->note = job->note;
	run->statements = execution->statements;
	job->run_id = pgm_store_insert_run(run);

	if (job->action == PGM_ACTION_APPLY)
		pgm_store_set_state(job->migration, PGM_STATE_APPLIED, job->run_id);
	else if (job->action == PGM_ACTION_ROLLBACK)
		pgm_store_set_state(job->migration, PGM_STATE_ROLLED_BACK, 0);
}

static void
run_job(Batch *batch)
{
	PgmJob	   *job = batch->current;
	PgmExecution execution = {0};
	PgmRun		run = {0};

	if (job->migration != NULL)
	{
		const bool	for_update = true;
		PgmMigration *migration = pgm_store_fetch_migration(job->migration, for_update);

		if (migration == NULL)
			pgm_store_report_gone(job->migration);
		execution.script = pgm_script_read(migration->name, migration->script,
										   migration->conforming_strings);
		execution.confined = pgm_rights_must_confine(&migration->author);
		run.checksum = migration->checksum;
	}
	else
	{
		execution.script = job->script;
		run.checksum = pgm_source_checksum(job->script->sql, strlen(job->script->sql));
	}

	run.started_at = batch->started_at = GetCurrentTimestamp();
	strlcpy(batch->checksum, run.checksum, sizeof(batch->checksum));
	run.tries = job->failures + 1;
	run.lock_wait_ms = job->lock_wait_ms;
	execute_action(&execution, job->action);
	record_run(job, &execution, &run);
}

static void
run_batch(void *arg)
{
	Batch	   *batch = (Batch *) arg;
	MemoryContext caller = MemoryContextSwitchTo(batch->context);
	ListCell   *lc;

	foreach(lc, batch->jobs)
	{
		MemoryContextReset(batch->context);
		batch->current = (PgmJob *) lfirst(lc);
		batch->checksum[0] = '\0';
		run_job(batch);
	}
	MemoryContextSwitchTo(caller);
}

/*
 * A try in vain goes to the account of the job that could not get its lock.
 */
static void
batch_failed(void *arg, double lost_ms)
{
	Batch	   *batch = (Batch *) arg;

	batch->current->failures++;
	batch->current->lock_wait_ms += lost_ms;
}

/*
 * Have another process record that the job at hand has failed: this transaction is
 * rolled back.  The other jobs are as if they had not been run.
 */
static void
record_failure(const Batch *batch, const ErrorData *error)
{
	const PgmJob *job = batch->current;
	PgmRun		run = {0};
	List	   *strings;

	if (!pgm_record_failures || job == NULL || batch->checksum[0] == '\0')
		return;
	run.migration = job->migration;
	run.action = action_names[job->action];
	run.started_at = batch->started_at;
	run.finished_at = GetCurrentTimestamp();
	run.lock_wait_ms = job->lock_wait_ms;
	run.tries = job->failures + 1;
	run.checksum = batch->checksum;
	run.note = job->note;
	strings = pgm_store_describe_failure(&run, unpack_sql_state(error->sqlerrcode), error->message);
	if (!pgm_message_post("pgmigrate_recorder_main", "pgmigrate recorder", strings))
		ereport(LOG,
				(errmsg("a run that has failed is not recorded, since no background worker can be started")));
}

/*
 * The same, whatever happens: what matters is why the run has failed.
 */
static void
try_to_record(const Batch *batch, const ErrorData *error)
{
	PG_TRY();
	{
		record_failure(batch, error);
	}
	PG_CATCH();
	{
		FlushErrorState();
	}
	PG_END_TRY();
}

/*
 * Run jobs in order, all of them or none, and record them.  waited_ms is what
 * the call has waited for locks already.
 */
void
pgm_atomic_run(List *jobs, int64 waited_ms)
{
	Batch		batch = {.jobs = jobs};
	ErrorData  *error;

	if (jobs == NIL)
		return;
	((PgmJob *) linitial(jobs))->lock_wait_ms = waited_ms;
	batch.context = AllocSetContextCreate(CurrentMemoryContext, "pgmigrate run",
										  ALLOCSET_DEFAULT_SIZES);
	pgm_extension_set_running(true);
	PG_TRY();
	{
		pgm_attempt_run(run_batch, batch_failed, &batch);
	}
	PG_CATCH();
	{
		pgm_extension_set_running(false);
		MemoryContextSwitchTo(TopTransactionContext);
		error = CopyErrorData();
		FlushErrorState();
		try_to_record(&batch, error);
		ReThrowError(error);
	}
	PG_END_TRY();
	pgm_extension_set_running(false);
	MemoryContextDelete(batch.context);
}

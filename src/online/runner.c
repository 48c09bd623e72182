/*-------------------------------------------------------------------------
 *
 * runner.c
 *	  A run, one transaction after the other.
 *
 * Each call does what is next: it writes the steps of the next statement, does
 * a step, or brings the run to its end.  What comes next follows from the rows
 * alone, so a worker that ends, however it does, is replaced by another one that
 * goes on where it stopped.
 *
 * The steps of a statement are written when all that comes before it is done:
 * what a statement needs is decided by what is there, not by what may be there
 * later.
 *
 * IDENTIFICATION
 *	  src/online/runner.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/memutils.h"

#include "base/extension.h"
#include "base/guc.h"
#include "base/relation.h"
#include "base/rights.h"
#include "exec/exec.h"
#include "online/online.h"

/*
 * Read the run and its script.  Returns false if it does not go on.
 */
static bool
load(PgmRunner *runner)
{
	const bool	for_update = true;
	PgmMigration *migration;

	runner->run = pgm_store_fetch_online_run(runner->id, !for_update);
	if (runner->run == NULL ||
		(runner->run->state != PGM_JOB_QUEUED && runner->run->state != PGM_JOB_RUNNING))
		return false;
	migration = pgm_store_fetch_migration(runner->run->migration, !for_update);
	if (migration == NULL)
		pgm_store_report_gone(runner->run->migration);
	/* what undoes a step is not the author's code */
	if (runner->run->undo == PGM_UNDO_NOTHING)
	{
		if (strcmp(migration->checksum, runner->run->checksum) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("script of migration \"%s\" has changed since its run began",
							migration->name)));
		pgm_rights_check_author(migration->name, &migration->author);
	}
	runner->confined = pgm_rights_must_confine(&migration->author);
	runner->trusted = pgm_rights_trusts(&migration->author);
	runner->script = pgm_script_read(migration->name, migration->script,
									 migration->conforming_strings);
	runner->script->run = runner->id;
	return true;
}

static void
look(PgmRunner *runner, PgmPart part)
{
	PgmExecution execution = {.script = runner->script,.confined = runner->confined};

	pgm_look(&execution, part);
}

/*
 * A step of the plan as a row.  Of its lines the one with the strongest lock
 * stands for it.
 */
static void
write_step(PgmRunner *runner, const PgmPlanStep *planned)
{
	PgmRunStep	step = {0};
	PgmStatement *statement;
	const PgmPlanLine *line = NULL;
	ListCell   *lc;

	(void) pgm_online_script_of(runner->script, planned->sql, 0, 0, &statement);
	foreach(lc, planned->lines)
	{
		step.bytes += pgm_plan_bytes(((PgmPlanLine *) lfirst(lc))->relid, planned->hold,
									 OidIsValid(planned->filled));
		if (line == NULL || ((PgmPlanLine *) lfirst(lc))->mode > line->mode)
			line = (PgmPlanLine *) lfirst(lc);
	}
	step.statement = planned->statement->number;
	step.line = planned->statement->line;
	step.kind = OidIsValid(planned->filled) ? PGM_KIND_BACKFILL : line->kind;
	step.sql = planned->sql;
	step.why = planned->why;
	step.undo = planned->undo != NULL ? planned->undo : pgm_inverse_of(statement->raw->stmt);

	/*
	 * a column that the statement adds goes with what it was filled with; a
	 * constraint that the steps have added is not missed
	 */
	if (step.undo == NULL && !planned->lasting &&
		((planned->composed && !planned->kept &&
		  IsA(planned->statement->raw->stmt, AlterTableStmt)) ||
		 pgm_inverse_is_implied(planned->statement->raw->stmt,
								pgm_store_fetch_undo_commands(runner->id))))
		step.undo = "";
	if (OidIsValid(line->relid))
	{
		step.relation = pgm_relation_name(line->relid);
		step.lock = GetLockmodeName(DEFAULT_LOCKMETHOD, line->mode);
	}
	step.hold = pgm_online_hold_name(planned->hold);
	pgm_store_insert_step(runner->id, &step);
}

/*
 * Write the steps of the next statement, when what it needs is filled.
 */
static void
plan_next(PgmRunner *runner)
{
	int			number = runner->run->statement + 1;
	List	   *statements = pgm_script_statements(runner->script, PGM_PART_UP);
	PgmStatement *statement = (PgmStatement *) list_nth(statements, number - 1);
	PgmOpenFill *need = pgm_plan_need(runner->script, statement, pgm_store_fetch_fills(), runner->id);
	ListCell   *lc;

	if (need != NULL)
	{
		pgm_act_wait(runner, psprintf("waits for %s", pgm_plan_describe_need(need)));
		return;
	}
	if (number == 1)
		look(runner, PGM_PART_CHECK);
	foreach(lc, pgm_online_plan_statement(runner->script, statement, runner->trusted))
		write_step(runner, (PgmPlanStep *) lfirst(lc));
	pgm_store_set_run_statement(runner->id, number);
	runner->next = PGM_RUN_AGAIN;
}

/*
 * All statements are done.
 */
static void
finish(PgmRunner *runner)
{
	const bool	for_update = true;
	PgmOnlineRun *run;

	if (pgm_verify_on_apply)
		look(runner, PGM_PART_VERIFY);
	(void) pgm_extension_lock();
	run = pgm_store_fetch_online_run(runner->id, for_update);
	runner->next = PGM_RUN_AGAIN;
	if (run == NULL || run->undo != PGM_UNDO_NOTHING ||
		(run->state != PGM_JOB_QUEUED && run->state != PGM_JOB_RUNNING))
		return;
	/* who waits for it goes on at once */
	ForceSyncCommit();
	pgm_store_set_state(run->migration, PGM_STATE_APPLIED, run->id);
	pgm_store_add_run_statements(run->id);
	pgm_store_set_run_state(run->id, PGM_JOB_DONE, PGM_UNDO_NOTHING, "");
	runner->next = PGM_RUN_ENDED;
}

/*
 * Undo the last step that is to be undone, or come to the end.
 */
static void
undo_next(PgmRunner *runner)
{
	const bool	for_update = true;
	const PgmOnlineRun *run = runner->run;
	const PgmOnlineRun *latest;

	if (run->undo == PGM_UNDO_ALL)
		runner->step = pgm_store_fetch_last_step(run->id, 0);
	else if (!pgm_store_is_statement_done(run->id, run->statement))
		runner->step = pgm_store_fetch_last_step(run->id, run->statement);
	if (runner->step != NULL)
	{
		pgm_act_undo(runner);
		return;
	}
	runner->next = PGM_RUN_AGAIN;
	latest = pgm_store_fetch_online_run(run->id, for_update);
	if (latest == NULL || latest->undo != run->undo)
		return;
	ForceSyncCommit();
	pgm_store_set_run_state(run->id, PGM_JOB_CANCELLED, PGM_UNDO_NOTHING, run->reason);
	runner->next = PGM_RUN_ENDED;
}

/*
 * A new session of the run: have the settings that the script is meant under, and
 * what it has set so far.
 */
static void
settle(PgmRunner *runner)
{
	ListCell   *lc;

	pgm_guc_set_for_session(runner->run->settings);
	/* what undoes a step names everything with its schema */
	if (runner->run->undo == PGM_UNDO_NOTHING)
	{
		foreach(lc, pgm_store_fetch_commands(runner->id, list_make2("SET", "RESET")))
			pgm_act_again(runner, (char *) lfirst(lc));
	}
	runner->settles = true;
	runner->next = PGM_RUN_AGAIN;
}

/*
 * Do what is next, in the transaction that is open.
 */
void
pgm_runner_step(PgmRunner *runner)
{
	MemoryContext old = MemoryContextSwitchTo(runner->cxt);

	MemoryContextReset(runner->cxt);
	runner->step = NULL;
	runner->script = NULL;
	runner->run = NULL;
	runner->tidies = runner->undoes = runner->settles = false;
	runner->next = PGM_RUN_STOPPED;
	if (pgm_extension_share() && load(runner))
	{
		if (runner->run->state == PGM_JOB_QUEUED)
			pgm_store_set_run_running(runner->id);
		if (!runner->settled)
			settle(runner);
		else if (runner->run->undo != PGM_UNDO_NOTHING)
			undo_next(runner);
		else if (pgm_act_must_wait(runner))
			 /* until it is time */ ;
		else if ((runner->step = pgm_store_fetch_next_step(runner->id)) != NULL)
			pgm_act(runner);
		else if (runner->run->statement < runner->run->statements)
			plan_next(runner);
		else
			finish(runner);
	}
	MemoryContextSwitchTo(old);
}

/*
 * The command has come to its end.
 */
void
pgm_runner_command_done(PgmRunner *runner)
{
	if (!pgm_extension_share())
		return;
	if (runner->undoes)
		pgm_store_set_step_state(runner->id, runner->step->number, PGM_RUN_STEP_UNDONE);
	else if (!runner->tidies)
		pgm_store_finish_step(runner->id, runner->step, 0, pgWalUsage.wal_bytes - runner->wal_before);
}

/*-------------------------------------------------------------------------
 *
 * failure.c
 *	  What to do about an error of a run.
 *
 * A lock that was not to be had is waited for, without holding any meanwhile, for
 * as long as it takes; who is in the way is shown.  What is short may come back,
 * so it is tried a few times.  Anything else is for the user to see to.
 *
 * IDENTIFICATION
 *	  src/online/failure.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "mb/pg_wchar.h"

#include "base/extension.h"
#include "base/guc.h"
#include "base/lock.h"
#include "base/wait.h"
#include "exec/exec.h"
#include "online/online.h"

/* How often to try what fails for want of memory, disk or connections. */
#define MAX_SHORTAGES	10

/* Tries that are in vain before who is in the way is ended, if that is wanted. */
#define PATIENCE		3

/* What is shown of a message. */
#define MAX_REASON		500

static bool
is_shortage(const ErrorData *error)
{
	return ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES;
}

static bool
may_pass(const PgmRunner *runner)
{
	if (pgm_attempt_lacks_lock(runner->error) ||
		runner->error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE)
		return true;
	return is_shortage(runner->error) && runner->failures <= MAX_SHORTAGES;
}

/*
 * The message with its detail, as a part of a sentence; cut where it is too long
 * to be shown.
 */
static char *
describe(const ErrorData *error)
{
	char	   *text = error->detail == NULL ? pstrdup(error->message) :
		psprintf("%s: %s", error->message, error->detail);
	int			length = strlen(text);

	if (length > 0 && text[length - 1] == '.')
		length--;
	return pnstrdup(text, pg_mbcliplen(text, length, MAX_REASON));
}

static void
try_again(PgmRunner *runner)
{
	/* what is added to it lives no longer than this transaction */
	ErrorData	error = *runner->error;

	pgm_attempt_name_blockers(&error);
	if (pgm_cancel_blockers && runner->failures > PATIENCE &&
		runner->error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		pgm_unblock(pgm_cancel_idle_after);
	if (runner->step != NULL)
		pgm_store_add_step_try(runner->id, runner->step->number, runner->lost_ms);
	pgm_store_set_run_reason(runner->id, psprintf("tries again: %s", describe(&error)));
	if (!runner->has_waited)
		pgm_store_clear_run_starts(runner->id);
	runner->has_waited = true;
	runner->next = PGM_RUN_WAIT;
	runner->wait_ms = pgm_wait_backoff_ms(runner->failures, pg_prng_double(&pg_global_prng_state));
}

/* Where in its command the error is, in characters from 1, or 0. */
static int
position_of(const ErrorData *error)
{
	return error->internalpos > 0 ? error->internalpos : error->cursorpos;
}

static void
fail(PgmRunner *runner, const PgmOnlineRun *run)
{
	const ErrorData *error = runner->error;
	const char *sqlstate = unpack_sql_state(error->sqlerrcode);
	const char *message = describe(error);

	if (runner->step != NULL && run->undo == PGM_UNDO_NOTHING)
		pgm_store_fail_step(runner->id, runner->step->number, sqlstate, error->message,
							position_of(error));
	pgm_store_fail_run(runner->id, run->undo, sqlstate, message);
	runner->next = PGM_RUN_STOPPED;
}

/*
 * The last transaction or command has failed with runner->error, and is rolled
 * back.  Decide what is next, in a transaction of its own.
 */
void
pgm_runner_failed(PgmRunner *runner)
{
	const bool	for_update = true;
	PgmOnlineRun *run;

	runner->next = PGM_RUN_STOPPED;
	if (!pgm_extension_share())
		return;
	run = pgm_store_fetch_online_run(runner->id, for_update);
	/* paused meanwhile, which ends the statement too */
	if (run == NULL || (run->state != PGM_JOB_QUEUED && run->state != PGM_JOB_RUNNING))
		return;
	runner->failures++;
	if (run->state == PGM_JOB_QUEUED)
	{
		/* cancelled or resumed meanwhile, which ends the statement too */
		pgm_store_set_run_running(runner->id);
		runner->next = PGM_RUN_AGAIN;
	}
	else if (may_pass(runner))
		try_again(runner);
	else if (runner->error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		pgm_store_set_run_state(runner->id, PGM_JOB_PAUSED, run->undo,
								"its statement was cancelled");
	else
		fail(runner, run);
}

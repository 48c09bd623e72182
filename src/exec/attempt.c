/*-------------------------------------------------------------------------
 *
 * attempt.c
 *	  Trying again when a lock was not to be had.
 *
 * All that a call runs is one attempt in one subtransaction.  When a lock is
 * missing, the subtransaction is rolled back, which gives back every lock that
 * it took, and only then comes the wait: so nobody waits for us while we wait.
 * The work that was done is done again, which is cheap beside an application
 * that stands still.
 *
 * IDENTIFICATION
 *	  src/exec/attempt.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "base/guc.h"
#include "base/lock.h"
#include "base/wait.h"
#include "exec/exec.h"

/* How often to look what an attempt waits for. */
#define WATCH_MIN_MS	2
#define WATCH_MAX_MS	25

/*
 * Does an error only say that a lock was not to be had?
 */
bool
pgm_attempt_lacks_lock(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
}

/*
 * Say once per call that and for whom it waits.
 */
static void
report_wait(const ErrorData *error)
{
	ereport(NOTICE,
			(errmsg("waiting for a lock: %s", error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0));
}

/*
 * How often to look what a statement waits for, in milliseconds: at least once
 * before the wait is given up.
 */
int
pgm_attempt_watch_interval(void)
{
	int			shortest = 2 * WATCH_MAX_MS;

	if (pgm_lock_timeout > 0)
		shortest = Min(shortest, pgm_lock_timeout);
	if (LockTimeout > 0)
		shortest = Min(shortest, LockTimeout);
	return Max(shortest / 2, WATCH_MIN_MS);
}

/*
 * Add those in the way to an error about a lock, where the server did not name
 * them but the watch has seen them.
 */
void
pgm_attempt_name_blockers(ErrorData *error)
{
	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE || error->detail != NULL)
		return;
	error->detail = pgm_lock_watch_blockers();
	if (error->hint == NULL)
		error->hint = pstrdup(PGM_LOCK_HINT);
}

/*
 * One attempt.  Returns its error with those in the way.
 */
static ErrorData *
attempt(PgmSubxactBody body, void *arg)
{
	const bool	keep = true;
	ErrorData  *error;

	pgm_lock_watch_begin(pgm_attempt_watch_interval());
	error = pgm_subxact_run(body, arg, keep);
	pgm_lock_watch_end();

	if (error != NULL)
		pgm_attempt_name_blockers(error);
	return error;
}

/*
 * The transaction has locks from before the call, which it cannot give back: if
 * it slept with them, the application would stand still.  Throws the error.
 */
static void
refuse_to_wait(ErrorData *error)
{
	error->hint = pstrdup(PGM_LOCK_HELD_HINT);
	ReThrowError(error);
}

/*
 * Run body(arg) in a subtransaction, again and again until it got its locks, and
 * call failed(arg, ...) after each try in vain with the time that was lost.
 * Throws what the body throws otherwise, and at last that too.
 */
void
pgm_attempt_run(PgmSubxactBody body, PgmAttemptFailed failed, void *arg)
{
	for (int tries = 1;; tries++)
	{
		TimestampTz start = GetCurrentTimestamp();
		ErrorData  *error = attempt(body, arg);

		if (error == NULL)
			return;
		if (!pgm_attempt_lacks_lock(error) || tries > pgm_lock_retries)
			ReThrowError(error);
		if (pgm_lock_holds_strong())
			refuse_to_wait(error);
		if (tries == 1)
			report_wait(error);
		FreeErrorData(error);

		pgm_wait_ms(pgm_wait_backoff_ms(tries, pg_prng_double(&pg_global_prng_state)));
		failed(arg, TimestampDifferenceMilliseconds(start, GetCurrentTimestamp()));
	}
}

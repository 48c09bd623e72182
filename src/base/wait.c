/*-------------------------------------------------------------------------
 *
 * wait.c
 *	  Waiting, in one place.
 *
 * The only file that waits on a latch, so that every wait of the extension
 * answers to cancel, termination and the death of the postmaster.
 *
 * IDENTIFICATION
 *	  src/base/wait.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/wait.h"

#define BACKOFF_FIRST_MS	20
#define BACKOFF_LAST_MS		1000

/*
 * How long to wait after the given number of failures, the first being 1:
 * doubling up to a second, minus a random share of up to one half, so that two
 * sessions that failed together do not fail together again.  Pure; "random" is
 * in [0, 1).
 */
long
pgm_wait_backoff_ms(int failures, double random)
{
	long		ms = BACKOFF_LAST_MS;

	if (failures < 7)
		ms = Min((long) BACKOFF_FIRST_MS << (failures - 1), BACKOFF_LAST_MS);
	return ms - (long) (ms * random / 2);
}

/*
 * Wait for that long, however often the latch is set meanwhile.  Throws when
 * the query is cancelled.
 */
void
pgm_wait_ms(long ms)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);

	for (;;)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

		CHECK_FOR_INTERRUPTS();
		if (left <= 0)
			break;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 left, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/*
 * Wait until the latch is set, at most that long.  A query cancel is not for
 * somebody who runs no query, and stays pending.
 */
void
pgm_wait_latch_ms(long ms)
{
	HOLD_CANCEL_INTERRUPTS();
	CHECK_FOR_INTERRUPTS();
	(void) WaitLatch(MyLatch,
					 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	RESUME_CANCEL_INTERRUPTS();
}

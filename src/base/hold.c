/*-------------------------------------------------------------------------
 *
 * hold.c
 *	  Session locks that tell which process works on what.
 *
 * A process that works on a lane of a backfill holds a lock that stands for the
 * lane, from before its first transaction to its end.  The server releases it
 * however the process ends, so the lock is the truth about who is at work; a
 * process ID in a table would only be a memory of it.  A second kind of lock,
 * the same in all databases, counts the processes that may work at a time.
 *
 * These are locks of the advisory kind, in classes that the SQL functions on
 * advisory locks (which use 1 and 2) cannot name.  pg_locks shows the class as
 * objsubid; the view migrate.progress relies on that.
 *
 * IDENTIFICATION
 *	  src/base/hold.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lock.h"

#include "base/hold.h"

#define CLASS_LANE	20771
#define CLASS_SLOT	20772
#define CLASS_RUN	20773

static const bool session_lock = true;
static const bool dont_wait = true;

static void
set_lane_tag(LOCKTAG *tag, int64 job, int lane)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) job, (uint32) lane, CLASS_LANE);
}

/*
 * Take a lane, if nobody has it.  Kept until it is released or the process ends,
 * across transactions.
 */
bool
pgm_hold_lane(int64 job, int lane)
{
	LOCKTAG		tag;

	set_lane_tag(&tag, job, lane);
	return LockAcquire(&tag, ExclusiveLock, session_lock, dont_wait) == LOCKACQUIRE_OK;
}

/*
 * The same to the end of the transaction, after waiting for whoever has it.
 */
void
pgm_hold_lane_in_transaction(int64 job, int lane)
{
	LOCKTAG		tag;

	set_lane_tag(&tag, job, lane);
	(void) LockAcquire(&tag, ExclusiveLock, !session_lock, !dont_wait);
}

void
pgm_hold_release_lane(int64 job, int lane)
{
	LOCKTAG		tag;

	set_lane_tag(&tag, job, lane);
	LockRelease(&tag, ExclusiveLock, session_lock);
}

/*
 * Is nobody at work on a lane?  If so, the lane stays taken to the end of the
 * transaction, so that nobody begins meanwhile.
 */
bool
pgm_hold_is_lane_free(int64 job, int lane)
{
	LOCKTAG		tag;

	set_lane_tag(&tag, job, lane);
	return LockAcquire(&tag, ExclusiveLock, !session_lock, dont_wait) != LOCKACQUIRE_NOT_AVAIL;
}

/* It is large, and callers may live long. */
static void
free_locks(LockData *data)
{
	pfree(data->locks);
	pfree(data);
}

/*
 * The lanes of a job that somebody works on, as PgmHolder *, in the current
 * memory context.
 */
List *
pgm_hold_lanes(int64 job)
{
	LockData   *data = GetLockStatusData();
	List	   *result = NIL;

	for (int i = 0; i < data->nelements; i++)
	{
		const LockInstanceData *lock = &data->locks[i];
		PgmHolder  *holder;

		if (lock->locktag.locktag_type != LOCKTAG_ADVISORY ||
			lock->locktag.locktag_field1 != MyDatabaseId ||
			lock->locktag.locktag_field2 != (uint32) job ||
			lock->locktag.locktag_field4 != CLASS_LANE || lock->holdMask == 0)
			continue;
		holder = palloc(sizeof(PgmHolder));
		holder->pid = lock->pid;
		holder->lane = (int) lock->locktag.locktag_field3;
		result = lappend(result, holder);
	}
	free_locks(data);
	return result;
}

/*
 * Take one of so many places for workers, for the life of the process; returns
 * its number, or -1 if all are taken.
 */
int
pgm_hold_slot(int slots)
{
	LOCKTAG		tag;

	for (int i = 0; i < slots; i++)
	{
		SET_LOCKTAG_ADVISORY(tag, InvalidOid, 0, (uint32) i, CLASS_SLOT);
		if (LockAcquire(&tag, ExclusiveLock, session_lock, dont_wait) == LOCKACQUIRE_OK)
			return i;
	}
	return -1;
}

void
pgm_hold_release_slot(int slot)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, InvalidOid, 0, (uint32) slot, CLASS_SLOT);
	LockRelease(&tag, ExclusiveLock, session_lock);
}

/*
 * How many of these places are not taken.
 */
int
pgm_hold_free_slots(int slots)
{
	LockData   *data = GetLockStatusData();
	int			taken = 0;

	for (int i = 0; i < data->nelements; i++)
	{
		const LOCKTAG *tag = &data->locks[i].locktag;

		if (tag->locktag_type == LOCKTAG_ADVISORY && tag->locktag_field1 == InvalidOid &&
			tag->locktag_field4 == CLASS_SLOT && data->locks[i].holdMask != 0 &&
			tag->locktag_field3 < (uint32) slots)
			taken++;
	}
	free_locks(data);
	return slots - taken;
}

static void
set_run_tag(LOCKTAG *tag, int64 run)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) ((uint64) run >> 32), (uint32) run, CLASS_RUN);
}

/*
 * Take a run, if nobody has it, for the life of the process.
 */
bool
pgm_hold_run(int64 run)
{
	LOCKTAG		tag;

	set_run_tag(&tag, run);
	return LockAcquire(&tag, ExclusiveLock, session_lock, dont_wait) == LOCKACQUIRE_OK;
}

/*
 * The same to the end of the transaction, after waiting for whoever has it.
 */
void
pgm_hold_run_in_transaction(int64 run)
{
	LOCKTAG		tag;

	set_run_tag(&tag, run);
	(void) LockAcquire(&tag, ExclusiveLock, !session_lock, !dont_wait);
}

void
pgm_hold_release_run(int64 run)
{
	LOCKTAG		tag;

	set_run_tag(&tag, run);
	LockRelease(&tag, ExclusiveLock, session_lock);
}

/*
 * The process that works on a run, 0 if there is none.
 */
int
pgm_hold_run_pid(int64 run)
{
	LockData   *data = GetLockStatusData();
	LOCKTAG		tag;
	int			pid = 0;

	set_run_tag(&tag, run);
	for (int i = 0; i < data->nelements && pid == 0; i++)
	{
		if (memcmp(&data->locks[i].locktag, &tag, sizeof(LOCKTAG)) == 0 &&
			data->locks[i].holdMask != 0)
			pid = data->locks[i].pid;
	}
	free_locks(data);
	return pid;
}

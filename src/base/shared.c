/*-------------------------------------------------------------------------
 *
 * shared.c
 *	  What launcher and workers share, where the library is preloaded.
 *
 * Two things: who the launcher is, so that it can be woken, and which databases
 * have backfills that are not finished, so that it need not ask all of them.
 * Without preloading there is no shared memory and no launcher, and all of these
 * functions do nothing.
 *
 * IDENTIFICATION
 *	  src/base/shared.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"

#include "base/shared.h"

#define MAX_PENDING		256

typedef struct Shared
{
	LWLock	   *lock;			/* protects all that follows */
	int			launcher_pid;	/* 0: none */
	bool		has_next;
	PgmWorkerArgs next;			/* a worker that could not be started */
	bool		all_pending;	/* there was no room for one more */
	int			count;
	Oid			pending[MAX_PENDING];
} Shared;

static Shared *shared = NULL;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(Shared)));
	RequestNamedLWLockTranche("pgmigrate", 1);
}

static void
set_up_memory(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("pgmigrate", sizeof(Shared), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(Shared));
		shared->lock = &(GetNamedLWLockTranche("pgmigrate"))->lock;
	}
	LWLockRelease(AddinShmemInitLock);
}

/*
 * Ask for shared memory.  Called while the library is being preloaded.
 */
void
pgm_shared_request(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = set_up_memory;
}

bool
pgm_shared_is_there(void)
{
	return shared != NULL;
}

static void
clear_launcher(int code, Datum arg)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (shared->launcher_pid == MyProcPid)
		shared->launcher_pid = 0;
	LWLockRelease(shared->lock);
}

/*
 * This process is the launcher, until it ends.
 */
void
pgm_shared_set_launcher(void)
{
	before_shmem_exit(clear_launcher, (Datum) 0);
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher_pid = MyProcPid;
	LWLockRelease(shared->lock);
}

static int
launcher_pid(void)
{
	int			pid;

	if (shared == NULL)
		return 0;
	LWLockAcquire(shared->lock, LW_SHARED);
	pid = shared->launcher_pid;
	LWLockRelease(shared->lock);
	return pid;
}

/*
 * Will somebody start the workers that are due?
 */
bool
pgm_shared_has_launcher(void)
{
	return launcher_pid() != 0;
}

/*
 * Have the launcher look what is to be started.
 */
void
pgm_shared_wake_launcher(void)
{
	int			pid = launcher_pid();
	PGPROC	   *proc = pid == 0 ? NULL : BackendPidGetProc(pid);

	if (proc != NULL)
		SetLatch(&proc->procLatch);
}

/*
 * Leave a worker that could not be started to the launcher, which has no process
 * in the way when this one has ended.
 */
void
pgm_shared_put_next(const PgmWorkerArgs *args)
{
	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->next = *args;
	shared->has_next = true;
	LWLockRelease(shared->lock);
}

/*
 * Take it; returns false if there is none.
 */
bool
pgm_shared_take_next(PgmWorkerArgs *args)
{
	bool		found;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	found = shared->has_next;
	*args = shared->next;
	shared->has_next = false;
	LWLockRelease(shared->lock);
	return found;
}

static int
find_pending(Oid database)
{
	for (int i = 0; i < shared->count; i++)
	{
		if (shared->pending[i] == database)
			return i;
	}
	return -1;
}

/*
 * Note whether a database has backfills that are not finished.
 */
void
pgm_shared_set_pending(Oid database, bool pending)
{
	int			i;

	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	i = find_pending(database);
	if (pending && i < 0)
	{
		if (shared->count < MAX_PENDING)
			shared->pending[shared->count++] = database;
		else
			shared->all_pending = true;
	}
	else if (!pending && i >= 0)
		shared->pending[i] = shared->pending[--shared->count];
	LWLockRelease(shared->lock);
}

bool
pgm_shared_is_pending(Oid database)
{
	bool		result;

	LWLockAcquire(shared->lock, LW_SHARED);
	result = shared->all_pending || find_pending(database) >= 0;
	LWLockRelease(shared->lock);
	return result;
}

/*-------------------------------------------------------------------------
 *
 * subxact.c
 *	  A piece of work inside a subtransaction.
 *
 * The one place that opens subtransactions, so that none is ever left open.
 *
 * IDENTIFICATION
 *	  src/base/subxact.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/subxact.h"

/*
 * Run body(arg) in a subtransaction of its own.  If it returns, the work is
 * kept or undone as told, and the result is NULL; if it throws, the work is
 * undone and the error returned, in the caller's memory context.  What the body
 * allocates there stays in either case.
 *
 * Cancel and termination are errors like others here: the caller has to throw
 * again what it does not expect.
 */
ErrorData *
pgm_subxact_run(PgmSubxactBody body, void *arg, bool keep)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);

	PG_TRY();
	{
		body(arg);
		if (keep)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();

	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return error;
}

/*
 * Is an error about the call as a whole, so that nobody may go on after it?
 */
bool
pgm_subxact_must_stop(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN ||
		error->sqlerrcode == ERRCODE_CRASH_SHUTDOWN ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES;
}

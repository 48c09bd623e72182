/*-------------------------------------------------------------------------
 *
 * recorder.c
 *	  The process that records a run that has failed.
 *
 * The transaction that ran it is rolled back, with all that it could have
 * written.  So it hands over what is to be known, and this process writes it.
 *
 * IDENTIFICATION
 *	  src/worker/recorder.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/ipc.h"
#include "utils/memutils.h"

#include "base/extension.h"
#include "base/message.h"
#include "base/worker.h"
#include "store/store.h"
#include "worker/worker.h"

static void
record(void *arg)
{
	List	   *failure = pgm_message_receive();

	if (failure != NIL && pgm_extension_share())
		pgm_store_insert_failed_run(failure);
}

void
pgmigrate_recorder_main(Datum arg)
{
	ErrorData  *error;

	pgm_session_begin(pgm_worker_args()->database, InvalidOid, false);
	error = pgm_session_run(record, NULL, TopMemoryContext);
	if (error != NULL)
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("could not record a run that has failed: %s", error->message)));
	proc_exit(0);
}

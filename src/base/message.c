/*-------------------------------------------------------------------------
 *
 * message.c
 *	  Handing something to a worker that outlives the caller's transaction.
 *
 * What a transaction writes goes with it when it is rolled back, so somebody
 * else has to write what is to stay.  A message is a list of strings, in a segment
 * of shared memory that is pinned until the worker has read it.
 *
 * IDENTIFICATION
 *	  src/base/message.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/dsm.h"

#include "base/message.h"
#include "base/worker.h"

/*
 * Start a worker that runs a function of this library, with a message of char *,
 * among which NULLs become "".  Returns false if that cannot be: a message is
 * lost then.
 */
bool
pgm_message_post(const char *function, const char *type, List *strings)
{
	PgmWorkerArgs args = {.database = MyDatabaseId};
	StringInfoData buf;
	dsm_segment *segment;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, strings)
	{
		const char *string = (const char *) lfirst(lc);

		if (string != NULL)
			appendStringInfoString(&buf, string);
		appendStringInfoChar(&buf, '\0');
	}
	segment = dsm_create(sizeof(int) + buf.len, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	if (segment == NULL)
		return false;
	memcpy(dsm_segment_address(segment), &buf.len, sizeof(int));
	memcpy((char *) dsm_segment_address(segment) + sizeof(int), buf.data, buf.len);
	args.job = (int64) dsm_segment_handle(segment);
	dsm_pin_segment(segment);
	if (!pgm_worker_start(function, type, &args))
	{
		dsm_unpin_segment(dsm_segment_handle(segment));
		dsm_detach(segment);
		return false;
	}
	dsm_detach(segment);
	return true;
}

/*
 * In that worker: the strings, in the current context, NIL if they are gone.
 * To be called once, in a transaction.
 */
List *
pgm_message_receive(void)
{
	dsm_handle	handle = (dsm_handle) pgm_worker_args()->job;
	dsm_segment *segment = dsm_attach(handle);
	List	   *strings = NIL;
	const char *p;
	int			length;

	if (segment == NULL)
		return NIL;
	memcpy(&length, dsm_segment_address(segment), sizeof(int));
	p = (const char *) dsm_segment_address(segment) + sizeof(int);
	for (const char *end = p + length; p < end; p += strlen(p) + 1)
		strings = lappend(strings, pstrdup(p));
	dsm_unpin_segment(handle);
	dsm_detach(segment);
	return strings;
}

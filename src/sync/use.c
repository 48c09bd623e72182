/*-------------------------------------------------------------------------
 *
 * use.c
 *	  Who still writes the old side of a pair, and who the new one.
 *
 * That is noted at most once an interval for each session, pair and side, so that it
 * costs nothing to speak of, and in the transaction that writes: a write that is
 * rolled back is none.
 *
 * IDENTIFICATION
 *	  src/sync/use.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/timestamp.h"

#include "sync/sync.h"

/*
 * Note that this session writes a side.
 */
void
pgm_sync_note_use(PgmSyncPair *pair, bool new_side)
{
	pair->noted[new_side] = GetCurrentStatementStartTimestamp();
	pgm_store_note_use(pair->id, new_side);
}

/*-------------------------------------------------------------------------
 *
 * use.c
 *	  Who still writes the old side of a pair, and who the new one.
 *
 * That is noted at most once a minute for each session, pair and side, so that it
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

#define NOTE_INTERVAL	(60 * USECS_PER_SEC)

/*
 * Has this session not noted within a minute that it writes a side?
 */
bool
pgm_sync_use_is_due(const PgmSyncPair *pair, bool new_side)
{
	return GetCurrentStatementStartTimestamp() - pair->noted[new_side] >= NOTE_INTERVAL;
}

/*
 * Note that it does.
 */
void
pgm_sync_note_use(PgmSyncPair *pair, bool new_side)
{
	pair->noted[new_side] = GetCurrentStatementStartTimestamp();
	pgm_store_note_use(pair->id, new_side);
}

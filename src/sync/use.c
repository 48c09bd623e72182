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

#include "utils/timestamp.h"

#include "sync/row.h"

#define NOTE_INTERVAL	(60 * USECS_PER_SEC)

/*
 * Has this session not noted within a minute that it writes a side?
 */
bool
pgm_sync_use_is_due(const PgmSyncStatement *statement, int i, bool new_side)
{
	return statement->began - statement->table->pairs[i].noted[new_side] >= NOTE_INTERVAL;
}

static void
note_side(PgmSyncStatement *statement, int i, bool new_side)
{
	PgmSyncPair *pair = &statement->table->pairs[i];

	pair->noted[new_side] = statement->began;
	pgm_store_note_use(pair->id, new_side);
}

/*
 * Note which sides the statement has written in its row, where that is due.
 */
void
pgm_sync_note_use(PgmSyncStatement *statement, bool is_insert)
{
	for (int i = 0; i < statement->table->npairs; i++)
	{
		PgmSyncPairState *state = &statement->pairs[i];

		if (state->target_written && pgm_sync_use_is_due(statement, i, true))
			note_side(statement, i, true);
		if (pgm_sync_use_is_due(statement, i, false) &&
			(is_insert ? pgm_sync_inserts_source(statement, i) : state->old_written))
			note_side(statement, i, false);
	}
}

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

#include "sync/row.h"

#define NOTE_INTERVAL	(60 * USECS_PER_SEC)

/*
 * Find out for a statement which sides this session has not noted within a minute.
 */
void
pgm_sync_know_use(PgmSyncStatement *statement)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();

	statement->use_is_due = false;
	for (int i = 0; i < statement->table->npairs; i++)
	{
		PgmSyncPair *pair = &statement->table->pairs[i];
		PgmSyncPairState *state = &statement->pairs[i];

		for (int side = 0; side < lengthof(pair->noted); side++)
		{
			state->use_is_due[side] = now - pair->noted[side] >= NOTE_INTERVAL;
			statement->use_is_due |= state->use_is_due[side];
		}
	}
}

static void
note_side(PgmSyncStatement *statement, int i, bool new_side)
{
	PgmSyncPair *pair = &statement->table->pairs[i];

	statement->pairs[i].use_is_due[new_side] = false;
	pair->noted[new_side] = GetCurrentStatementStartTimestamp();
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

		if (state->use_is_due[true] && state->target_written)
			note_side(statement, i, true);
		if (state->use_is_due[false] &&
			(is_insert ? pgm_sync_inserts_source(statement, i) : state->old_written))
			note_side(statement, i, false);
	}
}

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
#include "utils/hsearch.h"

#include "sync/row.h"

/* What was noted, by pair; NULL before the first */
static HTAB *all_noted;

/* Has the transaction at hand noted anything? */
static bool noted_here;

/*
 * What is rolled back is not there: the next write is noted again.  That may be too
 * much, which does no harm.
 */
static void
forget_notes(void)
{
	HASH_SEQ_STATUS status;
	PgmSyncNoted *noted;

	if (!noted_here)
		return;
	hash_seq_init(&status, all_noted);
	while ((noted = hash_seq_search(&status)) != NULL)
		noted->at[false] = noted->at[true] = 0;
}

static void
at_end_of_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		forget_notes();
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		noted_here = false;
}

static void
at_end_of_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
						 void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget_notes();
}

/*
 * What this session has noted of a pair.  It stays where it is, while what is
 * prepared for a table goes with each VACUUM of it.
 */
PgmSyncNoted *
pgm_sync_noted(int64 pair)
{
	PgmSyncNoted *noted;
	bool		found;

	if (all_noted == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(int64),.entrysize = sizeof(PgmSyncNoted)};

		all_noted = hash_create("pgmigrate sync use", 16, &ctl, HASH_ELEM | HASH_BLOBS);
		RegisterXactCallback(at_end_of_transaction, NULL);
		RegisterSubXactCallback(at_end_of_subtransaction, NULL);
	}
	noted = hash_search(all_noted, &pair, HASH_ENTER, &found);
	if (!found)
		noted->at[false] = noted->at[true] = 0;
	return noted;
}

static void
note_side(PgmSyncStatement *statement, int i, bool new_side)
{
	PgmSyncPair *pair = &statement->table->pairs[i];

	pair->noted->at[new_side] = statement->began;
	noted_here = true;
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

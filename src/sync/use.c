/*-------------------------------------------------------------------------
 *
 * use.c
 *	  Who still writes the old side of a pair, and who the new one.
 *
 * That is noted at most once a minute for each session, pair and side, so that it
 * costs nothing to speak of, and in the transaction that writes: a write that is
 * rolled back is none.  When it was noted is kept for the session: what is prepared
 * for a table is too short-lived, since it goes with each VACUUM.
 *
 * IDENTIFICATION
 *	  src/sync/use.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"

#include "sync/row.h"

/* What was noted, by pair; NULL before the first */
static HTAB *all_noted;

/* Has the transaction at hand noted anything? */
static bool noted_here;

/*
 * A level of nested transactions ends.  What is rolled back is not there, so that the
 * next write is noted again; what is not belongs to the level above.
 */
static void
end_level(int level, bool rolled_back)
{
	HASH_SEQ_STATUS status;
	PgmSyncNoted *noted;

	hash_seq_init(&status, all_noted);
	while ((noted = hash_seq_search(&status)) != NULL)
	{
		for (int i = 0; i < lengthof(noted->side); i++)
		{
			PgmSyncNote *note = &noted->side[i];

			if (note->level < level)
				continue;
			if (rolled_back)
				note->at = 0;
			note->level = level - 1;
		}
	}
}

/* What becomes of a prepared transaction this session need not see. */
static void
at_end_of_transaction(XactEvent event, void *arg)
{
	if (!noted_here || (event != XACT_EVENT_ABORT && event != XACT_EVENT_COMMIT &&
						event != XACT_EVENT_PREPARE))
		return;
	end_level(1, event != XACT_EVENT_COMMIT);
	noted_here = false;
}

static void
at_end_of_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
						 void *arg)
{
	if (noted_here && (event == SUBXACT_EVENT_ABORT_SUB || event == SUBXACT_EVENT_COMMIT_SUB))
		end_level(GetCurrentTransactionNestLevel(), event == SUBXACT_EVENT_ABORT_SUB);
}

/*
 * What this session has noted of a pair.  It stays where it is, while what is
 * prepared for a table goes with each VACUUM of it.
 */
PgmSyncNoted *
pgm_sync_noted(int64 pair)
{
	const bool	missing_ok = true;
	PgmSyncNoted *noted;
	PgmSyncNoted wanted;
	bool		found;

	wanted.key.pair = pair;
	wanted.key.table = get_relname_relid("sync_pair", get_namespace_oid("migrate", missing_ok));
	if (all_noted == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(noted->key),.entrysize = sizeof(PgmSyncNoted)};

		all_noted = hash_create("pgmigrate sync use", 16, &ctl, HASH_ELEM | HASH_BLOBS);
		RegisterXactCallback(at_end_of_transaction, NULL);
		RegisterSubXactCallback(at_end_of_subtransaction, NULL);
	}
	noted = hash_search(all_noted, &wanted.key, HASH_ENTER, &found);
	if (!found)
		memset(noted->side, 0, sizeof(noted->side));
	return noted;
}

static void
note_side(PgmSyncStatement *statement, int i, bool new_side)
{
	PgmSyncPair *pair = &statement->table->pairs[i];

	pair->noted->side[new_side].at = statement->began;
	pair->noted->side[new_side].level = GetCurrentTransactionNestLevel();
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

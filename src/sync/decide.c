/*-------------------------------------------------------------------------
 *
 * decide.c
 *	  Which way the values of a pair go, by what a statement wrote.
 *
 * A pair has an old side, some columns that "up" makes the new column of, and the
 * new side, that column, which "down" makes the old one of, if there is a "down".
 * Which way a value goes is decided by what a statement did to the row and by
 * nothing else, least of all by a setting of the session:
 *
 * UPDATE, by the values before and after it, compared by image:
 *
 *	old side	new side
 *	changed		same		new := up
 *	same		changed		old := down; without down, it is left
 *	changed		changed		left as it is: who writes both knows both
 *	same		same		left as it is
 *
 * INSERT (COPY, the insert of an upsert, a row that moves into a partition): the
 * new column has no default, so it is null unless it was written.
 *
 *	null					new := up
 *	what "up" gives			left as it is: the row is in step
 *	anything else			old := down, if the old column is null or what it
 *							has by default, so that it was not written; a
 *							value where the default cannot be told (not the same
 *							each time, or by a function of a user's) counts as
 *							not written; else, or without down, it is left
 *
 * So a row is in step if one side is what its expression makes of the other.  It
 * need not be true for both: "up" and "down" may lose something, and then the side
 * that was written keeps what was written.
 *
 * What an UPDATE does not name it does not write, unless another trigger that has
 * fired before does: then it is not looked at.
 *
 * IDENTIFICATION
 *	  src/sync/decide.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/tupmacs.h"
#include "commands/trigger.h"

#include "base/compat.h"
#include "sync/row.h"

/* Does the UPDATE name the column? */
static bool
is_named(const Bitmapset *named, AttrNumber attno)
{
	return bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, named);
}

/*
 * Note which sides of the pairs an UPDATE may write that sets the columns "named",
 * and whether it may write any.
 */
static void
know_columns(PgmSyncStatement *statement, const Bitmapset *named)
{
	PgmSyncTable *table = statement->table;
	bool		all = !table->alone || named == NULL;
	bool		any = false;
	MemoryContext old = MemoryContextSwitchTo(statement->cxt);
	Bitmapset  *former = statement->named;

	/* nothing is known if there is no memory for it */
	statement->named_known = false;
	statement->named = NULL;
	bms_free(former);

	for (int i = 0; i < table->npairs; i++)
	{
		PgmSyncPair *pair = &table->pairs[i];
		PgmSyncPairState *state = &statement->pairs[i];

		state->target_named = all || is_named(named, pair->target);
		state->old_named = all;
		for (int k = 0; k < pair->ninputs && !state->old_named; k++)
			state->old_named = is_named(named, pair->inputs[k]);
		any |= state->old_named || state->target_named;
	}
	statement->named = bms_copy(named);
	statement->any_named = any;
	statement->named_known = true;
	MemoryContextSwitchTo(old);
}

/* Are two sets the same?  Most fit in a word, which needs no call. */
static inline bool
same_columns(const Bitmapset *a, const Bitmapset *b)
{
	if (a != NULL && b != NULL && a->nwords == 1 && b->nwords == 1)
		return a->words[0] == b->words[0];
	return bms_equal(a, b);
}

/*
 * The same where it was not done for the statement.  Its state may come from one
 * that was like it.
 */
void
pgm_sync_know_update(PgmSyncStatement *statement, const Bitmapset *named)
{
	statement->update_known = true;
	if (!statement->named_known || !same_columns(statement->named, named))
		know_columns(statement, named);
}

/*
 * Was a column another one in the row as it was before, which is stored there?  What
 * has a known place in it is read without the columns before.
 */
static inline bool
has_changed(TupleTableSlot *row, TupleTableSlot *before, HeapTuple stored, AttrNumber attno)
{
	int			i = attno - 1;
	Form_pg_attribute att = TupleDescAttr(before->tts_tupleDescriptor, i);
	HeapTupleHeader header = stored->t_data;
	int			place = pgm_known_place(before->tts_tupleDescriptor, i);
	bool		isnull = false;
	Datum		value;

	if (place >= 0 && !HeapTupleHasNulls(stored) && attno <= HeapTupleHeaderGetNatts(header))
		value = fetch_att((char *) header + header->t_hoff + place, att->attbyval, att->attlen);
	else
		value = slot_getattr(before, attno, &isnull);
	return !pgm_sync_same_value(att, value, isnull, row->tts_values[i], row->tts_isnull[i]);
}

/*
 * Have any columns of the old side changed?
 */
static bool
old_has_changed(const PgmSyncPair *pair, TupleTableSlot *row, TupleTableSlot *before,
				HeapTuple stored)
{
	for (int k = 0; k < pair->ninputs; k++)
	{
		if (has_changed(row, before, stored, pair->inputs[k]))
			return true;
	}
	return false;
}

/*
 * Decide by what an UPDATE did to a row that was like "before", stored in "stored".
 * Returns whether there is anything to do.
 */
bool
pgm_sync_decide_update(PgmSyncStatement *statement, TupleTableSlot *before, HeapTuple stored)
{
	TupleTableSlot *row = statement->row;
	bool		any = false;

	statement->use_is_due = false;
	slot_getsomeattrs(row, statement->table->last);
	for (int i = 0; i < statement->table->npairs; i++)
	{
		PgmSyncPair *pair = &statement->table->pairs[i];
		PgmSyncPairState *state = &statement->pairs[i];

		state->old_written = state->old_named && old_has_changed(pair, row, before, stored);
		state->target_written = state->target_named &&
			has_changed(row, before, stored, pair->target);
		state->action = PGM_SYNC_LEAVE;
		if (state->old_written && !state->target_written)
			state->action = PGM_SYNC_UP;
		else if (!state->old_written && state->target_written && pair->down != NULL &&
				 SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA)
			state->action = PGM_SYNC_DOWN;
		any |= state->action != PGM_SYNC_LEAVE;
		if ((state->old_written && pgm_sync_use_is_due(statement, i, false)) ||
			(state->target_written && pgm_sync_use_is_due(statement, i, true)))
			statement->use_is_due = true;
	}
	return any || statement->use_is_due;
}

/* Is the new side what "up" makes of the old one? */
bool
pgm_sync_is_up(PgmSyncStatement *statement, int i)
{
	PgmSyncPair *pair = &statement->table->pairs[i];
	bool		isnull;
	Datum		value = pgm_sync_evaluate(statement, i, pair->up, &statement->pairs[i].up, &isnull);

	return pgm_sync_is_in_row(statement, pair->target, value, isnull);
}

/*
 * Can it be that an INSERT did not mention the old column?
 */
static bool
source_is_default(PgmSyncStatement *statement, int i)
{
	PgmSyncPair *pair = &statement->table->pairs[i];
	PgmSyncPairState *state = &statement->pairs[i];
	ListCell   *lc;
	ListCell   *cell;
	bool		isnull;

	(void) slot_getattr(statement->row, pair->sources[0], &isnull);
	if (isnull || pair->default_unknown)
		return true;
	if (state->defaults == NIL && pair->defaults != NIL)
	{
		MemoryContext old = MemoryContextSwitchTo(statement->cxt);

		foreach(lc, pair->defaults)
			state->defaults = lappend(state->defaults, NULL);
		MemoryContextSwitchTo(old);
	}
	forboth(lc, pair->defaults, cell, state->defaults)
	{
		Datum		value = pgm_sync_evaluate(statement, i, (Expr *) lfirst(lc),
											  (ExprState **) &lfirst(cell), &isnull);

		if (pgm_sync_is_in_row(statement, pair->sources[0], value, isnull))
			return true;
	}
	return false;
}

/*
 * Decide by what an INSERT wrote.
 */
void
pgm_sync_decide_insert(PgmSyncStatement *statement)
{
	statement->use_is_due = false;
	for (int i = 0; i < statement->table->npairs; i++)
	{
		PgmSyncPair *pair = &statement->table->pairs[i];
		PgmSyncPairState *state = &statement->pairs[i];
		bool		isnull;

		(void) slot_getattr(statement->row, pair->target, &isnull);
		state->target_written = !isnull;
		statement->use_is_due |= pgm_sync_use_is_due(statement, i, false) ||
			(state->target_written && pgm_sync_use_is_due(statement, i, true));
		state->action = PGM_SYNC_LEAVE;
		if (isnull)
			state->action = PGM_SYNC_UP;
		else if (pair->down != NULL &&
				 SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA &&
				 !pgm_sync_is_up(statement, i) && source_is_default(statement, i))
			state->action = PGM_SYNC_DOWN;
	}
}

/*
 * Did an INSERT write the old side, as far as can be told?
 */
bool
pgm_sync_inserts_source(PgmSyncStatement *statement, int i)
{
	PgmSyncPair *pair = &statement->table->pairs[i];
	bool		isnull;

	if (pair->nsources == 1)
		return !source_is_default(statement, i);
	for (int k = 0; k < pair->nsources; k++)
	{
		(void) slot_getattr(statement->row, pair->sources[k], &isnull);
		if (!isnull)
			return true;
	}
	return false;
}

/*-------------------------------------------------------------------------
 *
 * trigger.c
 *	  migrate.sync(): keep the two sides of a row in step
 *
 * Which way a value goes is decided for each pair of a row by what the statement
 * wrote (decide.c).  Here it is carried out.
 *
 * Several pairs may share an old column.  If one's new side was written, the
 * others get their new values of the old column, as with any write of it; but not
 * those that "down" has read, which are part of what was written.  In a row that is
 * yet to be filled, new sides that "down" reads are filled before it does.
 *
 * Two kinds of writes are told apart.  A batch of a backfill that sets the new
 * column to what "up" gives fills it, so it does not go back down.  With
 * session_replication_role = replica, as in a worker that applies what another
 * server sends, a new side that was written came with the old one that belongs to
 * it, and is left.
 *
 * What is prepared for the table is kept for the session (cache.c), and most of the
 * state of a statement (statement.c).
 *
 * IDENTIFICATION
 *	  src/sync/trigger.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/relation.h"
#include "sync/row.h"

/*
 * An old column was written by the "down" of pair "from": other pairs that read it
 * follow, but for those that this "down" has read.
 */
static void
follow_source(PgmSyncStatement *statement, int from)
{
	PgmSyncPair *written = &statement->table->pairs[from];

	for (int i = 0; i < statement->table->npairs; i++)
	{
		PgmSyncPair *pair = &statement->table->pairs[i];
		PgmSyncPairState *state = &statement->pairs[i];

		if (i == from || state->target_written)
			continue;
		for (int k = 0; k < pair->ninputs; k++)
		{
			if (pair->inputs[k] == written->source)
				state->action = bms_is_member(pair->target, written->down_reads) ? PGM_SYNC_LEAVE : PGM_SYNC_UP;
		}
	}
}

/*
 * Is the row changed by a batch of a backfill itself, not by a trigger or a
 * function that it runs?
 */
static bool
is_filled(Relation rel)
{
	LOCAL_FCINFO(fcinfo, 0);

	if (pgm_relation_filled != RelationGetRelid(rel))
		return false;
	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	return DatumGetInt32(pg_trigger_depth(fcinfo)) == 1;
}

/* Was the old side of pair "i" what "down" makes of the new one? */
static bool
was_down(PgmSyncStatement *statement, int i, TupleTableSlot *before)
{
	PgmSyncPair *pair = &statement->table->pairs[i];
	TupleTableSlot *row = statement->row;
	bool		isnull;
	bool		result;
	Datum		value;

	if (pair->down == NULL)
		return false;
	statement->row = before;
	value = pgm_sync_evaluate(statement, i, pair->down, &statement->pairs[i].down, &isnull);
	result = pgm_sync_is_in_row(statement, pair->source, value, isnull);
	statement->row = row;
	return result;
}

/* Give the new side of pair "i" what "up" makes of the old one. */
static void
carry_up(PgmSyncStatement *statement, int i)
{
	PgmSyncPair *pair = &statement->table->pairs[i];
	bool		isnull;
	Datum		value = pgm_sync_evaluate(statement, i, pair->up, &statement->pairs[i].up, &isnull);

	(void) pgm_sync_set_column(statement, pair->target, value, isnull);
}

/*
 * The "down" of pair "from" is to be evaluated for a row that was like "before".
 * Where it reads new sides that nobody has filled or written yet, they are filled
 * first: it would lose what they stand for.
 */
static void
fill_what_is_read(PgmSyncStatement *statement, int from, TupleTableSlot *before)
{
	PgmSyncTable *table = statement->table;
	bool		isnull;

	for (int i = 0; i < table->npairs; i++)
	{
		PgmSyncPair *pair = &table->pairs[i];
		PgmSyncPairState *state = &statement->pairs[i];

		if (i == from || state->old_written || state->target_written ||
			!bms_is_member(pair->target, table->pairs[from].down_reads))
			continue;
		(void) slot_getattr(statement->row, pair->target, &isnull);
		if (isnull && !was_down(statement, i, before))
			carry_up(statement, i);
	}
}

/*
 * Give the old side of pair "i" what "down" makes of the new one, unless the row is
 * filled with what "up" gives.  Not a part of its caller, whose code has to be short
 * for the rows that go the other way.
 */
static pg_noinline void
carry_down(PgmSyncStatement *statement, int i, TupleTableSlot *before, bool filled)
{
	PgmSyncPair *pair = &statement->table->pairs[i];
	bool		isnull;
	Datum		value;

	if (filled && pgm_sync_is_up(statement, i))
		return;
	if (before != NULL)
		fill_what_is_read(statement, i, before);
	value = pgm_sync_evaluate(statement, i, pair->down, &statement->pairs[i].down, &isnull);
	if (pgm_sync_set_column(statement, pair->source, value, isnull))
		follow_source(statement, i);
}

/*
 * Carry out what was decided for a row that was like "before", if it was there.
 */
static void
carry_out(PgmSyncStatement *statement, TupleTableSlot *before, bool filled)
{
	int			npairs = statement->table->npairs;

	for (int i = 0; i < npairs; i++)
	{
		if (statement->pairs[i].action == PGM_SYNC_DOWN)
			carry_down(statement, i, before, filled);
	}
	for (int i = 0; i < npairs; i++)
	{
		if (statement->pairs[i].action == PGM_SYNC_UP)
			carry_up(statement, i);
	}
}

/* Say what was going on. */
static void
sync_error(void *arg)
{
	PgmSyncStatement *statement = (PgmSyncStatement *) arg;

	errcontext("keeping column \"%s\" of table \"%s\" in step",
			   statement->table->pairs[statement->current].target_name,
			   RelationGetRelationName(statement->rel));
}

/*
 * Do to the row what is to be done.
 */
static void
change_row(PgmSyncStatement *statement, TriggerData *trigger, TupleTableSlot *before)
{
	bool		as_owner = !statement->table->harmless;
	bool		filled;
	PgmSyncScope scope;
	ErrorContextCallback callback;

	callback.callback = sync_error;
	callback.arg = statement;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	statement->busy = true;
	/* the caller clears it after each row */
	statement->econtext->ecxt_per_tuple_memory = CurrentMemoryContext;
	if (as_owner)
		pgm_sync_enter_owner(trigger->tg_relation, statement->other_settings, &scope);
	if (before == NULL)
		pgm_sync_decide_insert(statement);
	filled = before != NULL && is_filled(trigger->tg_relation);
	if (statement->use_is_due && !filled)
		pgm_sync_note_use(statement, before == NULL);
	carry_out(statement, before, filled);
	if (as_owner)
		pgm_sync_leave_owner(&scope);
	statement->busy = false;
	error_context_stack = callback.previous;
}

/*
 * The row that is to be stored in place of what an INSERT has made, in the current
 * context.
 */
static HeapTuple
sync_insert(PgmSyncStatement *statement, TriggerData *trigger)
{
	TupleTableSlot *const no_row = NULL;

	pgm_sync_begin_row(statement, trigger, trigger->tg_trigslot, trigger->tg_trigtuple);
	change_row(statement, trigger, no_row);
	return pgm_sync_end_row(statement, trigger->tg_trigtuple);
}

/*
 * The same for an UPDATE.
 */
static HeapTuple
sync_update(PgmSyncStatement *statement, TriggerData *trigger)
{
	TupleTableSlot *before = trigger->tg_trigslot;

	if (!statement->update_known)
		pgm_sync_know_update(statement, trigger->tg_updatedcols);
	if (!statement->any_named)
		return trigger->tg_newtuple;
	pgm_sync_begin_row(statement, trigger, trigger->tg_newslot, trigger->tg_newtuple);
	if (!pgm_sync_decide_update(statement, before, trigger->tg_trigtuple))
		return trigger->tg_newtuple;
	change_row(statement, trigger, before);
	return pgm_sync_end_row(statement, trigger->tg_newtuple);
}

#define WHAT_FIRED		(TRIGGER_EVENT_OPMASK | TRIGGER_EVENT_ROW | TRIGGER_EVENT_TIMINGMASK)
#define BEFORE_INSERT	(TRIGGER_EVENT_INSERT | TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE)
#define BEFORE_UPDATE	(TRIGGER_EVENT_UPDATE | TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE)

/*
 * migrate.sync()
 */
Datum
pgm_sync_fire(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	PgmSyncStatement *statement = (PgmSyncStatement *) fcinfo->flinfo->fn_extra;
	TriggerEvent fired = CALLED_AS_TRIGGER(fcinfo) ? trigger->tg_event & WHAT_FIRED : 0;

	if (fired != BEFORE_UPDATE && fired != BEFORE_INSERT)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("migrate.sync() must be called as a trigger that migrate.sync_begin() made")));
	if (statement == NULL)
		statement = pgm_sync_begin_statement(fcinfo->flinfo, trigger);
	return PointerGetDatum(fired == BEFORE_UPDATE ? sync_update(statement, trigger) :
						   sync_insert(statement, trigger));
}

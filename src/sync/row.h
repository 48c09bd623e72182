/*-------------------------------------------------------------------------
 *
 * row.h
 *	  A statement that writes a table with pairs, and its row at hand.
 *
 * IDENTIFICATION
 *	  src/sync/row.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_SYNC_ROW_H
#define PGM_SYNC_ROW_H

#include "access/htup.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/timestamp.h"

#include "sync/sync.h"

/* A session notes once in so long that it writes a side. */
#define PGM_SYNC_NOTE_INTERVAL	(60 * USECS_PER_SEC)

/* What is to be done to a row for a pair. */
typedef enum PgmSyncAction
{
	PGM_SYNC_LEAVE, PGM_SYNC_UP, PGM_SYNC_DOWN
} PgmSyncAction;

/* A pair in a statement. */
typedef struct PgmSyncPairState
{
	bool		other_settings; /* than the session's */
	bool		old_named;		/* the UPDATE may write it */
	bool		target_named;
	bool		old_written;	/* in this row, by an UPDATE */
	bool		target_written;
	PgmSyncAction action;
	ExprState  *up;
	ExprState  *down;
	List	   *defaults;		/* of ExprState * */
} PgmSyncPairState;

/* A statement that writes the table. */
typedef struct PgmSyncStatement
{
	PgmSyncTable *table;
	MemoryContext cxt;			/* lives as long as all that is here */
	bool		busy;			/* with a row */
	bool		other_settings; /* than the session's, for some pair */

	/* which sides an UPDATE names that sets some columns: in "pairs", and */
	bool		any_named;		/* whether any */
	Bitmapset  *named;			/* those columns */
	bool		named_known;	/* that is right for them, */
	bool		update_known;	/* and they are the statement's own */

	TimestampTz began;
	ExprContext *econtext;

	/* the row at hand */
	Relation	rel;
	TupleTableSlot *row;		/* its values as they are so far */
	HeapTuple	tuple;			/* where it is stored, if it can be changed
								 * there */
	bool		changed;		/* it has values that are not stored */
	int			current;		/* pair, for the error context */
	bool		use_is_due;		/* of a side that was written, to be noted */

	MemoryContextCallback callback;
	PgmSyncPairState pairs[FLEXIBLE_ARRAY_MEMBER];
} PgmSyncStatement;

/* row.c */
extern bool pgm_sync_same_stored(int16 attlen, Datum a, Datum b);
extern void pgm_sync_init_expression(PgmSyncStatement *statement, Expr *expr,
									 ExprState **state);
extern bool pgm_sync_set_column(PgmSyncStatement *statement, AttrNumber attno, Datum value,
								bool isnull);
extern HeapTuple pgm_sync_form_tuple(PgmSyncStatement *statement, HeapTuple tuple);

/* statement.c */
extern PgmSyncStatement *pgm_sync_begin_statement(FmgrInfo *flinfo, const TriggerData *trigger);

/* use.c */
extern void pgm_sync_note_use(PgmSyncStatement *statement, bool is_insert);

/* decide.c */
extern void pgm_sync_know_update(PgmSyncStatement *statement, const Bitmapset *named);
extern bool pgm_sync_decide_update(PgmSyncStatement *statement, TupleTableSlot *before,
								   HeapTuple stored);
extern void pgm_sync_decide_insert(PgmSyncStatement *statement);
extern bool pgm_sync_is_up(PgmSyncStatement *statement, int i);
extern bool pgm_sync_inserts_source(PgmSyncStatement *statement, int i);

/*
 * What each row passes through is too short to be called.
 */

/*
 * Begin with a row: "tuple", which "slot" has.
 */
static inline void
pgm_sync_begin_row(PgmSyncStatement *statement, const TriggerData *trigger,
				   TupleTableSlot *slot, HeapTuple tuple)
{
	statement->rel = trigger->tg_relation;
	statement->row = slot;
	statement->tuple = NULL;
	statement->changed = false;

	/*
	 * The server has made the tuple for the triggers, and it is what is
	 * stored, if it belongs to the slot.  With a trigger that came from a
	 * partitioned table the server wants to see that a row has changed.
	 */
	if (!trigger->tg_trigger->tgisclone && TTS_SHOULDFREE(slot) &&
		(TTS_IS_HEAPTUPLE(slot) || TTS_IS_BUFFERTUPLE(slot)) &&
		((HeapTupleTableSlot *) slot)->tuple == tuple)
		statement->tuple = tuple;
}

/*
 * The tuple that is to be stored in place of "tuple".
 */
static inline HeapTuple
pgm_sync_end_row(PgmSyncStatement *statement, HeapTuple tuple)
{
	return statement->changed ? pgm_sync_form_tuple(statement, tuple) : tuple;
}

/*
 * Are two values of a column identical?  What is computed may come with another sign
 * than what is stored, as an oid does; its own bytes count.
 */
static inline bool
pgm_sync_same_value(Form_pg_attribute att, Datum a, bool a_isnull, Datum b, bool b_isnull)
{
	if (a_isnull || b_isnull)
		return a_isnull && b_isnull;
	if (att->attbyval)
		return (a ^ b) << (BITS_PER_BYTE * (sizeof(Datum) - att->attlen)) == 0;
	return a == b || pgm_sync_same_stored(att->attlen, a, b);
}

/* Is that the value of the column in the row as it is so far? */
static inline bool
pgm_sync_is_in_row(PgmSyncStatement *statement, AttrNumber attno, Datum value, bool isnull)
{
	Form_pg_attribute att = TupleDescAttr(statement->row->tts_tupleDescriptor, attno - 1);
	bool		row_isnull;
	Datum		row_value = slot_getattr(statement->row, attno, &row_isnull);

	return pgm_sync_same_value(att, row_value, row_isnull, value, isnull);
}

/*
 * Evaluate an expression for the row as it is so far; "state" is set up at the
 * first time.  The result is good until the next row.
 */
static inline Datum
pgm_sync_evaluate(PgmSyncStatement *statement, int pair, Expr *expr, ExprState **state,
				  bool *isnull)
{
	statement->current = pair;
	if (statement->pairs[pair].other_settings || *state == NULL)
		pgm_sync_init_expression(statement, expr, state);
	statement->econtext->ecxt_scantuple = statement->row;
	return ExecEvalExpr(*state, statement->econtext, isnull);
}

/*
 * Has this session not noted within a minute that it writes a side?
 */
static inline bool
pgm_sync_use_is_due(const PgmSyncStatement *statement, int i, bool new_side)
{
	return statement->began - statement->table->pairs[i].noted->side[new_side].at >=
		PGM_SYNC_NOTE_INTERVAL;
}

#endif							/* PGM_SYNC_ROW_H */

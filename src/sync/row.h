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
#include "executor/tuptable.h"
#include "nodes/execnodes.h"

#include "sync/sync.h"

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
	bool		update_known;	/* what it may write, */
	AttrNumber	last_named;		/* the last column of that, or 0, */
	Bitmapset  *named;			/* of an UPDATE that sets these */
	TimestampTz began;
	ExprContext *econtext;

	/* the row at hand */
	Relation	rel;
	TupleTableSlot *row;		/* as it is so far */
	HeapTuple	tuple;			/* where it is stored, if it can be changed
								 * there */
	TupleTableSlot *work;		/* a copy of it that can be changed, or NULL */
	int			current;		/* pair, for the error context */
	bool		use_is_due;		/* of a side that was written, to be noted */

	MemoryContextCallback callback;
	PgmSyncPairState pairs[FLEXIBLE_ARRAY_MEMBER];
} PgmSyncStatement;

/* row.c */
extern bool pgm_sync_same_in_slots(TupleTableSlot *a, TupleTableSlot *b, AttrNumber attno);
extern bool pgm_sync_is_in_row(PgmSyncStatement *statement, AttrNumber attno, Datum value,
							   bool isnull);
extern Datum pgm_sync_evaluate(PgmSyncStatement *statement, int pair, Expr *expr,
							   ExprState **state, bool *isnull);
extern bool pgm_sync_set_column(PgmSyncStatement *statement, AttrNumber attno, Datum value,
								bool isnull);
extern void pgm_sync_begin_row(PgmSyncStatement *statement, const TriggerData *trigger,
							   TupleTableSlot *slot, HeapTuple tuple);
extern HeapTuple pgm_sync_end_row(PgmSyncStatement *statement, TupleTableSlot *slot,
								  HeapTuple tuple);

/* statement.c */
extern PgmSyncStatement *pgm_sync_begin_statement(FmgrInfo *flinfo, const TriggerData *trigger);

/* use.c */
extern bool pgm_sync_use_is_due(const PgmSyncStatement *statement, int i, bool new_side);
extern void pgm_sync_note_use(PgmSyncStatement *statement, bool is_insert);

/* decide.c */
extern void pgm_sync_know_update(PgmSyncStatement *statement, const Bitmapset *named);
extern bool pgm_sync_decide_update(PgmSyncStatement *statement, TupleTableSlot *before);
extern void pgm_sync_decide_insert(PgmSyncStatement *statement);
extern bool pgm_sync_is_up(PgmSyncStatement *statement, int i);
extern bool pgm_sync_inserts_source(PgmSyncStatement *statement, int i);

#endif							/* PGM_SYNC_ROW_H */

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
	ExprState  *up;
	ExprState  *down;
	List	   *defaults;		/* of ExprState * */
	bool		other_settings; /* than the session's */
	bool		use_is_due[2];	/* of the old and the new side, to be noted */
	bool		old_named;		/* the UPDATE may write it */
	bool		target_named;
	bool		old_written;	/* in this row, by an UPDATE */
	bool		target_written;
	PgmSyncAction action;
} PgmSyncPairState;

/* A statement that writes the table. */
typedef struct PgmSyncStatement
{
	MemoryContext cxt;			/* lives as long as all that is here */
	PgmSyncTable *table;
	PgmSyncPairState *pairs;
	bool		busy;			/* with a row */
	bool		other_settings; /* than the session's, for some pair */
	bool		use_is_due;		/* of some side of a pair, to be noted */
	bool		update_known;	/* what it may write; */
	AttrNumber	last_named;		/* the last column of it, or 0 */
	ExprContext *econtext;
	TupleTableSlot *row;		/* the new row as it is so far */
	HeapTuple	tuple;			/* where it is stored, if it can be changed
								 * there */
	TupleTableSlot *work;		/* a copy of it that can be changed, or NULL */
	int			current;		/* pair, for the error context */
	Relation	rel;
	MemoryContextCallback callback;
} PgmSyncStatement;

/* row.c */
extern bool pgm_sync_same_in_slots(TupleTableSlot *a, TupleTableSlot *b, AttrNumber attno);
extern bool pgm_sync_is_in_row(PgmSyncStatement *statement, AttrNumber attno, Datum value,
							   bool isnull);
extern Datum pgm_sync_evaluate(PgmSyncStatement *statement, int pair, Expr *expr,
							   ExprState **state, bool *isnull);
extern bool pgm_sync_set_column(PgmSyncStatement *statement, AttrNumber attno, Datum value,
								bool isnull);
extern void pgm_sync_begin_row(PgmSyncStatement *statement, TupleTableSlot *slot,
							   HeapTuple tuple, bool is_clone);
extern HeapTuple pgm_sync_end_row(PgmSyncStatement *statement, TupleTableSlot *slot,
								  HeapTuple tuple);

/* statement.c */
extern PgmSyncStatement *pgm_sync_begin_statement(FmgrInfo *flinfo, const TriggerData *trigger);

/* use.c */
extern void pgm_sync_know_use(PgmSyncStatement *statement);
extern void pgm_sync_note_use(PgmSyncStatement *statement, bool is_insert);

/* decide.c */
extern void pgm_sync_know_update(PgmSyncStatement *statement, const Bitmapset *named);
extern bool pgm_sync_decide_update(PgmSyncStatement *statement, TupleTableSlot *before);
extern void pgm_sync_decide_insert(PgmSyncStatement *statement);
extern bool pgm_sync_is_up(PgmSyncStatement *statement, int i);
extern bool pgm_sync_inserts_source(PgmSyncStatement *statement, int i);

#endif							/* PGM_SYNC_ROW_H */

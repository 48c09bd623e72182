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
	bool		old_written;	/* in this row, by an UPDATE */
	bool		target_written;
	PgmSyncAction action;
} PgmSyncPairState;

/* A statement that writes the table. */
typedef struct PgmSyncStatement
{
	MemoryContext cxt;
	PgmSyncTable *table;
	PgmSyncPairState *pairs;
	bool		other_settings;
	bool		update_known;
	bool		update_matters; /* may touch columns of a pair */
	ExprContext *econtext;
	TupleTableSlot *row;		/* the new row as it is so far */
	TupleTableSlot *work;		/* a copy of it that can be changed, or NULL */
	int			current;		/* pair, for the error context */
	Relation	rel;
	MemoryContextCallback callback;
} PgmSyncStatement;

extern bool pgm_sync_same_in_slots(TupleTableSlot *a, TupleTableSlot *b, AttrNumber attno);
extern bool pgm_sync_is_in_row(PgmSyncStatement *statement, AttrNumber attno, Datum value,
							   bool isnull);
extern Datum pgm_sync_evaluate(PgmSyncStatement *statement, int pair, Expr *expr,
							   ExprState **state, bool *isnull);
extern bool pgm_sync_set_column(PgmSyncStatement *statement, AttrNumber attno, Datum value,
								bool isnull);
extern HeapTuple pgm_sync_form_tuple(PgmSyncStatement *statement, HeapTuple tuple);

#endif							/* PGM_SYNC_ROW_H */

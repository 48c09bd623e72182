/*-------------------------------------------------------------------------
 *
 * row.c
 *	  The row at hand: its values, what expressions make of them, its new form.
 *
 * The row is read where it is.  It is copied to be changed, and only if that
 * changes something, so a row that is in step costs no new tuple.
 *
 * IDENTIFICATION
 *	  src/sync/row.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "utils/datum.h"

#include "base/compat.h"
#include "base/guc.h"
#include "sync/row.h"

/*
 * Are two values of a column identical?  Looks at what is stored out of line only
 * if it is stored in two places.
 */
static bool
same_value(Form_pg_attribute att, Datum a, bool a_isnull, Datum b, bool b_isnull)
{
	if (a_isnull || b_isnull)
		return a_isnull && b_isnull;
	if (att->attbyval || DatumGetPointer(a) == DatumGetPointer(b))
		return a == b;
	if (att->attlen == -1 && VARSIZE_ANY(a) == VARSIZE_ANY(b) &&
		memcmp(DatumGetPointer(a), DatumGetPointer(b), VARSIZE_ANY(a)) == 0)
		return true;
	return datum_image_eq(a, b, att->attbyval, att->attlen);
}

/* The same for a column that is deformed in both. */
bool
pgm_sync_same_in_slots(TupleTableSlot *a, TupleTableSlot *b, AttrNumber attno)
{
	int			i = attno - 1;

	return same_value(TupleDescAttr(a->tts_tupleDescriptor, i), a->tts_values[i],
					  a->tts_isnull[i], b->tts_values[i], b->tts_isnull[i]);
}

/* Is that the value of the column in the row as it is so far? */
bool
pgm_sync_is_in_row(PgmSyncStatement *statement, AttrNumber attno, Datum value, bool isnull)
{
	Form_pg_attribute att = TupleDescAttr(statement->row->tts_tupleDescriptor, attno - 1);
	bool		row_isnull;
	Datum		row_value = slot_getattr(statement->row, attno, &row_isnull);

	return same_value(att, row_value, row_isnull, value, isnull);
}

/*
 * Evaluate an expression for the row as it is so far; "state" is set up at the
 * first time.  The result is good until the next row.
 */
Datum
pgm_sync_evaluate(PgmSyncStatement *statement, int pair, Expr *expr, ExprState **state, bool *isnull)
{
	statement->current = pair;
	if (statement->pairs[pair].other_settings)
		pgm_guc_restore_meaning(statement->table->pairs[pair].settings);
	if (*state == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(statement->cxt);

		*state = ExecInitExpr(expr, NULL);
		MemoryContextSwitchTo(old);
	}
	statement->econtext->ecxt_scantuple = statement->row;
	return ExecEvalExprSwitchContext(*state, statement->econtext, isnull);
}

/*
 * Set a column of the row; returns whether that changed it.
 */
bool
pgm_sync_set_column(PgmSyncStatement *statement, AttrNumber attno, Datum value, bool isnull)
{
	TupleTableSlot *row = statement->row;
	TupleTableSlot *work = statement->work;

	if (pgm_sync_is_in_row(statement, attno, value, isnull))
		return false;
	if (work == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(statement->cxt);

		work = MakeSingleTupleTableSlot(statement->table->desc, &TTSOpsVirtual);
		statement->work = work;
		MemoryContextSwitchTo(old);
	}
	if (row != work)
	{
		int			natts = row->tts_tupleDescriptor->natts;

		slot_getallattrs(row);
		ExecClearTuple(work);
		memcpy(work->tts_values, row->tts_values, sizeof(Datum) * natts);
		memcpy(work->tts_isnull, row->tts_isnull, sizeof(bool) * natts);
		ExecStoreVirtualTuple(work);
		statement->row = work;
	}
	work->tts_values[attno - 1] = value;
	work->tts_isnull[attno - 1] = isnull;
	return true;
}

/* The tuple that the changed row makes, in place of "tuple". */
HeapTuple
pgm_sync_form_tuple(PgmSyncStatement *statement, HeapTuple tuple)
{
	TupleTableSlot *work = statement->work;
	HeapTuple	result = heap_form_tuple(work->tts_tupleDescriptor, work->tts_values,
										 work->tts_isnull);

	result->t_data->t_ctid = tuple->t_data->t_ctid;
	result->t_self = tuple->t_self;
	result->t_tableOid = tuple->t_tableOid;
	return result;
}

/*-------------------------------------------------------------------------
 *
 * row.c
 *	  The row at hand: its values, what expressions make of them, its new form.
 *
 * The row is read where it is.  It is changed only if that makes a difference, so
 * a row that is in step costs no new tuple.  Neither does a value that takes the
 * place of one of the same size, if the tuple is the slot's own: it is put there.
 * Otherwise the row is copied to be changed.
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

/* Is all of it stored here, as it is? */
static inline bool
is_plain_varlena(Datum value)
{
	struct varlena *stored = (struct varlena *) DatumGetPointer(value);

	return !VARATT_IS_EXTERNAL(stored) && !VARATT_IS_COMPRESSED(stored);
}

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
	if (att->attlen == -1 && is_plain_varlena(a) && is_plain_varlena(b))
		return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
			memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
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
 * Make an expression ready.  That asks whether its functions may be called, and it
 * is the owner who has to be allowed to.
 */
static ExprState *
init_expression(PgmSyncStatement *statement, Expr *expr)
{
	MemoryContext old = MemoryContextSwitchTo(statement->cxt);
	const bool	new_level = false;
	PgmSyncScope scope;
	ExprState  *state;

	pgm_sync_enter_owner(statement->rel, new_level, &scope);
	state = ExecInitExpr(expr, NULL);
	pgm_sync_leave_owner(&scope);
	MemoryContextSwitchTo(old);
	return state;
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
		*state = init_expression(statement, expr);
	statement->econtext->ecxt_scantuple = statement->row;
	return ExecEvalExpr(*state, statement->econtext, isnull);
}

/*
 * Begin with a row: "tuple", which "slot" has.
 */
void
pgm_sync_begin_row(PgmSyncStatement *statement, const TriggerData *trigger,
				   TupleTableSlot *slot, HeapTuple tuple)
{
	statement->rel = trigger->tg_relation;
	statement->row = slot;
	statement->tuple = NULL;

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
 * Where in the tuple a column is that is not null, all up to it being deformed in
 * the slot.
 */
static char *
column_address(TupleTableSlot *slot, HeapTuple tuple, AttrNumber attno)
{
	TupleDesc	desc = slot->tts_tupleDescriptor;
	char	   *data = (char *) tuple->t_data + tuple->t_data->t_hoff;
	int			i = attno - 1;
	uint32		offset = 0;

	if (!TupleDescAttr(desc, i)->attbyval)
		return DatumGetPointer(slot->tts_values[i]);

	/* go on from the next column before it whose place is known */
	while (i > 0 && (slot->tts_isnull[i - 1] || TupleDescAttr(desc, i - 1)->attbyval))
		i--;
	if (i > 0)
	{
		char	   *before = DatumGetPointer(slot->tts_values[i - 1]);

		offset = att_addlength_pointer(before - data, TupleDescAttr(desc, i - 1)->attlen, before);
	}
	for (;; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (slot->tts_isnull[i])
			continue;
		offset = att_align_nominal(offset, att->attalign);
		if (i == attno - 1)
			return data + offset;
		offset += att->attlen;
	}
}

/*
 * Put a value of variable length where one of the same length is stored; returns
 * whether that could be done.
 */
static bool
replace_varlena(struct varlena *stored, struct varlena *value)
{
	if (!is_plain_varlena(PointerGetDatum(stored)) || !is_plain_varlena(PointerGetDatum(value)) ||
		VARSIZE_ANY_EXHDR(stored) != VARSIZE_ANY_EXHDR(value))
		return false;
	memcpy(VARDATA_ANY(stored), VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	return true;
}

/*
 * Set a column where it is stored, if the value fits there; returns whether that
 * could be done.
 */
static bool
set_in_place(PgmSyncStatement *statement, AttrNumber attno, Datum value, bool isnull)
{
	TupleTableSlot *row = statement->row;
	Form_pg_attribute att = TupleDescAttr(row->tts_tupleDescriptor, attno - 1);
	char	   *place;

	if (statement->tuple == NULL || isnull || row->tts_isnull[attno - 1] || att->attlen < -1)
		return false;
	/* a column that was added later need not be in it */
	if (HeapTupleHeaderGetNatts(statement->tuple->t_data) < attno)
		return false;
	place = column_address(row, statement->tuple, attno);
	if (att->attlen == -1)
		return replace_varlena((struct varlena *) place,
							   (struct varlena *) DatumGetPointer(value));
	if (att->attbyval)
	{
		store_att_byval(place, value, att->attlen);
		row->tts_values[attno - 1] = value;
	}
	else
		memcpy(place, DatumGetPointer(value), att->attlen);
	return true;
}

/*
 * Have a copy of the row that can be changed in place of the row.
 */
static void
copy_row(PgmSyncStatement *statement)
{
	TupleTableSlot *row = statement->row;
	TupleTableSlot *work = statement->work;
	int			natts = row->tts_tupleDescriptor->natts;

	if (work == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(statement->cxt);

		work = MakeSingleTupleTableSlot(statement->table->desc, &TTSOpsVirtual);
		statement->work = work;
		MemoryContextSwitchTo(old);
	}
	slot_getallattrs(row);
	ExecClearTuple(work);
	memcpy(work->tts_values, row->tts_values, sizeof(Datum) * natts);
	memcpy(work->tts_isnull, row->tts_isnull, sizeof(bool) * natts);
	ExecStoreVirtualTuple(work);
	statement->row = work;
	statement->tuple = NULL;
}

/*
 * Set a column of the row; returns whether that changed it.
 */
bool
pgm_sync_set_column(PgmSyncStatement *statement, AttrNumber attno, Datum value, bool isnull)
{
	if (pgm_sync_is_in_row(statement, attno, value, isnull))
		return false;
	if (set_in_place(statement, attno, value, isnull))
		return true;
	if (statement->row != statement->work)
		copy_row(statement);
	statement->row->tts_values[attno - 1] = value;
	statement->row->tts_isnull[attno - 1] = isnull;
	return true;
}

/*
 * The tuple that is to be stored in place of "tuple", which "slot" has, in the
 * current context if it is another one.
 */
HeapTuple
pgm_sync_end_row(PgmSyncStatement *statement, TupleTableSlot *slot, HeapTuple tuple)
{
	TupleTableSlot *row = statement->row;
	HeapTuple	result;

	if (row == slot)
		return tuple;
	result = heap_form_tuple(row->tts_tupleDescriptor, row->tts_values, row->tts_isnull);
	result->t_data->t_ctid = tuple->t_data->t_ctid;
	result->t_self = tuple->t_self;
	result->t_tableOid = tuple->t_tableOid;
	return result;
}

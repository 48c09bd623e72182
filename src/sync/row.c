/*-------------------------------------------------------------------------
 *
 * row.c
 *	  The row at hand: its values, what expressions make of them, its new form.
 *
 * The row is read where it is.  It is changed only if that makes a difference, so
 * a row that is in step costs no new tuple.  Neither does a value that takes the
 * place of one of the same size, if the tuple is the slot's own: it is put there.
 * Otherwise the slot's values are changed, and a tuple is made of them at the end.
 * Expressions see them: they can read columns, but not the row as a whole.
 *
 * IDENTIFICATION
 *	  src/sync/row.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/datum.h"
#include "utils/expandeddatum.h"

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
 * Are two values identical that are stored and not short?  Looks at what is stored
 * out of line only if it is stored in two places.
 */
static pg_noinline bool
same_long(int16 attlen, Datum a, Datum b)
{
	const bool	byval = false;

	if (attlen == -1 && is_plain_varlena(a) && is_plain_varlena(b))
		return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
			memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
	if (attlen == -1 && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(a)) &&
		VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(b)) &&
		memcmp(DatumGetPointer(a), DatumGetPointer(b), VARSIZE_EXTERNAL(DatumGetPointer(a))) == 0)
		return true;
	return datum_image_eq(a, b, byval, attlen);
}

/*
 * Are two values identical that are stored?
 */
bool
pgm_sync_same_stored(int16 attlen, Datum a, Datum b)
{
	/* most are short, and the first byte is their length */
	if (attlen == -1 && *DatumGetPointer(a) == *DatumGetPointer(b) &&
		VARATT_IS_SHORT(DatumGetPointer(a)) && !VARATT_IS_EXTERNAL(DatumGetPointer(a)))
		return memcmp(DatumGetPointer(a), DatumGetPointer(b),
					  VARSIZE_SHORT(DatumGetPointer(a))) == 0;
	return same_long(attlen, a, b);
}

/*
 * Make an expression of the current pair ready, if it is not, and the settings that
 * it needs.  That asks whether its functions may be called, and it is the owner who
 * has to be allowed to.
 */
void
pgm_sync_init_expression(PgmSyncStatement *statement, Expr *expr, ExprState **state)
{
	const bool	new_level = false;
	PgmSyncScope scope;
	MemoryContext old;

	if (statement->pairs[statement->current].other_settings)
		pgm_guc_restore_meaning(statement->table->pairs[statement->current].settings);
	if (*state != NULL)
		return;
	old = MemoryContextSwitchTo(statement->cxt);
	pgm_sync_enter_owner(statement->rel, new_level, &scope);
	*state = ExecInitExpr(expr, NULL);
	pgm_sync_leave_owner(&scope);
	MemoryContextSwitchTo(old);
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
static pg_noinline bool
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
	if (att->attbyval)
	{
		store_att_byval(place, value, att->attlen);
		row->tts_values[attno - 1] = value;
		return true;
	}
	if (att->attlen == -1)
		return replace_varlena((struct varlena *) place,
							   (struct varlena *) DatumGetPointer(value));
	memcpy(place, DatumGetPointer(value), att->attlen);
	return true;
}

/*
 * Set a column among the values.  They are all there from here on, and what is stored
 * is not looked at.
 */
static pg_noinline void
set_value(PgmSyncStatement *statement, AttrNumber attno, Datum value, bool isnull)
{
	TupleTableSlot *row = statement->row;
	int			i = attno - 1;

	slot_getallattrs(row);

	/*
	 * an array may come as what a function can write in: no other one may do
	 * that
	 */
	row->tts_values[i] = MakeExpandedObjectReadOnly(value, isnull,
													TupleDescAttr(row->tts_tupleDescriptor, i)->attlen);
	row->tts_isnull[i] = isnull;
	statement->changed = true;
}

/*
 * Set a column of the row; returns whether that changed it.
 */
bool
pgm_sync_set_column(PgmSyncStatement *statement, AttrNumber attno, Datum value, bool isnull)
{
	if (pgm_sync_is_in_row(statement, attno, value, isnull))
		return false;
	if (statement->changed || !set_in_place(statement, attno, value, isnull))
		set_value(statement, attno, value, isnull);
	return true;
}

/*
 * Make a tuple, in the current context, that is to be stored in place of "tuple".
 */
HeapTuple
pgm_sync_form_tuple(PgmSyncStatement *statement, HeapTuple tuple)
{
	TupleTableSlot *row = statement->row;
	HeapTuple	result = heap_form_tuple(row->tts_tupleDescriptor, row->tts_values,
										 row->tts_isnull);

	result->t_data->t_ctid = tuple->t_data->t_ctid;
	result->t_self = tuple->t_self;
	result->t_tableOid = tuple->t_tableOid;
	return result;
}

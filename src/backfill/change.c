/*-------------------------------------------------------------------------
 *
 * change.c
 *	  Changing rows, and putting those aside that cannot be changed.
 *
 * A lane that has met an error in the data is careful for a while: it changes
 * rows in subtransactions, and where one fails, in halves of it, until the rows
 * are found that fail by themselves.  These are put aside with the error and the
 * lane goes on; too many of them end the backfill.  Constraints that wait for
 * the commit are checked at once then, or the error would come too late to tell
 * whose it is.
 *
 * IDENTIFICATION
 *	  src/backfill/change.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "nodes/makefuncs.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "base/guc.h"
#include "base/subxact.h"
#include "backfill/key.h"
#include "backfill/lane.h"

/* Some of the rows of a careful batch. */
typedef struct Share
{
	PgmLane    *lane;
	ItemPointer tids;			/* by place, or NULL */
	List	   *only_key;		/* of the only row, or NIL */
	List	   *keys;			/* by key: the key before the first, and all
								 * keys */
	int			first;
	int			count;
	int			changed;		/* result */
} Share;

/*
 * Does somebody wait for a row that this transaction has changed?
 */
bool
pgm_change_is_waited_for(void)
{
	TransactionId xid = GetTopTransactionIdIfAny();
	LOCKTAG		tag;

	if (!TransactionIdIsValid(xid))
		return false;
	SET_LOCKTAG_TRANSACTION(tag, xid);
	return LockHasWaiters(&tag, ExclusiveLock, false);
}

/*
 * Count the rows that are still to be done though they have just been changed.
 * Where old and new values are compared, that is the work of a trigger, and
 * going through the table again would change them again: throw.  Where the new
 * value is null, it is as it should be.
 */
static void
check_done(PgmLane *lane)
{
	for (uint64 i = 0; SPI_tuptable != NULL && i < SPI_tuptable->numvals; i++)
	{
		bool		isnull;
		Datum		again = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);

		if (isnull || !DatumGetBool(again))
			continue;
		lane->batch.again++;
		if (lane->shape->derived)
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
					 errmsg("a row that was changed does not have the values that were set"),
					 errdetail("A BEFORE trigger changes them, so \"pages\" cannot tell rows that are done."),
					 errhint("Use strategy \"key\".")));
	}
}

static int
run_by_place(PgmLane *lane, ItemPointer tids, int count)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(count, 1));
	Datum		values[1];
	const bool	read_only = false;

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(&tids[i]);
	values[0] = PointerGetDatum(construct_array(elements, count, TIDOID,
												sizeof(ItemPointerData), false, TYPALIGN_SHORT));
	count = (int) pgm_statement_run(lane->skip_locked > 0 ? lane->change_unlocked : lane->change,
									values, read_only, NULL);
	if (lane->shape->check_done)
		check_done(lane);
	return count;
}

static void
change_share(void *arg)
{
	Share	   *share = (Share *) arg;

	if (share->tids != NULL)
		share->changed = run_by_place(share->lane, share->tids + share->first, share->count);
	else if (share->only_key != NIL)
		share->changed = pgm_key_run_one(share->lane, share->only_key);
	else
		share->changed = pgm_key_run_range(share->lane,
										   (List *) list_nth(share->keys, share->first),
										   (List *) list_nth(share->keys, share->first + share->count));
}

/*
 * Is an error about the values of rows, so that other rows may be well?
 */
static bool
is_about_data(const ErrorData *error)
{
	return ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_DATA_EXCEPTION ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ||
		error->sqlerrcode == ERRCODE_RAISE_EXCEPTION ||
		error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}

/*
 * Note the one row of a share with the error it gave.
 */
static void
put_aside(const Share *share, const ErrorData *error)
{
	PgmLane    *lane = share->lane;
	PgmBadRow  *row = MemoryContextAllocZero(lane->piece_cxt, sizeof(PgmBadRow));
	char	   *key = NULL;

	row->relid = lane->leaf_relid;
	if (share->tids != NULL)
		row->ctid = share->tids[share->first];
	else
	{
		row->key_values = share->only_key != NIL ? share->only_key :
			(List *) list_nth(share->keys, share->first + 1);
		if (!pgm_key_find_place(lane, row->key_values, &row->ctid))
			return;
	}
	row->xmin = pgm_key_describe(lane, &row->ctid, &key);
	row->key = key;
	row->sqlstate = pstrdup(unpack_sql_state(error->sqlerrcode));
	row->message = error->message;
	row->detail = error->detail;
	pgm_store_insert_bad_row(lane->job_id, row);
	row->key = row->sqlstate = row->message = row->detail = NULL;
	row->key_values = NIL;
	if (share->tids != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(lane->piece_cxt);

		lane->bad_rows = lappend(lane->bad_rows, row);
		MemoryContextSwitchTo(old);
	}
	lane->batch.bad++;
}

/*
 * Change rows in a subtransaction, and in halves if that fails; returns how many
 * were changed.
 */
static int
change_carefully(Share *share)
{
	const bool	keep = true;
	ErrorData  *error = pgm_subxact_run(change_share, share, keep);
	Share		half = *share;
	int			changed;

	if (error == NULL)
		return share->changed;
	if (!is_about_data(error))
		ReThrowError(error);
	if (share->count == 1)
	{
		put_aside(share, error);
		return 0;
	}
	FreeErrorData(error);
	half.count = share->count / 2;
	changed = change_carefully(&half);
	half.first = share->first + share->count / 2;
	half.count = share->count - share->count / 2;
	return changed + change_carefully(&half);
}

/*
 * Check constraints at the end of each statement from now on to the end of the
 * transaction.
 */
static void
check_constraints_at_once(void)
{
	ConstraintsSetStmt *stmt = makeNode(ConstraintsSetStmt);

	stmt->constraints = NIL;
	stmt->deferred = false;
	AfterTriggerSetState(stmt);
}

/*
 * Change the rows at these places, as far as they are still to be done; returns
 * how many were changed.
 */
int
pgm_change_rows(PgmLane *lane, ItemPointer tids, int count)
{
	Share		share = {lane, tids, NIL, NIL, 0, count, 0};

	if (count == 0)
		return 0;
	if (lane->careful > 0 || lane->at_once)
		check_constraints_at_once();
	if (lane->careful == 0)
		return run_by_place(lane, tids, count);
	return change_carefully(&share);
}

/*
 * The same for the rows with keys after the first one, which is NIL at the
 * start, and up to the last one.
 */
int
pgm_change_range(PgmLane *lane, List *from, List *to)
{
	Share		share = {lane, NULL, NIL, NIL, 0, 0, 0};

	if (lane->careful > 0 || lane->at_once)
		check_constraints_at_once();
	if (lane->careful == 0)
		return pgm_key_run_range(lane, from, to);
	share.keys = lcons(from, pgm_key_list(lane, from, to));
	share.count = list_length(share.keys) - 1;
	return share.count == 0 ? 0 : change_carefully(&share);
}

/*
 * The same for the row with a key, carefully.
 */
int
pgm_change_key(PgmLane *lane, List *key)
{
	Share		share = {lane, NULL, key, NIL, 0, 1, 0};

	check_constraints_at_once();
	return change_carefully(&share);
}

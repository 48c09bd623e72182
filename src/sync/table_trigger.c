/*-------------------------------------------------------------------------
 *
 * table_trigger.c
 *	  migrate.carry(): carry writes of a table over to the one that is to take
 *	  its place
 *
 * It fires after each row is written:
 *
 *	INSERT			put the row
 *	UPDATE			nothing if no column that matters has changed; else drop the
 *					row under its old key, if that has changed, and put it
 *	DELETE			drop the row
 *	TRUNCATE		truncate
 *
 * To put a row is to insert it, or to update what is there; if something else has
 * happened to it since, it is read anew, by its key.  To drop one is to delete what
 * is there, unless a row of the table is made into just that.  So it does not matter
 * in which order, or how often, it is told about the writes of a transaction
 * (table_sql.c).
 *
 * Whoever comes here has written the row, and keeps others from writing it.  A
 * batch of the backfill that copies rows locks them first.  So nobody else writes
 * the row of the new table meanwhile, and what others have done to it before is
 * committed: it is looked at with the latest snapshot, also in transactions that
 * have an older one.
 *
 * All is done as the owner of both tables, whose code the expressions are.  If
 * somebody else writes, nothing is found by that one's search_path.
 *
 * IDENTIFICATION
 *	  src/sync/table_trigger.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/relation.h"
#include "sync/row.h"
#include "sync/table.h"

/* A statement that writes the old table. */
typedef struct CarryStatement
{
	PgmCarryTable *table;
	ExprState **made;
	ExprContext *econtext;
	MemoryContextCallback callback;
} CarryStatement;

static void
release_table(void *arg)
{
	pgm_table_release(((CarryStatement *) arg)->table);
}

/*
 * The state of the statement that fires the trigger, made for its first row.
 */
static CarryStatement *
begin_statement(FmgrInfo *flinfo, TriggerData *trigger)
{
	MemoryContext old = MemoryContextSwitchTo(flinfo->fn_mcxt);
	CarryStatement *statement = palloc0(sizeof(CarryStatement));

	statement->table = pgm_table_get(trigger->tg_relation, trigger->tg_trigger);
	statement->callback.func = release_table;
	statement->callback.arg = statement;
	MemoryContextRegisterResetCallback(flinfo->fn_mcxt, &statement->callback);
	statement->made = palloc0(sizeof(ExprState *) * Max(statement->table->nmade, 1));
	statement->econtext = makeNode(ExprContext);
	statement->econtext->ecxt_per_query_memory = flinfo->fn_mcxt;
	flinfo->fn_extra = statement;
	MemoryContextSwitchTo(old);
	return statement;
}

/*
 * Have a plan that finds its rows by their keys, also while the planner takes the
 * new table for an empty one.
 */
static void
plan_statement(PgmCarryPlan *plan)
{
	static const char *const off[] = {"enable_seqscan", "enable_bitmapscan", "jit"};
	int			guc_level;

	if (plan->plan != NULL && SPI_plan_is_valid(plan->plan))
		return;
	guc_level = NewGUCNestLevel();
	for (int i = 0; i < lengthof(off); i++)
		(void) set_config_option(off[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
								 0, false);
	if (plan->plan == NULL)
	{
		SPIPlanPtr	made = SPI_prepare_cursor(plan->sql, plan->nargs, plan->types,
											  CURSOR_OPT_GENERIC_PLAN);

		if (made == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(made);
		plan->plan = made;
	}
	ReleaseCachedPlan(SPI_plan_get_cached_plan(plan->plan), CurrentResourceOwner);
	AtEOXact_GUC(true, guc_level);
}

/*
 * Run a statement.  The AFTER triggers of the new table, foreign keys among them,
 * wait for those of the statement that writes the old one: a row may refer to one
 * that is yet to be carried over.
 */
static void
run(PgmCarryPlan *plan, Datum *values, const char *nulls)
{
	const bool	read_only = false;
	const bool	fire_triggers = false;
	int			rc;

	plan_statement(plan);
	CommandCounterIncrement();
	rc = SPI_execute_snapshot(plan->plan, values, nulls, GetLatestSnapshot(), InvalidSnapshot,
							  read_only, fire_triggers, 0);
	if (rc < 0)
		elog(ERROR, "SPI_execute_snapshot failed: %s", SPI_result_code_string(rc));
}

/*
 * What a column of the new table is made into, for the row in the slot.  Lives in
 * the current context.
 */
static Datum
make_value(CarryStatement *statement, TupleTableSlot *slot, int column, char *null)
{
	ExprContext *econtext = statement->econtext;
	bool		isnull;
	Datum		value;

	if (statement->made[column] == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(econtext->ecxt_per_query_memory);

		statement->made[column] = ExecInitExpr(statement->table->made[column], NULL);
		MemoryContextSwitchTo(old);
	}
	econtext->ecxt_per_tuple_memory = CurrentMemoryContext;
	econtext->ecxt_scantuple = slot;
	value = ExecEvalExpr(statement->made[column], econtext, &isnull);
	*null = isnull ? 'n' : ' ';
	return value;
}

/*
 * Is the row in the slot as it is now, or has it been changed or deleted since?
 */
static bool
is_newest(TriggerData *trigger, TupleTableSlot *slot)
{
	return TTS_IS_BUFFERTUPLE(slot) &&
		BufferIsValid(((BufferHeapTupleTableSlot *) slot)->buffer) &&
		table_tuple_satisfies_snapshot(trigger->tg_relation, slot, SnapshotSelf);
}

/* Put the row with the key of that in the slot, whatever has become of it. */
static void
put_anew(CarryStatement *statement, TupleTableSlot *slot)
{
	PgmCarryTable *table = statement->table;
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull;
	int			guc_level = NewGUCNestLevel();
	const bool	keep_settings = false;

	pgm_guc_pin_search_path();
	pgm_guc_restore_meaning(table->settings);
	for (int i = 0; i < table->nkey; i++)
		values[i] = slot_getattr(slot, table->key[i], &isnull);
	run(&table->put, values, NULL);
	AtEOXact_GUC(keep_settings, guc_level);
}

/* Put the row that is in the slot. */
static void
put(CarryStatement *statement, TriggerData *trigger, TupleTableSlot *slot)
{
	PgmCarryTable *table = statement->table;
	Datum	   *values;
	char	   *nulls;

	if (!is_newest(trigger, slot))
	{
		put_anew(statement, slot);
		return;
	}
	values = palloc(sizeof(Datum) * table->nmade);
	nulls = palloc(table->nmade);
	for (int i = 0; i < table->nmade; i++)
		values[i] = make_value(statement, slot, i, &nulls[i]);
	run(&table->write, values, nulls);
}

/* Drop the row that is in the slot. */
static void
drop(CarryStatement *statement, TupleTableSlot *slot)
{
	PgmCarryTable *table = statement->table;
	Datum		values[2 * INDEX_MAX_KEYS];
	char		nulls[2 * INDEX_MAX_KEYS];
	bool		isnull;

	for (int i = 0; i < table->nnew_key; i++)
		values[i] = make_value(statement, slot, table->new_key[i], &nulls[i]);
	for (int i = 0; i < table->nkey; i++)
	{
		values[table->nnew_key + i] = slot_getattr(slot, table->key[i], &isnull);
		nulls[table->nnew_key + i] = ' ';
	}
	run(&table->drop, values, nulls);
}

/* Has any of these columns changed? */
static bool
has_changed(TupleTableSlot *before, TupleTableSlot *after, const AttrNumber *columns, int count)
{
	for (int k = 0; k < count; k++)
	{
		int			i = columns[k] - 1;

		if (!pgm_sync_same_value(TupleDescAttr(after->tts_tupleDescriptor, i),
								 before->tts_values[i], before->tts_isnull[i],
								 after->tts_values[i], after->tts_isnull[i]))
			return true;
	}
	return false;
}

/* Is the row found under another key of the new table than before? */
static bool
has_moved(CarryStatement *statement, TriggerData *trigger)
{
	PgmCarryTable *table = statement->table;
	bool		moved = has_changed(trigger->tg_trigslot, trigger->tg_newslot, table->key,
									table->nkey);

	for (int i = 0; i < table->nnew_key && !moved; i++)
	{
		Expr	   *expr = table->made[table->new_key[i]];
		AttrNumber	attno = IsA(expr, Var) ? ((Var *) expr)->varattno : 0;

		/* what an expression makes of it is not worth being computed twice */
		moved = attno == 0 || has_changed(trigger->tg_trigslot, trigger->tg_newslot, &attno, 1);
	}
	return moved;
}

static void
carry_row(CarryStatement *statement, TriggerData *trigger)
{
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		put(statement, trigger, trigger->tg_trigslot);
	else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		drop(statement, trigger->tg_trigslot);
	else
	{
		if (has_moved(statement, trigger))
			drop(statement, trigger->tg_trigslot);
		put(statement, trigger, trigger->tg_newslot);
	}
}

static void
truncate_new(CarryStatement *statement)
{
	const bool	read_only = false;
	char	   *command = psprintf("TRUNCATE %s", statement->table->new_name);

	if (SPI_execute(command, read_only, 0) != SPI_OK_UTILITY)
		elog(ERROR, "unexpected result of command: %s", command);
}

/* Does an UPDATE change anything that is carried over? */
static bool
update_matters(CarryStatement *statement, TriggerData *trigger)
{
	PgmCarryTable *table = statement->table;

	slot_getsomeattrs(trigger->tg_trigslot, table->last);
	slot_getsomeattrs(trigger->tg_newslot, table->last);
	return has_changed(trigger->tg_trigslot, trigger->tg_newslot, table->inputs, table->ninputs);
}

/* Say what was going on. */
static void
carry_error(void *arg)
{
	errcontext("carrying rows of table \"%s\" over", RelationGetRelationName((Relation) arg));
}

/*
 * Do it as the owner, and under the settings of the pair.
 */
static void
carry_over(CarryStatement *statement, TriggerData *trigger)
{
	PgmCarryTable *table = statement->table;
	PgmSyncScope scope;
	ErrorContextCallback callback;
	bool		new_level = table->pins || table->settings != NIL;

	callback.callback = carry_error;
	callback.arg = trigger->tg_relation;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	pgm_sync_enter_owner(trigger->tg_relation, new_level, &scope);
	if (scope.guc_level != 0)
	{
		pgm_guc_pin_search_path();
		pgm_guc_restore_meaning(table->settings);
	}
	SPI_connect();
	if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		carry_row(statement, trigger);
	else
		truncate_new(statement);
	SPI_finish();
	pgm_sync_leave_owner(&scope);
	error_context_stack = callback.previous;
}

/*
 * migrate.carry()
 */
Datum
pgm_table_fire(FunctionCallInfo fcinfo)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	CarryStatement *statement = (CarryStatement *) fcinfo->flinfo->fn_extra;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		TRIGGER_FIRED_FOR_ROW(trigger->tg_event) == TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("migrate.carry() must be called as a trigger that migrate.expand_table() made")));
	if (statement == NULL)
		statement = begin_statement(fcinfo->flinfo, trigger);
	if (statement->table->nkey > 0 &&
		(!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) || update_matters(statement, trigger)))
		carry_over(statement, trigger);
	return PointerGetDatum(NULL);
}

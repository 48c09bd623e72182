/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  The state of a statement that writes a table with pairs.
 *
 * It hangs on the statement's own FmgrInfo and goes with it.  To set it up, with
 * expressions ready to run, takes longer than to use it for a row, and most
 * statements write a single row.  So where nothing in the expressions can change
 * without the relcache's or a function's invalidation (they are plain, see
 * expression.c), the state is made in the table's context, and the next statement
 * of the session that writes the table takes it over.  A statement within another
 * one finds none and makes its own.  What an error has left in the middle of a row
 * is not used again.
 *
 * IDENTIFICATION
 *	  src/sync/statement.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "utils/memutils.h"

#include "base/guc.h"
#include "sync/row.h"

/* The FmgrInfo of the statement goes. */
static void
end_statement(void *arg)
{
	PgmSyncStatement *statement = (PgmSyncStatement *) arg;
	PgmSyncTable *table = statement->table;

	if (table->plain)
	{
		if (table->prepared.current && table->idle == NULL && !statement->busy)
			table->idle = statement;
		else
			MemoryContextDelete(statement->cxt);
	}
	pgm_sync_release(table);
}

static PgmSyncStatement *
make_statement(PgmSyncTable *table, MemoryContext cxt)
{
	MemoryContext old;
	PgmSyncStatement *statement;

	if (table->plain)
		cxt = AllocSetContextCreate(table->prepared.cxt, "pgmigrate sync statement",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(cxt);
	statement = palloc0(offsetof(PgmSyncStatement, pairs) +
						sizeof(PgmSyncPairState) * table->npairs);
	statement->cxt = cxt;
	statement->table = table;
	statement->econtext = makeNode(ExprContext);
	statement->econtext->ecxt_per_query_memory = cxt;
	MemoryContextSwitchTo(old);
	return statement;
}

/* Find out for which pairs the session has other settings than they need. */
static void
know_settings(PgmSyncStatement *statement)
{
	PgmSyncTable *table = statement->table;

	statement->other_settings = false;
	for (int i = 0; i < table->npairs; i++)
	{
		PgmSyncPairState *state = &statement->pairs[i];

		state->other_settings = !pgm_guc_has_meaning(table->pairs[i].settings);
		statement->other_settings |= state->other_settings;
	}
}

/*
 * The state of the statement that fires the trigger, for its first row; it is in
 * fn_extra from now on.
 */
PgmSyncStatement *
pgm_sync_begin_statement(FmgrInfo *flinfo, const TriggerData *trigger)
{
	PgmSyncTable *table = pgm_sync_table_for(trigger->tg_relation, trigger->tg_trigger);
	PgmSyncStatement *statement = table->idle;

	table->idle = NULL;
	if (statement == NULL)
		statement = make_statement(table, flinfo->fn_mcxt);
	statement->busy = false;
	statement->update_known = false;
	statement->callback.func = end_statement;
	statement->callback.arg = statement;
	MemoryContextRegisterResetCallback(flinfo->fn_mcxt, &statement->callback);
	if (table->has_settings)
		know_settings(statement);
	statement->began = GetCurrentStatementStartTimestamp();
	flinfo->fn_extra = statement;
	return statement;
}

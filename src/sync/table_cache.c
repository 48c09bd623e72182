/*-------------------------------------------------------------------------
 *
 * table_cache.c
 *	  The pairs of tables whose old ones this session writes.
 *
 * A pair is kept as prepared.c keeps things, and depends on both its tables.  The plans
 * are the server's own, which plans anew by itself what has become invalid.
 *
 * IDENTIFICATION
 *	  src/sync/table_cache.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "optimizer/optimizer.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/guc.h"
#include "base/relation.h"
#include "sync/table.h"

static void
free_plan(PgmCarryPlan *plan)
{
	if (plan->plan != NULL)
		SPI_freeplan(plan->plan);
	plan->plan = NULL;
}

static void
free_plans(PgmPrepared *thing)
{
	PgmCarryTable *table = (PgmCarryTable *) thing;

	free_plan(&table->write);
	free_plan(&table->put);
	free_plan(&table->drop);
}

/* Say what was going on. */
static void
prepare_error(void *arg)
{
	errcontext("preparing to carry rows of table \"%s\" over",
			   RelationGetRelationName((Relation) arg));
}

/*
 * Parse what the columns are made of.  Returns the analysed expressions, in the
 * order of the columns.
 */
static List *
parse_expressions(Relation rel, Relation new, const PgmTablePair *pair)
{
	List	   *result = NIL;
	ListCell   *lc;
	ListCell   *column;

	forboth(lc, pair->expressions, column, pair->columns)
	{
		AttrNumber	attno = get_attnum(RelationGetRelid(new), (char *) lfirst(column));

		if (attno <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of table \"%s\" does not exist any more",
							(char *) lfirst(column), RelationGetRelationName(new)),
					 errhint("Use migrate.abandon('%s') if it is not to be filled any more.",
							 pgm_relation_name(RelationGetRelid(rel)))));
		result = lappend(result,
						 pgm_sync_parse_for(rel, RelationGetRelationName(rel),
											TupleDescAttr(RelationGetDescr(new), attno - 1),
											(char *) lfirst(lc)));
	}
	return result;
}

/*
 * Set the columns of the old table that matter: what is carried over, and the key.
 */
static void
set_inputs(PgmCarryTable *table, const PgmTablePair *pair, List *expressions)
{
	Bitmapset  *inputs = NULL;
	ListCell   *lc;
	int			i = -1;

	pull_varattnos((Node *) expressions, 1, &inputs);
	table->key = palloc(sizeof(AttrNumber) * list_length(pair->key));
	foreach(lc, pair->key)
	{
		AttrNumber	attno = get_attnum(table->relid, (char *) lfirst(lc));

		table->key[table->nkey++] = attno;
		inputs = bms_add_member(inputs, attno - FirstLowInvalidHeapAttributeNumber);
	}
	table->inputs = palloc(sizeof(AttrNumber) * bms_num_members(inputs));
	while ((i = bms_next_member(inputs, i)) >= 0)
	{
		AttrNumber	attno = i + FirstLowInvalidHeapAttributeNumber;

		table->inputs[table->ninputs++] = attno;
		table->last = Max(table->last, attno);
	}
}

/* Fill what is known of a pair, in the current context. */
static void
fill(PgmCarryTable *table, Relation rel, const PgmTablePair *pair)
{
	Relation	new = table_open(table->new_relid, AccessShareLock);
	List	   *expressions;
	ListCell   *lc;

	table->new_name = pgm_relation_name(table->new_relid);
	/* these first: what is missing is told in words */
	pgm_table_write_sql(pair, table->new_relid, &table->write);
	pgm_table_put_sql(pair, table->relid, table->new_relid, &table->put);
	pgm_table_drop_sql(pair, table->relid, table->new_relid, &table->drop);
	expressions = parse_expressions(rel, new, pair);
	set_inputs(table, pair, expressions);
	table->made = palloc(sizeof(Expr *) * list_length(expressions));
	foreach(lc, expressions)
		table->made[table->nmade++] = expression_planner((Expr *) lfirst(lc));
	table->new_key = palloc(sizeof(int) * list_length(pair->new_key));
	foreach(lc, pair->new_key)
	{
		int			i = pgm_table_index_of(pair->columns, (char *) lfirst(lc));

		table->new_key[table->nnew_key++] = i;
		table->pins = table->pins || pgm_table_image_of(list_nth(expressions, i)) <= 0;
	}
	table->settings = pgm_sync_settings(pair->settings, (Node *) expressions, NULL);
	table_close(new, NoLock);
}

/*
 * Read the pair with a number and prepare it for a table.  A number without a pair
 * has nothing to be carried over.
 */
static void
prepare(PgmPrepared *thing, Relation rel, int64 number)
{
	PgmCarryTable *table = (PgmCarryTable *) thing;
	PgmTablePair *pair = pgm_store_fetch_table_pair(number);
	PgmSyncScope scope;
	const bool	new_level = true;
	const bool	missing_ok = false;

	table->relid = RelationGetRelid(rel);
	if (pair == NULL)
		return;
	if (pair->here && pair->relid != table->relid)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("the trigger of table \"%s\" was not made by migrate.expand_table()",
						RelationGetRelationName(rel))));
	table->new_relid = table->prepared.other = pgm_table_new_relid(pair, missing_ok);
	pgm_sync_enter_owner(rel, new_level, &scope);
	pgm_guc_pin_meaning();
	fill(table, rel, pair);
	pgm_sync_leave_owner(&scope);
}

static PgmPreparedCache cache = {
	.name = "pgmigrate carried tables",
	.maker = "migrate.expand_table()",
	.size = sizeof(PgmCarryTable),
	.prepare = prepare,
	.tell = prepare_error,
	.free = free_plans,
};

/*
 * What such a trigger of a table carries over.  To be given back with
 * pgm_table_release().
 */
PgmCarryTable *
pgm_table_get(Relation rel, const Trigger *trigger)
{
	return (PgmCarryTable *) pgm_prepared_get_for(&cache, rel, trigger);
}

void
pgm_table_release(PgmCarryTable *table)
{
	pgm_prepared_release(&table->prepared);
}

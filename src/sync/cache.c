/*-------------------------------------------------------------------------
 *
 * cache.c
 *	  The pairs of the tables that this session writes.
 *
 * Pairs are read, parsed and planned, and kept as prepared.c keeps things: who makes
 * or drops a pair invalidates the relcache entry of its table.  Pairs are made and
 * dropped under a lock that lets no statement write the table meanwhile.
 *
 * IDENTIFICATION
 *	  src/sync/cache.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/partition.h"
#include "catalog/pg_trigger.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/guc.h"
#include "sync/sync.h"

/*
 * The number of a column of a pair; throws if it is gone.
 */
static AttrNumber
find_column(Relation rel, const PgmPair *pair, const char *name)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(rel), name);

	if (attno == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist any more", name,
						RelationGetRelationName(rel)),
				 errdetail("Column \"%s\" is kept in step with \"%s\".", pair->target,
						   (char *) linitial(pair->source)),
				 errhint("Use migrate.sync_end('%s', '%s') if it is not to be any more.",
						 pair->relation, pair->target)));
	return attno;
}

/*
 * Collect what the column has by default in a table and those it is a partition
 * of: an INSERT goes by the default of the one that it names.  What cannot be told
 * again, or only by running code of users, with whoever's settings, is not.
 */
static void
collect_defaults(Relation rel, const char *column, PgmSyncPair *pair)
{
	List	   *tables = list_make1_oid(RelationGetRelid(rel));
	ListCell   *lc;

	if (rel->rd_rel->relispartition)
		tables = list_concat(tables, get_partition_ancestors(RelationGetRelid(rel)));
	foreach(lc, tables)
	{
		Relation	table = RelationIdGetRelation(lfirst_oid(lc));
		Node	   *expr;

		if (table == NULL)
			continue;
		expr = build_column_default(table, get_attnum(lfirst_oid(lc), column));
		RelationClose(table);
		if (expr == NULL)
			continue;
		if (contain_volatile_functions(expr) || pgm_sync_runs_users_code(expr))
			pair->default_unknown = true;
		else if (!list_member(pair->defaults, expr))
			pair->defaults = lappend(pair->defaults, expression_planner((Expr *) expr));
	}
}

/* Parse and plan an expression of a pair. */
static Expr *
plan_expression(Relation rel, const char *column, const char *text)
{
	Node	   *expr = pgm_sync_parse(rel, RelationGetRelationName(rel), column, text);

	return expression_planner((Expr *) expr);
}

/* Say what was going on. */
static void
prepare_error(void *arg)
{
	errcontext("preparing to keep columns of table \"%s\" in step",
			   RelationGetRelationName((Relation) arg));
}

/* Bring the columns that decide about a pair into its list. */
static void
set_inputs(Relation rel, const PgmPair *source, PgmSyncPair *pair)
{
	Bitmapset  *inputs = NULL;
	ListCell   *lc;
	int			i = -1;

	pull_varattnos((Node *) pair->up, 1, &inputs);
	pair->sources = palloc(sizeof(AttrNumber) * list_length(source->source));
	foreach(lc, source->source)
	{
		AttrNumber	attno = find_column(rel, source, (char *) lfirst(lc));

		pair->sources[pair->nsources++] = attno;
		inputs = bms_add_member(inputs, attno - FirstLowInvalidHeapAttributeNumber);
	}
	pair->inputs = palloc(sizeof(AttrNumber) * bms_num_members(inputs));
	while ((i = bms_next_member(inputs, i)) >= 0)
		pair->inputs[pair->ninputs++] = i + FirstLowInvalidHeapAttributeNumber;
}

static void
prepare_pair(Relation rel, const PgmPair *source, PgmSyncPair *pair)
{
	Bitmapset  *reads = NULL;
	char	   *old = (char *) linitial(source->source);
	int			i = -1;

	pair->id = source->id;
	pair->noted = pgm_sync_noted(source->id);
	pair->target_name = pstrdup(source->target);
	pair->target = find_column(rel, source, source->target);
	/* before "up" is parsed, whose error would not say what to do */
	(void) find_column(rel, source, old);
	pair->up = plan_expression(rel, source->target, source->up);
	set_inputs(rel, source, pair);
	if (source->down != NULL)
	{
		pair->source = find_column(rel, source, old);
		pair->down = plan_expression(rel, old, source->down);
		pull_varattnos((Node *) pair->down, 1, &reads);
		while ((i = bms_next_member(reads, i)) >= 0)
			pair->down_reads = bms_add_member(pair->down_reads,
											  i + FirstLowInvalidHeapAttributeNumber);
	}
	if (pair->nsources == 1)
		collect_defaults(rel, old, pair);
	pair->settings = pgm_sync_settings(source->settings, (Node *) pair->up, (Node *) pair->down);
}

/* Does no other trigger change the rows before they are updated? */
static bool
updates_alone(TriggerDesc *desc)
{
	int			before = 0;

	for (int i = 0; desc != NULL && i < desc->numtriggers; i++)
	{
		if (TRIGGER_TYPE_MATCHES(desc->triggers[i].tgtype, TRIGGER_TYPE_ROW,
								 TRIGGER_TYPE_BEFORE, TRIGGER_TYPE_UPDATE))
			before++;
	}
	return before == 1;
}

/*
 * Note what the expressions of all pairs have in common.
 */
static void
note_nature(PgmSyncTable *table)
{
	table->plain = table->harmless = true;
	for (int i = 0; i < table->npairs; i++)
	{
		PgmSyncPair *pair = &table->pairs[i];
		List	   *all = lappend(list_make2(pair->up, pair->down), pair->defaults);

		table->plain &= pgm_sync_is_plain((Node *) all);
		table->harmless &= !contain_mutable_functions((Node *) all);
	}
	table->harmless &= table->plain;
}

/*
 * Read the pairs of a number and prepare them for a table.
 */
static void
prepare(PgmPrepared *thing, Relation rel, int64 sync)
{
	PgmSyncTable *table = (PgmSyncTable *) thing;
	List	   *pairs = pgm_store_fetch_pairs(sync);
	PgmSyncScope scope;
	const bool	new_level = true;
	ListCell   *lc;

	table->pairs = palloc0(sizeof(PgmSyncPair) * Max(list_length(pairs), 1));
	pgm_sync_enter_owner(rel, new_level, &scope);
	pgm_guc_pin_meaning();
	foreach(lc, pairs)
	{
		PgmSyncPair *pair = &table->pairs[table->npairs++];

		prepare_pair(rel, (PgmPair *) lfirst(lc), pair);
		table->last = Max(table->last, Max(pair->target, pair->inputs[pair->ninputs - 1]));
		table->has_settings |= pair->settings != NIL;
	}
	table->alone = updates_alone(rel->trigdesc);
	note_nature(table);
	pgm_sync_leave_owner(&scope);
}

static PgmPreparedCache cache = {
	.name = "pgmigrate sync tables",
	.maker = "migrate.sync_begin()",
	.size = sizeof(PgmSyncTable),
	.prepare = prepare,
	.tell = prepare_error,
};

/*
 * The pairs with this number, as they are for a table.  To be given back with
 * pgm_sync_release().
 */
PgmSyncTable *
pgm_sync_table(Relation rel, int64 sync)
{
	return (PgmSyncTable *) pgm_prepared_get(&cache, rel, sync);
}

/* The same by the trigger of the table. */
PgmSyncTable *
pgm_sync_table_for(Relation rel, const Trigger *trigger)
{
	return (PgmSyncTable *) pgm_prepared_get_for(&cache, rel, trigger);
}

void
pgm_sync_release(PgmSyncTable *table)
{
	pgm_prepared_release(&table->prepared);
}

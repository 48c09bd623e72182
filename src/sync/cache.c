/*-------------------------------------------------------------------------
 *
 * cache.c
 *	  The pairs of the tables that this session writes.
 *
 * Pairs are read, parsed and planned at the first write of a table, and again
 * after its relcache entry was invalidated, which who makes or drops a pair does.
 * Statements that run keep what they began with: pairs are made and dropped under
 * a lock that lets no statement write the table meanwhile.
 *
 * IDENTIFICATION
 *	  src/sync/cache.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/partition.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/guc.h"
#include "sync/sync.h"

typedef struct CacheEntry
{
	Oid			relid;			/* the key */
	PgmSyncTable *table;		/* or NULL */
} CacheEntry;

static HTAB *cache = NULL;

static void
drop_if_unused(PgmSyncTable *table)
{
	if (!table->current && table->users == 0)
		MemoryContextDelete(table->cxt);
}

/* Who uses the table drops it then. */
static void
invalidate(CacheEntry *entry)
{
	PgmSyncTable *table = entry->table;

	if (table == NULL)
		return;
	entry->table = NULL;
	table->current = false;
	drop_if_unused(table);
}

static void
invalidate_all(void)
{
	HASH_SEQ_STATUS status;
	CacheEntry *entry;

	hash_seq_init(&status, cache);
	while ((entry = hash_seq_search(&status)) != NULL)
		invalidate(entry);
}

static void
relation_changed(Datum arg, Oid relid)
{
	CacheEntry *entry;

	if (!OidIsValid(relid))
		invalidate_all();
	else if ((entry = hash_search(cache, &relid, HASH_FIND, NULL)) != NULL)
		invalidate(entry);
}

/* Functions may have been inlined, or be gone. */
static void
function_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	invalidate_all();
}

static void
create_cache(void)
{
	HASHCTL		ctl = {0};

	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(CacheEntry);
	ctl.hcxt = CacheMemoryContext;
	cache = hash_create("pgmigrate sync tables", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, function_changed, (Datum) 0);
}

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

static void
note_column(PgmSyncTable *table, AttrNumber attno)
{
	table->last = Max(table->last, attno);
	table->columns = bms_add_member(table->columns, attno - FirstLowInvalidHeapAttributeNumber);
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
 * Read the pairs of a number and prepare them for a table, in a context of their
 * own below the current one.
 */
static PgmSyncTable *
prepare(Relation rel, int64 sync)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "pgmigrate sync table",
											  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	PgmSyncTable *table = palloc0(sizeof(PgmSyncTable));
	List	   *pairs = pgm_store_fetch_pairs(sync);
	PgmSyncScope scope;
	ErrorContextCallback callback;
	const bool	new_level = true;
	ListCell   *lc;

	callback.callback = prepare_error;
	callback.arg = rel;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	table->cxt = cxt;
	table->current = true;
	table->desc = CreateTupleDescCopy(RelationGetDescr(rel));
	table->pairs = palloc0(sizeof(PgmSyncPair) * Max(list_length(pairs), 1));
	pgm_sync_enter_owner(rel, new_level, &scope);
	pgm_guc_pin_meaning();
	foreach(lc, pairs)
	{
		PgmSyncPair *pair = &table->pairs[table->npairs++];

		prepare_pair(rel, (PgmPair *) lfirst(lc), pair);
		note_column(table, pair->target);
		for (int i = 0; i < pair->ninputs; i++)
			note_column(table, pair->inputs[i]);
	}
	note_nature(table);
	pgm_sync_leave_owner(&scope);
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
	return table;
}

/*
 * The pairs with this number, as they are for a table whose trigger has it.  To be
 * given back with pgm_sync_release().
 */
PgmSyncTable *
pgm_sync_table(Relation rel, int64 sync)
{
	Oid			relid = RelationGetRelid(rel);
	CacheEntry *entry;
	PgmSyncTable *table;
	bool		found;

	if (cache == NULL)
		create_cache();
	entry = hash_search(cache, &relid, HASH_FIND, NULL);
	if (entry != NULL && entry->table != NULL && entry->table->current)
	{
		entry->table->users++;
		return entry->table;
	}

	/* preparing them may come here again, and invalidate what is there */
	table = prepare(rel, sync);
	entry = hash_search(cache, &relid, HASH_ENTER, &found);
	if (found)
		invalidate(entry);
	MemoryContextSetParent(table->cxt, CacheMemoryContext);
	entry->table = table;
	table->users++;
	return table;
}

void
pgm_sync_release(PgmSyncTable *table)
{
	table->users--;
	drop_if_unused(table);
}

/*-------------------------------------------------------------------------
 *
 * table_cache.c
 *	  The pairs of tables whose old ones this session writes.
 *
 * As in cache.c: a pair is read and prepared at the first write of the table, and
 * again after the relcache entry of one of both tables was invalidated.  Statements
 * that run keep what they began with.  The plans are the server's own, which plans
 * anew by itself what has become invalid.
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
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/guc.h"
#include "base/relation.h"
#include "sync/table.h"

typedef struct CacheEntry
{
	Oid			relid;			/* the key */
	PgmCarryTable *table;		/* or NULL */
} CacheEntry;

static HTAB *cache = NULL;

static void
free_plan(PgmCarryPlan *plan)
{
	if (plan->plan != NULL)
		SPI_freeplan(plan->plan);
	plan->plan = NULL;
}

static void
drop_if_unused(PgmCarryTable *table)
{
	if (table->current || table->users > 0)
		return;
	free_plan(&table->write);
	free_plan(&table->put);
	free_plan(&table->drop);
	MemoryContextDelete(table->cxt);
}

/* Who uses the table drops it then. */
static void
invalidate(CacheEntry *entry)
{
	PgmCarryTable *table = entry->table;

	if (table == NULL)
		return;
	entry->table = NULL;
	table->current = false;
	drop_if_unused(table);
}

static void
invalidate_those_with(Oid relid)
{
	HASH_SEQ_STATUS status;
	CacheEntry *entry;

	hash_seq_init(&status, cache);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (!OidIsValid(relid) || entry->relid == relid ||
			(entry->table != NULL && entry->table->new_relid == relid))
			invalidate(entry);
	}
}

static void
relation_changed(Datum arg, Oid relid)
{
	invalidate_those_with(relid);
}

/* Functions may have been inlined, or be gone. */
static void
function_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	invalidate_those_with(InvalidOid);
}

static void
create_cache(void)
{
	HASHCTL		ctl = {0};

	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(CacheEntry);
	ctl.hcxt = CacheMemoryContext;
	cache = hash_create("pgmigrate carried tables", 16, &ctl,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, function_changed, (Datum) 0);
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
 * Read the pair with a number and prepare it for a table, in a context of its own
 * below the current one.  A number without a pair has nothing to be carried over.
 */
static PgmCarryTable *
prepare(Relation rel, int64 number)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "pgmigrate carried table",
											  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	PgmCarryTable *table = palloc0(sizeof(PgmCarryTable));
	PgmTablePair *pair = pgm_store_fetch_table_pair(number);
	ErrorContextCallback callback;
	PgmSyncScope scope;
	const bool	new_level = true;
	const bool	missing_ok = false;

	callback.callback = prepare_error;
	callback.arg = rel;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	table->cxt = cxt;
	table->current = true;
	table->relid = RelationGetRelid(rel);
	if (pair != NULL && pair->here && pair->relid != table->relid)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("the trigger of table \"%s\" was not made by migrate.expand_table()",
						RelationGetRelationName(rel))));
	if (pair != NULL)
	{
		table->new_relid = pgm_table_new_relid(pair, missing_ok);
		pgm_sync_enter_owner(rel, new_level, &scope);
		pgm_guc_pin_meaning();
		fill(table, rel, pair);
		pgm_sync_leave_owner(&scope);
	}
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
	return table;
}

/*
 * What the triggers of a table carry over whose argument is this number.  To be
 * given back with pgm_table_release().
 */
PgmCarryTable *
pgm_table_get(Relation rel, int64 number)
{
	Oid			relid = RelationGetRelid(rel);
	CacheEntry *entry;
	PgmCarryTable *table;
	bool		found;

	if (cache == NULL)
		create_cache();
	entry = hash_search(cache, &relid, HASH_FIND, NULL);
	if (entry != NULL && entry->table != NULL && entry->table->current)
	{
		entry->table->users++;
		return entry->table;
	}

	/* preparing it may come here again, and invalidate what is there */
	table = prepare(rel, number);
	entry = hash_search(cache, &relid, HASH_ENTER, &found);
	if (found)
		invalidate(entry);
	MemoryContextSetParent(table->cxt, CacheMemoryContext);
	entry->table = table;
	table->users++;
	return table;
}

void
pgm_table_release(PgmCarryTable *table)
{
	table->users--;
	drop_if_unused(table);
}

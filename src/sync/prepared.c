/*-------------------------------------------------------------------------
 *
 * prepared.c
 *	  What a session has prepared for tables that it writes.
 *
 * It is prepared at the first write of a table, and again after the relcache entry
 * of the table, or of another one that it depends on, was invalidated.  Statements
 * that run keep what they began with, and the last of them drops it.
 *
 * IDENTIFICATION
 *	  src/sync/prepared.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "sync/prepared.h"

/*
 * Drop what was invalidated, when nobody uses it any more.
 */
void
pgm_prepared_drop_unused(PgmPrepared *thing)
{
	if (thing->current || thing->users > 0)
		return;
	if (thing->cache->free != NULL)
		thing->cache->free(thing);
	MemoryContextDelete(thing->cxt);
}

/* Who uses it drops it then. */
static void
invalidate(PgmPreparedEntry *entry)
{
	PgmPrepared *thing = entry->thing;

	if (thing == NULL)
		return;
	entry->thing = NULL;
	thing->current = false;
	pgm_prepared_drop_unused(thing);
}

static void
relation_changed(Datum arg, Oid relid)
{
	PgmPreparedCache *cache = (PgmPreparedCache *) DatumGetPointer(arg);
	HASH_SEQ_STATUS status;
	PgmPreparedEntry *entry;

	hash_seq_init(&status, cache->tables);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (!OidIsValid(relid) || entry->relid == relid ||
			(entry->thing != NULL && entry->thing->other == relid))
			invalidate(entry);
	}
}

/* Functions may have been inlined, or be gone. */
static void
function_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	relation_changed(arg, InvalidOid);
}

static void
create_tables(PgmPreparedCache *cache)
{
	HASHCTL		ctl = {0};

	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(PgmPreparedEntry);
	ctl.hcxt = CacheMemoryContext;
	cache->tables = hash_create(cache->name, 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(relation_changed, PointerGetDatum(cache));
	CacheRegisterSyscacheCallback(PROCOID, function_changed, PointerGetDatum(cache));
}

/*
 * Prepare it, in a context of its own below the current one.
 */
static PgmPrepared *
prepare(PgmPreparedCache *cache, Relation rel, int64 number)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "pgmigrate prepared table",
											  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	PgmPrepared *thing = palloc0(cache->size);
	ErrorContextCallback callback;

	MemoryContextSetIdentifier(cxt, cache->name);
	callback.callback = cache->tell;
	callback.arg = rel;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	thing->cache = cache;
	thing->cxt = cxt;
	thing->current = true;
	cache->prepare(thing, rel, number);
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
	return thing;
}

/* The number that a trigger has as its argument. */
static int64
number_of(const Trigger *trigger)
{
	return DatumGetInt64(DirectFunctionCall1(int8in, CStringGetDatum(trigger->tgargs[0])));
}

/*
 * The number that the trigger of that name has in a table, 0 if it has none.
 */
int64
pgm_prepared_number(Relation rel, const char *trigger)
{
	TriggerDesc *desc = rel->trigdesc;
	const bool	missing_ok = true;

	for (int i = 0; desc != NULL && i < desc->numtriggers; i++)
	{
		Trigger    *found = &desc->triggers[i];

		if (strcmp(found->tgname, trigger) == 0 && found->tgnargs == 1 &&
			get_func_namespace(found->tgfoid) == get_namespace_oid("migrate", missing_ok))
			return number_of(found);
	}
	return 0;
}

/*
 * What is prepared for a table whose trigger has that number as argument.  To be
 * given back with pgm_prepared_release().
 */
PgmPrepared *
pgm_prepared_get(PgmPreparedCache *cache, Relation rel, int64 number)
{
	Oid			relid = RelationGetRelid(rel);
	PgmPreparedEntry *entry;
	bool		found;

	if (cache->tables == NULL)
		create_tables(cache);
	entry = hash_search(cache->tables, &relid, HASH_FIND, NULL);
	if (entry == NULL || entry->thing == NULL)
	{
		/* preparing it may come here again, and invalidate what is there */
		PgmPrepared *thing = prepare(cache, rel, number);

		entry = hash_search(cache->tables, &relid, HASH_ENTER, &found);
		if (found)
			invalidate(entry);
		MemoryContextSetParent(thing->cxt, CacheMemoryContext);
		entry->thing = thing;
	}
	cache->latest = entry;
	entry->thing->users++;
	return entry->thing;
}

/*
 * The same by the trigger.
 */
PgmPrepared *
pgm_prepared_find_for(PgmPreparedCache *cache, Relation rel, const Trigger *trigger)
{
	if (trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" was not made by %s", trigger->tgname, cache->maker)));
	return pgm_prepared_get(cache, rel, number_of(trigger));
}

/*-------------------------------------------------------------------------
 *
 * prepared.h
 *	  What a session has prepared for tables that it writes.
 *
 * IDENTIFICATION
 *	  src/sync/prepared.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_PREPARED_H
#define PGM_PREPARED_H

#include "utils/hsearch.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"

/* Something that is prepared for a table; the first member of all such. */
typedef struct PgmPrepared
{
	struct PgmPreparedCache *cache; /* that it is of */
	MemoryContext cxt;			/* of all of it */
	bool		current;		/* false: to be dropped when nobody uses it */
	int			users;
	Oid			other;			/* another table that it depends on, or
								 * InvalidOid */
} PgmPrepared;

/* What there is for a table. */
typedef struct PgmPreparedEntry
{
	Oid			relid;			/* the key */
	PgmPrepared *thing;			/* or NULL */
} PgmPreparedEntry;

/* A kind of such things. */
typedef struct PgmPreparedCache
{
	const char *name;			/* of the contexts */
	const char *maker;			/* of the triggers, a function */
	Size		size;			/* of one */
	void		(*prepare) (PgmPrepared *thing, Relation rel, int64 number);
	void		(*tell) (void *rel);	/* adds to the context of errors */
	void		(*free) (PgmPrepared *thing);	/* what is not in its context;
												 * or NULL */
	HTAB	   *tables;			/* NULL before the first use */
	PgmPreparedEntry *latest;	/* that was asked for, or NULL */
} PgmPreparedCache;

extern int64 pgm_prepared_number(Relation rel, const char *trigger);
extern PgmPrepared *pgm_prepared_get(PgmPreparedCache *cache, Relation rel, int64 number);
extern PgmPrepared *pgm_prepared_find_for(PgmPreparedCache *cache, Relation rel,
										  const Trigger *trigger);
extern void pgm_prepared_drop_unused(PgmPrepared *thing);

/*
 * What is prepared for a table that has this trigger.  Most statements of a session
 * write the table of the one before, so that nothing has to be looked up, and most are
 * small, so that it pays.
 */
static inline PgmPrepared *
pgm_prepared_get_for(PgmPreparedCache *cache, Relation rel, const Trigger *trigger)
{
	PgmPreparedEntry *latest = cache->latest;

	if (latest == NULL || latest->relid != RelationGetRelid(rel) || latest->thing == NULL)
		return pgm_prepared_find_for(cache, rel, trigger);
	latest->thing->users++;
	return latest->thing;
}

static inline void
pgm_prepared_release(PgmPrepared *thing)
{
	thing->users--;
	if (!thing->current)
		pgm_prepared_drop_unused(thing);
}

#endif							/* PGM_PREPARED_H */

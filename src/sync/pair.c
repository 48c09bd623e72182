/*-------------------------------------------------------------------------
 *
 * pair.c
 *	  Begin and end to keep a column in step.
 *
 * A pair is a row of migrate.sync_pair, in the transaction that makes it, and all
 * pairs of a table share one trigger.  The trigger's argument is the number that
 * its pairs have, and which partitions have as well, since the server copies
 * triggers to them; children of ordinary tables get triggers of their own.
 *
 * Who makes or drops a pair holds a lock on the table, and on all below it, that
 * waits for all who have written it.  So once the pair is committed, there is
 * nobody left who writes rows without knowing of it.
 *
 * IDENTIFICATION
 *	  src/sync/pair.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/relation.h"
#include "sync/sync.h"

static void
check_table(Relation rel)
{
	const char *name = RelationGetRelationName(rel);

	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot keep columns of \"%s\" in step", name),
				 errdetail("It is not a table or a partitioned table.")));
	if (IsCatalogRelation(rel) ||
		RelationGetNamespace(rel) == get_namespace_oid("migrate", true))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot keep columns of \"%s\" in step", name),
				 errdetail("It belongs to the system.")));
	if (has_superclass(RelationGetRelid(rel)))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot keep columns of \"%s\" in step by itself", name),
				 errdetail("It is a partition or a child of another table."),
				 errhint("Name the table at the top.")));
}

/*
 * The number in the trigger of a table, 0 if it has none.
 */
int64
pgm_sync_number(Relation rel)
{
	return pgm_prepared_number(rel, PGM_SYNC_TRIGGER);
}

/* The same for a table that is not open. */
static int64
number_of(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	int64		number = pgm_sync_number(rel);

	table_close(rel, NoLock);
	return number;
}

/*
 * The tables that need a trigger of their own for one to be kept in step.
 */
static List *
tables_with_trigger(Relation rel, LOCKMODE lockmode)
{
	List	   *all = find_all_inheritors(RelationGetRelid(rel), lockmode, NULL);

	return rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ?
		list_make1_oid(RelationGetRelid(rel)) : all;
}

static void
execute(const char *command)
{
	const bool	read_only = false;
	const long	all_rows = 0;

	if (SPI_execute(command, read_only, all_rows) != SPI_OK_UTILITY)
		elog(ERROR, "unexpected result of command: %s", command);
}

static void
create_triggers(List *tables, int64 number)
{
	ListCell   *lc;

	SPI_connect();
	foreach(lc, tables)
	{
		char	   *name = pgm_relation_name(lfirst_oid(lc));

		if (number_of(lfirst_oid(lc)) != 0)
			continue;
		execute(psprintf("CREATE TRIGGER " PGM_SYNC_TRIGGER " BEFORE INSERT OR UPDATE ON %s"
						 " FOR EACH ROW EXECUTE FUNCTION migrate.sync('" INT64_FORMAT "')",
						 name, number));
		execute(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER " PGM_SYNC_TRIGGER, name));
	}
	SPI_finish();
}

static void
drop_triggers(List *tables, int64 number)
{
	ListCell   *lc;

	SPI_connect();
	foreach(lc, tables)
	{
		if (number_of(lfirst_oid(lc)) == number)
			execute(psprintf("DROP TRIGGER " PGM_SYNC_TRIGGER " ON %s",
							 pgm_relation_name(lfirst_oid(lc))));
	}
	SPI_finish();
}

/* Have all sessions read the pairs of a table and those below it again. */
static void
invalidate(Oid relid)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
		CacheInvalidateRelcacheByRelid(lfirst_oid(lc));
	CommandCounterIncrement();
}

/*
 * Keep column "target" of a table in step with the columns "source" (NIL: those
 * that "up" reads) from now on.  Returns the id of the pair.  Throws if that cannot
 * be; does nothing if there is the same pair already.
 */
int64
pgm_sync_begin(Oid relid, List *source, const char *target, const char *up, const char *down)
{
	Relation	rel;
	PgmPair    *pair;
	List	   *tables;
	List	   *reads;
	int64		same = 0;

	pgm_relation_check_owner(relid);
	rel = try_table_open(relid, ShareRowExclusiveLock);
	pgm_relation_check_owner(relid);
	check_table(rel);
	tables = tables_with_trigger(rel, ShareRowExclusiveLock);

	pair = pgm_sync_make_pair(rel, source, target, up, down, &reads);
	pair->sync = pgm_sync_number(rel);
	if (pair->sync == 0)
		pair->sync = pgm_store_find_sync(relid);
	if (pair->sync != 0)
	{
		same = pgm_sync_check_others(rel, pair, reads, pgm_store_fetch_pairs(pair->sync));
		pgm_sync_check_not_read(rel, pair->sync, target);
	}
	if (same == 0)
		pgm_store_insert_pair(pair);
	table_close(rel, NoLock);
	create_triggers(tables, pair->sync);
	invalidate(relid);
	return same == 0 ? pair->id : same;
}

/*
 * The pair of a table with that new side, or NULL; "number" and "count" are about
 * all its pairs.
 */
static PgmPair *
find_pair(Oid relid, const char *target, int64 *number, int *count)
{
	List	   *pairs;
	ListCell   *lc;

	*number = number_of(relid);
	*count = 0;
	if (*number == 0)
		*number = pgm_store_find_sync(relid);
	if (*number == 0)
		return NULL;
	pairs = pgm_store_fetch_pairs(*number);
	*count = list_length(pairs);
	foreach(lc, pairs)
	{
		PgmPair    *pair = (PgmPair *) lfirst(lc);

		if (strcmp(pair->target, target) == 0)
			return pair;
	}
	return NULL;
}

/*
 * The pairs of a table, as PgmPair *: all, or the one with that new side.  Throws
 * unless the current user owns the table, which is locked against changes of it.
 */
List *
pgm_sync_pairs(Oid relid, const char *target)
{
	PgmPair    *pair;
	int64		number;
	int			count;

	pgm_relation_check_owner(relid);
	LockRelationOid(relid, AccessShareLock);
	pgm_relation_check_owner(relid);
	pair = find_pair(relid, target == NULL ? "" : target, &number, &count);
	if (target != NULL)
		return pair == NULL ? NIL : list_make1(pair);
	return number == 0 ? NIL : pgm_store_fetch_pairs(number);
}

static bool
reads_column(const PgmSyncPair *pair, AttrNumber attno)
{
	for (int i = 0; i < pair->ninputs; i++)
	{
		if (pair->inputs[i] == attno)
			return true;
	}
	return bms_is_member(attno, pair->down_reads);
}

/*
 * The pairs of a table that cannot be without a column other than their new side.
 */
List *
pgm_sync_pairs_reading(Oid relid, const char *column)
{
	List	   *pairs = pgm_sync_pairs(relid, NULL);
	List	   *result = NIL;
	AttrNumber	attno = get_attnum(relid, column);
	PgmSyncTable *table;
	Relation	rel;
	ListCell   *lc;
	int			i = 0;

	if (pairs == NIL)
		return NIL;
	rel = table_open(relid, NoLock);
	table = pgm_sync_table(rel, ((PgmPair *) linitial(pairs))->sync);
	foreach(lc, pairs)
	{
		/* both are in the order in which they were made */
		PgmSyncPair *pair = &table->pairs[i++];

		if (pair->target != attno && reads_column(pair, attno))
			result = lappend(result, lfirst(lc));
	}
	pgm_sync_release(table);
	table_close(rel, NoLock);
	return result;
}

/*
 * Do not keep a column in step any more.  Returns false if it was not.
 */
bool
pgm_sync_end(Oid relid, const char *target)
{
	PgmPair    *pair;
	Relation	rel;
	List	   *tables;
	LOCKMODE	lockmode;
	int64		number;
	int			count;

	pgm_relation_check_owner(relid);
	LockRelationOid(relid, AccessShareLock);
	pgm_relation_check_owner(relid);
	pair = find_pair(relid, target, &number, &count);
	if (pair == NULL)
		return false;

	/*
	 * the trigger goes with the last pair; better not to take two locks in
	 * turn
	 */
	lockmode = count == 1 ? AccessExclusiveLock : ShareRowExclusiveLock;
	LockRelationOid(relid, lockmode);
	pair = find_pair(relid, target, &number, &count);
	if (pair == NULL)
		return false;
	rel = table_open(relid, NoLock);
	check_table(rel);
	tables = tables_with_trigger(rel, lockmode);
	table_close(rel, NoLock);
	pgm_store_delete_pair(pair->id);
	if (count == 1)
		drop_triggers(tables, number);
	invalidate(relid);
	return true;
}

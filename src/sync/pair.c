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

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/relation.h"
#include "sync/sync.h"

/* Throw unless the current user may make and drop pairs of a table. */
static void
check_owner(Oid relid)
{
	if (get_rel_name(relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (!pgm_relation_is_owned(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
}

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

/* A column of the table; throws if there is none. */
static Form_pg_attribute
get_column(Relation rel, const char *name)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(rel), name);

	if (attno == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", name,
						RelationGetRelationName(rel))));
	if (attno < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot keep system column \"%s\" in step", name)));
	return TupleDescAttr(RelationGetDescr(rel), attno - 1);
}

/*
 * The number in the trigger of a table, 0 if it has none.
 */
int64
pgm_sync_number(Relation rel)
{
	TriggerDesc *desc = rel->trigdesc;

	for (int i = 0; desc != NULL && i < desc->numtriggers; i++)
	{
		Trigger    *trigger = &desc->triggers[i];

		if (strcmp(trigger->tgname, PGM_SYNC_TRIGGER) == 0 && trigger->tgnargs == 1 &&
			get_func_namespace(trigger->tgfoid) == get_namespace_oid("migrate", true))
			return DatumGetInt64(DirectFunctionCall1(int8in,
													 CStringGetDatum(trigger->tgargs[0])));
	}
	return 0;
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
 * Throw unless a column can be the new side of a pair.
 */
static void
check_target(Relation rel, Form_pg_attribute att)
{
	const char *why = NULL;

	if (att->attgenerated != '\0')
		why = "It is a generated column.";
	else if (att->attidentity != '\0')
		why = "It is an identity column.";
	else if (build_column_default(rel, att->attnum) != NULL)
		why = "It has a default, so that a row does not tell whether it was written.";
	if (why != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("cannot keep column \"%s\" of table \"%s\" in step",
						NameStr(att->attname), RelationGetRelationName(rel)),
				 errdetail_internal("%s", why)));
}

/*
 * Parse and check an expression of a pair, as the owner as far as the owner's code
 * may run.  Returns its text as it is kept, and the columns it reads.
 */
static char *
check_expression(Relation rel, const char *what, const char *column, const char *text,
				 Bitmapset **reads)
{
	PgmSyncScope scope;
	const bool	new_level = false;
	Node	   *expr = pgm_sync_parse(rel, RelationGetRelationName(rel), column, text);

	pgm_sync_enter_owner(rel, new_level, &scope);
	pgm_sync_check(rel, what, column, expr);
	/* the owner has to have the right to call its functions */
	(void) ExecInitExpr(expression_planner((Expr *) expr), NULL);
	pgm_sync_leave_owner(&scope);
	pull_varattnos(expr, 1, reads);
	return pgm_sync_deparse(rel, expr);
}

/* The names of these columns. */
static List *
column_names(Relation rel, const Bitmapset *columns)
{
	List	   *names = NIL;
	int			i = -1;

	while ((i = bms_next_member(columns, i)) >= 0)
		names = lappend(names, get_attname(RelationGetRelid(rel),
										   i + FirstLowInvalidHeapAttributeNumber, false));
	return names;
}

static bool
contains_name(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp((char *) lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/*
 * The settings that say what expressions mean, with the temporary tables of
 * whoever writes a row behind all others.
 */
static List *
save_settings(void)
{
	List	   *settings = pgm_guc_save_meaning();
	ListCell   *lc;

	foreach(lc, settings)
	{
		ListCell   *value = lnext(settings, lc);

		if (strcmp((char *) lfirst(lc), "search_path") == 0 &&
			strstr((char *) lfirst(value), "pg_temp") == NULL)
			lfirst(value) = *(char *) lfirst(value) == '\0' ? "pg_temp" :
				psprintf("%s, pg_temp", (char *) lfirst(value));
		lc = value;
	}
	return settings;
}

/*
 * Make a pair of what the user asked for; all of it is checked.  What "up" reads
 * comes back in "reads".
 */
static PgmPair *
make_pair(Relation rel, List *source, const char *target, const char *up, const char *down,
		  List **reads)
{
	PgmPair    *pair = palloc0(sizeof(PgmPair));
	Bitmapset  *up_reads = NULL;
	Bitmapset  *down_reads = NULL;
	ListCell   *lc;

	check_target(rel, get_column(rel, target));
	pair->relid = RelationGetRelid(rel);
	pair->relation = pgm_relation_name(pair->relid);
	pair->target = pstrdup(target);
	pair->settings = save_settings();
	pair->up = check_expression(rel, "up", target, up, &up_reads);
	*reads = column_names(rel, up_reads);
	pair->source = source == NIL ? *reads : source;
	if (contains_name(*reads, target) || contains_name(source, target))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" cannot be made of itself", target)));
	if (pair->source == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expression \"up\" of column \"%s\" reads no column", target),
				 errhint("Use a default for a column that does not depend on others.")));
	foreach(lc, pair->source)
		(void) get_column(rel, (char *) lfirst(lc));
	if (down == NULL)
		return pair;

	if (list_length(pair->source) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expression \"down\" can be given for one old column only"),
				 errhint("Name the old column that it is for as \"source\".")));
	if (get_column(rel, linitial(pair->source))->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expression \"down\" cannot be given for generated column \"%s\"",
						(char *) linitial(pair->source))));
	pair->down = check_expression(rel, "down", linitial(pair->source), down, &down_reads);
	return pair;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_pair(const PgmPair *a, const PgmPair *b)
{
	ListCell   *lc;

	if (list_length(a->source) != list_length(b->source))
		return false;
	foreach(lc, a->source)
	{
		if (!contains_name(b->source, (char *) lfirst(lc)))
			return false;
	}
	return same_text(a->up, b->up) && same_text(a->down, b->down);
}

/*
 * Compare a pair to be made with those of the table.  Returns the id of the same
 * one, if it is there, else 0; throws if both cannot be.
 */
static int64
check_others(Relation rel, const PgmPair *pair, List *reads, List *others)
{
	ListCell   *lc;

	foreach(lc, others)
	{
		PgmPair    *other = (PgmPair *) lfirst(lc);

		if (strcmp(other->target, pair->target) == 0)
		{
			if (same_pair(other, pair))
				return other->id;
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("column \"%s\" of table \"%s\" is kept in step already", pair->target,
							RelationGetRelationName(rel)),
					 errdetail("It is made otherwise: %s.", other->up),
					 errhint("Use migrate.sync_end('%s', '%s') first.", pair->relation,
							 pair->target)));
		}
		if (contains_name(reads, other->target) || contains_name(pair->source, other->target))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("column \"%s\" cannot be made of column \"%s\"", pair->target,
							other->target),
					 errdetail("That one is kept in step with others itself.")));
	}
	return 0;
}

/*
 * Throw if a pair of the table reads the column that is to be the new side of
 * another.
 */
static void
check_not_read(Relation rel, int64 number, const char *target)
{
	PgmSyncTable *table = pgm_sync_table(rel, number);
	AttrNumber	attno = get_attnum(RelationGetRelid(rel), target);
	const char *reader = NULL;

	for (int i = 0; i < table->npairs; i++)
	{
		for (int k = 0; k < table->pairs[i].ninputs; k++)
		{
			if (table->pairs[i].inputs[k] == attno)
				reader = pstrdup(table->pairs[i].target_name);
		}
	}
	pgm_sync_release(table);
	if (reader != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("cannot keep column \"%s\" in step", target),
				 errdetail("Column \"%s\" is made of it.", reader)));
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

	check_owner(relid);
	rel = try_table_open(relid, ShareRowExclusiveLock);
	check_owner(relid);
	check_table(rel);
	tables = tables_with_trigger(rel, ShareRowExclusiveLock);

	pair = make_pair(rel, source, target, up, down, &reads);
	pair->sync = pgm_sync_number(rel);
	if (pair->sync == 0)
		pair->sync = pgm_store_find_sync(relid);
	if (pair->sync != 0)
	{
		same = check_others(rel, pair, reads, pgm_store_fetch_pairs(pair->sync));
		check_not_read(rel, pair->sync, target);
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

	check_owner(relid);
	LockRelationOid(relid, AccessShareLock);
	check_owner(relid);
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

	check_owner(relid);
	LockRelationOid(relid, AccessShareLock);
	check_owner(relid);
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

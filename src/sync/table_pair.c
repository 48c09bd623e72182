/*-------------------------------------------------------------------------
 *
 * table_pair.c
 *	  Begin and end to carry rows of a table over to another one.
 *
 * A pair is a row of migrate.table_pair and two triggers of the old table, for its
 * rows and for TRUNCATE, which have the number of the pair as argument.  Who makes
 * it holds a lock on the table that waits for all who have written it, so once the
 * pair is committed nobody writes rows without knowing of it; and what is there
 * then is what is left to be copied.
 *
 * IDENTIFICATION
 *	  src/sync/table_pair.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

#include "base/relation.h"
#include "sync/table.h"

static void
report_unfit(Relation rel, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("cannot carry rows of or to \"%s\"", RelationGetRelationName(rel)),
			 errdetail_internal("%s", why)));
}

/* Throw unless a table can be one of a pair, or both. */
static void
check_table(Relation rel, bool old)
{
	char		kind = rel->rd_rel->relkind;

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		report_unfit(rel, "It is not a table or a partitioned table.");
	if (IsCatalogRelation(rel) ||
		RelationGetNamespace(rel) == get_namespace_oid("migrate", true))
		report_unfit(rel, "It belongs to the system.");
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		report_unfit(rel, "It is a temporary table.");
	if (has_superclass(RelationGetRelid(rel)))
		report_unfit(rel, "It is a partition or a child of another table.");
	if (old && kind == RELKIND_PARTITIONED_TABLE)
		report_unfit(rel, "It is partitioned, so that rows could come and go with its partitions.");
	if (kind == RELKIND_RELATION && has_subclass(RelationGetRelid(rel)) &&
		list_length(find_inheritance_children(RelationGetRelid(rel), NoLock)) > 0)
		report_unfit(rel, "Other tables inherit from it.");
	if (rel->rd_rules != NULL)
		report_unfit(rel, "It has rules.");
	if (rel->rd_rel->relforcerowsecurity)
		report_unfit(rel, "Its row security is forced upon its owner.");
}

/* Throw unless both tables fit together. */
static void
check_both(Relation rel, Relation new)
{
	if (rel->rd_rel->relowner != new->rd_rel->relowner)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("tables \"%s\" and \"%s\" must have the same owner",
						RelationGetRelationName(rel), RelationGetRelationName(new))));
	if (RelationGetNamespace(rel) != RelationGetNamespace(new))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("tables \"%s\" and \"%s\" must be in the same schema",
						RelationGetRelationName(rel), RelationGetRelationName(new))));
	if (RelationGetRelid(rel) == RelationGetRelid(new))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" cannot take its own place", RelationGetRelationName(rel))));
	if (pgm_store_find_table_pair(RelationGetRelid(rel)) != 0 ||
		pgm_store_find_table_pair(RelationGetRelid(new)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("rows of or to table \"%s\" or \"%s\" are carried over already",
						RelationGetRelationName(rel), RelationGetRelationName(new)),
				 errhint("See migrate.table_expansion, and migrate.abandon().")));
}

static void
execute(const char *command)
{
	const bool	read_only = false;
	const long	all_rows = 0;

	if (SPI_execute(command, read_only, all_rows) != SPI_OK_UTILITY)
		elog(ERROR, "unexpected result of command: %s", command);
}

/*
 * What is there beforehand would never be compared with anything.
 */
static void
check_empty(Relation new)
{
	const bool	read_only = true;
	char	   *query = psprintf("SELECT FROM %s LIMIT 1",
								 pgm_relation_name(RelationGetRelid(new)));

	PushActiveSnapshot(GetLatestSnapshot());
	SPI_connect();
	if (SPI_execute(query, read_only, 1) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of query: %s", query);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not empty", RelationGetRelationName(new)),
				 errhint("Use TRUNCATE if its rows are not needed.")));
	SPI_finish();
	PopActiveSnapshot();
}

static void
create_triggers(Oid relid, int64 number)
{
	char	   *name = pgm_relation_name(relid);

	SPI_connect();
	execute(psprintf("CREATE TRIGGER " PGM_CARRY_TRIGGER " AFTER INSERT OR UPDATE OR DELETE ON %s"
					 " FOR EACH ROW EXECUTE FUNCTION migrate.carry('" INT64_FORMAT "')",
					 name, number));
	execute(psprintf("CREATE TRIGGER " PGM_TRUNCATE_TRIGGER " AFTER TRUNCATE ON %s"
					 " FOR EACH STATEMENT EXECUTE FUNCTION migrate.carry('" INT64_FORMAT "')",
					 name, number));
	execute(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER " PGM_CARRY_TRIGGER
					 ", ENABLE ALWAYS TRIGGER " PGM_TRUNCATE_TRIGGER, name));
	SPI_finish();
}

/*
 * Carry each write of a table over to a new one, which is empty, from now on; both
 * are locked, and what else is given is as for pgm_table_make_pair().  Returns the
 * number of the pair.
 */
int64
pgm_table_begin(Oid relid, Oid new_relid, List *carried, List *keys, List *new_keys)
{
	Relation	rel;
	Relation	new;
	PgmTablePair *pair;
	const bool	old = true;

	pgm_relation_check_owner(relid);
	pgm_relation_check_owner(new_relid);
	rel = table_open(relid, NoLock);
	new = table_open(new_relid, NoLock);
	check_table(rel, old);
	check_table(new, !old);
	check_both(rel, new);
	pair = pgm_table_make_pair(rel, new, carried, keys, new_keys);
	check_empty(new);
	pgm_store_insert_table_pair(pair);
	table_close(new, NoLock);
	table_close(rel, NoLock);
	create_triggers(relid, pair->id);
	return pair->id;
}

/* The number in the trigger of a table, 0 if it has none. */
static int64
trigger_number(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	int64		number = pgm_prepared_number(rel, PGM_CARRY_TRIGGER);

	table_close(rel, NoLock);
	return number;
}

/*
 * The pair of which a table is the old one; throws if there is none.  The current
 * user has to own the table, which is locked against changes of it.
 */
PgmTablePair *
pgm_table_find(Oid relid)
{
	PgmTablePair *pair = NULL;
	int64		number;

	pgm_relation_check_owner(relid);
	LockRelationOid(relid, AccessShareLock);
	pgm_relation_check_owner(relid);
	number = trigger_number(relid);
	if (number == 0)
		number = pgm_store_find_table_pair(relid);
	if (number != 0)
		pair = pgm_store_fetch_table_pair(number);
	if (pair == NULL || (pair->here && pair->relid != relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("rows of table \"%s\" are not carried over to another one",
						get_rel_name(relid)),
				 errhint("See migrate.table_expansion.")));
	return pair;
}

/*
 * The new table of a pair, by its name if the pair has come from elsewhere.
 */
Oid
pgm_table_new_relid(const PgmTablePair *pair, bool missing_ok)
{
	Oid			relid = pair->here ? pair->new_relid :
		RangeVarGetRelid(makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(pair->new_relation))),
						 NoLock, true);

	if (OidIsValid(relid) && get_rel_name(relid) != NULL)
		return relid;
	if (!missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s does not exist any more", pair->new_relation),
				 errdetail("Rows of table %s are carried over to it.", pair->relation),
				 errhint("Use migrate.abandon() if they are not to be any more.")));
	return InvalidOid;
}

/*
 * Do not carry rows over any more.  The table is locked.
 */
void
pgm_table_end(Oid relid, const PgmTablePair *pair)
{
	char	   *name = pgm_relation_name(relid);

	SPI_connect();
	if (trigger_number(relid) == pair->id)
	{
		execute(psprintf("DROP TRIGGER " PGM_CARRY_TRIGGER " ON %s", name));
		execute(psprintf("DROP TRIGGER IF EXISTS " PGM_TRUNCATE_TRIGGER " ON %s", name));
	}
	SPI_finish();
	pgm_store_delete_table_pair(pair->id);
}

/*-------------------------------------------------------------------------
 *
 * put.c
 *	  Names, comments and duties of what was built on a column, for what stands in
 *	  for it.
 *
 * Indexes and constraints are there already, on the new column, but for those that
 * only a whole partitioned table can have.  Statistics objects have no content of
 * their own before ANALYZE, so they are made anew.
 *
 * IDENTIFICATION
 *	  src/swap/put.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_statistic_ext.h"
#include "commands/comment.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/relation.h"
#include "swap/built.h"
#include "swap/swap.h"

/*
 * Drop the foreign keys that refer to the old column: they do not go with it.
 */
void
pgm_swap_drop_references(PgmSwap *swap)
{
	ListCell   *lc;

	foreach(lc, swap->constraints)
	{
		const PgmBuiltCheck *check = (PgmBuiltCheck *) lfirst(lc);

		if (check->refers_here)
			pgm_swap_run("ALTER TABLE ONLY %s DROP CONSTRAINT %s", pgm_relation_name(check->relid),
						 quote_identifier(check->name));
	}
}

/* Comments, where there are none that somebody wrote for the new one. */
static void
put_comment(Oid object, Oid classid, char *comment)
{
	if (comment != NULL && GetComment(object, classid, 0) == NULL)
		CreateComments(object, classid, 0, comment);
}

/*
 * The columns of an index keep the names that those of the table had when it was
 * built; a number follows where there would be two.
 */
static void
rename_columns(const PgmSwap *swap, Oid index)
{
	const bool	missing_ok = true;
	int			length = strlen(swap->shadow);
	char	   *name;

	for (int i = 1; (name = get_attname(index, i, missing_ok)) != NULL; i++)
	{
		char	   *number = name + length;
		char	   *wanted;

		if (strncmp(name, swap->shadow, length) != 0 ||
			strspn(number, "0123456789") != strlen(number))
			continue;
		wanted = psprintf("%s%s", swap->column, number);
		/* nobody misses a name that cannot be had */
		if (strlen(wanted) < NAMEDATALEN &&
			get_attnum(index, wanted) == InvalidAttrNumber)
			pgm_swap_run("ALTER TABLE %s RENAME COLUMN %s TO %s", pgm_relation_name(index),
						 quote_identifier(name), quote_identifier(wanted));
	}
}

/*
 * A constraint that takes the index.
 */
static void
put_constraint(const PgmSwap *swap, const PgmBuiltKey *key)
{
	const char *name = quote_identifier(key->name);

	if (key->definition != NULL)
		pgm_swap_run("ALTER TABLE ONLY %s ADD CONSTRAINT %s %s", swap->table, name, key->definition);
	else if (!OidIsValid(get_index_constraint(key->stand_in)))
		pgm_swap_run("ALTER TABLE ONLY %s ADD CONSTRAINT %s %s USING INDEX %s", swap->table, name,
					 key->contype == CONSTRAINT_PRIMARY ? "PRIMARY KEY" : "UNIQUE", name);
}

/*
 * The name of the index, its constraint, and its place in that of the table above.
 */
static void
put_key(const PgmSwap *swap, PgmBuiltKey *key)
{
	const char *name = quote_identifier(key->name);

	if (OidIsValid(key->stand_in) && strcmp(get_rel_name(key->stand_in), key->name) != 0)
		pgm_swap_run("ALTER INDEX %s RENAME TO %s", pgm_relation_name(key->stand_in), name);
	/* the new column keeps its name at the end of an expansion */
	if (OidIsValid(key->stand_in) && !swap->by_content)
		rename_columns(swap, key->stand_in);
	if (key->contype != '\0')
		put_constraint(swap, key);
	if (!OidIsValid(key->stand_in))
		key->stand_in = get_relname_relid(key->name, get_rel_namespace(swap->relid));
	/* where it is part of it already, this does nothing */
	if (key->parent != NULL)
		pgm_swap_run("ALTER INDEX %s ATTACH PARTITION %s", key->parent,
					 pgm_relation_name(key->stand_in));
	put_comment(key->stand_in, RelationRelationId, key->comment);
	if (key->contype != '\0')
		put_comment(get_index_constraint(key->stand_in), ConstraintRelationId,
					key->constraint_comment);
}

/*
 * A constraint that came from the table above only: so does what stands in for it,
 * although it was there before that of the table above.
 */
static void
put_inherited(Oid constraint)
{
	Relation	constraints = table_open(ConstraintRelationId, RowExclusiveLock);
	HeapTuple	tuple = SearchSysCacheCopy1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	if (form->conislocal && form->coninhcount > 0)
	{
		form->conislocal = false;
		CatalogTupleUpdate(constraints, &tuple->t_self, tuple);
		CommandCounterIncrement();
	}
	table_close(constraints, RowExclusiveLock);
}

static void
put_check(const PgmBuiltCheck *check)
{
	if (check->definition != NULL)
		return;
	if (check->inherited)
		put_inherited(check->stand_in);
	if (check->gives_name && !check->inherited)
		pgm_swap_run("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", pgm_relation_name(check->relid),
					 quote_identifier(check->stand_in_name), quote_identifier(check->name));
	put_comment(check->stand_in, ConstraintRelationId, check->comment);
}

static void
put_statistics(const PgmBuiltStatistics *statistics)
{
	Oid			id;

	pgm_swap_run("%s", statistics->definition);
	id = GetSysCacheOid2(STATEXTNAMENSP, Anum_pg_statistic_ext_oid,
						 CStringGetDatum(statistics->name),
						 ObjectIdGetDatum(statistics->namespace));
	if (statistics->comment != NULL)
		CreateComments(id, StatisticExtRelationId, 0, statistics->comment);
}

/* The NOT NULLs of a table that come from the one above only. */
static List *
inherited_not_nulls(Oid relid)
{
	List	   *result = NIL;
	Relation	constraints = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	const bool	use_index = true;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(constraints, ConstraintRelidTypidNameIndexId, use_index, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);

		if (form->contype == PGM_CONSTRAINT_NOT_NULL && form->coninhcount > 0 && !form->conislocal)
			result = lappend_oid(result, form->oid);
	}
	systable_endscan(scan);
	table_close(constraints, AccessShareLock);
	return result;
}

/*
 * The keys.  A primary key of a partition makes the NOT NULLs of its columns the
 * partition's own, which they are not if it comes from above.
 */
static void
put_keys(PgmSwap *swap)
{
	List	   *inherited = inherited_not_nulls(swap->relid);
	ListCell   *lc;

	foreach(lc, swap->keys)
		put_key(swap, (PgmBuiltKey *) lfirst(lc));
	foreach(lc, inherited)
		put_inherited(lfirst_oid(lc));
}

/*
 * Let the stand-ins have the names of what has gone, and their duties.
 */
void
pgm_swap_put_built(PgmSwap *swap)
{
	ListCell   *lc;

	if (swap->keys != NIL)
		put_keys(swap);
	foreach(lc, swap->constraints)
		put_check((PgmBuiltCheck *) lfirst(lc));
	foreach(lc, swap->statistics)
		put_statistics((PgmBuiltStatistics *) lfirst(lc));
}

/*
 * A foreign key of a partitioned table, for which the server finds those of the
 * partitions.
 */
static void
put_foreign_key(const PgmSwap *swap, const PgmBuiltCheck *check)
{
	const bool	missing_ok = false;

	pgm_swap_run("ALTER TABLE %s ADD CONSTRAINT %s %s", swap->all, quote_identifier(check->name),
				 check->definition);
	put_comment(get_relation_constraint_oid(swap->relid, check->name, missing_ok),
				ConstraintRelationId, check->comment);
}

/*
 * What needs all tables to have what is built: foreign keys of partitioned ones, and
 * what a table does with its indexes.
 */
void
pgm_swap_put_duties(PgmSwap *swap)
{
	ListCell   *lc;

	foreach(lc, swap->constraints)
	{
		const PgmBuiltCheck *check = (PgmBuiltCheck *) lfirst(lc);

		if (check->definition != NULL)
			put_foreign_key(swap, check);
	}
	foreach(lc, swap->keys)
	{
		const PgmBuiltKey *key = (PgmBuiltKey *) lfirst(lc);
		const char *name = quote_identifier(key->name);

		if (key->clustered)
			pgm_swap_run("ALTER TABLE ONLY %s CLUSTER ON %s", swap->table, name);
		if (key->replica_identity)
			pgm_swap_run("ALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %s", swap->table, name);
	}
}

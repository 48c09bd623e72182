/*-------------------------------------------------------------------------
 *
 * built.c
 *	  Indexes, constraints and statistics of a column, for the one that takes its
 *	  place.
 *
 * Indexes and constraints are there already, on the new column, and take over
 * names, comments and duties.  Statistics objects have no content of their own
 * before ANALYZE, so they are made anew.
 *
 * IDENTIFICATION
 *	  src/swap/built.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_statistic_ext.h"
#include "commands/comment.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/relation.h"
#include "swap/swap.h"

/* An index, with its constraint if it has one. */
typedef struct Key
{
	char	   *name;
	char	   *schema;			/* quoted */
	Oid			stand_in;
	char	   *comment;		/* or NULL */
	char		contype;		/* of its constraint, or '\0' */
	char	   *constraint_comment; /* or NULL */
	bool		clustered;
	bool		replica_identity;
} Key;

/* Another constraint. */
typedef struct Check
{
	Oid			relid;
	char	   *name;
	Oid			stand_in;
	bool		refers_here;	/* foreign key that refers to the column */
	char	   *comment;		/* or NULL */
} Check;

/* A statistics object. */
typedef struct Statistics
{
	char	   *name;
	Oid			namespace;
	char	   *definition;
	char	   *comment;		/* or NULL */
} Statistics;

/*
 * Something was not built, or not to the end.
 */
void
pgm_swap_report_missing(const PgmSwap *swap, const char *kind, const char *name, const char *stand_in)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot replace column \"%s\" of table \"%s\"", swap->column,
					get_rel_name(swap->relid)),
			 errdetail("There is no valid %s \"%s\", which is to take the place of \"%s\".",
					   kind, stand_in, name),
			 errhint("Build it on column \"%s\" first; migrate.steps() shows how.", swap->shadow)));
}

/* Is an index one of the table, and built to the end? */
static bool
index_is_ready(const PgmSwap *swap, Oid index)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_index) GETSTRUCT(tuple);
	result = form->indrelid == swap->relid && form->indisvalid && form->indisready;
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Note an index, and check what stands in for it.
 */
static Key *
find_key(PgmSwap *swap, Oid index)
{
	Key		   *key = palloc0(sizeof(Key));
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form;
	char	   *stand_in;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for index %u", index);
	form = (Form_pg_index) GETSTRUCT(tuple);
	key->name = get_rel_name(index);
	key->schema = pstrdup(quote_identifier(get_namespace_name(get_rel_namespace(index))));
	key->comment = GetComment(index, RelationRelationId, 0);
	key->clustered = form->indisclustered;
	key->replica_identity = form->indisreplident;
	ReleaseSysCache(tuple);

	stand_in = pgm_dependents_stand_in(key->name);
	key->stand_in = get_relname_relid(stand_in, get_rel_namespace(index));
	if (!OidIsValid(key->stand_in) || !index_is_ready(swap, key->stand_in))
		pgm_swap_report_missing(swap, "index", key->name, stand_in);
	swap->keys = lappend(swap->keys, key);
	return key;
}

/*
 * Is there such a constraint, and does it hold for all rows?
 */
bool
pgm_swap_is_valid(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_constraint) GETSTRUCT(tuple))->convalidated;
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Note a constraint that has no index, and check what stands in for it.
 */
static void
find_check(PgmSwap *swap, Oid constraint, Form_pg_constraint form)
{
	Check	   *check = palloc0(sizeof(Check));
	char	   *stand_in;

	check->relid = form->conrelid;
	check->name = pstrdup(NameStr(form->conname));
	check->comment = GetComment(constraint, ConstraintRelationId, 0);
	check->refers_here = form->contype == CONSTRAINT_FOREIGN && form->confrelid == swap->relid;

	stand_in = pgm_dependents_stand_in(check->name);
	check->stand_in = get_relation_constraint_oid(check->relid, stand_in, true);
	if (!OidIsValid(check->stand_in) ||
		(form->convalidated && !pgm_swap_is_valid(check->stand_in)))
		pgm_swap_report_missing(swap, "constraint", check->name, stand_in);
	swap->constraints = lappend(swap->constraints, check);
}

static void
find_constraint(PgmSwap *swap, Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;
	Key		   *key;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	if (form->contype == CONSTRAINT_PRIMARY || form->contype == CONSTRAINT_UNIQUE)
	{
		key = find_key(swap, form->conindid);
		key->contype = form->contype;
		key->constraint_comment = GetComment(constraint, ConstraintRelationId, 0);
	}
	else
		find_check(swap, constraint, form);
	ReleaseSysCache(tuple);
}

static void
find_statistics(PgmSwap *swap, Oid id)
{
	Statistics *statistics = palloc0(sizeof(Statistics));
	HeapTuple	tuple = SearchSysCache1(STATEXTOID, ObjectIdGetDatum(id));
	Form_pg_statistic_ext form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for statistics object %u", id);
	form = (Form_pg_statistic_ext) GETSTRUCT(tuple);
	statistics->name = pstrdup(NameStr(form->stxname));
	statistics->namespace = form->stxnamespace;
	statistics->definition = pg_get_statisticsobjdef_string(id);
	statistics->comment = GetComment(id, StatisticExtRelationId, 0);
	ReleaseSysCache(tuple);
	swap->statistics = lappend(swap->statistics, statistics);
}

/*
 * Note all that hangs on the old column.  Throws if something has no stand-in.
 */
void
pgm_swap_find_built(PgmSwap *swap)
{
	ListCell   *lc;

	foreach(lc, swap->found->indexes)
		(void) find_key(swap, lfirst_oid(lc));
	foreach(lc, swap->found->constraints)
		find_constraint(swap, lfirst_oid(lc));
	foreach(lc, swap->found->statistics)
		find_statistics(swap, lfirst_oid(lc));
}

/*
 * Drop the foreign keys that refer to the old column: they do not go with it.
 */
void
pgm_swap_drop_references(PgmSwap *swap)
{
	ListCell   *lc;

	foreach(lc, swap->constraints)
	{
		const Check *check = (Check *) lfirst(lc);

		if (check->refers_here)
			pgm_swap_run("ALTER TABLE ONLY %s DROP CONSTRAINT %s", pgm_relation_name(check->relid),
						 quote_identifier(check->name));
	}
}

/*
 * The name of the index, its constraint, and what the table does with it.
 */
static void
put_key(const PgmSwap *swap, const Key *key)
{
	const char *name = quote_identifier(key->name);

	pgm_swap_run("ALTER INDEX %s RENAME TO %s", pgm_relation_name(key->stand_in), name);
	if (key->contype != '\0')
		pgm_swap_run("ALTER TABLE ONLY %s ADD CONSTRAINT %s %s USING INDEX %s", swap->table, name,
					 key->contype == CONSTRAINT_PRIMARY ? "PRIMARY KEY" : "UNIQUE", name);
	if (key->clustered)
		pgm_swap_run("ALTER TABLE ONLY %s CLUSTER ON %s", swap->table, name);
	if (key->replica_identity)
		pgm_swap_run("ALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %s", swap->table, name);
	if (key->comment != NULL)
		CreateComments(key->stand_in, RelationRelationId, 0, key->comment);
	if (key->constraint_comment != NULL)
		CreateComments(get_relation_constraint_oid(swap->relid, key->name, false),
					   ConstraintRelationId, 0, key->constraint_comment);
}

static void
put_check(const Check *check)
{
	pgm_swap_run("ALTER TABLE ONLY %s RENAME CONSTRAINT %s TO %s", pgm_relation_name(check->relid),
				 quote_identifier(pgm_dependents_stand_in(check->name)),
				 quote_identifier(check->name));
	if (check->comment != NULL)
		CreateComments(check->stand_in, ConstraintRelationId, 0, check->comment);
}

static void
put_statistics(const Statistics *statistics)
{
	Oid			id;

	pgm_swap_run("%s", statistics->definition);
	id = GetSysCacheOid2(STATEXTNAMENSP, Anum_pg_statistic_ext_oid,
						 CStringGetDatum(statistics->name),
						 ObjectIdGetDatum(statistics->namespace));
	if (statistics->comment != NULL)
		CreateComments(id, StatisticExtRelationId, 0, statistics->comment);
}

/*
 * Let the stand-ins have the names of what has gone, and their duties.
 */
void
pgm_swap_put_built(PgmSwap *swap)
{
	ListCell   *lc;

	foreach(lc, swap->keys)
		put_key(swap, (Key *) lfirst(lc));
	foreach(lc, swap->constraints)
		put_check((Check *) lfirst(lc));
	foreach(lc, swap->statistics)
		put_statistics((Statistics *) lfirst(lc));
}

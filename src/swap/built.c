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
 * What stands in for something is known by its name.  At the end of an expansion
 * it may also be something that says the same of the new column, by whatever
 * name, which it keeps then.
 *
 * IDENTIFICATION
 *	  src/swap/built.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_statistic_ext.h"
#include "commands/comment.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/relation.h"
#include "swap/swap.h"

/* An index, with its constraint if it has one. */
typedef struct Key
{
	char	   *name;			/* that the stand-in is to have */
	Oid			stand_in;
	char	   *comment;		/* or NULL */
	char		contype;		/* of its constraint, or '\0' */
	char	   *definition;		/* of a constraint that has to be made, since
								 * the table is partitioned */
	char	   *parent;			/* of a partition: index of the table above
								 * that it belongs to, or NULL */
	char	   *constraint_comment; /* or NULL */
	bool		clustered;
	bool		replica_identity;
} Key;

/* Another constraint. */
typedef struct Check
{
	Oid			relid;
	char	   *name;
	char	   *stand_in_name;
	bool		gives_name;		/* to its stand-in */
	Oid			stand_in;
	bool		refers_here;	/* foreign key that refers to the column */
	bool		inherited;		/* does its name come from the table above? */
	char	   *definition;		/* of one that has to be made, or NULL */
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

/*
 * The same, where it is no error: what is missing, and a command that makes it.
 */
void
pgm_swap_note_missing(PgmSwap *swap, Oid relid, char *what, char *command)
{
	PgmMissing *missing = palloc(sizeof(PgmMissing));

	missing->relid = relid;
	missing->what = what;
	missing->command = command;
	swap->missing = lappend(swap->missing, missing);
}

/* Is an index one of the table, built to the end, and does it check at once? */
static bool
index_is_ready(const PgmSwap *swap, Oid index)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_index) GETSTRUCT(tuple);
	result = form->indrelid == swap->relid && form->indisvalid && form->indisready &&
		form->indimmediate;
	ReleaseSysCache(tuple);
	return result;
}

/*
 * An index of the new column that says what "index" says of the old one.  That of
 * a primary key must not belong to a constraint yet.
 */
static Oid
find_alike_index(const PgmSwap *swap, Oid index, char contype)
{
	List	   *candidates = list_copy(swap->shadow_found->indexes);
	const char *words = pgm_swap_words_of(swap, index);
	ListCell   *lc;

	foreach(lc, swap->shadow_found->constraints)
	{
		Oid			candidate = get_constraint_index(lfirst_oid(lc));

		if (OidIsValid(candidate) && contype != CONSTRAINT_PRIMARY)
			candidates = lappend_oid(candidates, candidate);
	}
	foreach(lc, candidates)
	{
		if (index_is_ready(swap, lfirst_oid(lc)) &&
			strcmp(pgm_swap_index_words(lfirst_oid(lc)), words) == 0)
			return lfirst_oid(lc);
	}
	return InvalidOid;
}

/* The command that makes an index, on partitions as well. */
static char *
creation(const char *name, const char *words)
{
	const char *unique = "UNIQUE ";
	const char *only = "ON ONLY ";

	if (strncmp(words, unique, strlen(unique)) == 0)
		words += strlen(unique);
	else
		unique = "";
	if (strncmp(words, only, strlen(only)) == 0)
		words += strlen(only);
	else
		words += strlen("ON ");
	return psprintf("CREATE %sINDEX %s ON %s", unique, quote_identifier(name), words);
}

/*
 * The index that stands in for one.  That of a partition which came when the one
 * of the table above was there already has a name that the server chose.
 */
static Oid
find_stand_in(const PgmSwap *swap, Oid index, const char *name)
{
	Oid			stand_in = get_relname_relid(name, get_rel_namespace(index));
	const bool	even_if_detached = false;
	Oid			parent;
	Relation	rel;

	if (OidIsValid(stand_in) || !get_rel_relispartition(index))
		return stand_in;
	parent = get_partition_parent(index, even_if_detached);
	parent = get_relname_relid(pgm_dependents_stand_in(get_rel_name(parent)),
							   get_rel_namespace(parent));
	if (!OidIsValid(parent))
		return InvalidOid;
	rel = table_open(swap->relid, NoLock);
	stand_in = index_get_partition(rel, parent);
	table_close(rel, NoLock);
	return stand_in;
}

/*
 * Find what stands in for an index; false if there is nothing, which is noted.
 */
static bool
find_key_stand_in(PgmSwap *swap, Key *key, Oid index)
{
	char	   *stand_in = pgm_dependents_stand_in(key->name);

	if (key->definition != NULL)
		return true;
	key->stand_in = find_stand_in(swap, index, stand_in);
	if (OidIsValid(key->stand_in) && index_is_ready(swap, key->stand_in))
		return true;
	if (!swap->by_content)
		pgm_swap_report_missing(swap, "index", key->name, stand_in);
	if (swap->shadow != NULL)
	{
		key->stand_in = find_alike_index(swap, index, key->contype);
		if (OidIsValid(key->stand_in))
		{
			key->name = get_rel_name(key->stand_in);
			return true;
		}
	}
	pgm_swap_note_missing(swap, swap->relid, psprintf("%s \"%s\"", key->contype == '\0' ? "index" : "key",
													  key->name), swap->shadow == NULL ? NULL :
						  creation(stand_in, pgm_swap_words_of(swap, index)));
	return false;
}

/*
 * Note an index, and check what stands in for it.
 */
static void
find_key(PgmSwap *swap, Oid index, char contype, char *constraint_comment)
{
	Key		   *key = palloc0(sizeof(Key));
	const bool	even_if_detached = false;
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for index %u", index);
	form = (Form_pg_index) GETSTRUCT(tuple);
	key->name = get_rel_name(index);
	key->comment = GetComment(index, RelationRelationId, 0);
	key->contype = contype;
	key->constraint_comment = constraint_comment;
	key->clustered = form->indisclustered;
	key->replica_identity = form->indisreplident;
	ReleaseSysCache(tuple);
	if (!swap->by_content && get_rel_relispartition(index))
		key->parent = pgm_relation_name(get_partition_parent(index, even_if_detached));
	if (get_rel_relkind(index) == RELKIND_PARTITIONED_INDEX &&
		OidIsValid(get_index_constraint(index)))
		key->definition = pgm_swap_key_definition(index);
	if (find_key_stand_in(swap, key, index))
		swap->keys = lappend(swap->keys, key);
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
 * A constraint of the new column that says what this one says of the old one.
 */
static Oid
find_alike_constraint(const PgmSwap *swap, Oid constraint, Form_pg_constraint form)
{
	const char *words = pgm_swap_words_of(swap, constraint);
	ListCell   *lc;

	foreach(lc, swap->shadow_found->constraints)
	{
		HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_constraint other;
		bool		alike;

		if (!HeapTupleIsValid(tuple))
			continue;
		other = (Form_pg_constraint) GETSTRUCT(tuple);
		alike = other->conrelid == form->conrelid && other->contype == form->contype &&
			(other->convalidated || !form->convalidated);
		ReleaseSysCache(tuple);
		if (alike && strcmp(pgm_swap_constraint_words(lfirst_oid(lc)), words) == 0)
			return lfirst_oid(lc);
	}
	return InvalidOid;
}

/*
 * Find what stands in for a constraint; false if there is nothing, which is noted.
 */
static bool
find_check_stand_in(PgmSwap *swap, Check *check, Oid constraint, Form_pg_constraint form)
{
	char	   *stand_in = pgm_dependents_stand_in(check->name);
	char	   *command = NULL;

	check->stand_in = get_relation_constraint_oid(check->relid, stand_in, true);
	if (OidIsValid(check->stand_in) &&
		(!form->convalidated || pgm_swap_is_valid(check->stand_in)))
	{
		check->stand_in_name = stand_in;
		check->gives_name = true;
		return true;
	}
	/* a NOT NULL that had a name of its own gets that of the one above */
	if (check->inherited && !OidIsValid(check->stand_in))
		return false;
	if (!swap->by_content)
		pgm_swap_report_missing(swap, "constraint", check->name, stand_in);
	if (swap->shadow != NULL)
	{
		check->stand_in = find_alike_constraint(swap, constraint, form);
		if (OidIsValid(check->stand_in))
		{
			check->stand_in_name = get_constraint_name(check->stand_in);
			return true;
		}
		command = psprintf("ALTER TABLE %s ADD CONSTRAINT %s %s%s",
						   pgm_relation_name(check->relid), quote_identifier(stand_in),
						   pgm_swap_words_of(swap, constraint),
						   form->convalidated ? "" : " NOT VALID");
	}
	pgm_swap_note_missing(swap, check->relid, psprintf("constraint \"%s\"%s", check->name,
													   check->relid == swap->relid ? "" :
													   psprintf(" of table \"%s\"",
																get_rel_name(check->relid))), command);
	return false;
}

/*
 * Note a constraint that has no index of its own, or none that could be built
 * first, and check what stands in for it.
 */
static void
find_check(PgmSwap *swap, Oid constraint, Form_pg_constraint form)
{
	Check	   *check = palloc0(sizeof(Check));

	check->relid = form->conrelid;
	check->name = pstrdup(NameStr(form->conname));
	check->comment = GetComment(constraint, ConstraintRelationId, 0);
	check->refers_here = form->contype == CONSTRAINT_FOREIGN && form->confrelid == swap->relid;
	check->inherited = pgm_dependents_is_inherited(constraint);
	if (!swap->by_content && form->contype == CONSTRAINT_FOREIGN &&
		get_rel_relkind(form->conrelid) == RELKIND_PARTITIONED_TABLE)
	{
		check->definition = TextDatumGetCString(DirectFunctionCall1(pg_get_constraintdef,
																	ObjectIdGetDatum(constraint)));
		/* what comes from the table above is made with that */
		if (!OidIsValid(form->conparentid))
			swap->constraints = lappend(swap->constraints, check);
		return;
	}
	if (find_check_stand_in(swap, check, constraint, form))
		swap->constraints = lappend(swap->constraints, check);
}

/*
 * Is this a constraint that comes from one of a table above, or, at the end of an
 * expansion, a NOT NULL, which carry.c knows by the column?
 */
static bool
comes_by_itself(const PgmSwap *swap, Form_pg_constraint form)
{
	return swap->by_content &&
		(OidIsValid(form->conparentid) || form->coninhcount > 0 ||
		 form->contype == PGM_CONSTRAINT_NOT_NULL);
}

static void
find_constraint(PgmSwap *swap, Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	if (comes_by_itself(swap, form))
		;
	else if ((form->contype == CONSTRAINT_PRIMARY || form->contype == CONSTRAINT_UNIQUE) &&
			 (!swap->by_content ||
			  (!form->condeferrable && get_rel_relkind(form->conrelid) == RELKIND_RELATION)))
		find_key(swap, form->conindid, form->contype,
				 GetComment(constraint, ConstraintRelationId, 0));
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
	{
		if (!swap->by_content || (index_is_ready(swap, lfirst_oid(lc)) &&
								  !get_rel_relispartition(lfirst_oid(lc))))
			find_key(swap, lfirst_oid(lc), '\0', NULL);
	}
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
put_constraint(const PgmSwap *swap, const Key *key)
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
put_key(const PgmSwap *swap, Key *key)
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

static void
put_check(const Check *check)
{
	if (check->definition != NULL)
		return;
	if (check->gives_name && !check->inherited)
		pgm_swap_run("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", pgm_relation_name(check->relid),
					 quote_identifier(check->stand_in_name), quote_identifier(check->name));
	put_comment(check->stand_in, ConstraintRelationId, check->comment);
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

/*
 * A foreign key of a partitioned table, for which the server finds those of the
 * partitions.
 */
static void
put_foreign_key(const PgmSwap *swap, const Check *check)
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
		const Check *check = (Check *) lfirst(lc);

		if (check->definition != NULL)
			put_foreign_key(swap, check);
	}
	foreach(lc, swap->keys)
	{
		const Key  *key = (Key *) lfirst(lc);
		const char *name = quote_identifier(key->name);

		if (key->clustered)
			pgm_swap_run("ALTER TABLE ONLY %s CLUSTER ON %s", swap->table, name);
		if (key->replica_identity)
			pgm_swap_run("ALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %s", swap->table, name);
	}
}

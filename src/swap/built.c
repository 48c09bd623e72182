/*-------------------------------------------------------------------------
 *
 * built.c
 *	  Indexes, constraints and statistics of a column, and what stands in for them
 *	  on the one that takes its place.
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
#include "swap/built.h"
#include "swap/swap.h"

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
find_key_stand_in(PgmSwap *swap, PgmBuiltKey *key, Oid index)
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
	PgmBuiltKey *key = palloc0(sizeof(PgmBuiltKey));
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
find_check_stand_in(PgmSwap *swap, PgmBuiltCheck *check, Oid constraint, Form_pg_constraint form)
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
	PgmBuiltCheck *check = palloc0(sizeof(PgmBuiltCheck));

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
	PgmBuiltStatistics *statistics = palloc0(sizeof(PgmBuiltStatistics));
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

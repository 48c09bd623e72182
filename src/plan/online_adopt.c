/*-------------------------------------------------------------------------
 *
 * online_adopt.c
 *	  What a table gets that becomes a partition: the indexes and foreign keys of
 *	  the table above.
 *
 * ATTACH PARTITION makes what the table has not got, under a lock that stops it.
 * Of what it has got it takes what is equal.  So the indexes are built before,
 * concurrently, and the foreign keys found to hold, beside reading and writing,
 * and all have the names that the server would give.
 *
 * Which ones are equal is decided as the server does; see
 * AttachPartitionEnsureIndexes() and CloneFkReferencing().
 *
 * IDENTIFICATION
 *	  src/plan/online_adopt.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/attmap.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/relation.h"
#include "plan/online.h"

#define ADOPT_WHY	"the partition has it by then, so ATTACH does not build it"

/* An index that the partition has not got. */
typedef struct LackingIndex
{
	bool		unique;
	char	   *tail;			/* of CREATE INDEX, after the table */
	List	   *params;			/* of IndexElem *, by name */
	Constraint *key;			/* what it is the index of, or NULL */
} LackingIndex;

/* A foreign key that it has not got. */
typedef struct LackingKey
{
	char	   *name;			/* of that above */
	bool		taken;			/* has the partition such a name? */
	List	   *columns;		/* their names */
	char	   *definition;
} LackingKey;

/* A copy of a constraint's row. */
static Form_pg_constraint
fetch_constraint(Oid constraint)
{
	HeapTuple	tuple = SearchSysCacheCopy1(CONSTROID, ObjectIdGetDatum(constraint));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	return (Form_pg_constraint) GETSTRUCT(tuple);
}

/*
 * The index of the partition that the server would take for one of the table above;
 * "used" are those that it takes for others.
 */
static Oid
find_equal(Relation parent, Relation partition, Relation index, List *used)
{
	IndexInfo  *info = BuildIndexInfo(index);
	AttrMap    *map = pgm_build_attrmap(RelationGetDescr(partition), RelationGetDescr(parent));
	bool		is_key = OidIsValid(get_index_constraint(RelationGetRelid(index)));
	Oid			found = InvalidOid;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(partition))
	{
		Oid			indexid = lfirst_oid(lc);
		Relation	own = index_open(indexid, AccessShareLock);

		if (!OidIsValid(found) && own->rd_index->indisvalid && !own->rd_rel->relispartition &&
			!list_member_oid(used, indexid) &&
			CompareIndexInfo(BuildIndexInfo(own), info, own->rd_indcollation,
							 index->rd_indcollation, own->rd_opfamily, index->rd_opfamily, map) &&
			(!is_key || OidIsValid(get_index_constraint(indexid))))
			found = indexid;
		index_close(own, NoLock);
	}
	return found;
}

/* The columns of an index, by the names they have in it. */
static List *
index_params(Relation index)
{
	TupleDesc	desc = RelationGetDescr(index);
	List	   *params = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		IndexElem  *elem = makeNode(IndexElem);

		elem->name = pstrdup(NameStr(TupleDescAttr(desc, i)->attname));
		params = lappend(params, elem);
	}
	return params;
}

/* The constraint that is to have an index, with its columns as keys. */
static Constraint *
key_of(Relation index)
{
	Oid			constraint = get_index_constraint(RelationGetRelid(index));
	Constraint *key;
	Form_pg_constraint form;
	ListCell   *lc;

	if (!OidIsValid(constraint))
		return NULL;
	form = fetch_constraint(constraint);
	key = makeNode(Constraint);
	key->contype = form->contype == CONSTRAINT_PRIMARY ? CONSTR_PRIMARY : CONSTR_UNIQUE;
	key->deferrable = form->condeferrable;
	key->initdeferred = form->condeferred;
	foreach(lc, index_params(index))
		key->keys = lappend(key->keys, makeString(lfirst_node(IndexElem, lc)->name));
	return key;
}

/*
 * Note an index that is to be made.  Of a partition that is partitioned itself,
 * only those without a constraint can be made so.
 */
static void
note_index(PgmAdoption *adoption, Relation parent, Relation partition, Relation index)
{
	LackingIndex *note = palloc0(sizeof(LackingIndex));
	char	   *definition = pg_get_indexdef_string(RelationGetRelid(index));
	char	   *head;

	note->unique = index->rd_index->indisunique;
	note->params = index_params(index);
	note->key = key_of(index);
	head = psprintf("CREATE %sINDEX %s ON %s ", note->unique ? "UNIQUE " : "",
					quote_identifier(RelationGetRelationName(index)),
					pgm_relation_name(RelationGetRelid(parent)));
	if (strncmp(definition, head, strlen(head)) != 0 || index->rd_index->indisexclusion ||
		(note->key != NULL && partition->rd_rel->relkind != RELKIND_RELATION))
	{
		adoption->rest = true;
		return;
	}
	note->tail = definition + strlen(head);
	adoption->indexes = lappend(adoption->indexes, note);
}

static void
find_indexes(PgmAdoption *adoption, Relation parent, Relation partition)
{
	List	   *used = NIL;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(parent))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Oid			equal = InvalidOid;

		if (index->rd_rel->relkind == RELKIND_PARTITIONED_INDEX)
		{
			equal = find_equal(parent, partition, index, used);
			if (OidIsValid(equal))
				used = lappend_oid(used, equal);
			else
				note_index(adoption, parent, partition, index);
		}
		index_close(index, NoLock);
	}
}

/*
 * Is a foreign key of the partition what the one above would make of it?
 */
static bool
same_key(const ForeignKeyCacheInfo *above, const ForeignKeyCacheInfo *own, const AttrMap *map)
{
	Form_pg_constraint a = fetch_constraint(above->conoid);
	Form_pg_constraint b = fetch_constraint(own->conoid);

	if (above->confrelid != own->confrelid || above->nkeys != own->nkeys)
		return false;
	for (int i = 0; i < above->nkeys; i++)
	{
		if (map->attnums[above->conkey[i] - 1] != own->conkey[i] ||
			above->confkey[i] != own->confkey[i] || above->conpfeqop[i] != own->conpfeqop[i])
			return false;
	}
	return !OidIsValid(b->conparentid) && b->convalidated &&
		a->condeferrable == b->condeferrable && a->condeferred == b->condeferred &&
		a->confupdtype == b->confupdtype && a->confdeltype == b->confdeltype &&
		a->confmatchtype == b->confmatchtype;
}

/*
 * Can a foreign key be added to the partition, to be validated later?
 */
static bool
can_add_key(const ForeignKeyCacheInfo *above, Form_pg_constraint form, Relation partition)
{
	return form->convalidated && !OidIsValid(form->conparentid) &&
		pg_class_aclcheck(above->confrelid, GetUserId(), ACL_REFERENCES) == ACLCHECK_OK &&
		(PGM_PARTITIONED_KEY_CAN_WAIT ||
		 (partition->rd_rel->relkind == RELKIND_RELATION &&
		  get_rel_relkind(above->confrelid) == RELKIND_RELATION));
}

static void
note_key(PgmAdoption *adoption, const ForeignKeyCacheInfo *above, Relation parent, Relation partition)
{
	LackingKey *note = palloc0(sizeof(LackingKey));
	Form_pg_constraint form = fetch_constraint(above->conoid);

	if (!can_add_key(above, form, partition))
	{
		adoption->rest = true;
		return;
	}
	note->name = pstrdup(NameStr(form->conname));
	note->taken = ConstraintNameIsUsed(CONSTRAINT_RELATION, RelationGetRelid(partition), note->name);
	for (int i = 0; i < above->nkeys; i++)
		note->columns = lappend(note->columns,
								get_attname(RelationGetRelid(parent), above->conkey[i], false));
	note->definition = TextDatumGetCString(DirectFunctionCall1(pg_get_constraintdef,
															   ObjectIdGetDatum(above->conoid)));
	adoption->keys = lappend(adoption->keys, note);
}

static void
find_keys(PgmAdoption *adoption, Relation parent, Relation partition)
{
	AttrMap    *map = pgm_build_attrmap(RelationGetDescr(partition), RelationGetDescr(parent));
	List	   *own = copyObject(RelationGetFKeyList(partition));
	ListCell   *lc;
	ListCell   *cell;

	foreach(lc, (List *) copyObject(RelationGetFKeyList(parent)))
	{
		const ForeignKeyCacheInfo *above = lfirst_node(ForeignKeyCacheInfo, lc);
		bool		found = false;

		foreach(cell, own)
			found = found || same_key(above, lfirst_node(ForeignKeyCacheInfo, cell), map);
		if (!found)
			note_key(adoption, above, parent, partition);
	}
}

/*
 * Find out what a table has not got that is to become a partition, as the owner of
 * the tables.
 */
void
pgm_online_find_lacking(PgmAdoption *adoption, Relation parent, Relation partition)
{
	int			guc_level = NewGUCNestLevel();

	pgm_guc_pin_meaning();
	find_indexes(adoption, parent, partition);
	find_keys(adoption, parent, partition);
	AtEOXact_GUC(false, guc_level);
}

/*
 * An index of the partition, and the constraint that has it.
 */
static void
add_index(PgmAdoption *adoption, PgmNames *names, const LackingIndex *lack, List **steps)
{
	Oid			relid = adoption->partition;
	const char *table = pgm_relation_name(relid);
	bool		partitioned = get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE;
	const char *name = lack->key == NULL ? pgm_online_index_name(names, relid, lack->params) :
		pgm_online_constraint_name(names, relid, lack->key, NULL);
	char	   *sql = psprintf("CREATE %sINDEX %s%s ON %s %s", lack->unique ? "UNIQUE " : "",
							   partitioned ? "" : "CONCURRENTLY ", quote_identifier(name), table,
							   lack->tail);

	if (partitioned)
		*steps = list_concat(*steps, pgm_online_part(adoption->script, sql, adoption->number,
													 adoption->trusted));
	else
		pgm_online_add(steps, PGM_HOLD_BUILD, ADOPT_WHY, sql);
	if (lack->key != NULL)
		pgm_online_add(steps, PGM_HOLD_BRIEF, "takes the index that is there",
					   psprintf("ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s%s%s", table,
								quote_identifier(name),
								lack->key->contype == CONSTR_PRIMARY ? "PRIMARY KEY" : "UNIQUE",
								quote_identifier(name), lack->key->deferrable ? " DEFERRABLE" : "",
								lack->key->initdeferred ? " INITIALLY DEFERRED" : ""));
}

static void
add_key(const PgmAdoption *adoption, PgmNames *names, const LackingKey *lack, List **steps)
{
	const char *table = pgm_relation_name(adoption->partition);
	const char *name = lack->name;

	if (lack->taken)
		name = pgm_online_child_key_name(names, adoption->partition, lack->name, lack->columns);
	pgm_online_add(steps, PGM_HOLD_BRIEF,
				   "holds for new rows from here on, without reading the old ones",
				   psprintf("ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", table,
							quote_identifier(name), lack->definition));
	pgm_online_add(steps, PGM_HOLD_SCAN, PGM_VALIDATE_WHY,
				   psprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s", table,
							quote_identifier(name)));
}

/*
 * Add the steps that make it.
 */
void
pgm_online_add_lacking(PgmAdoption *adoption, PgmNames *names, List **steps)
{
	ListCell   *lc;

	foreach(lc, adoption->indexes)
		add_index(adoption, names, (LackingIndex *) lfirst(lc), steps);
	foreach(lc, adoption->keys)
		add_key(adoption, names, (LackingKey *) lfirst(lc), steps);
}

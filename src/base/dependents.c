/*-------------------------------------------------------------------------
 *
 * dependents.c
 *	  What hangs on a column.
 *
 * A column that is to be replaced by another one takes along its indexes,
 * constraints, statistics and sequences.  They are found where the server
 * records them, in pg_depend.  Whatever else is found there is in the way: most
 * of it (views, rules, policies, triggers, generated columns, functions) keeps
 * the server itself from changing the type of a column.
 *
 * A partitioned table has the column once more in each partition, with indexes,
 * constraints and all else of its own, which are found for each by itself.
 *
 * Each of them has a stand-in while both columns are there.  Its name follows
 * from that of what it stands for, so nothing has to be written down.
 *
 * IDENTIFICATION
 *	  src/base/dependents.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/objectaddress.h"
#include "catalog/partition.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/dependents.h"

#define SUFFIX		"_pgmigrate"
#define HASH_LENGTH	9			/* an underscore and eight digits */

/*
 * The name of what stands in for something of that name.
 */
char *
pgm_dependents_stand_in(const char *name)
{
	int			length = strlen(name);
	int			room = NAMEDATALEN - 1 - strlen(SUFFIX);

	if (length <= room)
		return psprintf("%s" SUFFIX, name);
	return psprintf("%.*s_%08x" SUFFIX, pg_mbcliplen(name, length, room - HASH_LENGTH), name,
					hash_bytes((const unsigned char *) name, length));
}

/*
 * The name of the check that proves that the stand-in of a column is not null.
 */
char *
pgm_dependents_not_null(const char *column)
{
	return pgm_dependents_stand_in(psprintf("%s_not_null", column));
}

/* Keep the first thing that is in the way. */
static void
set_obstacle(PgmDependents *found, char *obstacle)
{
	if (found->obstacle == NULL)
		found->obstacle = obstacle;
}

typedef void (*DependencyVisitor) (PgmDependents *found, const FormData_pg_depend *dependency,
								   Oid object);

/*
 * Visit all that depends on an object, or on a column of it.
 */
static void
visit_dependents(PgmDependents *found, Oid classid, Oid object, AttrNumber attnum,
				 DependencyVisitor visit)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(classid));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object));
	ScanKeyInit(&key[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(attnum));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, lengthof(key), key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		visit(found, (Form_pg_depend) GETSTRUCT(tuple), object);
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
}

static char *
describe(const FormData_pg_depend *dependency)
{
	ObjectAddress address;
	const bool	missing_ok = true;
	char	   *text;

	ObjectAddressSubSet(address, dependency->classid, dependency->objid, dependency->objsubid);
	text = getObjectDescription(&address, missing_ok);
	return text == NULL ? pstrdup("something that was dropped") : text;
}

/* Something that depends on the column. */
static void
visit_column_dependent(PgmDependents *found, const FormData_pg_depend *dependency, Oid object)
{
	Oid			id = dependency->objid;

	switch (dependency->classid)
	{
		case RelationRelationId:
			if (get_rel_relkind(id) == RELKIND_INDEX ||
				get_rel_relkind(id) == RELKIND_PARTITIONED_INDEX)
			{
				found->indexes = list_append_unique_oid(found->indexes, id);
				return;
			}
			if (get_rel_relkind(id) == RELKIND_SEQUENCE)
			{
				found->sequences = list_append_unique_oid(found->sequences, id);
				return;
			}
			break;
		case ConstraintRelationId:
			found->constraints = list_append_unique_oid(found->constraints, id);
			return;
		case StatisticExtRelationId:
			found->statistics = list_append_unique_oid(found->statistics, id);
			return;
		case AttrDefaultRelationId:
			if (GetAttrDefaultColumnAddress(id).objectSubId == found->attnum)
				return;
			break;
		default:
			break;
	}
	set_obstacle(found, psprintf("%s uses the column, so it cannot be replaced", describe(dependency)));
}

/*
 * Something that depends on a key, or on its index.  That of a partition is found
 * with the partition.
 */
static void
visit_key_dependent(PgmDependents *found, const FormData_pg_depend *dependency, Oid object)
{
	if (dependency->deptype == DEPENDENCY_INTERNAL ||
		dependency->deptype == DEPENDENCY_PARTITION_PRI ||
		dependency->deptype == DEPENDENCY_PARTITION_SEC ||
		(dependency->classid == ConstraintRelationId &&
		 list_member_oid(found->constraints, dependency->objid)))
		return;
	set_obstacle(found, psprintf("%s needs a key on the column, so it cannot be replaced",
								 describe(dependency)));
}

/* Something that depends on the type of the table's rows. */
static void
visit_type_dependent(PgmDependents *found, const FormData_pg_depend *dependency, Oid object)
{
	if (dependency->classid == RelationRelationId ||
		(dependency->classid == TypeRelationId && dependency->deptype == DEPENDENCY_NORMAL))
		set_obstacle(found, psprintf("%s has rows of the table as values", describe(dependency)));
}

/*
 * The table at the other end of a foreign key, the same one perhaps; InvalidOid
 * for a constraint of another kind.
 */
Oid
pgm_dependents_other_table(const PgmDependents *found, Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;
	Oid			other = InvalidOid;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	if (form->contype == CONSTRAINT_FOREIGN)
		other = form->conrelid == found->relid ? form->confrelid : form->conrelid;
	ReleaseSysCache(tuple);
	return other;
}

static bool
index_excludes(Oid index)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_index) GETSTRUCT(tuple))->indisexclusion;
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Is there something about a constraint that its stand-in cannot have?
 */
static void
check_constraint(PgmDependents *found, Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	name = NameStr(form->conname);
	switch (form->contype)
	{
		case CONSTRAINT_CHECK:
		case PGM_CONSTRAINT_NOT_NULL:
			break;
		case CONSTRAINT_FOREIGN:
			if (get_rel_relkind(form->confrelid) != RELKIND_RELATION ||
				(form->conrelid != found->relid &&
				 (OidIsValid(form->conparentid) ||
				  get_rel_relkind(form->conrelid) != RELKIND_RELATION)))
				set_obstacle(found, psprintf("foreign key \"%s\" is one to a partitioned table, or of another one", name));
			break;
		case CONSTRAINT_PRIMARY:
		case CONSTRAINT_UNIQUE:
			if (form->condeferrable)
				set_obstacle(found, psprintf("key \"%s\" is deferrable, and an index that is built beside it cannot be", name));
			if (index_excludes(form->conindid))
				set_obstacle(found, psprintf("key \"%s\" cannot be built beside reading and writing", name));
			visit_dependents(found, ConstraintRelationId, constraint, 0, visit_key_dependent);
			visit_dependents(found, RelationRelationId, form->conindid, 0, visit_key_dependent);
			break;
		default:
			set_obstacle(found, psprintf("constraint \"%s\" cannot be built beside reading and writing", name));
			break;
	}
	ReleaseSysCache(tuple);
}

/* Is a table published with whatever columns it has? */
static bool
is_published(Oid relid)
{
	ListCell   *lc;

	if (GetAllTablesPublications() != NIL ||
		GetSchemaPublications(get_rel_namespace(relid)) != NIL)
		return true;
	foreach(lc, GetRelationPublications(relid))
	{
		HeapTuple	tuple = SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(relid),
											ObjectIdGetDatum(lfirst_oid(lc)));
		bool		all;

		if (!HeapTupleIsValid(tuple))
			continue;
		(void) SysCacheGetAttr(PUBLICATIONRELMAP, tuple, Anum_pg_publication_rel_prattrs, &all);
		ReleaseSysCache(tuple);
		if (all)
			return true;
	}
	return false;
}

/* Is there a check that some rows may violate, which cannot be updated then? */
static bool
has_doubtful_check(Relation rel)
{
	const TupleConstr *constr = RelationGetDescr(rel)->constr;

	for (int i = 0; constr != NULL && i < constr->num_check; i++)
	{
		if (!constr->check[i].ccvalid && pgm_check_is_enforced(&constr->check[i]))
			return true;
	}
	return false;
}

/*
 * Is there something about where the table stands among others?  "top" is the table
 * that has the column from nobody, or should have.
 */
static void
check_place(PgmDependents *found, Relation rel, Oid top)
{
	Form_pg_class form = rel->rd_rel;
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), found->attnum - 1);
	Bitmapset  *columns = bms_make_singleton(found->attnum - FirstLowInvalidHeapAttributeNumber);
	bool		partitioned = form->relkind == RELKIND_PARTITIONED_TABLE;
	bool		in_expression;

	if (form->relkind != RELKIND_RELATION && !partitioned)
		set_obstacle(found, psprintf("\"%s\" is no table of this database", RelationGetRelationName(rel)));
	else if (found->relid == top && (form->relispartition || att->attinhcount > 0))
		set_obstacle(found, pstrdup("the column is inherited"));
	else if (!partitioned && form->relhassubclass &&
			 find_inheritance_children(found->relid, NoLock) != NIL)
		set_obstacle(found, pstrdup("other tables inherit from the table"));
	else if (partitioned && has_partition_attrs(rel, columns, &in_expression))
		set_obstacle(found, psprintf("table \"%s\" is partitioned by the column", RelationGetRelationName(rel)));
}

/*
 * Is there something about the table, or the column by itself?
 */
static void
check_table(PgmDependents *found, Oid top)
{
	Relation	rel = table_open(found->relid, AccessShareLock);
	Form_pg_class form = rel->rd_rel;
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), found->attnum - 1);

	check_place(found, rel, top);
	if (OidIsValid(form->reloftype))
		set_obstacle(found, pstrdup("the columns of the table are those of a type"));
	else if (att->attgenerated != '\0')
		set_obstacle(found, pstrdup("the column is generated"));
	else if (rel->rd_rules != NULL)
		set_obstacle(found, pstrdup("the table has rules, so it cannot be backfilled"));
	else if (has_doubtful_check(rel))
		set_obstacle(found, pstrdup("the table has a check that is not valid, so rows that violate it cannot be backfilled: validate it before"));
	else if (is_published(found->relid))
		set_obstacle(found, pstrdup("the table is published with all its columns, so subscribers would be sent one more meanwhile"));
	visit_dependents(found, TypeRelationId, form->reltype, 0, visit_type_dependent);
	visit_dependents(found, TypeRelationId, get_array_type(form->reltype), 0, visit_type_dependent);
	table_close(rel, AccessShareLock);
}

/*
 * What hangs on the column of one table.
 */
static PgmDependents *
find_one(Oid relid, AttrNumber attnum, Oid top)
{
	PgmDependents *found = palloc0(sizeof(PgmDependents));
	ListCell   *lc;

	found->relid = relid;
	found->attnum = attnum;
	check_table(found, top);
	visit_dependents(found, RelationRelationId, relid, attnum, visit_column_dependent);
	foreach(lc, found->indexes)
		visit_dependents(found, RelationRelationId, lfirst_oid(lc), 0, visit_key_dependent);
	foreach(lc, found->constraints)
		check_constraint(found, lfirst_oid(lc));

	/* in the order in which they were made */
	list_sort(found->indexes, list_oid_cmp);
	list_sort(found->constraints, list_oid_cmp);
	list_sort(found->statistics, list_oid_cmp);
	return found;
}

/*
 * All that hangs on a column, and what of it is in the way of replacing it; of a
 * partitioned table also on that of each partition.
 */
PgmDependents *
pgm_dependents_find(Oid relid, AttrNumber attnum)
{
	PgmDependents *found = find_one(relid, attnum, relid);
	char	   *column = get_attname(relid, attnum, false);
	ListCell   *lc;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE || found->obstacle != NULL)
		return found;
	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		PgmDependents *partition;

		if (lfirst_oid(lc) == relid)
			continue;
		partition = find_one(lfirst_oid(lc), get_attnum(lfirst_oid(lc), column), relid);
		if (partition->obstacle != NULL)
			set_obstacle(found, partition->obstacle);
		found->partitions = lappend(found->partitions, partition);
	}
	return found;
}

/*
 * The table with its partitions, as PgmDependents *, those above first.
 */
List *
pgm_dependents_all(PgmDependents *found)
{
	return lcons(found, list_copy(found->partitions));
}

/*
 * Has a table a constraint from the one above only, without a name of its own to
 * choose?
 */
bool
pgm_dependents_is_inherited(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	result = form->coninhcount > 0 && !form->conislocal &&
		(form->contype == CONSTRAINT_CHECK || form->contype == PGM_CONSTRAINT_NOT_NULL);
	ReleaseSysCache(tuple);
	return result;
}

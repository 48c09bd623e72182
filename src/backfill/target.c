/*-------------------------------------------------------------------------
 *
 * target.c
 *	  Tables that can be backfilled, their leaves and their keys.
 *
 * A backfill goes through the tables that have rows of their own: the table
 * itself, or its partitions, or those that inherit from it.  To go by a key, an
 * index has to lead through all rows of each of them in one order that the
 * operators < and > of the types know too: a unique btree index, valid and not
 * partial, on columns that are NOT NULL and that the backfill does not change.
 *
 * IDENTIFICATION
 *	  src/backfill/target.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/varlena.h"

#include "backfill/backfill.h"

/*
 * The last part of a qualified name, as it was: the name under which the user's text
 * knows the table.
 */
char *
pgm_target_alias(const char *name)
{
	return strVal(llast(textToQualifiedNameList(cstring_to_text(name))));
}

static void
report_rules(Relation rel)
{
	if (rel->rd_rules != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot backfill \"%s\"", RelationGetRelationName(rel)),
				 errdetail("The table has rules.")));
}

/*
 * Throw unless a relation is one that can be backfilled.
 */
void
pgm_target_check(Oid relid)
{
	char	   *name = get_rel_name(relid);
	char		kind = get_rel_relkind(relid);
	Relation	rel;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot backfill \"%s\"", name),
				 errdetail("It is not a table or a partitioned table.")));
	if (get_rel_persistence(relid) == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot backfill temporary table \"%s\"", name),
				 errdetail("No other session can see its rows.")));
	if (IsCatalogRelationOid(relid) ||
		get_rel_namespace(relid) == get_namespace_oid("migrate", true))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot backfill \"%s\"", name),
				 errdetail("It belongs to the system.")));

	rel = table_open(relid, AccessShareLock);
	report_rules(rel);
	table_close(rel, AccessShareLock);
}

/*
 * OIDs of the tables with rows of their own that a table stands for, in order.
 */
List *
pgm_target_leaves(Oid relid)
{
	List	   *all = find_all_inheritors(relid, AccessShareLock, NULL);
	List	   *leaves = NIL;
	ListCell   *lc;

	foreach(lc, all)
	{
		Oid			leaf = lfirst_oid(lc);
		char		kind = get_rel_relkind(leaf);

		if (kind == RELKIND_PARTITIONED_TABLE)
			continue;
		if (kind != RELKIND_RELATION)
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("cannot backfill \"%s\"", get_rel_name(relid)),
					 errdetail("Its partition \"%s\" is not a table.", get_rel_name(leaf))));
		leaves = lappend_oid(leaves, leaf);
	}
	return leaves;
}

/*
 * Throw if the leaves cannot be backfilled one by one: if rows would move from
 * one partition to another, which an UPDATE of a single partition cannot do, or
 * if a leaf has rules, which an UPDATE of the whole does not apply.
 */
void
pgm_target_check_leaves(const PgmShape *shape, List *leaves)
{
	ListCell   *lc;
	ListCell   *column;

	foreach(lc, leaves)
	{
		Relation	rel = table_open(lfirst_oid(lc), AccessShareLock);
		Bitmapset  *attrs = NULL;

		report_rules(rel);
		if (rel->rd_rel->relispartition)
			pull_varattnos((Node *) RelationGetPartitionQual(rel), 1, &attrs);
		foreach(column, shape->set_columns)
		{
			char	   *name = (char *) lfirst(column);
			int			attno = get_attnum(RelationGetRelid(rel), name);

			if (bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, attrs))
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot backfill column \"%s\" of table \"%s\"", name, shape->alias),
						 errdetail("It is part of the partition key, so rows would move to other partitions.")));
		}
		table_close(rel, AccessShareLock);
	}
}

static bool
sets_column(const PgmShape *shape, const char *name)
{
	ListCell   *lc;

	foreach(lc, shape->set_columns)
	{
		if (strcmp((char *) lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/*
 * Does an index lead through all rows in the order of its columns?
 */
static bool
index_is_usable(Relation rel, Relation index, const PgmShape *shape)
{
	Form_pg_index form = index->rd_index;

	if (!form->indisvalid || !form->indisunique || !form->indimmediate ||
		index->rd_rel->relam != BTREE_AM_OID ||
		RelationGetIndexPredicate(index) != NIL || RelationGetIndexExpressions(index) != NIL)
		return false;
	for (int i = 0; i < form->indnkeyatts; i++)
	{
		AttrNumber	attno = form->indkey.values[i];
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attno - 1);
		Oid			opclass = GetDefaultOpClass(att->atttypid, BTREE_AM_OID);

		if (attno <= 0 || !att->attnotnull || index->rd_indcollation[i] != att->attcollation ||
			!OidIsValid(opclass) || get_opclass_family(opclass) != index->rd_opfamily[i] ||
			index->rd_indoption[i] != index->rd_indoption[0] ||
			(shape != NULL && sets_column(shape, NameStr(att->attname))))
			return false;
	}
	return true;
}

static List *
index_columns(Relation rel, Relation index)
{
	List	   *columns = NIL;

	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel),
											  index->rd_index->indkey.values[i] - 1);

		columns = lappend(columns, pstrdup(NameStr(att->attname)));
	}
	return columns;
}

static bool
same_columns(List *a, List *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (list_length(a) != list_length(b))
		return false;
	forboth(la, a, lb, b)
	{
		if (strcmp((char *) lfirst(la), (char *) lfirst(lb)) != 0)
			return false;
	}
	return true;
}

/*
 * Columns of each usable index of a table: those of the primary key first, then
 * those with fewer columns.
 */
static List *
find_keys(Oid relid, const PgmShape *shape)
{
	Relation	rel = table_open(relid, AccessShareLock);
	List	   *keys = NIL;
	bool		primary = false;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (index_is_usable(rel, index, shape))
		{
			List	   *columns = index_columns(rel, index);
			int			place = primary ? 1 : 0;

			if (index->rd_index->indisprimary)
			{
				place = 0;
				primary = true;
			}
			else
			{
				while (place < list_length(keys) &&
					   list_length((List *) list_nth(keys, place)) <= list_length(columns))
					place++;
			}
			keys = list_insert_nth(keys, place, columns);
		}
		index_close(index, AccessShareLock);
	}
	table_close(rel, AccessShareLock);
	return keys;
}

/*
 * The same as lists of char *, whatever is done to the table.
 */
List *
pgm_target_keys(Oid relid)
{
	return find_keys(relid, NULL);
}

static bool
has_key(Oid relid, List *columns, const PgmShape *shape)
{
	ListCell   *lc;

	foreach(lc, find_keys(relid, shape))
	{
		if (same_columns((List *) lfirst(lc), columns))
			return true;
	}
	return false;
}

/*
 * Columns of a key by which a backfill of that shape can go through all of these
 * tables, or NIL.
 */
List *
pgm_target_find_key(List *relids, const PgmShape *shape)
{
	ListCell   *lc;
	ListCell   *other;

	foreach(lc, find_keys(linitial_oid(relids), shape))
	{
		bool		common = true;

		foreach(other, relids)
			common = common && has_key(lfirst_oid(other), (List *) lfirst(lc), shape);
		if (common)
			return (List *) lfirst(lc);
	}
	return NIL;
}

/*
 * Columns that identify a row of a table for people, or NIL.
 */
List *
pgm_target_primary_key(Oid relid)
{
	List	   *keys = find_keys(relid, NULL);

	return keys == NIL ? NIL : (List *) linitial(keys);
}

/*
 * Throw unless a backfill can go by the key that consists of these columns.
 */
void
pgm_target_check_key(Oid relid, List *columns, const PgmShape *shape)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		char	   *name = (char *) lfirst(lc);

		if (get_attnum(relid, name) == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of table \"%s\" does not exist",
							name, get_rel_name(relid))));
	}
	if (!has_key(relid, columns, shape))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" has no key on these columns that a backfill can go by",
						get_rel_name(relid)),
				 errdetail("That takes a unique btree index on exactly these columns in this order, valid and not partial, with the default operators and collations, on columns that are NOT NULL and that are not set.")));
}

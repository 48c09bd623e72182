/*-------------------------------------------------------------------------
 *
 * carry.c
 *	  What a column has by itself, for the one that takes its place: privileges,
 *	  options, the target of its statistics, default, identity, sequences,
 *	  comment.
 *
 * How its values are stored and compressed is among it only if the type is the
 * same: it goes with the type, and the server sets it anew when that changes.
 * What somebody has set for the new column is kept: privileges are put together,
 * and of the rest it is the new one's that stays.
 *
 * IDENTIFICATION
 *	  src/swap/carry.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "executor/spi.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/relation.h"
#include "swap/swap.h"

static HeapTuple
fetch_attribute(const PgmSwap *swap, AttrNumber attnum)
{
	HeapTuple	tuple = SearchSysCacheCopy2(ATTNUM, ObjectIdGetDatum(swap->relid),
											Int16GetDatum(attnum));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for attribute %d of relation %u", attnum, swap->relid);
	return tuple;
}

/*
 * Is a column known to be not null?
 */
bool
pgm_swap_is_not_null(const PgmSwap *swap, AttrNumber attnum)
{
	return ((Form_pg_attribute) GETSTRUCT(fetch_attribute(swap, attnum)))->attnotnull;
}

/*
 * Record the roles that have privileges on the new column.
 */
static void
record_roles(const PgmSwap *swap, Datum old, bool old_is_null, Datum new, bool new_is_null)
{
	Oid		   *old_roles = NULL;
	Oid		   *new_roles = NULL;
	int			old_count = old_is_null ? 0 : aclmembers(DatumGetAclP(old), &old_roles);
	int			new_count = new_is_null ? 0 : aclmembers(DatumGetAclP(new), &new_roles);

	updateAclDependencies(RelationRelationId, swap->relid, swap->shadow_attnum,
						  pgm_relation_owner(swap->relid), old_count, old_roles,
						  new_count, new_roles);
}

/*
 * Has a column a default?
 */
bool
pgm_swap_has_default(const PgmSwap *swap, AttrNumber attnum)
{
	return ((Form_pg_attribute) GETSTRUCT(fetch_attribute(swap, attnum)))->atthasdef;
}

static bool
is_identity(const PgmSwap *swap, AttrNumber attnum)
{
	return ((Form_pg_attribute) GETSTRUCT(fetch_attribute(swap, attnum)))->attidentity != '\0';
}

/*
 * Is the old column an identity column, and the new one of a type that cannot be?
 */
bool
pgm_swap_cannot_be_identity(const PgmSwap *swap)
{
	Oid			type = get_atttype(swap->relid, swap->shadow_attnum);

	return is_identity(swap, swap->attnum) && type != INT2OID && type != INT4OID &&
		type != INT8OID;
}

/*
 * The privileges on either column.
 */
static Datum
merge_privileges(const PgmSwap *swap, Datum old, bool old_is_null, Datum new, bool new_is_null)
{
	if (old_is_null)
		return new;
	if (new_is_null)
		return old;
	return PointerGetDatum(aclmerge(DatumGetAclP(new), DatumGetAclP(old),
									pgm_relation_owner(swap->relid)));
}

/*
 * Copy the attribute's row, as far as it is not about the type, for want of
 * commands that do it exactly.
 */
static void
copy_attribute(PgmSwap *swap)
{
	Relation	attributes = table_open(AttributeRelationId, RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(attributes);
	HeapTuple	from = fetch_attribute(swap, swap->attnum);
	HeapTuple	to = fetch_attribute(swap, swap->shadow_attnum);
	Form_pg_attribute old = (Form_pg_attribute) GETSTRUCT(from);
	Form_pg_attribute new = (Form_pg_attribute) GETSTRUCT(to);
	Datum		values[Natts_pg_attribute] = {0};
	bool		nulls[Natts_pg_attribute] = {0};
	bool		replace[Natts_pg_attribute] = {0};
	const int	acl = Anum_pg_attribute_attacl - 1;
	const int	target = Anum_pg_attribute_attstattarget - 1;
	Datum		old_acl;
	Datum		new_acl;
	bool		old_acl_is_null;
	bool		new_acl_is_null;
	HeapTuple	tuple;

	old_acl = heap_getattr(from, Anum_pg_attribute_attacl, desc, &old_acl_is_null);
	new_acl = heap_getattr(to, Anum_pg_attribute_attacl, desc, &new_acl_is_null);
	values[acl] = merge_privileges(swap, old_acl, old_acl_is_null, new_acl, new_acl_is_null);
	nulls[acl] = old_acl_is_null && new_acl_is_null;
	replace[acl] = true;
	values[target] = heap_getattr(to, Anum_pg_attribute_attstattarget, desc, &nulls[target]);
	if (nulls[target] || DatumGetInt32(values[target]) < 0)
	{
		values[target] = heap_getattr(from, Anum_pg_attribute_attstattarget, desc, &nulls[target]);
		replace[target] = true;
	}
	swap->identity = old->attidentity != '\0' &&
		(!swap->by_content || (!pgm_swap_cannot_be_identity(swap) &&
							   pgm_swap_is_not_null(swap, swap->shadow_attnum)));
	if (swap->identity)
	{
		values[Anum_pg_attribute_attidentity - 1] = CharGetDatum(old->attidentity);
		replace[Anum_pg_attribute_attidentity - 1] = true;
	}
	if (swap->by_content && old->atttypid == new->atttypid)
	{
		values[Anum_pg_attribute_attstorage - 1] = CharGetDatum(old->attstorage);
		replace[Anum_pg_attribute_attstorage - 1] = true;
		values[Anum_pg_attribute_attcompression - 1] = CharGetDatum(old->attcompression);
		replace[Anum_pg_attribute_attcompression - 1] = true;
	}
	tuple = heap_modify_tuple(to, desc, values, nulls, replace);
	CatalogTupleUpdate(attributes, &tuple->t_self, tuple);
	record_roles(swap, new_acl, new_acl_is_null, values[acl], nulls[acl]);
	table_close(attributes, RowExclusiveLock);
	CommandCounterIncrement();
}

/* Does a list of options have one? */
static bool
has_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		if (strcmp(lfirst_node(DefElem, lc)->defname, name) == 0)
			return true;
	}
	return false;
}

/* The options of a column, as DefElem *. */
static List *
options_of(const PgmSwap *swap, AttrNumber attnum)
{
	bool		is_null;
	Datum		options = SysCacheGetAttr(ATTNUM, fetch_attribute(swap, attnum),
										  Anum_pg_attribute_attoptions, &is_null);

	return is_null ? NIL : untransformRelOptions(options);
}

/*
 * The options that a user set.  Those that servers keep for themselves there, to
 * tell which rows came before the column, belong to the column that they are of.
 */
static void
copy_options(const PgmSwap *swap)
{
	List	   *there = options_of(swap, swap->shadow_attnum);
	ListCell   *lc;

	foreach(lc, options_of(swap, swap->attnum))
	{
		const DefElem *option = lfirst_node(DefElem, lc);

		if (strncmp(option->defname, "pg_", strlen("pg_")) == 0 ||
			has_option(there, option->defname))
			continue;
		pgm_swap_run("ALTER TABLE ONLY %s ALTER COLUMN %s SET (%s = %s)", swap->table,
					 quote_identifier(swap->shadow), quote_identifier(option->defname),
					 quote_literal_cstr(strVal(option->arg)));
	}
}

/*
 * The text of the column's default, or NULL.
 */
static char *
find_default(const PgmSwap *swap)
{
	char	   *result = NULL;
	const bool	read_only = true;
	const char *sql = psprintf("SELECT pg_catalog.pg_get_expr(adbin, adrelid)"
							   " FROM pg_catalog.pg_attrdef"
							   " WHERE adrelid OPERATOR(pg_catalog.=) %u"
							   " AND adnum OPERATOR(pg_catalog.=) %d",
							   swap->relid, swap->attnum);

	if (SPI_execute(sql, read_only, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the default of column \"%s\"", swap->column);
	if (SPI_processed > 0)
		result = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	return result;
}

/*
 * A sequence goes with the new column: that of an identity column by what the
 * server records about it, others by command.
 */
static void
move_sequence(const PgmSwap *swap, Oid sequence)
{
	ObjectAddress from;
	ObjectAddress to;

	if (deleteDependencyRecordsForClass(RelationRelationId, sequence, RelationRelationId,
										DEPENDENCY_INTERNAL) == 0)
	{
		pgm_swap_run("ALTER SEQUENCE %s OWNED BY %s.%s", pgm_relation_name(sequence), swap->table,
					 quote_identifier(swap->shadow));
		return;
	}
	ObjectAddressSet(from, RelationRelationId, sequence);
	ObjectAddressSubSet(to, RelationRelationId, swap->relid, swap->shadow_attnum);
	recordDependencyOn(&from, &to, DEPENDENCY_INTERNAL);
	CommandCounterIncrement();
	pgm_swap_run("ALTER SEQUENCE %s AS %s", pgm_relation_name(sequence),
				 format_type_be_qualified(get_atttype(swap->relid, swap->shadow_attnum)));
}

/*
 * The server believes the check that proves it, instead of reading the table.
 */
static void
set_not_null(const PgmSwap *swap)
{
	char	   *check = pgm_dependents_not_null(swap->column);

	if (!pgm_swap_is_valid(get_relation_constraint_oid(swap->relid, check, true)))
		pgm_swap_report_missing(swap, "constraint", "NOT NULL", check);
	pgm_swap_run("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", swap->all,
				 quote_identifier(swap->shadow));
	pgm_swap_run("ALTER TABLE %s DROP CONSTRAINT %s", swap->all, quote_identifier(check));
}

/*
 * What has to be done, or noted, before the old column goes.
 */
void
pgm_swap_carry_before(PgmSwap *swap)
{
	ListCell   *lc;

	swap->comment = GetComment(swap->relid, RelationRelationId, swap->attnum);
	if (!swap->by_content)
		swap->default_value = find_default(swap);
	if (!swap->by_content && pgm_swap_is_not_null(swap, swap->attnum) && !pgm_swap_is_not_null(swap, swap->shadow_attnum))
		set_not_null(swap);
	copy_attribute(swap);
	copy_options(swap);
	foreach(lc, swap->found->sequences)
	{
		if (swap->identity || !is_identity(swap, swap->attnum))
			move_sequence(swap, lfirst_oid(lc));
	}
}

/*
 * What waits until the new column has its name.
 */
void
pgm_swap_carry_after(PgmSwap *swap)
{
	char	   *column = get_attname(swap->relid, swap->shadow_attnum, false);

	if (swap->default_value != NULL)
		pgm_swap_run("ALTER TABLE ONLY %s ALTER COLUMN %s SET DEFAULT %s", swap->table,
					 quote_identifier(column), swap->default_value);
	if (swap->comment != NULL &&
		GetComment(swap->relid, RelationRelationId, swap->shadow_attnum) == NULL)
		CreateComments(swap->relid, RelationRelationId, swap->shadow_attnum, swap->comment);
}

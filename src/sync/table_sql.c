/*-------------------------------------------------------------------------
 *
 * table_sql.c
 *	  The statements that carry rows over.
 *
 * They look at the old table as it is, so that they may come late, twice, or in
 * another order than the writes that they are about, as triggers do that fire for
 * writes of other triggers: what the last of them does is right.  Only a row that
 * is known to be the newest version of itself is written as it is.
 *
 * Expressions read columns of one row of the old table, by their bare names: there
 * is nothing else where they stand.
 *
 * IDENTIFICATION
 *	  src/sync/table_sql.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_operator.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "base/relation.h"
#include "store/backfill.h"
#include "sync/table.h"

/* The place of a name in a list, or -1. */
int
pgm_table_index_of(List *names, const char *name)
{
	for (int i = 0; i < list_length(names); i++)
	{
		if (strcmp((char *) list_nth(names, i), name) == 0)
			return i;
	}
	return -1;
}

/* What a column that is carried over is made of. */
char *
pgm_table_expression_of(const PgmTablePair *pair, const char *column)
{
	return (char *) list_nth(pair->expressions, pgm_table_index_of(pair->columns, column));
}

/* The number of a column; throws if it is gone. */
static AttrNumber
find_column(Oid relid, const char *column)
{
	AttrNumber	attno = get_attnum(relid, column);

	if (attno <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist any more", column,
						get_rel_name(relid)),
				 errdetail("It is needed to carry rows over to another table."),
				 errhint("Use migrate.abandon() if they are not to be any more.")));
	return attno;
}

/* The type of a column, as it stands in a statement. */
char *
pgm_table_type(Oid relid, const char *column)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(relid, find_column(relid, column), &type, &typmod, &collation);
	return format_type_extended(type, typmod,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/*
 * The operator that says whether values of two columns, which are of the same type
 * or both integers, are equal; as it stands in a statement.
 */
char *
pgm_table_equals(Oid relid, const char *column, Oid other, const char *other_column)
{
	Oid			type = get_atttype(relid, find_column(relid, column));
	Oid			other_type = get_atttype(other, find_column(other, other_column));
	Oid			operator = lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple	tuple;
	char	   *text;

	if (type != other_type && operator != lookup_type_cache(other_type, TYPECACHE_EQ_OPR)->eq_opr)
		return pstrdup("OPERATOR(pg_catalog.=)");
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "no equality for column \"%s\" of relation %u", column, relid);
	text = psprintf("OPERATOR(%s.%s)",
					quote_identifier(get_namespace_name(((Form_pg_operator) GETSTRUCT(tuple))->oprnamespace)),
					NameStr(((Form_pg_operator) GETSTRUCT(tuple))->oprname));

	ReleaseSysCache(tuple);
	return text;
}

/* The next parameter of a statement, of the type of a column. */
static void
add_parameter(PgmCarryPlan *plan, Oid relid, const char *column)
{
	Size		size = sizeof(Oid) * (plan->nargs + 1);

	plan->types = plan->types == NULL ? palloc(size) : repalloc(plan->types, size);
	plan->types[plan->nargs++] = get_atttype(relid, find_column(relid, column));
}

/* "alias.column = $n" for each of these columns, which become parameters. */
static char *
columns_equal(Oid relid, const char *alias, List *columns, PgmCarryPlan *plan)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, columns)
	{
		char	   *column = (char *) lfirst(lc);

		add_parameter(plan, relid, column);
		appendStringInfo(&buf, "%s%s.%s %s $%d", buf.len > 0 ? " AND " : "", alias,
						 quote_identifier(column),
						 pgm_table_equals(relid, column, relid, column), plan->nargs);
	}
	return buf.data;
}

static char *
name_list(List *names)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, names)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 quote_identifier((char *) lfirst(lc)));
	return buf.data;
}

/* INSERT of what a query gives, up to what is to be done about conflicts. */
static char *
insert_sql(const PgmTablePair *pair, const char *new_name, const char *query)
{
	return psprintf("INSERT INTO %s AS pgm_new (%s) OVERRIDING SYSTEM VALUE %s ON CONFLICT (%s)",
					new_name, name_list(pair->columns), query, name_list(pair->new_key));
}

/* The query that makes rows for the new table of what a FROM clause gives. */
static char *
make_rows_sql(const PgmTablePair *pair, const char *from)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, pair->expressions)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "SELECT ", (char *) lfirst(lc));
	appendStringInfo(&buf, " FROM %s", from);
	return buf.data;
}

/*
 * What a backfill does to the rows that it reads; see pgm_shape_copy().
 */
char *
pgm_table_copy_sql(const PgmTablePair *pair)
{
	return psprintf("%s DO NOTHING", insert_sql(pair, pair->new_relation,
												make_rows_sql(pair, PGM_COPIED_ROWS)));
}

/* Can the column be set by an UPDATE? */
static bool
can_be_set(Oid relid, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, column);
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_attribute) GETSTRUCT(tuple))->attidentity != ATTRIBUTE_IDENTITY_ALWAYS;
	ReleaseSysCache(tuple);
	return result;
}

/* INSERT of what a query gives, or UPDATE of the row that is there. */
static char *
upsert_sql(const PgmTablePair *pair, Oid new_relid, const char *query)
{
	char	   *insert = insert_sql(pair, pgm_relation_name(new_relid), query);
	const char *separator = "";
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%s DO UPDATE SET ", insert);
	foreach(lc, pair->columns)
	{
		const char *column = quote_identifier((char *) lfirst(lc));

		if (!can_be_set(new_relid, (char *) lfirst(lc)))
			continue;
		appendStringInfo(&buf, "%s%s = excluded.%s", separator, column, column);
		separator = ", ";
	}
	return *separator != '\0' ? buf.data : psprintf("%s DO NOTHING", insert);
}

/*
 * Have the row of the new table be what the parameters say.
 */
void
pgm_table_write_sql(const PgmTablePair *pair, Oid new_relid, PgmCarryPlan *plan)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, pair->columns)
	{
		add_parameter(plan, new_relid, (char *) lfirst(lc));
		appendStringInfo(&buf, "%s$%d", buf.len > 0 ? ", " : "VALUES (", plan->nargs);
	}
	appendStringInfoChar(&buf, ')');
	plan->sql = upsert_sql(pair, new_relid, buf.data);
}

/*
 * Have the row of the new table be what the row of the old one with a key is made
 * into, if there is one.
 */
void
pgm_table_put_sql(const PgmTablePair *pair, Oid relid, Oid new_relid, PgmCarryPlan *plan)
{
	char	   *where = columns_equal(relid, PGM_COPIED_ROWS, pair->key, plan);
	char	   *from = psprintf("ONLY %s AS " PGM_COPIED_ROWS " WHERE %s",
								pgm_relation_name(relid), where);

	plan->sql = upsert_sql(pair, new_relid, make_rows_sql(pair, from));
}

/*
 * Delete the row of the new table with a key, unless it is what a row of the old
 * one that is there is made into.
 */
void
pgm_table_drop_sql(const PgmTablePair *pair, Oid relid, Oid new_relid, PgmCarryPlan *plan)
{
	char	   *where = columns_equal(new_relid, "pgm_new", pair->new_key, plan);
	char	   *same_key = columns_equal(relid, PGM_COPIED_ROWS, pair->key, plan);
	StringInfoData buf;
	int			n = 0;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "DELETE FROM %s AS pgm_new WHERE %s AND NOT EXISTS"
					 " (SELECT FROM ONLY %s AS " PGM_COPIED_ROWS " WHERE %s",
					 pgm_relation_name(new_relid), where, pgm_relation_name(relid), same_key);
	foreach(lc, pair->new_key)
	{
		char	   *column = (char *) lfirst(lc);

		appendStringInfo(&buf, " AND CAST((%s) AS %s) %s $%d",
						 pgm_table_expression_of(pair, column), pgm_table_type(new_relid, column),
						 pgm_table_equals(new_relid, column, new_relid, column), ++n);
	}
	appendStringInfoChar(&buf, ')');
	plan->sql = buf.data;
}

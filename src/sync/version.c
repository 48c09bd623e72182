/*-------------------------------------------------------------------------
 *
 * version.c
 *	  Schemas of views that show tables in the shape before or after expansions.
 *
 * An application selects one by its search_path and needs not know which columns
 * there are twice.  In the new shape the old sides of pairs are not shown, and each
 * new side stands where the first of its old columns was, by the name that it is
 * to have in the end.  In the old shape the new sides are not shown.  The views
 * are plain ones, so that the server takes them apart before it plans, writes
 * through them, and checks the rights of whoever uses them on the table itself.
 *
 * A view belongs to a version if it is in its schema and is called like one of the
 * tables when the version was made.  Which side is written through it, the trigger of the table sees as
 * with any other write.
 *
 * IDENTIFICATION
 *	  src/sync/version.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/relation.h"
#include "store/version.h"
#include "sync/sync.h"
#include "sync/version.h"

static bool
contains_name(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp((char *) lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/* Is a column an old side that the new shape does not show? */
static bool
is_hidden_source(const PgmVersion *version, List *pairs, const char *column)
{
	ListCell   *lc;

	if (contains_name(version->show, column))
		return false;
	foreach(lc, pairs)
	{
		if (contains_name(((PgmPair *) lfirst(lc))->source, column))
			return true;
	}
	return false;
}

/* The pair whose new side a column is, or NULL. */
static PgmPair *
pair_of_target(List *pairs, const char *column)
{
	ListCell   *lc;

	foreach(lc, pairs)
	{
		if (strcmp(((PgmPair *) lfirst(lc))->target, column) == 0)
			return (PgmPair *) lfirst(lc);
	}
	return NULL;
}

static void
add_column(List **columns, const char *column, const char *shown)
{
	PgmShownColumn *item = palloc(sizeof(PgmShownColumn));

	item->column = pstrdup(column);
	item->shown = pstrdup(shown);
	*columns = lappend(*columns, item);
}

static void
add_target(List **columns, const PgmPair *pair)
{
	add_column(columns, pair->target, pair->becomes == NULL ? pair->target : pair->becomes);
}

/*
 * A column of the table in the new shape: itself, or those that stand in its place.
 */
static void
add_new_shape(const PgmVersion *version, List *pairs, const char *column, List **columns)
{
	PgmPair    *pair = pair_of_target(pairs, column);
	ListCell   *lc;

	if (pair != NULL)
	{
		if (!is_hidden_source(version, pairs, (char *) linitial(pair->source)))
			add_target(columns, pair);
		return;
	}
	if (!is_hidden_source(version, pairs, column))
		add_column(columns, column, column);
	else
	{
		foreach(lc, pairs)
		{
			pair = (PgmPair *) lfirst(lc);
			if (strcmp((char *) linitial(pair->source), column) == 0)
				add_target(columns, pair);
		}
	}
}

/*
 * The columns that a version shows of a table, as PgmShownColumn *.
 */
static List *
shown_columns(const PgmVersion *version, Relation rel, List *pairs)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *columns = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		const char *column = NameStr(TupleDescAttr(desc, i)->attname);

		if (TupleDescAttr(desc, i)->attisdropped)
			continue;
		if (version->is_new)
			add_new_shape(version, pairs, column, &columns);
		else if (pair_of_target(pairs, column) == NULL)
			add_column(&columns, column, column);
	}
	return columns;
}

static void
execute(const char *command)
{
	const bool	read_only = false;

	if (SPI_execute(command, read_only, 0) != SPI_OK_UTILITY)
		elog(ERROR, "unexpected result of command: %s", command);
}

/*
 * The view of a table, which belongs to whom the table belongs.
 */
static void
create_view(const PgmVersion *version, Oid relid, List *pairs)
{
	Relation	rel = table_open(relid, AccessShareLock);
	List	   *columns = shown_columns(version, rel, pairs);
	char	   *view = quote_qualified_identifier(version->name, RelationGetRelationName(rel));
	Oid			owner = rel->rd_rel->relowner;
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE VIEW %s WITH (security_invoker = true) AS SELECT ", view);
	foreach(lc, columns)
	{
		const PgmShownColumn *item = (PgmShownColumn *) lfirst(lc);

		if (foreach_current_index(lc) > 0)
			appendStringInfoString(&buf, ", ");
		appendStringInfo(&buf, "t.%s", quote_identifier(item->column));
		if (strcmp(item->column, item->shown) != 0)
			appendStringInfo(&buf, " AS %s", quote_identifier(item->shown));
	}
	appendStringInfo(&buf, " FROM %s t", pgm_relation_name(relid));
	execute(buf.data);
	pgm_sync_copy_rights(relid, columns, view, version->name);
	if (owner != GetUserId())
	{
		const char *role = quote_identifier(GetUserNameFromId(owner, false));

		execute(psprintf("GRANT USAGE ON SCHEMA %s TO %s", quote_identifier(version->name), role));
		execute(psprintf("ALTER VIEW %s OWNER TO %s", view, role));
	}
	table_close(rel, NoLock);
}

/*
 * Make a version; the current user has to own the tables.
 */
void
pgm_version_create(const PgmVersion *version)
{
	const bool	keep_settings = false;
	int			guc_level = NewGUCNestLevel();
	Oid			owner = pgm_relation_owner(linitial_oid(version->relids));
	List	   *names = NIL;
	List	   *syncs = NIL;
	ListCell   *lc;

	pgm_guc_pin_search_path();
	SPI_connect();
	execute(psprintf("CREATE SCHEMA %s AUTHORIZATION %s", quote_identifier(version->name),
					 quote_identifier(GetUserNameFromId(owner, false))));
	foreach(lc, version->relids)
	{
		List	   *pairs = pgm_sync_pairs(lfirst_oid(lc), NULL);

		create_view(version, lfirst_oid(lc), pairs);
		names = lappend(names, pgm_relation_name(lfirst_oid(lc)));
		if (pairs != NIL)
			syncs = lappend(syncs, psprintf(INT64_FORMAT, ((PgmPair *) linitial(pairs))->sync));
	}
	pgm_store_insert_version(version->name, version->is_new ? "new" : "old", names, syncs);
	SPI_finish();
	AtEOXact_GUC(keep_settings, guc_level);
}

/*
 * The views of a version, as OIDs.
 */
List *
pgm_version_views(const char *name)
{
	const bool	missing_ok = true;
	Oid			schema = get_namespace_oid(name, missing_ok);
	List	   *result = NIL;
	ListCell   *lc;

	if (!OidIsValid(schema))
		return NIL;
	foreach(lc, pgm_store_version_views(name))
	{
		Oid			view = get_relname_relid((char *) lfirst(lc), schema);

		if (OidIsValid(view) && get_rel_relkind(view) == RELKIND_VIEW)
			result = lappend_oid(result, view);
	}
	return result;
}

/* The views that show a column, as OIDs in the caller's memory. */
static List *
find_views(Oid relid, AttrNumber attnum)
{
	Oid			types[] = {OIDOID, INT4OID};
	Datum		values[2];
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	List	   *result = NIL;
	bool		isnull;
	const bool	read_only = false;

	values[0] = ObjectIdGetDatum(relid);
	values[1] = Int32GetDatum(attnum);
	SPI_connect();
	if (SPI_execute_with_args("SELECT DISTINCT c.oid FROM pg_catalog.pg_depend d"
							  " JOIN pg_catalog.pg_rewrite r ON r.oid OPERATOR(pg_catalog.=) d.objid"
							  " JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) r.ev_class"
							  " WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass"
							  " AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass"
							  " AND d.refobjid OPERATOR(pg_catalog.=) $1"
							  " AND d.refobjsubid OPERATOR(pg_catalog.=) $2"
							  " AND c.relkind OPERATOR(pg_catalog.=) 'v' ORDER BY 1",
							  lengthof(types), types, values, NULL, read_only,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not look for views");
	old = MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < SPI_processed; i++)
		result = lappend_oid(result, DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i],
																	SPI_tuptable->tupdesc, 1,
																	&isnull)));
	MemoryContextSwitchTo(old);
	SPI_finish();
	return result;
}

/*
 * The views of versions that show a column of a table, or of one below it, as OIDs.
 */
List *
pgm_version_views_with(Oid relid, const char *column)
{
	List	   *result = NIL;
	ListCell   *table;
	ListCell   *lc;

	foreach(table, pgm_relation_tree(relid))
	{
		foreach(lc, find_views(lfirst_oid(table), get_attnum(lfirst_oid(table), column)))
		{
			char	   *schema = get_namespace_name(get_rel_namespace(lfirst_oid(lc)));

			if (contains_name(pgm_store_version_views(schema), get_rel_name(lfirst_oid(lc))))
				result = list_append_unique_oid(result, lfirst_oid(lc));
		}
	}
	return result;
}

/* Drop views in one command, since they may need one another. */
static void
drop_views(List *views)
{
	StringInfoData buf;
	ListCell   *lc;

	if (views == NIL)
		return;
	initStringInfo(&buf);
	foreach(lc, views)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "DROP VIEW ",
						 pgm_relation_name(lfirst_oid(lc)));
	SPI_connect();
	execute(buf.data);
	SPI_finish();
}

/*
 * Drop a version that has these views.
 */
void
pgm_version_drop(const char *name, List *views)
{
	drop_views(views);
	if (OidIsValid(get_namespace_oid(name, true)))
	{
		SPI_connect();
		execute(psprintf("DROP SCHEMA %s", quote_identifier(name)));
		SPI_finish();
	}
	pgm_store_delete_version(name);
}

/*
 * Drop views of versions, since a column that they show goes, and versions that
 * have no view any more.
 */
void
pgm_version_drop_views(List *views)
{
	List	   *schemas = NIL;
	ListCell   *lc;

	foreach(lc, views)
	{
		char	   *schema = get_namespace_name(get_rel_namespace(lfirst_oid(lc)));

		ereport(NOTICE,
				(errmsg("view \"%s\" of version \"%s\" is dropped", get_rel_name(lfirst_oid(lc)),
						schema)));
		pgm_store_remove_from_version(schema, get_rel_name(lfirst_oid(lc)));
		if (!contains_name(schemas, schema))
			schemas = lappend(schemas, schema);
	}
	drop_views(views);
	foreach(lc, schemas)
	{
		if (pgm_store_version_views((char *) lfirst(lc)) == NIL)
			pgm_version_drop((char *) lfirst(lc), NIL);
	}
}

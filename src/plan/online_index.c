/*-------------------------------------------------------------------------
 *
 * online_index.c
 *	  Indexes and materialized views, built while the application goes on.
 *
 * The server has a form of each command for that, but none that builds the
 * indexes of a partitioned table; see online_partition.c.
 *
 * IDENTIFICATION
 *	  src/plan/online_index.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/relation.h"
#include "plan/online.h"

/*
 * CREATE INDEX
 */
List *
pgm_online_create_index(const PgmScript *script, const PgmStatement *statement, bool trusted)
{
	const IndexStmt *stmt = (IndexStmt *) statement->raw->stmt;
	Oid			relid = pgm_online_table(stmt->relation);
	PgmPieces  *pieces = pgm_pieces_read(script, statement);
	int			after = pgm_pieces_after_relation(pieces, stmt->relation);
	PgmIndexCreation creation = {.stmt = stmt,.relid = relid,.source = statement->source,.trusted = trusted};
	List	   *params = list_concat_copy(stmt->indexParams, stmt->indexIncludingParams);

	if (!OidIsValid(relid) || after < 0)
		return NIL;
	/* it needs a name, by which what it leaves behind can be found */
	if (stmt->concurrent &&
		(stmt->idxname != NULL || get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE))
		return NIL;
	if (stmt->if_not_exists && stmt->idxname != NULL &&
		OidIsValid(get_relname_relid(stmt->idxname, get_rel_namespace(relid))))
	{
		pgm_online_add(&creation.steps, PGM_HOLD_BRIEF, "there is a relation of that name already",
					   pgm_pieces_text(pieces, 0, pieces->count));
		return creation.steps;
	}
	creation.params = params;
	creation.on = pgm_online_relation(stmt->relation);
	creation.rest = pgm_pieces_text(pieces, after, pieces->count);
	creation.name = stmt->idxname != NULL ? stmt->idxname :
		pgm_online_index_name(&creation.names, relid, params);
	pgm_online_take_name(&creation.names, relid, creation.name);

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		pgm_online_add(&creation.steps, PGM_HOLD_BUILD, PGM_BUILD_WHY,
					   psprintf("CREATE %sINDEX CONCURRENTLY %s%s ON %s %s",
								stmt->unique ? "UNIQUE " : "",
								stmt->if_not_exists ? "IF NOT EXISTS " : "",
								quote_identifier(creation.name), creation.on, creation.rest));
	else if (stmt->relation->inh)
	{
		/* the user's text may name the parent, a partition has another name */
		pgm_pieces_cut_names(pieces, (Node *) params, stmt->relation, 1);
		pgm_pieces_cut_names(pieces, stmt->whereClause, stmt->relation, 1);
		creation.rest = pgm_pieces_text(pieces, after, pieces->count);
		pgm_online_create_partitioned(&creation);
	}
	return creation.steps;
}

/*
 * DROP INDEX: one by one, and not where something depends on it.
 */
List *
pgm_online_drop_index(const PgmStatement *statement)
{
	const DropStmt *stmt = (DropStmt *) statement->raw->stmt;
	const char *if_exists = stmt->missing_ok ? "IF EXISTS " : "";
	List	   *steps = NIL;
	ListCell   *lc;

	if (stmt->removeType != OBJECT_INDEX || stmt->concurrent || stmt->behavior == DROP_CASCADE)
		return NIL;
	foreach(lc, stmt->objects)
	{
		RangeVar   *name = makeRangeVarFromNameList((List *) lfirst(lc));
		Oid			indexid = RangeVarGetRelid(name, NoLock, true);

		if (!OidIsValid(indexid) && stmt->missing_ok)
		{
			pgm_online_add(&steps, PGM_HOLD_BRIEF, "there is no such index",
						   psprintf("DROP INDEX IF EXISTS %s", pgm_online_relation(name)));
			continue;
		}

		/*
		 * A constraint's, or what is none, is refused by the server; one of a
		 * partitioned table goes at once with those of its partitions.
		 */
		if (!OidIsValid(indexid) || get_rel_relkind(indexid) != RELKIND_INDEX ||
			get_rel_relispartition(indexid) || OidIsValid(get_index_constraint(indexid)))
			return NIL;
		pgm_online_add(&steps, PGM_HOLD_WAIT, "waits for who uses the index, with no one behind it",
					   psprintf("DROP INDEX CONCURRENTLY %s%s", if_exists,
								pgm_online_relation(name)));
	}
	return steps;
}

/* What a concurrent REINDEX does with an index. */
typedef enum Rebuild
{
	REBUILD_DONE,
	REBUILD_BY_ITSELF,			/* an invalid one, when it is named */
	REBUILD_STOPPING			/* no concurrent form */
} Rebuild;

static Rebuild
how_rebuilt(Oid indexid)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	Rebuild		result = REBUILD_DONE;

	if (!HeapTupleIsValid(tuple))
		return result;
	if (((Form_pg_index) GETSTRUCT(tuple))->indisexclusion)
		result = REBUILD_STOPPING;
	else if (!((Form_pg_index) GETSTRUCT(tuple))->indisvalid)
		result = REBUILD_BY_ITSELF;
	ReleaseSysCache(tuple);
	return result;
}

/*
 * The indexes of a table, and of its partitions, that a concurrent REINDEX of it
 * leaves out.
 */
static void
rebuild_rest(List **steps, Oid relid)
{
	ListCell   *lc;
	ListCell   *index;

	foreach(lc, get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ?
			find_all_inheritors(relid, AccessShareLock, NULL) : list_make1_oid(relid))
	{
		Relation	rel = table_open(lfirst_oid(lc), AccessShareLock);

		foreach(index, rel->rd_rel->relkind == RELKIND_RELATION ||
				rel->rd_rel->relkind == RELKIND_MATVIEW ? RelationGetIndexList(rel) : NIL)
		{
			char	   *name = pgm_relation_name(lfirst_oid(index));
			Rebuild		how = how_rebuilt(lfirst_oid(index));

			if (how == REBUILD_BY_ITSELF)
				pgm_online_add(steps, PGM_HOLD_BUILD, "is not valid, and is left out otherwise",
							   psprintf("REINDEX INDEX CONCURRENTLY %s", name));
			else if (how == REBUILD_STOPPING)
				pgm_online_add(steps, PGM_HOLD_FOUND, NULL, psprintf("REINDEX INDEX %s", name));
		}
		table_close(rel, NoLock);
	}
}

/*
 * The same of all tables of a schema that the user may reindex one by one, in the
 * order in which they were made.
 */
static void
rebuild_rest_of_schema(List **steps, Oid nsp)
{
	Relation	classes = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *tables = NIL;
	ListCell   *lc;
	const bool	use_index = false;

	ScanKeyInit(&key, Anum_pg_class_relnamespace, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(nsp));
	scan = systable_beginscan(classes, InvalidOid, use_index, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if ((form->relkind == RELKIND_RELATION || form->relkind == RELKIND_MATVIEW) &&
			form->relpersistence != RELPERSISTENCE_TEMP && form->relhasindex)
			tables = lappend_oid(tables, form->oid);
	}
	systable_endscan(scan);
	table_close(classes, AccessShareLock);
	list_sort(tables, list_oid_cmp);
	foreach(lc, tables)
	{
		if (pgm_relation_is_owned(lfirst_oid(lc), GetUserId()))
			rebuild_rest(steps, lfirst_oid(lc));
	}
}

static bool
is_catalog_schema(const char *name)
{
	return IsCatalogNamespace(get_namespace_oid(name, true)) ||
		IsToastNamespace(get_namespace_oid(name, true));
}

static bool
is_partitioned(Oid relid)
{
	return OidIsValid(relid) && (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ||
								 get_rel_relkind(relid) == RELKIND_PARTITIONED_INDEX);
}

/*
 * REINDEX of a partitioned table or index, one by one: the server would lock all
 * partitions first.  "command" is all before the name.
 */
static void
rebuild_partitions(List **steps, Oid relid, const char *command)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION ||
			get_rel_relkind(lfirst_oid(lc)) == RELKIND_INDEX)
			pgm_online_add(steps, PGM_HOLD_BUILD, PGM_BUILD_WHY,
						   psprintf("%s CONCURRENTLY %s", command, pgm_relation_name(lfirst_oid(lc))));
	}
}

/*
 * REINDEX of all but databases, which is too much for one step, and catalogs.
 */
List *
pgm_online_reindex(const PgmScript *script, const PgmStatement *statement)
{
	static const char *const words[] = {
		[REINDEX_OBJECT_INDEX] = "INDEX",
		[REINDEX_OBJECT_TABLE] = "TABLE",
		[REINDEX_OBJECT_SCHEMA] = "SCHEMA"
	};
	const ReindexStmt *stmt = (ReindexStmt *) statement->raw->stmt;
	Oid			relid = stmt->relation == NULL ? InvalidOid :
		RangeVarGetRelid(stmt->relation, NoLock, true);
	PgmPieces  *pieces = pgm_pieces_read(script, statement);
	int			word;
	List	   *steps = NIL;

	word = stmt->kind > REINDEX_OBJECT_SCHEMA ? -1 : pgm_pieces_find(pieces, 1, words[stmt->kind]);
	if (word < 0 || (pgm_classify_option_is_given(stmt->params, "concurrently") &&
					 !(is_partitioned(relid) && pgm_pieces_match(pieces, word + 1, "concurrently"))) ||
		(stmt->relation != NULL && (!OidIsValid(relid) || IsCatalogRelationOid(relid))) ||
		(stmt->kind == REINDEX_OBJECT_SCHEMA && is_catalog_schema(stmt->name)) ||
		(stmt->kind == REINDEX_OBJECT_INDEX && how_rebuilt(relid) == REBUILD_STOPPING))
		return NIL;
	if (is_partitioned(relid))
		rebuild_partitions(&steps, relid, pgm_pieces_text(pieces, 0, word + 1));
	else
		pgm_online_add(&steps, PGM_HOLD_BUILD, PGM_BUILD_WHY,
					   psprintf("%s CONCURRENTLY %s", pgm_pieces_text(pieces, 0, word + 1),
								pgm_pieces_text(pieces, word + 1, pieces->count)));
	if (stmt->kind == REINDEX_OBJECT_TABLE)
		rebuild_rest(&steps, relid);
	else if (stmt->kind == REINDEX_OBJECT_SCHEMA)
		rebuild_rest_of_schema(&steps, get_namespace_oid(stmt->name, true));
	return steps;
}

/*
 * Has a materialized view what it takes to find out what has changed: rows, and a
 * unique index over all of them on columns only?
 */
static bool
can_be_refreshed(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index;
		bool		plain = true;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		for (int i = 0; i < index->indnkeyatts; i++)
			plain = plain && index->indkey.values[i] > 0;
		found = found || (plain && index->indisunique && index->indimmediate && index->indisvalid &&
						  heap_attisnull(tuple, Anum_pg_index_indpred, NULL));
		ReleaseSysCache(tuple);
	}
	found = found && RelationIsPopulated(rel);
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * REFRESH MATERIALIZED VIEW
 */
List *
pgm_online_refresh(const PgmStatement *statement)
{
	const RefreshMatViewStmt *stmt = (RefreshMatViewStmt *) statement->raw->stmt;
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	List	   *steps = NIL;

	if (stmt->concurrent || stmt->skipData || !OidIsValid(relid) ||
		get_rel_relkind(relid) != RELKIND_MATVIEW || !can_be_refreshed(relid))
		return NIL;
	pgm_online_add(&steps, PGM_HOLD_SCAN, "changes only the rows that differ, beside readers",
				   psprintf("REFRESH MATERIALIZED VIEW CONCURRENTLY %s",
							pgm_online_relation(stmt->relation)));
	return steps;
}

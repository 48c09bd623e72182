/*-------------------------------------------------------------------------
 *
 * online_index.c
 *	  Indexes and materialized views, built while the application goes on.
 *
 * The server has a form of each command for that, but none that builds the
 * indexes of a partitioned table.  There the parent gets an index without
 * content, each leaf has its own built, and these are attached one by one; with
 * the last of them the parent's becomes valid.
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
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/relation.h"
#include "plan/online.h"

#define ATTACH_WHY		"each partition has its index built by itself"

/* CREATE INDEX, with what the user wrote after the table. */
typedef struct Creation
{
	const IndexStmt *stmt;
	const char *rest;
	List	   *params;			/* columns, included ones too */
	List	   *steps;
} Creation;

static char *
create_sql(const Creation *creation, const char *how, const char *name, const char *on,
		   const char *relation)
{
	return psprintf("CREATE %sINDEX %s%s%s ON %s%s %s",
					creation->stmt->unique ? "UNIQUE " : "", how,
					creation->stmt->if_not_exists ? "IF NOT EXISTS " : "",
					quote_identifier(name), on, relation, creation->rest);
}

/*
 * The indexes of a partitioned table's partitions, and of theirs.
 */
static void
create_on_partitions(Creation *creation, Oid parent, const char *parent_index)
{
	List	   *children = find_inheritance_children(parent, NoLock);
	ListCell   *lc;

	foreach(lc, children)
	{
		Oid			child = lfirst_oid(lc);
		char	   *name = pgm_online_index_name(child, creation->params);
		char	   *nsp = get_namespace_name(get_rel_namespace(child));

		if (get_rel_relkind(child) == RELKIND_PARTITIONED_TABLE)
		{
			pgm_online_add(&creation->steps, PGM_HOLD_BRIEF, ATTACH_WHY,
						   create_sql(creation, "", name, "ONLY ", pgm_relation_name(child)));
			create_on_partitions(creation, child, quote_qualified_identifier(nsp, name));
		}
		else if (get_rel_relkind(child) == RELKIND_RELATION)
			pgm_online_add(&creation->steps, PGM_HOLD_BUILD, PGM_BUILD_WHY,
						   create_sql(creation, "CONCURRENTLY ", name, "", pgm_relation_name(child)));
		else
			continue;
		pgm_online_add(&creation->steps, PGM_HOLD_BRIEF, ATTACH_WHY,
					   psprintf("ALTER INDEX %s ATTACH PARTITION %s", parent_index,
								quote_qualified_identifier(nsp, name)));
	}
}

/*
 * CREATE INDEX
 */
List *
pgm_online_create_index(const PgmScript *script, const PgmStatement *statement)
{
	const IndexStmt *stmt = (IndexStmt *) statement->raw->stmt;
	Oid			relid = pgm_online_table(stmt->relation);
	PgmPieces  *pieces = pgm_pieces_read(script, statement);
	int			after = pgm_pieces_after_relation(pieces, stmt->relation);
	Creation	creation = {stmt};
	const char *name;

	if (stmt->concurrent || !OidIsValid(relid) || after < 0)
		return NIL;
	creation.params = list_concat(list_copy(stmt->indexParams), stmt->indexIncludingParams);
	creation.rest = pgm_pieces_text(pieces, after, pieces->count);
	name = stmt->idxname != NULL ? stmt->idxname :
		pgm_online_index_name(relid, creation.params);

	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE && stmt->relation->inh)
	{
		pgm_online_add(&creation.steps, PGM_HOLD_BRIEF, ATTACH_WHY,
					   create_sql(&creation, "", name, "ONLY ",
								  pgm_online_relation(stmt->relation)));
		create_on_partitions(&creation, relid,
							 quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
														name));
	}
	else if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		pgm_online_add(&creation.steps, PGM_HOLD_BUILD, PGM_BUILD_WHY,
					   create_sql(&creation, "CONCURRENTLY ", name, "",
								  pgm_online_relation(stmt->relation)));
	return creation.steps;
}

/*
 * DROP INDEX: one by one, and not where something depends on it.
 */
List *
pgm_online_drop_index(const PgmStatement *statement)
{
	const DropStmt *stmt = (DropStmt *) statement->raw->stmt;
	List	   *steps = NIL;
	ListCell   *lc;

	if (stmt->removeType != OBJECT_INDEX || stmt->concurrent || stmt->behavior == DROP_CASCADE)
		return NIL;
	foreach(lc, stmt->objects)
	{
		RangeVar   *name = makeRangeVarFromNameList((List *) lfirst(lc));
		Oid			indexid = RangeVarGetRelid(name, NoLock, true);

		/* a constraint's, or what is none, is refused by the server */
		if (!OidIsValid(indexid) || get_rel_relkind(indexid) != RELKIND_INDEX ||
			get_rel_relispartition(indexid) || OidIsValid(get_index_constraint(indexid)))
			return NIL;
		pgm_online_add(&steps, PGM_HOLD_WAIT, "waits for who uses the index, with no one behind it",
					   psprintf("DROP INDEX CONCURRENTLY %s%s", stmt->missing_ok ? "IF EXISTS " : "",
								pgm_online_relation(name)));
	}
	return steps;
}

/*
 * REINDEX of all but databases, which is too much for one step.
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
	PgmPieces  *pieces = pgm_pieces_read(script, statement);
	int			word;
	List	   *steps = NIL;

	if (stmt->kind > REINDEX_OBJECT_SCHEMA ||
		pgm_classify_option_is_given(stmt->params, "concurrently"))
		return NIL;
	word = pgm_pieces_find(pieces, 1, words[stmt->kind]);
	if (word < 0)
		return NIL;
	pgm_online_add(&steps, PGM_HOLD_BUILD, PGM_BUILD_WHY,
				   psprintf("%s CONCURRENTLY %s", pgm_pieces_text(pieces, 0, word + 1),
							pgm_pieces_text(pieces, word + 1, pieces->count)));
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

/*-------------------------------------------------------------------------
 *
 * online_partition.c
 *	  The indexes of a partitioned table, built while the application goes on.
 *
 * The parent gets an index without content, each leaf has its own built, and
 * these are attached one by one; with the last of them the parent's becomes valid.
 * A partition that has such an index already gives that one, as the server would
 * have it.
 *
 * With a foreign table among the partitions the parent's index would never become
 * valid in this way, since there is nothing to attach.  There the leaves come first,
 * and the statement itself last, which finds all indexes and builds none.
 *
 * IDENTIFICATION
 *	  src/plan/online_partition.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/attmap.h"
#include "access/genam.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_utilcmd.h"
#include "partitioning/partdesc.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "base/compat.h"
#include "base/relation.h"
#include "base/subxact.h"
#include "plan/online.h"

/* What the server compares indexes by. */
typedef struct Definition
{
	IndexInfo  *info;
	Oid			collations[INDEX_MAX_KEYS];
	Oid			families[INDEX_MAX_KEYS];
} Definition;

/* A question for the index of a partition that is like the parent's to be. */
typedef struct Question
{
	const PgmIndexCreation *creation;
	Oid			partition;
	Oid			found;			/* the answer */
} Question;

/*
 * One column of the index, which is analysed: its attribute number, or 0 and an
 * expression, its collation and the family of its operators.
 */
static void
define_column(Definition *definition, Oid relid, const IndexElem *elem, int i, bool is_key,
			  Oid method)
{
	IndexInfo  *info = definition->info;
	Node	   *expr = elem->expr;
	Oid			type;

	while (expr != NULL && IsA(expr, CollateExpr))
		expr = (Node *) ((CollateExpr *) expr)->arg;
	if (elem->name != NULL)
		info->ii_IndexAttrNumbers[i] = get_attnum(relid, elem->name);
	else if (IsA(expr, Var) && ((Var *) expr)->varattno != InvalidAttrNumber)
		info->ii_IndexAttrNumbers[i] = ((Var *) expr)->varattno;
	else
		info->ii_Expressions = lappend(info->ii_Expressions, expr);
	if (!is_key)
		return;

	if (elem->name != NULL)
	{
		int32		typmod;

		get_atttypetypmodcoll(relid, info->ii_IndexAttrNumbers[i], &type, &typmod,
							  &definition->collations[i]);
	}
	else
	{
		type = exprType(elem->expr);
		definition->collations[i] = exprCollation(elem->expr);
	}
	if (elem->collation != NIL)
		definition->collations[i] = get_collation_oid(elem->collation, false);
	definition->families[i] = get_opclass_family(ResolveOpClass(elem->opclass, type,
																get_am_name(method), method));
}

/*
 * The definition of the index to be.
 */
static void
define_index(Definition *definition, const PgmIndexCreation *creation)
{
	IndexStmt  *stmt = transformIndexStmt(creation->relid, copyObject(unconstify(IndexStmt *, creation->stmt)),
										  creation->source);
	List	   *params = list_concat_copy(stmt->indexParams, stmt->indexIncludingParams);
	const bool	missing_ok = false;
	Oid			method = get_index_am_oid(stmt->accessMethod, missing_ok);
	IndexInfo  *info = makeNode(IndexInfo);
	ListCell   *lc;

	memset(definition, 0, sizeof(Definition));
	definition->info = info;
	info->ii_Am = method;
	info->ii_Unique = stmt->unique;
	info->ii_NullsNotDistinct = stmt->nulls_not_distinct;
	info->ii_NumIndexAttrs = list_length(params);
	info->ii_NumIndexKeyAttrs = list_length(stmt->indexParams);
	info->ii_Predicate = make_ands_implicit((Expr *) stmt->whereClause);
	if (info->ii_NumIndexAttrs > INDEX_MAX_KEYS)
		return;
	foreach(lc, params)
		define_column(definition, creation->relid, lfirst_node(IndexElem, lc),
					  foreach_current_index(lc),
					  foreach_current_index(lc) < info->ii_NumIndexKeyAttrs, method);
}

static void
find_equal(void *arg)
{
	Question   *question = (Question *) arg;
	Relation	parent = table_open(question->creation->relid, AccessShareLock);
	Relation	child = table_open(question->partition, AccessShareLock);
	PgmOwnerRights rights;
	Definition	definition;
	AttrMap    *map;
	ListCell   *lc;

	pgm_probe_enter_owner(&rights, child->rd_rel->relowner);
	define_index(&definition, question->creation);
	map = pgm_build_attrmap(RelationGetDescr(child), RelationGetDescr(parent));
	foreach(lc, RelationGetIndexList(child))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (!OidIsValid(question->found) && index->rd_index->indisvalid &&
			!has_superclass(lfirst_oid(lc)) &&
			CompareIndexInfo(BuildIndexInfo(index), definition.info, index->rd_indcollation,
							 definition.collations, index->rd_opfamily, definition.families, map))
			question->found = lfirst_oid(lc);
		index_close(index, NoLock);
	}
	pgm_probe_leave_owner(&rights);
	table_close(child, NoLock);
	table_close(parent, NoLock);
}

/*
 * The index of a partition that the server would take instead of a new one; none
 * if it cannot be asked.
 */
static Oid
equal_index(const PgmIndexCreation *creation, Oid partition)
{
	Question	question = {creation, partition, InvalidOid};
	const bool	keep = false;
	ErrorData  *error;

	if (!creation->trusted || !pgm_relation_is_owned(partition, GetUserId()) ||
		list_length(creation->params) > INDEX_MAX_KEYS)
		return InvalidOid;
	error = pgm_subxact_run(find_equal, &question, keep);
	if (error != NULL && pgm_subxact_must_stop(error))
		ReThrowError(error);
	return question.found;
}

static char *
create_sql(const PgmIndexCreation *creation, const char *how, const char *name, const char *on,
		   const char *relation)
{
	return psprintf("CREATE %sINDEX %s%s ON %s%s %s", creation->stmt->unique ? "UNIQUE " : "",
					how, quote_identifier(name), on, relation, creation->rest);
}

/*
 * The partitions of a table, in the server's order.
 */
static List *
partitions_of(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	const bool	omit_detached = true;
	PartitionDesc desc = RelationGetPartitionDesc(rel, omit_detached);
	List	   *partitions = NIL;

	for (int i = 0; i < desc->nparts; i++)
		partitions = lappend_oid(partitions, desc->oids[i]);
	table_close(rel, AccessShareLock);
	return partitions;
}

/* Is any partition of a table, or of its partitions, a foreign table? */
static bool
has_foreign_partition(Oid relid)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			return true;
	}
	return false;
}

/*
 * The indexes of a partitioned table's partitions, and of theirs; attached to an
 * index of the parent, unless that is NULL.
 */
static void
create_on_partitions(PgmIndexCreation *creation, Oid parent, const char *parent_index)
{
	ListCell   *lc;

	foreach(lc, partitions_of(parent))
	{
		Oid			child = lfirst_oid(lc);
		bool		partitioned = get_rel_relkind(child) == RELKIND_PARTITIONED_TABLE;
		Oid			there = equal_index(creation, child);
		char	   *name;
		char	   *qualified;

		if (!partitioned && get_rel_relkind(child) != RELKIND_RELATION)
			continue;
		if (parent_index == NULL && partitioned && !OidIsValid(there))
		{
			create_on_partitions(creation, child, NULL);
			continue;
		}
		name = OidIsValid(there) ? get_rel_name(there) :
			pgm_online_index_name(&creation->names, child, creation->params);
		qualified = quote_qualified_identifier(get_namespace_name(get_rel_namespace(child)), name);
		if (!OidIsValid(there) && partitioned)
		{
			pgm_online_add(&creation->steps, PGM_HOLD_BRIEF, PGM_ATTACH_WHY,
						   create_sql(creation, "", name, "ONLY ", pgm_relation_name(child)));
			create_on_partitions(creation, child, qualified);
		}
		else if (!OidIsValid(there))
			pgm_online_add(&creation->steps, PGM_HOLD_BUILD, PGM_BUILD_WHY,
						   create_sql(creation, "CONCURRENTLY ", name, "", pgm_relation_name(child)));
		if (parent_index == NULL)
			continue;
		pgm_online_add(&creation->steps, PGM_HOLD_BRIEF,
					   OidIsValid(there) ? "the partition has such an index" : PGM_ATTACH_WHY,
					   psprintf("ALTER INDEX %s ATTACH PARTITION %s", parent_index, qualified));

		/*
		 * What is attached goes with the parent's only.  What was there
		 * before would go too, so there is no way back from that.
		 */
		if (!OidIsValid(there))
			((PgmPlanStep *) llast(creation->steps))->undo =
				psprintf("DROP INDEX IF EXISTS %s", parent_index);
	}
}

/*
 * CREATE INDEX on a partitioned table with all its partitions
 */
void
pgm_online_create_partitioned(PgmIndexCreation *creation)
{
	char	   *nsp = get_namespace_name(get_rel_namespace(creation->relid));
	bool		foreign = has_foreign_partition(creation->relid);

	if (!foreign)
		pgm_online_add(&creation->steps, PGM_HOLD_BRIEF, PGM_ATTACH_WHY,
					   create_sql(creation, "", creation->name, "ONLY ", creation->on));
	create_on_partitions(creation, creation->relid,
						 foreign ? NULL : quote_qualified_identifier(nsp, creation->name));
	if (foreign)
		pgm_online_add(&creation->steps, PGM_HOLD_BRIEF, "finds the indexes of all partitions",
					   create_sql(creation, "", creation->name, "", creation->on));
}

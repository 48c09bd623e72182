/*-------------------------------------------------------------------------
 *
 * queue.c
 *	  The migrations that a call will run, in order, and whether it may.
 *
 * All that can be refused is refused here, for all migrations of the call,
 * before the first one runs.
 *
 * IDENTIFICATION
 *	  src/plan/queue.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/guc.h"
#include "base/rights.h"
#include "plan/plan.h"
#include "store/online.h"

/*
 * All migrations, ranked.
 */
PgmGraph *
pgm_queue_graph(void)
{
	int			count;
	PgmMigration **rows = pgm_store_fetch_overview(&count);

	return pgm_graph_build(rows, count);
}

/*
 * The same for who is going to run something of theirs.
 */
PgmGraph *
pgm_queue_graph_for_run(void)
{
	pgm_store_check_snapshot();
	return pgm_queue_graph();
}

/*
 * The migration of that name; throws if there is none.
 */
PgmNode *
pgm_queue_find(const PgmGraph *graph, const char *name)
{
	PgmNode    *node = pgm_graph_find(graph, name);

	if (node == NULL)
		pgm_store_report_unknown(name);
	return node;
}

static void
report_out_of_order(const char *name, const char *other)
{
	if (pgm_out_of_order == PGM_OUT_OF_ORDER_ALLOW)
		return;
	ereport(pgm_out_of_order == PGM_OUT_OF_ORDER_WARN ? WARNING : ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("migration \"%s\" is out of order", name),
			 errdetail("Migration \"%s\", which comes after it, is already applied.", other),
			 errhint("Register it under a later name, or set pgmigrate.out_of_order to \"warn\" or \"allow\".")));
}

/*
 * Say why a migration has no place in the order.  Always throws.
 */
void
pgm_queue_refuse_cycle(const PgmGraph *graph, const PgmNode *node)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("requirements of migration \"%s\" form a cycle", node->migration->name),
			 errdetail_internal("%s.", pgm_graph_cycle(graph, node)),
			 errhint("Take one of these names out of \"-- migrate:requires\".")));
}

/*
 * Throw if a migration cannot be applied now.
 */
static void
check_apply(const PgmGraph *graph, const PgmNode *node)
{
	const char *name = node->migration->name;
	const char *other;

	pgm_rights_check_author(name, &node->migration->author);

	switch (pgm_graph_problem(graph, node, &other))
	{
		case PGM_PROBLEM_NONE:
			break;
		case PGM_PROBLEM_MISSING:
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("migration \"%s\" requires \"%s\", which is not registered", name, other),
					 errhint("Register it, or correct the name in \"-- migrate:requires\".")));
			break;
		case PGM_PROBLEM_CYCLE:
			pgm_queue_refuse_cycle(graph, node);
			break;
		case PGM_PROBLEM_CONFLICT:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("migration \"%s\" conflicts with \"%s\"", name, other),
					 errhint("Roll the other one back, or unregister one of them.")));
			break;
		case PGM_PROBLEM_OUT_OF_ORDER:
			report_out_of_order(name, other);
			break;
	}
}

/*
 * Check nodes that are given in order, each as if those before were applied.
 */
static List *
check_all(PgmGraph *graph, List *nodes)
{
	ListCell   *lc;

	foreach(lc, nodes)
	{
		PgmNode    *node = (PgmNode *) lfirst(lc);

		check_apply(graph, node);
		node->applied = true;
	}
	return nodes;
}

static int
compare_ranks(const ListCell *a, const ListCell *b)
{
	return ((PgmNode *) lfirst(a))->rank - ((PgmNode *) lfirst(b))->rank;
}

/*
 * A migration after all that it requires and that is not applied, in order.
 * Requirements rank lower, so one walk down the ranks finds them all.
 */
List *
pgm_queue_one(PgmGraph *graph, PgmNode *node)
{
	List	   *nodes = NIL;

	if (node->rank < 0)
		return check_all(graph, list_make1(node));

	node->wanted = true;
	for (int rank = node->rank; rank >= 0; rank--)
	{
		PgmNode    *candidate = graph->ranked[rank];
		ListCell   *lc;

		if (!candidate->wanted || candidate->applied)
			continue;
		nodes = lcons(candidate, nodes);
		foreach(lc, candidate->migration->requires)
		{
			PgmNode    *required = pgm_graph_find(graph, (char *) lfirst(lc));

			if (required != NULL)
				required->wanted = true;
		}
	}
	return check_all(graph, nodes);
}

/*
 * Everything that is not applied, in order, up to and with "last" if that is
 * not NULL.  Those on a cycle have no place in the order and are refused, unless
 * "last" leaves them out.
 */
List *
pgm_queue_all(PgmGraph *graph, PgmNode *last)
{
	List	   *nodes = NIL;

	if (last != NULL && last->rank < 0)
		pgm_queue_refuse_cycle(graph, last);
	for (int i = 0; i < graph->count; i++)
	{
		PgmNode    *node = &graph->nodes[i];

		if (!node->applied &&
			(last == NULL || (node->rank >= 0 && node->rank <= last->rank)))
			nodes = lappend(nodes, node);
	}
	list_sort(nodes, compare_ranks);
	return check_all(graph, nodes);
}

/*
 * Throw unless the applied nodes given may be undone, one after the other.
 */
void
pgm_queue_check_undo(List *nodes)
{
	ListCell   *lc;

	foreach(lc, nodes)
	{
		PgmNode    *node = (PgmNode *) lfirst(lc);
		ListCell   *ld;

		pgm_rights_check_author(node->migration->name, &node->migration->author);
		foreach(ld, node->dependents)
		{
			PgmNode    *dependent = (PgmNode *) lfirst(ld);

			if (pgm_store_find_open_run(dependent->migration->name) != 0)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_IN_USE),
						 errmsg("cannot roll back migration \"%s\" because \"%s\" requires it",
								node->migration->name, dependent->migration->name),
						 errdetail("Migration \"%s\" has a run that has not ended.",
								   dependent->migration->name),
						 errhint("End it with migrate.cancel() or migrate.rollback() first.")));
			if (dependent->applied)
				ereport(ERROR,
						(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
						 errmsg("cannot roll back migration \"%s\" because \"%s\" requires it",
								node->migration->name, dependent->migration->name),
						 errhint("Roll back \"%s\" first, or use migrate.rollback_to().",
								 dependent->migration->name)));
		}
		node->applied = false;
	}
}

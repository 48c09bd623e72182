/*-------------------------------------------------------------------------
 *
 * order.c
 *	  The order of migrations, and what stands in a migration's way.
 *
 * Requirements come first, then kinds (versioned, repeatable, seeds), then
 * names with digits compared as numbers; what is required goes with the kind of
 * who requires it.  The order is that of a topological
 * sort which always takes the smallest of those that are ready, so it depends
 * on nothing but the set of migrations.
 *
 * Pure: all that is decided here follows from the rows given.
 *
 * IDENTIFICATION
 *	  src/plan/order.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/binaryheap.h"
#include "lib/stringinfo.h"

#include "plan/plan.h"

/*
 * Smaller comes first among those that are ready.
 */
static int
compare_nodes(const PgmNode *a, const PgmNode *b)
{
	if (a->order_kind != b->order_kind)
		return a->order_kind < b->order_kind ? -1 : 1;
	return pgm_name_compare(a->migration->name, b->migration->name);
}

/* A binaryheap gives the greatest first. */
static int
heap_compare(Datum a, Datum b, void *arg)
{
	return compare_nodes((PgmNode *) DatumGetPointer(b), (PgmNode *) DatumGetPointer(a));
}

static int
find_compare(const void *name, const void *node)
{
	return strcmp((const char *) name, ((const PgmNode *) node)->migration->name);
}

/*
 * The migration of that name, or NULL.
 */
PgmNode *
pgm_graph_find(const PgmGraph *graph, const char *name)
{
	return bsearch(name, graph->nodes, graph->count, sizeof(PgmNode), find_compare);
}

/*
 * Enter the edges; returns for each node how many registered ones it requires.
 */
static int *
connect_nodes(PgmGraph *graph)
{
	int		   *missing = palloc0(sizeof(int) * Max(graph->count, 1));

	for (int i = 0; i < graph->count; i++)
	{
		PgmNode    *node = &graph->nodes[i];
		ListCell   *lc;

		foreach(lc, node->migration->requires)
		{
			PgmNode    *required = pgm_graph_find(graph, (char *) lfirst(lc));

			if (required == NULL)
				continue;
			required->dependents = lappend(required->dependents, node);
			missing[i]++;
		}
		foreach(lc, node->migration->conflicts)
		{
			PgmNode    *rival = pgm_graph_find(graph, (char *) lfirst(lc));

			if (rival == NULL)
				continue;
			rival->rivals = lappend(rival->rivals, node);
			node->rivals = lappend(node->rivals, rival);
		}
	}
	return missing;
}

/*
 * What is required by a migration of an earlier kind comes as early as that.
 * If it came with its own kind, it would hold back its dependent until after
 * all other versioned migrations, for ever.
 */
static void
spread_kinds(PgmGraph *graph)
{
	List	   *changed = NIL;

	for (int i = 0; i < graph->count; i++)
		changed = lappend(changed, &graph->nodes[i]);
	while (changed != NIL)
	{
		PgmNode    *node = (PgmNode *) llast(changed);
		ListCell   *lc;

		changed = list_delete_last(changed);
		foreach(lc, node->migration->requires)
		{
			PgmNode    *required = pgm_graph_find(graph, (char *) lfirst(lc));

			if (required == NULL || required->order_kind <= node->order_kind)
				continue;
			required->order_kind = node->order_kind;
			changed = lappend(changed, required);
		}
	}
}

static void
rank_nodes(PgmGraph *graph, int *missing)
{
	binaryheap *ready = binaryheap_allocate(Max(graph->count, 1), heap_compare, NULL);

	for (int i = 0; i < graph->count; i++)
	{
		if (missing[i] == 0)
			binaryheap_add_unordered(ready, PointerGetDatum(&graph->nodes[i]));
	}
	binaryheap_build(ready);

	while (!binaryheap_empty(ready))
	{
		PgmNode    *node = (PgmNode *) DatumGetPointer(binaryheap_remove_first(ready));
		ListCell   *lc;

		node->rank = graph->ranked_count;
		graph->ranked[graph->ranked_count++] = node;
		if (node->applied && node->migration->kind == PGM_KIND_VERSIONED)
			graph->last_applied = node;
		foreach(lc, node->dependents)
		{
			PgmNode    *dependent = (PgmNode *) lfirst(lc);

			if (--missing[dependent - graph->nodes] == 0)
				binaryheap_add(ready, PointerGetDatum(dependent));
		}
	}
	binaryheap_free(ready);
}

/*
 * Rank migrations given in byte order of their names, which must be unique.
 */
PgmGraph *
pgm_graph_build(PgmMigration **rows, int count)
{
	PgmGraph   *graph = palloc0(sizeof(PgmGraph));

	graph->count = count;
	graph->nodes = palloc0(sizeof(PgmNode) * Max(count, 1));
	graph->ranked = palloc0(sizeof(PgmNode *) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		graph->nodes[i].migration = rows[i];
		graph->nodes[i].order_kind = rows[i]->kind;
		graph->nodes[i].rank = -1;
		graph->nodes[i].applied = rows[i]->state == PGM_STATE_APPLIED;
	}
	spread_kinds(graph);
	rank_nodes(graph, connect_nodes(graph));
	return graph;
}

/*
 * What keeps a migration that is not applied from being applied, its pending
 * requirements aside.  *other is set to the name of what is in the way.
 */
PgmProblem
pgm_graph_problem(const PgmGraph *graph, const PgmNode *node, const char **other)
{
	ListCell   *lc;

	*other = NULL;
	foreach(lc, node->migration->requires)
	{
		*other = (char *) lfirst(lc);
		if (pgm_graph_find(graph, *other) == NULL)
			return PGM_PROBLEM_MISSING;
	}
	if (node->rank < 0)
		return PGM_PROBLEM_CYCLE;
	foreach(lc, node->rivals)
	{
		PgmNode    *rival = (PgmNode *) lfirst(lc);

		*other = rival->migration->name;
		if (rival->applied)
			return PGM_PROBLEM_CONFLICT;
	}
	if (node->migration->kind == PGM_KIND_VERSIONED &&
		graph->last_applied != NULL && node->rank < graph->last_applied->rank)
	{
		*other = graph->last_applied->migration->name;
		return PGM_PROBLEM_OUT_OF_ORDER;
	}
	return PGM_PROBLEM_NONE;
}

/*
 * A cycle of requirements that keeps a node from having a rank, in words.  Every
 * node without a rank requires another one, so following them finds it.
 */
char *
pgm_graph_cycle(const PgmGraph *graph, const PgmNode *node)
{
	StringInfoData buf;
	List	   *path = NIL;
	ListCell   *lc;

	while (!list_member_ptr(path, node))
	{
		path = lappend(path, unconstify(PgmNode *, node));
		foreach(lc, node->migration->requires)
		{
			PgmNode    *required = pgm_graph_find(graph, (char *) lfirst(lc));

			if (required != NULL && required->rank < 0)
			{
				node = required;
				break;
			}
		}
	}
	while (linitial(path) != node)
		path = list_delete_first(path);

	initStringInfo(&buf);
	foreach(lc, path)
		appendStringInfo(&buf, "\"%s\" requires ", ((PgmNode *) lfirst(lc))->migration->name);
	appendStringInfo(&buf, "\"%s\"", node->migration->name);
	return buf.data;
}

/*
 * Names of the requirements that are not applied yet.
 */
List *
pgm_graph_waits_for(const PgmGraph *graph, const PgmNode *node)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, node->migration->requires)
	{
		PgmNode    *required = pgm_graph_find(graph, (char *) lfirst(lc));

		if (required == NULL || !required->applied)
			names = lappend(names, lfirst(lc));
	}
	return names;
}

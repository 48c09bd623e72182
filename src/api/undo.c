/*-------------------------------------------------------------------------
 *
 * undo.c
 *	  migrate.rollback() and migrate.rollback_to()
 *
 * IDENTIFICATION
 *	  src/api/undo.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"

#include "api/api.h"
#include "api/run.h"
#include "atomic/atomic.h"
#include "base/args.h"
#include "base/extension.h"
#include "plan/plan.h"

PG_FUNCTION_INFO_V1(pgmigrate_rollback);
PG_FUNCTION_INFO_V1(pgmigrate_rollback_to);

/*
 * Throw unless the migration has a down part that can run in a transaction.
 */
static void
check_down(const char *name)
{
	const bool	for_update = false;
	PgmMigration *migration = pgm_api_fetch(name, for_update);
	PgmScript  *script = pgm_api_read(migration);

	if (!script->parts[PGM_PART_DOWN].present)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" has no down part", name),
				 errhint("Undo it by a new migration, or by hand, and record that with migrate.resolve().")));
	pgm_classify_check_part(script, PGM_PART_DOWN);
}

/*
 * Undo applied migrations in the order given.
 */
static void
undo(List *nodes, int64 waited_ms)
{
	List	   *jobs = NIL;
	ListCell   *lc;

	pgm_queue_check_undo(nodes);
	foreach(lc, nodes)
	{
		PgmJob	   *job = palloc0(sizeof(PgmJob));

		job->action = PGM_ACTION_ROLLBACK;
		job->migration = ((PgmNode *) lfirst(lc))->migration->name;
		check_down(job->migration);
		jobs = lappend(jobs, job);
	}
	pgm_atomic_run(jobs, waited_ms);
}

static PgmNode *
find_applied(const PgmGraph *graph, const char *name)
{
	PgmNode    *node = pgm_queue_find(graph, name);

	if (!node->applied)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" is not applied", name)));
	return node;
}

/*
 * migrate.rollback(name text)
 */
Datum
pgmigrate_rollback(PG_FUNCTION_ARGS)
{
	char	   *name;
	int64		waited_ms;
	PgmGraph   *graph;
	PgmOnlineRun *run;

	pgm_args_check_count(fcinfo, 1);
	PreventCommandIfReadOnly("migrate.rollback()");
	name = pgm_args_text(fcinfo, 0, "name");

	waited_ms = pgm_extension_lock();
	run = pgm_run_open(name);
	if (run != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(pgm_run_undo(run)));
	graph = pgm_queue_graph_for_run();
	undo(list_make1(find_applied(graph, name)), waited_ms);
	PG_RETURN_TEXT_P(cstring_to_text("rolled_back"));
}

/*
 * What was applied last comes first.
 */
static int
compare_runs(const ListCell *a, const ListCell *b)
{
	int64		x = ((PgmNode *) lfirst(a))->migration->applied_run;
	int64		y = ((PgmNode *) lfirst(b))->migration->applied_run;

	return x == y ? 0 : (x > y ? -1 : 1);
}

/*
 * migrate.rollback_to(name text)
 *
 * Repeatables and seeds stay: they are for the state as it is, whatever
 * versioned migrations led to it.
 */
Datum
pgmigrate_rollback_to(PG_FUNCTION_ARGS)
{
	char	   *name;
	int64		waited_ms;
	PgmGraph   *graph;
	PgmNode    *target;
	List	   *nodes = NIL;
	ListCell   *lc;

	pgm_args_check_count(fcinfo, 1);
	PreventCommandIfReadOnly("migrate.rollback_to()");
	name = pgm_args_text(fcinfo, 0, "name");

	waited_ms = pgm_extension_lock();
	graph = pgm_queue_graph_for_run();
	target = find_applied(graph, name);
	for (int i = 0; i < graph->count; i++)
	{
		PgmNode    *node = &graph->nodes[i];

		if (node->applied && node->migration->kind == PGM_KIND_VERSIONED &&
			node->migration->applied_run > target->migration->applied_run)
			nodes = lappend(nodes, node);
	}
	list_sort(nodes, compare_runs);
	undo(nodes, waited_ms);

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, nodes)
		pgm_args_put_result(fcinfo, ((PgmNode *) lfirst(lc))->migration->name, "rolled_back");
	return (Datum) 0;
}

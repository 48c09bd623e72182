/*-------------------------------------------------------------------------
 *
 * apply.c
 *	  migrate.apply() and migrate.apply_all()
 *
 * IDENTIFICATION
 *	  src/api/apply.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"

#include "atomic/atomic.h"
#include "base/args.h"
#include "base/extension.h"
#include "plan/plan.h"

PG_FUNCTION_INFO_V1(pgmigrate_apply);
PG_FUNCTION_INFO_V1(pgmigrate_apply_all);

/*
 * How the caller wants a migration to run.
 */
static void
check_mode(const char *mode)
{
	if (strcmp(mode, "auto") == 0 || strcmp(mode, "atomic") == 0)
		return;
	if (strcmp(mode, "online") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("online runs are not supported yet"),
				 errhint("Use mode \"auto\" or \"atomic\".")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized mode \"%s\"", mode),
			 errhint("The modes are \"auto\", \"atomic\" and \"online\".")));
}

static List *
jobs_for(List *nodes)
{
	List	   *jobs = NIL;
	ListCell   *lc;

	foreach(lc, nodes)
	{
		PgmJob	   *job = palloc0(sizeof(PgmJob));

		job->action = PGM_ACTION_APPLY;
		job->migration = ((PgmNode *) lfirst(lc))->migration->name;
		jobs = lappend(jobs, job);
	}
	return jobs;
}

/*
 * migrate.apply(name text, mode text)
 */
Datum
pgmigrate_apply(PG_FUNCTION_ARGS)
{
	char	   *name;
	int64		waited_ms;
	PgmGraph   *graph;
	PgmNode    *node;

	pgm_args_check_count(fcinfo, 2);
	PreventCommandIfReadOnly("migrate.apply()");
	name = pgm_args_text(fcinfo, 0, "name");
	check_mode(pgm_args_text(fcinfo, 1, "mode"));

	waited_ms = pgm_extension_lock();
	graph = pgm_queue_graph_for_run();
	node = pgm_queue_find(graph, name);
	if (node->applied)
		PG_RETURN_TEXT_P(cstring_to_text("unchanged"));
	pgm_atomic_run(jobs_for(pgm_queue_one(graph, node)), waited_ms);
	PG_RETURN_TEXT_P(cstring_to_text("applied"));
}

/*
 * migrate.apply_all(upto text)
 */
Datum
pgmigrate_apply_all(PG_FUNCTION_ARGS)
{
	char	   *upto;
	int64		waited_ms;
	PgmGraph   *graph;
	PgmNode    *last = NULL;
	List	   *jobs;
	ListCell   *lc;

	pgm_args_check_count(fcinfo, 1);
	PreventCommandIfReadOnly("migrate.apply_all()");
	upto = pgm_args_optional_text(fcinfo, 0, "upto");

	waited_ms = pgm_extension_lock();
	graph = pgm_queue_graph_for_run();
	if (upto != NULL)
		last = pgm_queue_find(graph, upto);
	jobs = jobs_for(pgm_queue_all(graph, last));
	pgm_atomic_run(jobs, waited_ms);

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, jobs)
		pgm_args_put_result(fcinfo, ((PgmJob *) lfirst(lc))->migration, "applied");
	return (Datum) 0;
}

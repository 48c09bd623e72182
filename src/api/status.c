/*-------------------------------------------------------------------------
 *
 * status.c
 *	  migrate.status(): every migration in order
 *
 * IDENTIFICATION
 *	  src/api/status.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/args.h"
#include "base/rights.h"
#include "base/shared.h"
#include "plan/plan.h"
#include "store/backfill.h"

PG_FUNCTION_INFO_V1(pgmigrate_status);

/*
 * What is wrong with a migration, in words, or NULL.
 */
static char *
problem_text(const PgmGraph *graph, const PgmNode *node)
{
	const char *other;

	if (node->applied)
		return NULL;
	if (node->migration->run_state != NULL)
		return node->migration->run_reason[0] == '\0' ? NULL : node->migration->run_reason;
	switch (pgm_graph_problem(graph, node, &other))
	{
		case PGM_PROBLEM_NONE:
			break;
		case PGM_PROBLEM_MISSING:
			return psprintf("requires \"%s\", which is not registered", other);
		case PGM_PROBLEM_CYCLE:
			return psprintf("requirements form a cycle: %s", pgm_graph_cycle(graph, node));
		case PGM_PROBLEM_CONFLICT:
			return psprintf("conflicts with \"%s\"", other);
		case PGM_PROBLEM_OUT_OF_ORDER:
			return psprintf("out of order: \"%s\" is already applied", other);
	}
	if (!pgm_rights_trusts(&node->migration->author))
		return psprintf("registered by role \"%s\", whose code must not run as yours",
						node->migration->author.name);
	return NULL;
}

static void
put_row(FunctionCallInfo fcinfo, const PgmGraph *graph, const PgmNode *node)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const PgmMigration *m = node->migration;
	List	   *waits_for = node->applied ? NIL : pgm_graph_waits_for(graph, node);
	char	   *problem = problem_text(graph, node);
	Datum		values[8] = {0};
	bool		nulls[8] = {false};

	values[0] = CStringGetTextDatum(m->name);
	values[1] = CStringGetTextDatum(m->run_state != NULL ? m->run_state : pgm_state_name(m->state));
	values[2] = CStringGetTextDatum(pgm_kind_name(m->kind));
	nulls[3] = nulls[4] = nulls[5] = m->applied_by == NULL;
	if (m->applied_by != NULL)
	{
		values[3] = TimestampTzGetDatum(m->applied_at);
		values[4] = CStringGetTextDatum(m->applied_by);
		values[5] = Float8GetDatum(m->duration_ms);
	}
	nulls[6] = waits_for == NIL;
	if (waits_for != NIL)
		values[6] = pgm_args_text_array(waits_for);
	nulls[7] = problem == NULL;
	if (problem != NULL)
		values[7] = CStringGetTextDatum(problem);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * Say how backfills run here, if there are any that are not finished.
 */
static void
tell_mode(void)
{
	if (pgm_shared_is_there() || !pgm_store_has_open_jobs())
		return;
	ereport(NOTICE,
			(errmsg("backfills do not go on by themselves after a restart of the server"),
			 errhint("Add \"pgmigrate\" to shared_preload_libraries, or use migrate.resume() after a restart.")));
}

/*
 * migrate.status()
 *
 * In order; those on a cycle of requirements, which have no place in it, last.
 */
Datum
pgmigrate_status(PG_FUNCTION_ARGS)
{
	PgmGraph   *graph;
	bool		sees_all;

	pgm_args_check_count(fcinfo, 0);
	InitMaterializedSRF(fcinfo, 0);

	tell_mode();
	graph = pgm_queue_graph();
	sees_all = pgm_rights_sees_all();
	for (int i = 0; i < graph->ranked_count; i++)
	{
		if (sees_all || pgm_rights_has_role(&graph->ranked[i]->migration->author))
			put_row(fcinfo, graph, graph->ranked[i]);
	}
	for (int i = 0; i < graph->count; i++)
	{
		const PgmNode *node = &graph->nodes[i];

		if (node->rank < 0 && (sees_all || pgm_rights_has_role(&node->migration->author)))
			put_row(fcinfo, graph, node);
	}
	return (Datum) 0;
}

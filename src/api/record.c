/*-------------------------------------------------------------------------
 *
 * record.c
 *	  migrate.resolve() and migrate.baseline(): put the record right
 *
 * Nothing is run, and every correction is a run of the history itself.
 *
 * IDENTIFICATION
 *	  src/api/record.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/api.h"
#include "api/run.h"
#include "base/args.h"
#include "base/extension.h"
#include "plan/plan.h"

PG_FUNCTION_INFO_V1(pgmigrate_resolve);
PG_FUNCTION_INFO_V1(pgmigrate_baseline);

/*
 * Record a state that came about without us.
 */
static void
record_state(const PgmMigration *migration, PgmState state, const char *action, const char *note)
{
	PgmRun		run = {0};
	int64		run_id;

	run.migration = migration->name;
	run.action = action;
	run.started_at = run.finished_at = GetCurrentTimestamp();
	run.tries = 1;
	run.checksum = migration->checksum;
	run.note = note;
	run_id = pgm_store_insert_run(&run);
	pgm_store_set_state(migration->name, state, state == PGM_STATE_APPLIED ? run_id : 0);
}

static PgmState
parse_outcome(const char *outcome)
{
	if (strcmp(outcome, "applied") == 0)
		return PGM_STATE_APPLIED;
	if (strcmp(outcome, "rolled_back") == 0)
		return PGM_STATE_ROLLED_BACK;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized outcome \"%s\"", outcome),
			 errhint("The outcomes are \"applied\" and \"rolled_back\".")));
}

/*
 * migrate.resolve(name text, outcome text, note text)
 */
Datum
pgmigrate_resolve(PG_FUNCTION_ARGS)
{
	const bool	for_update = true;
	char	   *name;
	char	   *note;
	PgmState	state;
	PgmMigration *migration;
	PgmOnlineRun *run;

	pgm_args_check_count(fcinfo, 3);
	PreventCommandIfReadOnly("migrate.resolve()");
	name = pgm_args_text(fcinfo, 0, "name");
	state = parse_outcome(pgm_args_text(fcinfo, 1, "outcome"));
	note = pgm_args_text(fcinfo, 2, "note");

	(void) pgm_extension_lock();
	migration = pgm_api_fetch(name, for_update);
	run = pgm_run_open(name);
	if (run != NULL)
		pgm_run_close(run, state == PGM_STATE_APPLIED);
	else if (migration->state == state)
		PG_RETURN_TEXT_P(cstring_to_text("unchanged"));
	record_state(migration, state, "resolve", note);
	PG_RETURN_TEXT_P(cstring_to_text(pgm_state_name(state)));
}

/*
 * migrate.baseline(upto text)
 */
Datum
pgmigrate_baseline(PG_FUNCTION_ARGS)
{
	char	   *upto;
	PgmGraph   *graph;
	PgmNode    *last;

	pgm_args_check_count(fcinfo, 1);
	PreventCommandIfReadOnly("migrate.baseline()");
	upto = pgm_args_text(fcinfo, 0, "upto");

	(void) pgm_extension_lock();
	graph = pgm_queue_graph_for_run();
	last = pgm_queue_find(graph, upto);
	if (last->rank < 0)
		pgm_queue_refuse_cycle(graph, last);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i <= last->rank; i++)
	{
		PgmMigration *migration = graph->ranked[i]->migration;

		if (migration->state == PGM_STATE_APPLIED)
			continue;
		pgm_run_check_none(migration->name);
		record_state(migration, PGM_STATE_APPLIED, "baseline", psprintf("up to %s", upto));
		pgm_args_put_result(fcinfo, migration->name, "applied");
	}
	return (Datum) 0;
}

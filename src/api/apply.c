/*-------------------------------------------------------------------------
 *
 * apply.c
 *	  migrate.apply() and migrate.apply_all()
 *
 * What can run in the caller's transaction does.  From the first migration on
 * that has to run online, it and all that come after it in the call are left to
 * workers, each to begin when the one before it is done.
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
#include "utils/timestamp.h"

#include "api/api.h"
#include "api/run.h"
#include "atomic/atomic.h"
#include "base/args.h"
#include "base/extension.h"
#include "base/rights.h"
#include "online/online.h"

PG_FUNCTION_INFO_V1(pgmigrate_apply);
PG_FUNCTION_INFO_V1(pgmigrate_apply_all);

/* What a call does, in order. */
typedef struct Call
{
	PgmMode		mode;			/* that the caller asks for */
	PgmSchedule schedule;		/* the same */
	List	   *jobs;			/* of PgmJob *, to be run at once */
	List	   *results;		/* of char *, for each migration */
	const char *last;			/* migration that the next one comes after */
	int64		last_run;		/* its open run, 0 if none is open */
	List	   *fills;			/* of PgmOpenFill *, what is being filled */
} Call;

/*
 * How the caller wants a migration to run.
 */
static PgmMode
parse_mode(const char *mode)
{
	if (strcmp(mode, "auto") == 0)
		return PGM_MODE_AUTO;
	if (strcmp(mode, "atomic") == 0)
		return PGM_MODE_ATOMIC;
	if (strcmp(mode, "online") == 0)
		return PGM_MODE_ONLINE;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized mode \"%s\"", mode),
			 errhint("The modes are \"auto\", \"atomic\" and \"online\".")));
}

/*
 * The column that a migration needs and that is being filled, or NULL.
 */
static PgmOpenFill *
find_need(const Call *call, const PgmScript *script)
{
	PgmOpenFill *need = NULL;
	ListCell   *lc;

	if (call->fills == NIL)
		return NULL;
	foreach(lc, pgm_script_statements(script, PGM_PART_UP))
	{
		need = pgm_plan_need(script, (PgmStatement *) lfirst(lc), call->fills, 0);
		if (need != NULL)
			break;
	}
	return need;
}

/*
 * Throw if a migration that is to run at once cannot.
 */
static void
check_at_once(const Call *call, const PgmMigration *migration, const PgmScript *script)
{
	PgmOpenFill *need;

	pgm_classify_check_part(script, PGM_PART_UP);
	if (call->last_run != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" comes after \"%s\", whose run has not ended",
						migration->name, call->last),
				 errhint("Wait for it with CALL migrate.wait().")));
	need = find_need(call, script);
	if (need != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("migration \"%s\" needs a column that is being filled", migration->name),
				 errdetail("It needs %s.", pgm_plan_describe_need(need)),
				 errhint("Wait for it with CALL migrate.wait(%s), or let the migration wait: mode \"auto\" or \"online\".",
						 quote_literal_cstr(need->migration != NULL ? need->migration : need->backfill))));
}

/*
 * Why a migration has to run online, NULL if it is to run at once.  Throws if it
 * has to and must not.
 */
static char *
why_online(const Call *call, const PgmMigration *migration, const PgmScript *script)
{
	PgmOpenFill *need;

	if (call->mode == PGM_MODE_ATOMIC || script->mode == PGM_MODE_ATOMIC)
	{
		check_at_once(call, migration, script);
		return NULL;
	}
	if (call->last_run != 0)
		return psprintf("it comes after migration \"%s\", whose run has not ended", call->last);
	if (call->mode == PGM_MODE_ONLINE)
		return pstrdup("the call asks for it");
	if (call->schedule.window != NULL || call->schedule.not_before != 0)
		return pstrdup("the call says when it may run");
	need = find_need(call, script);
	if (need != NULL)
		return psprintf("it needs %s", pgm_plan_describe_need(need));
	return pgm_online_reason(script, pgm_rights_trusts(&migration->author));
}

/*
 * Note a migration whose run goes on already.
 */
static void
add_open(Call *call, const PgmOnlineRun *run)
{
	if (run->state == PGM_JOB_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("run of migration \"%s\" has failed", run->migration),
				 errdetail("The reason is: %s.", run->reason),
				 errhint("Use migrate.retry(), migrate.cancel(), migrate.rollback() or migrate.resolve().")));
	if (call->mode == PGM_MODE_ATOMIC)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("migration \"%s\" has a run that has not ended", run->migration),
				 errhint("Wait for it with CALL migrate.wait(), or end it with migrate.cancel().")));
	call->last = run->migration;
	call->last_run = run->id;
	call->results = lappend(call->results, (char *) pgm_job_state_name(run->state));
}

/*
 * Run a migration at once, or leave it to a worker.
 */
static void
add(Call *call, const char *name)
{
	const bool	for_update = true;
	PgmOnlineRun *open = pgm_run_open(name);
	PgmMigration *migration;
	PgmScript  *script;
	char	   *why;

	if (open != NULL)
	{
		add_open(call, open);
		return;
	}
	migration = pgm_api_fetch(name, for_update);
	script = pgm_api_read(migration);
	why = why_online(call, migration, script);
	if (why == NULL)
	{
		PgmJob	   *job = palloc0(sizeof(PgmJob));

		job->action = PGM_ACTION_APPLY;
		job->migration = migration->name;
		call->jobs = lappend(call->jobs, job);
		call->results = lappend(call->results, "applied");
		return;
	}
	ereport(NOTICE,
			(errmsg("migration \"%s\" will run online: %s", name, why),
			 errhint("Follow it with CALL migrate.wait(%s), or in migrate.run_progress.",
					 quote_literal_cstr(name))));
	call->last_run = pgm_online_submit(migration, script, call->last_run, &call->schedule, why);
	call->last = migration->name;
	call->results = lappend(call->results, "queued");
}

/*
 * Do all of it.  What is run at once comes first, as it does in the order.
 */
static void
apply_nodes(Call *call, List *nodes, int64 waited_ms)
{
	ListCell   *lc;

	call->fills = pgm_store_fetch_fills();
	foreach(lc, nodes)
		add(call, ((PgmNode *) lfirst(lc))->migration->name);
	pgm_atomic_run(call->jobs, waited_ms);
}

/*
 * When the run may go on, if the caller says so.
 */
static void
read_schedule(FunctionCallInfo fcinfo, Call *call)
{
	char	   *window = pgm_args_optional_text(fcinfo, 3, "window");

	if (!PG_ARGISNULL(2))
		call->schedule.not_before = PG_GETARG_TIMESTAMPTZ(2);
	if (window != NULL)
		call->schedule.window = pgm_limits_window(window);
	if (call->mode == PGM_MODE_ATOMIC && (window != NULL || !PG_ARGISNULL(2)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an atomic run cannot wait for a time"),
				 errhint("Leave out \"not_before\" and \"window\", or use mode \"auto\" or \"online\".")));
}

/*
 * migrate.apply(name text, mode text, not_before timestamptz, window text)
 */
Datum
pgmigrate_apply(PG_FUNCTION_ARGS)
{
	Call		call = {0};
	char	   *name;
	int64		waited_ms;
	PgmGraph   *graph;
	PgmNode    *node;

	pgm_args_check_count(fcinfo, 4);
	PreventCommandIfReadOnly("migrate.apply()");
	name = pgm_args_text(fcinfo, 0, "name");
	call.mode = parse_mode(pgm_args_text(fcinfo, 1, "mode"));
	read_schedule(fcinfo, &call);

	waited_ms = pgm_extension_lock();
	graph = pgm_queue_graph_for_run();
	node = pgm_queue_find(graph, name);
	if (node->applied)
		PG_RETURN_TEXT_P(cstring_to_text("unchanged"));
	apply_nodes(&call, pgm_queue_one(graph, node), waited_ms);
	PG_RETURN_TEXT_P(cstring_to_text((char *) llast(call.results)));
}

/*
 * migrate.apply_all(upto text)
 */
Datum
pgmigrate_apply_all(PG_FUNCTION_ARGS)
{
	Call		call = {.mode = PGM_MODE_AUTO};
	char	   *upto;
	int64		waited_ms;
	PgmGraph   *graph;
	PgmNode    *last = NULL;
	List	   *nodes;
	ListCell   *lc;
	ListCell   *result;

	pgm_args_check_count(fcinfo, 1);
	PreventCommandIfReadOnly("migrate.apply_all()");
	upto = pgm_args_optional_text(fcinfo, 0, "upto");

	waited_ms = pgm_extension_lock();
	graph = pgm_queue_graph_for_run();
	if (upto != NULL)
		last = pgm_queue_find(graph, upto);
	nodes = pgm_queue_all(graph, last);
	apply_nodes(&call, nodes, waited_ms);

	InitMaterializedSRF(fcinfo, 0);
	forboth(lc, nodes, result, call.results)
		pgm_args_put_result(fcinfo, ((PgmNode *) lfirst(lc))->migration->name,
							(char *) lfirst(result));
	return (Datum) 0;
}
